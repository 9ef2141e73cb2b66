/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames through a queue in one process, or from one process to others: when
 * each came, and what it cost. Prints one JSON object; tests/benchmark/run
 * compares.
 *
 *     boundary [--way=queue|shmframe|shmsink|unixfdsink]
 *         [--fps=N, 0: as fast as it goes] [--frames=N] [--warm=N]
 *         [--width=N] [--height=N] [--consumers=N] [--cpus=0|1|2] [--depth=N]
 *         [--touch=1] [--copy=1] [--memory=1]
 *         [--observers=N --observer=FILE of shmframe-top [--looks=N a second]]
 */
#include "bench.h"
#include "benchtools.h"

/* A hang is no figure: at this rate somebody stands still. */
#define LEAST_FPS 20

static void
print_latencies (const BenchRun * run)
{
  guint n = 0, n_lost = 0, n_frames = run->config.n_frames;
  gint64 *took = g_new (gint64, n_frames);

  for (guint i = run->config.n_warm; i < n_frames; i++) {
    if (run->stamps[i].received != 0)
      took[n++] = run->stamps[i].received - run->stamps[i].sent;
    else
      n_lost++;
  }
  g_print (", \"lost\": %u, \"took\": ", n_lost);
  bench_print_list (took, n);
  g_free (took);
}

static void
print_side (const gchar * name, const BenchSide * side, guint n_warm)
{
  guint n = MAX ((guint) side->n_frames, n_warm + 1) - n_warm;

  g_print (", \"%s\": {\"cpu\": %.1f, \"faults\": %.4f, \"switches\": %.4f}",
      name, (gdouble) (side->last.cpu - side->warm.cpu) / n,
      (gdouble) (side->last.faults - side->warm.faults) / n,
      (gdouble) (side->last.switches - side->warm.switches) / n);
}

static void
print (const BenchRun * run)
{
  const BenchSide *r = &run->receiver;
  guint n = MAX ((guint) r->n_frames, run->config.n_warm + 1)
      - run->config.n_warm;

  g_print ("{\"fps\": %.1f, \"slots\": %" G_GUINT64_FORMAT ", \"copied\": %"
      G_GUINT64_FORMAT ", \"pss\": %" G_GUINT64_FORMAT,
      n * 1e9 / (gdouble) (r->last.time - r->warm.time), run->slots,
      run->copied, run->pss);
  if (run->config.way != BENCH_QUEUE)
    print_side ("sender", &run->sender, run->config.n_warm);
  print_side ("receiver", r, run->config.n_warm);
  if (run->config.fps > 0)
    print_latencies (run);
  g_print ("}\n");
}

int
main (int argc, char **argv)
{
  BenchConfig config = {
    .way = bench_way (bench_text_option (argc, argv, "way", "shmframe")),
    .width = bench_option (argc, argv, "width", 1920),
    .height = bench_option (argc, argv, "height", 1080),
    .fps = bench_option (argc, argv, "fps", 60),
    .n_frames = bench_option (argc, argv, "frames", 180),
    .n_consumers = bench_option (argc, argv, "consumers", 1),
    .n_observers = bench_option (argc, argv, "observers", 0),
    .observer = bench_text_option (argc, argv, "observer", "shmframe-top"),
    .looks = MAX (bench_option (argc, argv, "looks", 1), 1),
    .cpus = bench_option (argc, argv, "cpus", 0),
    .depth = bench_option (argc, argv, "depth", 12),
    .touch = bench_option (argc, argv, "touch", 0) != 0,
    .copy = bench_option (argc, argv, "copy", 0) != 0,
    .memory = bench_option (argc, argv, "memory", 0) != 0,
  };
  BenchRun *run;
  gboolean ok;

  config.n_warm = bench_option (argc, argv, "warm", config.n_frames / 10 + 1);
  if (config.way == BENCH_N_WAYS || config.n_warm >= config.n_frames)
    return 2;
  if (!bench_way_exists (config.way))
    return 77;
  run = bench_run_new (&config);
  ok = bench_run (run, 30 + config.n_frames / LEAST_FPS);
  if (ok && (run->receiver.last.time == 0 || run->receiver.warm.time == 0)) {
    g_printerr ("%s: %d frames of %u arrived\n", bench_way_name (config.way),
        run->receiver.n_frames, config.n_frames);
    ok = FALSE;
  }
  if (ok)
    print (run);
  bench_run_free (run);
  return ok ? 0 : 1;
}
