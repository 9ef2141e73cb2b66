/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gaps, holes and timestamps that leap; nothing is live but where it says so */
#include "batchtext.h"

#define BIG (G_MAXINT64 / 2)

static void
init_pair (Rig * rig, const gchar * incomplete)
{
  rig_init (rig, 2, FALSE, "batch-duration", 200 * MS, NULL);
  gst_util_set_object_arg (G_OBJECT (rig->batcher), "incomplete", incomplete);
  text_begin (rig);
}

typedef struct
{
  Rig *rig;
  guint n;
} Feed;

static gpointer
feed_around_gap (gpointer data)
{
  Feed *feed = data;

  text_push (feed->rig, 1, 4, 0);
  text_gap (feed->rig, 1, 200, 300);
  text_push_n (feed->rig, 1, 4, 500, feed->n);
  gst_harness_push_event (feed->rig->h[1], gst_event_new_eos ());
  return NULL;
}

/* A long hole in one stream, and a short gap in the other that runs on: nothing
 * of that one is jumped over */
GST_START_TEST (test_hole_beside_gap)
{
  Rig rig;
  Feed feed = { &rig, 740 };
  GThread *thread;
  guint total = 0;

  init_pair (&rig, "push");
  thread = g_thread_new ("feed", feed_around_gap, &feed);
  text_push (&rig, 0, 4, 0);
  text_push (&rig, 0, 4, 30000);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  rig_wait_eos (&rig);
  g_thread_join (thread);
  while (gst_harness_buffers_in_queue (rig.h[0]) > 0) {
    GstBuffer *batch = rig_pull (&rig);

    total += batch_count (batch, 1);
    gst_buffer_unref (batch);
  }
  fail_unless_equals_int (total, 1 + feed.n);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-late"), 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "skipped-windows"), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* A frame, a GAP of 1.5 s from @gap on, and two frames */
static void
check_rate (gdouble rate, guint64 stop, const guint frames[3], guint gap,
    const gchar * first, const gchar * second)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  text_begin (&rig);
  text_segment (&rig, 0, rate, 0, stop);
  text_push (&rig, 0, 4, frames[0]);
  text_gap (&rig, 0, gap, 1500);
  text_push (&rig, 0, 4, frames[1]);
  text_push (&rig, 0, 4, frames[2]);
  rig_eos (&rig);
  text_expect (&rig, first);
  text_expect (&rig, second);
  text_end (&rig);
}

/* 1.5 s of a segment played at twice the speed take 0.75 s, and backwards no less */
GST_START_TEST (test_rate)
{
  static const guint forwards[] = { 0, 1540, 2200 };
  static const guint backwards[] = { 3960, 2420, 1000 };

  check_rate (2.0, GST_CLOCK_TIME_NONE, forwards, 40, "0: 4 0 1540",
      "1: 4 2200");
  check_rate (-2.0, 4 * GST_SECOND, backwards, 2460, "0: 4 3960 2420",
      "1: 4 1000");
}

GST_END_TEST;

/* An eighth of the gap is no tolerance of the frames of a variable framerate */
GST_START_TEST (test_variable_rate)
{
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  gst_harness_set_src_caps (rig.h[0], text_caps (4, 0));
  text_push (&rig, 0, 4, 0);
  text_gap (&rig, 0, 100, 850);
  text_push (&rig, 0, 4, 950);
  rig_eos (&rig);
  text_expect (&rig, "0: 4 0 950");
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-late"), 0);
  text_end (&rig);
}

GST_END_TEST;

static guint
count_gap_events (Rig * rig)
{
  GstEvent *event;
  guint n = 0;

  while ((event = gst_harness_try_pull_event (rig->h[0]))) {
    n += GST_EVENT_TYPE (event) == GST_EVENT_GAP;
    gst_event_unref (event);
  }
  return n;
}

/* A long hole is one gap, with every policy, and whether upstream told or not */
GST_START_TEST (test_long_hole)
{
  static const gchar *policies[] = { "push", "drop", "wait" };
  guint i;

  for (i = 0; i < 2 * G_N_ELEMENTS (policies); i++) {
    Rig rig;

    init_pair (&rig, policies[i / 2]);
    text_push (&rig, 1, 4, 0);
    text_push (&rig, 0, 4, 0);
    if (i % 2) {
      text_gap (&rig, 1, 40, 200000);
      text_gap (&rig, 0, 40, 200000);
    }
    text_push (&rig, 1, 4, 200040);
    text_push (&rig, 0, 4, 200040);
    rig_eos (&rig);
    text_expect (&rig, "0: 4 0; 4 0");
    text_expect (&rig, "1000: 4 200040; 4 200040");
    fail_unless_equals_int (count_gap_events (&rig), 1);
    fail_unless_equals_uint64 (rig_stat (&rig, "skipped-windows"), 999);
    fail_unless_equals_uint64 (rig_stat (&rig, "dropped-windows"), 0);
    rig_clear (&rig);
  }
}

GST_END_TEST;

/* However far a timestamp leaps, nobody counts the windows in between, and
 * nothing wraps */
GST_START_TEST (test_bogus)
{
  guint i;

  for (i = 0; i < 2; i++) {
    Rig rig;

    rig_init (&rig, 1, FALSE, "batch-duration", 1 * MS, NULL);
    text_begin (&rig);
    text_push (&rig, 0, 4, 0);
    if (i == 0)
      gst_harness_push_event (rig.h[0], gst_event_new_gap (40 * MS, BIG));
    else
      text_push (&rig, 0, 4, BIG / MS);
    text_push (&rig, 0, 4, 80);
    rig_eos (&rig);
    rig_wait_eos (&rig);
    fail_unless (rig_stat (&rig, "skipped-windows") > 1000000);
    fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-late"), 1);
    fail_unless_equals_uint64 (rig_stat (&rig, "batches"), 1 + i);
    rig_clear (&rig);
  }
}

GST_END_TEST;

/* One thread feeds both, as a splitter without queues does: what comes between
 * the frames of a stream does not keep those behind it in the queue, though the
 * other one has but a gap to show for each few of them */
GST_START_TEST (test_one_thread)
{
  guint i, batches = 0;
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  text_begin (&rig);
  text_push (&rig, 1, 4, 0);
  for (i = 0; i < 120; i++) {
    if (i % 8 == 0)
      text_gap (&rig, 1, i * 40, 8);
    text_set_width (&rig, 0, i % 2 ? 8 : 4);
    text_push (&rig, 0, i % 2 ? 8 : 4, i * 40);
  }
  rig_eos (&rig);
  rig_wait_eos (&rig);
  while (gst_harness_buffers_in_queue (rig.h[0]) > 0) {
    gst_buffer_unref (rig_pull (&rig));
    batches++;
  }
  fail_unless_equals_int (batches, 120);
  rig_clear (&rig);
}

GST_END_TEST;

/* No batch and no gap before there is a frame; a window thrown away is none */
GST_START_TEST (test_nothing_before_first_batch)
{
  Rig rig;

  init_pair (&rig, "drop");
  text_push (&rig, 0, 4, 0);
  text_gap (&rig, 1, 0, 1000);
  text_push (&rig, 0, 4, 1000);
  text_push (&rig, 1, 4, 1000);
  rig_eos (&rig);
  text_expect (&rig, "5: 4 1000; 4 1000");
  fail_unless_equals_int (count_gap_events (&rig), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* A stream that has ended makes no window incomplete */
GST_START_TEST (test_drop_after_end)
{
  Rig rig;

  init_pair (&rig, "drop");
  text_push (&rig, 1, 4, 0);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  text_push_n (&rig, 0, 4, 0, 6);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  text_expect (&rig, "0: 4 0 40 80 120 160; 4 0");
  text_expect (&rig, "1: 4 200; 4 -");
  fail_unless_equals_uint64 (rig_stat (&rig, "dropped-windows"), 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "incomplete-batches"), 0);
  text_end (&rig);
}

GST_END_TEST;

/* What a gap means is not known before the other stream has begun, however late
 * that is: here it is the only thing that shows how long nothing comes */
GST_START_TEST (test_gap_before_first_frame)
{
  Rig rig;

  init_pair (&rig, "push");
  text_gap (&rig, 0, 0, 130000);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  g_usleep (50000);
  text_push (&rig, 1, 4, 0);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  text_expect (&rig, "0: 4 -; 4 0");
  rig_wait_eos (&rig);
  fail_unless_equals_uint64 (rig_stat (&rig, "skipped-windows"), 649);
  rig_clear (&rig);
}

GST_END_TEST;

/* What was held of this stream is thrown away; it needs a new segment */
static void
flush (Rig * rig, guint pad)
{
  gst_harness_push_event (rig->h[pad], gst_event_new_flush_start ());
  gst_harness_push_event (rig->h[pad], gst_event_new_flush_stop (TRUE));
}

/* The first stream shows a frame of window 5, and is flushed before that window
 * is over */
static void
flush_first (Rig * rig, const gchar * read, guint64 n)
{
  rig_wait_stat (rig, read, n);
  flush (rig, 0);
  text_segment (rig, 0, 1.0, 0, GST_CLOCK_TIME_NONE);
  text_push (rig, 0, 4, 200);
  rig_eos (rig);
}

/* A gap that was read counts as unread when a flush moves the start back: the
 * other stream goes on behind it, and has not ended before */
GST_START_TEST (test_gap_before_flush)
{
  guint i;
  Rig rig;

  init_pair (&rig, "push");
  text_push (&rig, 0, 4, 1160);
  text_gap (&rig, 1, 200, 990);
  text_gap (&rig, 1, 1190, 5);
  flush_first (&rig, "gaps", 2);
  text_expect (&rig, "1: 4 200; 4 -");
  for (i = 2; i < 5; i++) {
    gchar *text = g_strdup_printf ("%u: 4 -; 4 -", i);

    text_expect (&rig, text);
    g_free (text);
  }
  fail_unless_equals_uint64 (rig_stat (&rig, "incomplete-batches"), 4);
  text_end (&rig);
}

GST_END_TEST;

/* Nor does a frame outside its segment count before those ahead of it do */
GST_START_TEST (test_outside_before_flush)
{
  guint i;
  Rig rig;

  init_pair (&rig, "push");
  text_push (&rig, 0, 4, 1160);
  text_segment (&rig, 1, 1.0, 0, 1190 * MS);
  text_push (&rig, 1, 4, 1160);
  text_push (&rig, 1, 4, 1200);
  flush_first (&rig, "sink_1-dropped", 1);
  for (i = 1; i < 6; i++) {
    GstBuffer *batch = rig_pull (&rig);

    fail_unless_equals_uint64 (gst_second_batch_get_index (batch), i);
    fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", 1),
        i == 5);
    gst_buffer_unref (batch);
  }
  text_end (&rig);
}

GST_END_TEST;

/* The base class makes GAPs into buffers; one of before a flush may come behind
 * it, where there is no segment: it says nothing, and is no error */
GST_START_TEST (test_gap_without_segment)
{
  GstBuffer *gap = gst_buffer_new ();
  GstPad *sink;
  Rig rig;

  GST_BUFFER_PTS (gap) = 3 * GST_SECOND;
  GST_BUFFER_FLAG_SET (gap, GST_BUFFER_FLAG_GAP);
  rig_init (&rig, 1, FALSE, NULL);
  text_begin (&rig);
  text_push (&rig, 0, 4, 0);
  rig_wait_stat (&rig, "sink_0-held", 1);
  flush (&rig, 0);
  sink = gst_pad_get_peer (rig.h[0]->srcpad);
  fail_unless_equals_int (GST_PAD_CHAINFUNC (sink) (sink,
          GST_OBJECT (rig.batcher), gap), GST_FLOW_OK);
  gst_object_unref (sink);
  text_segment (&rig, 0, 1.0, 0, GST_CLOCK_TIME_NONE);
  text_push (&rig, 0, 4, 40);
  rig_eos (&rig);
  text_expect (&rig, "0: 4 40");
  text_end (&rig);
}

GST_END_TEST;

/* Of streams that begin with gaps, the one that reaches least far shows more:
 * what the other's says does not hang on which came first */
GST_START_TEST (test_least_gap_first)
{
  guint i, k;

  for (i = 0; i < 2; i++) {
    Rig rig;

    init_pair (&rig, "push");
    for (k = 0; k < 2; k++)
      text_gap (&rig, (i + k) % 2, 0, (i + k) % 2 ? 500 : 100);
    text_push (&rig, 1, 4, 300);
    text_push (&rig, 0, 4, 120);
    text_push (&rig, 0, 4, 520);
    rig_eos (&rig);
    text_expect (&rig, "0: 4 120; 4 -");
    text_expect (&rig, "1: 4 -; 4 -");
    text_expect (&rig, "2: 4 520; 4 -");
    fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-late"), 1);
    text_end (&rig);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_hole_beside_gap);
  tcase_add_test (tc, test_rate);
  tcase_add_test (tc, test_variable_rate);
  tcase_add_test (tc, test_long_hole);
  tcase_add_test (tc, test_bogus);
  tcase_add_test (tc, test_one_thread);
  tcase_add_test (tc, test_nothing_before_first_batch);
  tcase_add_test (tc, test_drop_after_end);
  tcase_add_test (tc, test_gap_before_first_frame);
  tcase_add_test (tc, test_gap_before_flush);
  tcase_add_test (tc, test_outside_before_flush);
  tcase_add_test (tc, test_gap_without_segment);
  tcase_add_test (tc, test_least_gap_first);
}

BATCH_SUITE (secondbatchergaps)
