/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* State changes never hang, whatever the peer does, and leave nothing
 * behind. */
#include "shmrig.h"

#define ROUNDS 100

#define LOSSLESS_SOURCE "videotestsrc ! " RIG_GRAY (64, 48)
#define LIVE_SOURCE "videotestsrc is-live=true ! " RIG_GRAY (64, 48)

/* Up and down, at each round as far as another state */
static void
cycle (GstElement * pipeline, guint rounds)
{
  const GstState states[] = { GST_STATE_PLAYING, GST_STATE_NULL,
    GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_READY, GST_STATE_PLAYING,
    GST_STATE_PAUSED, GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
    GST_STATE_READY, GST_STATE_NULL
  };

  for (guint i = 0; i < rounds; i++)
    for (guint s = 0; s < G_N_ELEMENTS (states); s++)
      rig_state (pipeline, states[s]);
}

static void
cycle_alone (const gchar * description)
{
  GstElement *pipeline = rig_launch (description);

  cycle (pipeline, ROUNDS);
  rig_stop (pipeline);
}

GST_START_TEST (test_sink_alone)
{
  cycle_alone (LOSSLESS_SOURCE " ! shmframesink socket-path=@");
  cycle_alone (LIVE_SOURCE " ! shmframesink socket-path=@");
  cycle_alone (LOSSLESS_SOURCE " ! shmframesink socket-path=@ min-clients=0");
}

GST_END_TEST;

GST_START_TEST (test_src_alone)
{
  cycle_alone ("shmframesrc socket-path=@ ! fakesink");
  cycle_alone ("shmframesrc socket-path=@ is-live=false ! fakesink");
}

GST_END_TEST;

/* The peer is there, and plays */
static void
cycle_beside (const gchar * peer, const gchar * description)
{
  GstElement *other = rig_launch (peer);
  GstElement *pipeline = rig_launch (description);

  rig_play (other);
  cycle (pipeline, ROUNDS / 2);
  rig_stop (pipeline);
  rig_stop (other);
}

GST_START_TEST (test_sink_with_src)
{
  cycle_beside ("shmframesrc socket-path=@ on-eos=reconnect ! fakesink",
      LOSSLESS_SOURCE " ! shmframesink socket-path=@");
  cycle_beside ("shmframesrc socket-path=@ on-eos=reconnect ! fakesink",
      LIVE_SOURCE " ! shmframesink socket-path=@");
}

GST_END_TEST;

GST_START_TEST (test_src_with_sink)
{
  cycle_beside (LOSSLESS_SOURCE " ! shmframesink socket-path=@",
      "shmframesrc socket-path=@ ! fakesink");
  cycle_beside (LIVE_SOURCE " ! shmframesink socket-path=@",
      "shmframesrc socket-path=@ is-live=false ! fakesink");
}

GST_END_TEST;

static gpointer
cycle_thread (gpointer pipeline)
{
  cycle (pipeline, ROUNDS / 2);
  return NULL;
}

GST_START_TEST (test_both_at_once)
{
  GstElement *producer = rig_launch (LOSSLESS_SOURCE
      " ! shmframesink socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! fakesink");
  GThread *thread = g_thread_new ("cycle", cycle_thread, consumer);

  cycle (producer, ROUNDS / 2);
  g_thread_join (thread);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* Somebody who listens, lets us connect, and never says anything */
GST_START_TEST (test_mute_producer)
{
  int fd = rig_socket (SOCK_SEQPACKET, TRUE);

  cycle_alone ("shmframesrc socket-path=@ ! fakesink");
  rig_close_listener (fd);
}

GST_END_TEST;

/* Somebody who connects and never says anything */
GST_START_TEST (test_mute_client)
{
  GstElement *pipeline = rig_launch (LOSSLESS_SOURCE
      " ! shmframesink socket-path=@");

  for (guint i = 0; i < ROUNDS / 5; i++) {
    int fd;

    rig_state (pipeline, GST_STATE_PAUSED);
    fd = rig_socket (SOCK_SEQPACKET, FALSE);
    cycle (pipeline, 1);
    close (fd);
  }
  rig_stop (pipeline);
}

GST_END_TEST;

/* A client that took what it may hold, and gives nothing back: everything in
 * front of the sink comes to stand. `source` ends in front of the sink. */
static void
check_blocked (const gchar * source, GstState state)
{
  gchar *line = g_strconcat (source, " ! shmframesink name=sink socket-path=@ "
      "client-timeout=0 slots=8", NULL);
  GstElement *producer = rig_launch (line);
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ max-held=3 "
      "! appsink name=out max-buffers=1 sync=false");
  GstElement *sink = rig_child (producer, "sink");
  guint64 frames = 0;
  guint still = 0;

  GST_INFO ("%s", line);
  rig_play (consumer);
  rig_play (producer);
  /* stands: no more frames for a tenth of a second */
  while (still < 10) {
    guint64 now = rig_stat (sink, "frames");

    still = now == frames && now > 3 ? still + 1 : 0;
    frames = now;
    g_usleep (10000);
  }
  if (state == GST_STATE_PLAYING)
    fail_unless (gst_element_seek_simple (producer, GST_FORMAT_TIME,
            GST_SEEK_FLAG_FLUSH, 5 * GST_SECOND));
  rig_state (producer, state);
  if (state >= GST_STATE_PAUSED) {
    rig_play (producer);
    for (guint i = 0; i < 50; i++)
      gst_buffer_unref (rig_pull (consumer, "out"));
  }
  rig_stop (producer);
  rig_stop (consumer);
  g_free (line);
}

static const gchar *const sources[] = {
  "videotestsrc ! " RIG_GRAY (64, 48),
  "videotestsrc ! " RIG_GRAY (64, 48) " ! tee ! queue",
  "videotestsrc ! video/x-raw,format=I420 ! videoconvert ! " RIG_GRAY (64, 48),
  "videotestsrc ! video/x-raw,format=I420 ! videoconvert ! " RIG_GRAY (64, 48)
      " ! queue",
  "videotestsrc ! " RIG_GRAY (32, 24) " ! videoscale ! " RIG_GRAY (64, 48),
};

GST_START_TEST (test_blocked_to_null)
{
  check_blocked (sources[__i__], GST_STATE_NULL);
  check_blocked (sources[__i__], GST_STATE_READY);
}

GST_END_TEST;

GST_START_TEST (test_blocked_to_paused)
{
  check_blocked (sources[__i__], GST_STATE_PAUSED);
}

GST_END_TEST;

/* A flushing seek has to stop everything, too */
GST_START_TEST (test_blocked_seek)
{
  check_blocked (sources[__i__], GST_STATE_PLAYING);
}

GST_END_TEST;

static gpointer
push_events (gpointer harness)
{
  gchar *long_text = g_strnfill (100000, 'x');

  while (gst_harness_push_event (harness,
          gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
              gst_structure_new ("long", "text", G_TYPE_STRING, long_text,
                  NULL))));
  g_free (long_text);
  return NULL;
}

/* No room for events either, since the client does not read them. Whether the
 * sink is stopped at the right moment is a matter of luck: again and again. */
GST_START_TEST (test_blocked_in_event)
{
  for (guint i = 0; i < 20; i++) {
    GstElement *sink = rig_element ("shmframesink", "client-timeout",
        (guint64) 0, "delivery", "lossless", NULL);
    GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
        "appsink name=out max-buffers=1 sync=false");
    GstHarness *h = rig_harness (sink);
    GThread *thread;

    gst_harness_set_src_caps (h, rig_caps ("GRAY8", 8, 8));
    rig_play (consumer);
    rig_until (rig_num_clients (h->element) == 1);
    for (guint n = 0; n < 4; n++)
      gst_harness_push (h, rig_frame (n, 64));
    thread = g_thread_new ("events", push_events, h);
    g_usleep (20000 + i * 5000);
    rig_state (h->element, GST_STATE_NULL);
    g_thread_join (thread);
    gst_harness_teardown (h);
    rig_stop (consumer);
  }
}

GST_END_TEST;

/* What pads let through that are not active */
GST_START_TEST (test_off)
{
  GstElement *sink = rig_element ("shmframesink", NULL);
  GstElement *src = rig_element ("shmframesrc", NULL);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  GstCaps *caps = rig_caps ("GRAY8", 8, 8);
  const GstState states[] = { GST_STATE_NULL, GST_STATE_READY };

  for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
    GstQuery *query = gst_query_new_allocation (caps, TRUE);

    rig_state (sink, states[i]);
    rig_state (src, states[i]);
    fail_unless (gst_pad_query (pad, query) == (i == 1));
    gst_query_unref (query);
    gst_pad_send_event (pad, gst_event_new_flush_start ());
    gst_pad_send_event (pad, gst_event_new_flush_stop (TRUE));
    gst_element_send_event (sink, gst_event_new_latency (GST_SECOND));
    gst_element_send_event (src, gst_event_new_flush_start ());
    gst_element_send_event (src, gst_event_new_flush_stop (TRUE));
    gst_element_send_event (src, gst_event_new_eos ());
    fail_unless_equals_int (rig_num_clients (sink), 0);
    fail_unless_equals_uint64 (rig_stat (sink, "frames"), 0);
    fail_unless_equals_uint64 (rig_stat (src, "frames"), 0);
  }
  rig_state (sink, GST_STATE_NULL);
  /* GstBaseSrc keeps an EOS until it stops, not until it is finalized */
  gst_element_set_state (src, GST_STATE_PAUSED);
  rig_state (src, GST_STATE_NULL);
  gst_caps_unref (caps);
  gst_object_unref (pad);
  gst_object_unref (sink);
  gst_object_unref (src);
}

GST_END_TEST;

/* Both elements go on to be what they were after EOS and NULL */
GST_START_TEST (test_reuse)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=20 ! "
      RIG_GRAY (64, 48) " ! shmframesink name=sink socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "appsink name=out sync=false");

  for (guint round = 0; round < 10; round++) {
    GstSample *sample;
    guint n = 0;

    /* either first */
    rig_play (round % 2 == 0 ? consumer : producer);
    rig_play (round % 2 == 0 ? producer : consumer);
    while ((sample = rig_try_sample (consumer, "out")) != NULL) {
      fail_unless_equals_uint64 (GST_BUFFER_OFFSET (gst_sample_get_buffer
              (sample)), n);
      gst_sample_unref (sample);
      n++;
    }
    fail_unless_equals_int (n, 20);
    rig_await_eos (producer);
    fail_unless_equals_uint64 (rig_stat (rig_child (producer, "sink"),
            "frames"), 20);
    fail_unless_equals_uint64 (rig_stat (rig_child (consumer, "src"),
            "frames"), 20);
    rig_state (round % 3 == 0 ? consumer : producer, GST_STATE_NULL);
    rig_state (consumer, GST_STATE_NULL);
    rig_state (producer, GST_STATE_NULL);
  }
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* The producer stops as soon as it has sent all; nothing of it is lost */
GST_START_TEST (test_producer_leaves_at_eos)
{
  for (guint round = 0; round < 20; round++) {
    GstElement *producer = rig_launch ("videotestsrc num-buffers=7 ! "
        RIG_GRAY (64, 48) " ! shmframesink socket-path=@");
    GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
        "appsink name=out sync=false max-buffers=1");
    GstSample *sample;
    guint n = 0;

    rig_play (consumer);
    rig_play (producer);
    rig_await_eos (producer);
    rig_stop (producer);
    while ((sample = rig_try_sample (consumer, "out")) != NULL) {
      gst_sample_unref (sample);
      n++;
    }
    fail_unless_equals_int (n, 7);
    rig_stop (consumer);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_sink_alone);
  tcase_add_test (tc, test_src_alone);
  tcase_add_test (tc, test_sink_with_src);
  tcase_add_test (tc, test_src_with_sink);
  tcase_add_test (tc, test_both_at_once);
  tcase_add_test (tc, test_mute_producer);
  tcase_add_test (tc, test_mute_client);
  tcase_add_loop_test (tc, test_blocked_to_null, 0, G_N_ELEMENTS (sources));
  tcase_add_loop_test (tc, test_blocked_to_paused, 0,
      G_N_ELEMENTS (sources));
  tcase_add_loop_test (tc, test_blocked_seek, 0, G_N_ELEMENTS (sources));
  tcase_add_test (tc, test_blocked_in_event);
  tcase_add_test (tc, test_off);
  tcase_add_test (tc, test_reuse);
  tcase_add_test (tc, test_producer_leaves_at_eos);
}

RIG_SUITE (shmframe_states)
