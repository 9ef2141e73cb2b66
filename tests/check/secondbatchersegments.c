/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Segments, seeks and changes of caps; nothing is live */
#include "batchrig.h"

#define MS GST_MSECOND

static void
push_segment (Rig * rig, guint pad, const GstSegment * segment)
{
  fail_unless (gst_harness_push_event (rig->h[pad],
          gst_event_new_segment (segment)));
}

static void
init_pair (Rig * rig)
{
  rig_init (rig, 2, FALSE, NULL);
  rig_set_caps (rig, 0, 10, 1);
  rig_set_caps (rig, 1, 10, 1);
}

static void
flush (Rig * rig, guint32 seqnum)
{
  GstEvent *event;
  guint i;

  for (i = 0; i < rig->n; i++) {
    event = gst_event_new_flush_start ();
    gst_event_set_seqnum (event, seqnum);
    gst_harness_push_event (rig->h[i], event);
  }
  for (i = 0; i < rig->n; i++) {
    event = gst_event_new_flush_stop (TRUE);
    gst_event_set_seqnum (event, seqnum);
    gst_harness_push_event (rig->h[i], event);
  }
}

static void
seek (Rig * rig, GstClockTime to)
{
  GstEvent *event = gst_event_new_seek (1.0, GST_FORMAT_TIME,
      GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, to, GST_SEEK_TYPE_NONE, -1);
  guint32 seqnum = gst_event_get_seqnum (event);
  GstSegment segment;
  guint i;

  /* as after a source that does what it is told */
  gst_pad_push_event (rig->h[0]->sinkpad, event);
  flush (rig, seqnum);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = segment.time = to;
  for (i = 0; i < rig->n; i++)
    push_segment (rig, i, &segment);
}

/* case 13: held frames are gone, running time starts again */
GST_START_TEST (test_flushing_seek)
{
  static const GstClockTime places[] = { 60 * GST_SECOND, 0 };
  GstBuffer *batch;
  guint i;
  Rig rig;

  init_pair (&rig);
  rig_push_n (&rig, 0, 0, 100 * MS, 1);
  rig_push_n (&rig, 1, 0, 100 * MS, 5);
  for (i = 0; i < 2; i++) {
    seek (&rig, places[i]);
    rig_push_n (&rig, 0, places[i], 100 * MS, 1);
    rig_push_n (&rig, 1, places[i], 100 * MS, 11);
    rig_push_n (&rig, 0, places[i] + 100 * MS, 100 * MS, 10);
    batch = rig_pull (&rig);
    fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 0);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), 0);
    fail_unless_equals_int (batch_count (batch, 0), 10);
    fail_unless_equals_int (batch_count (batch, 1), 10);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (batch_frame (batch, 0, 0)),
        places[i]);
    gst_buffer_unref (batch);
    fail_unless_equals_int (gst_harness_buffers_in_queue (rig.h[0]), 0);
  }
  rig_clear (&rig);
}

GST_END_TEST;

/* cases 13 and 14: running time counts, whatever base, start and rate are */
GST_START_TEST (test_segments)
{
  GstSegment segment;
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.base = 2 * GST_SECOND;
  segment.start = segment.time = 100 * GST_SECOND;
  segment.rate = 2.0;
  push_segment (&rig, 0, &segment);
  rig_push_n (&rig, 0, 100 * GST_SECOND, 100 * MS, 30);

  /* a non-flushing segment that goes on where the last one ended */
  segment.base = 3500 * MS;
  segment.start = segment.time = 7 * GST_SECOND;
  segment.rate = 1.0;
  push_segment (&rig, 0, &segment);
  rig_push_n (&rig, 0, 7 * GST_SECOND, 100 * MS, 5);
  rig_eos (&rig);

  rig_expect (&rig, 2, 20, 0);
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 3);
  fail_unless_equals_int (batch_count (batch, 0), 10);
  fail_unless (gst_second_batch_get_segment (batch, 0)->rate == 2.0);
  gst_buffer_unref (batch);
  /* the same window, under the other segment */
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 3);
  fail_unless_equals_int (batch_count (batch, 0), 5);
  fail_unless (gst_second_batch_get_segment (batch, 0)->rate == 1.0);
  gst_buffer_unref (batch);
  rig_wait_eos (&rig);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 14: backwards, the last frame comes first */
GST_START_TEST (test_reverse)
{
  GstSegment segment;
  GstBuffer *batch;
  gint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = -1.0;
  segment.start = 0;
  segment.stop = 2 * GST_SECOND;
  push_segment (&rig, 0, &segment);
  for (i = 19; i >= 0; i--)
    gst_harness_push (rig.h[0], rig_frame ((guint) i * 100 * MS, 100 * MS));
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 10);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch_frame (batch, 0, 0)),
      1900 * MS);
  gst_buffer_unref (batch);
  rig_expect (&rig, 1, 10, 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 15 */
GST_START_TEST (test_clipping)
{
  GstSegment segment;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 10 * GST_SECOND;
  segment.stop = 10500 * MS;
  push_segment (&rig, 0, &segment);
  rig_push_n (&rig, 0, 9 * GST_SECOND, 100 * MS, 20);
  rig_eos (&rig);
  rig_expect (&rig, 0, 5, 0);
  rig_wait_eos (&rig);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 16: the window comes in two batches of the same index */
GST_START_TEST (test_caps_change)
{
  GstCaps *before = rig_caps (10, 1), *after = rig_caps (20, 1);
  GstBuffer *batch;
  Rig rig;

  init_pair (&rig);
  rig_push_n (&rig, 0, 0, 100 * MS, 1);
  rig_push_n (&rig, 1, 0, 100 * MS, 11);
  rig_push_n (&rig, 0, 100 * MS, 100 * MS, 3);
  gst_harness_push_event (rig.h[0], gst_event_new_caps (after));
  rig_push_n (&rig, 0, 400 * MS, 50 * MS, 13);
  rig_eos (&rig);

  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 0);
  fail_unless_equals_int (batch_count (batch, 0), 4);
  fail_unless_equals_int (batch_count (batch, 1), 4);
  fail_unless (gst_caps_is_equal (gst_second_batch_get_caps (batch, 0),
          before));
  gst_buffer_unref (batch);

  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 0);
  fail_unless_equals_int (batch_count (batch, 0), 12);
  fail_unless_equals_int (batch_count (batch, 1), 6);
  fail_unless (gst_caps_is_equal (gst_second_batch_get_caps (batch, 0),
          after));
  fail_unless (gst_caps_is_equal (gst_second_batch_get_caps (batch, 1),
          before));
  gst_buffer_unref (batch);

  rig_expect (&rig, 1, 1, 1);
  rig_wait_eos (&rig);
  gst_caps_unref (before);
  gst_caps_unref (after);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_flushing_seek);
  tcase_add_test (tc, test_segments);
  tcase_add_test (tc, test_reverse);
  tcase_add_test (tc, test_clipping);
  tcase_add_test (tc, test_caps_change);
}

BATCH_SUITE (secondbatchersegments)
