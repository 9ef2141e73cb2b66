/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Live pipelines: deadlines, silence, latency. The clock moves when cranked. */
#include "batchrig.h"

#define MS GST_MSECOND

static void
rig_init_live (Rig * rig, guint n)
{
  guint i;

  rig_init (rig, n, TRUE, NULL);
  for (i = 0; i < n; i++)
    rig_set_caps (rig, i, 25, 1);
}

/* Lets the deadline that the batcher waits for pass */
static void
crank (Rig * rig, GstClockTime expected)
{
  GstTestClock *clock = gst_harness_get_testclock (rig->h[0]);
  GstClockID id;

  gst_test_clock_wait_for_next_pending_id (clock, &id);
  fail_unless_equals_uint64 (gst_clock_id_get_time (id), expected);
  gst_clock_id_unref (id);
  fail_unless (gst_test_clock_crank (clock));
  gst_object_unref (clock);
}

/* Time enough for the batcher's thread to do what it should not do */
static void
expect_nothing (Rig * rig, guint pending_ids)
{
  GstTestClock *clock = gst_harness_get_testclock (rig->h[0]);
  guint i;

  for (i = 0; i < 10000; i++) {
    g_thread_yield ();
    fail_unless_equals_int (gst_harness_buffers_in_queue (rig->h[0]), 0);
    fail_unless (gst_test_clock_peek_id_count (clock) <= pending_ids);
  }
  gst_object_unref (clock);
}

/* cases 18 and 5: one pad is silent from the start, its caps come much later */
GST_START_TEST (test_silent_pad)
{
  Rig rig;
  guint i;

  rig_init (&rig, 2, TRUE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  for (i = 0; i < 5; i++) {
    rig_push_n (&rig, 0, i * GST_SECOND, 40 * MS, 25);
    crank (&rig, (i + 1) * GST_SECOND);
    rig_expect (&rig, i, 25, 0);
  }
  rig_set_caps (&rig, 1, 50, 1);
  rig_push_n (&rig, 0, 5 * GST_SECOND, 40 * MS, 25);
  rig_push_n (&rig, 1, 5 * GST_SECOND, 20 * MS, 50);
  rig_push (&rig, 0, 6 * GST_SECOND);
  rig_push (&rig, 1, 6 * GST_SECOND);
  rig_expect (&rig, 5, 25, 50);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-dropped"), 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "incomplete-batches"), 5);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 18: while one pad is silent, the other's frames of the time between the
 * end of the window and the deadline find room */
GST_START_TEST (test_silent_pad_with_latency)
{
  Rig rig;
  guint i;

  rig_init_live (&rig, 2);
  g_object_set (rig.batcher, "latency", 500 * MS, NULL);
  rig_push_n (&rig, 0, 0, 40 * MS, 37);
  crank (&rig, 1500 * MS);
  rig_expect (&rig, 0, 25, 0);
  for (i = 1; i < 4; i++) {
    rig_push_n (&rig, 0, i * GST_SECOND + 480 * MS, 40 * MS, 25);
    crank (&rig, i * GST_SECOND + 1500 * MS);
    rig_expect (&rig, i, 25, 0);
  }
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-dropped"), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 9 */
GST_START_TEST (test_empty_window)
{
  GstBuffer *batch;
  Rig rig;

  rig_init_live (&rig, 1);
  rig_push_n (&rig, 0, 0, 40 * MS, 25);
  crank (&rig, GST_SECOND);
  rig_expect (&rig, 0, 25, 0);
  crank (&rig, 2 * GST_SECOND);
  rig_expect (&rig, 1, 0, 0);
  rig_push (&rig, 0, 2300 * MS);
  crank (&rig, 3 * GST_SECOND);
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 2);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), 2 * GST_SECOND);
  fail_unless_equals_int (batch_count (batch, 0), 1);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

static void
check_late (const gchar * policy, guint kept)
{
  GstBuffer *batch;
  Rig rig;

  rig_init_live (&rig, 2);
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "late", policy);
  rig_push_n (&rig, 0, 0, 40 * MS, 25);
  rig_push_n (&rig, 1, 0, 40 * MS, 23);
  crank (&rig, GST_SECOND);
  rig_expect (&rig, 0, 25, 23);

  rig_push_n (&rig, 1, 920 * MS, 40 * MS, 27);
  rig_push_n (&rig, 0, GST_SECOND, 40 * MS, 25);
  crank (&rig, 2 * GST_SECOND);
  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 25);
  fail_unless_equals_int (batch_count (batch, 1), 25 + kept);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "late", 1), 2);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", 1),
      2 - kept);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "late", 0), 0);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch_frame (batch, 1, 0)),
      kept ? 920 * MS : GST_SECOND);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

/* case 10 */
GST_START_TEST (test_late)
{
  check_late ("drop", 0);
  check_late ("next", 2);
}

GST_END_TEST;

/* case 19 */
GST_START_TEST (test_first_frame_at_an_hour)
{
  Rig rig;

  rig_init_live (&rig, 2);
  rig_push_n (&rig, 0, 3600 * GST_SECOND + 500 * MS, 40 * MS, 12);
  crank (&rig, 3601 * GST_SECOND);
  rig_expect (&rig, 3600, 12, 0);
  fail_unless_equals_int (gst_harness_buffers_in_queue (rig.h[0]), 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "batches"), 1);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 28: not a step of the clock is needed */
GST_START_TEST (test_early_push)
{
  Rig rig;

  rig_init_live (&rig, 2);
  rig_push_n (&rig, 0, 0, 40 * MS, 1);
  rig_push_n (&rig, 1, 0, 40 * MS, 26);
  fail_unless_equals_int (gst_harness_buffers_in_queue (rig.h[0]), 0);
  rig_push_n (&rig, 0, 40 * MS, 40 * MS, 25);
  rig_expect (&rig, 0, 25, 25);
  rig_clear (&rig);
}

GST_END_TEST;

static void
check_latency (Rig * rig, GstClockTime min, GstClockTime max)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime got_min, got_max;
  gboolean live;

  fail_unless (gst_pad_peer_query (rig->h[0]->sinkpad, query));
  gst_query_parse_latency (query, &live, &got_min, &got_max);
  fail_unless (live);
  fail_unless_equals_uint64 (got_min, min);
  fail_unless_equals_uint64 (got_max, max);
  gst_query_unref (query);
}

/* case 26 */
GST_START_TEST (test_latency)
{
  GstBus *bus = gst_bus_new ();
  GstClockTime latency;
  GstMessage *message;
  Rig rig;
  guint i;

  rig_upstream_latency = 40 * MS;
  rig_init (&rig, 2, TRUE, "latency", 100 * MS, NULL);
  rig_upstream_latency = 0;
  gst_element_set_bus (rig.batcher, bus);
  for (i = 0; i < 2; i++)
    rig_set_caps (&rig, i, 25, 1);
  check_latency (&rig, 1140 * MS, GST_CLOCK_TIME_NONE);

  /* the deadline is that of the answer */
  rig_push_n (&rig, 0, 0, 40 * MS, 25);
  crank (&rig, 1140 * MS);
  rig_expect (&rig, 0, 25, 0);

  gst_bus_set_flushing (bus, TRUE);
  gst_bus_set_flushing (bus, FALSE);
  g_object_set (rig.batcher, "latency", 300 * MS, NULL);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_LATENCY);
  fail_unless (message != NULL, "the change was not announced");
  gst_message_unref (message);
  g_object_get (rig.batcher, "latency", &latency, NULL);
  fail_unless_equals_uint64 (latency, 300 * MS);
  check_latency (&rig, 1340 * MS, GST_CLOCK_TIME_NONE);

  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 8, live: with incomplete=wait no deadline cuts a window short */
GST_START_TEST (test_wait)
{
  GstTestClock *clock;
  Rig rig;

  rig_init (&rig, 2, TRUE, NULL);
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "incomplete", "wait");
  rig_set_caps (&rig, 0, 25, 1);
  rig_set_caps (&rig, 1, 25, 1);
  rig_push_n (&rig, 0, 0, 40 * MS, 26);
  expect_nothing (&rig, 0);
  clock = gst_harness_get_testclock (rig.h[0]);
  gst_test_clock_set_time (clock, 30 * GST_SECOND);
  gst_object_unref (clock);
  rig_push_n (&rig, 1, 0, 40 * MS, 26);
  rig_expect (&rig, 0, 25, 25);
  rig_clear (&rig);
}

GST_END_TEST;

/* A deadline that is already waited for does not count once that is off */
GST_START_TEST (test_wait_from_now_on)
{
  GstTestClock *clock;
  Rig rig;

  rig_init_live (&rig, 2);
  rig_push_n (&rig, 0, 0, 40 * MS, 25);
  crank (&rig, GST_SECOND);
  rig_expect (&rig, 0, 25, 0);
  rig_push_n (&rig, 0, GST_SECOND, 40 * MS, 26);
  clock = gst_harness_get_testclock (rig.h[0]);
  gst_test_clock_wait_for_next_pending_id (clock, NULL);
  gst_object_unref (clock);
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "incomplete", "wait");
  crank (&rig, 2 * GST_SECOND);
  expect_nothing (&rig, 0);
  rig_push_n (&rig, 1, GST_SECOND, 40 * MS, 26);
  rig_expect (&rig, 1, 25, 25);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 20 */
GST_START_TEST (test_pause_and_reuse)
{
  Rig rig;
  guint i;

  rig_init_live (&rig, 2);
  for (i = 0; i < 3; i++) {
    rig_push_n (&rig, 0, 0, 40 * MS, 10);
    rig_push_n (&rig, 1, 0, 40 * MS, 10);
    gst_element_set_state (rig.batcher, GST_STATE_PAUSED);
    gst_element_set_state (rig.batcher, GST_STATE_PLAYING);
    rig_push_n (&rig, 0, 400 * MS, 40 * MS, 16);
    rig_push_n (&rig, 1, 400 * MS, 40 * MS, 16);
    rig_expect (&rig, 0, 25, 25);

    gst_element_set_state (rig.batcher, GST_STATE_READY);
    fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-held"), 0);
    gst_element_set_state (rig.batcher, GST_STATE_PLAYING);
    gst_harness_push_event (rig.h[0], gst_event_new_stream_start ("again"));
    gst_harness_push_event (rig.h[1], gst_event_new_stream_start ("again"));
    rig_set_caps (&rig, 0, 25, 1 + (gint) i);
    rig_set_caps (&rig, 1, 25, 1 + (gint) i);
  }
  rig_clear (&rig);
}

GST_END_TEST;

/* case 21 */
GST_START_TEST (test_pads_come_and_go)
{
  GstHarness *late;
  Rig rig;

  rig_init_live (&rig, 2);
  rig_push_n (&rig, 0, 0, 40 * MS, 10);
  rig_push_n (&rig, 1, 0, 40 * MS, 26);
  gst_harness_teardown (rig.h[1]);
  rig.h[1] = NULL;
  rig.n = 1;

  /* the window no longer waits for the pad that has gone */
  rig_push_n (&rig, 0, 400 * MS, 40 * MS, 16);
  rig_expect (&rig, 0, 25, 0);

  late = gst_harness_new_with_element (rig.batcher, "sink_7", NULL);
  gst_harness_set_src_caps (late, rig_caps (25, 1));
  rig.h[1] = late;
  rig.n = 2;
  rig_push_n (&rig, 1, GST_SECOND, 40 * MS, 26);
  rig_push_n (&rig, 0, GST_SECOND + 40 * MS, 40 * MS, 25);
  rig_expect (&rig, 1, 25, 25);
  rig_clear (&rig);
}

GST_END_TEST;

static void
set_ts_offset (Rig * rig, const gchar * name, gint64 offset)
{
  GstPad *pad = gst_element_get_static_pad (rig->batcher, name);

  g_object_set (pad, "ts-offset", offset, NULL);
  gst_object_unref (pad);
}

/* The first deadline, too, gives the stream that stamps too late, and that has
 * not shown anything yet, its time */
GST_START_TEST (test_deadline_of_skewed_pad)
{
  Rig rig;

  rig_init_live (&rig, 2);
  set_ts_offset (&rig, "sink_1", -300 * (gint64) MS);
  rig_push_n (&rig, 0, 0, 40 * MS, 25);
  crank (&rig, 1300 * MS);
  rig_expect (&rig, 0, 25, 0);
  rig_push_n (&rig, 0, 1000 * MS, 40 * MS, 25);
  rig_push_n (&rig, 1, 1300 * MS, 40 * MS, 25);
  crank (&rig, 2300 * MS);
  rig_expect (&rig, 1, 25, 25);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-late"), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* A pad that begins earlier than the others gets the deadline of its window */
GST_START_TEST (test_start_moves_back)
{
  Rig rig;

  rig_init_live (&rig, 2);
  rig_push (&rig, 0, 2100 * MS);
  rig_wait_stat (&rig, "sink_0-held", 1);
  rig_push (&rig, 1, 1900 * MS);
  rig_wait_stat (&rig, "sink_1-held", 1);
  crank (&rig, 2000 * MS);
  rig_expect (&rig, 1, 0, 1);
  rig_push (&rig, 1, 2140 * MS);
  crank (&rig, 3000 * MS);
  rig_expect (&rig, 2, 1, 1);
  rig_clear (&rig);
}

GST_END_TEST;

/* A gap is not a reason to wait for ever */
GST_START_TEST (test_first_gap)
{
  Rig rig;

  rig_init_live (&rig, 2);
  gst_harness_push_event (rig.h[0], gst_event_new_gap (0, 100 * MS));
  rig_push_n (&rig, 0, 100 * MS, 40 * MS, 10);
  crank (&rig, 1000 * MS);
  rig_expect (&rig, 0, 10, 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* What stands behind frames that were read while another stream was silent does
 * not wait for the deadline, which is in an hour */
GST_START_TEST (test_query_behind_frames)
{
  GstCaps *caps = rig_caps (25, 1);
  Rig rig;
  guint i;

  rig_init (&rig, 2, TRUE, "batch-duration", 3600 * GST_SECOND, NULL);
  for (i = 0; i < 2; i++)
    rig_set_caps (&rig, i, 25, 1);
  /* a wait that has nothing to wait for ends by itself, unlike a test clock's */
  gst_harness_use_systemclock (rig.h[0]);
  for (i = 0; i < 50; i++) {
    GstQuery *query = gst_query_new_allocation (caps, FALSE);

    rig_push_n (&rig, 0, i * 20 * MS, 10 * MS, 2);
    fail_unless (gst_pad_peer_query (rig.h[0]->srcpad, query));
    gst_query_unref (query);
  }
  gst_caps_unref (caps);
  rig_clear (&rig);
}

GST_END_TEST;

/* Without being told, half a window: a busy machine is not a silent stream */
GST_START_TEST (test_default_latency)
{
  gint64 latency;
  Rig rig;

  rig_init (&rig, 2, TRUE, "latency", (gint64) -1, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  rig_set_caps (&rig, 1, 25, 1);
  g_object_get (rig.batcher, "latency", &latency, NULL);
  fail_unless (latency == -1);
  check_latency (&rig, 1500 * MS, GST_CLOCK_TIME_NONE);
  rig_push_n (&rig, 0, 0, 40 * MS, 25);
  crank (&rig, 1500 * MS);
  rig_expect (&rig, 0, 25, 0);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_silent_pad);
  tcase_add_test (tc, test_silent_pad_with_latency);
  tcase_add_test (tc, test_empty_window);
  tcase_add_test (tc, test_late);
  /* which thread is faster decides what the queue must hold */
  tcase_add_loop_test (tc, test_first_frame_at_an_hour, 0, 20);
  tcase_add_test (tc, test_early_push);
  tcase_add_test (tc, test_latency);
  tcase_add_test (tc, test_wait);
  tcase_add_test (tc, test_wait_from_now_on);
  tcase_add_test (tc, test_pause_and_reuse);
  tcase_add_test (tc, test_pads_come_and_go);
  tcase_add_test (tc, test_deadline_of_skewed_pad);
  tcase_add_test (tc, test_start_moves_back);
  tcase_add_test (tc, test_first_gap);
  tcase_add_test (tc, test_query_behind_frames);
  tcase_add_test (tc, test_default_latency);
}

BATCH_SUITE (secondbatcherlive)
