/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "second-pairs.h"

#include <gst/app/app.h>
#include <stdio.h>

#include "frame-digest.h"

typedef struct
{
  FILE *digests;
  guint stream;
} Frames;

/* Ends the stream at a position. All that follows is dropped, because a
 * decoder may still have frames to hand out after it was told of the end. */
static GstPadProbeReturn
end_at_position (GstPad * pad, GstPadProbeInfo * info, gpointer user_data)
{
  const GstClockTime *end = user_data;
  GstBuffer *frame = GST_PAD_PROBE_INFO_BUFFER (info);

  if (!GST_BUFFER_PTS_IS_VALID (frame) || GST_BUFFER_PTS (frame) < *end)
    return GST_PAD_PROBE_OK;
  gst_buffer_unref (frame);
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = GST_FLOW_EOS;
  return GST_PAD_PROBE_HANDLED;
}

static void
on_decoded_pad (GstElement * decoder, GstPad * pad, gpointer sink)
{
  /* The sink takes raw video, once: sound and further pictures stay where they
   * are. */
  gst_element_link_pads (decoder, GST_PAD_NAME (pad), sink, "sink");
}

/* A pipeline that decodes the file into the sink, up to options->seconds. */
static GstElement *
make_decoder (const gchar * path, const gchar * sink_factory,
    const Options * options, GstElement ** sink)
{
  GstElement *pipeline = gst_pipeline_new ("produce");
  GstElement *file = add_element (GST_BIN (pipeline), "filesrc");
  GstElement *decoder = add_element (GST_BIN (pipeline), "decodebin");
  GstPad *pad;

  *sink = add_element (GST_BIN (pipeline), sink_factory);
  g_object_set (file, "location", path, NULL);
  gst_element_link (file, decoder);
  g_signal_connect_object (decoder, "pad-added", G_CALLBACK (on_decoded_pad),
      *sink, 0);
  if (options->seconds > 0) {
    GstClockTime *end = g_new (GstClockTime, 1);

    *end = options->seconds * GST_SECOND;
    pad = gst_element_get_static_pad (*sink, "sink");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, end_at_position, end,
        g_free);
    gst_object_unref (pad);
  }
  return pipeline;
}

static GstFlowReturn
on_frame (GstAppSink * sink, gpointer user_data)
{
  Frames *frames = user_data;
  GstSample *sample = gst_app_sink_pull_sample (sink);
  GstVideoInfo info;
  gboolean written;

  if (!sample)
    return GST_FLOW_EOS;
  written = gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      && frame_digest_write (frames->digests, frames->stream,
      gst_sample_get_buffer (sample), &info);
  gst_sample_unref (sample);
  return written ? GST_FLOW_OK : GST_FLOW_ERROR;
}

static gboolean
write_frames (const gchar * path, const Options * options, Frames * frames)
{
  GstAppSinkCallbacks callbacks = {.new_sample = on_frame };
  GstElement *sink;
  GstElement *pipeline = make_decoder (path, "appsink", options, &sink);
  GstCaps *caps = gst_caps_new_empty_simple ("video/x-raw");

  g_object_set (sink, "sync", FALSE, "caps", caps, NULL);
  gst_caps_unref (caps);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, frames, NULL);
  return run_pipeline (pipeline, NULL);
}

gboolean
run_frames (const Options * options)
{
  Frames frames = {
    .digests = options->digests ? fopen (options->digests, "w") : stdout,
  };
  gboolean done = frames.digests != NULL;

  for (; done && options->inputs[frames.stream]; frames.stream++)
    done = write_frames (options->inputs[frames.stream], options, &frames);
  if (frames.digests && fclose (frames.digests) != 0)
    done = FALSE;
  return done;
}

gboolean
run_produce (const Options * options)
{
  GstElement *sink;
  GstElement *pipeline =
      make_decoder (options->inputs[0], "shmframesink", options, &sink);

  /* Nothing but `sync` makes a file come like a camera's pictures. */
  g_object_set (sink, "socket-path", options->output, "sync",
      !options->offline, NULL);
  return run_pipeline (pipeline, sink);
}
