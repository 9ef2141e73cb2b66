/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timestamps with timestamps=clock: a frame gets the running time of this
 * pipeline at which it was due at its producer.
 *
 * A frame outside the producer's segment is dropped, as any sink there drops
 * it. A frame from before this pipeline began to play (again) is no part of
 * this stream, but a viewer may want to see it: it gets a PTS before the start
 * of a segment that is sent for it, so that its running time is the true
 * one. */
#include "src/gstshmframesrc.h"
#include "shared/compiler.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

#define HOUR ((gint64) (3600 * GST_SECOND))

void
gst_shm_frame_src_push_own (GstShmFrameSrc * self, GstEvent * event)
{
  self->stream.pushing_own = TRUE;
  gst_pad_push_event (GST_BASE_SRC_PAD (self), event);
  self->stream.pushing_own = FALSE;
}

gboolean
gst_shm_frame_src_has_segment (GstShmFrameSrc * self)
{
  GstEvent *event = gst_pad_get_sticky_event (GST_BASE_SRC_PAD (self),
      GST_EVENT_SEGMENT, 0);
  gboolean has = event != NULL;

  gst_clear_event (&event);
  return has;
}

/* The base class sends it right before the frame. */
static void
set_segment (GstShmFrameSrc * self, const GstSegment * segment)
{
  gst_base_src_new_segment (GST_BASE_SRC (self), segment);
  self->stream.segment_sent = FALSE;
}

/* Ends the segment for frames from before; FALSE if there was none. */
SF_HOT static gboolean
end_before (GstShmFrameSrc * self, GstSegment * own)
{
  if (!self->times.is_before)
    return FALSE;
  gst_segment_init (own, GST_FORMAT_TIME);
  set_segment (self, own);
  self->times.is_before = FALSE;
  self->stream.discont = TRUE;
  return TRUE;
}

/* The PTS for the running time `time`, in a segment that starts at running time
 * `floor`. One segment serves all frames that are not older than the first. It
 * is empty, so that no element shows what lies in it: videorate moves frames
 * from before a segment to its start. */
static GstClockTime
place_before (GstShmFrameSrc * self, gint64 time, gint64 floor)
{
  GstSegment *s = &self->times.before;

  if (!self->times.is_before || (gint64) s->base != floor
      || (gint64) s->start - floor + time < 0) {
    gst_segment_init (s, GST_FORMAT_TIME);
    s->start = MAX (floor, floor - time);
    s->base = s->time = floor;
    s->position = s->stop = s->start;
    set_segment (self, s);
    self->times.is_before = TRUE;
  }
  return s->start - floor + time;
}

/* In running time, at most a day. */
static gint64
time_between (const GstSegment * segment, GstClockTime from, GstClockTime to)
{
  guint64 a = 0, b = 0;
  gint sign_a = gst_segment_to_running_time_full (segment, GST_FORMAT_TIME,
      from, &a);
  gint sign_b = gst_segment_to_running_time_full (segment, GST_FORMAT_TIME,
      to, &b);
  gint64 between = sign_b * (gint64) MIN (b, G_MAXINT64 / 2)
      - sign_a * (gint64) MIN (a, G_MAXINT64 / 2);

  return CLAMP (between, -24 * HOUR, 24 * HOUR);
}

/* Clips what begins at `start` to the producer's segment, moves `capture_time`
 * along, and turns the duration into running time. FALSE: nothing is left. */
SF_HOT static gboolean
clip (const GstSegment * theirs, GstClockTime start, GstClockTime * duration,
    guint64 * capture_time)
{
  GstClockTime stop = GST_CLOCK_TIME_NONE;
  guint64 from, to;

  if (theirs->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID (start))
    return TRUE;
  if (GST_CLOCK_TIME_IS_VALID (*duration)
      && *duration < GST_CLOCK_TIME_NONE - start)
    stop = start + *duration;
  if (!gst_segment_clip (theirs, GST_FORMAT_TIME, start, stop, &from, &to))
    return FALSE;
  if (GST_CLOCK_TIME_IS_VALID (stop))
    *duration = ABS (theirs->rate) == 1.0 ? to - from
        : (GstClockTime) ABS (time_between (theirs, from, to));
  if (from != start && *capture_time != GST_CLOCK_TIME_NONE)
    *capture_time += time_between (theirs, start, from);
  return TRUE;
}

/* Whether all of it is from before `floor`. A frame shows one moment, a batch
 * all of its window. */
SF_HOT static gboolean
is_from_before (const GstShmFrameStamp * stamp, const struct sf_received *in,
    gint64 time, GstClockTime duration, gint64 floor)
{
  /* With lossless delivery, no frame may be lost. */
  if (time >= floor || (in->lossless && !in->sticky))
    return FALSE;
  return stamp->kind != GST_SHM_FRAME_KIND_BATCH
      || !GST_CLOCK_TIME_IS_VALID (duration)
      || duration <= (GstClockTime) (floor - time);
}

static void
set_before (GstShmFrameSrc * self, GstBuffer * buffer, gint64 time,
    gint64 floor)
{
  GST_BUFFER_PTS (buffer) = place_before (self, time, floor);
  if (GST_BUFFER_DTS_IS_VALID (buffer))
    GST_BUFFER_DTS (buffer) = GST_BUFFER_PTS (buffer);
  /* Keep it out of the segment, also if it has no duration. */
  if (!GST_BUFFER_DURATION_IS_VALID (buffer)
      || GST_BUFFER_DURATION (buffer) > (GstClockTime) (floor - time))
    GST_BUFFER_DURATION (buffer) = floor - time;
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT
      | GST_BUFFER_FLAG_DROPPABLE);
}

/* PTS never runs backwards, even if a clock is set back. */
SF_HOT static void
set_times (GstShmFrameSrc * self, GstBuffer * buffer, gint64 time)
{
  GstClockTimeDiff dts_offset = 0;
  GstSegment own;

  end_before (self, &own);
  if (GST_BUFFER_PTS_IS_VALID (buffer) && GST_BUFFER_DTS_IS_VALID (buffer))
    dts_offset = GST_CLOCK_DIFF (GST_BUFFER_PTS (buffer),
        GST_BUFFER_DTS (buffer));
  self->times.last_pts = MAX (time, (gint64) self->times.last_pts);
  GST_BUFFER_PTS (buffer) = self->times.last_pts;
  if (GST_BUFFER_DTS_IS_VALID (buffer))
    GST_BUFFER_DTS (buffer) = MAX ((gint64) self->times.last_pts
        + CLAMP (dts_offset, -HOUR, HOUR), 0);
}

/* The monotonic time of our running time 0. FALSE while there is no clock. */
SF_HOT static gboolean
get_base (GstShmFrameSrc * self, gint64 * base)
{
  if (!gst_shm_frame_clock_get_base (&self->times.clock, GST_ELEMENT (self),
          base))
    return FALSE;
  if (self->times.clock.base_time == self->times.base_time)
    return TRUE;
  self->times.base_time = self->times.clock.base_time;
  /* Another base time, but not after a pause: a seek flushed another source of
   * this pipeline, and running time starts again. */
  if (self->times.clock.start_time == 0 && self->times.last_pts > 0) {
    self->times.last_pts = 0;
    self->stream.discont = TRUE;
  }
  return TRUE;
}

SF_HOT gboolean
gst_shm_frame_src_translate (GstShmFrameSrc * self, GstBuffer * buffer,
    const GstShmFrameStamp * stamp, const struct sf_received *in)
{
  guint64 capture = stamp->capture_time != GST_CLOCK_TIME_NONE
      ? stamp->capture_time : stamp->publish_time;
  gint64 base, time, floor;

  if (!clip (&self->times.producer_segment, GST_BUFFER_PTS (buffer),
          &GST_BUFFER_DURATION (buffer), &capture))
    return FALSE;
  if (!get_base (self, &base)) {
    GST_BUFFER_PTS (buffer) = GST_BUFFER_DTS (buffer) = GST_CLOCK_TIME_NONE;
    return TRUE;
  }
  time = (gint64) capture - base;
  floor = self->times.clock.start_time;
  /* The frame that is there when we connect may be older than our last one. */
  if (in->sticky)
    floor = MAX (floor, (gint64) self->times.last_pts);
  if (is_from_before (stamp, in, time, GST_BUFFER_DURATION (buffer), floor))
    set_before (self, buffer, time, floor);
  else
    set_times (self, buffer, time);
  return TRUE;
}

GstEvent *
gst_shm_frame_src_translate_gap (GstShmFrameSrc * self, GstEvent * event,
    guint64 capture_time)
{
  GstClockTime start, duration;
  GstGapFlags flags;
  gint64 base, time, floor;
  GstSegment segment;
  GstEvent *own;

  gst_event_parse_gap (event, &start, &duration);
  gst_event_parse_gap_flags (event, &flags);
  if (capture_time == GST_CLOCK_TIME_NONE
      || !clip (&self->times.producer_segment, start, &duration, &capture_time)
      || !get_base (self, &base))
    return NULL;
  time = (gint64) capture_time - base;
  floor = self->times.clock.start_time;
  if (time < floor && GST_CLOCK_TIME_IS_VALID (duration)) {
    if (duration <= (GstClockTime) (floor - time))
      return NULL;
    duration -= floor - time;
    time = floor;
  }
  /* No frame follows: send the segment now, and drop the base class's. */
  if (end_before (self, &segment)) {
    gst_shm_frame_src_push_own (self, gst_event_new_segment (&segment));
    self->stream.segment_sent = TRUE;
  }
  self->times.last_pts = MAX (time, (gint64) self->times.last_pts);
  own = gst_event_new_gap (self->times.last_pts, duration);
  gst_event_set_gap_flags (own, flags);
  gst_event_set_seqnum (own, gst_event_get_seqnum (event));
  return own;
}
