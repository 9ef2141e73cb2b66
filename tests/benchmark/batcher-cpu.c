/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPU time per frame in secondbatcher: what a pipeline needs beyond the same
 * one with a funnel in its place. First paced at 2 x 1000 frames per second as a
 * camera would be, then as fast as it goes with up to 64 pads.
 *
 *     batcher-cpu [seconds]
 */
#include <gst/gst.h>

#include <stdlib.h>
#include <time.h>

#define FPS 1000
#define MAX_PADS 64
#define ROUNDS 2
#define MAX_MICROSECONDS 10.0

typedef struct
{
  GstPad *pad;
  guint frames;
  guint fps;
  gboolean paced;
} Feed;

static gdouble
cpu_seconds (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (gdouble) ts.tv_sec + (gdouble) ts.tv_nsec / 1e9;
}

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
      GST_TYPE_FRACTION, feed->fps, 1, NULL);
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

    GST_BUFFER_PTS (buffer) = gst_util_uint64_scale (i, GST_SECOND, feed->fps);
    GST_BUFFER_DURATION (buffer) = GST_SECOND / feed->fps;
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

/* CPU microseconds per frame of the whole pipeline, feeds and all */
static gdouble
measure (const gchar * factory, guint n, guint fps, guint seconds,
    gboolean paced)
{
  GThread *threads[MAX_PADS];
  Feed feeds[MAX_PADS];
  GstElement *pipeline = make_pipeline (factory, feeds, n);
  GstMessage *message;
  gdouble before, used;
  GstBus *bus;
  guint i;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  before = cpu_seconds ();
  for (i = 0; i < n; i++) {
    feeds[i].frames = fps * seconds;
    feeds[i].fps = fps;
    feeds[i].paced = paced;
    threads[i] = g_thread_new (NULL, feed_pad, &feeds[i]);
  }
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  used = cpu_seconds () - before;
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
  return used * 1e6 / ((gdouble) n * fps * seconds);
}

static gdouble
compare (guint n, guint fps, guint seconds, gboolean paced)
{
  gdouble funnel = G_MAXDOUBLE, batcher = G_MAXDOUBLE;
  guint i;

  /* in turns, the best of each: other work on the machine only adds */
  for (i = 0; i < ROUNDS; i++) {
    funnel = MIN (funnel, measure ("funnel", n, fps, seconds, paced));
    batcher = MIN (batcher, measure ("secondbatcher", n, fps, seconds, paced));
  }

  g_print ("%2u x %4u fps %s: funnel %6.2f us/frame, secondbatcher %6.2f, "
      "difference %6.2f, ratio %.2f\n", n, fps,
      paced ? "paced  " : "unpaced", funnel, batcher, batcher - funnel,
      batcher / funnel);
  return batcher - funnel;
}

int
main (int argc, char **argv)
{
  static const guint pads[] = { 1, 2, 4, 8, 16, 32, 64 };
  guint seconds = argc > 1 ? (guint) atoi (argv[1]) : 5;
  gdouble cost;
  guint i;

  gst_init (&argc, &argv);
  measure ("funnel", 2, FPS, 1, FALSE);
  cost = compare (2, FPS, seconds, TRUE);
  /* Paced, a funnel pays for two streams that wake up together and wait for
   * each other at the sink. Its cost at full speed is the harder measure. */
  for (i = 0; i < G_N_ELEMENTS (pads); i++) {
    gdouble unpaced = compare (pads[i], FPS, seconds, FALSE);

    if (pads[i] == 2)
      cost = MAX (cost, unpaced);
  }

  g_print ("%s: %.2f us of CPU per frame in the batcher at 2 x %u fps, at most "
      "%.1f wanted\n", cost <= MAX_MICROSECONDS ? "ok" : "NOT OK", cost, FPS,
      MAX_MICROSECONDS);
  return cost <= MAX_MICROSECONDS ? 0 : 1;
}
