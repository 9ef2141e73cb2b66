/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "second-pairs.h"

#include <gst/app/app.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame-digest.h"

typedef struct
{
  FILE *digests;
  guint stream;
  GstClockTime end;
} Decoded;

static GstFlowReturn
on_frame (GstAppSink * sink, gpointer user_data)
{
  Decoded *decoded = user_data;
  GstSample *sample = gst_app_sink_pull_sample (sink);
  GstVideoInfo info;
  GstBuffer *frame;
  GstFlowReturn flow = GST_FLOW_OK;

  if (!sample)
    return GST_FLOW_EOS;
  frame = gst_sample_get_buffer (sample);
  if (gst_segment_to_running_time (gst_sample_get_segment (sample),
          GST_FORMAT_TIME, GST_BUFFER_PTS (frame)) >= decoded->end)
    flow = GST_FLOW_EOS;
  else if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !frame_digest_write (decoded->digests, decoded->stream, frame, &info))
    flow = GST_FLOW_ERROR;
  gst_sample_unref (sample);
  return flow;
}

static gboolean
decode (const gchar * path, Decoded * decoded)
{
  GstAppSinkCallbacks callbacks = {.new_sample = on_frame };
  GstElement *pipeline = gst_parse_launch ("filesrc name=file ! decodebin ! "
      "video/x-raw ! appsink name=sink sync=false", NULL);
  GstElement *file, *sink;

  if (!pipeline)
    return FALSE;
  file = gst_bin_get_by_name (GST_BIN (pipeline), "file");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (file, "location", path, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, decoded, NULL);
  gst_object_unref (file);
  gst_object_unref (sink);
  return run_pipeline (pipeline);
}

gboolean
run_frames (const Options * options)
{
  Decoded decoded = {
    .digests = options->digests ? fopen (options->digests, "w") : stdout,
    .end = options->seconds > 0 ? options->seconds * GST_SECOND
        : GST_CLOCK_TIME_NONE,
  };
  gboolean done = decoded.digests != NULL;

  for (; done && options->inputs[decoded.stream]; decoded.stream++)
    done = decode (options->inputs[decoded.stream], &decoded);
  if (decoded.digests && fclose (decoded.digests) != 0)
    done = FALSE;
  return done;
}
