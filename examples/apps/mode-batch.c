/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "second-pairs.h"

#include <stdio.h>

#include "gstsecondbatchmeta.h"

typedef struct
{
  GPtrArray *sources;
} Batching;

static void
print_handover (GstElement * source, const gchar * separator)
{
  GstStructure *stats = NULL;
  guint64 p50 = 0, max = 0;

  g_object_get (source, "stats", &stats, NULL);
  if (!stats)
    return;
  gst_structure_get_uint64 (stats, "handover-p50", &p50);
  gst_structure_get_uint64 (stats, "handover-max", &max);
  gst_structure_free (stats);
  printf ("%s{\"p50\":%" G_GUINT64_FORMAT ",\"max\":%" G_GUINT64_FORMAT "}",
      separator, p50, max);
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
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *batcher = add_element (GST_BIN (pipeline), "secondbatcher");
  GstElement *sink = add_element (GST_BIN (pipeline), "shmframesink");
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  gboolean done;

  for (guint i = 0; options->inputs[i]; i++) {
    GstElement *source =
        add_source (GST_BIN (pipeline), options->inputs[i], options);

    gst_element_link (source, batcher);
    g_ptr_array_add (batching.sources, source);
  }
  g_object_set (sink, "socket-path", options->output, NULL);
  gst_element_link (batcher, sink);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_batch, &batching, NULL);
  gst_object_unref (pad);

  done = run_pipeline (pipeline);
  g_ptr_array_unref (batching.sources);
  return done;
}
