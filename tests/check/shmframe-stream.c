/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events in their order, segments, and times of the two sides. */
#include "shmrig.h"


static GstHarness *in, *out;
static RigLog events;

/* The source keeps timestamps; what it sends is in `events` */
static void
open_pair (const gchar * property, const gchar * value)
{
  GstElement *src = rig_element ("shmframesrc", "timestamps", "keep", property,
      value, NULL);

  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  rig_log_start (&events, src);
  out = rig_harness (src);
  rig_until (rig_num_clients (in->element) == 1);
}

static void
close_pair (void)
{
  gst_harness_teardown (in);
  gst_harness_teardown (out);
  rig_log_stop (&events);
}

static void
push_event (GstEvent * event)
{
  fail_unless (gst_harness_push_event (in, event));
}

static void
push_caps (gint width)
{
  GstCaps *caps = rig_caps ("GRAY8", width, 8);

  push_event (gst_event_new_caps (caps));
  gst_caps_unref (caps);
}

static void
push_segment (guint start, guint stop)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = segment.position = start * GST_SECOND;
  segment.stop = stop > 0 ? stop * GST_SECOND : GST_CLOCK_TIME_NONE;
  push_event (gst_event_new_segment (&segment));
}

static void
push_frame (guint number, gint width)
{
  fail_unless_equals_int (gst_harness_push (in, rig_frame (number, width * 8)),
      GST_FLOW_OK);
}

static void
push_head (const gchar * id, gint width)
{
  push_event (gst_event_new_stream_start (id));
  push_caps (width);
}

GST_START_TEST (test_order)
{
  open_pair (NULL, 0);
  push_head ("one", 8);
  push_segment (0, 0);
  push_frame (0, 8);
  push_frame (1, 8);
  push_caps (16);
  push_frame (2, 16);
  push_segment (1, 0);
  push_frame (26, 16);
  push_event (gst_event_new_eos ());
  rig_log_expect (&events, "stream-start(one) caps(8) segment(0) frame(0) "
      "frame(1) caps(16) frame(2) segment(1) frame(26) eos");
  close_pair ();
}

GST_END_TEST;

/* The stop of a segment is not the end of the stream */
GST_START_TEST (test_segment_stop)
{
  open_pair (NULL, 0);
  push_head ("one", 8);
  push_segment (0, 1);
  push_frame (23, 8);
  push_frame (24, 8);
  push_segment (1, 2);
  push_frame (25, 8);
  push_event (gst_event_new_eos ());
  rig_log_expect (&events, "stream-start(one) caps(8) segment(0) frame(23) "
      "frame(24) segment(1) frame(25) eos");
  close_pair ();
}

GST_END_TEST;

/* All there is to a segment arrives */
GST_START_TEST (test_segment_fields)
{
  GstSegment sent = { 0 };
  const GstSegment *received;
  GstEvent *event;

  open_pair (NULL, 0);
  push_head ("one", 8);
  gst_segment_init (&sent, GST_FORMAT_TIME);
  sent.flags = GST_SEGMENT_FLAG_RESET;
  sent.rate = 2.0;
  sent.applied_rate = -0.5;
  sent.base = 11 * GST_SECOND;
  sent.offset = 1;
  sent.start = sent.position = 3 * GST_SECOND;
  sent.stop = 90 * GST_SECOND;
  sent.time = 7 * GST_SECOND;
  sent.duration = 100 * GST_SECOND;
  push_event (gst_event_new_segment (&sent));
  push_frame (100, 8);
  gst_buffer_unref (gst_harness_pull (out));
  event = gst_pad_get_sticky_event (out->sinkpad, GST_EVENT_SEGMENT, 0);
  fail_unless (event != NULL);
  gst_event_parse_segment (event, &received);
  sent.position = received->position;
  fail_unless (gst_segment_is_equal (&sent, received));
  gst_event_unref (event);
  close_pair ();
}

GST_END_TEST;

/* An event that belongs to the stream stays where it was among the frames */
GST_START_TEST (test_other_events)
{
  open_pair (NULL, 0);
  push_head ("one", 8);
  push_segment (0, 0);
  push_event (gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "t", NULL)));
  push_frame (0, 8);
  push_event (gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new_empty ("mark")));
  push_frame (1, 8);
  push_event (gst_event_new_gap (80 * GST_MSECOND, 40 * GST_MSECOND));
  push_frame (3, 8);
  push_event (gst_event_new_eos ());
  rig_log_expect (&events, "stream-start(one) caps(8) segment(0) tag frame(0) "
      "custom-downstream frame(1) gap frame(3) eos");
  close_pair ();
}

GST_END_TEST;

GST_START_TEST (test_two_streams)
{
  open_pair ("on-eos", "reconnect");
  push_head ("one", 8);
  push_segment (0, 0);
  push_frame (0, 8);
  rig_log_expect (&events, "stream-start(one) caps(8) segment(0) frame(0)");
  push_event (gst_event_new_eos ());
  push_event (gst_event_new_flush_start ());
  push_event (gst_event_new_flush_stop (TRUE));
  push_head ("two", 16);
  push_segment (2, 0);
  push_frame (50, 16);
  rig_log_expect (&events, "stream-start(one) caps(8) segment(0) frame(0) "
      "stream-start(two) caps(16) segment(2) frame(50)");
  close_pair ();
}

GST_END_TEST;

/* Who comes late is told all that still holds, and sees the latest frame */
GST_START_TEST (test_late_joiner)
{
  GstElement *src = rig_element ("shmframesrc", "timestamps", "keep", NULL);
  GstHarness *late;
  RigLog log;

  open_pair (NULL, 0);
  push_head ("one", 8);
  push_segment (0, 0);
  push_frame (0, 8);
  push_caps (16);
  push_segment (3, 0);
  push_frame (75, 16);
  push_frame (76, 16);
  rig_log_start (&log, src);
  late = rig_harness (src);
  rig_log_expect (&log, "stream-start(one) caps(16) segment(3) frame(76)");
  push_frame (77, 16);
  push_event (gst_event_new_eos ());
  rig_log_expect (&log,
      "stream-start(one) caps(16) segment(3) frame(76) frame(77) eos");
  gst_harness_teardown (late);
  close_pair ();
  rig_log_stop (&log);
}

GST_END_TEST;

/* A frame from before the caps changed is not shown to who comes after */
GST_START_TEST (test_late_joiner_after_caps)
{
  GstElement *src = rig_element ("shmframesrc", "timestamps", "keep", NULL);
  GstHarness *late;
  RigLog log;

  open_pair (NULL, 0);
  push_head ("one", 8);
  push_segment (0, 0);
  push_frame (0, 8);
  push_caps (16);
  rig_log_start (&log, src);
  late = rig_harness (src);
  rig_until (rig_num_clients (in->element) == 2);
  push_frame (1, 16);
  rig_log_expect (&log, "stream-start(one) caps(16) segment(0) frame(1)");
  gst_harness_teardown (late);
  close_pair ();
  rig_log_stop (&log);
}

GST_END_TEST;

/* A pad whose offset changes tells the start and the segment anew, not the
 * caps */
GST_START_TEST (test_late_joiner_after_second_start)
{
  GstElement *src = rig_element ("shmframesrc", "timestamps", "keep", NULL);
  GstHarness *late;
  RigLog log;

  open_pair (NULL, 0);
  push_head ("one", 8);
  push_segment (0, 0);
  push_frame (0, 8);
  push_event (gst_event_new_stream_start ("one"));
  push_segment (2, 0);
  push_frame (50, 8);
  rig_log_start (&log, src);
  late = rig_harness (src);
  rig_log_expect (&log, "stream-start(one) caps(8) segment(2) frame(50)");
  gst_harness_teardown (late);
  close_pair ();
  rig_log_stop (&log);
}

GST_END_TEST;

/* A pipeline on this clock whose running time 0 is at `base` */
static GstElement *
launch_at (const gchar * description, GstClock * clock, GstClockTime base)
{
  GstElement *pipeline = rig_launch (description);

  gst_pipeline_use_clock (GST_PIPELINE (pipeline), clock);
  gst_element_set_start_time (pipeline, GST_CLOCK_TIME_NONE);
  gst_element_set_base_time (pipeline, base);
  return pipeline;
}

#define PRODUCER RIG_APPSRC (8, 8) " ! shmframesink socket-path=@ " \
    "delivery=lossless"
#define CONSUMER "shmframesrc socket-path=@ timestamps=clock ! " \
    "appsink name=out sync=false"

/* The times of both at one moment, to within a tenth of a millisecond */
static void
read_both (GstClock * theirs, GstClock * ours, GstClockTime * their_time,
    GstClockTime * our_time)
{
  GstClockTime after;

  do {
    *our_time = gst_clock_get_time (ours);
    *their_time = gst_clock_get_time (theirs);
    after = gst_clock_get_time (ours);
  } while (after - *our_time > GST_MSECOND / 10);
}

/* Frame N of a producer that began `ahead` ns before (behind: after) us */
static void
check_clock (GstClock * theirs, GstClock * ours, gint64 ahead,
    GstClockTimeDiff tolerance)
{
  GstElement *producer, *consumer;
  GstClockTime their_base, our_base, shift;

  read_both (theirs, ours, &their_base, &our_base);
  producer = launch_at (PRODUCER, theirs, their_base);
  consumer = launch_at (CONSUMER, ours, our_base + ahead);
  /* the same moment in both, as well as it can be told */
  shift = theirs == ours ? gst_element_get_base_time (producer)
      - gst_element_get_base_time (consumer) : (GstClockTime) - ahead;
  rig_play (consumer);
  rig_play (producer);
  for (guint i = 0; i < 8; i++) {
    GstBuffer *sent = rig_frame (i, 64), *received;
    GstClockTimeDiff expected = (GstClockTimeDiff) (i * 40 * GST_MSECOND
        + shift);

    GST_BUFFER_DTS (sent) = GST_BUFFER_PTS (sent) + 3;
    rig_feed (producer, "in", sent);
    received = rig_pull (consumer, "out");
    fail_unless (rig_is_frame (received, i));
    expected = MAX (expected, 0);
    fail_unless (ABS (GST_CLOCK_DIFF (expected, GST_BUFFER_PTS (received)))
        <= tolerance, "frame %u: PTS %" GST_TIME_FORMAT " instead of %"
        GST_TIME_FORMAT, i, GST_TIME_ARGS (GST_BUFFER_PTS (received)),
        GST_TIME_ARGS (expected));
    fail_unless_equals_uint64 (GST_BUFFER_DTS (received),
        GST_BUFFER_PTS (received) + 3);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (received),
        40 * GST_MSECOND);
    gst_buffer_unref (received);
  }
  rig_stop (consumer);
  rig_stop (producer);
}

GST_START_TEST (test_clock)
{
  GstClock *clock = gst_system_clock_obtain ();

  /* we began before it did, so that its frames are at a later time of ours */
  check_clock (clock, clock, -10 * (gint64) GST_SECOND, 0);
  check_clock (clock, clock, -3, 0);
  gst_object_unref (clock);
}

GST_END_TEST;

/* Frames that were due before we began */
GST_START_TEST (test_clock_negative)
{
  GstClock *clock = gst_system_clock_obtain ();

  check_clock (clock, clock, 100 * GST_MSECOND, 0);
  check_clock (clock, clock, 3600 * GST_SECOND, 0);
  gst_object_unref (clock);
}

GST_END_TEST;

static GstClock *
realtime_clock (void)
{
  return GST_CLOCK (gst_object_ref_sink (g_object_new (GST_TYPE_SYSTEM_CLOCK,
              "clock-type", GST_CLOCK_TYPE_REALTIME, "name", "realtime",
              NULL)));
}

/* Clocks that count from different days */
GST_START_TEST (test_clock_other)
{
  GstClock *clock = gst_system_clock_obtain ();
  GstClock *other = realtime_clock ();
  GstClockTimeDiff tolerance = 20 * GST_MSECOND;

  check_clock (other, clock, -2 * (gint64) GST_SECOND, tolerance);
  check_clock (clock, other, -2 * (gint64) GST_SECOND, tolerance);
  check_clock (other, other, -2 * (gint64) GST_SECOND, tolerance);
  gst_object_unref (other);
  gst_object_unref (clock);
}

GST_END_TEST;

/* The running time counts, not the PTS; the segment is the consumer's own */
GST_START_TEST (test_clock_segment)
{
  GstClock *clock = gst_system_clock_obtain ();
  GstClockTime base = gst_clock_get_time (clock);
  GstElement *producer = launch_at (PRODUCER, clock, base + 5 * GST_SECOND);
  GstElement *consumer = launch_at (CONSUMER, clock, base);
  GstPad *pad = gst_element_get_static_pad (rig_child (producer, "in"),
      "src");
  GstSample *sample;

  rig_play (consumer);
  rig_play (producer);
  /* frame 0, PTS 0, has the running time 7 s, and is due at 12 s of ours */
  gst_pad_set_offset (pad, 7 * GST_SECOND);
  rig_feed (producer, "in", rig_frame (0, 64));
  sample = rig_sample (consumer, "out");
  fail_unless_equals_uint64 (GST_BUFFER_PTS (gst_sample_get_buffer (sample)),
      12 * GST_SECOND);
  fail_unless_equals_uint64 (gst_sample_get_segment (sample)->start, 0);
  fail_unless_equals_uint64 (gst_sample_get_segment (sample)->base, 0);
  gst_sample_unref (sample);
  gst_object_unref (pad);
  rig_stop (consumer);
  rig_stop (producer);
  gst_object_unref (clock);
}

GST_END_TEST;

/* auto: by is-live of the source */
GST_START_TEST (test_auto)
{
  for (gint live = 0; live < 2; live++) {
    GstClock *clock = gst_system_clock_obtain ();
    GstElement *producer = launch_at (PRODUCER, clock, 20 * GST_SECOND);
    GstElement *consumer = launch_at (live ? "shmframesrc socket-path=@ "
        "is-live=true ! appsink name=out sync=false"
        : "shmframesrc socket-path=@ is-live=false ! appsink name=out "
        "sync=false", clock, 15 * GST_SECOND);
    GstBuffer *buffer;

    rig_play (consumer);
    rig_play (producer);
    rig_feed (producer, "in", rig_frame (1, 64));
    buffer = rig_pull (consumer, "out");
    fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), 40 * GST_MSECOND
        + (live ? 5 * GST_SECOND : 0));
    gst_buffer_unref (buffer);
    rig_stop (consumer);
    rig_stop (producer);
    gst_object_unref (clock);
  }
}

GST_END_TEST;

/* An application that looks at the caps before it links what is behind */
static GstPadProbeReturn
link_when_known (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstElement *src = gst_pad_get_parent_element (pad);

  fail_unless (gst_pad_has_current_caps (pad));
  fail_unless (gst_element_link (src, GST_ELEMENT (user)));
  gst_object_unref (src);
  return GST_PAD_PROBE_REMOVE;
}

GST_START_TEST (test_linked_late)
{
  for (gint live = 0; live < 2; live++) {
    GstElement *producer = rig_launch ("videotestsrc num-buffers=3 ! "
        RIG_GRAY (64, 48) " ! shmframesink delivery=lossless socket-path=@");
    GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ "
        "appsink name=out sync=false async=false");
    GstElement *src = rig_child (consumer, "src");
    GstPad *pad = gst_element_get_static_pad (src, "src");
    GstSample *sample;

    g_object_set (src, "is-live", live, NULL);
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK
        | GST_PAD_PROBE_TYPE_BUFFER, link_when_known, rig_child (consumer,
            "out"), NULL);
    rig_play (consumer);
    rig_play (producer);
    for (guint i = 0; i < 3; i++) {
      sample = rig_sample (consumer, "out");
      fail_unless (gst_sample_get_caps (sample) != NULL);
      fail_unless_equals_int (gst_sample_get_segment (sample)->format,
          GST_FORMAT_TIME);
      gst_sample_unref (sample);
    }
    fail_unless (rig_try_sample (consumer, "out") == NULL);
    rig_stop (consumer);
    rig_stop (producer);
    gst_object_unref (pad);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_linked_late);
  tcase_add_test (tc, test_order);
  tcase_add_test (tc, test_segment_stop);
  tcase_add_test (tc, test_segment_fields);
  tcase_add_test (tc, test_other_events);
  tcase_add_test (tc, test_two_streams);
  tcase_add_test (tc, test_late_joiner);
  tcase_add_test (tc, test_late_joiner_after_caps);
  tcase_add_test (tc, test_late_joiner_after_second_start);
  tcase_add_test (tc, test_clock);
  tcase_add_test (tc, test_clock_negative);
  tcase_add_test (tc, test_clock_other);
  tcase_add_test (tc, test_clock_segment);
  tcase_add_test (tc, test_auto);
}

RIG_SUITE (shmframe_stream)
