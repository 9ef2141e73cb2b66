/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of caps: no frame is ever under others than it came with, whatever
 * order the frames on both sides of the change have */
#include "batchtext.h"

#include "splitrig.h"

#define INIT_ONE(rig, ...) do { \
    rig_init (rig, 1, FALSE, __VA_ARGS__); \
    text_begin (rig); \
  } while (0)

/* The new frames step back by two of the old ones, as after a camera's restart */
GST_START_TEST (test_step_back)
{
  Rig rig;

  INIT_ONE (&rig, NULL);
  text_push_n (&rig, 0, 4, 0, 4);
  text_set_width (&rig, 0, 8);
  text_push_n (&rig, 0, 8, 80, 3);
  text_push (&rig, 0, 8, 1000);
  rig_eos (&rig);
  text_expect (&rig, "0: 4 0 40 80 120");
  text_expect (&rig, "0: 8 80 120 160");
  text_expect (&rig, "1: 8 1000");
  text_end (&rig);
}

GST_END_TEST;

/* Each change ends one part: there are no batches without end */
GST_START_TEST (test_several_steps_back)
{
  Rig rig;

  INIT_ONE (&rig, NULL);
  text_push_n (&rig, 0, 4, 0, 4);
  text_set_width (&rig, 0, 8);
  text_push_n (&rig, 0, 8, 40, 3);
  text_set_width (&rig, 0, 4);
  text_push (&rig, 0, 4, 40);
  text_set_width (&rig, 0, 8);
  text_push_n (&rig, 0, 8, 0, 2);
  rig_eos (&rig);
  text_expect (&rig, "0: 4 0 40 80 120");
  text_expect (&rig, "0: 8 40 80 120");
  text_expect (&rig, "0: 4 40");
  text_expect (&rig, "0: 8 0 40");
  text_end (&rig);
}

GST_END_TEST;

static void
check_part (GstBuffer * batch, guint64 start, guint64 end)
{
  fail_unless_equals_uint64 (gst_second_batch_get_window_start (batch),
      start * MS);
  fail_unless_equals_uint64 (gst_second_batch_get_window_duration (batch),
      (end - start) * MS);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), start * MS);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (batch), (end - start) * MS);
}

/* The other stream's frames go with the part that has their time; a frame at its
 * end with the next one */
GST_START_TEST (test_other_stream)
{
  static const guint64 ends[] = { 0, 160, 240, 1000 };
  static const gchar *texts[] = {
    "0: 4 0 40 80 120; 4 0 40 80 120", "0: 8 160 200; 4 160 200",
    "0: 4 240 280; 4 240 280 320"
  };
  guint i;
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  text_begin (&rig);
  text_push_n (&rig, 1, 4, 0, 9);
  text_push_n (&rig, 0, 4, 0, 4);
  text_set_width (&rig, 0, 8);
  text_push_n (&rig, 0, 8, 160, 2);
  text_set_width (&rig, 0, 4);
  text_push_n (&rig, 0, 4, 240, 2);
  rig_eos (&rig);
  for (i = 0; i < G_N_ELEMENTS (texts); i++) {
    GstBuffer *batch = rig_pull (&rig);
    gchar *text = text_of_batch (batch);

    fail_unless_equals_string (text, texts[i]);
    check_part (batch, ends[i], ends[i + 1]);
    g_free (text);
    gst_buffer_unref (batch);
  }
  text_end (&rig);
}

GST_END_TEST;

/* late=next: a late frame stays under the caps it came with */
GST_START_TEST (test_late_across_change)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "late", "next");
  text_begin (&rig);
  text_push (&rig, 0, 4, 0);
  text_push_n (&rig, 0, 4, 1000, 3);
  text_push (&rig, 0, 4, 960);
  text_set_width (&rig, 0, 8);
  text_push (&rig, 0, 8, 920);
  text_set_width (&rig, 0, 4);
  text_push (&rig, 0, 4, 880);
  text_push (&rig, 0, 4, 1160);
  rig_eos (&rig);
  text_expect (&rig, "0: 4 0");
  text_expect (&rig, "1: 4 960 1000 1040 1080");
  text_expect (&rig, "1: 8 920");
  text_expect (&rig, "1: 4 880 1160");
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-late"), 3);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-dropped"), 0);
  text_end (&rig);
}

GST_END_TEST;

/* fill=repeat-last repeats no frame of other caps: better short than wrong */
GST_START_TEST (test_repeat_across_change)
{
  Rig rig;

  INIT_ONE (&rig, "frames", 2, NULL);
  text_push (&rig, 0, 4, 0);
  text_push (&rig, 0, 4, 2000);
  text_set_width (&rig, 0, 8);
  text_push_n (&rig, 0, 8, 4000, 2);
  rig_eos (&rig);
  text_expect (&rig, "0: 4 0 0");
  text_expect (&rig, "1: 4 0 0");
  text_expect (&rig, "2: 4 2000 2000");
  text_expect (&rig, "3: 8 -");
  text_expect (&rig, "4: 8 4000 4040");
  text_end (&rig);
}

GST_END_TEST;

static void
push_mark (Rig * rig, gint n)
{
  gst_harness_push_event (rig->h[0],
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new ("mark", "n", G_TYPE_INT, n, NULL)));
}

/* Changes of caps and marks up to the end */
static void
expect_order (Split * split, const gchar * expected)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000;
  GString *order = g_string_new (NULL);
  gboolean eos = FALSE;
  gint n;

  while (g_atomic_pointer_get (&split->out[0]) == NULL
      && g_get_monotonic_time () < end)
    g_thread_yield ();
  fail_unless (split->out[0] != NULL);
  while (!eos) {
    GstEvent *event = gst_harness_pull_event (split->out[0]);

    fail_unless (event != NULL, "no EOS after %s", order->str);
    eos = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS)
      g_string_append_c (order, 'C');
    else if (gst_event_has_name (event, "mark")
        && gst_structure_get_int (gst_event_get_structure (event), "n", &n))
      g_string_append_printf (order, "%d", n);
    gst_event_unref (event);
  }
  fail_unless_equals_string (order->str, expected);
  g_string_free (order, TRUE);
}

/* An event behind a change comes behind it, also where the next window begins
 * there; and one that nothing follows is not lost */
GST_START_TEST (test_event_behind_change)
{
  Split split;
  Rig rig;

  INIT_ONE (&rig, NULL);
  split_init_behind (&split, &rig);
  text_push (&rig, 0, 4, 960);
  push_mark (&rig, 1);
  text_set_width (&rig, 0, 8);
  push_mark (&rig, 2);
  text_push (&rig, 0, 8, 1000);
  text_gap (&rig, 0, 1040, 3000);
  push_mark (&rig, 3);
  rig_eos (&rig);
  expect_order (&split, "C1C23");
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

/* Caps that come and go without a frame do not move an event before them */
GST_START_TEST (test_event_before_fleeting_caps)
{
  Split split;
  Rig rig;

  INIT_ONE (&rig, NULL);
  split_init_behind (&split, &rig);
  text_push (&rig, 0, 4, 0);
  push_mark (&rig, 1);
  text_set_width (&rig, 0, 8);
  text_push (&rig, 0, 8, 40);
  text_set_width (&rig, 0, 16);
  text_set_width (&rig, 0, 8);
  rig_eos (&rig);
  expect_order (&split, "C1C");
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

/* Overlapping windows, each with the change in its middle: behind the splitter
 * each frame comes once, and so does the change */
static void
check_overlapping (guint old, guint first_new, guint new)
{
  Split split;
  GstBuffer *frame;
  guint i;
  Rig rig;

  INIT_ONE (&rig, "batch-duration", 500 * MS, "hop",
      500 * MS / 3, NULL);
  split_init_behind (&split, &rig);
  text_push_n (&rig, 0, 4, 0, old);
  text_set_width (&rig, 0, 8);
  text_push_n (&rig, 0, 8, first_new, new);
  rig_eos (&rig);
  expect_order (&split, "CC");
  for (i = 0; i < old + new; i++) {
    frame = gst_harness_try_pull (split.out[0]);
    fail_unless (frame != NULL, "%u frames came", i);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (frame),
        (i < old ? i * 40 : first_new + (i - old) * 40) * MS);
    fail_unless_equals_uint64 (gst_buffer_get_size (frame), i < old ? 4 : 8);
    gst_buffer_unref (frame);
  }
  fail_unless_equals_int (gst_harness_buffers_in_queue (split.out[0]), 0);
  split_clear (&split);
  rig_clear (&rig);
}

GST_START_TEST (test_overlapping)
{
  check_overlapping (22, 960, 1);
  check_overlapping (22, 880, 22);
  check_overlapping (20, 720, 20);
}

GST_END_TEST;

/* Two frames of the same time are two frames, in overlapping windows as well */
GST_START_TEST (test_overlapping_equal_times)
{
  Split split;
  guint i;
  Rig rig;

  INIT_ONE (&rig, "batch-duration", 400 * MS, "hop", 200 * MS, NULL);
  split_init_behind (&split, &rig);
  for (i = 0; i < 40; i++)
    text_push (&rig, 0, 4, i / 2 * 40);
  rig_eos (&rig);
  expect_order (&split, "C");
  fail_unless_equals_int (gst_harness_buffers_in_queue (split.out[0]), 40);
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

/* Caps that come back before a frame of others are the same ones still, of which
 * a late frame was the first: one in three seconds, from 8 s on */
GST_START_TEST (test_late_frame_begins_caps)
{
  GstCaps *slow = gst_caps_new_simple ("video/x-raw", "framerate",
      GST_TYPE_FRACTION, 1, 3, "width", G_TYPE_INT, 8, NULL);
  guint index;
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  text_begin (&rig);
  text_push (&rig, 1, 4, 10000);
  text_push (&rig, 0, 4, 10000);
  text_push (&rig, 0, 4, 11000);
  text_push (&rig, 1, 4, 11000);
  text_expect (&rig, "10: 4 10000; 4 10000");
  gst_harness_push_event (rig.h[0], gst_event_new_caps (slow));
  text_push (&rig, 0, 8, 8000);
  text_set_width (&rig, 0, 4);
  gst_harness_push_event (rig.h[0], gst_event_new_caps (slow));
  text_push (&rig, 1, 4, 15000);
  rig_eos (&rig);
  text_expect (&rig, "11: 4 11000; 4 11000");
  for (index = 12; index < 16; index++) {
    GstBuffer *batch = rig_pull (&rig);

    fail_unless_equals_int (gst_second_batch_get_count (batch, "expected", 0),
        index == 14);
    gst_buffer_unref (batch);
  }
  gst_caps_unref (slow);
  text_end (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_step_back);
  tcase_add_test (tc, test_several_steps_back);
  tcase_add_test (tc, test_other_stream);
  tcase_add_test (tc, test_late_across_change);
  tcase_add_test (tc, test_late_frame_begins_caps);
  tcase_add_test (tc, test_repeat_across_change);
  tcase_add_test (tc, test_event_behind_change);
  tcase_add_test (tc, test_event_before_fleeting_caps);
  tcase_add_test (tc, test_overlapping);
  tcase_add_test (tc, test_overlapping_equal_times);
}

BATCH_SUITE (secondbatcherchanges)
