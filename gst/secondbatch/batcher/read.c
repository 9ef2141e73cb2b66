/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the streams: from the base class's queues into the tracks, up to the
 * first item of a later window, which stays in its queue. Source pad's task. */
#include "batcher/batcher.h"

typedef enum
{
  READ_NEXT,                    /* taken, or counted and thrown away */
  READ_STOP,                    /* belongs to a later window */
  READ_ERROR                    /* cannot be placed in time */
} Read;

static Read
read_gap (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer)
{
  SECOND_LOCK_BLOCK (&self->lock);
  gint64 end;
  SecondMap map = second_batcher_map_gap_locked (self, pad, buffer, &end);

  if (map == SECOND_MAP_NO_TIME)
    return READ_ERROR;
  if (map == SECOND_MAP_PLACED
      && !second_timeline_take_gap (&self->timeline, &pad->track, end))
    return READ_STOP;
  self->gaps++;
  if (gst_buffer_get_custom_meta (buffer, "GstAggregatorMissingDataMeta"))
    self->missing_data++;
  return READ_NEXT;
}

/* Of a bounded pool that has little left, a copy is held; its buffer goes home */
static gboolean
must_copy_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, const SecondPlace * place)
{
  SecondPoolGuard *guard = second_batcher_pad_guard_locked (pad, buffer,
      second_batcher_frames_to_hold_locked (self, pad->format->fps_n,
          pad->format->fps_d));

  return guard && second_pool_guard_is_low (guard)
      && second_timeline_wants (&self->timeline, place->time, place->tolerance);
}

/* Takes a reference to the buffer if it is held */
static Read
hold_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, const SecondPlace * place)
{
  SecondHeld *held = g_new (SecondHeld, 1);
  SecondVerdict verdict = second_timeline_take_frame (&self->timeline,
      self->tracks, &pad->track, place->time, place->tolerance, held);

  if (verdict != SECOND_HELD) {
    g_free (held);
    return verdict == SECOND_LATE ? READ_NEXT : READ_STOP;
  }
  if (pad->last_format != pad->format) {
    g_clear_pointer (&pad->last_format, second_format_unref);
    pad->last_format = second_format_ref (pad->format);
  }
  held->buffer = gst_buffer_ref (buffer);
  held->format = second_format_ref (pad->format);
  held->shift = place->shift;
  held->guard = buffer->pool && pad->guard ?
      second_pool_guard_hold (pad->guard, 1) : NULL;
  return READ_NEXT;
}

/* With look_only, a frame that could be taken is shown and left */
static Read
read_frame (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gboolean look_only)
{
  GstBuffer *copy = NULL;
  SecondPlace place;
  Read read = READ_NEXT;

  g_mutex_lock (&self->lock);
  switch (second_batcher_map_frame_locked (self, pad, buffer, &place)) {
    case SECOND_MAP_NO_TIME:
      read = READ_ERROR;
      break;
    case SECOND_MAP_OUTSIDE:
      second_track_drop (&pad->track, 1);
      break;
    case SECOND_MAP_PLACED:
      second_timeline_show_first (&self->timeline, self->tracks, &pad->track,
          place.time, place.tolerance);
      if (look_only) {
        read = READ_STOP;
        break;
      }
      if (must_copy_locked (self, pad, buffer, &place)) {
        pad->total_copied++;
        g_mutex_unlock (&self->lock);
        copy = gst_buffer_copy_deep (buffer);
        g_mutex_lock (&self->lock);
      }
      read = hold_locked (self, pad, copy ? copy : buffer, &place);
      break;
  }
  g_mutex_unlock (&self->lock);
  gst_clear_buffer (&copy);
  return read;
}

static Read
read_pad (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    gboolean look_only)
{
  GstAggregatorPad *aggpad = GST_AGGREGATOR_PAD (pad);
  Read read = READ_NEXT;
  GstBuffer *buffer;

  while (read == READ_NEXT
      && (buffer = gst_aggregator_pad_peek_buffer (aggpad))) {
    if (second_batcher_is_gap (buffer))
      read = read_gap (self, pad, buffer);
    else
      read = read_frame (self, pad, buffer, look_only);
    gst_buffer_unref (buffer);
    if (read == READ_NEXT)
      gst_aggregator_pad_drop_buffer (aggpad);
  }
  return read;
}

static gboolean
begin_reading (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  gboolean eos = gst_aggregator_pad_is_eos (GST_AGGREGATOR_PAD (pad));
  SECOND_LOCK_BLOCK (&self->lock);

  if (eos)
    second_track_end (&pad->track);
  else if (pad->track.reach == SECOND_ENDED)
    pad->track.reach = SECOND_READING;  /* it has started again */
  return pad->track.reach == SECOND_READING;
}

static gboolean
is_undecided (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  SECOND_LOCK_BLOCK (&self->lock);

  return !self->timeline.started && !pad->track.begun
      && pad->track.reach == SECOND_READING;
}

/* Where the grid starts is known before frames are judged by it: the first frames
 * of all streams are looked at before one is taken. Not live, we wait for them. */
static gboolean
know_start (GstSecondBatcher * self, GPtrArray * pads)
{
  gboolean live = GST_CLOCK_TIME_IS_VALID (self->live_latency);
  gboolean known = TRUE;

  /* a gap is read in the second round, when it is known what it may mean: all
   * streams that begin with a frame have shown it */
  for (guint round = 0; round < 2 && (known || live); round++) {
    for (guint i = 0; i < pads->len; i++) {
      GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
      GstBuffer *head;

      if (!begin_reading (self, pad) || !is_undecided (self, pad))
        continue;
      head = gst_aggregator_pad_peek_buffer (GST_AGGREGATOR_PAD (pad));
      /* an error is reported by who reads for good */
      if (head && (round == 1 || !second_batcher_is_gap (head)))
        known &= read_pad (self, pad, TRUE) == READ_ERROR
            || round == 0 || !is_undecided (self, pad);
      else
        known &= head != NULL;
      gst_clear_buffer (&head);
    }
  }
  return known || live;
}

/* Returns the pad whose next frame cannot be placed in time, or NULL */
GstSecondBatcherPad *
second_batcher_read (GstSecondBatcher * self, GPtrArray * pads)
{
  GstSecondBatcherPad *wrong = NULL;
  gboolean started;

  g_mutex_lock (&self->lock);
  started = self->timeline.started;
  g_mutex_unlock (&self->lock);
  if (!started) {
    second_batcher_update_clock (self);
    if (!know_start (self, pads))
      return NULL;
  }
  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (begin_reading (self, pad) && read_pad (self, pad, FALSE) == READ_ERROR)
      wrong = pad;
  }
  return wrong;
}
