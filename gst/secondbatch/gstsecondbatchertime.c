/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time: from a frame's timestamps to its place in the chosen alignment */
#include "gstsecondbatcherpriv.h"

#include <time.h>

/* Each reading of two clocks is off by the time between the readings. Less than
 * this is no reason to move the grid; more is drift or a step of the clock. */
#define UTC_JITTER GST_MSECOND

#define UTC_READINGS 3

static GstClockTime
read_utc (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_REALTIME, &ts);
  return GST_TIMESPEC_TO_TIME (ts);
}

/* UTC minus @clock's time, from the tightest of a few bracketed readings */
static GstClockTimeDiff
measure_utc_offset (GstClock * clock)
{
  GstClockTimeDiff best = 0;
  GstClockTime width = GST_CLOCK_TIME_NONE;
  guint i;

  if (GST_IS_SYSTEM_CLOCK (clock)) {
    GstClockType type;

    g_object_get (clock, "clock-type", &type, NULL);
    if (type == GST_CLOCK_TYPE_REALTIME)
      return 0;
  }

  for (i = 0; i < UTC_READINGS; i++) {
    GstClockTime before = gst_clock_get_time (clock);
    GstClockTime utc = read_utc ();
    GstClockTime after = gst_clock_get_time (clock);

    if (after - before < width) {
      width = after - before;
      best = GST_CLOCK_DIFF (before + width / 2, utc);
    }
  }
  return best;
}

/* Base time and UTC offset of a pipeline may change: at each pause, and with
 * each adjustment of the system's clock. Frames keep the time they got. */
void
second_batcher_update_clock (GstSecondBatcher * self)
{
  GstClock *clock = gst_element_get_clock (GST_ELEMENT_CAST (self));
  GstClockTime base_time = gst_element_get_base_time (GST_ELEMENT_CAST (self));
  GstClockTimeDiff offset = 0;
  SecondAlign align;

  g_mutex_lock (&self->lock);
  align = self->align;
  g_mutex_unlock (&self->lock);

  if (align == SECOND_ALIGN_CLOCK || align == SECOND_ALIGN_UTC
      || align == SECOND_ALIGN_REFERENCE_TIMESTAMP) {
    offset = GST_CLOCK_TIME_IS_VALID (base_time) ? (gint64) base_time : 0;
    if (align != SECOND_ALIGN_CLOCK)
      offset += clock ? measure_utc_offset (clock) : (gint64) read_utc ();

    g_mutex_lock (&self->lock);
    if (align == SECOND_ALIGN_CLOCK || !self->anchored
        || ABS (offset - self->clock_offset) > (gint64) UTC_JITTER)
      self->clock_offset = offset;
    self->anchored = TRUE;
    g_mutex_unlock (&self->lock);
  }
  g_clear_object (&clock);
}

gboolean
second_batcher_is_gap (GstBuffer * buffer)
{
  return GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_GAP)
      && gst_buffer_n_memory (buffer) == 0;
}

/* Whether nothing of the frame is inside its segment */
gboolean
second_batcher_is_clipped (const SecondFormat * format, GstBuffer * buffer)
{
  GstClockTime start = GST_BUFFER_PTS (buffer);
  GstClockTime duration = GST_BUFFER_DURATION (buffer);
  guint64 unused;

  /* an open end would lie in any segment */
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = second_format_frame_duration (format);
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = 0;
  return !gst_segment_clip (&format->segment, GST_FORMAT_TIME, start,
      start + duration, &unused, &unused);
}

static gboolean
reference_to_unix (GstBuffer * buffer, guint64 * unix_time)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state,
              GST_REFERENCE_TIMESTAMP_META_API_TYPE))) {
    GstReferenceTimestampMeta *ref = (GstReferenceTimestampMeta *) meta;
    const GstStructure *s = gst_caps_get_structure (ref->reference, 0);

    if (gst_structure_has_name (s, "timestamp/x-unix")) {
      *unix_time = ref->timestamp;
      return TRUE;
    }
    if (gst_structure_has_name (s, "timestamp/x-ntp"))
      return second_window_ntp_to_unix (ref->timestamp, unix_time);
    if (gst_structure_has_name (s, "timestamp/x-ptp"))
      return second_window_tai_to_unix (ref->timestamp, unix_time);
  }
  return FALSE;
}

/* A frame without reference takes the latest one of its own stream and counts
 * on from there; a stream that never had one is on the pipeline's clock, and
 * the caller says so. */
static gint64
map_reference_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gint64 running_time)
{
  guint64 unix_time;

  if (reference_to_unix (buffer, &unix_time)) {
    pad->reference = (gint64) unix_time - running_time;
    pad->has_reference = TRUE;
    return (gint64) unix_time;
  }
  return running_time + (pad->has_reference ? pad->reference :
      self->clock_offset);
}

/* FALSE if the frame has no PTS or its segment is not in time */
gboolean
second_batcher_map_time_locked (GstSecondBatcher * self,
    GstSecondBatcherPad * pad, GstBuffer * buffer, gint64 * time)
{
  const GstSegment *segment = &pad->format->segment;
  guint64 pts = GST_BUFFER_PTS (buffer), running_time;
  gint64 signed_time;

  if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID (pts))
    return FALSE;

  /* Played backwards, a frame begins where it ends */
  if (segment->rate < 0.0 && GST_BUFFER_DURATION_IS_VALID (buffer))
    pts += GST_BUFFER_DURATION (buffer);

  signed_time = gst_segment_to_running_time_full (segment, GST_FORMAT_TIME,
      pts, &running_time) >= 0 ? (gint64) running_time :
      -(gint64) running_time;

  if (self->align == SECOND_ALIGN_REFERENCE_TIMESTAMP)
    *time = map_reference_locked (self, pad, buffer, signed_time);
  else
    *time = signed_time + self->clock_offset;
  *time += pad->ts_offset;

  pad->shift = signed_time - *time;
  pad->has_shift = TRUE;
  return TRUE;
}

/* Running time of a time in the alignment, by the pipeline's clock */
GstClockTime
second_batcher_running_time_locked (GstSecondBatcher * self, guint64 time)
{
  return (GstClockTime) MAX ((gint64) time - self->clock_offset, 0);
}

/* Running time at which the last frames of a window have time to arrive: the
 * streams' own skews move it, so that it is the one that is furthest behind. */
static GstClockTime
latest_running_time_locked (GstSecondBatcher * self, GPtrArray * pads,
    guint64 time)
{
  gint64 shift = -self->clock_offset;
  gboolean any = FALSE;
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (pad->has_shift && (!any || pad->shift > shift)) {
      shift = pad->shift;
      any = TRUE;
    }
  }
  return (GstClockTime) MAX ((gint64) time + shift, 0);
}

/* Called by the base class with its source lock. It adds our latency, which
 * contains the window, so that the answer is the window's start. */
GstClockTime
second_batcher_get_next_time (GstAggregator * agg)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GPtrArray *pads = second_batcher_pads (self);
  GstClockTime next = GST_CLOCK_TIME_NONE;
  guint64 pos = 0;
  gint64 time;
  gboolean open;

  if (!second_batcher_is_open (self))
    second_batcher_update_clock (self);
  second_batcher_drain (self, pads);

  open = second_batcher_is_open (self);
  if (!open && !second_batcher_first_position (self, pads, &pos,
          &time))
    return GST_CLOCK_TIME_NONE;

  g_mutex_lock (&self->lock);
  if (self->incomplete != SECOND_INCOMPLETE_WAIT) {
    guint64 start = pos;

    if (open)
      start = second_window_start (&self->grid, self->index);
    else if (self->align != SECOND_ALIGN_FIRST_FRAME)
      start = second_window_start (&self->grid,
          second_window_last (&self->grid, pos));
    next = latest_running_time_locked (self, pads, start);
    if (!self->live)
      next += self->grid.duration;
  }
  g_mutex_unlock (&self->lock);

  return next;
}
