/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the elements tell of what they did: QOS messages, statistics, the debug
 * log, dot files. */
#include "shmrig.h"

#define FRAME_SIZE (8 * 8)

static GstMessage *
pop_qos (GstBus * bus)
{
  GstMessage *m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE,
      GST_MESSAGE_QOS);

  fail_unless (m != NULL, "no QOS message came");
  return m;
}

typedef struct
{
  guint64 running_time, stream_time, timestamp, duration;
  guint64 processed, dropped;
} Qos;

static Qos
parse_qos (GstMessage * m)
{
  GstFormat format;
  Qos qos;

  gst_message_parse_qos (m, NULL, &qos.running_time, &qos.stream_time,
      &qos.timestamp, &qos.duration);
  gst_message_parse_qos_stats (m, &format, &qos.processed, &qos.dropped);
  fail_unless_equals_int (format, GST_FORMAT_BUFFERS);
  gst_message_unref (m);
  return qos;
}

static void
push_segment (GstHarness * h, GstClockTime start, GstClockTime base,
    GstClockTime time)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = start;
  segment.base = base;
  segment.time = time;
  gst_harness_push_event (h, gst_event_new_segment (&segment));
}

/* Upstream keeps all slots but the one of the latest frame */
GST_START_TEST (test_qos_of_sink)
{
  GstHarness *h = rig_harness (rig_element ("shmframesink", "delivery", "live",
          "slots", 4, NULL));
  GstBus *bus = gst_bus_new ();
  GstBuffer *kept[2], *copy;
  GstBufferPool *pool;

  gst_element_set_bus (h->element, bus);
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 8, 8));
  push_segment (h, GST_SECOND, 7 * GST_SECOND, 20 * GST_SECOND);
  pool = rig_pool (h);
  for (guint i = 0; i < 2; i++)
    kept[i] = rig_acquire (pool);
  copy = gst_buffer_copy_deep (kept[0]);
  fail_unless_equals_uint64 (rig_stat (h->element, "slots-free"), 1);
  for (guint i = 0; i < 5; i++)
    fail_unless_equals_int (gst_harness_push (h, rig_frame (25 + i,
                FRAME_SIZE)), GST_FLOW_OK);
  for (guint i = 1; i < 5; i++) {
    Qos qos = parse_qos (pop_qos (bus));

    fail_unless_equals_uint64 (qos.timestamp, GST_SECOND + i * 40
        * GST_MSECOND);
    fail_unless_equals_uint64 (qos.duration, 40 * GST_MSECOND);
    fail_unless_equals_uint64 (qos.running_time, 7 * GST_SECOND
        + i * 40 * GST_MSECOND);
    fail_unless_equals_uint64 (qos.stream_time, 20 * GST_SECOND
        + i * 40 * GST_MSECOND);
    fail_unless_equals_uint64 (qos.processed, 1);
    fail_unless_equals_uint64 (qos.dropped, i);
  }
  fail_unless_equals_uint64 (rig_stat (h->element, "frames"), 1);
  fail_unless_equals_uint64 (rig_stat (h->element, "frames-dropped"), 4);
  fail_unless_equals_uint64 (rig_stat (h->element, "frames-copied-upstream"),
      1);
  gst_buffer_unref (copy);
  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (kept[i]);
  rig_drop_pool (pool);
  gst_element_set_bus (h->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* A live consumer that stood still is told what it lost, with the frame that
 * follows the gap */
GST_START_TEST (test_qos_of_src)
{
  GstHarness *in = rig_harness (rig_element ("shmframesink", "delivery", "live",
          NULL));
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ "
      "timestamps=keep max-held=2 ! appsink name=out sync=false");
  GstElement *src = rig_child (consumer, "src");
  GstBus *bus = gst_element_get_bus (consumer);
  GstBuffer *held[2], *next;
  guint64 lost;
  Qos qos;

  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  push_segment (in, GST_SECOND, 7 * GST_SECOND, 20 * GST_SECOND);
  rig_play (consumer);
  rig_until (rig_num_clients (in->element) == 1);
  for (guint i = 0; i < 2; i++) {
    gst_harness_push (in, rig_frame (25 + i, FRAME_SIZE));
    held[i] = rig_pull (consumer, "out");
  }
  for (guint i = 2; i < 100; i++)
    gst_harness_push (in, rig_frame (25 + i, FRAME_SIZE));
  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (held[i]);
  next = rig_pull (consumer, "out");
  fail_unless (GST_BUFFER_IS_DISCONT (next));
  qos = parse_qos (pop_qos (bus));
  lost = rig_stat (src, "frames-lost");
  fail_unless (lost > 0);
  fail_unless_equals_uint64 (qos.dropped, lost);
  fail_unless_equals_uint64 (qos.processed, 3);
  fail_unless_equals_uint64 (qos.timestamp, GST_BUFFER_PTS (next));
  fail_unless_equals_uint64 (qos.timestamp, GST_SECOND + (2 + lost) * 40
      * GST_MSECOND);
  fail_unless_equals_uint64 (qos.running_time, qos.timestamp
      + 6 * GST_SECOND);
  fail_unless_equals_uint64 (qos.stream_time, qos.timestamp
      + 19 * GST_SECOND);
  fail_unless_equals_uint64 (rig_stat (in->element, "frames-revoked"), lost);
  gst_buffer_unref (next);
  gst_object_unref (bus);
  rig_stop (consumer);
  gst_harness_teardown (in);
}

GST_END_TEST;

static guint64
client_stat (GstElement * sink, const gchar * field)
{
  const GValue *clients;
  GstStructure *stats;
  guint64 value = 0;

  g_object_get (sink, "stats", &stats, NULL);
  clients = gst_structure_get_value (stats, "clients");
  fail_unless_equals_int (gst_value_array_get_size (clients), 1);
  fail_unless (gst_structure_get_uint64 (gst_value_get_structure
          (gst_value_array_get_value (clients, 0)), field, &value));
  gst_structure_free (stats);
  return value;
}

/* How far a client is behind, in time */
GST_START_TEST (test_lag)
{
  GstHarness *in = rig_harness (rig_element ("shmframesink", "delivery", "live",
          NULL));
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ max-held=2 ! "
      "appsink name=out sync=false");
  GstBuffer *held;
  guint64 lag;

  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  rig_play (consumer);
  rig_until (rig_num_clients (in->element) == 1);
  gst_harness_push (in, rig_frame (0, FRAME_SIZE));
  held = rig_pull (consumer, "out");
  fail_unless_equals_uint64 (client_stat (in->element, "lag"), 0);
  for (guint i = 1; i < 3; i++)
    gst_harness_push (in, rig_frame (i, FRAME_SIZE));
  rig_until ((lag = client_stat (in->element, "lag")) > 0);
  rig_until (client_stat (in->element, "lag") > lag);
  gst_buffer_unref (held);
  for (guint i = 1; i < 3; i++)
    gst_buffer_unref (rig_pull (consumer, "out"));
  rig_until (client_stat (in->element, "lag") == 0);
  rig_stop (consumer);
  gst_harness_teardown (in);
}

GST_END_TEST;

#define PRODUCER RIG_APPSRC (8, 8) " ! shmframesink name=sink socket-path=@"
#define ROUNDS 3

/* A source counts on when its producer comes back, and a sink when its client
 * does */
GST_START_TEST (test_counts_survive)
{
  for (guint sink_stays = 0; sink_stays < 2; sink_stays++) {
    GstElement *consumer = NULL, *producer = NULL, *counted;

    for (guint round = 0; round < ROUNDS; round++) {
      if (producer == NULL)
        producer = rig_launch (PRODUCER);
      if (consumer == NULL)
        consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
            "appsink name=out sync=false");
      rig_play (consumer);
      rig_play (producer);
      rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
      for (guint i = 0; i < 4; i++)
        rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
      for (guint i = 0; i < 4; i++)
        gst_buffer_unref (rig_pull (consumer, "out"));
      /* who comes again sees the latest frame again */
      if (sink_stays && round > 0)
        gst_buffer_unref (rig_pull (consumer, "out"));
      counted = sink_stays ? rig_child (producer, "sink")
          : rig_child (consumer, "src");
      /* the sink counts what is on its way already */
      rig_until (rig_stat (counted, "frames") >= 4 * (round + 1));
      fail_unless_equals_uint64 (rig_stat (counted, "frames"),
          4 * (round + 1));
      fail_unless_equals_uint64 (rig_stat (counted, "bytes"),
          4 * (round + 1) * FRAME_SIZE);
      fail_unless_equals_uint64 (rig_stat (counted, sink_stays
              ? "clients-seen" : "connections"), round + 1);
      if (sink_stays)
        g_clear_pointer (&consumer, rig_stop);
      else
        g_clear_pointer (&producer, rig_stop);
      if (sink_stays)
        rig_until (rig_num_clients (counted) == 0);
    }
    g_clear_pointer (&consumer, rig_stop);
    g_clear_pointer (&producer, rig_stop);
  }
}

GST_END_TEST;

/* The quantiles are of the same frames, and in order */
GST_START_TEST (test_handover)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=200 ! "
      RIG_GRAY (8, 8) " ! shmframesink socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ "
      "is-live=false ! fakesink");
  GstElement *src = rig_child (consumer, "src");
  guint64 p50, p99, max;

  rig_play (consumer);
  rig_play (producer);
  rig_await_eos (consumer);
  p50 = rig_stat (src, "handover-p50");
  p99 = rig_stat (src, "handover-p99");
  max = rig_stat (src, "handover-max");
  fail_unless (p50 > 0 && p50 <= p99 && p99 <= max && max < RIG_DEADLINE,
      "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, p50,
      p99, max);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* The socket is in a dot file, and so who talks to whom. */
GST_START_TEST (test_dot)
{
  const gchar *names[] = { "shmframesink", "shmframesrc" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    GstElement *bin = gst_bin_new (NULL);
    GstElement *element = rig_element (names[i], NULL);
    gchar *dot;

    gst_object_ref_sink (bin);
    gst_bin_add (GST_BIN (bin), element);
    gst_object_unref (element);
    dot = gst_debug_bin_to_dot_data (GST_BIN (bin),
        GST_DEBUG_GRAPH_SHOW_ALL);
    fail_unless (strstr (dot, rig_path) != NULL, "no %s in: %s", rig_path,
        dot);
    g_free (dot);
    gst_object_unref (bin);
  }
}

GST_END_TEST;

/* Lines of the debug log, of shmframesink */
typedef struct
{
  GMutex lock;
  GString *text;
} Lines;

static void
add_line (GstDebugCategory * category, GstDebugLevel level, const gchar * file,
    const gchar * function, gint line, GObject * object,
    GstDebugMessage * message, gpointer user)
{
  Lines *lines = user;

  if (!g_str_equal (gst_debug_category_get_name (category), "shmframesink"))
    return;
  g_mutex_lock (&lines->lock);
  g_string_append_printf (lines->text, "%s\n",
      gst_debug_message_get (message));
  g_mutex_unlock (&lines->lock);
}

static void
lines_start (Lines * lines)
{
  g_mutex_init (&lines->lock);
  lines->text = g_string_new (NULL);
  gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (add_line, lines, NULL);
  gst_debug_set_threshold_for_name ("shmframesink", GST_LEVEL_INFO);
}

static void
lines_stop (Lines * lines)
{
  gst_debug_set_threshold_for_name ("shmframesink", GST_LEVEL_ERROR);
  gst_debug_remove_log_function (add_line);
  gst_debug_add_log_function (gst_debug_log_default, NULL, NULL);
  g_string_free (lines->text, TRUE);
  g_mutex_clear (&lines->lock);
}

/* Is there a line with both? */
static gboolean
lines_have (Lines * lines, const gchar * what, const gchar * why)
{
  gboolean have = FALSE;
  gchar **all;

  g_mutex_lock (&lines->lock);
  all = g_strsplit (lines->text->str, "\n", -1);
  g_mutex_unlock (&lines->lock);
  for (guint i = 0; all[i] != NULL; i++)
    have |= strstr (all[i], what) != NULL && strstr (all[i], why) != NULL;
  g_strfreev (all);
  return have;
}

/* Waits for a line that says how many slots there are now, and why. */
static void
expect_slots (Lines * lines, GstElement * sink, const gchar * why)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000 / 3;
  gboolean have = FALSE;

  while (!have) {
    gchar *what = g_strdup_printf ("%u slots", (guint) rig_stat (sink,
            "slots"));

    have = lines_have (lines, what, why);
    fail_unless (have || g_get_monotonic_time () < end,
        "no '%s', '%s' in:\n%s", what, why, lines->text->str);
    g_free (what);
    g_usleep (1000);
  }
}

/* What the ring takes is told before the first frame, and of each growth how
 * far and for whom. */
GST_START_TEST (test_growth_is_told)
{
  GstHarness *h;
  GstElement *consumer;
  GPtrArray *kept = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_buffer_unref);
  GstBufferPool *pool;
  Lines lines;
  gchar *who;

  lines_start (&lines);
  h = rig_harness (rig_element ("shmframesink", NULL));
  fail_unless (lines_have (&lines, "serving",
          "1073741824 bytes of frames at most"));
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  who = g_strdup_printf ("of 4096 bytes in 1 segments, %" G_GUINT64_FORMAT
      " bytes in all", rig_stat (h->element, "segment-bytes"));
  expect_slots (&lines, h->element, who);
  g_free (who);

  consumer = rig_launch ("shmframesrc name=eye socket-path=@ max-held=50 ! "
      "fakesink async=false");
  rig_play (consumer);
  rig_until (rig_stat (h->element, "growths") == 1);
  who = g_strdup_printf ("since client 1 (eye of pid %d) wants to hold 50 "
      "frames",
      (gint) getpid ());
  expect_slots (&lines, h->element, who);
  g_free (who);

  pool = rig_pool (h);
  while (rig_stat (h->element, "growths") == 1 && kept->len < 400)
    g_ptr_array_add (kept, rig_acquire (pool));
  /* which goes on with ordinary memory meanwhile */
  rig_until (rig_stat (h->element, "growths") > 1);
  expect_slots (&lines, h->element, "since upstream keeps so many");
  g_ptr_array_unref (kept);
  rig_drop_pool (pool);
  rig_stop (consumer);
  gst_harness_teardown (h);
  lines_stop (&lines);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_growth_is_told);
  tcase_add_test (tc, test_qos_of_sink);
  tcase_add_test (tc, test_qos_of_src);
  tcase_add_test (tc, test_lag);
  tcase_add_test (tc, test_counts_survive);
  tcase_add_test (tc, test_handover);
  tcase_add_test (tc, test_dot);
}

RIG_SUITE (shmframe_accounting)
