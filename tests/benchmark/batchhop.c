/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two cameras of 1080p in a process each, batches of both made in a third
 * and sent to a fourth: from before its shmframesink to behind the last
 * shmframesrc, and until each stream is one array. Windows are short, so
 * that there are many of them, with as many frames as a second of 25 fps
 * has. Prints one JSON object.
 *
 *     batchhop [--batches=N] [--fps=N] [--cpus=0|1|2]
 */
#include <unistd.h>

#include "benchpair.h"
#include "benchsource.h"
#include "benchtools.h"
#include "gstsecondbatchview.h"

#define FRAMES_PER_BATCH 25
#define N_WARM 4
#define MAX_BATCHES 1000
#define N_STREAMS 2
#define N_SINKS 3

typedef struct
{
  BenchPair pair;
  guint n_batches, fps, cpus;
  guint n_sent, n_came, n_frames, n_in_one_piece;
  guint64 copied[N_SINKS];
  GstClockTime pts[MAX_BATCHES];
  gint64 sent[MAX_BATCHES];
  gint64 took[MAX_BATCHES], mapped[MAX_BATCHES];        /* ns */
} Run;

static void
note_copies (GstPad * pad, guint64 * copied)
{
  GstElement *sink = gst_pad_get_parent_element (pad);
  GstStructure *stats;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "bytes-copied", copied);
  gst_structure_free (stats);
  gst_object_unref (sink);
}

static GstPadProbeReturn
on_frame (GstPad * pad, GstPadProbeInfo * info, gpointer copied)
{
  if (GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info))
      % FRAMES_PER_BATCH == 0)
    note_copies (pad, copied);
  return GST_PAD_PROBE_OK;
}

static void
prepare_camera (GstElement * pipeline, gpointer shared)
{
  Run *run = shared;
  gboolean is_first = gst_bin_get_by_name (GST_BIN (pipeline), "a") != NULL;

  bench_pair_probe (pipeline, is_first ? "a" : "b", "sink",
      GST_PAD_PROBE_TYPE_BUFFER, on_frame, &run->copied[is_first]);
}

static gboolean
produce (Run * run, const gchar * name)
{
  gchar *line = g_strdup_printf ("benchsource paced=true fps=%u "
      "frames=100000000 ! shmframesink name=%s socket-path=@%s", run->fps,
      name, name);
  gboolean ok;

  bench_pin_end (run->cpus, FALSE);
  bench_source_register ();
  ok = bench_pair_play (run, line, NULL, prepare_camera);
  g_free (line);
  return ok;
}

static gboolean
produce_a (gpointer shared)
{
  return produce (shared, "a");
}

static gboolean
produce_b (gpointer shared)
{
  return produce (shared, "b");
}

static GstPadProbeReturn
on_batch (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  Run *run = user;

  if (run->n_sent == MAX_BATCHES)
    return GST_PAD_PROBE_OK;
  note_copies (pad, &run->copied[2]);
  run->pts[run->n_sent] = GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info));
  run->sent[run->n_sent++] = bench_now (CLOCK_MONOTONIC);
  return GST_PAD_PROBE_OK;
}

static void
prepare_batcher (GstElement * pipeline, gpointer shared)
{
  bench_pair_probe (pipeline, "out", "sink", GST_PAD_PROBE_TYPE_BUFFER,
      on_batch, shared);
}

static gboolean
batch (gpointer shared)
{
  Run *run = shared;
  gchar *line = g_strdup_printf ("secondbatcher name=b batch-duration=%"
      G_GUINT64_FORMAT " ! shmframesink name=out socket-path=@p "
      "delivery=lossless shmframesrc socket-path=@a max-held=100 ! b.sink_0 "
      "shmframesrc socket-path=@b max-held=100 ! b.sink_1",
      FRAMES_PER_BATCH * GST_SECOND / run->fps);
  gboolean ok;

  bench_pin_end (run->cpus, FALSE);
  ok = bench_pair_play (run, line, NULL, prepare_batcher);
  g_free (line);
  return ok;
}

static guint
map_streams (Run * run, GstBuffer * batch)
{
  guint n = 0;

  for (guint k = 0; k < N_STREAMS; k++) {
    GstSecondBatchView view;

    if (!gst_second_batch_view_map (batch, k, &view))
      continue;
    run->n_in_one_piece += run->n_came >= N_WARM;
    n += view.frames;
    gst_second_batch_view_unmap (&view);
  }
  return n;
}

static GstPadProbeReturn
on_came (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstBuffer *batch = GST_PAD_PROBE_INFO_BUFFER (info);
  gint64 now = bench_now (CLOCK_MONOTONIC);
  Run *run = user;
  guint i = run->n_sent, n;

  while (i > 0 && run->pts[i - 1] != GST_BUFFER_PTS (batch))
    i--;
  if (i == 0 || run->n_came >= run->n_batches)
    return GST_PAD_PROBE_OK;
  run->took[run->n_came] = now - run->sent[i - 1];
  n = map_streams (run, batch);
  run->mapped[run->n_came] = bench_now (CLOCK_MONOTONIC) - run->sent[i - 1];
  if (run->n_came++ >= N_WARM)
    run->n_frames += n;
  if (run->n_came == run->n_batches)
    g_atomic_int_set (&run->pair.stop, TRUE);
  return GST_PAD_PROBE_OK;
}

static void
prepare_last (GstElement * pipeline, gpointer shared)
{
  bench_pair_probe (pipeline, "in", "src", GST_PAD_PROBE_TYPE_BUFFER, on_came,
      shared);
}

static gboolean
use (gpointer shared)
{
  bench_pin_end (((Run *) shared)->cpus, TRUE);
  return bench_pair_play (shared, "shmframesrc name=in socket-path=@p "
      "timestamps=keep ! fakesink sync=false async=false", NULL, prepare_last);
}

int
main (int argc, char **argv)
{
  static const BenchProcess sides[] =
      { produce_a, produce_b, batch, use, NULL };
  Run *run = bench_pair_new (sizeof (Run));
  guint n =
      MIN (bench_option (argc, argv, "batches", 12), MAX_BATCHES - N_WARM);
  gboolean ok;

  run->n_batches = n + N_WARM;
  run->fps = bench_option (argc, argv, "fps", 50);
  run->cpus = bench_option (argc, argv, "cpus", 0);
  ok = bench_pair_run (run, sides, 60 + run->n_batches * 25 / run->fps)
      && run->n_came == run->n_batches;
  if (ok) {
    g_print ("{\"copied\": %" G_GUINT64_FORMAT ", \"frames\": %.2f, "
        "\"in_one_piece\": %.3f, \"took\": ", run->copied[0] + run->copied[1]
        + run->copied[2], (gdouble) run->n_frames / n,
        (gdouble) run->n_in_one_piece / n / N_STREAMS);
    bench_print_list (run->took + N_WARM, n);
    g_print (", \"mapped\": ");
    bench_print_list (run->mapped + N_WARM, n);
    g_print ("}\n");
  }
  bench_pair_free (run, sizeof (Run));
  return ok ? 0 : 1;
}
