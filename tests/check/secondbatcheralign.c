/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Alignments, and offsets */
#include "batchrig.h"

#include <sys/wait.h>
#include <unistd.h>

#define MS GST_MSECOND

/* 2023-11-14T22:13:20.4Z; nothing depends on when the test runs */
#define SOME_UTC (G_GUINT64_CONSTANT (1700000000) * GST_SECOND + 400 * MS)
#define NTP_EPOCH (G_GUINT64_CONSTANT (2208988800) * GST_SECOND)
#define TAI_OFFSET (37 * GST_SECOND)

static void
rig_init_on (Rig * rig, guint n, const gchar * align, GstClock * clock,
    GstClockTime base_time)
{
  guint i;

  rig_init (rig, n, FALSE, NULL);
  gst_element_set_state (rig->batcher, GST_STATE_READY);
  gst_util_set_object_arg (G_OBJECT (rig->batcher), "align", align);
  gst_element_set_clock (rig->batcher, clock);
  gst_element_set_base_time (rig->batcher, base_time);
  gst_element_set_state (rig->batcher, GST_STATE_PLAYING);

  for (i = 0; i < n; i++) {
    gst_harness_push_event (rig->h[i], gst_event_new_stream_start ("s"));
    rig_set_caps (rig, i, 10, 1);
  }
}

static void
rig_init_at (Rig * rig, guint n, const gchar * align, GstClockTime base_time)
{
  GstClock *clock = g_object_new (GST_TYPE_SYSTEM_CLOCK, "clock-type",
      GST_CLOCK_TYPE_REALTIME, NULL);

  gst_object_ref_sink (clock);
  rig_init_on (rig, n, align, clock, base_time);
  gst_object_unref (clock);
}

static void
expect_window (Rig * rig, guint64 start, guint frames)
{
  GstBuffer *batch = rig_pull (rig);

  fail_unless_equals_uint64 (gst_second_batch_get_window_start (batch), start);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch),
      start / GST_SECOND);
  fail_unless_equals_int (batch_count (batch, 0), frames);
  gst_buffer_unref (batch);
}

GST_START_TEST (test_clock)
{
  GstBuffer *batch;
  Rig rig;

  rig_init_at (&rig, 1, "clock", 10250 * MS);
  rig_push_n (&rig, 0, 0, 100 * MS, 20);
  rig_eos (&rig);

  /* the window began before running time did */
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 10);
  fail_unless_equals_uint64 (gst_second_batch_get_window_start (batch),
      10 * GST_SECOND);
  fail_unless_equals_int (batch_count (batch, 0), 8);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), 0);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (batch), 750 * MS);
  gst_buffer_unref (batch);

  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 11);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), 750 * MS);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (batch), GST_SECOND);
  fail_unless_equals_int (batch_count (batch, 0), 10);
  gst_buffer_unref (batch);
  expect_window (&rig, 12 * GST_SECOND, 2);
  rig_clear (&rig);
}

GST_END_TEST;

/* Two batchers that started at different times cut the same windows */
GST_START_TEST (test_utc_is_the_same_everywhere)
{
  static const GstClockTime later[] = { 0, 3300 * MS };
  guint i;

  for (i = 0; i < 2; i++) {
    Rig rig;

    rig_init_at (&rig, 1, "utc", SOME_UTC - later[i]);
    rig_push_n (&rig, 0, later[i], 100 * MS, 20);
    rig_eos (&rig);
    expect_window (&rig, SOME_UTC - 400 * MS, 6);
    expect_window (&rig, SOME_UTC + 600 * MS, 10);
    expect_window (&rig, SOME_UTC + 1600 * MS, 4);
    rig_clear (&rig);
  }
}

GST_END_TEST;

#define PROCESSES 2
#define FRAMES 40
/* Frame n is this much of a second plus n / 10 s, far from any boundary */
#define PHASE (37 * MS)

typedef struct
{
  guint64 index, start, first, last;
  guint frames;
} Window;

/* Each process has a clock and a base time of its own, and joins at frame
 * `from`. Tells its windows to `fd`. */
static void
cut_by_utc (GstClockTime epoch, guint from, int fd)
{
  GstClock *clock = gst_system_clock_obtain ();
  GstClockTime now = gst_clock_get_time (clock);
  GstClockTime utc = (GstClockTime) g_get_real_time () * GST_USECOND;
  GstClockTime base_time = now - (10 + from) * GST_SECOND / 10;
  GstClockTime running_zero = utc - (now - base_time);
  Window window = { 0 };
  Rig rig;

  rig_init_on (&rig, 1, "utc", clock, base_time);
  for (guint n = from; n < from + FRAMES; n++) {
    GstBuffer *frame = rig_frame (epoch + PHASE + n * 100 * MS - running_zero,
        GST_CLOCK_TIME_NONE);

    GST_BUFFER_OFFSET (frame) = n;
    fail_unless_equals_int (gst_harness_push (rig.h[0], frame), GST_FLOW_OK);
  }
  rig_eos (&rig);
  for (guint seen = 0; seen < FRAMES; seen += window.frames) {
    GstBuffer *batch = rig_pull (&rig);

    window.index = gst_second_batch_get_index (batch);
    window.start = gst_second_batch_get_window_start (batch);
    window.frames = batch_count (batch, 0);
    window.first = GST_BUFFER_OFFSET (batch_frame (batch, 0, 0));
    window.last = GST_BUFFER_OFFSET (batch_frame (batch, 0,
            window.frames - 1));
    fail_unless (write (fd, &window, sizeof (window)) == sizeof (window));
    gst_buffer_unref (batch);
  }
  rig_clear (&rig);
  gst_object_unref (clock);
}

static void
read_windows (GArray * windows, int fd)
{
  Window window;

  while (read (fd, &window, sizeof (window)) == sizeof (window))
    g_array_append_val (windows, window);
}

/* How many full windows both have; they have to be the same */
static guint
count_common (const GArray * a, const GArray * b)
{
  guint common = 0;

  for (guint i = 0; i < a->len; i++) {
    for (guint j = 0; j < b->len; j++) {
      const Window *v = &g_array_index (a, Window, i);
      const Window *w = &g_array_index (b, Window, j);

      if (v->frames != 10 || w->frames != 10 || v->index != w->index)
        continue;
      fail_unless_equals_uint64 (v->start, w->start);
      fail_unless_equals_uint64 (v->first, w->first);
      fail_unless_equals_uint64 (v->last, w->last);
      common++;
    }
  }
  return common;
}

/* Two processes that never spoke to each other cut the same windows */
GST_START_TEST (test_utc_in_two_processes)
{
  static const guint from[PROCESSES] = { 0, 13 };
  GstClockTime epoch = (GstClockTime) g_get_real_time () / G_USEC_PER_SEC
      * GST_SECOND;
  GArray *windows[PROCESSES];
  guint k;

  for (k = 0; k < PROCESSES; k++) {
    int ends[2], status;
    pid_t pid;

    fail_unless (pipe (ends) == 0);
    pid = fork ();
    if (pid == 0) {
      cut_by_utc (epoch, from[k], ends[1]);
      _exit (0);
    }
    close (ends[1]);
    windows[k] = g_array_new (FALSE, FALSE, sizeof (Window));
    read_windows (windows[k], ends[0]);
    close (ends[0]);
    fail_unless (waitpid (pid, &status, 0) == pid && status == 0);
  }
  fail_unless_equals_uint64 (g_array_index (windows[0], Window, 0).start,
      epoch);
  fail_unless_equals_int (count_common (windows[0], windows[1]), 2);
  for (k = 0; k < PROCESSES; k++)
    g_array_unref (windows[k]);
}

GST_END_TEST;

/* A clock that is not UTC is translated */
GST_START_TEST (test_utc_of_monotonic_clock)
{
  GstClock *clock = gst_system_clock_obtain ();
  gint64 now = g_get_real_time () / G_USEC_PER_SEC, index;
  GstBuffer *batch;
  Rig rig;

  rig_init_at (&rig, 1, "utc", 0);
  gst_element_set_clock (rig.batcher, clock);
  gst_element_set_base_time (rig.batcher, gst_clock_get_time (clock));
  rig_push (&rig, 0, 0);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  index = (gint64) gst_second_batch_get_index (batch);
  fail_unless (index >= now && index <= now + 20,
      "window %" G_GINT64_FORMAT " at %" G_GINT64_FORMAT, index, now);
  gst_buffer_unref (batch);
  gst_object_unref (clock);
  rig_clear (&rig);
}

GST_END_TEST;

static void
push_reference (Rig * rig, guint pad, GstClockTime pts, const gchar * name,
    GstClockTime reference)
{
  GstCaps *caps = gst_caps_new_empty_simple (name);
  GstBuffer *buffer = rig_frame (pts, GST_CLOCK_TIME_NONE);

  gst_buffer_add_reference_timestamp_meta (buffer, caps, reference,
      GST_CLOCK_TIME_NONE);
  gst_caps_unref (caps);
  fail_unless_equals_int (gst_harness_push (rig->h[pad], buffer), GST_FLOW_OK);
}

/* The epochs are one time, and PTS of another phase do not count. A frame
 * without reference counts on from the one before. */
GST_START_TEST (test_reference_timestamps)
{
  GstClockTime utc = SOME_UTC;
  GstBuffer *batch;
  guint i, k;
  Rig rig;

  rig_init_at (&rig, 3, "reference-timestamp", 0);
  for (i = 0; i < 7; i++, utc += 100 * MS) {
    if (i == 3)
      rig_push (&rig, 0, 300 * MS);
    else
      push_reference (&rig, 0, i * 100 * MS, "timestamp/x-unix", utc);
    push_reference (&rig, 1, 500 * MS + i * 100 * MS, "timestamp/x-ntp",
        utc + NTP_EPOCH);
    push_reference (&rig, 2, 700 * MS + i * 100 * MS, "timestamp/x-ptp",
        utc + TAI_OFFSET);
  }
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 1700000000);
  for (k = 0; k < 3; k++)
    fail_unless_equals_int (batch_count (batch, k), 6);
  fail_unless_equals_string (gst_structure_get_string
      (gst_second_batch_get_structure (batch), "align"),
      "reference-timestamp");
  gst_buffer_unref (batch);
  batch = rig_pull (&rig);
  for (k = 0; k < 3; k++)
    fail_unless_equals_int (batch_count (batch, k), 1);
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

/* A stream that has no reference at all is placed by the clock, with a word */
GST_START_TEST (test_reference_fallback)
{
  GstBus *bus = gst_bus_new ();
  GError *error = NULL;
  GstMessage *message;
  Rig rig;
  guint i;

  rig_init_at (&rig, 2, "reference-timestamp", SOME_UTC);
  gst_element_set_bus (rig.batcher, bus);
  for (i = 0; i < 7; i++) {
    push_reference (&rig, 0, 700 * MS + i * 100 * MS, "timestamp/x-unix",
        SOME_UTC + i * 100 * MS);
    rig_push (&rig, 1, i * 100 * MS);
  }
  rig_eos (&rig);
  rig_expect (&rig, 1700000000, 6, 6);
  rig_expect (&rig, 1700000001, 1, 1);
  rig_wait_eos (&rig);

  message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  fail_unless (message != NULL, "no warning");
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (strstr (error->message, "sink_1") != NULL, "%s",
      error->message);
  g_error_free (error);
  gst_message_unref (message);
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING) == NULL,
      "warned twice");
  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
  rig_clear (&rig);
}

GST_END_TEST;

GST_START_TEST (test_first_frame)
{
  GstBuffer *batch;
  Rig rig;

  rig_init_at (&rig, 2, "first-frame", 0);
  rig_push (&rig, 0, 12345 * MS);
  rig_push_n (&rig, 1, 12445 * MS, 100 * MS, 9);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  rig_push_n (&rig, 0, 12445 * MS, 100 * MS, 12);
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  batch = rig_pull (&rig);
  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), 0);
  fail_unless_equals_uint64 (gst_second_batch_get_window_start (batch), 0);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch), 12345 * MS);
  fail_unless_equals_int (batch_count (batch, 0), 10);
  fail_unless_equals_int (batch_count (batch, 1), 9);
  gst_buffer_unref (batch);
  rig_expect (&rig, 1, 3, 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* A camera that stamps its frames 300 ms too early */
GST_START_TEST (test_ts_offset)
{
  GstBuffer *batch;
  GstPad *pad;
  Rig rig;

  rig_init_at (&rig, 2, "running-time", 0);
  pad = gst_element_get_static_pad (rig.batcher, "sink_1");
  g_object_set (pad, "ts-offset", (gint64) (300 * MS), NULL);
  gst_object_unref (pad);
  rig_push (&rig, 0, 0);
  rig_push_n (&rig, 1, 0, 100 * MS, 8);
  rig_push_n (&rig, 0, 100 * MS, 100 * MS, 10);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_unless_equals_int (batch_count (batch, 0), 10);
  fail_unless_equals_int (batch_count (batch, 1), 7);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch_frame (batch, 1, 0)), 0);
  gst_buffer_unref (batch);
  rig_expect (&rig, 1, 1, 1);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_clock);
  tcase_add_test (tc, test_utc_is_the_same_everywhere);
  tcase_add_test (tc, test_utc_in_two_processes);
  tcase_add_test (tc, test_utc_of_monotonic_clock);
  tcase_add_test (tc, test_reference_timestamps);
  tcase_add_test (tc, test_reference_fallback);
  tcase_add_test (tc, test_first_frame);
  tcase_add_test (tc, test_ts_offset);
}

BATCH_SUITE (secondbatcheralign)
