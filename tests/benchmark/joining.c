/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What those who are there feel of others that join, one per 150 ms, at 60
 * fps: in a ring that grows for them, or in one that has its size from the
 * start. Or: what is left behind by many that join and leave. Or: what a ring
 * takes of a processor that is made at once, or in a step per join, with nobody
 * there. Prints one JSON object.
 *
 *     joining [--consumers=N] [--fixed=1] [--churn=N] [--alone=ROUNDS]
 *         [--pause=MS] [--width=N] [--height=N] [--frames=N] [--read=0]
 *         [--cpus=0|1|2]
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchcost.h"
#include "benchtools.h"
#include "shared/clock.h"
#include "consumer/consumer.h"
#include "producer/producer.h"
#include "shared/segment.h"

#define FPS 60
#define PERIOD (SF_NS_PER_SECOND / FPS)
#define FRAMES_PER_JOIN 9u
#define HELD 4u
#define BASE_SLOTS 16u
#define MAX_FRAMES 20000u
#define MAX_CONSUMERS 64u
#define MAX_ROUNDS 64u

/* Shared by all processes. */
struct board
{
  sf_atomic_u32 started, stop;
  uint32_t n_took;
  int64_t took[MAX_FRAMES];     /* hand-over to the one that was there first */
  int64_t took_max;
  int64_t took_max_busy;        /* of it: it was busy with the frame before */
  int64_t took_max_queued;      /* it waited for a processor */
  int64_t joined[MAX_CONSUMERS];        /* from connecting to the first frame */
  int64_t joined_cpu[MAX_CONSUMERS];    /* of its process, meanwhile */
};

struct result
{
  struct bench_cost worst;      /* the longest publish() */
  int64_t most_cpu, most_slept; /* of any */
  int64_t cpu;                  /* ns a frame */
  uint64_t bytes, growths;
};

static char path[64];
static uint32_t cpus, n_frames;
static bool reads = true;

static struct sf_consumer *
consumer_open (void)
{
  struct sf_consumer_config config = { .path = path, .name = "joining",
    .delivery = SF_DELIVERY_LIVE, .max_held = HELD,
    .connect_timeout = SF_FOREVER
  };
  struct sf_consumer *c;

  return sf_consumer_open (&c, &config) == 0 ? c : NULL;
}

/* Notes when a frame came, which was sent at `sent`, since `wait` began. */
static void
note (struct board *board, int number, int64_t start, int64_t sent,
    const struct bench_cost *wait)
{
  struct bench_cost cost = *wait;
  int64_t took = sf_now () - sent;

  if (board->joined[number] == 0) {
    board->joined[number] = sf_now () - start;
    board->joined_cpu[number] = bench_now (CLOCK_PROCESS_CPUTIME_ID);
    return;
  }
  if (number != 0 || board->n_took == MAX_FRAMES)
    return;
  board->took[board->n_took++] = took;
  if (took <= board->took_max)
    return;
  bench_cost_end (&cost);
  board->took_max = took;
  board->took_max_busy = wait->wall > sent ? wait->wall - sent : 0;
  board->took_max_queued = cost.queued;
}

/* Takes frames, and reads a byte of each page as who looks at them does. */
static void
consume (struct board *board, int number)
{
  int64_t start = sf_now ();
  struct sf_consumer *c = consumer_open ();
  struct bench_cost wait;
  volatile uint8_t seen = 0;
  struct sf_received in;
  uint64_t sent;
  int r = 0;

  bench_cost_open ();
  while (c != NULL && r >= 0 && sf_observe_u32 (&board->stop) == 0) {
    bench_cost_begin (&wait);
    r = sf_consumer_next (c, &in, SF_NS_PER_SECOND);
    if (r < 0 || in.kind == SF_RECEIVED_DISCONNECTED)
      break;
    if (in.kind != SF_RECEIVED_FRAME)
      continue;
    memcpy (&sent, in.body, sizeof (sent));
    note (board, number, start, (int64_t) sent, &wait);
    for (uint64_t at = 0; at < (reads ? in.parts[0].size : 1); at += 4096)
      seen = in.parts[0].data[at];
    sf_lease_unref (in.lease);
  }
  (void) seen;
  sf_consumer_close (c);
}

static void
give (void *slot)
{
  sf_slots_release (slot);
  free (slot);
}

/* One frame that is due. */
static void
publish (struct sf_producer *p, uint64_t size)
{
  struct sf_slot *slot = malloc (sizeof (*slot));
  uint64_t sent = (uint64_t) sf_now ();
  struct sf_memory_ref part;
  struct sf_publish_args pub = { .parts = &part, .n_parts = 1, .body =
        &sent, .body_size = sizeof (sent), .release = give, .user = slot
  };

  if (slot == NULL || sf_producer_acquire_slot (p, size, 0, slot) < 0) {
    free (slot);
    return;
  }
  part = (struct sf_memory_ref) { .segment = slot->segment, .slot =
        slot->index, .size = size
  };
  memset (sf_segment_slot (slot->segment, slot->index), 7, 4096);
  if (sf_producer_publish (p, &pub) < 0)
    give (slot);
}

static double
cpu_us (void)
{
  struct rusage u;

  getrusage (RUSAGE_SELF, &u);
  return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6
      + (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static struct sf_producer *
producer_open (uint64_t size, uint32_t slots)
{
  struct sf_producer_config config = { .path = path, .mode = 0600,
    .max_clients = MAX_CONSUMERS, .max_memory = UINT64_C (8) << 30,
    .slots = slots
  };
  struct sf_producer *p;
  uint64_t needed;

  if (sf_producer_open (&p, &config) < 0)
    return NULL;
  sf_producer_set_delivery (p, true, false, 0, UINT64_MAX);
  if (sf_producer_set_format (p, size, 1, &needed) < 0) {
    sf_producer_close (p);
    return NULL;
  }
  return p;
}

static void
wait_until (int64_t due)
{
  struct timespec ts = { due / SF_NS_PER_SECOND, due % SF_NS_PER_SECOND };

  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0);
}

/* Publishes frames, each when it is due. */
static void
stream (struct sf_producer *p, uint64_t size, uint32_t frames,
    struct result *result)
{
  int64_t due = sf_now ();

  bench_cost_open ();
  for (uint32_t i = 0; i < frames; i++) {
    struct bench_cost cost;

    wait_until (due += PERIOD);
    bench_cost_begin (&cost);
    publish (p, size);
    bench_cost_end (&cost);
    if (cost.wall > result->worst.wall)
      result->worst = cost;
    if (cost.cpu > result->most_cpu)
      result->most_cpu = cost.cpu;
    if (bench_cost_slept (&cost) > result->most_slept)
      result->most_slept = bench_cost_slept (&cost);
  }
}

/* Waits for the producer, whose own start is no part of a join, and for its
 * turn. */
static void
join_in_turn (struct board *board, uint32_t number)
{
  while (sf_observe_u32 (&board->started) == 0)
    usleep (1000);
  usleep (200000 + number * 150000);
  consume (board, (int) number);
}

/* The consumers are forked before there are threads, and join on their own. */
static bool
measure (struct board *board, uint32_t n, uint64_t size, uint32_t slots,
    struct result *result)
{
  uint32_t frames = n_frames > 0 ? n_frames : (n + 4) * FRAMES_PER_JOIN;
  struct sf_producer_stats stats;
  struct sf_producer *p;
  double cpu;

  for (uint32_t i = 0; i < n; i++)
    if (fork () == 0) {
      bench_pin_end (cpus, TRUE);
      join_in_turn (board, i);
      _exit (0);
    }
  bench_pin_end (cpus, FALSE);
  cpu = cpu_us ();
  p = producer_open (size, slots);
  sf_publish_u32 (&board->started, 1);
  if (p != NULL) {
    stream (p, size, frames, result);
    result->cpu = (int64_t) ((cpu_us () - cpu) * 1000 / frames);
    sf_producer_get_stats (p, &stats);
    result->bytes = stats.slots.bytes;
    result->growths = stats.slots.growths;
    sf_producer_close (p);
  }
  sf_publish_u32 (&board->stop, 1);
  while (wait (NULL) > 0);
  return p != NULL && board->n_took > 0;
}

static void
print (const struct board *board, uint32_t n, const struct result *r)
{
  const struct bench_cost *w = &r->worst;
  uint32_t last = 0;

  for (uint32_t i = 1; i < n; i++)
    if (board->joined[i] > board->joined[last])
      last = i;
  printf ("{\"publish_max\": %lld, \"publish_max_cpu\": %lld, "
      "\"publish_max_queued\": %lld, \"publish_max_yielded\": %lld, "
      "\"publish_max_faults\": %lld, \"publish_most_cpu\": %lld, "
      "\"publish_most_slept\": %lld, ", (long long) w->wall,
      (long long) w->cpu, (long long) w->queued, (long long) w->yielded,
      (long long) w->faults, (long long) r->most_cpu,
      (long long) r->most_slept);
  printf ("\"max\": %lld, \"max_busy\": %lld, \"max_queued\": %lld, "
      "\"join_max\": %lld, \"join_max_cpu\": %lld, "
      "\"cpu\": %lld, \"bytes\": %llu, \"growths\": %llu, \"took\": ",
      (long long) board->took_max, (long long) board->took_max_busy,
      (long long) board->took_max_queued, (long long) board->joined[last],
      (long long) board->joined_cpu[last], (long long) r->cpu,
      (unsigned long long) r->bytes, (unsigned long long) r->growths);
  fflush (stdout);
  bench_print_list (board->took, board->n_took);
  g_print (", \"joined\": ");
  bench_print_list (board->joined, n);
  g_print ("}\n");
}

static struct board *
board_new (void)
{
  return mmap (NULL, sizeof (struct board), PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int
count (const char *of)
{
  DIR *dir;
  int n = 0;

  if (strcmp (of, "maps") == 0) {
    FILE *f = fopen ("/proc/self/maps", "re");
    int c;

    while (f != NULL && (c = fgetc (f)) != EOF)
      n += c == '\n';
    if (f != NULL)
      fclose (f);
    return n;
  }
  dir = opendir ("/proc/self/fd");
  while (dir != NULL && readdir (dir) != NULL)
    n++;
  if (dir != NULL)
    closedir (dir);
  return n;
}

/* Returns the bytes of our pages that are in memory. */
static uint64_t
resident (void)
{
  FILE *f = fopen ("/proc/self/statm", "re");
  unsigned long long all, pages = 0;

  if (f != NULL) {
    if (fscanf (f, "%llu %llu", &all, &pages) != 2)
      pages = 0;
    fclose (f);
  }
  return pages * (uint64_t) sysconf (_SC_PAGESIZE);
}

/* Consumers that join, take a frame, and leave, one after the other. */
static bool
churn (uint32_t n, uint64_t size)
{
  struct board *board = board_new ();
  struct sf_producer_stats stats;
  struct sf_producer *p;
  int maps = 0, fds = 0;
  uint64_t bytes = 0, rss = 0;
  bool same;
  pid_t pid;

  pid = fork ();
  if (pid == 0) {
    for (uint32_t i = 0; i < n; i++) {
      struct sf_consumer *c = consumer_open ();
      struct sf_received in = { 0 };

      while (c != NULL && in.kind != SF_RECEIVED_FRAME
          && sf_consumer_next (c, &in, SF_NS_PER_SECOND) >= 0);
      if (in.kind == SF_RECEIVED_FRAME)
        sf_lease_unref (in.lease);
      sf_consumer_close (c);
      sf_publish_u32 (&board->stop, i + 1);
    }
    _exit (0);
  }
  p = producer_open (size, 0);
  while (p != NULL && sf_observe_u32 (&board->stop) < n) {
    publish (p, size);
    usleep (2000);
    if (maps == 0 && sf_observe_u32 (&board->stop) >= n / 10) {
      maps = count ("maps");
      fds = count ("fds");
      sf_producer_get_stats (p, &stats);
      bytes = stats.slots.bytes;
      rss = resident ();
    }
  }
  waitpid (pid, NULL, 0);
  if (p == NULL)
    return false;
  usleep (300000);
  sf_producer_get_stats (p, &stats);
  printf ("{\"maps\": %d, \"fds\": %d, \"bytes\": %llu, \"resident\": %llu, "
      "\"tenth_maps\": %d, \"tenth_fds\": %d, \"tenth_bytes\": %llu, "
      "\"tenth_resident\": %llu}\n", count ("maps"), count ("fds"),
      (unsigned long long) stats.slots.bytes,
      (unsigned long long) resident (), maps, fds, (unsigned long long) bytes,
      (unsigned long long) rss);
  same = stats.slots.bytes <= bytes && count ("fds") <= fds + 2;
  sf_producer_close (p);
  munmap (board, sizeof (*board));
  return same;
}

/* Returns the CPU time of making slots for so many consumers. */
static int64_t
make_ring (uint32_t n, uint64_t size, bool in_steps, uint32_t pause_ms)
{
  uint32_t all = BASE_SLOTS + n * HELD, slots = in_steps ? BASE_SLOTS : all;
  int64_t begin, took = 0;
  struct sf_segment *s;
  int err;

  begin = bench_now (CLOCK_THREAD_CPUTIME_ID);
  err = sf_segment_create_of (&s, slots, all + 1, size, 0);
  if (err < 0)
    return err;
  while (slots < all && err == 0) {
    took += bench_now (CLOCK_THREAD_CPUTIME_ID) - begin;
    usleep (pause_ms * 1000);
    begin = bench_now (CLOCK_THREAD_CPUTIME_ID);
    err = sf_segment_grow (s, slots += HELD);
  }
  took += bench_now (CLOCK_THREAD_CPUTIME_ID) - begin;
  sf_segment_unref (s);
  return err < 0 ? err : took;
}

static bool
alone (uint32_t rounds, uint32_t n, uint64_t size, uint32_t pause_ms)
{
  int64_t took[2][MAX_ROUNDS];

  if (rounds > MAX_ROUNDS)
    rounds = MAX_ROUNDS;
  for (uint32_t i = 0; i < rounds; i++)
    for (int in_steps = 0; in_steps < 2; in_steps++) {
      took[in_steps][i] = make_ring (n, size, in_steps, pause_ms);
      if (took[in_steps][i] < 0)
        return false;
    }
  g_print ("{\"at_once\": ");
  bench_print_list (took[0], rounds);
  g_print (", \"in_steps\": ");
  bench_print_list (took[1], rounds);
  g_print ("}\n");
  return true;
}

int
main (int argc, char **argv)
{
  uint32_t n = bench_option (argc, argv, "consumers", 8);
  uint32_t n_alone = bench_option (argc, argv, "alone", 0);
  uint32_t n_churn = bench_option (argc, argv, "churn", 0);
  uint64_t size = (uint64_t) bench_option (argc, argv, "width", 1920)
      * bench_option (argc, argv, "height", 1080) * 3 / 2;
  bool fixed = bench_option (argc, argv, "fixed", 0) != 0;
  struct result r = { 0 };
  struct board *board;

  snprintf (path, sizeof (path), "@shmframe-joining-%d", (int) getpid ());
  cpus = bench_option (argc, argv, "cpus", 0);
  n_frames = bench_option (argc, argv, "frames", 0);
  reads = bench_option (argc, argv, "read", 1) != 0;
  if (n_churn > 0)
    return churn (n_churn, size) ? 0 : 1;
  if (n_alone > 0)
    return alone (n_alone, n, size, bench_option (argc, argv, "pause",
            150)) ? 0 : 1;
  n = n < MAX_CONSUMERS ? n : MAX_CONSUMERS;
  board = board_new ();
  if (!measure (board, n, size, fixed ? n * HELD + BASE_SLOTS : 0, &r))
    return 1;
  print (board, n, &r);
  return 0;
}
