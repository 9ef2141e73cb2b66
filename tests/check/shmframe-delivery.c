/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets which frames, who waits for whom, and what is told of it. */
#include "shmrig.h"
#include "sums.h"

#define MANY 10000

static void
check_lossless (const gchar * source)
{
  GArray *sent, *received[2];
  gchar *line = g_strconcat (source, " ! shmframesink name=sink "
      "socket-path=@ min-clients=2", NULL);
  GstElement *producer = rig_launch (line);
  GstElement *consumer[2];

  sent = sums_of (rig_child (producer, "sink"));
  for (guint i = 0; i < 2; i++) {
    consumer[i] = rig_launch (i == 0 ? "shmframesrc socket-path=@ ! "
        "fakesink name=out" : "shmframesrc socket-path=@ is-live=false ! "
        "queue ! fakesink name=out");
    received[i] = sums_of (rig_child (consumer[i], "out"));
    rig_play (consumer[i]);
  }
  rig_play (producer);
  rig_await_eos (producer);
  for (guint i = 0; i < 2; i++) {
    rig_await_eos (consumer[i]);
    sums_check (received[i], sent, source);
    rig_stop (consumer[i]);
    g_array_unref (received[i]);
  }
  fail_unless_equals_int (sent->len, MANY);
  rig_stop (producer);
  g_array_unref (sent);
  g_free (line);
}

#define NOISE "num-buffers=10000 pattern=snow"

GST_START_TEST (test_lossless_shared)
{
  check_lossless ("videotestsrc " NOISE " ! " RIG_GRAY (32, 24));
}

GST_END_TEST;

GST_START_TEST (test_lossless_copied)
{
  check_lossless ("videotestsrc " NOISE " ! " RIG_GRAY (32, 24) " ! tee ! "
      "queue");
}

GST_END_TEST;

/* Frames that the test made, with a ring so small that it wraps all the time,
 * and a client that holds a few */
GST_START_TEST (test_lossless_small_ring)
{
  GstElement *producer = rig_launch (RIG_APPSRC (32, 24) " ! shmframesink "
      "socket-path=@ slots=4");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ max-held=2 ! "
      "appsink name=out sync=false max-buffers=1");

  rig_play (consumer);
  rig_play (producer);
  for (guint i = 0; i < 3000; i++) {
    rig_feed (producer, "in", rig_frame (i, 32 * 24));
    if (i >= 2) {
      GstBuffer *buffer = rig_pull (consumer, "out");

      fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), i - 2);
      fail_unless (rig_is_frame (buffer, i - 2));
      gst_buffer_unref (buffer);
    }
  }
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static GstHarness *
live_sink (void)
{
  GstHarness *h = rig_harness (rig_element ("shmframesink", "delivery", "live",
          NULL));

  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 32, 24));
  return h;
}

static void
push (GstHarness * h, guint number)
{
  fail_unless_equals_int (gst_harness_push (h, rig_frame (number, 32 * 24)),
      GST_FLOW_OK);
}

/* Reads the rest of what the slow client gets, and checks how its gaps are
 * told. `last` is the number of the last frame sent. */
static void
check_gaps (GstElement * slow, guint last, gboolean is_ours)
{
  guint64 begin = G_MAXUINT64, expected = 0, lost = 0, gaps = 0;
  GstElement *src = rig_child (slow, "src");

  while (expected <= last) {
    GstBuffer *buffer = rig_pull (slow, "out");
    guint64 number = GST_BUFFER_OFFSET (buffer);

    fail_unless (number >= expected, "%" G_GUINT64_FORMAT " came after %"
        G_GUINT64_FORMAT, number, expected - 1);
    fail_unless (!is_ours || rig_is_frame (buffer, number));
    /* what came before the first one is not known to have been for us */
    if (begin == G_MAXUINT64)
      begin = expected = number;
    else
      fail_unless (GST_BUFFER_IS_DISCONT (buffer) == (number != expected),
          "frame %" G_GUINT64_FORMAT " came instead of %" G_GUINT64_FORMAT
          " and is %sDISCONT", number, expected,
          GST_BUFFER_IS_DISCONT (buffer) ? "" : "not ");
    gaps += number != expected;
    lost += number - expected;
    expected = number + 1;
    gst_buffer_unref (buffer);
  }
  fail_unless (lost > 0);
  fail_unless_equals_uint64 (rig_stat (src, "frames-lost"), lost);
  fail_unless_equals_uint64 (rig_stat (src, "disconts"), gaps);
  fail_unless_equals_uint64 (rig_stat (src, "frames"),
      last + 1 - begin - lost);
}

/* One client takes frames at once, one stands still. `n` frames. */
static void
check_slow_and_fast (guint n)
{
  GstElement *slow = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "appsink name=out sync=false max-buffers=1");
  GstElement *fast = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "appsink name=out sync=false");
  GstHarness *h = live_sink ();

  rig_play (slow);
  rig_play (fast);
  rig_until (rig_num_clients (h->element) == 2);
  for (guint i = 0; i < n; i++) {
    GstBuffer *buffer;

    push (h, i);
    buffer = rig_pull (fast, "out");
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), i);
    fail_unless (i == 0 || !GST_BUFFER_IS_DISCONT (buffer));
    fail_unless (rig_is_frame (buffer, i));
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_uint64 (rig_stat (rig_child (fast, "src"),
          "frames-lost"), 0);
  fail_unless (rig_stat (h->element, "frames-revoked") > 0);
  check_gaps (slow, n - 1, TRUE);
  rig_stop (fast);
  rig_stop (slow);
  gst_harness_teardown (h);
}

GST_START_TEST (test_live_slow_and_fast)
{
  check_slow_and_fast (500);
}

GST_END_TEST;

/* So many that not even the announcements fit */
GST_START_TEST (test_live_overflow)
{
  check_slow_and_fast (12000);
}

GST_END_TEST;

GST_START_TEST (test_live_without_clients)
{
  GstHarness *h = live_sink ();

  for (guint i = 0; i < 100; i++)
    push (h, i);
  fail_unless_equals_uint64 (rig_stat (h->element, "frames"), 100);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* A preview beside a recorder: it is dropped for, not waited for */
GST_START_TEST (test_live_client_of_lossless)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=2000 ! "
      RIG_GRAY (32, 24) " ! shmframesink name=sink socket-path=@ "
      "min-clients=2 client-timeout=0");
  GstElement *recorder = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "fakesink");
  GstElement *preview = rig_launch ("shmframesrc name=src socket-path=@ "
      "delivery=live ! appsink name=out max-buffers=1 sync=false");

  rig_play (recorder);
  rig_play (preview);
  rig_play (producer);
  rig_await_eos (recorder);
  fail_unless_equals_uint64 (rig_stat (rig_child (recorder, "src"),
          "frames"), 2000);
  check_gaps (preview, 1999, FALSE);
  rig_stop (preview);
  rig_stop (recorder);
  rig_stop (producer);
}

GST_END_TEST;

/* Exactly one error, of the source, that names the property */
GST_START_TEST (test_lossless_client_of_live)
{
  GstHarness *h = live_sink ();
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ "
      "delivery=lossless ! fakesink");
  gchar *text = NULL;

  rig_play (consumer);
  rig_expect_error (consumer, "src", &text);
  fail_unless (strstr (text, "delivery=lossless") != NULL, "%s", text);
  g_free (text);
  rig_stop (consumer);
  gst_harness_teardown (h);
}

GST_END_TEST;

GST_START_TEST (test_min_clients)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=10 ! "
      RIG_GRAY (32, 24) " ! shmframesink name=sink socket-path=@ "
      "min-clients=3");
  GstElement *sink = rig_child (producer, "sink");
  GstElement *consumer[3];

  rig_play (producer);
  for (guint i = 0; i < 3; i++) {
    fail_unless_equals_uint64 (rig_stat (sink, "frames"), 0);
    consumer[i] = rig_launch ("shmframesrc name=src socket-path=@ ! fakesink");
    rig_play (consumer[i]);
    rig_until (rig_num_clients (sink) == i + 1);
  }
  for (guint i = 0; i < 3; i++) {
    rig_await_eos (consumer[i]);
    fail_unless_equals_uint64 (rig_stat (rig_child (consumer[i], "src"),
            "frames"), 10);
    rig_stop (consumer[i]);
  }
  rig_stop (producer);
}

GST_END_TEST;

GST_START_TEST (test_late_joiner_live)
{
  GstHarness *h = live_sink ();
  GstElement *late = rig_launch ("shmframesrc socket-path=@ ! "
      "appsink name=out sync=false");
  GstBuffer *buffer;

  for (guint i = 0; i < 30; i++)
    push (h, i);
  rig_play (late);
  buffer = rig_pull (late, "out");
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), 29);
  fail_unless (rig_is_frame (buffer, 29));
  gst_buffer_unref (buffer);
  rig_stop (late);
  gst_harness_teardown (h);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_lossless_shared);
  tcase_add_test (tc, test_lossless_copied);
  tcase_add_test (tc, test_lossless_small_ring);
  tcase_add_test (tc, test_live_slow_and_fast);
  tcase_add_test (tc, test_live_overflow);
  tcase_add_test (tc, test_live_without_clients);
  tcase_add_test (tc, test_live_client_of_lossless);
  tcase_add_test (tc, test_lossless_client_of_live);
  tcase_add_test (tc, test_min_clients);
  tcase_add_test (tc, test_late_joiner_live);
}

RIG_SUITE (shmframe_delivery)
