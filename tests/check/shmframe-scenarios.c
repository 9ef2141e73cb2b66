/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scenarios that players know (play, pause and resume, seek, scrub), on a
 * pipeline and on the same one with the pair in it, watched by the rules that
 * gst-validate has for pads. Debian has no package of that. What is found with
 * the pair is what is found with a queue in its place. */
#include "shmrig.h"

#define FRAMES 20

typedef struct
{
  GMutex lock;
  GString *issues;
  guint n_buffers;
  gboolean has_start, has_caps, has_segment, ended;
  gboolean flushing, wants_segment;
  guint32 flush_seqnum, segment_seqnum;
  GstClockTime last;
  GstSegment segment;
} Monitor;

/* A consumer and a producer, which may be one pipeline */
typedef struct
{
  GstElement *front, *back;
} Pair;

static void
issue (Monitor * self, const gchar * text)
{
  if (strstr (self->issues->str, text) == NULL)
    g_string_append_printf (self->issues, "%s; ", text);
}

static void
check_buffer (Monitor * self, GstBuffer * buffer)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  guint64 start, stop;

  self->n_buffers++;
  if (!self->has_segment || self->wants_segment)
    issue (self, "buffer before segment");
  if (self->flushing)
    issue (self, "buffer while flushing");
  if (self->ended)
    issue (self, "buffer after EOS");
  if (!GST_CLOCK_TIME_IS_VALID (pts)) {
    issue (self, "buffer without time");
    return;
  }
  if (self->has_segment
      && !gst_segment_clip (&self->segment, GST_FORMAT_TIME, pts,
          pts + GST_BUFFER_DURATION (buffer), &start, &stop))
    issue (self, "buffer out of segment");
  if (GST_CLOCK_TIME_IS_VALID (self->last) && pts < self->last)
    issue (self, "buffer goes backwards");
  self->last = pts;
}

static void
check_flush (Monitor * self, GstEvent * event)
{
  gboolean start = GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START;

  if (start == self->flushing)
    issue (self, start ? "flush-start twice" : "flush-stop without start");
  if (!start && gst_event_get_seqnum (event) != self->flush_seqnum)
    issue (self, "flush-stop has wrong seqnum");
  self->flush_seqnum = gst_event_get_seqnum (event);
  self->flushing = start;
  if (!start) {
    self->wants_segment = TRUE;
    self->ended = FALSE;
    self->last = GST_CLOCK_TIME_NONE;
  }
}

static void
check_segment (Monitor * self, GstEvent * event)
{
  if (!self->has_caps)
    issue (self, "segment before caps");
  if (self->wants_segment && gst_event_get_seqnum (event) != self->flush_seqnum)
    issue (self, "segment has wrong seqnum");
  gst_event_copy_segment (event, &self->segment);
  self->segment_seqnum = gst_event_get_seqnum (event);
  self->has_segment = TRUE;
  self->wants_segment = FALSE;
  self->last = GST_CLOCK_TIME_NONE;
}

static void
check_event (Monitor * self, GstEvent * event)
{
  if (GST_EVENT_IS_SERIALIZED (event) && self->flushing
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP)
    issue (self, "event while flushing");
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_START:
    case GST_EVENT_FLUSH_STOP:
      check_flush (self, event);
      break;
    case GST_EVENT_STREAM_START:
      self->has_start = TRUE;
      break;
    case GST_EVENT_CAPS:
      if (!self->has_start)
        issue (self, "caps before stream-start");
      self->has_caps = TRUE;
      break;
    case GST_EVENT_SEGMENT:
      check_segment (self, event);
      break;
    case GST_EVENT_EOS:
      if (self->n_buffers == 0)
        issue (self, "EOS without buffer");
      if (self->ended)
        issue (self, "EOS twice");
      if (gst_event_get_seqnum (event) != self->segment_seqnum)
        issue (self, "EOS has wrong seqnum");
      self->ended = TRUE;
      break;
    default:
      break;
  }
}

static GstPadProbeReturn
watch (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  Monitor *self = user;

  g_mutex_lock (&self->lock);
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER)
    check_buffer (self, GST_PAD_PROBE_INFO_BUFFER (info));
  else
    check_event (self, GST_PAD_PROBE_INFO_EVENT (info));
  g_mutex_unlock (&self->lock);
  return GST_PAD_PROBE_OK;
}

static void
monitor_start (Monitor * self, GstElement * sink)
{
  GstPad *pad = gst_element_get_static_pad (sink, "sink");

  memset (self, 0, sizeof (*self));
  g_mutex_init (&self->lock);
  self->issues = g_string_new (NULL);
  self->last = GST_CLOCK_TIME_NONE;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
      | GST_PAD_PROBE_TYPE_EVENT_FLUSH | GST_PAD_PROBE_TYPE_BUFFER, watch, self,
      NULL);
  gst_object_unref (pad);
}

static guint
monitor_buffers (Monitor * self)
{
  guint n;

  g_mutex_lock (&self->lock);
  n = self->n_buffers;
  g_mutex_unlock (&self->lock);
  return n;
}

/* After the pipelines were stopped */
static gchar *
monitor_stop (Monitor * self)
{
  g_mutex_clear (&self->lock);
  return g_string_free (self->issues, FALSE);
}

static void
go_on (Monitor * self, guint n)
{
  guint from = monitor_buffers (self);

  rig_until (monitor_buffers (self) >= from + n);
}

static void
seek (Pair * pair, GstClockTime to, GstClockTime stop)
{
  fail_unless (gst_element_seek (pair->front, 1.0, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, GST_SEEK_TYPE_SET, to,
          GST_CLOCK_TIME_IS_VALID (stop) ? GST_SEEK_TYPE_SET
          : GST_SEEK_TYPE_NONE, stop));
}

static void
await_state (GstElement * pipeline)
{
  GstStateChangeReturn ret = gst_element_get_state (pipeline, NULL, NULL,
      RIG_DEADLINE);

  fail_unless (ret == GST_STATE_CHANGE_SUCCESS
      || ret == GST_STATE_CHANGE_NO_PREROLL);
}

static void
play (Pair * pair, Monitor * monitor)
{
  rig_await_eos (pair->back);
}

static void
pause_resume (Pair * pair, Monitor * monitor)
{
  for (guint i = 0; i < 3; i++) {
    go_on (monitor, 2);
    await_state (pair->back);
    rig_state (pair->back, GST_STATE_PAUSED);
    await_state (pair->back);
    rig_state (pair->back, GST_STATE_PLAYING);
  }
  rig_await_eos (pair->back);
}

static void
seek_forward_and_back (Pair * pair, Monitor * monitor)
{
  go_on (monitor, 3);
  seek (pair, 5 * GST_SECOND, GST_CLOCK_TIME_NONE);
  go_on (monitor, 5);
  seek (pair, GST_SECOND, GST_CLOCK_TIME_NONE);
  go_on (monitor, 5);
  seek (pair, 2 * GST_SECOND, 3 * GST_SECOND);
  rig_await_eos (pair->back);
}

static void
scrub (Pair * pair, Monitor * monitor)
{
  go_on (monitor, 1);
  await_state (pair->back);
  rig_state (pair->back, GST_STATE_PAUSED);
  await_state (pair->back);
  for (guint i = 1; i < 12; i++) {
    guint before = monitor_buffers (monitor);

    seek (pair, i * GST_SECOND, (i + 1) * GST_SECOND);
    rig_until (monitor_buffers (monitor) > before);
  }
  rig_state (pair->back, GST_STATE_PLAYING);
  rig_await_eos (pair->back);
}

static void
seek_after_eos (Pair * pair, Monitor * monitor)
{
  rig_await_eos (pair->back);
  seek (pair, GST_SECOND, 2 * GST_SECOND);
  rig_await_eos (pair->back);
}

static const struct
{
  const gchar *name;
  void (*run) (Pair * pair, Monitor * monitor);
  gint n_frames;                /* -1: until a seek says so */
} scenarios[] = {
  {"play", play, FRAMES}, {"pause and resume", pause_resume, FRAMES},
  {"seek", seek_forward_and_back, -1}, {"scrub", scrub, -1},
  {"seek after EOS", seek_after_eos, FRAMES},
};

static gchar *
source (guint i)
{
  return g_strdup_printf ("videotestsrc num-buffers=%d ! "
      RIG_GRAY (8, 8) " ! ", scenarios[i].n_frames);
}

#define SINK "fakesink name=sink sync=true"

/* The issues. Free them */
static gchar *
run (guint i, const gchar * between)
{
  gchar *front = source (i), *line;
  Monitor monitor;
  Pair pair;

  if (between == NULL) {
    line = g_strconcat (front, "queue max-size-buffers=10 ! " SINK, NULL);
    pair.front = pair.back = rig_launch (line);
  } else {
    line = g_strconcat (front, "shmframesink socket-path=@", NULL);
    pair.front = rig_launch (line);
    g_free (line);
    line = g_strconcat (between, " ! " SINK, NULL);
    pair.back = rig_launch (line);
  }
  monitor_start (&monitor, rig_child (pair.back, "sink"));
  rig_play (pair.back);
  if (pair.front != pair.back)
    rig_play (pair.front);
  scenarios[i].run (&pair, &monitor);
  if (pair.front != pair.back)
    rig_stop (pair.front);
  rig_stop (pair.back);
  g_free (line);
  g_free (front);
  fail_unless (monitor_buffers (&monitor) > 0);
  return monitor_stop (&monitor);
}

static void
compare (guint i, const gchar * between)
{
  gchar *uncut = run (i, NULL), *cut = run (i, between);

  fail_unless (strcmp (cut, uncut) == 0,
      "%s: with the pair '%s', with a queue '%s'", scenarios[i].name, cut,
      uncut);
  g_free (uncut);
  g_free (cut);
}

GST_START_TEST (test_kept_times)
{
  compare (__i__, "shmframesrc is-live=false socket-path=@");
}

GST_END_TEST;

/* Seeks of a producer do not reach these, so the first two only */
GST_START_TEST (test_own_times)
{
  compare (__i__, "shmframesrc socket-path=@");
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_kept_times, 0, G_N_ELEMENTS (scenarios));
  tcase_add_loop_test (tc, test_own_times, 0, 2);
}

RIG_SUITE (shmframe_scenarios)
