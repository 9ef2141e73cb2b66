/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking frames into the open window, from both threads that do so */
#include "gstsecondbatcherpriv.h"

/* Microseconds; the task needs some ten to come by */
#define DRAIN_PATIENCE 1000

static guint64
position_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gint64 time)
{
  GstClockTime duration = second_format_frame_duration (pad->format);

  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = GST_BUFFER_DURATION (buffer);
  return second_window_position (time,
      second_window_tolerance (self->boundary_tolerance, duration));
}

static void
count_late_locked (GstSecondBatcherPad * pad)
{
  pad->late++;
  pad->total_late++;
}

/* A gap says that the stream has nothing up to the gap's end. It is a reason to
 * close the window, never something to deliver. */
static SecondTake
take_gap_locked (GstSecondBatcher * self, guint64 pos, GstBuffer * buffer)
{
  guint64 end = pos;

  if (GST_BUFFER_DURATION_IS_VALID (buffer))
    end += GST_BUFFER_DURATION (buffer);
  if (!self->open || end >= second_window_end (&self->grid, self->index))
    return SECOND_TAKE_PAST;

  self->gaps++;
  if (gst_buffer_get_custom_meta (buffer, "GstAggregatorMissingDataMeta"))
    self->missing_data++;
  return SECOND_TAKE_DONE;
}

static guint
wanted_frames_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  return second_window_frames_to_hold (self->grid.duration,
      pad->format->fps_n, pad->format->fps_d);
}

static SecondTake
hold_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gint64 time, guint64 pos)
{
  SecondFrame frame = { buffer, NULL, NULL, (guint64) MAX (time, 0), pos,
    FALSE
  };

  frame.guard = second_batcher_pad_guard_locked (pad, buffer,
      wanted_frames_locked (self, pad));
  if (frame.guard && second_pool_guard_is_low (frame.guard)) {
    pad->total_copied++;
    return SECOND_TAKE_COPY;
  }

  /* the window may have been delivered in part, up to the cut */
  if (pos < self->cut) {
    count_late_locked (pad);
    frame.pos = self->cut;
  }
  gst_buffer_ref (buffer);
  frame.format = second_format_ref (pad->format);
  if (frame.guard)
    second_pool_guard_ref (frame.guard);
  second_batcher_pad_hold_locked (pad, &frame);
  pad->total_frames++;
  return SECOND_TAKE_DONE;
}

/* The grid starts at the first frame, rounded down to a window */
static void
open_locked (GstSecondBatcher * self, guint64 pos)
{
  self->open = TRUE;
  self->index = second_window_last (&self->grid, pos);
  self->cut = second_window_start (&self->grid, self->index);
}

/* Opening early matters with a silent live pad: the base class measures its
 * queues from the segment's start, so that they would take two frames if the
 * first one is far from it. An earlier frame of another stream still moves the
 * start, as long as no batch has been cut. */
static void
open_early_locked (GstSecondBatcher * self, guint64 pos, gboolean may_open)
{
  if (!self->open && may_open && self->align != SECOND_ALIGN_FIRST_FRAME)
    open_locked (self, pos);
  else if (self->open && !self->started && pos < self->cut)
    open_locked (self, pos);
}

/* Does not take the caller's reference. may_open: the clock was read before */
static SecondTake
take_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstBuffer * buffer, gboolean may_open)
{
  guint64 pos;
  gint64 time;

  if (!second_batcher_map_time_locked (self, pad, buffer, &time))
    return SECOND_TAKE_NO_TIME;
  pos = position_locked (self, pad, buffer, time);

  if (second_batcher_is_gap (buffer))
    return take_gap_locked (self, pos, buffer);
  if (second_batcher_is_clipped (pad->format, buffer))
    return SECOND_TAKE_DONE;
  open_early_locked (self, pos, may_open);
  if (!self->open || pos >= second_window_end (&self->grid, self->index))
    return SECOND_TAKE_PAST;

  if (!pad->has_phase) {
    pad->phase = pos;
    pad->has_phase = TRUE;
  }
  if (pos < self->cut && self->late == SECOND_LATE_DROP) {
    count_late_locked (pad);
    pad->dropped++;
    pad->total_dropped++;
    return SECOND_TAKE_DONE;
  }
  return hold_locked (self, pad, buffer, time, pos);
}

/* A copy has no pool, so that the second offer is not refused */
static GstBuffer *
copy_of (GstBuffer * buffer)
{
  GstBuffer *copy = gst_buffer_copy_deep (buffer);

  gst_buffer_unref (buffer);
  return copy;
}

/* A streaming thread that is faster than the source pad's task would always
 * find the frame before in the queue and put its own behind it, at the price of a
 * change of threads for each. So it gives the task a moment to take that frame;
 * not more, since flushing and stopping reach it only inside the base class. */
static void
let_queue_drain_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  gint64 end;

  if (pad->queued == 0 || pad->past || !self->open)
    return;
  end = g_get_monotonic_time () + DRAIN_PATIENCE;
  while (pad->queued > 0 && !pad->past
      && g_cond_wait_until (&pad->dequeued, &self->lock, end));
}

/* Streaming thread. A frame may overtake the base class's queue when nothing is
 * in it: then all that came before the frame has been dealt with. */
GstFlowReturn
second_batcher_pad_chain (GstPad * gstpad, GstObject * parent,
    GstBuffer * buffer)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (parent);
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (gstpad);
  SecondTake take = SECOND_TAKE_PAST;
  GstFlowReturn ret;

  do {
    if (take == SECOND_TAKE_COPY)
      buffer = copy_of (buffer);
    g_mutex_lock (&self->lock);
    let_queue_drain_locked (self, pad);
    take = SECOND_TAKE_PAST;
    if (pad->queued == 0 && self->flow == GST_FLOW_OK)
      take = take_locked (self, pad, buffer, FALSE);
    if (take == SECOND_TAKE_PAST || take == SECOND_TAKE_NO_TIME)
      pad->queued++;
    g_mutex_unlock (&self->lock);
  } while (take == SECOND_TAKE_COPY);

  if (take == SECOND_TAKE_DONE) {
    gst_buffer_unref (buffer);
    return GST_FLOW_OK;
  }

  ret = pad->queue_chain (gstpad, parent, buffer);
  if (ret != GST_FLOW_OK) {
    g_mutex_lock (&self->lock);
    second_batcher_pad_dequeued_locked (pad);
    g_mutex_unlock (&self->lock);
  }
  return ret;
}

static void
warn_about_reference (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  gboolean warn;

  g_mutex_lock (&self->lock);
  warn = self->align == SECOND_ALIGN_REFERENCE_TIMESTAMP
      && pad->has_shift && !pad->has_reference && !pad->warned_reference;
  if (warn)
    pad->warned_reference = TRUE;
  g_mutex_unlock (&self->lock);

  if (warn)
    GST_ELEMENT_WARNING (self, STREAM, FORMAT,
        ("Frames on pad %s carry no reference timestamp that is known here; "
            "they are placed by the pipeline clock's UTC time. Give them a "
            "timestamp/x-unix, x-ntp or x-ptp meta, or use align=utc for all.",
            GST_PAD_NAME (pad)), (NULL));
}

/* Moves what belongs to the open window from the base class's queue. Returns
 * why it stopped: DONE if the queue is empty. */
static SecondTake
take_from_pad (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  GstAggregatorPad *aggpad = GST_AGGREGATOR_PAD (pad);
  SecondTake take = SECOND_TAKE_DONE;
  GstBuffer *buffer;
  gboolean eos;

  while (take == SECOND_TAKE_DONE
      && (buffer = gst_aggregator_pad_peek_buffer (aggpad))) {
    do {
      if (take == SECOND_TAKE_COPY)
        buffer = copy_of (buffer);
      g_mutex_lock (&self->lock);
      take = take_locked (self, pad, buffer, TRUE);
      g_mutex_unlock (&self->lock);
    } while (take == SECOND_TAKE_COPY);
    gst_buffer_unref (buffer);

    if (take == SECOND_TAKE_DONE) {
      gst_aggregator_pad_drop_buffer (aggpad);
      g_mutex_lock (&self->lock);
      second_batcher_pad_dequeued_locked (pad);
      g_mutex_unlock (&self->lock);
    }
  }

  eos = gst_aggregator_pad_is_eos (aggpad);
  g_mutex_lock (&self->lock);
  pad->past = eos || take == SECOND_TAKE_PAST;
  if (pad->past)
    g_cond_signal (&pad->dequeued);
  g_mutex_unlock (&self->lock);
  return take;
}

GstFlowReturn
second_batcher_take_queued (GstSecondBatcher * self, GPtrArray * pads)
{
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (take_from_pad (self, pad) == SECOND_TAKE_NO_TIME) {
      GST_ELEMENT_ERROR (self, STREAM, FORMAT,
          ("A frame on pad %s has no timestamp, so that it belongs to no "
              "window; make upstream set PTS in a TIME segment (videorate or "
              "do-timestamp=true may help).", GST_PAD_NAME (pad)), (NULL));
      return GST_FLOW_ERROR;
    }
    warn_about_reference (self, pad);
  }
  return GST_FLOW_OK;
}

/* A frame that came while the one before it was still queued is queued too, and
 * the base class does not call aggregate() for it unless every pad has one. The
 * source pad's task comes by here before each wait, with the source lock. It has
 * looked for events before: one that stood behind the frames that are taken here
 * would be slept over, and upstream may be waiting for it. */
void
second_batcher_drain (GstSecondBatcher * self, GPtrArray * pads)
{
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
    gboolean had_frame = gst_aggregator_pad_has_buffer
        (GST_AGGREGATOR_PAD (pad));
    gboolean others;

    if (take_from_pad (self, pad) != SECOND_TAKE_DONE || !had_frame)
      continue;
    g_mutex_lock (&self->lock);
    others = pad->queued_others > 0;
    g_mutex_unlock (&self->lock);
    if (others)
      second_batcher_wake_later (self, pad);
  }
}

/* The earliest frame at the heads of the queues: where the grid starts, and
 * where it goes on after a hole. FALSE if there is no frame. */
gboolean
second_batcher_first_position (GstSecondBatcher * self, GPtrArray * pads,
    guint64 * pos, gint64 * first_time)
{
  gboolean any = FALSE;
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
    GstBuffer *buffer =
        gst_aggregator_pad_peek_buffer (GST_AGGREGATOR_PAD (pad));
    gint64 time;

    if (buffer == NULL)
      continue;
    g_mutex_lock (&self->lock);
    if (!second_batcher_is_gap (buffer)
        && second_batcher_map_time_locked (self, pad, buffer, &time)
        && !second_batcher_is_clipped (pad->format, buffer)) {
      guint64 p = position_locked (self, pad, buffer, time);

      if (!any || p < *pos) {
        *pos = p;
        *first_time = time;
      }
      any = TRUE;
    }
    g_mutex_unlock (&self->lock);
    gst_buffer_unref (buffer);
  }
  return any;
}

/* Opens the first window at the earliest of the frames at the queues' heads */
void
second_batcher_open (GstSecondBatcher * self, guint64 pos, gint64 time)
{
  g_mutex_lock (&self->lock);
  if (self->align == SECOND_ALIGN_FIRST_FRAME && !self->anchored) {
    self->clock_offset = -time;
    self->anchored = TRUE;
    pos = 0;
  }
  open_locked (self, pos);
  g_mutex_unlock (&self->lock);
}
