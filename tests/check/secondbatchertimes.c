/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What time a frame has, and what a batch says of its streams */
#include "batchtext.h"

static void
set_ts_offset (Rig * rig, guint pad, gint64 offset)
{
  gchar *name = g_strdup_printf ("sink_%u", pad);
  GstPad *sink = gst_element_get_static_pad (rig->batcher, name);

  g_object_set (sink, "ts-offset", offset, NULL);
  gst_object_unref (sink);
  g_free (name);
}

static void
init_aligned (Rig * rig, guint n, const gchar * align)
{
  guint i;

  rig_init (rig, n, FALSE, NULL);
  gst_element_set_state (rig->batcher, GST_STATE_READY);
  gst_util_set_object_arg (G_OBJECT (rig->batcher), "align", align);
  gst_element_set_state (rig->batcher, GST_STATE_PLAYING);
  for (i = 0; i < n; i++)
    gst_harness_push_event (rig->h[i], gst_event_new_stream_start ("s"));
}

/* The first frame is the first one, not the one whose tolerance is least */
GST_START_TEST (test_zero)
{
  GstBuffer *batch;
  Rig rig;

  init_aligned (&rig, 2, "first-frame");
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 50, 1);
  rig_push (&rig, 0, 100 * MS);
  rig_push (&rig, 1, 105 * MS);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), 100 * MS);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (batch), GST_SECOND);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

/* What lies before time 0 is in window 0, in order of time */
GST_START_TEST (test_before_zero)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  set_ts_offset (&rig, 0, -(gint64) GST_SECOND);
  text_begin (&rig);
  text_push (&rig, 0, 4, 400);
  text_push (&rig, 0, 4, 200);
  text_push (&rig, 0, 4, 300);
  text_push (&rig, 0, 4, 1500);
  text_push (&rig, 0, 4, 2000);
  rig_eos (&rig);
  text_expect (&rig, "0: 4 200 300 400 1500");
  text_expect (&rig, "1: 4 2000");
  text_end (&rig);
}

GST_END_TEST;

/* A frame counts with what of it is inside the segment; if nothing is, it is
 * dropped, and that is told */
GST_START_TEST (test_segment_bounds)
{
  GstBuffer *batch;
  gchar *text;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  text_begin (&rig);
  text_segment (&rig, 0, 1.0, 1020 * MS, 3000 * MS);
  text_push (&rig, 0, 4, 900);
  text_push (&rig, 0, 4, 1000);
  text_push (&rig, 0, 4, 2010);
  text_push (&rig, 0, 4, 3000);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  text = text_of_batch (batch);
  fail_unless_equals_string (text, "0: 4 1000 2010");
  fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", 0), 2);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "late", 0), 0);
  g_free (text);
  gst_buffer_unref (batch);
  text_end (&rig);
}

GST_END_TEST;

/* A slow stream's tolerance is less than a window */
GST_START_TEST (test_bounded_tolerance)
{
  GstCaps *caps = text_caps (4, 1);
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, "batch-duration", 100 * MS, NULL);
  gst_harness_set_src_caps (rig.h[0], caps);
  text_push (&rig, 0, 4, 1000);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 10);
  gst_buffer_unref (batch);
  text_end (&rig);
}

GST_END_TEST;

static void
check_expected (const gchar * caps, gdouble rate, guint expected)
{
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  gst_harness_set_src_caps_str (rig.h[0], caps);
  text_segment (&rig, 0, rate, 0, 10 * GST_SECOND);
  text_push (&rig, 0, 4, rate > 0 ? 0 : 9960);
  text_push (&rig, 0, 4, rate > 0 ? 9960 : 0);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "expected", 0),
      expected);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_START_TEST (test_expected)
{
#define CAPS "video/x-raw,format=GRAY8,width=4,height=2,framerate=25/1"
  check_expected (CAPS, 1.0, 25);
  check_expected (CAPS, 2.0, 50);
  check_expected (CAPS, -0.5, 13);
  check_expected (CAPS ",interlace-mode=interleaved", 1.0, 25);
  check_expected ("video/x-raw(format:Interlaced),format=GRAY8,width=4,"
      "height=2,framerate=25/1,interlace-mode=alternate", 1.0, 50);
}

GST_END_TEST;

/* Of a recording that says what time it was, batches are in running time */
GST_START_TEST (test_reference_pts)
{
  GstCaps *reference = gst_caps_new_empty_simple ("timestamp/x-unix");
  guint i;
  Rig rig;

  init_aligned (&rig, 1, "reference-timestamp");
  text_begin (&rig);
  for (i = 0; i < 60; i++) {
    GstBuffer *buffer = rig_frame (300 * MS + i * 40 * MS, 40 * MS);

    gst_buffer_add_reference_timestamp_meta (buffer, reference,
        1700000000 * GST_SECOND + i * 40 * MS, GST_CLOCK_TIME_NONE);
    fail_unless_equals_int (gst_harness_push (rig.h[0], buffer), GST_FLOW_OK);
  }
  rig_eos (&rig);
  for (i = 0; i < 3; i++) {
    GstBuffer *batch = rig_pull (&rig);

    fail_unless_equals_uint64 (gst_second_batch_get_index (batch),
        1700000000 + i);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (batch),
        300 * MS + i * GST_SECOND);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (batch), GST_SECOND);
    gst_buffer_unref (batch);
  }
  gst_caps_unref (reference);
  text_end (&rig);
}

GST_END_TEST;

/* A stream without frames has the format of what shows that it has none */
GST_START_TEST (test_format_of_nothing)
{
  guint i;

  for (i = 0; i < 10; i++) {
    Rig rig;

    rig_init (&rig, 2, FALSE, NULL);
    text_begin (&rig);
    text_push (&rig, 1, 4, 0);
    text_push (&rig, 0, 4, 0);
    text_set_width (&rig, 0, 8);
    text_push (&rig, 0, 8, 3000);
    text_push (&rig, 1, 4, 1000);
    text_push (&rig, 1, 4, 2000);
    rig_eos (&rig);
    text_expect (&rig, "0: 4 0; 4 0");
    text_expect (&rig, "1: 8 -; 4 1000");
    text_expect (&rig, "2: 8 -; 4 2000");
    text_expect (&rig, "3: 8 3000; 4 -");
    text_end (&rig);
  }
}

GST_END_TEST;

/* Each window that contains the first frame has it */
GST_START_TEST (test_first_overlapping)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, "hop", 500 * MS, NULL);
  text_begin (&rig);
  text_push (&rig, 0, 4, 3200);
  text_push (&rig, 0, 4, 3600);
  rig_eos (&rig);
  text_expect (&rig, "5: 4 3200");
  text_expect (&rig, "6: 4 3200 3600");
  text_expect (&rig, "7: 4 3600");
  text_end (&rig);
}

GST_END_TEST;

static void
expect_counts (Rig * rig, guint frames, guint dropped)
{
  GstBuffer *batch = rig_pull (rig);

  fail_unless_equals_int (batch_count (batch, 0), frames);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", 0),
      dropped);
  gst_buffer_unref (batch);
}

/* An excess frame that the next window has is not dropped, but one that leaves
 * without having been anywhere is, with the batch that leaves it out */
GST_START_TEST (test_overlapping_excess)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, "hop", 500 * MS, "frames", 2, NULL);
  text_begin (&rig);
  text_push (&rig, 0, 4, 0);
  text_push (&rig, 0, 4, 40);
  text_push (&rig, 0, 4, 80);
  text_push (&rig, 0, 4, 600);
  text_push (&rig, 0, 4, 640);
  rig_eos (&rig);
  expect_counts (&rig, 2, 1);
  expect_counts (&rig, 2, 0);
  text_end (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_zero);
  tcase_add_test (tc, test_before_zero);
  tcase_add_test (tc, test_segment_bounds);
  tcase_add_test (tc, test_bounded_tolerance);
  tcase_add_test (tc, test_expected);
  tcase_add_test (tc, test_reference_pts);
  tcase_add_test (tc, test_format_of_nothing);
  tcase_add_test (tc, test_first_overlapping);
  tcase_add_test (tc, test_overlapping_excess);
}

BATCH_SUITE (secondbatchertimes)
