/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the streams: from the base class's queues into the tracks, up to the
 * first item of a later window, which stays in its queue. Source pad's task. */
#include "batcher/batcher.h"

typedef enum
{
  READ_TAKEN,                   /* or counted and thrown away */
  READ_LEFT,                    /* in its queue, for later */
  READ_ERROR                    /* cannot be placed in time */
} Read;

typedef enum
{
  SHOW_FRAMES,                  /* up to a stream's first frame or GAP */
  SHOW_PAST_GAP,                /* one GAP that ends before all first frames */
  TAKE
} Mode;

static void
keep_format (SecondFormat ** place, SecondFormat * format)
{
  if (*place == format)
    return;
  g_clear_pointer (place, second_format_unref);
  *place = second_format_ref (format);
}

/* Takes a reference to the buffer if it is held */
static Read
take_frame_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, const SecondPlace * place)
{
  SecondHeld *held = g_new (SecondHeld, 1);
  SecondVerdict verdict = second_timeline_take_frame (&self->timeline,
      &pad->track, place->time, place->tolerance, held);

  GST_CAT_LEVEL_LOG (GST_CAT_DEFAULT, verdict == SECOND_LATE ?
      GST_LEVEL_DEBUG : GST_LEVEL_LOG, pad, "frame %" GST_TIME_FORMAT
      " of time %" GST_STIME_FORMAT ", format %u, is %s window %"
      G_GUINT64_FORMAT, GST_TIME_ARGS (GST_BUFFER_PTS (buffer)),
      GST_STIME_ARGS (place->time), pad->track.format,
      verdict == SECOND_HELD ? "held for" : verdict == SECOND_LATE ?
      "dropped, too late for" : "beyond", self->timeline.index);
  if (verdict == SECOND_NOT_YET) {
    g_free (held);
    return READ_LEFT;
  }
  if (verdict == SECOND_LATE) {
    g_free (held);
    if (pad->track.late_format == pad->track.format)
      keep_format (&pad->late_format, pad->format);
    return READ_TAKEN;
  }
  keep_format (&pad->last_format, pad->format);
  g_clear_pointer (&pad->late_format, second_format_unref);
  held->buffer = gst_buffer_ref (buffer);
  held->format = second_format_ref (pad->format);
  held->shift = place->shift;
  held->usage = second_pad_add_usage_locked (pad, buffer,
      second_batcher_frames_to_hold_locked (self, pad->format->rate));
  return READ_TAKEN;
}

static Read
read_gap_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gint64 end, Mode mode)
{
  if (mode == TAKE ? !second_timeline_take_gap (&self->timeline, &pad->track,
          end) : second_timeline_is_shown_by_gap (&self->timeline, end))
    return READ_LEFT;
  GST_LOG_OBJECT (pad, "gap up to %" GST_STIME_FORMAT, GST_STIME_ARGS (end));
  self->gaps++;
  if (gst_buffer_get_custom_meta (buffer, "GstAggregatorMissingDataMeta"))
    self->missing_data++;
  return READ_TAKEN;
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
    GstBuffer * buffer, Mode mode)
{
  SECOND_LOCK_BLOCK (&self->lock);
  gboolean gap = second_is_gap (buffer);
  SecondPlace place = { 0 };
  gboolean inside;

  if (buffer != pad->clipped)
    return READ_TAKEN;          /* it was peeked before a flush */
  if (gap && mode == SHOW_FRAMES)
    return READ_LEFT;
  if (pad->format->segment.format != GST_FORMAT_TIME
      || !GST_BUFFER_PTS_IS_VALID (buffer))
    return READ_ERROR;
  inside = second_batcher_place_locked (self, pad, buffer, &place);
  if (gap)
    return read_gap_locked (self, pad, buffer,
        inside ? place.time : G_MININT64, mode);
  if (!inside) {
    GST_DEBUG_OBJECT (pad, "dropping %" GST_PTR_FORMAT ", outside its segment",
        buffer);
    second_track_drop (&pad->track);
    return READ_TAKEN;
  }
  second_timeline_show_first (&self->timeline, &pad->track, place.time,
      place.tolerance);
  return mode == TAKE ? take_frame_locked (self, pad, buffer, &place) :
      READ_LEFT;
}

static Read
read_pad (GstSecondBatcher * self, GstSecondBatcherPad * pad, Mode mode)
{
  GstAggregatorPad *aggpad = GST_AGGREGATOR_PAD (pad);
  Read read = mode == SHOW_PAST_GAP ? READ_LEFT : READ_TAKEN;
  GstBuffer *buffer;

  while ((buffer = gst_aggregator_pad_peek_buffer (aggpad))) {
    read = read_item (self, pad, buffer, mode);
    gst_buffer_unref (buffer);
    if (read == READ_TAKEN)
      gst_aggregator_pad_drop_buffer (aggpad);
    second_batcher_copy_frames (self, pad, FALSE);
    if (read != READ_TAKEN || mode == SHOW_PAST_GAP)
      break;
  }
  return read;
}

/* Returns whether the stream may have items for the open window, or `first`, a
 * first frame to show */
static gboolean
wants_items (GstSecondBatcher * self, GstSecondBatcherPad * pad, gboolean first)
{
  gboolean eos = gst_aggregator_pad_is_eos (GST_AGGREGATOR_PAD (pad));
  SECOND_LOCK_BLOCK (&self->lock);

  if (eos)
    pad->track.reach = SECOND_ENDED;
  else if (pad->track.reach == SECOND_ENDED)
    pad->track.reach = SECOND_READING;  /* it has started again */
  return pad->track.reach == SECOND_READING && !(first && pad->track.begun);
}

/* Shows the first frames of all streams, which decide where the grid starts,
 * before one is taken and judged by it. Not live, waits for them. A GAP that
 * ends before all of them means nothing; what stands behind it is shown
 * next. */
static gboolean
show_first_frames (GstSecondBatcher * self, GPtrArray * pads)
{
  gboolean live = GST_CLOCK_TIME_IS_VALID (self->live_latency);
  gboolean known, gaps;
  guint i;

  do {
    known = TRUE;
    gaps = FALSE;
    /* reading with TAKE reports errors */
    for (i = 0; i < pads->len; i++)
      if (wants_items (self, g_ptr_array_index (pads, i), TRUE))
        known &= read_pad (self, g_ptr_array_index (pads, i), SHOW_FRAMES)
            != READ_TAKEN;
    for (i = 0; i < pads->len && (known || live); i++)
      if (wants_items (self, g_ptr_array_index (pads, i), TRUE))
        gaps |= read_pad (self, g_ptr_array_index (pads, i), SHOW_PAST_GAP)
            == READ_TAKEN;
  } while (gaps);
  return known || live;
}

/* Returns the pad whose next frame cannot be placed in time, or NULL */
GstSecondBatcherPad *
second_batcher_read (GstSecondBatcher * self, GPtrArray * pads)
{
  GstSecondBatcherPad *wrong = NULL;

  /* changes in this task, or while it is stopped */
  if (!self->timeline.started) {
    second_batcher_update_clock (self);
    if (!show_first_frames (self, pads))
      return NULL;
  }
  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (wants_items (self, pad, FALSE)
        && read_pad (self, pad, TAKE) == READ_ERROR)
      wrong = pad;
  }
  return wrong;
}
