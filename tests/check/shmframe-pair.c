/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two producers behind one secondbatcher, one of which has stopped or stops.
 * The other's windows go on, and in them is nothing of another time. */
#include "samebatch.h"

#define CAMERA "videotestsrc is-live=true ! " RIG_GRAY (16, 8) \
    " ! shmframesink socket-path=@0"
#define BATCHER "secondbatcher name=b batch-duration=200000000 align=%s ! " \
    "appsink name=out sync=false shmframesrc socket-path=@0 ! b.sink_0 " \
    "shmframesrc name=other socket-path=@1 ! b.sink_1"

/* Warnings fail; LATENCY is answered as applications do. */
static void
look_at_bus (GstElement * pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *m;

  while ((m = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR
              | GST_MESSAGE_WARNING | GST_MESSAGE_LATENCY)) != NULL) {
    GError *error = NULL;

    if (GST_MESSAGE_TYPE (m) == GST_MESSAGE_LATENCY) {
      gst_bin_recalculate_latency (GST_BIN (pipeline));
    } else {
      if (GST_MESSAGE_TYPE (m) == GST_MESSAGE_WARNING)
        gst_message_parse_warning (m, &error, NULL);
      else
        gst_message_parse_error (m, &error, NULL);
      fail ("%s: %s", GST_MESSAGE_SRC_NAME (m), error->message);
    }
    gst_message_unref (m);
  }
  gst_object_unref (bus);
}

/* How many frames of each camera are in the next batch */
static void
next_batch (GstElement * pipeline, guint n[2])
{
  GstBuffer *batch = rig_pull (pipeline, "out");

  look_at_bus (pipeline);
  for (guint k = 0; k < 2; k++)
    n[k] = gst_second_batch_get_count (batch, "frames", k);
  gst_buffer_unref (batch);
}

/* A camera that has stood still for 5 s: its last frame is in no window of
 * now. */
GST_START_TEST (test_stale)
{
  static const gchar *const aligns[] = { "running-time", "utc", "clock" };
  gchar *line = g_strdup_printf (BATCHER, aligns[__i__]);
  GstElement *camera = rig_launch (CAMERA), *consumer = rig_launch (line);
  GstElement *stale = rig_launch (RIG_APPSRC (16, 8) " ! shmframesink "
      "name=sink socket-path=@1 delivery=live async=false");
  GstClock *clock = gst_system_clock_obtain ();
  guint n[2], n_full = 0;

  gst_element_set_start_time (stale, GST_CLOCK_TIME_NONE);
  gst_element_set_base_time (stale, gst_clock_get_time (clock)
      - 5 * GST_SECOND);
  rig_play (camera);
  rig_play (stale);
  rig_feed (stale, "in", rig_frame (0, 128));
  rig_until (rig_stat (rig_child (stale, "sink"), "frames") == 1);
  rig_play (consumer);
  rig_until (rig_stat (rig_child (consumer, "other"), "frames-before") == 1);
  while (n_full < 5) {
    next_batch (consumer, n);
    fail_unless_equals_int (n[1], 0);
    n_full += n[0] == 5;
  }
  rig_stop (consumer);
  rig_stop (stale);
  rig_stop (camera);
  gst_object_unref (clock);
  g_free (line);
}

GST_END_TEST;

/* A camera whose latency is 0, of which its producer can hold nothing, beside
 * one of another latency: the pair holds what the other one takes. When it
 * falls silent, the other's batches go on. */
GST_START_TEST (test_silent)
{
  gchar *line = g_strdup_printf (BATCHER, "running-time");
  GstElement *camera = rig_launch ("appsrc name=in is-live=true "
      "do-timestamp=true format=time caps=" RIG_GRAY (16, 8)
      " ! shmframesink socket-path=@1 async=false");
  GstElement *other = rig_launch (CAMERA), *consumer = rig_launch (line);
  guint n[2] = { 0, 0 }, n_alone = 0;

  rig_play (other);
  rig_play (camera);
  rig_play (consumer);
  while (n[0] == 0 || n[1] == 0) {
    for (guint i = 0; i < 5; i++) {
      GstBuffer *frame = rig_frame (i, 128);

      GST_BUFFER_PTS (frame) = GST_CLOCK_TIME_NONE;
      rig_feed (camera, "in", frame);
      g_usleep (40000);
    }
    next_batch (consumer, n);
  }
  while (n_alone < 5) {
    next_batch (consumer, n);
    n_alone += n[1] == 0 && n[0] > 0;
  }
  look_at_bus (consumer);
  rig_stop (consumer);
  rig_stop (camera);
  rig_stop (other);
  g_free (line);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_stale, 0, 3);
  tcase_add_test (tc, test_silent);
}

RIG_SUITE (shmframe_pair)
