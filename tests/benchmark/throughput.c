/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames a second of 1080p at full speed where nobody touches a pixel: a queue in
 * one process against shmframesink -> shmframesrc in two, by turns; and what each
 * frame costs in CPU time and page faults once the pools are filled.
 *
 *     throughput [--rounds=N] [--frames=N] [--cpus=N]
 */
#include <glib.h>

#include "bench.h"

#define MAX_ROUNDS 100
/* A hang is no figure: at this rate somebody stands still. */
#define LEAST_FPS 500
#define GOAL 1.0

typedef struct
{
  gint64 fps[MAX_ROUNDS];
  gint64 cpu[MAX_ROUNDS];       /* ns a frame, all processes */
  guint n_rounds;
  gint64 faults_sent, faults_received;  /* the most of all rounds */
  guint64 copied;
} Result;

static gboolean
measure (BenchWay way, guint n_frames, guint cpus, Result * result)
{
  BenchRun *run = bench_run_new (way, FALSE, n_frames, n_frames / 10, FALSE);
  gboolean ok;
  const BenchSide *s = &run->sender, *r = &run->receiver;

  run->cpus = cpus;
  ok = bench_run (run, 20 + n_frames / LEAST_FPS);
  if (ok && (guint) r->n_frames != n_frames) {
    g_printerr ("%s: %d frames of %u arrived\n", bench_way_name (way),
        r->n_frames, n_frames);
    ok = FALSE;
  }
  if (ok) {
    guint round = result->n_rounds++;
    guint n = n_frames - run->n_warm;
    gint64 cpu = r->last.cpu_time - r->warm.cpu_time;

    if (way == BENCH_SHMFRAME)
      cpu += s->last.cpu_time - s->warm.cpu_time;
    result->fps[round] = (gint64) (n * 1e9
        / (gdouble) (r->last.time - r->warm.time));
    result->cpu[round] = cpu / n;
    result->faults_sent = MAX (result->faults_sent,
        s->last.faults - s->warm.faults);
    result->faults_received = MAX (result->faults_received,
        r->last.faults - r->warm.faults);
    result->copied += run->copied;
  }
  bench_run_free (run);
  return ok;
}

int
main (int argc, char **argv)
{
  static const BenchWay ways[] = { BENCH_QUEUE, BENCH_SHMFRAME,
    BENCH_DEEP_QUEUE
  };
  guint rounds = MIN (bench_option (argc, argv, "rounds", 7), MAX_ROUNDS);
  guint n_frames = bench_option (argc, argv, "frames", 50000);
  guint cpus = bench_option (argc, argv, "cpus", 0);
  Result results[BENCH_N_WAYS] = { 0 };
  gint64 fps[BENCH_N_WAYS] = { 0 };

  for (guint round = 0; round < rounds; round++)
    for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
      if (!measure (ways[i], n_frames, cpus, &results[ways[i]]))
        return 1;

  g_print ("%u frames of 1080p at full speed, pixels untouched; medians of %u "
      "rounds\n%-28s %9s %19s %9s %14s %6s\n", n_frames, rounds, "way",
      "frames/s", "of a round", "us CPU", "faults out/in", "copied");
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
    Result *r = &results[ways[i]];

    bench_sort (r->fps, r->n_rounds);
    bench_sort (r->cpu, r->n_rounds);
    fps[ways[i]] = bench_quantile (r->fps, r->n_rounds, 0.5);
    g_print ("%-28s %9" G_GINT64_FORMAT " %8" G_GINT64_FORMAT " - %8"
        G_GINT64_FORMAT " %9.2f %6" G_GINT64_FORMAT " /%6" G_GINT64_FORMAT
        " %6" G_GUINT64_FORMAT "\n", bench_way_name (ways[i]), fps[ways[i]],
        r->fps[0], r->fps[r->n_rounds - 1],
        (gdouble) bench_quantile (r->cpu, r->n_rounds, 0.5) / 1000,
        r->faults_sent, r->faults_received, r->copied);
  }
  g_print ("shmframe / queue         %.2f (goal: at least %.2f)\n",
      (gdouble) fps[BENCH_SHMFRAME] / (gdouble) fps[BENCH_QUEUE], GOAL);
  g_print ("shmframe / queue 12 deep %.2f\n",
      (gdouble) fps[BENCH_SHMFRAME] / (gdouble) fps[BENCH_DEEP_QUEUE]);
  return 0;
}
