/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From "there is something" in one process to "awake" in the other, 60 times a
 * second and nothing else. Prints one JSON object.
 *
 *     wake [--kind=futex|eventfd|pipe|socket] [--wakes=N] [--cpus=0|1|2]
 *     wake --sleepers=N [--wakes=N] [--cpus=0|1|2]
 *         The CPU time that it takes to wake so many processes one by one, each
 *         of which sleeps on a futex of its own.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchtools.h"
#include "shared/clock.h"
#include "shared/futex.h"
#include "shared/layout.h"

#define FPS 60
#define PERIOD (SF_NS_PER_SECOND / FPS)

enum
{
  FUTEX, EVENTFD, PIPE, SOCKET, N_KINDS
};

static const char *const names[N_KINDS] = { "futex", "eventfd", "pipe",
  "socket"
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
  if (kind == EVENTFD)
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
  uint64_t n;

  if (ch->kind == FUTEX) {
    while (sf_load_flag (&board->word) == seen)
      sf_futex_wait (&board->word, seen, SF_FOREVER);
    return;
  }
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

/* Sleeps until the next of 60 times a second. */
static void
await_period (int64_t *due)
{
  struct timespec ts;

  *due += PERIOD;
  ts.tv_sec = *due / SF_NS_PER_SECOND;
  ts.tv_nsec = *due % SF_NS_PER_SECOND;
  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0);
}

static void
send_all (struct channel *ch, struct board *board, uint32_t n)
{
  int64_t due = sf_now ();

  for (uint32_t i = 0; i < n; i++) {
    await_period (&due);
    wake (ch, board);
  }
}

/* Fills `took`, sorted. */
static bool
measure (int kind, uint32_t n, uint32_t cpus, int64_t *took)
{
  size_t size = sizeof (struct board) + n * sizeof (int64_t);
  struct board *board = mmap (NULL, size, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct channel ch;
  int status = 1;
  pid_t pid;

  if (board == MAP_FAILED || open_channel (&ch, kind) < 0)
    return false;
  pid = fork ();
  if (pid == 0) {
    alarm (n / FPS + 20);
    bench_pin_end (cpus, TRUE);
    receive (&ch, board, n);
    _exit (0);
  }
  bench_pin_end (cpus, FALSE);
  send_all (&ch, board, n);
  if (pid < 0 || waitpid (pid, &status, 0) != pid || status != 0)
    return false;
  memcpy (took, board->took, n * sizeof (*took));
  close_channel (&ch);
  munmap (board, size);
  return true;
}

/* Starts a process that sleeps on the word for good. */
static pid_t
start_sleeper (sf_atomic_u32 *word, uint32_t cpus)
{
  pid_t pid = fork ();

  if (pid != 0)
    return pid;
  alarm (60);
  bench_pin_end (cpus, TRUE);
  for (;;)
    sf_futex_wait (word, sf_load_flag (word), SF_FOREVER);
}

static int
measure_sleepers (uint32_t n_sleepers, uint32_t n, uint32_t cpus)
{
  uint8_t *words = mmap (NULL, n_sleepers * SF_CACHE_LINE,
      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t *pids = g_new0 (pid_t, n_sleepers);
  int64_t due, cpu = 0;

  for (uint32_t i = 0; i < n_sleepers; i++)
    pids[i] = start_sleeper ((sf_atomic_u32 *) (words + i * SF_CACHE_LINE),
        cpus);
  bench_pin_end (cpus, FALSE);
  due = sf_now ();
  for (uint32_t round = 0; round < n; round++) {
    await_period (&due);
    cpu -= bench_now (CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < n_sleepers; i++) {
      sf_bump_u32 ((sf_atomic_u32 *) (words + i * SF_CACHE_LINE));
      sf_futex_wake ((sf_atomic_u32 *) (words + i * SF_CACHE_LINE));
    }
    cpu += bench_now (CLOCK_THREAD_CPUTIME_ID);
  }
  for (uint32_t i = 0; i < n_sleepers; i++) {
    kill (pids[i], SIGKILL);
    waitpid (pids[i], NULL, 0);
  }
  g_free (pids);
  g_print ("{\"cpu\": %.1f}\n", (double) cpu / n);
  return 0;
}

int
main (int argc, char **argv)
{
  const char *name = bench_text_option (argc, argv, "kind", "futex");
  uint32_t n = bench_option (argc, argv, "wakes", 240);
  uint32_t n_sleepers = bench_option (argc, argv, "sleepers", 0);
  uint32_t cpus = bench_option (argc, argv, "cpus", 0);
  int64_t *took;
  int kind = 0;

  if (n_sleepers > 0)
    return measure_sleepers (n_sleepers, n, cpus);
  took = g_new0 (int64_t, n);
  while (kind < N_KINDS && strcmp (names[kind], name) != 0)
    kind++;
  if (kind == N_KINDS || !measure (kind, n, cpus, took)) {
    fprintf (stderr, "%s does not work\n", name);
    return 1;
  }
  g_print ("{\"took\": ");
  bench_print_list (took, n);
  g_print ("}\n");
  g_free (took);
  return 0;
}
