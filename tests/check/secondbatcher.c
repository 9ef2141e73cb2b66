/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows and counts: what goes into which batch */
#include "batchrig.h"

#define MS GST_MSECOND

/* case 1: 50 and 25 fps in windows of 200 ms */
GST_START_TEST (test_two_rates)
{
  Rig rig;
  guint i;

  rig_init (&rig, 2, FALSE, "batch-duration", 200 * MS, NULL);
  rig_set_caps (&rig, 0, 50, 1);
  rig_set_caps (&rig, 1, 25, 1);
  for (i = 0; i < 50; i++) {
    rig_push (&rig, 0, i * 20 * MS);
    if (i % 2 == 0)
      rig_push (&rig, 1, i * 20 * MS);
  }
  rig_eos (&rig);
  for (i = 0; i < 5; i++) {
    GstBuffer *batch = rig_pull (&rig);

    fail_unless_equals_uint64 (gst_second_batch_get_index (batch), i);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), i * 200 * MS);
    fail_unless_equals_int (batch_count (batch, 0), 10);
    fail_unless_equals_int (batch_count (batch, 1), 5);
    fail_unless_equals_int (gst_second_batch_get_count (batch, "expected", 0),
        10);
    fail_unless_equals_int (gst_second_batch_get_count (batch, "expected", 1),
        5);
    gst_buffer_unref (batch);
  }
  rig_wait_eos (&rig);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 2: the last batch may lack frames, but not duration */
GST_START_TEST (test_eos_pushes_partial)
{
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  rig_set_caps (&rig, 1, 25, 1);
  rig_push_n (&rig, 0, 0, 40 * MS, 1);
  rig_push_n (&rig, 1, 0, 40 * MS, 4);
  rig_push_n (&rig, 0, 40 * MS, 40 * MS, 6);
  rig_eos (&rig);

  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 7);
  fail_unless_equals_int (batch_count (batch, 1), 4);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (batch), GST_SECOND);
  fail_unless_equals_uint64 (gst_second_batch_get_window_duration (batch),
      GST_SECOND);
  gst_buffer_unref (batch);
  rig_wait_eos (&rig);
  fail_unless_equals_int (gst_harness_buffers_in_queue (rig.h[0]), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 3 */
GST_START_TEST (test_event_order)
{
  static const GstEventType order[] = { GST_EVENT_STREAM_START, GST_EVENT_CAPS,
    GST_EVENT_SEGMENT, GST_EVENT_EOS
  };
  Rig rig;
  guint i;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  rig_push_n (&rig, 0, 0, 40 * MS, 60);
  rig_eos (&rig);
  rig_expect (&rig, 0, 25, 0);
  rig_expect (&rig, 1, 25, 0);
  rig_expect (&rig, 2, 10, 0);
  for (i = 0; i < G_N_ELEMENTS (order); i++) {
    GstEvent *event = gst_harness_pull_event (rig.h[0]);

    fail_unless (event != NULL);
    fail_unless_equals_string (GST_EVENT_TYPE_NAME (event),
        gst_event_type_get_name (order[i]));
    gst_event_unref (event);
  }
  rig_clear (&rig);
}

GST_END_TEST;

/* case 4 */
GST_START_TEST (test_duplicate_pts)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  rig_push (&rig, 0, 0);
  rig_push (&rig, 0, 40 * MS);
  rig_push (&rig, 0, 40 * MS);
  rig_push (&rig, 0, 40 * MS);
  rig_eos (&rig);
  rig_expect (&rig, 0, 4, 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 6: also one tolerance below the boundary, and not one below that */
GST_START_TEST (test_boundary)
{
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  rig_push (&rig, 0, 0);
  rig_push (&rig, 0, 995 * MS - 1);
  rig_push (&rig, 0, 995 * MS);
  rig_push (&rig, 0, 2 * GST_SECOND);
  rig_eos (&rig);
  rig_expect (&rig, 0, 2, 0);
  rig_expect (&rig, 1, 1, 0);
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch_frame (batch, 0, 0)),
      2 * GST_SECOND);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

static const struct
{
  gint fps_n, fps_d;
  guint low, high;              /* frames a second */
} rates[] = {
  {30, 1, 30, 30}, {30000, 1001, 29, 30}, {24000, 1001, 23, 24},
  {60000, 1001, 59, 60}, {1, 1, 1, 1}
};

static void
check_second (GstBuffer * batch, guint index, guint rate, gboolean exact)
{
  guint count = batch_count (batch, 0);

  fail_unless (count >= rates[rate].low && count <= rates[rate].high,
      "%u frames in second %u", count, index);
  if (exact)
    fail_unless_equals_int (count, gst_second_batch_get_count (batch,
            "expected", 0));
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), index);
  gst_buffer_unref (batch);
}

/* case 7: an hour of a rate whose timestamps are exact, or the sum of rounded
 * ones; its last second stays open */
GST_START_TEST (test_rates_for_an_hour)
{
  const guint rate = __i__ / 2;
  const gboolean exact = __i__ % 2;
  const guint64 fps_n = rates[rate].fps_n, fps_d = rates[rate].fps_d;
  GstClockTime step = gst_util_uint64_scale (GST_SECOND, fps_d, fps_n);
  GstClockTime pts = 0;
  guint index = 0, n = 0;
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, (gint) fps_n, (gint) fps_d);
  while (pts < 3600 * GST_SECOND) {
    rig_push (&rig, 0, pts);
    n++;
    pts = exact ? gst_util_uint64_scale (n, fps_d * GST_SECOND, fps_n) :
        pts + step;
    if (n % 60 == 0)
      while ((batch = gst_harness_try_pull (rig.h[0])))
        check_second (batch, index++, rate, exact);
  }
  while (index < 3599)
    check_second (rig_pull (&rig), index++, rate, exact);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 7, without a framerate: the frame's own duration makes the tolerance */
GST_START_TEST (test_variable_rate)
{
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 0, 1);
  rig_push (&rig, 0, 0);
  rig_push (&rig, 0, 999 * MS);
  gst_harness_push (rig.h[0], rig_frame (1999 * MS, 80 * MS));
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 2);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "expected", 0), 0);
  gst_buffer_unref (batch);
  rig_expect (&rig, 1, 0, 0);
  rig_expect (&rig, 2, 1, 0);
  rig_clear (&rig);
}

GST_END_TEST;

GST_START_TEST (test_overlapping_windows)
{
  GstBuffer *one, *two;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, "hop", 500 * MS, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push_n (&rig, 0, 0, 100 * MS, 20);
  rig_eos (&rig);

  one = rig_pull (&rig);
  two = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_window_start (two),
      500 * MS);
  fail_unless_equals_int (batch_count (one, 0), 10);
  fail_unless_equals_int (batch_count (two, 0), 10);
  for (i = 0; i < 5; i++)
    fail_unless (batch_frame (one, 0, i + 5) == batch_frame (two, 0, i));
  gst_buffer_unref (one);
  gst_buffer_unref (two);
  rig_expect (&rig, 2, 10, 0);
  rig_expect (&rig, 3, 5, 0);
  rig_wait_eos (&rig);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-dropped"), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* --- frames and fill --- */

static void
push_counts (Rig * rig, const guint * counts, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    rig_push_n (rig, 0, i * GST_SECOND, 10 * MS, counts[i]);
  rig_eos (rig);
}

GST_START_TEST (test_fill_repeat_last)
{
  static const guint counts[] = { 3, 7, 0, 5 };
  GstBuffer *batch;
  GstBuffer *last;
  Rig rig;

  rig_init (&rig, 1, FALSE, "frames", 5, NULL);
  rig_set_caps (&rig, 0, 0, 1);
  push_counts (&rig, counts, 4);

  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 5);
  fail_unless (batch_frame (batch, 0, 4) == batch_frame (batch, 0, 2));
  gst_buffer_unref (batch);

  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 5);
  last = batch_frame (batch, 0, 4);
  gst_buffer_unref (batch);

  /* nothing in the window: the stream's last frame is from before */
  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 5);
  fail_unless (batch_frame (batch, 0, 0) == last);
  gst_buffer_unref (batch);

  rig_expect (&rig, 3, 5, 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-dropped"), 2);
  rig_clear (&rig);
}

GST_END_TEST;

GST_START_TEST (test_fill_drop_excess)
{
  static const guint counts[] = { 3, 7 };
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, "frames", 5, NULL);
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "fill", "drop-excess");
  rig_set_caps (&rig, 0, 0, 1);
  push_counts (&rig, counts, 2);
  rig_expect (&rig, 0, 3, 0);
  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 5);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", 0), 2);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

static gchar *
pop_error (GstBus * bus)
{
  GstMessage *message = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE,
      GST_MESSAGE_ERROR);
  GError *error = NULL;
  gchar *text;

  fail_unless (message != NULL, "no error came");
  gst_message_parse_error (message, &error, NULL);
  text = g_strdup (error->message);
  g_error_free (error);
  gst_message_unref (message);
  return text;
}

GST_START_TEST (test_fill_error)
{
  GstBus *bus = gst_bus_new ();
  gchar *text;
  Rig rig;

  rig_init (&rig, 1, FALSE, "frames", 5, NULL);
  gst_element_set_bus (rig.batcher, bus);
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "fill", "error");
  rig_set_caps (&rig, 0, 0, 1);
  rig_push_n (&rig, 0, 0, 10 * MS, 3);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  text = pop_error (bus);
  fail_unless (strstr (text, "sink_0 has 3 frames") != NULL, "%s", text);
  g_free (text);
  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
  rig_clear (&rig);
}

GST_END_TEST;

/* --- format --- */

/* All fields of the table, and nothing else */
GST_START_TEST (test_fields)
{
  static const gchar *fields[] = { "version", "index", "window-start",
    "window-duration", "align", "n-streams", "buffers-0", "caps-0",
    "segment-0", "stream-id-0", "frames-0", "expected-0", "late-0",
    "dropped-0", "contiguous-0", "frame-stride-0"
  };
  const GstStructure *s;
  GstCaps *caps, *again;
  GstBuffer *batch;
  guint64 stride = 1;
  gchar *text;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  rig_push (&rig, 0, 0);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  s = gst_second_batch_get_structure (batch);
  for (i = 0; i < G_N_ELEMENTS (fields); i++)
    fail_unless (gst_structure_has_field (s, fields[i]), "%s", fields[i]);
  fail_unless_equals_int (gst_structure_n_fields (s), G_N_ELEMENTS (fields));
  fail_unless_equals_string (gst_structure_get_string (s, "align"),
      "running-time");
  fail_unless_equals_int (gst_second_batch_get_n_streams (batch), 1);
  fail_unless_equals_int (gst_buffer_n_memory (batch), 0);
  fail_unless (gst_second_batch_get_stream_id (batch, 0) != NULL);
  fail_unless_equals_int (gst_second_batch_get_segment (batch, 0)->format,
      GST_FORMAT_TIME);
  /* one frame is an array of one */
  fail_unless (gst_second_batch_is_contiguous (batch, 0, &stride));
  fail_unless_equals_uint64 (stride, FRAME_BYTES);
  /* a stream that does not exist is no error */
  fail_unless (gst_second_batch_get_buffers (batch, 1) == NULL);
  fail_unless (gst_second_batch_get_caps (batch, 1) == NULL);

  caps = gst_pad_get_current_caps (rig.h[0]->sinkpad);
  text = gst_caps_to_string (caps);
  again = gst_caps_from_string (text);
  fail_unless (gst_caps_is_fixed (caps));
  fail_unless (again && gst_caps_is_equal (caps, again), "%s", text);
  fail_unless (strstr (text, "batch-duration=(guint64)1000000000") != NULL,
      "%s", text);
  fail_unless (strstr (text, "framerate=(fraction)25/1") != NULL, "%s", text);
  g_free (text);
  gst_caps_unref (caps);
  gst_caps_unref (again);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

/* sink_10 after sink_2, in whatever order they were requested */
GST_START_TEST (test_pad_order)
{
  static const gchar *names[] = { "sink_10", "sink_2" };
  GstElement *batcher = gst_element_factory_make ("secondbatcher", NULL);
  GstHarness *h[2];
  GstBuffer *batch;
  guint i;

  for (i = 0; i < 2; i++) {
    h[i] = rig_harness (batcher, names[i], i == 0, FALSE);
    gst_harness_set_src_caps (h[i], rig_caps (i == 0 ? 10 : 2, 1));
  }
  for (i = 0; i < 2; i++) {
    gst_harness_push (h[i], rig_frame (0, GST_CLOCK_TIME_NONE));
    gst_harness_push_event (h[i], gst_event_new_eos ());
  }
  batch = gst_harness_pull (h[0]);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "expected", 0), 2);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "expected", 1),
      10);
  gst_buffer_unref (batch);
  gst_harness_teardown (h[1]);
  gst_harness_teardown (h[0]);
  gst_object_unref (batcher);
}

GST_END_TEST;

GST_START_TEST (test_messages_and_stats)
{
  GstBus *bus = gst_bus_new ();
  const GstStructure *s;
  GstMessage *message;
  guint64 index = 5;
  guint frames = 0;
  Rig rig;

  rig_init (&rig, 2, FALSE, "post-messages", TRUE, NULL);
  gst_element_set_bus (rig.batcher, bus);
  rig_set_caps (&rig, 0, 25, 1);
  rig_set_caps (&rig, 1, 25, 1);
  rig_push (&rig, 0, 0);
  rig_push (&rig, 1, 0);
  rig_push (&rig, 1, 40 * MS);
  rig_eos (&rig);
  message = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE,
      GST_MESSAGE_ELEMENT);
  fail_unless (message != NULL);
  s = gst_message_get_structure (message);
  fail_unless (gst_structure_has_name (s, "second-batch"));
  fail_unless (gst_structure_get_uint64 (s, "index", &index) && index == 0);
  fail_unless (gst_structure_get_uint (s, "frames-1", &frames) && frames == 2);
  fail_unless (gst_structure_get_uint (s, "expected-1", &frames)
      && frames == 25);
  fail_unless (gst_structure_has_field (s, "late-0"));
  fail_unless (gst_structure_has_field (s, "dropped-0"));
  gst_message_unref (message);

  rig_expect (&rig, 0, 1, 2);
  rig_wait_eos (&rig);
  fail_unless_equals_uint64 (rig_stat (&rig, "batches"), 1);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-frames"), 2);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-held"), 0);
  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_two_rates);
  tcase_add_test (tc, test_eos_pushes_partial);
  tcase_add_test (tc, test_event_order);
  tcase_add_test (tc, test_duplicate_pts);
  tcase_add_test (tc, test_boundary);
  tcase_add_loop_test (tc, test_rates_for_an_hour, 0,
      2 * G_N_ELEMENTS (rates));
  tcase_add_test (tc, test_variable_rate);
  tcase_add_test (tc, test_overlapping_windows);
  tcase_add_test (tc, test_fill_repeat_last);
  tcase_add_test (tc, test_fill_drop_excess);
  tcase_add_test (tc, test_fill_error);
  tcase_add_test (tc, test_fields);
  tcase_add_test (tc, test_pad_order);
  tcase_add_test (tc, test_messages_and_stats);
}

BATCH_SUITE (secondbatcher)
