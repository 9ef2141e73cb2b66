/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holes, gaps, ends, errors, signals and QoS; nothing is live */
#include "batchrig.h"
#include <gst/base/gstaggregator.h>

#define MS GST_MSECOND

static void
init_pair (Rig * rig, const gchar * incomplete)
{
  rig_init (rig, 2, FALSE, NULL);
  gst_util_set_object_arg (G_OBJECT (rig->batcher), "incomplete", incomplete);
  rig_set_caps (rig, 0, 10, 1);
  rig_set_caps (rig, 1, 10, 1);
}

static gpointer
push_hole (gpointer data)
{
  Rig *rig = data;

  rig_push_n (rig, 1, 0, 100 * MS, 10);
  rig_push_n (rig, 1, 11 * GST_SECOND, 100 * MS, 10);
  gst_harness_push_event (rig->h[1], gst_event_new_eos ());
  return NULL;
}

/* Windows 1 to 10 lack the second stream, and the first one too if both_lack */
static void
run_hole (Rig * rig, gboolean both_lack)
{
  GThread *thread = g_thread_new ("hole", push_hole, rig);

  rig_push_n (rig, 0, 0, 100 * MS, 10);
  if (!both_lack)
    rig_push_n (rig, 0, GST_SECOND, 100 * MS, 100);
  rig_push_n (rig, 0, 11 * GST_SECOND, 100 * MS, 10);
  gst_harness_push_event (rig->h[0], gst_event_new_eos ());
  g_thread_join (thread);
}

/* case 8 */
GST_START_TEST (test_hole_in_one_stream)
{
  static const gchar *policies[] = { "push", "drop", "wait" };
  guint p, i;

  for (p = 0; p < G_N_ELEMENTS (policies); p++) {
    gboolean drop = p == 1;
    Rig rig;

    init_pair (&rig, policies[p]);
    run_hole (&rig, FALSE);
    rig_expect (&rig, 0, 10, 10);
    for (i = 1; i <= 10 && !drop; i++)
      rig_expect (&rig, i, 10, 0);
    rig_expect (&rig, 11, 10, 10);
    rig_wait_eos (&rig);
    fail_unless_equals_uint64 (rig_stat (&rig, "dropped-windows"),
        drop ? 10 : 0);
    fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-dropped"),
        drop ? 100 : 0);
    rig_clear (&rig);
  }
}

GST_END_TEST;

static guint
count_gaps (Rig * rig, GstClockTime * pts, GstClockTime * duration)
{
  GstEvent *event;
  guint n = 0;

  while ((event = gst_harness_try_pull_event (rig->h[0]))) {
    if (GST_EVENT_TYPE (event) == GST_EVENT_GAP) {
      gst_event_parse_gap (event, pts, duration);
      n++;
    }
    gst_event_unref (event);
  }
  return n;
}

/* case 8, a hole in all streams: empty batches or one gap */
GST_START_TEST (test_hole_in_all_streams)
{
  static const gchar *policies[] = { "push", "drop", "wait" };
  GstClockTime pts = 0, duration = 0;
  guint p, i;

  for (p = 0; p < G_N_ELEMENTS (policies); p++) {
    gboolean drop = p == 1;
    Rig rig;

    init_pair (&rig, policies[p]);
    run_hole (&rig, TRUE);
    rig_expect (&rig, 0, 10, 10);
    for (i = 1; i <= 10 && !drop; i++)
      rig_expect (&rig, i, 0, 0);
    rig_expect (&rig, 11, 10, 10);
    fail_unless_equals_int (count_gaps (&rig, &pts, &duration), drop ? 1 : 0);
    if (drop) {
      fail_unless_equals_uint64 (pts, GST_SECOND);
      fail_unless_equals_uint64 (duration, 10 * GST_SECOND);
    }
    fail_unless_equals_uint64 (rig_stat (&rig, "skipped-windows"),
        drop ? 10 : 0);
    rig_clear (&rig);
  }
}

GST_END_TEST;

/* case 19: a leap of an hour is one jump even with incomplete=push */
GST_START_TEST (test_leap)
{
  GstClockTime pts, duration;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push (&rig, 0, 1000 * GST_SECOND);
  rig_push (&rig, 0, 4600 * GST_SECOND);
  rig_eos (&rig);
  rig_expect (&rig, 1000, 1, 0);
  rig_expect (&rig, 4600, 1, 0);
  fail_unless_equals_int (count_gaps (&rig, &pts, &duration), 1);
  fail_unless_equals_uint64 (rig_stat (&rig, "batches"), 2);
  fail_unless_equals_uint64 (rig_stat (&rig, "skipped-windows"), 3599);
  rig_clear (&rig);
}

GST_END_TEST;

/* The stream that comes first begins an hour after the other, which is short */
GST_START_TEST (test_first_frames_far_apart)
{
  Rig rig;

  init_pair (&rig, "push");
  rig_push (&rig, 0, 3600 * GST_SECOND);
  rig_push (&rig, 1, 500 * MS);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  rig_push (&rig, 0, 3600 * GST_SECOND + 100 * MS);
  rig_expect (&rig, 0, 0, 1);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  rig_wait_eos (&rig);
  rig_expect (&rig, 3600, 2, 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "batches"), 2);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-late"), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 5, offline: the second stream starts with windows of gap */
GST_START_TEST (test_initial_gap)
{
  Rig rig;
  guint i;

  init_pair (&rig, "push");
  gst_harness_push_event (rig.h[1], gst_event_new_gap (0, 3 * GST_SECOND));
  rig_push_n (&rig, 0, 0, 100 * MS, 31);
  for (i = 0; i < 3; i++)
    rig_expect (&rig, i, 10, 0);
  rig_push_n (&rig, 1, 3 * GST_SECOND, 100 * MS, 10);
  rig_push_n (&rig, 0, 3100 * MS, 100 * MS, 9);
  rig_eos (&rig);
  rig_expect (&rig, 3, 10, 10);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 11: a gap moves time and is not a frame */
GST_START_TEST (test_gap)
{
  GstEvent *gap;
  Rig rig;

  init_pair (&rig, "push");
  rig_push_n (&rig, 0, 0, 100 * MS, 1);
  rig_push_n (&rig, 1, 0, 100 * MS, 11);
  rig_push_n (&rig, 0, 100 * MS, 100 * MS, 4);
  gap = gst_event_new_gap (500 * MS, GST_SECOND);
  gst_event_set_gap_flags (gap, GST_GAP_FLAG_MISSING_DATA);
  gst_harness_push_event (rig.h[0], gap);
  rig_expect (&rig, 0, 5, 10);

  rig_push_n (&rig, 0, 1500 * MS, 100 * MS, 5);
  rig_push_n (&rig, 1, 1100 * MS, 100 * MS, 9);
  rig_eos (&rig);
  rig_expect (&rig, 1, 5, 10);
  rig_wait_eos (&rig);
  fail_unless_equals_uint64 (rig_stat (&rig, "gaps"), 1);
  fail_unless_equals_uint64 (rig_stat (&rig, "missing-data-gaps"), 1);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 12 */
GST_START_TEST (test_one_eos_early)
{
  Rig rig;

  init_pair (&rig, "push");
  rig_push_n (&rig, 0, 0, 100 * MS, 5);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  rig_push_n (&rig, 1, 0, 100 * MS, 25);
  rig_expect (&rig, 0, 5, 10);
  rig_expect (&rig, 1, 0, 10);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  rig_expect (&rig, 2, 0, 5);
  rig_wait_eos (&rig);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 17 */
GST_START_TEST (test_stream_start_after_eos)
{
  GstSegment segment;
  Rig rig;

  init_pair (&rig, "push");
  rig_push_n (&rig, 0, 0, 100 * MS, 5);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  rig_push_n (&rig, 1, 0, 100 * MS, 11);
  rig_expect (&rig, 0, 5, 10);

  gst_harness_push_event (rig.h[0], gst_event_new_stream_start ("again"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (rig.h[0], gst_event_new_segment (&segment));
  rig_push_n (&rig, 1, 1100 * MS, 100 * MS, 9);
  rig_push_n (&rig, 0, 1200 * MS, 100 * MS, 8);
  rig_eos (&rig);
  rig_expect (&rig, 1, 8, 10);
  rig_wait_eos (&rig);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 22 */
GST_START_TEST (test_no_pts)
{
  GstBus *bus = gst_bus_new ();
  GError *error = NULL;
  GstMessage *message;
  Rig rig;

  init_pair (&rig, "push");
  gst_element_set_bus (rig.batcher, bus);
  gst_harness_push (rig.h[1], rig_frame (GST_CLOCK_TIME_NONE,
          GST_CLOCK_TIME_NONE));
  rig_push (&rig, 0, 0);
  message = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE,
      GST_MESSAGE_ERROR);
  fail_unless (message != NULL, "no error");
  gst_message_parse_error (message, &error, NULL);
  fail_unless (strstr (error->message, "pad sink_1") != NULL, "%s",
      error->message);
  g_error_free (error);
  gst_message_unref (message);
  rig_wait_eos (&rig);
  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
  rig_clear (&rig);
}

GST_END_TEST;

static void
samples_selected (GstElement * batcher, GstSegment * segment, guint64 pts,
    guint64 dts, guint64 duration, GstStructure * info, GPtrArray * samples)
{
  GstPad *pad = gst_element_get_static_pad (batcher, "sink_1");
  GstSample *sample = gst_aggregator_peek_next_sample (GST_AGGREGATOR
      (batcher), GST_AGGREGATOR_PAD (pad));

  fail_unless (sample != NULL);
  fail_unless (gst_structure_has_name (info, "second-batch"));
  g_ptr_array_add (samples, sample);
  gst_object_unref (pad);
}

/* case 29 */
GST_START_TEST (test_samples_selected)
{
  GPtrArray *samples = g_ptr_array_new_with_free_func
      ((GDestroyNotify) gst_sample_unref);
  GstSample *sample;
  GstBuffer *batch;
  Rig rig;

  init_pair (&rig, "push");
  g_object_set (rig.batcher, "emit-signals", TRUE, NULL);
  g_signal_connect (rig.batcher, "samples-selected",
      G_CALLBACK (samples_selected), samples);
  rig_push (&rig, 0, 0);
  rig_push_n (&rig, 1, 0, 100 * MS, 3);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_int (samples->len, 1);
  sample = g_ptr_array_index (samples, 0);
  fail_unless (gst_sample_get_buffer_list (sample) ==
      gst_second_batch_get_buffers (batch, 1));
  fail_unless (gst_caps_is_equal (gst_sample_get_caps (sample),
          gst_second_batch_get_caps (batch, 1)));
  gst_buffer_unref (batch);
  g_ptr_array_unref (samples);
  rig_clear (&rig);
}

GST_END_TEST;

/* case 30 */
GST_START_TEST (test_qos_ends_here)
{
  GstEvent *event;
  Rig rig;

  init_pair (&rig, "push");
  rig_push (&rig, 0, 0);
  rig_push (&rig, 1, 0);
  rig_eos (&rig);
  rig_expect (&rig, 0, 1, 1);
  fail_unless (gst_pad_push_event (rig.h[0]->sinkpad,
          gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 0.5, 5 * GST_SECOND, 0)));
  while ((event = gst_harness_try_pull_upstream_event (rig.h[0]))) {
    fail_if (GST_EVENT_TYPE (event) == GST_EVENT_QOS);
    gst_event_unref (event);
  }
  rig_clear (&rig);
}

GST_END_TEST;

typedef struct
{
  Rig rig;
  gboolean query;               /* or an event */
  gint cut;                     /* batch 0 is on its way, the task stands */
  gint pushed;
} Behind;

static GstPadProbeReturn
stand_still (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  g_atomic_int_set (&((Behind *) data)->cut, TRUE);
  return GST_PAD_PROBE_OK;      /* until the probe is removed */
}

static void
push_tag (Behind * b)
{
  gst_harness_push_event (b->rig.h[0],
      gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "t", NULL)));
}

static void
push_allocation (Behind * b)
{
  GstCaps *caps = rig_caps (10, 1);
  GstQuery *query = gst_query_new_allocation (caps, FALSE);

  fail_unless (gst_pad_peer_query (b->rig.h[0]->srcpad, query));
  gst_query_unref (query);
  gst_caps_unref (caps);
}

/* Window 1: frames, a tag, a frame, a tag or query, and more frames */
static gpointer
push_behind (gpointer data)
{
  Behind *b = data;

  for (guint i = 0; i < 10; i++) {
    if (i == 2 && b->query)
      push_allocation (b);
    else if (i == 1 || i == 2)
      push_tag (b);
    rig_push (&b->rig, 0, GST_SECOND + i * 100 * MS);
    g_atomic_int_inc (&b->pushed);
    while (!g_atomic_int_get (&b->cut))
      g_thread_yield ();
  }
  return NULL;
}

static void
wait_until_stuck (Behind * b)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000;
  gint before;

  while (!g_atomic_int_get (&b->cut) && g_get_monotonic_time () < end)
    g_thread_yield ();
  fail_unless (g_atomic_int_get (&b->cut));
  do {
    before = g_atomic_int_get (&b->pushed);
    g_usleep (20000);
  } while (before == 0 || before < g_atomic_int_get (&b->pushed));
}

/* What stands behind frames in a full queue is dealt with when the other stream
 * has nothing to wait for any more */
GST_START_TEST (test_behind_frames)
{
  Behind b = {.query = __i__ == 1 };
  gint64 end;
  GThread *thread;
  GstPad *src;
  gulong probe;

  init_pair (&b.rig, "push");
  src = gst_element_get_static_pad (b.rig.batcher, "src");
  probe = gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BLOCK
      | GST_PAD_PROBE_TYPE_BUFFER, stand_still, &b, NULL);
  rig_push_n (&b.rig, 0, 0, 100 * MS, 10);
  rig_push_n (&b.rig, 1, 0, 100 * MS, 11);
  thread = g_thread_new ("behind", push_behind, &b);
  wait_until_stuck (&b);
  gst_pad_remove_probe (src, probe);
  gst_harness_push_event (b.rig.h[1], gst_event_new_eos ());

  end = g_get_monotonic_time () + RIG_DEADLINE / 1000;
  while (g_atomic_int_get (&b.pushed) < 10 && g_get_monotonic_time () < end)
    g_thread_yield ();
  fail_unless_equals_int (g_atomic_int_get (&b.pushed), 10);
  g_thread_join (thread);
  gst_harness_push_event (b.rig.h[0], gst_event_new_eos ());
  rig_expect (&b.rig, 0, 10, 10);
  rig_expect (&b.rig, 1, 10, 1);
  rig_wait_eos (&b.rig);
  gst_object_unref (src);
  rig_clear (&b.rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_hole_in_one_stream);
  tcase_add_test (tc, test_hole_in_all_streams);
  tcase_add_test (tc, test_leap);
  tcase_add_test (tc, test_first_frames_far_apart);
  tcase_add_test (tc, test_initial_gap);
  tcase_add_test (tc, test_gap);
  tcase_add_test (tc, test_one_eos_early);
  tcase_add_test (tc, test_stream_start_after_eos);
  tcase_add_test (tc, test_no_pts);
  tcase_add_test (tc, test_samples_selected);
  tcase_add_test (tc, test_qos_ends_here);
  tcase_add_loop_test (tc, test_behind_frames, 0, 2);
}

BATCH_SUITE (secondbatcherevents)
