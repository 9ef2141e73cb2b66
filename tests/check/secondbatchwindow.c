/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batchrig.h"
#include "batcher/window.h"

#define MS GST_MSECOND

static const SecondGrid seconds = { GST_SECOND, GST_SECOND };
static const SecondRate pal = { 25, 1 }, ntsc = { 30000, 1001 };
static const SecondRate variable = { 0, 1 }, endless = { G_MAXINT, 1 };
static const SecondGrid overlapping = { GST_SECOND, 250 * MS };

GST_START_TEST (test_boundaries)
{
  fail_unless_equals_uint64 (second_window_first (&seconds, GST_SECOND - 1), 0);
  fail_unless_equals_uint64 (second_window_first (&seconds, GST_SECOND), 1);
}

GST_END_TEST;

GST_START_TEST (test_hop)
{
  /* 1.1 s lies in the windows that start at 250, 500, 750 and 1000 ms */
  fail_unless_equals_uint64 (second_window_first (&overlapping, 1100 * MS), 1);
  /* a window's end is outside it */
  fail_unless_equals_uint64 (second_window_first (&overlapping, 1250 * MS), 2);
  fail_unless_equals_uint64 (second_window_first (&overlapping, 999 * MS), 0);
}

GST_END_TEST;

GST_START_TEST (test_tolerance)
{
  fail_unless_equals_uint64 (second_window_tolerance (&seconds, 7, 80, 1), 7);
  fail_unless_equals_uint64 (second_window_tolerance (&seconds, 0, 80, 1), 0);
  fail_unless_equals_uint64 (second_window_tolerance (&seconds, -1, 80, 1), 10);
  fail_unless_equals_uint64 (second_window_tolerance (&seconds, -1, 80, -2), 5);
  fail_unless_equals_uint64 (second_window_tolerance (&seconds, -1,
          GST_CLOCK_TIME_NONE, 1), 0);
  /* never so much that a frame leaves its window altogether */
  fail_unless_equals_uint64 (second_window_tolerance (&overlapping, -1,
          GST_SECOND, 1), 250 * MS / 8);
  fail_unless_equals_uint64 (second_window_tolerance (&overlapping, -1,
          40 * MS, 1e-300), 250 * MS / 8);
  fail_unless_equals_uint64 (second_window_tolerance (&overlapping, GST_SECOND,
          0, 1), 250 * MS - 1);

  fail_unless_equals_uint64 (second_window_position (100, 10), 110);
  fail_unless_equals_uint64 (second_window_position (-4, 10), 6);
  fail_unless_equals_uint64 (second_window_position (-10, 10), 0);
  fail_unless_equals_uint64 (second_window_position (G_MININT64, 10), 0);
}

GST_END_TEST;

static guint
expected_in (guint64 second, guint64 phase, gint fps_n, gint fps_d)
{
  return second_window_expected (second * GST_SECOND,
      (second + 1) * GST_SECOND, phase, (SecondRate) { fps_n, fps_d });
}

GST_START_TEST (test_expected)
{
  guint total = 0;
  guint i;

  fail_unless_equals_int (expected_in (0, 0, 25, 1), 25);
  fail_unless_equals_int (expected_in (7, 13 * MS, 25, 1), 25);
  fail_unless_equals_int (expected_in (0, 5 * GST_SECOND + 3, 25, 1), 25);
  fail_unless_equals_int (expected_in (1700000000, 0, 60, 1), 60);
  fail_unless_equals_int (expected_in (0, 0, 0, 1), 0);
  fail_unless_equals_int (second_window_expected (5, 5, 0, pal), 0);

  /* one frame in two seconds: in every other second */
  fail_unless_equals_int (expected_in (0, 0, 1, 2), 1);
  fail_unless_equals_int (expected_in (1, 0, 1, 2), 0);

  /* an hour of NTSC has 107892.1 frames */
  for (i = 0; i < 3600; i++) {
    guint n = expected_in (i, 0, 30000, 1001);

    fail_unless (n == 29 || n == 30);
    total += n;
  }
  fail_unless_equals_int (total, 107893);
}

GST_END_TEST;

GST_START_TEST (test_frames_to_hold)
{
  fail_unless_equals_int (second_window_frames_to_hold (GST_SECOND, 0, pal),
      54);
  fail_unless_equals_int (second_window_frames_to_hold (GST_SECOND, 0, ntsc),
      64);
  fail_unless_equals_int (second_window_frames_to_hold (GST_SECOND, 500 * MS,
          pal), 67);
  fail_unless_equals_int (second_window_frames_to_hold (GST_SECOND, 0,
          variable), 64);
  fail_unless_equals_int (second_window_frames_to_hold (24 * 3600 * GST_SECOND,
          0, endless), G_MAXINT);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_boundaries);
  tcase_add_test (tc, test_hop);
  tcase_add_test (tc, test_tolerance);
  tcase_add_test (tc, test_expected);
  tcase_add_test (tc, test_frames_to_hold);
}

BATCH_SUITE (secondbatchwindow)
