/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a sink that shows each frame at its time, in another process than a
 * source that is live and 40 ms late, ever gets one too late. 1080p60.
 *
 *     latency [--seconds=N]
 */
#include <gst/base/gstbasesink.h>

#include "benchtools.h"
#include "benchpair.h"
#include "benchsource.h"
#include "latesource.h"

#define FPS 60
/* Frames before the pipeline has heard of the producer's latency */
#define N_WARM (FPS / 2)

typedef struct
{
  BenchPair pair;
  guint n_frames;
  guint64 n_dropped_warm, n_dropped;    /* as the sink says */
  guint n_qos;                  /* of frames too late, after warm-up */
  guint n_came;
  gint64 slack[];               /* of each frame, before its time */
} Run;

static guint64
dropped_by (GstElement * sink)
{
  GstStructure *stats;
  guint64 dropped = 0;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "dropped", &dropped);
  gst_structure_free (stats);
  return dropped;
}

static GstPadProbeReturn
on_came (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstElement *sink = gst_pad_get_parent_element (pad);
  Run *run = user;
  guint n = run->n_came++;

  if (n < run->n_frames)
    run->slack[n] = (gint64) (GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info))
        + gst_base_sink_get_latency (GST_BASE_SINK (sink)))
        - (gint64) gst_element_get_current_running_time (sink);
  if (n == N_WARM)
    run->n_dropped_warm = dropped_by (sink);
  if (n == run->n_frames) {
    run->n_dropped = dropped_by (sink) - run->n_dropped_warm;
    g_atomic_int_set (&run->pair.stop, TRUE);
  }
  gst_object_unref (sink);
  return GST_PAD_PROBE_OK;
}

static void
prepare_producer (GstElement * pipeline, gpointer unused)
{
  GstElement *source = gst_bin_get_by_name (GST_BIN (pipeline), "source");

  late_source_make (source);
  gst_object_unref (source);
}

static gboolean
produce (gpointer shared)
{
  bench_source_register ();
  return bench_pair_play (shared, "benchsource name=source paced=true "
      "frames=100000000 ! shmframesink socket-path=@", NULL, prepare_producer);
}

static GstBusSyncReply
on_message (GstBus * bus, GstMessage * message, gpointer user)
{
  Run *run = user;

  run->n_qos += GST_MESSAGE_TYPE (message) == GST_MESSAGE_QOS
      && run->n_came > N_WARM;
  return GST_BUS_PASS;
}

static void
prepare_consumer (GstElement * pipeline, gpointer shared)
{
  GstBus *bus = gst_element_get_bus (pipeline);

  gst_bus_set_sync_handler (bus, on_message, shared, NULL);
  gst_object_unref (bus);
  bench_pair_probe (pipeline, "out", "sink", GST_PAD_PROBE_TYPE_BUFFER,
      on_came, shared);
}

static gboolean
consume (gpointer shared)
{
  return bench_pair_play (shared, "shmframesrc socket-path=@ ! "
      "fakesink name=out sync=true qos=true max-lateness=0 "
      "processing-deadline=0", NULL, prepare_consumer);
}

static void
print_result (Run * run)
{
  guint n_warm_late = 0, n_late = 0;
  guint n = run->n_frames - N_WARM;
  gint64 *slack = run->slack + N_WARM;

  for (guint i = 0; i < N_WARM; i++)
    n_warm_late += run->slack[i] < 0;
  bench_sort (slack, n);
  while (n_late < n && slack[n_late] < 0)
    n_late++;
  g_print ("source 40 ms late, sink with sync=true and max-lateness=0\n"
      "frames         %u\n" "too late       %u\n"
      "dropped        %" G_GUINT64_FORMAT "\n" "QOS messages   %u\n"
      "ms to spare    %.1f at least, %.1f p1, %.1f p50\n"
      "in the first %u frames, %u late and %" G_GUINT64_FORMAT " dropped\n",
      n, n_late, run->n_dropped, run->n_qos, (gdouble) slack[0] / 1000000,
      (gdouble) bench_quantile (slack, n, 0.01) / 1000000,
      (gdouble) bench_quantile (slack, n, 0.5) / 1000000, N_WARM, n_warm_late,
      run->n_dropped_warm);
}

int
main (int argc, char **argv)
{
  static const BenchProcess sides[] = { consume, produce, NULL };
  guint n = N_WARM + FPS * bench_option (argc, argv, "seconds", 60);
  gsize size = sizeof (Run) + n * sizeof (gint64);
  Run *run = bench_pair_new (size);
  gboolean ok;

  run->n_frames = n;
  ok = bench_pair_run (run, sides, n / FPS + 60);
  if (ok)
    print_result (run);
  bench_pair_free (run, size);
  return ok ? 0 : 1;
}
