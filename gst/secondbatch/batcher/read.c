/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the streams: from the base class's queues into the tracks, up to the
 * first item of a later window, which stays in its queue. Source pad's task. */
#include "batcher/batcher.h"

typedef enum
{
  READ_NOTHING,
  READ_TAKEN,                   /* or counted and thrown away */
  READ_LEFT,                    /* in its queue, for later */
  READ_ERROR                    /* cannot be placed in time */
} Read;

static Read
take_frame_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, const SecondPlace * place)
{
  SecondHeld *held = second_held_new (buffer, pad->format, place->shift);
  SecondVerdict verdict = second_timeline_take_frame (&self->timeline,
      &pad->track, place->time, place->tolerance, held);

  GST_CAT_LEVEL_LOG (GST_CAT_DEFAULT, verdict == SECOND_LATE ?
      GST_LEVEL_DEBUG : GST_LEVEL_LOG, pad, "frame %" GST_TIME_FORMAT
      " of time %" GST_STIME_FORMAT ", format %u, is %s window %"
      G_GUINT64_FORMAT, GST_TIME_ARGS (GST_BUFFER_PTS (buffer)),
      GST_STIME_ARGS (place->time), pad->track.format,
      verdict == SECOND_HELD ? "held for" : verdict == SECOND_LATE ?
      "dropped, too late for" : "beyond", self->timeline.index);
  if (verdict != SECOND_HELD)
    second_held_free (held);
  if (verdict == SECOND_NOT_YET)
    return READ_LEFT;
  if (pad->last_format != pad->format) {
    g_clear_pointer (&pad->last_format, second_format_unref);
    pad->last_format = second_format_ref (pad->format);
  }
  if (verdict == SECOND_HELD)
    held->usage = second_pad_add_usage_locked (pad, buffer,
        second_batcher_frames_to_hold_locked (self, pad->format->rate));
  return READ_TAKEN;
}

static Read
take_gap_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, const SecondPlace * place, gboolean show)
{
  SecondTimeline *timeline = &self->timeline;
  SecondHeld *held = second_held_new (buffer, pad->format, place->shift);
  SecondVerdict verdict = SECOND_NOT_YET;

  /* else a flush has just put off the start */
  if (show)
    verdict = second_timeline_show_gap (timeline, &pad->track, place->time,
        held);
  else if (timeline->open || GST_CLOCK_TIME_IS_VALID (self->live_latency))
    verdict = second_timeline_take_gap (timeline, &pad->track, place->time,
        held);
  if (verdict != SECOND_HELD)
    second_held_free (held);
  if (verdict == SECOND_NOT_YET)
    return READ_LEFT;
  GST_LOG_OBJECT (pad, "gap up to %" GST_STIME_FORMAT,
      GST_STIME_ARGS (place->time));
  self->gaps++;
  if (gst_buffer_get_custom_meta (buffer, "GstAggregatorMissingDataMeta"))
    self->missing_data++;
  return READ_TAKEN;
}

/* A frame outside its segment counts when what stands before it does */
static void
take_outside_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer)
{
  g_autoptr (GstBuffer) nothing = gst_buffer_new ();
  SecondHeld *held = second_held_new (nothing, pad->format, 0);

  GST_DEBUG_OBJECT (pad, "dropping %" GST_PTR_FORMAT ", outside its segment",
      buffer);
  if (second_timeline_keep (&self->timeline, &pad->track, SECOND_OUTSIDE, 0,
          held) != SECOND_HELD)
    second_held_free (held);
}

/* Notes the buffer at the queue's head: the base class may return one that we
 * have peeked again after a flush has emptied the queue */
GstBuffer *
second_batcher_clip (GstAggregator * agg, GstAggregatorPad * pad,
    GstBuffer * buffer)
{
  SECOND_LOCK_BLOCK (&GST_SECOND_BATCHER (agg)->lock);

  GST_SECOND_BATCHER_PAD (pad)->clipped = buffer;
  return buffer;
}

static Read
read_item (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gboolean show)
{
  SECOND_LOCK_BLOCK (&self->lock);
  gboolean gap = second_is_gap (buffer);
  SecondPlace place = { 0 };

  if (buffer != pad->clipped)
    return READ_TAKEN;          /* it was peeked before a flush */
  /* the base class makes a GAP of before a flush into a buffer behind it */
  if (pad->format->segment.format != GST_FORMAT_TIME
      || !GST_BUFFER_PTS_IS_VALID (buffer))
    return gap ? READ_TAKEN : READ_ERROR;
  if (!second_batcher_place_locked (self, pad, buffer, &place)) {
    if (!gap)
      take_outside_locked (self, pad, buffer);
    return READ_TAKEN;
  }
  if (gap)
    return take_gap_locked (self, pad, buffer, &place, show);
  if (!show)
    return take_frame_locked (self, pad, buffer, &place);
  second_timeline_show_first (&self->timeline, &pad->track, place.time,
      place.tolerance);
  return READ_LEFT;
}

/* Returns whether the stream may have items for the open window, or with `show`
 * some that decide where the grid starts */
static gboolean
wants_items (GstSecondBatcher * self, GstSecondBatcherPad * pad, gboolean show)
{
  gboolean eos = gst_aggregator_pad_is_eos (GST_AGGREGATOR_PAD (pad));
  SECOND_LOCK_BLOCK (&self->lock);

  if (eos)
    pad->track.reach = SECOND_ENDED;
  else if (pad->track.reach == SECOND_ENDED)
    pad->track.reach = SECOND_READING;  /* it has started again */
  return show ? second_timeline_lacks (&self->timeline, &pad->track) :
      !second_track_is_past (&self->timeline, &pad->track);
}

static Read
read_pad (GstSecondBatcher * self, GstSecondBatcherPad * pad, gboolean show)
{
  GstAggregatorPad *aggpad = GST_AGGREGATOR_PAD (pad);
  Read read = READ_NOTHING;

  while (read <= READ_TAKEN && wants_items (self, pad, show)) {
    g_autoptr (GstBuffer) buffer = gst_aggregator_pad_peek_buffer (aggpad);

    if (buffer == NULL)
      break;
    read = read_item (self, pad, buffer, show);
    if (read == READ_TAKEN)
      gst_aggregator_pad_drop_buffer (aggpad);
    g_clear_pointer (&buffer, gst_buffer_unref);
    second_batcher_copy_frames (self, pad, FALSE);
  }
  return read;
}

/* Shows what decides where the grid starts: the first frame of each stream, or
 * a GAP that reaches as far as the earliest of these. Returns whether it is
 * known. */
static gboolean
show_first_frames (GstSecondBatcher * self, GPtrArray * pads)
{
  gboolean more, known;

  do {
    more = FALSE;
    known = TRUE;
    for (guint i = 0; i < pads->len; i++) {
      GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
      Read read = read_pad (self, pad, TRUE);

      if (read == READ_ERROR)
        return TRUE;            /* reported when it is taken */
      more |= read != READ_NOTHING;
      known &= !wants_items (self, pad, TRUE);
    }
  } while (more);
  return known;
}

/* Returns the pad whose next frame cannot be placed in time, or NULL */
GstSecondBatcherPad *
second_batcher_read (GstSecondBatcher * self, GPtrArray * pads)
{
  GstSecondBatcherPad *wrong = NULL;

  /* changes in this task, or while it is stopped */
  if (!self->timeline.started) {
    second_batcher_update_clock (self);
    if (!GST_CLOCK_TIME_IS_VALID (self->live_latency)
        && !show_first_frames (self, pads))
      return NULL;
  }
  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (read_pad (self, pad, FALSE) == READ_ERROR)
      wrong = pad;
  }
  return wrong;
}
