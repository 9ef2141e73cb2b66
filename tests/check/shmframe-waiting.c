/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the sink waits for consumers to come, what it says of that, and how the
 * application ends it. */
#include "waitrig.h"

static guint64
pull_number (GstElement * pipeline)
{
  GstBuffer *buffer = rig_pull (pipeline, "out");
  guint64 number = GST_BUFFER_OFFSET (buffer);

  gst_buffer_unref (buffer);
  return number;
}

/* PLAYING is reached without a consumer; the frame is there for the one that
 * comes then. */
GST_START_TEST (test_preroll)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=5 ! " GRAY SINK);
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
      "appsink name=out sync=false");
  gchar *text;

  await_playing (producer);
  text = await_text (producer, GST_MESSAGE_INFO, MISSING);
  fail_unless (strstr (text, rig_path) && strstr (text, "min-clients=0"));
  g_free (text);
  g_usleep (100000);
  fail_unless_equals_uint64 (rig_stat (rig_child (producer, "sink"),
          "frames"), 0);
  rig_play (consumer);
  for (guint i = 0; i < 5; i++)
    fail_unless_equals_uint64 (pull_number (consumer), i);
  rig_await_eos (producer);
  fail_unless_equals_int (count_messages (producer, GST_MESSAGE_INFO), 0);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

GST_START_TEST (test_preroll_live)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=5 ! " GRAY SINK
      "delivery=live");

  await_playing (producer);
  rig_await_eos (producer);
  fail_unless_equals_int (count_messages (producer, GST_MESSAGE_INFO), 0);
  rig_stop (producer);
}

GST_END_TEST;

GST_START_TEST (test_two_missing)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=5 ! " GRAY SINK
      "min-clients=3");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! fakesink");

  rig_state (producer, GST_STATE_READY);
  rig_play (consumer);
  rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
  rig_play (producer);
  expect_text (producer, GST_MESSAGE_INFO, "Waiting for 2 more consumers",
      "min-clients=1");
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static GstPadProbeReturn
count_custom (GstPad * pad, GstPadProbeInfo * info, gpointer count)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info))
      == GST_EVENT_CUSTOM_DOWNSTREAM)
    g_atomic_int_inc ((gint *) count);
  return GST_PAD_PROBE_OK;
}

/* An event that is told once waits like a frame, and nobody has to be there for
 * PAUSED either */
GST_START_TEST (test_event_waits)
{
  GstElement *producer = rig_launch (RIG_APPSRC (32, 24) SINK);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "appsink name=out sync=false");
  GstPad *pad = gst_element_get_static_pad (rig_child (consumer, "src"),
      "src");
  gint n = 0;

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, count_custom,
      &n, NULL);
  gst_object_unref (pad);
  rig_state (producer, GST_STATE_PAUSED);
  fail_unless (gst_element_send_event (rig_child (producer, "in"),
          gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
              gst_structure_new_empty ("mark"))));
  rig_feed (producer, "in", rig_frame (0, 32 * 24));
  await_playing (producer);
  g_free (await_text (producer, GST_MESSAGE_INFO, MISSING));
  rig_play (consumer);
  fail_unless_equals_uint64 (pull_number (consumer), 0);
  fail_unless_equals_int (g_atomic_int_get (&n), 1);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* When the last consumer has left, nothing is published to nobody */
GST_START_TEST (test_consumer_leaves)
{
  GstElement *producer = rig_launch (RIG_APPSRC (32, 24) SINK);
  GstElement *sink = rig_child (producer, "sink");
  guint next = 0;

  rig_play (producer);
  for (guint life = 0; life < 3; life++) {
    /* times are kept, so that none is of a time before */
    GstElement *consumer =
        rig_launch ("shmframesrc socket-path=@ is-live=false "
        "! appsink name=out sync=false");

    rig_feed (producer, "in", rig_frame (next, 32 * 24));
    rig_feed (producer, "in", rig_frame (next + 1, 32 * 24));
    g_free (await_text (producer, GST_MESSAGE_INFO, MISSING));
    fail_unless_equals_uint64 (rig_stat (sink, "frames"), next);
    rig_play (consumer);
    /* who joins gets the latest one, which the one before it had, too */
    for (guint i = next > 0 ? next - 1 : 0; i < next + 2; i++)
      fail_unless_equals_uint64 (pull_number (consumer), i);
    next += 2;
    rig_stop (consumer);
    rig_until (rig_num_clients (sink) == 0);
  }
  fail_unless_equals_int (count_messages (producer, GST_MESSAGE_WARNING), 0);
  rig_stop (producer);
}

GST_END_TEST;

/* A batch waits like a frame */
GST_START_TEST (test_batch_waits)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=50 ! " GRAY
      " ! secondbatcher" SINK);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "fakesink");

  await_playing (producer);
  g_free (await_text (producer, GST_MESSAGE_INFO, MISSING));
  fail_unless_equals_uint64 (rig_stat (rig_child (producer, "sink"),
          "frames"), 0);
  rig_play (consumer);
  rig_await_eos (consumer);
  fail_unless_equals_uint64 (rig_stat (rig_child (consumer, "src"),
          "frames"), 2);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static void
log_clients (GstElement * sink, GParamSpec * spec, RigLog * log)
{
  guint n = rig_num_clients (sink);

  g_mutex_lock (&log->lock);
  g_string_append_printf (log->text, "%u", n);
  g_mutex_unlock (&log->lock);
}

/* The number is notified after it changed */
GST_START_TEST (test_num_clients)
{
  GstElement *producer = rig_launch (RIG_APPSRC (32, 24) SINK);
  RigLog log;

  g_mutex_init (&log.lock);
  log.text = g_string_new (NULL);
  g_signal_connect (rig_child (producer, "sink"), "notify::num-clients",
      G_CALLBACK (log_clients), &log);
  rig_play (producer);
  for (guint i = 0; i < 3; i++) {
    GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! fakesink");

    rig_play (consumer);
    rig_log_expect (&log, i == 0 ? "1" : i == 1 ? "101" : "10101");
    rig_stop (consumer);
    rig_log_expect (&log, i == 0 ? "10" : i == 1 ? "1010" : "101010");
  }
  rig_stop (producer);
  rig_log_stop (&log);
}

GST_END_TEST;

/* --- the end --- */

static void
check_eos_alone (const gchar * line)
{
  GstElement *producer = rig_launch (line);

  for (guint i = 0; i < 2; i++) {
    await_playing (producer);
    g_free (await_text (producer, GST_MESSAGE_INFO, MISSING));
    fail_unless (gst_element_send_event (producer, gst_event_new_eos ()));
    g_free (await_text (producer, GST_MESSAGE_WARNING, "left out"));
    rig_await_eos (producer);
    rig_state (producer, GST_STATE_READY);
  }
  rig_stop (producer);
}

/* An application that ends the stream is not kept waiting, twice */
GST_START_TEST (test_eos_without_consumer)
{
  check_eos_alone ("videotestsrc ! " GRAY SINK);
  check_eos_alone ("videotestsrc ! " GRAY " ! queue" SINK);
  check_eos_alone ("videotestsrc ! " GRAY " ! queue ! bin.( queue" SINK ")");
  check_eos_alone ("videotestsrc ! " GRAY " ! secondbatcher" SINK);
}

GST_END_TEST;

static void
check_eos_paused (const gchar * line)
{
  GstElement *producer = rig_launch (line);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ "
      "is-live=false ! fakesink");

  rig_state (consumer, GST_STATE_PAUSED);
  rig_play (producer);
  g_free (await_text (producer, GST_MESSAGE_INFO, "is paused"));
  fail_unless (gst_element_send_event (producer, gst_event_new_eos ()));
  rig_await_eos (producer);
  rig_play (consumer);
  expect_all (producer, consumer, rig_stat (rig_child (producer, "sink"),
          "frames"));
  rig_stop (consumer);
  rig_stop (producer);
}

/* What the consumer was given is there for it, and EOS behind it */
GST_START_TEST (test_eos_and_paused_consumer)
{
  check_eos_paused ("videotestsrc ! " GRAY SINK);
  check_eos_paused ("videotestsrc ! " GRAY " ! queue" SINK);
  /* which waits for a slot to write into */
  check_eos_paused ("videotestsrc ! video/x-raw,format=RGB ! videoconvert ! "
      GRAY SINK);
  check_eos_paused ("videotestsrc ! " GRAY " ! tee ! queue" SINK);
}

GST_END_TEST;

static void
work (GstElement * sink, GstBuffer * buffer, GstPad * pad, gint * n)
{
  g_atomic_int_inc (n);
  g_usleep (20000);
}

/* One that goes on taking frames gets all that were on their way */
GST_START_TEST (test_eos_and_slow_consumer)
{
  GstElement *producer = rig_launch ("videotestsrc ! " GRAY
      " ! queue max-size-buffers=30 ! identity name=last" SINK);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "fakesink name=out signal-handoffs=true");
  GstElement *sink = rig_child (producer, "sink");
  gint n = 0;

  g_signal_connect (rig_child (consumer, "out"), "handoff", G_CALLBACK (work),
      &n);
  rig_play (consumer);
  rig_play (producer);
  rig_until (g_atomic_int_get (&n) > 5);
  fail_unless (gst_element_send_event (producer, gst_event_new_eos ()));
  rig_await_eos (producer);
  fail_unless_equals_uint64 (rig_stat (sink, "frames-dropped"), 0);
  expect_all (producer, consumer, rig_stat (sink, "frames"));
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* A wait is left for PAUSED, and gone on with */
GST_START_TEST (test_pause_while_waiting)
{
  GstElement *producer =
      rig_launch ("videotestsrc num-buffers=20 ! " GRAY SINK);
  GstElement *consumer =
      rig_launch ("shmframesrc name=src socket-path=@ ! fakesink");

  for (guint i = 0; i < 3; i++) {
    await_playing (producer);
    if (i == 0)
      g_free (await_text (producer, GST_MESSAGE_INFO, MISSING));
    rig_state (producer, GST_STATE_PAUSED);
    fail_unless_equals_int (gst_element_get_state (producer, NULL, NULL,
            RIG_DEADLINE), GST_STATE_CHANGE_SUCCESS);
  }
  rig_play (producer);
  rig_play (consumer);
  expect_all (producer, consumer, 20);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* A flush ends the wait of the frame it discards, and the next one waits */
GST_START_TEST (test_flush_while_waiting)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=1000 ! " GRAY
      SINK);

  await_playing (producer);
  for (guint i = 0; i < 3; i++) {
    g_free (await_text (producer, GST_MESSAGE_INFO, MISSING));
    fail_unless (gst_element_seek_simple (producer, GST_FORMAT_TIME,
            GST_SEEK_FLAG_FLUSH, 0));
  }
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_preroll);
  tcase_add_test (tc, test_preroll_live);
  tcase_add_test (tc, test_two_missing);
  tcase_add_test (tc, test_event_waits);
  tcase_add_test (tc, test_consumer_leaves);
  tcase_add_test (tc, test_batch_waits);
  tcase_add_test (tc, test_num_clients);
  tcase_add_test (tc, test_eos_without_consumer);
  tcase_add_test (tc, test_eos_and_paused_consumer);
  tcase_add_test (tc, test_eos_and_slow_consumer);
  tcase_add_test (tc, test_pause_while_waiting);
  tcase_add_test (tc, test_flush_while_waiting);
}

RIG_SUITE (shmframe_waiting)
