/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time: from a frame's timestamps to its place in the chosen alignment */
#include "batcher/batcher.h"

#include <time.h>

/* The grid stays where it is for less than this: two clocks are never read at
 * the same moment. More is drift or a step of the clock. */
#define UTC_JITTER GST_MSECOND

#define UTC_READINGS 3

/* Clocks of reference timestamps: what they say at 1970 UTC, in seconds. NTP
 * counts from 1900: 70 years, 17 of them leap years. PTP counts TAI, which no
 * leap second stops: 37 s ahead since 2017, and no more are scheduled. */
static const struct
{
  const gchar *name;
  guint64 epoch;
} references[] = {
  {"timestamp/x-unix", 0},
  {"timestamp/x-ntp", G_GUINT64_CONSTANT (2208988800)},
  {"timestamp/x-ptp", 37}
};

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
  g_autoptr (GstClock) clock = gst_element_get_clock (GST_ELEMENT_CAST (self));
  GstClockTime base_time = gst_element_get_base_time (GST_ELEMENT_CAST (self));
  GstClockTimeDiff offset = 0;
  SecondAlign align = self->align;      /* which cannot change while we run */

  if (align == SECOND_ALIGN_RUNNING_TIME || align == SECOND_ALIGN_FIRST_FRAME)
    return;
  if (GST_CLOCK_TIME_IS_VALID (base_time))
    offset = (gint64) base_time;
  if (align != SECOND_ALIGN_CLOCK)
    offset += clock ? measure_utc_offset (clock) : (gint64) read_utc ();

  SECOND_LOCK_BLOCK (&self->lock);
  if (align == SECOND_ALIGN_CLOCK || !self->has_clock_offset
      || ABS (offset - self->clock_offset) > (gint64) UTC_JITTER)
    self->clock_offset = offset;
  self->has_clock_offset = TRUE;
}

gboolean
second_is_gap (GstBuffer * buffer)
{
  return GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_GAP)
      && gst_buffer_n_memory (buffer) == 0;
}

/* Nanoseconds since 1970 UTC; FALSE if the frame does not say, or is older */
static gboolean
get_reference (GstBuffer * buffer, guint64 * unix_time)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state,
              GST_REFERENCE_TIMESTAMP_META_API_TYPE))) {
    GstReferenceTimestampMeta *ref = (GstReferenceTimestampMeta *) meta;
    const GstStructure *s = gst_caps_get_structure (ref->reference, 0);

    for (guint i = 0; i < G_N_ELEMENTS (references); i++) {
      GstClockTime epoch = references[i].epoch * GST_SECOND;

      if (!gst_structure_has_name (s, references[i].name))
        continue;
      *unix_time = ref->timestamp - epoch;
      return ref->timestamp >= epoch;
    }
  }
  return FALSE;
}

/* [*from, *to) is what of the item is inside its segment. FALSE if nothing. */
static gboolean
clip (const SecondFormat * format, GstBuffer * buffer, guint64 * from,
    guint64 * to)
{
  GstClockTime start = GST_BUFFER_PTS (buffer);
  GstClockTime duration = GST_BUFFER_DURATION (buffer);

  /* without a duration the end would be open, which lies in any segment */
  if (!GST_CLOCK_TIME_IS_VALID (duration) && !second_is_gap (buffer))
    duration = second_format_frame_duration (format);
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = 0;
  duration = MIN (duration, GST_CLOCK_TIME_NONE - 1 - start);
  return gst_segment_clip (&format->segment, GST_FORMAT_TIME, start,
      start + duration, from, to);
}

/* What the alignment adds to running time. With first-frame, nothing: the
 * timeline subtracts its zero. A frame without reference takes the latest one
 * of its own stream. A stream that never had one is on the pipeline's clock,
 * and warn_about_references() says so. */
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

  if (get_reference (buffer, &unix_time)) {
    pad->reference = second_time_add ((gint64) MIN (unix_time,
            (guint64) SECOND_TIME_MAX), -time);
    pad->has_reference = TRUE;
  }
  pad->lacks_reference = !pad->has_reference;
}

gboolean
second_batcher_place_locked (GstSecondBatcher * self,
    GstSecondBatcherPad * pad, GstBuffer * buffer, SecondPlace * place)
{
  const GstSegment *segment = &pad->format->segment;
  gboolean gap = second_is_gap (buffer);
  gboolean by_reference = self->align == SECOND_ALIGN_REFERENCE_TIMESTAMP;
  guint64 from, to, duration;
  gint64 time;

  if (!clip (pad->format, buffer, &from, &to))
    return FALSE;
  if (gap && by_reference && !pad->has_reference && !pad->lacks_reference)
    return FALSE;

  /* a frame counts where it begins, a gap where it ends; played backwards, the
   * two ends change places */
  time =
      second_running_time (segment, gap == (segment->rate < 0.0) ? from : to);
  if (by_reference && !gap)
    update_reference_locked (self, pad, buffer, time);
  place->shift = shift_locked (self, pad);
  place->time = second_time_add (second_time_add (time, place->shift),
      pad->ts_offset);

  duration = second_format_frame_duration (pad->format);
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = GST_BUFFER_DURATION (buffer);
  place->tolerance = second_window_tolerance (&self->timeline.grid,
      self->boundary_tolerance, duration, segment->rate);
  return TRUE;
}

/* The running time until which the last frames of the open window may arrive,
 * less our latency, which has its duration in it. It is that of the stream
 * whose skew makes it latest, whether that one has shown a frame or not. */
gint64
second_batcher_deadline_locked (const GstSecondBatcher * self, GPtrArray * pads)
{
  gint64 least = pads->len > 0 ? G_MAXINT64 : 0;

  for (guint i = 0; i < pads->len; i++) {
    const GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    least = MIN (least, second_time_add (shift_locked (self, pad),
            pad->ts_offset));
  }
  return second_time_add (second_time_add ((gint64) second_timeline_start
          (&self->timeline), self->timeline.zero), -least);
}
