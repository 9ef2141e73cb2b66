/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What those who are there feel of others that join, one per 150 ms, at 60
 * fps: in a ring that grows for them, or in one that has its size from the
 * start. Or: what is left behind by many that join and leave. Prints one
 * JSON object.
 *
 *     joining [--consumers=N] [--fixed=1] [--churn=N] [--width=N] [--height=N]
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

#include "benchtools.h"
#include "shared/clock.h"
#include "consumer/consumer.h"
#include "producer/producer.h"

#define FPS 60
#define PERIOD (SF_NS_PER_SECOND / FPS)
#define FRAMES_PER_JOIN 9u
#define HELD 4u
#define MAX_FRAMES 20000u
#define MAX_CONSUMERS 64u

/* Shared by all processes. */
struct board
{
  sf_atomic_u32 stop;
  uint32_t n_took;
  int64_t took[MAX_FRAMES];     /* hand-over to the one that was there first */
  int64_t joined[MAX_CONSUMERS];        /* from connecting to the first frame */
};

struct result
{
  int64_t publish_max, p99, max, join_max;
  int64_t cpu;                  /* ns a frame */
  uint64_t bytes, growths;
};

static char path[64];
static uint32_t cpus;

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

/* Takes frames, and reads a byte of each page as who looks at them does. */
static void
consume (struct board *board, int number)
{
  int64_t start = sf_now ();
  struct sf_consumer *c = consumer_open ();
  volatile uint8_t seen = 0;
  struct sf_received in;
  uint64_t sent;

  while (c != NULL && sf_observe_u32 (&board->stop) == 0
      && sf_consumer_next (c, &in, SF_NS_PER_SECOND) >= 0) {
    if (in.kind == SF_RECEIVED_DISCONNECTED)
      break;
    if (in.kind != SF_RECEIVED_FRAME)
      continue;
    memcpy (&sent, in.body, sizeof (sent));
    if (board->joined[number] == 0)
      board->joined[number] = sf_now () - start;
    else if (number == 0 && board->n_took < MAX_FRAMES)
      board->took[board->n_took++] = sf_now () - (int64_t) sent;
    for (uint64_t at = 0; at < in.parts[0].size; at += 4096)
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

/* One frame that is due. How long it took. */
static int64_t
publish (struct sf_producer *p, uint64_t size)
{
  struct sf_slot *slot = malloc (sizeof (*slot));
  int64_t start = sf_now ();
  uint64_t sent = (uint64_t) start;
  struct sf_memory_ref part;
  struct sf_publish_args pub = { .parts = &part, .n_parts = 1, .body =
        &sent, .body_size = sizeof (sent), .release = give, .user = slot
  };

  if (slot == NULL || sf_producer_acquire_slot (p, size, 0, slot) < 0) {
    free (slot);
    return 0;
  }
  part = (struct sf_memory_ref) { .segment = slot->segment, .slot =
        slot->index, .size = size
  };
  memset (sf_segment_slot (slot->segment, slot->index), 7, 4096);
  if (sf_producer_publish (p, &pub) < 0)
    give (slot);
  return sf_now () - start;
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

/* The consumers are forked before there are threads, and join on their own. */
static bool
measure (uint32_t n, uint64_t size, uint32_t slots, struct result *result)
{
  struct board *board = mmap (NULL, sizeof (*board), PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  uint32_t frames = (n + 4) * FRAMES_PER_JOIN;
  struct sf_producer_stats stats;
  struct sf_producer *p;
  int64_t due = 0;
  double cpu;

  for (uint32_t i = 0; i < n; i++)
    if (fork () == 0) {
      bench_pin_end (cpus, TRUE);
      usleep (200000 + i * 150000);
      consume (board, (int) i);
      _exit (0);
    }
  bench_pin_end (cpus, FALSE);
  memset (result, 0, sizeof (*result));
  cpu = cpu_us ();
  p = producer_open (size, slots);
  due = sf_now ();
  for (uint32_t i = 0; p != NULL && i < frames; i++) {
    int64_t took;

    wait_until (due += PERIOD);
    took = publish (p, size);
    result->publish_max = took > result->publish_max ? took
        : result->publish_max;
  }
  result->cpu = (int64_t) ((cpu_us () - cpu) * 1000 / frames);
  if (p != NULL) {
    sf_producer_get_stats (p, &stats);
    result->bytes = stats.slots.bytes;
    result->growths = stats.slots.growths;
    sf_producer_close (p);
  }
  sf_publish_u32 (&board->stop, 1);
  while (wait (NULL) > 0);
  for (uint32_t i = 0; i < n; i++)
    result->join_max = board->joined[i] > result->join_max ? board->joined[i]
        : result->join_max;
  if (board->n_took > 0) {
    bench_sort (board->took, board->n_took);
    result->p99 = bench_quantile (board->took, board->n_took, 0.99);
    result->max = board->took[board->n_took - 1];
  }
  munmap (board, sizeof (*board));
  return p != NULL && result->p99 > 0;
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

/* Consumers that join, take a frame, and leave, four at a time. */
static bool
churn (uint32_t n, uint64_t size)
{
  struct board *board = mmap (NULL, sizeof (*board), PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sf_producer_stats stats;
  struct sf_producer *p;
  int maps = 0, fds = 0;
  uint64_t bytes = 0;
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
    }
  }
  waitpid (pid, NULL, 0);
  if (p == NULL)
    return false;
  usleep (300000);
  sf_producer_get_stats (p, &stats);
  printf ("{\"maps\": %d, \"fds\": %d, \"bytes\": %llu, \"tenth_maps\": %d, "
      "\"tenth_fds\": %d, \"tenth_bytes\": %llu}\n", count ("maps"),
      count ("fds"), (unsigned long long) stats.slots.bytes, maps, fds,
      (unsigned long long) bytes);
  same = stats.slots.bytes <= bytes && count ("fds") <= fds + 2;
  sf_producer_close (p);
  munmap (board, sizeof (*board));
  return same;
}

int
main (int argc, char **argv)
{
  uint32_t n = bench_option (argc, argv, "consumers", 8);
  uint32_t n_churn = bench_option (argc, argv, "churn", 0);
  uint64_t size = (uint64_t) bench_option (argc, argv, "width", 1920)
      * bench_option (argc, argv, "height", 1080) * 3 / 2;
  bool fixed = bench_option (argc, argv, "fixed", 0) != 0;
  struct result r;

  snprintf (path, sizeof (path), "@shmframe-joining-%d", (int) getpid ());
  cpus = bench_option (argc, argv, "cpus", 0);
  if (n_churn > 0)
    return churn (n_churn, size) ? 0 : 1;
  n = n < MAX_CONSUMERS ? n : MAX_CONSUMERS;
  if (!measure (n, size, fixed ? n * HELD + 16 : 0, &r))
    return 1;
  printf ("{\"publish_max\": %lld, \"p99\": %lld, \"max\": %lld, \"join_max\": "
      "%lld, \"cpu\": %lld, \"bytes\": %llu, \"growths\": %llu}\n",
      (long long) r.publish_max, (long long) r.p99, (long long) r.max,
      (long long) r.join_max, (long long) r.cpu, (unsigned long long) r.bytes,
      (unsigned long long) r.growths);
  return 0;
}
