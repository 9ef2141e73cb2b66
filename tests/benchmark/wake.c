/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From "there is something" in one process to "awake" in the other, 60 times a
 * second and nothing else: which wake-up is the quickest?
 *
 *     wake [--rounds=N] [--wakes=N]
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "shared/clock.h"
#include "shared/futex.h"

#define PERIOD (SF_NS_PER_SECOND / 60)
#define MAX_ROUNDS 100

enum
{
  FUTEX, EVENTFD, PIPE, SOCKET, POLLED_EVENTFD, N_KINDS
};

static const char *const names[N_KINDS] = { "futex", "eventfd", "pipe",
  "unix socket", "eventfd, polled"
};

/* Shared by the two processes. */
struct board
{
  sf_atomic_u32 word;
  sf_atomic_u64 sent;           /* ns */
  int64_t took[];
};

struct channel
{
  int kind;
  int in, out;
};

static int
open_channel (struct channel *ch, int kind)
{
  int fds[2] = { -1, -1 };
  int r = 0;

  ch->kind = kind;
  if (kind == EVENTFD || kind == POLLED_EVENTFD)
    r = fds[0] = fds[1] = eventfd (0, EFD_CLOEXEC | EFD_SEMAPHORE);
  else if (kind == PIPE)
    r = pipe (fds);
  else if (kind == SOCKET)
    r = socketpair (AF_UNIX, SOCK_SEQPACKET, 0, fds);
  ch->in = fds[0];
  ch->out = fds[1];
  return r < 0 ? -1 : 0;
}

static void
close_channel (struct channel *ch)
{
  if (ch->in >= 0)
    close (ch->in);
  if (ch->out >= 0 && ch->out != ch->in)
    close (ch->out);
}

static void
wake (struct channel *ch, struct board *board)
{
  uint64_t one = 1;

  sf_publish_u64 (&board->sent, (uint64_t) sf_now ());
  if (ch->kind == FUTEX) {
    sf_bump_u32 (&board->word);
    sf_futex_wake (&board->word);
  } else if (write (ch->out, &one, sizeof (one)) < 0) {
    _exit (1);
  }
}

static void
sleep_on (struct channel *ch, struct board *board, uint32_t seen)
{
  struct pollfd pfd = {.fd = ch->in,.events = POLLIN };
  uint64_t n;

  if (ch->kind == FUTEX) {
    while (sf_load_flag (&board->word) == seen)
      sf_futex_wait (&board->word, seen, SF_FOREVER);
    return;
  }
  if (ch->kind == POLLED_EVENTFD && poll (&pfd, 1, -1) < 0)
    _exit (1);
  if (read (ch->in, &n, sizeof (n)) < 0)
    _exit (1);
}

/* Sleeps for each wake, and writes down how long it took. */
static void
receive (struct channel *ch, struct board *board, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    sleep_on (ch, board, i);
    board->took[i] = sf_now () - (int64_t) sf_observe_u64 (&board->sent);
  }
}

static void
send_all (struct channel *ch, struct board *board, uint32_t n)
{
  int64_t due = sf_now ();

  for (uint32_t i = 0; i < n; i++) {
    struct timespec ts;

    due += PERIOD;
    ts.tv_sec = due / SF_NS_PER_SECOND;
    ts.tv_nsec = due % SF_NS_PER_SECOND;
    while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0);
    wake (ch, board);
  }
}

/* The p50 of one kind, or -1. */
static int64_t
measure (int kind, uint32_t n)
{
  size_t size = sizeof (struct board) + n * sizeof (int64_t);
  struct board *board = mmap (NULL, size, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct channel ch;
  int64_t p50 = -1;
  int status = 1;
  pid_t pid;

  if (board == MAP_FAILED || open_channel (&ch, kind) < 0)
    return -1;
  pid = fork ();
  if (pid == 0) {
    alarm (n / 60 + 20);
    receive (&ch, board, n);
    _exit (0);
  }
  send_all (&ch, board, n);
  if (pid > 0 && waitpid (pid, &status, 0) == pid && status == 0) {
    bench_sort (board->took, n);
    p50 = bench_quantile (board->took, n, 0.5);
  }
  close_channel (&ch);
  munmap (board, size);
  return p50;
}

int
main (int argc, char **argv)
{
  uint32_t rounds = bench_option (argc, argv, "rounds", 7);
  uint32_t n = bench_option (argc, argv, "wakes", 240);
  static int64_t p50[N_KINDS][MAX_ROUNDS];

  rounds = rounds < MAX_ROUNDS ? rounds : MAX_ROUNDS;
  for (uint32_t round = 0; round < rounds; round++) {
    for (int kind = 0; kind < N_KINDS; kind++) {
      p50[kind][round] = measure (kind, n);
      if (p50[kind][round] < 0) {
        fprintf (stderr, "%s does not work\n", names[kind]);
        return 1;
      }
    }
  }
  printf ("one-way wake-up at 60 Hz, us; median of the p50 of %u rounds of %u\n"
      "%-28s %8s %15s\n", rounds, n, "way", "p50", "of a round");
  for (int kind = 0; kind < N_KINDS; kind++) {
    bench_sort (p50[kind], rounds);
    printf ("%-28s %8.1f %6.1f - %6.1f\n", names[kind],
        (double) bench_quantile (p50[kind], rounds, 0.5) / 1000,
        (double) p50[kind][0] / 1000, (double) p50[kind][rounds - 1] / 1000);
  }
  return 0;
}
