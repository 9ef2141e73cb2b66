/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "second-pairs.h"

#include <gst/app/app.h>
#include <stdio.h>

#include "contact-sheet.h"
#include "frame-digest.h"
#include "gstsecondbatchmeta.h"

#define MAX_STREAMS 64

typedef struct
{
  const Options *options;
  FILE *digests;
  guint most_frames;            /* of all batches so far */
} Pairs;

static void
print_batch (GstBuffer * batch, guint n_streams, guint64 arrived)
{
  printf ("{\"event\":\"arrived\",\"index\":%" G_GUINT64_FORMAT ",\"time\":%"
      G_GUINT64_FORMAT ",\"streams\":[", gst_second_batch_get_index (batch),
      arrived);
  for (guint i = 0; i < n_streams; i++)
    printf ("%s{\"have\":%u,\"expected\":%u,\"late\":%u,\"dropped\":%u}",
        i > 0 ? "," : "", gst_second_batch_get_count (batch, "frames", i),
        gst_second_batch_get_count (batch, "expected", i),
        gst_second_batch_get_count (batch, "late", i),
        gst_second_batch_get_count (batch, "dropped", i));
  printf ("]}\n");
}

/* A stream that has not begun has neither caps nor frames: an empty row. */
static gboolean
get_row (GstBuffer * batch, guint stream, ContactRow * row)
{
  GstCaps *caps = gst_second_batch_get_caps (batch, stream);

  row->frames = gst_second_batch_get_buffers (batch, stream);
  if (!row->frames || gst_buffer_list_length (row->frames) == 0)
    return TRUE;
  return caps && gst_video_info_from_caps (&row->info, caps);
}

static gboolean
write_digests (FILE * file, guint stream, const ContactRow * row)
{
  guint length = row->frames ? gst_buffer_list_length (row->frames) : 0;

  for (guint i = 0; i < length; i++)
    if (!frame_digest_write (file, stream, gst_buffer_list_get (row->frames, i),
            &row->info))
      return FALSE;
  return TRUE;
}

/* Looks at every pixel of every frame, as an algorithm would: once for a
 * checksum, and if no batch had more frames so far, for the contact sheet. */
static gboolean
use_batch (Pairs * pairs, GstBuffer * batch, guint n_streams)
{
  const gchar *sheet = pairs->options->sheet;
  ContactRow rows[MAX_STREAMS] = { 0 };
  guint frames = 0;
  GError *error = NULL;

  for (guint i = 0; i < n_streams; i++) {
    if (!get_row (batch, i, &rows[i]))
      return FALSE;
    if (pairs->digests && !write_digests (pairs->digests, i, &rows[i]))
      return FALSE;
    frames += gst_second_batch_get_count (batch, "frames", i);
  }
  if (!sheet || frames <= pairs->most_frames)
    return TRUE;
  pairs->most_frames = frames;
  if (!contact_sheet_write (rows, n_streams, sheet, &error)) {
    g_printerr ("%s: %s\n", sheet, error->message);
    g_clear_error (&error);
    return FALSE;
  }
  return TRUE;
}

static GstFlowReturn
on_pair (GstAppSink * sink, gpointer user_data)
{
  Pairs *pairs = user_data;
  GstSample *sample = gst_app_sink_pull_sample (sink);
  guint64 arrived = monotonic_ns ();
  GstBuffer *batch;
  guint n_streams;
  gboolean used = FALSE;

  if (!sample)
    return GST_FLOW_EOS;
  batch = gst_sample_get_buffer (sample);
  n_streams = gst_second_batch_get_n_streams (batch);
  if (n_streams > 0 && n_streams <= MAX_STREAMS) {
    print_batch (batch, n_streams, arrived);
    used = use_batch (pairs, batch, n_streams);
  }
  gst_sample_unref (sample);
  return used ? GST_FLOW_OK : GST_FLOW_ERROR;
}

gboolean
run_pairs (const Options * options)
{
  GstAppSinkCallbacks callbacks = {.new_sample = on_pair };
  Pairs pairs = { options, NULL, 0 };
  GstElement *pipeline = gst_pipeline_new ("pairs");
  GstElement *source =
      add_source (GST_BIN (pipeline), options->inputs[0]);
  GstElement *sink = add_element (GST_BIN (pipeline), "appsink");
  gboolean done;

  if (options->digests && !(pairs.digests = fopen (options->digests, "w"))) {
    g_printerr ("cannot write %s\n", options->digests);
    gst_object_unref (pipeline);
    return FALSE;
  }
  g_object_set (sink, "sync", FALSE, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, &pairs, NULL);
  gst_element_link (source, sink);

  done = run_pipeline (pipeline, source);
  if (pairs.digests && fclose (pairs.digests) != 0)
    done = FALSE;
  return done;
}
