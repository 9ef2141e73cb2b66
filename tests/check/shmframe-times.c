/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is part of the stream with timestamps=clock: nothing outside the
 * producer's segment, and nothing from before this pipeline played, unless it
 * is lossless. */
#include "gstsecondbatchmeta.h"
#include "timesrig.h"

/* --- the producer's segment --- */

#define FROM (1010 * MS)        /* in the middle of frame 25 */
#define TO (1520 * MS)          /* where 37 ends and 38 begins */

/* Of 50 frames those come that any sink there would have shown, cut to the
 * segment, forwards and backwards. The others are not lost. */
GST_START_TEST (test_clipped)
{
  gdouble rate = __i__ == 0 ? 1.0 : __i__ == 1 ? -1.0 : 2.0;
  GstSegment segment;

  open_pair ("lossless", "clock", 10 * GST_SECOND);
  push_caps ();
  segment = push_segment (FROM, TO, rate);
  for (guint i = 0; i < 50; i++)
    push_number (rate > 0 ? i : 49 - i);
  for (guint i = 0; i < 13; i++) {
    guint n = rate > 0 ? 25 + i : 37 - i;
    GstClockTime from = MAX (n * 40 * MS, FROM);

    expect_inside (10 * GST_SECOND + gst_segment_to_running_time (&segment,
            GST_FORMAT_TIME, from), (GstClockTime) (((n + 1) * 40 * MS - from)
            / ABS (rate)), FALSE);
  }
  push_segment (FROM, TO + 400 * MS, rate);
  push_number (38);
  gst_buffer_unref (gst_harness_pull (out));
  fail_unless_equals_int (g_queue_get_length (&got), 1);
  fail_unless_equals_uint64 (rig_stat (out->element, "frames"), 14);
  fail_unless_equals_uint64 (rig_stat (out->element, "frames-lost"), 0);
  fail_unless_equals_uint64 (rig_stat (out->element, "frames-before"), 0);
  close_pair ();
}

GST_END_TEST;

/* Where times are kept, the segment crosses, and who is behind it clips */
GST_START_TEST (test_kept)
{
  open_pair ("lossless", "keep", 0);
  push_caps ();
  push_segment (FROM, TO, 1.0);
  for (guint i = 0; i < 50; i++)
    push_number (i);
  for (guint i = 0; i < 50; i++) {
    Got *g = next ();

    fail_unless_equals_uint64 (GST_BUFFER_PTS (g->buffer), i * 40 * MS);
    fail_unless (is_inside (g) == (i >= 25 && i < 38));
    got_free (g);
  }
  close_pair ();
}

GST_END_TEST;

/* DISCONT of a frame that is left out is on the next one */
GST_START_TEST (test_discont)
{
  GstBuffer *frame = rig_frame (0, FRAME_SIZE);

  open_pair ("live", "clock", 10 * GST_SECOND);
  push_caps ();
  push_segment (FROM, TO, 1.0);
  GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_DISCONT);
  fail_unless_equals_int (gst_harness_push (in, frame), GST_FLOW_OK);
  push_number (30);
  push_number (31);
  expect_inside (10 * GST_SECOND + 1200 * MS - FROM, 40 * MS, TRUE);
  expect_inside (10 * GST_SECOND + 1240 * MS - FROM, 40 * MS, FALSE);
  close_pair ();
}

GST_END_TEST;

static void
push_gap (GstClockTime from, GstClockTime to)
{
  fail_unless (gst_harness_push_event (in, gst_event_new_gap (from,
              to - from)));
}

/* The next GAP is this, in the segment that is in force */
static void
expect_gap (GstClockTime from, GstClockTime duration)
{
  GstEvent *event = gst_harness_pull_event (out);
  GstClockTime is_from, is_duration;

  while (event != NULL && GST_EVENT_TYPE (event) != GST_EVENT_GAP) {
    gst_event_unref (event);
    event = gst_harness_pull_event (out);
  }
  fail_unless (event != NULL);
  gst_event_parse_gap (event, &is_from, &is_duration);
  fail_unless_equals_uint64 (is_from, from);
  fail_unless_equals_uint64 (is_duration, duration);
  gst_event_unref (event);
}

GST_START_TEST (test_gaps)
{
  open_pair ("live", "clock", -100 * (GstClockTimeDiff) MS);
  push_caps ();
  push_segment (FROM, TO, 1.0);
  push_gap (0, 900 * MS);
  push_gap (FROM, FROM + 100 * MS);
  /* 100 ms of it are of our time, and 120 ms of this one in the segment */
  push_gap (900 * MS, FROM + 200 * MS);
  push_gap (TO - 120 * MS, TO + 500 * MS);
  push_gap (TO, TO + 500 * MS);
  push_gap (FROM + 450 * MS, FROM + 500 * MS);
  expect_gap (0, 100 * MS);
  expect_gap (TO - 120 * MS - FROM - 100 * MS, 120 * MS);
  expect_gap (350 * MS, 50 * MS);
  close_pair ();
}

GST_END_TEST;

/* --- from before --- */

/* Who joins gets the last frame, with its age, and no part of it reaches into
 * our time; then the stream begins. */
GST_START_TEST (test_latest)
{
  static const struct
  {
    GstClockTime age, duration;
  } cases[] = { {5 * GST_SECOND, 40 * MS}, {10 * MS, 40 * MS}, {1, 40 * MS},
  {40 * MS, 40 * MS}, {5 * GST_SECOND, GST_CLOCK_TIME_NONE}, {3600 *
        GST_SECOND, 0}
  };
  GstClockTime age = cases[__i__ / 2].age;
  GstBuffer *late;

  theirs = 100000 * GST_SECOND;
  open_sink (__i__ % 2 == 0 ? "live" : "lossless");
  push_caps ();
  push_segment (0, GST_CLOCK_TIME_NONE, 1.0);
  push_at (80 * MS, cases[__i__ / 2].duration);
  open_src ("clock", -80 * (GstClockTimeDiff) MS - (GstClockTimeDiff) age);
  expect_before (-(GstClockTimeDiff) age);
  late = rig_frame (0, FRAME_SIZE);
  GST_BUFFER_PTS (late) = 80 * MS + age + 7;
  fail_unless_equals_int (gst_harness_push (in, late), GST_FLOW_OK);
  expect_inside (7, 40 * MS, TRUE);
  push_at (120 * MS + age, 40 * MS);
  expect_inside (40 * MS, 40 * MS, FALSE);
  fail_unless_equals_uint64 (rig_stat (out->element, "frames-before"), 1);
  fail_unless_equals_uint64 (rig_stat (out->element, "frames-lost"), 0);
  close_pair ();
}

GST_END_TEST;

/* What is announced while we are there, of a time before. Live, that is before
 * the start; one segment does for all of them. Lossless, none is lost. */
GST_START_TEST (test_announced)
{
  gboolean lossless = __i__;

  open_pair (lossless ? "lossless" : "live", "clock",
      -1000 * (GstClockTimeDiff) MS);
  push_caps ();
  push_segment (0, GST_CLOCK_TIME_NONE, 1.0);
  for (guint n = 10; n < 14; n++) {
    push_number (n);
    if (lossless)
      expect_inside (0, 40 * MS, FALSE);
    else
      expect_before ((GstClockTimeDiff) (n * 40 * MS) - 1000 * MS);
  }
  fail_unless_equals_int (g_atomic_int_get (&n_segments), lossless ? 1 : 2);
  push_number (25);
  expect_inside (0, 40 * MS, !lossless);
  push_number (26);
  expect_inside (40 * MS, 40 * MS, FALSE);
  fail_unless_equals_int (g_atomic_int_get (&n_segments), lossless ? 1 : 3);
  close_pair ();
}

GST_END_TEST;

/* The pipeline was paused at its 2 s, for 3 s: what was made meanwhile is of no
 * time of ours, since a live source makes nothing then. */
GST_START_TEST (test_after_pause)
{
  gboolean lossless = __i__;

  open_pair (lossless ? "lossless" : "live", "clock", 0);
  push_caps ();
  push_segment (0, GST_CLOCK_TIME_NONE, 1.0);
  push_number (45);
  expect_inside (1800 * MS, 40 * MS, FALSE);
  gst_element_set_start_time (out->element, 2 * GST_SECOND);
  gst_element_set_base_time (out->element, theirs + 3 * GST_SECOND);
  push_at (2500 * MS, 40 * MS);
  push_at (4960 * MS, 40 * MS);
  if (lossless) {
    expect_inside (1800 * MS, 40 * MS, FALSE);
    expect_inside (1960 * MS, 40 * MS, FALSE);
  } else {
    expect_before (-500 * (GstClockTimeDiff) MS);
    expect_before (1960 * MS);
  }
  push_at (5000 * MS, 40 * MS);
  expect_inside (2000 * MS, 40 * MS, !lossless);
  close_pair ();
}

GST_END_TEST;

/* Another source of the pipeline was flushed by a seek: running time begins
 * anew. */
GST_START_TEST (test_after_seek)
{
  open_pair (__i__ == 0 ? "live" : "lossless", "clock", 0);
  push_caps ();
  push_segment (0, GST_CLOCK_TIME_NONE, 1.0);
  push_at (10 * GST_SECOND, 40 * MS);
  expect_inside (10 * GST_SECOND, 40 * MS, FALSE);
  gst_element_set_base_time (out->element, theirs + 12 * GST_SECOND);
  push_at (12500 * MS, 40 * MS);
  expect_inside (500 * MS, 40 * MS, TRUE);
  push_at (12540 * MS, 40 * MS);
  expect_inside (540 * MS, 40 * MS, FALSE);
  close_pair ();
}

GST_END_TEST;

/* A frame of 3 s, where 5 s had come. It is from before if it was there when
 * the source joined again. Where the source was quicker it is one like others,
 * whose PTS does not run backwards. TRUE: from before. */
static gboolean
expect_older (void)
{
  Got *g = next ();
  gboolean before = !is_inside (g);

  fail_unless_equals_int64 (running_time (g),
      before ? 3 * GST_SECOND : 5 * GST_SECOND);
  fail_unless (GST_BUFFER_FLAG_IS_SET (g->buffer, GST_BUFFER_FLAG_DISCONT));
  first_one = FALSE;
  got_free (g);
  return before;
}

/* Another producer at the same place, whose last frame is older than what we
 * had; and one whose last frame is of our time, though of long ago */
GST_START_TEST (test_reconnect)
{
  gboolean older = __i__;
  GstClockTime last = older ? 3 * GST_SECOND : 7 * GST_SECOND;

  open_pair ("live", "clock", 0);
  push_caps ();
  push_segment (0, GST_CLOCK_TIME_NONE, 1.0);
  push_at (5 * GST_SECOND, 40 * MS);
  expect_inside (5 * GST_SECOND, 40 * MS, FALSE);
  gst_harness_teardown (in);
  open_sink ("live");
  push_caps ();
  push_segment (0, GST_CLOCK_TIME_NONE, 1.0);
  push_at (last, 40 * MS);
  if (older)
    older = expect_older ();
  else
    expect_inside (7 * GST_SECOND, 40 * MS, TRUE);
  push_at (9 * GST_SECOND, 40 * MS);
  expect_inside (9 * GST_SECOND, 40 * MS, older);
  close_pair ();
}

GST_END_TEST;

static void
push_batch (GstClockTime window, GstClockTime duration)
{
  GstBuffer *batch = gst_buffer_new ();
  GstBufferList *list = gst_buffer_list_new ();

  gst_second_batch_meta_register ();
  gst_buffer_list_add (list, rig_frame (0, FRAME_SIZE));
  gst_structure_set (gst_custom_meta_get_structure
      (gst_buffer_add_custom_meta (batch, GST_SECOND_BATCH_META_NAME)),
      "version", G_TYPE_UINT, 1, "n-streams", G_TYPE_UINT, 1, "buffers-0",
      GST_TYPE_BUFFER_LIST, list, NULL);
  gst_buffer_list_unref (list);
  GST_BUFFER_PTS (batch) = window;
  GST_BUFFER_DURATION (batch) = duration;
  fail_unless_equals_int (gst_harness_push (in, batch), GST_FLOW_OK);
}

/* Batches: one that ends before we began is from before, one that does not is
 * not; the producer's segment holds for them, too. */
GST_START_TEST (test_batches)
{
  theirs = 100000 * GST_SECOND;
  open_sink ("live");
  gst_harness_set_src_caps_str (in, GST_SECOND_BATCH_CAPS_NAME
      ",batch-duration=(guint64)1000000000");
  push_segment (0, 20 * GST_SECOND, 1.0);
  push_batch (2 * GST_SECOND, GST_SECOND);
  open_src ("clock", -3500 * (GstClockTimeDiff) MS);
  expect_before (-1500 * (GstClockTimeDiff) MS);
  push_batch (3 * GST_SECOND, GST_SECOND);
  expect_inside (0, GST_SECOND, TRUE);
  push_batch (20 * GST_SECOND, GST_SECOND);
  push_batch (19 * GST_SECOND, GST_SECOND);
  expect_inside (15500 * MS, GST_SECOND, FALSE);
  close_pair ();
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_clipped, 0, 3);
  tcase_add_test (tc, test_kept);
  tcase_add_test (tc, test_discont);
  tcase_add_test (tc, test_gaps);
  tcase_add_loop_test (tc, test_latest, 0, 12);
  tcase_add_loop_test (tc, test_announced, 0, 2);
  tcase_add_loop_test (tc, test_after_pause, 0, 2);
  tcase_add_loop_test (tc, test_after_seek, 0, 2);
  tcase_add_loop_test (tc, test_reconnect, 0, 2);
  tcase_add_test (tc, test_batches);
}

RIG_SUITE (shmframe_times)
