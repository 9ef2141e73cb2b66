/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What no framework can beat: one process writes every byte of each frame
 * into shared memory, another reads it, and semaphores are all that they do
 * besides. Or one process that copies each frame there. Prints one JSON
 * object.
 *
 *     bareloops [--frames=N] [--size=BYTES] [--slots=N] [--cpus=0|1|2]
 *         [--copy=1]
 */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <string.h>

#include "benchtools.h"

struct board
{
  sem_t free, full;
  gint64 cpu;                   /* of the reader, ns, in the steady state */
};

struct run
{
  guint n_frames, n_warm, n_slots, cpus;
  gsize size;
  guint8 *frames;
  struct board *board;
};

static void *
share (gsize size)
{
  void *memory = mmap (NULL, size, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

  if (memory == MAP_FAILED)
    g_error ("no memory for %zu bytes", size);
  return memory;
}

static void
take (sem_t * semaphore)
{
  while (sem_wait (semaphore) < 0 && errno == EINTR);
}

static guint8 *
slot (const struct run *run, guint frame)
{
  return run->frames + (frame % run->n_slots) * run->size;
}

static void
read_frames (struct run *run)
{
  guint64 sum = 0;
  gint64 cpu = 0;

  for (guint i = 0; i < run->n_frames; i++) {
    take (&run->board->full);
    sum += bench_read (slot (run, i), run->size);
    sem_post (&run->board->free);
    if (i + 1 == run->n_warm)
      cpu = bench_now (CLOCK_PROCESS_CPUTIME_ID);
  }
  run->board->cpu = bench_now (CLOCK_PROCESS_CPUTIME_ID) - cpu;
  if (sum == 1)
    fputs ("nobody writes such pixels\n", stderr);
}

static void
write_frame (struct run *run, guint frame, const guint8 * source)
{
  if (source != NULL) {
    memcpy (slot (run, frame), source, run->size);
    return;
  }
  take (&run->board->free);
  bench_paint (slot (run, frame), run->size, (guint8) frame);
  sem_post (&run->board->full);
}

static int
measure (struct run *run, const guint8 * source)
{
  gint64 start = 0, cpu = 0;
  int status = 0;
  pid_t pid = source == NULL ? fork () : 0;

  if (pid == 0 && source == NULL) {
    bench_pin_end (run->cpus, TRUE);
    read_frames (run);
    _exit (0);
  }
  bench_pin_end (run->cpus, FALSE);
  for (guint i = 0; i < run->n_frames; i++) {
    write_frame (run, i, source);
    if (i + 1 == run->n_warm) {
      start = bench_now (CLOCK_MONOTONIC);
      cpu = bench_now (CLOCK_PROCESS_CPUTIME_ID);
    }
  }
  cpu = bench_now (CLOCK_PROCESS_CPUTIME_ID) - cpu;
  if (pid != 0 && (waitpid (pid, &status, 0) != pid || status != 0))
    return 1;
  g_print ("{\"fps\": %.1f, \"cpu\": %.1f}\n",
      (run->n_frames - run->n_warm) * 1e9
      / (gdouble) (bench_now (CLOCK_MONOTONIC) - start),
      (gdouble) (cpu + run->board->cpu) / (run->n_frames - run->n_warm));
  return 0;
}

int
main (int argc, char **argv)
{
  struct run run = {
    .n_frames = bench_option (argc, argv, "frames", 1000),
    .n_slots = bench_option (argc, argv, "slots", 12),
    .cpus = bench_option (argc, argv, "cpus", 0),
    .size = bench_option (argc, argv, "size", 1920 * 1080 * 3 / 2),
  };
  guint8 *source = NULL;

  run.n_warm = run.n_frames / 10 + 1;
  run.frames = share (run.n_slots * run.size);
  run.board = share (sizeof (*run.board));
  sem_init (&run.board->free, 1, run.n_slots);
  sem_init (&run.board->full, 1, 0);
  if (bench_option (argc, argv, "copy", 0) != 0) {
    source = g_malloc (run.size);
    memset (source, 1, run.size);
  }
  return measure (&run, source);
}
