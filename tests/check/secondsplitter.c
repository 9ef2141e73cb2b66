/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes out of the splitter is what went into the batcher */
#include "splitrig.h"

/* Moves all that the batcher made, events and batches in their order */
static void
forward (Rig * rig, Split * split, guint n_batches)
{
  GstEvent *event;
  guint i;

  gst_harness_push_event (split->in, gst_event_new_stream_start ("batches"));
  for (i = 0; i < n_batches; i++) {
    GstBuffer *batch = rig_pull (rig);
    GstCaps *caps = gst_pad_get_current_caps (rig->h[0]->sinkpad);

    while ((event = gst_harness_try_pull_event (rig->h[0]))) {
      if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM)
        gst_harness_push_event (split->in, event);
      else
        gst_event_unref (event);
    }
    if (i == 0)
      gst_harness_set_src_caps (split->in, caps);
    else
      gst_caps_unref (caps);
    fail_unless_equals_int (gst_harness_push (split->in, batch), GST_FLOW_OK);
  }
}

static void
expect_frames (Split * split, guint k, GstBuffer ** frames, guint n)
{
  guint i;

  for (i = 0; i < n; i++) {
    GstBuffer *buffer = gst_harness_try_pull (split->out[k]);

    fail_unless (buffer == frames[i], "frame %u of stream %u differs", i, k);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (gst_harness_buffers_in_queue (split->out[k]), 0);
}

static GstBuffer *
push_kept (Rig * rig, guint pad, GstClockTime pts)
{
  GstBuffer *frame = rig_frame (pts, 100 * MS);

  fail_unless_equals_int (gst_harness_push (rig->h[pad], frame), GST_FLOW_OK);
  return frame;
}

static void
expect_headers (Rig * rig, Split * split, guint k, GstCaps * caps)
{
  GstEvent *sticky, *event;
  const GstSegment *segment;
  const gchar *id, *out_id;
  GstCaps *out_caps;

  expect_event (split, k, GST_EVENT_STREAM_START, &event);
  sticky = gst_pad_get_sticky_event (rig->h[k]->srcpad, GST_EVENT_STREAM_START,
      0);
  gst_event_parse_stream_start (sticky, &id);
  gst_event_parse_stream_start (event, &out_id);
  fail_unless_equals_string (id, out_id);
  gst_event_unref (sticky);
  gst_event_unref (event);

  expect_event (split, k, GST_EVENT_CAPS, &event);
  gst_event_parse_caps (event, &out_caps);
  fail_unless (gst_caps_is_equal (caps, out_caps));
  gst_event_unref (event);

  expect_event (split, k, GST_EVENT_SEGMENT, &event);
  gst_event_parse_segment (event, &segment);
  fail_unless_equals_int (segment->format, GST_FORMAT_TIME);
  gst_event_unref (event);
}

GST_START_TEST (test_round_trip)
{
  GstCaps *caps[STREAMS] = { rig_caps (10, 1), rig_caps (5, 1) };
  GstBuffer *frames[STREAMS][20];
  Split split;
  guint i, k;
  Rig rig;

  rig_init (&rig, STREAMS, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 5, 1);
  for (i = 0; i < 20; i++) {
    frames[0][i] = push_kept (&rig, 0, i * 100 * MS);
    if (i % 2 == 0)
      frames[1][i / 2] = push_kept (&rig, 1, i * 100 * MS);
  }
  rig_eos (&rig);

  split_init (&split);
  forward (&rig, &split, 2);
  gst_harness_push_event (split.in, gst_event_new_eos ());
  fail_unless_equals_int (split.no_more_pads, 1);
  for (k = 0; k < STREAMS; k++) {
    expect_headers (&rig, &split, k, caps[k]);
    expect_event (&split, k, GST_EVENT_EOS, NULL);
    expect_frames (&split, k, frames[k], k == 0 ? 20 : 10);
    gst_caps_unref (caps[k]);
  }
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

/* The pad stays; new caps come before the first frame that has them */
GST_START_TEST (test_caps_change)
{
  GstCaps *caps = rig_caps (20, 1), *current;
  GstBuffer *frames[10];
  Split split;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  for (i = 0; i < 10; i++) {
    if (i == 5)
      gst_harness_push_event (rig.h[0], gst_event_new_caps (caps));
    frames[i] = push_kept (&rig, 0, i * 100 * MS);
  }
  rig_eos (&rig);
  split_init (&split);
  forward (&rig, &split, 2);
  expect_event (&split, 0, GST_EVENT_STREAM_START, NULL);
  expect_event (&split, 0, GST_EVENT_CAPS, NULL);
  expect_event (&split, 0, GST_EVENT_SEGMENT, NULL);
  expect_event (&split, 0, GST_EVENT_CAPS, NULL);
  current = gst_pad_get_current_caps (split.out[0]->sinkpad);
  fail_unless (gst_caps_is_equal (caps, current));
  gst_caps_unref (current);
  gst_caps_unref (caps);
  expect_frames (&split, 0, frames, 10);
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

static GstPadProbeReturn
note_order (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GString *order = data;

  if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
    g_string_append_c (order, 'f');
  else if (GST_EVENT_TYPE (info->data) == GST_EVENT_GAP)
    g_string_append_c (order, 'g');
  else if (GST_EVENT_TYPE (info->data) == GST_EVENT_TAG)
    g_string_append_c (order, 't');
  else if (GST_EVENT_TYPE (info->data) == GST_EVENT_CAPS)
    g_string_append_c (order, 'C');
  else if (gst_event_has_name (info->data, GST_SECOND_BATCH_COUNTS_NAME))
    g_string_append_c (order, 'n');
  else if (GST_EVENT_TYPE (info->data) == GST_EVENT_CUSTOM_DOWNSTREAM)
    g_string_append_c (order, 'c');
  return GST_PAD_PROBE_OK;
}

static void
watch_order (GstElement * splitter, GstPad * pad, GString * order)
{
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER |
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note_order, order, NULL);
}

/* Tags and custom events are where they were among the frames */
GST_START_TEST (test_events_keep_their_place)
{
  GString *order = g_string_new (NULL);
  GstTagList *tags = NULL;
  gchar *title = NULL;
  GstEvent *event;
  Split split;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  gst_harness_push_event (rig.h[0], gst_event_new_tag (gst_tag_list_new
          (GST_TAG_TITLE, "Bench", NULL)));
  rig_push_n (&rig, 0, 0, 100 * MS, 3);
  gst_harness_push_event (rig.h[0],
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new ("mark", "n", G_TYPE_INT, 7, NULL)));
  rig_push_n (&rig, 0, 300 * MS, 100 * MS, 9);
  rig_eos (&rig);

  split_init (&split);
  g_signal_connect (split.splitter, "pad-added", G_CALLBACK (watch_order),
      order);
  forward (&rig, &split, 2);
  fail_unless_equals_string (order->str, "Ctfffcfffffffff");

  event = gst_pad_get_sticky_event (split.out[0]->sinkpad, GST_EVENT_TAG, 0);
  fail_unless (event != NULL);
  gst_event_parse_tag (event, &tags);
  fail_unless (gst_tag_list_get_string (tags, GST_TAG_TITLE, &title));
  fail_unless_equals_string (title, "Bench");
  gst_event_unref (event);
  g_free (title);
  g_string_free (order, TRUE);
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

static void
push_mark (Rig * rig, guint pad)
{
  gst_harness_push_event (rig->h[pad],
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new_empty ("mark")));
}

/* A window in two batches has its events in the batch of their frames */
GST_START_TEST (test_events_after_caps_change)
{
  GString *order = g_string_new (NULL);
  GstCaps *caps = rig_caps (20, 1);
  Split split;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  split_init_behind (&split, &rig);
  g_signal_connect (split.splitter, "pad-added", G_CALLBACK (watch_order),
      order);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push_n (&rig, 0, 0, 100 * MS, 2);
  push_mark (&rig, 0);
  rig_push_n (&rig, 0, 200 * MS, 100 * MS, 3);
  gst_harness_push_event (rig.h[0], gst_event_new_caps (caps));
  gst_harness_push_event (rig.h[0], gst_event_new_tag (gst_tag_list_new
          (GST_TAG_TITLE, "Bench", NULL)));
  rig_push_n (&rig, 0, 500 * MS, 100 * MS, 3);
  push_mark (&rig, 0);
  rig_push_n (&rig, 0, 800 * MS, 100 * MS, 2);
  rig_eos (&rig);
  split_wait_eos (&split, 0);
  fail_unless_equals_string (order->str, "CffcfffCtfffcff");

  gst_caps_unref (caps);
  split_clear (&split);
  rig_clear (&rig);
  g_string_free (order, TRUE);
}

GST_END_TEST;

/* An event outlives the frames that it stood among */
GST_START_TEST (test_event_in_a_dropped_window)
{
  GString *order = g_string_new (NULL);
  Split split;
  Rig rig;

  rig_init (&rig, 2, FALSE, "incomplete", "drop", NULL);
  split_init_behind (&split, &rig);
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 1, 1);
  g_signal_connect (split.splitter, "pad-added", G_CALLBACK (watch_order),
      order);
  rig_push (&rig, 1, 0);
  rig_push_n (&rig, 0, 0, 100 * MS, 11);
  gst_harness_push_event (rig.h[1], gst_event_new_gap (GST_SECOND,
          GST_SECOND));
  rig_push_n (&rig, 0, 1100 * MS, 100 * MS, 4);
  push_mark (&rig, 0);
  rig_push_n (&rig, 0, 1500 * MS, 100 * MS, 6);
  rig_push (&rig, 1, 2 * GST_SECOND);
  rig_push_n (&rig, 0, 2100 * MS, 100 * MS, 2);
  rig_eos (&rig);
  split_wait_eos (&split, 0);
  /* windows 0 and 2, of both streams: sink_1 has the second frame of each, and
   * what became of window 1 is told */
  fail_unless_equals_string (order->str, "CfCffffffffff" "ncffff");

  split_clear (&split);
  rig_clear (&rig);
  g_string_free (order, TRUE);
}

GST_END_TEST;

/* Whoever waits for a frame of each stream must not wait for a whole window of
 * another one: a queue between may not have the room. */
GST_START_TEST (test_gap_comes_first)
{
  GString *order = g_string_new (NULL);
  Split split;
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  split_init_behind (&split, &rig);
  g_signal_connect (split.splitter, "pad-added", G_CALLBACK (watch_order),
      order);
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 10, 1);
  rig_push (&rig, 1, 0);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  rig_push_n (&rig, 0, 0, 100 * MS, 15);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  split_wait_eos (&split, 0);
  fail_unless_equals_string (order->str, "CfCffffffffff" "gfffff");

  split_clear (&split);
  rig_clear (&rig);
  g_string_free (order, TRUE);
}

GST_END_TEST;

/* Each frame once, although it is in two batches */
GST_START_TEST (test_overlapping_windows)
{
  GstBuffer *frames[20];
  Split split;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, "hop", 500 * MS, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  for (i = 0; i < 20; i++)
    frames[i] = push_kept (&rig, 0, i * 100 * MS);
  rig_eos (&rig);
  split_init (&split);
  forward (&rig, &split, 4);
  expect_frames (&split, 0, frames, 20);
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

/* A stream without frames in a window goes on with a gap */
GST_START_TEST (test_gap)
{
  GstClockTime pts, duration;
  GstEvent *event;
  Split split;
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 10, 1);
  rig_push (&rig, 1, 0);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  rig_push_n (&rig, 0, 0, 100 * MS, 20);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  split_init (&split);
  forward (&rig, &split, 2);
  expect_event (&split, 1, GST_EVENT_STREAM_START, NULL);
  expect_event (&split, 1, GST_EVENT_CAPS, NULL);
  expect_event (&split, 1, GST_EVENT_SEGMENT, NULL);
  expect_event (&split, 1, GST_EVENT_GAP, &event);
  gst_event_parse_gap (event, &pts, &duration);
  fail_unless_equals_uint64 (pts, GST_SECOND);
  fail_unless_equals_uint64 (duration, GST_SECOND);
  gst_event_unref (event);
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

/* After a flush the streams' segments come again */
GST_START_TEST (test_flush)
{
  GstEvent *event;
  Split split;
  guint segments = 0;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push_n (&rig, 0, 0, 100 * MS, 20);
  rig_eos (&rig);
  split_init (&split);
  forward (&rig, &split, 1);
  gst_harness_push_event (split.in, gst_event_new_flush_start ());
  gst_harness_push_event (split.in, gst_event_new_flush_stop (TRUE));
  forward (&rig, &split, 1);
  while ((event = gst_harness_try_pull_event (split.out[0]))) {
    segments += GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT;
    gst_event_unref (event);
  }
  fail_unless_equals_int (segments, 2);
  split_clear (&split);
  rig_clear (&rig);
}

GST_END_TEST;

GST_START_TEST (test_not_a_batch)
{
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  Split split;

  split_init (&split);
  gst_element_set_bus (split.splitter, bus);
  gst_harness_set_src_caps_str (split.in, GST_SECOND_BATCH_CAPS_NAME);
  fail_unless_equals_int (gst_harness_push (split.in, gst_buffer_new ()),
      GST_FLOW_ERROR);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_unref (message);
  gst_element_set_bus (split.splitter, NULL);
  gst_object_unref (bus);
  split_clear (&split);
}

GST_END_TEST;

/* The whole way in one pipeline: batches of split streams are the same again */
GST_START_TEST (test_batch_again)
{
  GstElement *pipeline = gst_parse_launch ("secondbatcher name=a ! "
      "secondsplitter name=s  secondbatcher name=b post-messages=true ! "
      "fakesink  videotestsrc num-buffers=75 ! video/x-raw,framerate=25/1 ! a. "
      "videotestsrc num-buffers=150 ! video/x-raw,framerate=50/1 ! a. "
      "s.src_0 ! queue ! b.sink_0  s.src_1 ! queue ! b.sink_1", NULL);
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  guint batches = 0;
  gboolean eos = FALSE;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!eos) {
    message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND,
        GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);
    fail_unless (message != NULL);
    fail_if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR);
    eos = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
    if (gst_message_has_name (message, "second-batch")) {
      const GstStructure *s = gst_message_get_structure (message);
      guint frames[2] = { 0, 0 };

      gst_structure_get_uint (s, "frames-0", &frames[0]);
      gst_structure_get_uint (s, "frames-1", &frames[1]);
      fail_unless_equals_int (frames[0], 25);
      fail_unless_equals_int (frames[1], 50);
      batches++;
    }
    gst_message_unref (message);
  }
  fail_unless_equals_int (batches, 3);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_round_trip);
  tcase_add_test (tc, test_caps_change);
  tcase_add_test (tc, test_events_keep_their_place);
  tcase_add_test (tc, test_events_after_caps_change);
  tcase_add_test (tc, test_event_in_a_dropped_window);
  tcase_add_test (tc, test_gap_comes_first);
  tcase_add_test (tc, test_overlapping_windows);
  tcase_add_test (tc, test_gap);
  tcase_add_test (tc, test_flush);
  tcase_add_test (tc, test_not_a_batch);
  tcase_add_test (tc, test_batch_again);
}

BATCH_SUITE (secondsplitter)
