/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a batcher lost, the one behind the splitter still tells */
#include "splitrig.h"

static GstEvent *
pull_counts (Split * split)
{
  GstEvent *event;

  while ((event = gst_harness_try_pull_event (split->out[0]))
      && !gst_event_has_name (event, GST_SECOND_BATCH_COUNTS_NAME))
    gst_event_unref (event);
  return event;
}

static GstBuffer *
make_batch (Rig * rig)
{
  GstBuffer *batch;

  rig_init (rig, 1, FALSE, NULL);
  rig_set_caps (rig, 0, 10, 1);
  rig_push (rig, 0, 1000 * MS);
  rig_push (rig, 0, 300 * MS);
  rig_push (rig, 0, 1100 * MS);
  rig_eos (rig);
  batch = rig_pull (rig);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "late", 0), 1);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", 0), 1);
  return batch;
}

GST_START_TEST (test_counts_go_on)
{
  GstBuffer *batch;
  GstEvent *counts;
  Split split;
  Rig rig, again;

  batch = make_batch (&rig);
  split_init (&split);
  gst_harness_push_event (split.in, gst_event_new_stream_start ("batches"));
  gst_harness_set_src_caps (split.in,
      gst_pad_get_current_caps (rig.h[0]->sinkpad));
  fail_unless_equals_int (gst_harness_push (split.in, batch), GST_FLOW_OK);
  counts = pull_counts (&split);
  fail_unless (counts != NULL, "the splitter told nothing");

  rig_init (&again, 1, FALSE, NULL);
  rig_set_caps (&again, 0, 10, 1);
  gst_harness_push_event (again.h[0], counts);
  rig_push (&again, 0, 1000 * MS);
  rig_push (&again, 0, 1100 * MS);
  rig_eos (&again);
  batch = rig_pull (&again);
  fail_unless_equals_int (batch_count (batch, 0), 2);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "late", 0), 1);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", 0), 1);
  /* that batcher itself lost nothing */
  fail_unless_equals_uint64 (rig_stat (&again, "sink_0-late"), 0);
  gst_buffer_unref (batch);
  rig_clear (&again);
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_counts_go_on);
}

BATCH_SUITE (secondsplittercounts)
