/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time: from a frame's timestamps to its place in the chosen alignment */
#include "batcher/batcher.h"

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

  if (GST_IS_SYSTEM_CLOCK (clock)) {
    GstClockType type;

    g_object_get (clock, "clock-type", &type, NULL);
    if (type == GST_CLOCK_TYPE_REALTIME)
      return 0;
  }

  for (guint i = 0; i < UTC_READINGS; i++) {
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
  SecondAlign align = self->align;      /* which cannot change while we run */

  if (align == SECOND_ALIGN_CLOCK || align == SECOND_ALIGN_UTC
      || align == SECOND_ALIGN_REFERENCE_TIMESTAMP) {
    offset = GST_CLOCK_TIME_IS_VALID (base_time) ? (gint64) base_time : 0;
    if (align != SECOND_ALIGN_CLOCK)
      offset += clock ? measure_utc_offset (clock) : (gint64) read_utc ();

    g_mutex_lock (&self->lock);
    if (align == SECOND_ALIGN_CLOCK || !self->has_clock_offset
        || ABS (offset - self->clock_offset) > (gint64) UTC_JITTER)
      self->clock_offset = offset;
    self->has_clock_offset = TRUE;
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

/* [*from, *to) is what of the frame is inside its segment. FALSE if nothing. */
static gboolean
clip_frame (const SecondFormat * format, GstBuffer * buffer, guint64 * from,
    guint64 * to)
{
  GstClockTime start = GST_BUFFER_PTS (buffer);
  GstClockTime duration = GST_BUFFER_DURATION (buffer);

  /* an open end would lie in any segment */
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = second_format_frame_duration (format);
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = 0;
  duration = MIN (duration, GST_CLOCK_TIME_NONE - 1 - start);
  return gst_segment_clip (&format->segment, GST_FORMAT_TIME, start,
      start + duration, from, to);
}

/* What the alignment adds to running time; less the first frame's, where that
 * is the alignment. A frame without reference takes the latest one of its own
 * stream; a stream that never had one is on the pipeline's clock, and the caller
 * of the callers says so. */
static gint64
shift_locked (const GstSecondBatcher * self, const GstSecondBatcherPad * pad)
{
  if (self->align == SECOND_ALIGN_FIRST_FRAME)
    return 0;
  return pad && pad->has_reference ? pad->reference : self->clock_offset;
}

static void
update_reference_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gint64 time)
{
  guint64 unix_time;

  if (self->align != SECOND_ALIGN_REFERENCE_TIMESTAMP)
    return;
  if (reference_to_unix (buffer, &unix_time)) {
    pad->reference = second_time_add ((gint64) MIN (unix_time,
            (guint64) SECOND_TIME_MAX), -time);
    pad->has_reference = TRUE;
  }
  pad->lacks_reference = !pad->has_reference;
}

static gboolean
is_in_time (const SecondFormat * format, GstBuffer * buffer)
{
  return format->segment.format == GST_FORMAT_TIME
      && GST_BUFFER_PTS_IS_VALID (buffer);
}

SecondMap
second_batcher_map_frame_locked (GstSecondBatcher * self,
    GstSecondBatcherPad * pad, GstBuffer * buffer, SecondPlace * place)
{
  const GstSegment *segment = &pad->format->segment;
  guint64 from, to, duration;
  gint64 time;

  if (!is_in_time (pad->format, buffer))
    return SECOND_MAP_NO_TIME;
  if (!clip_frame (pad->format, buffer, &from, &to))
    return SECOND_MAP_OUTSIDE;

  /* played backwards, a frame begins where it ends */
  time = second_running_time (segment, segment->rate < 0.0 ? to : from);
  update_reference_locked (self, pad, buffer, time);
  place->shift = shift_locked (self, pad);
  place->time = second_time_add (second_time_add (time, place->shift),
      pad->ts_offset);

  duration = second_format_frame_duration (pad->format);
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = GST_BUFFER_DURATION (buffer);
  place->tolerance = second_window_tolerance (&self->timeline.grid,
      self->boundary_tolerance, duration, segment->rate);
  return SECOND_MAP_PLACED;
}

/* Up to where a gap says that there is nothing. Where frames say what time it is,
 * one before all of them means nothing. */
SecondMap
second_batcher_map_gap_locked (GstSecondBatcher * self,
    GstSecondBatcherPad * pad, GstBuffer * buffer, gint64 * end)
{
  const GstSegment *segment = &pad->format->segment;
  guint64 start = GST_BUFFER_PTS (buffer), duration = 0;
  gint64 time;

  if (!is_in_time (pad->format, buffer))
    return SECOND_MAP_NO_TIME;
  if (self->align == SECOND_ALIGN_REFERENCE_TIMESTAMP && !pad->has_reference
      && !pad->lacks_reference)
    return SECOND_MAP_OUTSIDE;
  if (GST_BUFFER_DURATION_IS_VALID (buffer))
    duration = MIN (GST_BUFFER_DURATION (buffer),
        GST_CLOCK_TIME_NONE - 1 - start);
  time = MAX (second_running_time (segment, start),
      second_running_time (segment, start + duration));
  *end = second_time_add (second_time_add (time, shift_locked (self, pad)),
      pad->ts_offset);
  return SECOND_MAP_PLACED;
}

/* Running time at which the last frames of the open window have time to arrive,
 * less its duration, which is in our latency. The streams' own skews move it, so
 * that it is the one that is furthest behind, whether it has shown a frame or not. */
static GstClockTime
deadline_locked (const GstSecondBatcher * self, GPtrArray * pads)
{
  gint64 least = G_MAXINT64;

  for (guint i = 0; i < pads->len; i++) {
    const GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    least = MIN (least, second_time_add (shift_locked (self, pad),
            pad->ts_offset));
  }
  if (pads->len == 0)
    least = 0;
  return (GstClockTime) MAX (second_time_add (second_time_add (
              (gint64) second_timeline_start (&self->timeline),
              self->timeline.zero), -least), 0);
}

/* An event or query that stood behind frames which were just read is dealt with
 * when the base class looks again; upstream may be waiting for it. */
static gboolean
has_uncovered (GPtrArray * pads)
{
  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (g_atomic_pointer_get (&pad->latest)
        && !gst_aggregator_pad_has_buffer (GST_AGGREGATOR_PAD (pad)))
      return TRUE;
  }
  return FALSE;
}

/* What to add our latency to so that it makes now. In the first second that is
 * less than 0; but the base class only adds, and the sum is right again. */
static GstClockTime
now_less_latency (GstSecondBatcher * self, GstClockTime latency)
{
  GstClock *clock = gst_element_get_clock (GST_ELEMENT_CAST (self));
  GstClockTime now;

  if (clock == NULL)
    return GST_CLOCK_TIME_NONE;
  now = gst_clock_get_time (clock) -
      gst_element_get_base_time (GST_ELEMENT_CAST (self)) - latency;
  gst_object_unref (clock);
  return GST_CLOCK_TIME_IS_VALID (now) ? now : now - 1;
}

/* Called by the base class with its source lock, before its thread waits because
 * some stream has nothing to show. What the others have is read first, so that a
 * silent stream fills no queue or pool upstream. Live, the base class waits no
 * longer than until the time returned plus our latency, which contains the window. */
GstClockTime
second_batcher_get_next_time (GstAggregator * agg)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GPtrArray *pads = second_batcher_pads (self);
  gboolean again;

  second_batcher_read (self, pads);
  if (!GST_CLOCK_TIME_IS_VALID (self->live_latency))
    return GST_CLOCK_TIME_NONE;
  /* once, until one is dealt with: of a pad that is flushing nothing comes */
  again = !g_atomic_int_get (&self->look_again) && has_uncovered (pads);
  g_atomic_int_set (&self->look_again, again);
  if (again)
    return now_less_latency (self, self->live_latency);

  SECOND_LOCK_BLOCK (&self->lock);
  return self->timeline.open && self->incomplete != SECOND_INCOMPLETE_WAIT ?
      deadline_locked (self, pads) : GST_CLOCK_TIME_NONE;
}
