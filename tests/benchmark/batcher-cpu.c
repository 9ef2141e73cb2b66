/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU time per frame of a pipeline whose streams meet in secondbatcher, or in
 * another element in its place: at 1000 frames a second each as a camera would
 * give them, or as fast as it goes. Prints one JSON object.
 *
 *     batcher-cpu [--element=secondbatcher|funnel] [--streams=N] [--paced=1]
 *         [--ms=N, of material] [--cpus=0|1]
 */
#include <gst/gst.h>

#include "benchtools.h"

#define FPS 1000
#define MAX_PADS 64

typedef struct
{
  GstPad *pad;
  guint frames;
  gboolean paced;
} Feed;

static void
wait_for_frame (const struct timespec *start, guint64 pts)
{
  guint64 when = GST_TIMESPEC_TO_TIME (*start) + pts;
  struct timespec ts;

  GST_TIME_TO_TIMESPEC (when, ts);
  clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void
push_headers (Feed * feed)
{
  GstCaps *caps = gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING,
      "GRAY8", "width", G_TYPE_INT, 16, "height", G_TYPE_INT, 16, "framerate",
      GST_TYPE_FRACTION, FPS, 1, NULL);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (feed->pad,
      gst_event_new_stream_start (GST_PAD_NAME (feed->pad)));
  gst_pad_push_event (feed->pad, gst_event_new_caps (caps));
  gst_pad_push_event (feed->pad, gst_event_new_segment (&segment));
  gst_caps_unref (caps);
}

static gpointer
feed_pad (gpointer data)
{
  Feed *feed = data;
  struct timespec start;
  guint i;

  push_headers (feed);
  clock_gettime (CLOCK_MONOTONIC, &start);
  for (i = 0; i < feed->frames; i++) {
    GstBuffer *buffer = gst_buffer_new ();

    GST_BUFFER_PTS (buffer) = gst_util_uint64_scale (i, GST_SECOND, FPS);
    GST_BUFFER_DURATION (buffer) = GST_SECOND / FPS;
    if (feed->paced)
      wait_for_frame (&start, GST_BUFFER_PTS (buffer));
    if (gst_pad_push (feed->pad, buffer) != GST_FLOW_OK)
      break;
  }
  gst_pad_push_event (feed->pad, gst_event_new_eos ());
  return NULL;
}

static GstElement *
make_pipeline (const gchar * factory, Feed * feeds, guint n)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *element = gst_element_factory_make (factory, NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  guint i;

  if (element == NULL)
    g_error ("no element %s; run this in meson devenv", factory);
  gst_bin_add_many (GST_BIN (pipeline), element, sink, NULL);
  gst_element_link (element, sink);
  for (i = 0; i < n; i++) {
    gchar *name = g_strdup_printf ("feed_%u", i);
    GstPad *sinkpad = gst_element_request_pad_simple (element, "sink_%u");

    feeds[i].pad = gst_pad_new (name, GST_PAD_SRC);
    gst_pad_set_active (feeds[i].pad, TRUE);
    gst_pad_link (feeds[i].pad, sinkpad);
    gst_object_unref (sinkpad);
    g_free (name);
  }
  return pipeline;
}

/* CPU time per frame of the whole pipeline, feeds and all, ns */
static gdouble
measure (const gchar * factory, guint n, guint frames, gboolean paced)
{
  GThread *threads[MAX_PADS];
  Feed feeds[MAX_PADS];
  GstElement *pipeline = make_pipeline (factory, feeds, n);
  GstMessage *message;
  gint64 used;
  GstBus *bus;
  guint i;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  used = -bench_now (CLOCK_PROCESS_CPUTIME_ID);
  for (i = 0; i < n; i++) {
    feeds[i].frames = frames;
    feeds[i].paced = paced;
    threads[i] = g_thread_new (NULL, feed_pad, &feeds[i]);
  }
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  used += bench_now (CLOCK_PROCESS_CPUTIME_ID);
  gst_message_unref (message);
  gst_object_unref (bus);
  for (i = 0; i < n; i++)
    g_thread_join (threads[i]);

  gst_element_set_state (pipeline, GST_STATE_NULL);
  for (i = 0; i < n; i++) {
    gst_pad_set_active (feeds[i].pad, FALSE);
    gst_object_unref (feeds[i].pad);
  }
  gst_object_unref (pipeline);
  return (gdouble) used / ((gdouble) n * frames);
}

int
main (int argc, char **argv)
{
  const gchar *element = bench_text_option (argc, argv, "element",
      "secondbatcher");
  guint streams = bench_option (argc, argv, "streams", 2);
  guint ms = bench_option (argc, argv, "ms", 1000);
  gboolean paced = bench_option (argc, argv, "paced", 0) != 0;

  bench_pin_end (bench_option (argc, argv, "cpus", 0), FALSE);
  gst_init (&argc, &argv);
  g_print ("{\"cpu\": %.1f}\n", measure (element, MIN (streams, MAX_PADS), ms,
          paced));
  return 0;
}
