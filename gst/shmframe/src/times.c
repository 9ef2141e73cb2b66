/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a frame is, with times of our own (clock): the running time of this pipeline
 * at which it was due at its producer.
 *
 * What lies outside the producer's segment is no part of its stream, as for any
 * sink there. What is from before this pipeline began to play (again), is no part
 * of ours, but may be of use to a viewer: it comes before the start of a segment
 * that is sent for it, with its true running time there. */
#include "src/gstshmframesrc.h"
#include "shared/compiler.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

#define HOUR ((gint64) (3600 * GST_SECOND))

void
gst_shm_frame_src_push_own (GstShmFrameSrc * self, GstEvent * event)
{
  self->pushing_own = TRUE;
  gst_pad_push_event (GST_BASE_SRC_PAD (self), event);
  self->pushing_own = FALSE;
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
  self->segment_sent = FALSE;
}

/* What follows is of our time: TRUE if what came last was not. */
SF_HOT static gboolean
end_before (GstShmFrameSrc * self, GstSegment * own)
{
  if (!self->is_before)
    return FALSE;
  gst_segment_init (own, GST_FORMAT_TIME);
  set_segment (self, own);
  self->is_before = FALSE;
  self->discont = TRUE;
  return TRUE;
}

/* The PTS of what is of the running time `time`, in a segment that starts with
 * `floor`. One does for all that are not older than the first of them. It is empty:
 * videorate, for one, moves what lies before a segment to its start. */
static GstClockTime
place_before (GstShmFrameSrc * self, gint64 time, gint64 floor)
{
  GstSegment *s = &self->before;

  if (!self->is_before || (gint64) s->base != floor
      || (gint64) s->start - floor + time < 0) {
    gst_segment_init (s, GST_FORMAT_TIME);
    s->start = MAX (floor, floor - time);
    s->base = s->time = floor;
    s->position = s->stop = s->start;
    set_segment (self, s);
    self->is_before = TRUE;
  }
  return s->start - floor + time;
}

/* In running time, a day at most. */
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

/* Cuts what begins at `start` there to the producer's segment, and `capture_time`
 * with it; the duration is then one of running time. FALSE: nothing is left. */
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

/* Is it from before `floor`, as a whole? A frame shows one moment; a batch is of
 * all its window. */
SF_HOT static gboolean
is_from_before (const GstShmFrameStamp * stamp, const struct sf_received *in,
    gint64 time, GstClockTime duration, gint64 floor)
{
  /* None that was waited for may be lost. */
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
  /* Nothing of it reaches into the segment; without a duration, all would. */
  if (!GST_BUFFER_DURATION_IS_VALID (buffer)
      || GST_BUFFER_DURATION (buffer) > (GstClockTime) (floor - time))
    GST_BUFFER_DURATION (buffer) = floor - time;
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT
      | GST_BUFFER_FLAG_DROPPABLE);
}

/* Of our time. PTS never runs backwards: a clock may have been set back. */
SF_HOT static void
set_times (GstShmFrameSrc * self, GstBuffer * buffer, gint64 time)
{
  GstClockTimeDiff dts_offset = 0;
  GstSegment own;

  end_before (self, &own);
  if (GST_BUFFER_PTS_IS_VALID (buffer) && GST_BUFFER_DTS_IS_VALID (buffer))
    dts_offset = GST_CLOCK_DIFF (GST_BUFFER_PTS (buffer),
        GST_BUFFER_DTS (buffer));
  self->last_pts = MAX (time, (gint64) self->last_pts);
  GST_BUFFER_PTS (buffer) = self->last_pts;
  if (GST_BUFFER_DTS_IS_VALID (buffer))
    GST_BUFFER_DTS (buffer) = MAX ((gint64) self->last_pts
        + CLAMP (dts_offset, -HOUR, HOUR), 0);
}

/* The monotonic time of our running time 0. FALSE while there is no clock. */
SF_HOT static gboolean
get_base (GstShmFrameSrc * self, gint64 * base)
{
  if (!gst_shm_frame_clock_get_base (&self->clock, GST_ELEMENT (self), base))
    return FALSE;
  if (self->clock.base_time == self->base_time)
    return TRUE;
  self->base_time = self->clock.base_time;
  /* It plays, but not again after a pause: another source of this pipeline was
   * flushed by a seek, and running time has begun anew. */
  if (self->clock.start_time == 0 && self->last_pts > 0) {
    self->last_pts = 0;
    self->discont = TRUE;
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

  if (!clip (&self->theirs, GST_BUFFER_PTS (buffer),
          &GST_BUFFER_DURATION (buffer), &capture))
    return FALSE;
  if (!get_base (self, &base)) {
    GST_BUFFER_PTS (buffer) = GST_BUFFER_DTS (buffer) = GST_CLOCK_TIME_NONE;
    return TRUE;
  }
  time = (gint64) capture - base;
  floor = self->clock.start_time;
  /* What we find when we join may be older than what we had before. */
  if (in->sticky)
    floor = MAX (floor, (gint64) self->last_pts);
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
      || !clip (&self->theirs, start, &duration, &capture_time)
      || !get_base (self, &base))
    return NULL;
  time = (gint64) capture_time - base;
  floor = self->clock.start_time;
  if (time < floor && GST_CLOCK_TIME_IS_VALID (duration)) {
    if (duration <= (GstClockTime) (floor - time))
      return NULL;
    duration -= floor - time;
    time = floor;
  }
  /* No frame, so that it goes now, and the base class's is dropped. */
  if (end_before (self, &segment)) {
    gst_shm_frame_src_push_own (self, gst_event_new_segment (&segment));
    self->segment_sent = TRUE;
  }
  self->last_pts = MAX (time, (gint64) self->last_pts);
  own = gst_event_new_gap (self->last_pts, duration);
  gst_event_set_gap_flags (own, flags);
  gst_event_set_seqnum (own, gst_event_get_seqnum (event));
  return own;
}
