/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties that change while the batcher runs, or must not */
#include "batchrig.h"

#define MS GST_MSECOND

GST_START_TEST (test_fixed_while_playing)
{
  static const gchar *names[] = { "batch-duration", "hop" };
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  guint64 before, after;
  gint align = -1;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  gst_element_set_bus (rig.batcher, bus);
  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    g_object_get (rig.batcher, names[i], &before, NULL);
    g_object_set (rig.batcher, names[i], (guint64) (500 * MS), NULL);
    g_object_get (rig.batcher, names[i], &after, NULL);
    fail_unless_equals_uint64 (before, after);
    message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
    fail_unless (message != NULL, "%s was not refused", names[i]);
    gst_message_unref (message);
  }
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "align", "utc");
  g_object_get (rig.batcher, "align", &align, NULL);
  fail_unless_equals_int (align, 0);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  fail_unless (message != NULL, "align was not refused");
  gst_message_unref (message);
  /* but not for ever */
  gst_element_set_state (rig.batcher, GST_STATE_READY);
  g_object_set (rig.batcher, "batch-duration", (guint64) (500 * MS), NULL);
  g_object_get (rig.batcher, "batch-duration", &after, NULL);
  fail_unless_equals_uint64 (after, 500 * MS);
  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
  rig_clear (&rig);
}

GST_END_TEST;

GST_START_TEST (test_long_hop)
{
  GstElement *batcher = gst_element_factory_make ("secondbatcher", NULL);
  GstBus *bus = gst_bus_new ();
  GstMessage *message;

  gst_element_set_bus (batcher, bus);
  g_object_set (batcher, "hop", (guint64) (2 * GST_SECOND), NULL);
  fail_unless_equals_int (gst_element_set_state (batcher, GST_STATE_PAUSED),
      GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_element_set_state (batcher, GST_STATE_NULL);
  gst_element_set_bus (batcher, NULL);
  gst_object_unref (bus);
  gst_object_unref (batcher);
}

GST_END_TEST;

/* frames and boundary-tolerance */
GST_START_TEST (test_changes_while_playing)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push_n (&rig, 0, 0, 100 * MS, 11);
  rig_expect (&rig, 0, 10, 0);
  g_object_set (rig.batcher, "frames", 4, NULL);
  rig_push_n (&rig, 0, 1100 * MS, 100 * MS, 10);
  rig_expect (&rig, 1, 4, 0);
  g_object_set (rig.batcher, "frames", 0, "boundary-tolerance", 100 * MS,
      NULL);
  rig_push_n (&rig, 0, 2100 * MS, 100 * MS, 9);
  rig_expect (&rig, 2, 9, 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* fill, with the next window */
GST_START_TEST (test_fill_changes)
{
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, "frames", 4, NULL);
  rig_set_caps (&rig, 0, 2, 1);
  rig_push_n (&rig, 0, 0, 500 * MS, 3);
  rig_expect (&rig, 0, 4, 0);
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "fill", "drop-excess");
  rig_push_n (&rig, 0, 1500 * MS, 500 * MS, 2);
  rig_expect (&rig, 1, 2, 0);

  /* output, with the next batch */
  gst_util_set_object_arg (G_OBJECT (rig.batcher), "output", "memory");
  rig_push_n (&rig, 0, 2500 * MS, 500 * MS, 2);
  batch = rig_pull (&rig);
  fail_unless_equals_int (gst_buffer_n_memory (batch), 1);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

/* ts-offset, with the next frame */
GST_START_TEST (test_ts_offset_changes)
{
  GstPad *pad;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push_n (&rig, 0, 0, 100 * MS, 5);
  rig_wait_stat (&rig, "sink_0-held", 5);
  pad = gst_element_get_static_pad (rig.batcher, "sink_0");
  g_object_set (pad, "ts-offset", (gint64) (300 * MS), NULL);
  gst_object_unref (pad);
  rig_push_n (&rig, 0, 500 * MS, 100 * MS, 3);
  rig_expect (&rig, 0, 7, 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* post-messages, with the next batch */
GST_START_TEST (test_messages_from_now_on)
{
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  guint64 index = 0;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  gst_element_set_bus (rig.batcher, bus);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push_n (&rig, 0, 0, 100 * MS, 11);
  rig_expect (&rig, 0, 10, 0);
  g_object_set (rig.batcher, "post-messages", TRUE, NULL);
  rig_push_n (&rig, 0, 1100 * MS, 100 * MS, 10);
  message = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE,
      GST_MESSAGE_ELEMENT);
  fail_unless (message != NULL, "no message came");
  fail_unless (gst_structure_get_uint64 (gst_message_get_structure (message),
          "index", &index));
  fail_unless_equals_uint64 (index, 1);
  gst_message_unref (message);
  rig_expect (&rig, 1, 10, 0);
  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
  rig_clear (&rig);
}

GST_END_TEST;

/* incomplete and late, with the next window and frame: of a live pair whose
 * second stream stops, then comes late */
GST_START_TEST (test_policies_change)
{
  GstTestClock *clock;
  Rig rig;

  rig_init (&rig, 2, TRUE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 10, 1);
  clock = gst_harness_get_testclock (rig.h[0]);
  rig_push_n (&rig, 0, 0, 100 * MS, 10);
  gst_test_clock_wait_for_next_pending_id (clock, NULL);
  fail_unless (gst_test_clock_crank (clock));
  rig_expect (&rig, 0, 10, 0);

  gst_util_set_object_arg (G_OBJECT (rig.batcher), "incomplete", "drop");
  rig_push_n (&rig, 0, GST_SECOND, 100 * MS, 10);
  gst_test_clock_wait_for_next_pending_id (clock, NULL);
  fail_unless (gst_test_clock_crank (clock));
  rig_wait_stat (&rig, "dropped-windows", 1);

  gst_util_set_object_arg (G_OBJECT (rig.batcher), "late", "next");
  rig_push_n (&rig, 1, 1500 * MS, 100 * MS, 16);
  rig_push_n (&rig, 0, 2 * GST_SECOND, 100 * MS, 11);
  rig_expect (&rig, 2, 10, 15);
  gst_object_unref (clock);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_fixed_while_playing);
  tcase_add_test (tc, test_long_hop);
  tcase_add_test (tc, test_changes_while_playing);
  tcase_add_test (tc, test_fill_changes);
  tcase_add_test (tc, test_ts_offset_changes);
  tcase_add_test (tc, test_messages_from_now_on);
  tcase_add_test (tc, test_policies_change);
}

BATCH_SUITE (secondbatcherproperties)
