/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "second-pairs.h"

#include <stdio.h>

#include "gstsecondbatchmeta.h"

typedef struct
{
  GPtrArray *sources;
} Batching;

/* Of all frames so far. */
static void
print_handover (GstElement * source, const gchar * separator)
{
  static const gchar *const names[] = { "p50", "p99", "max" };
  GstStructure *stats = NULL;

  g_object_get (source, "stats", &stats, NULL);
  printf ("%s{", separator);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    gchar *field = g_strconcat ("handover-", names[i], NULL);
    guint64 ns = 0;

    gst_structure_get_uint64 (stats, field, &ns);
    printf ("%s\"%s\":%" G_GUINT64_FORMAT, i > 0 ? "," : "", names[i], ns);
    g_free (field);
  }
  printf ("}");
  gst_structure_free (stats);
}

/* An algorithm in this process would look at the batch here. This one notes
 * when the batch goes on to the next process. */
static GstPadProbeReturn
on_batch (GstPad * pad, GstPadProbeInfo * info, gpointer user_data)
{
  Batching *batching = user_data;
  GstBuffer *batch = GST_PAD_PROBE_INFO_BUFFER (info);
  guint64 sent = monotonic_ns ();

  printf ("{\"event\":\"sent\",\"index\":%" G_GUINT64_FORMAT ",\"time\":%"
      G_GUINT64_FORMAT ",\"handover\":[", gst_second_batch_get_index (batch),
      sent);
  for (guint i = 0; i < batching->sources->len; i++)
    print_handover (batching->sources->pdata[i], i > 0 ? "," : "");
  printf ("]}\n");
  return GST_PAD_PROBE_OK;
}

gboolean
run_batch (const Options * options)
{
  Batching batching = { g_ptr_array_new () };
  GstElement *pipeline = gst_pipeline_new ("batch");
  GstElement *batcher = add_element (GST_BIN (pipeline), "secondbatcher");
  GstElement *sink = add_element (GST_BIN (pipeline), "shmframesink");
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  gboolean done;

  for (guint i = 0; options->inputs[i]; i++) {
    GstElement *source = add_source (GST_BIN (pipeline), options->inputs[i]);

    gst_element_link (source, batcher);
    g_ptr_array_add (batching.sources, source);
  }
  g_object_set (sink, "socket-path", options->output, NULL);
  gst_element_link (batcher, sink);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_batch, &batching, NULL);
  gst_object_unref (pad);

  done = run_pipeline (pipeline, sink);
  g_ptr_array_unref (batching.sources);
  return done;
}
