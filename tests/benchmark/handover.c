/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long a frame takes over the boundary at 1080p60: from just before it is
 * pushed into a queue, shmframesink or shmsink to just after it left the queue,
 * shmframesrc or shmsrc. The ways take turns, so that what else the machine does
 * meets all of them.
 *
 *     handover [--rounds=N] [--seconds=N] [--cpus=N]
 */
#include <glib.h>

#include "bench.h"

#define FPS 60
#define MAX_ROUNDS 100
/* Ratios of medians to reach. */
#define GOAL_QUEUE 1.6
#define GOAL_SHM 0.75

typedef struct
{
  gint64 p50[MAX_ROUNDS], p99[MAX_ROUNDS], max[MAX_ROUNDS];
  guint n_rounds;
  guint n_lost;
} Result;

static gboolean
measure (BenchWay way, guint seconds, guint cpus, Result * result)
{
  guint n_frames = seconds * FPS, n = 0;
  BenchRun *run = bench_run_new (way, TRUE, n_frames, FPS / 2, TRUE);
  gint64 *took = g_new (gint64, n_frames);
  gboolean ok;

  run->cpus = cpus;
  ok = bench_run (run, seconds + 20);
  for (guint i = run->n_warm; i < n_frames; i++) {
    if (run->stamps[i].received != 0)
      took[n++] = run->stamps[i].received - run->stamps[i].sent;
    else
      result->n_lost++;
  }
  if (ok && n > 0) {
    guint round = result->n_rounds++;

    bench_sort (took, n);
    result->p50[round] = bench_quantile (took, n, 0.5);
    result->p99[round] = bench_quantile (took, n, 0.99);
    result->max[round] = took[n - 1];
  }
  g_free (took);
  bench_run_free (run);
  return ok && n > 0;
}

static gdouble
median (gint64 * values, guint n)
{
  bench_sort (values, n);
  return (gdouble) bench_quantile (values, n, 0.5) / 1000;
}

int
main (int argc, char **argv)
{
  static const BenchWay ways[] = { BENCH_QUEUE, BENCH_SHMFRAME, BENCH_SHM };
  guint rounds = bench_option (argc, argv, "rounds", 7);
  guint seconds = bench_option (argc, argv, "seconds", 5);
  guint cpus = bench_option (argc, argv, "cpus", 0);
  Result results[BENCH_N_WAYS] = { 0 };
  gdouble p50[BENCH_N_WAYS] = { 0 };

  for (guint round = 0; round < MIN (rounds, MAX_ROUNDS); round++)
    for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
      if (bench_way_exists (ways[i])
          && !measure (ways[i], seconds, cpus, &results[ways[i]]))
        return 1;

  g_print ("one-way hand-over at 1080p60, us; medians of %u rounds of %u s\n"
      "%-28s %8s %8s %8s %15s %5s\n", rounds, seconds, "way", "p50", "p99",
      "max", "p50 of a round", "lost");
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
    Result *r = &results[ways[i]];

    if (r->n_rounds == 0) {
      g_print ("%-28s not installed\n", bench_way_name (ways[i]));
      continue;
    }
    p50[ways[i]] = median (r->p50, r->n_rounds);
    g_print ("%-28s %8.1f %8.1f %8.1f %6.1f - %6.1f %5u\n",
        bench_way_name (ways[i]), p50[ways[i]], median (r->p99, r->n_rounds),
        median (r->max, r->n_rounds), (gdouble) r->p50[0] / 1000,
        (gdouble) r->p50[r->n_rounds - 1] / 1000, r->n_lost);
  }
  g_print ("shmframe / queue   %.2f (goal: at most %.2f)\n",
      p50[BENCH_SHMFRAME] / p50[BENCH_QUEUE], GOAL_QUEUE);
  if (results[BENCH_SHM].n_rounds > 0)
    g_print ("shmframe / shmsink %.2f (goal: at most %.2f)\n",
        p50[BENCH_SHMFRAME] / p50[BENCH_SHM], GOAL_SHM);
  return 0;
}
