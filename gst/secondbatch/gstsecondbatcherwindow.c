/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When windows open, close and are jumped over; the source pad's task */
#include "gstsecondbatcherpriv.h"

/* A hole in all streams longer than this many windows is jumped even where
 * empty batches are wanted: a timestamp that leaps is no reason for a storm. */
#define MAX_EMPTY_BATCHES 100

static gboolean
all_pads_eos (GPtrArray * pads)
{
  guint i;

  for (i = 0; i < pads->len; i++) {
    if (!gst_aggregator_pad_is_eos (g_ptr_array_index (pads, i)))
      return FALSE;
  }
  return TRUE;
}

static gboolean
all_pads_show_something (GPtrArray * pads)
{
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstAggregatorPad *pad = g_ptr_array_index (pads, i);

    if (!gst_aggregator_pad_has_buffer (pad)
        && !gst_aggregator_pad_is_eos (pad))
      return FALSE;
  }
  return TRUE;
}

static gboolean
all_pads_past (GstSecondBatcher * self, GPtrArray * pads)
{
  gboolean past = TRUE;
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; i < pads->len; i++)
    past = past && GST_SECOND_BATCHER_PAD (g_ptr_array_index (pads, i))->past;
  g_mutex_unlock (&self->lock);
  return past;
}

/* The earliest frame that is held. FALSE if there is none. */
static gboolean
first_held_position (GstSecondBatcher * self, GPtrArray * pads, guint64 * pos)
{
  gboolean any = FALSE;
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
    guint64 p;

    if (pad->held->len == 0)
      continue;
    p = g_array_index (pad->held, SecondFrame, 0).pos;
    if (!any || p < *pos)
      *pos = p;
    any = TRUE;
  }
  g_mutex_unlock (&self->lock);
  return any;
}

/* Before the first frame of all, gaps mean nothing; but left in the queues they
 * would make every pad look ready. */
static void
drop_gaps (GstSecondBatcher * self, GPtrArray * pads)
{
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (gst_aggregator_pad_drop_buffer (GST_AGGREGATOR_PAD (pad))) {
      g_mutex_lock (&self->lock);
      second_batcher_pad_dequeued_locked (pad);
      self->gaps++;
      g_mutex_unlock (&self->lock);
    }
  }
}

gboolean
second_batcher_is_open (GstSecondBatcher * self)
{
  gboolean open;

  g_mutex_lock (&self->lock);
  open = self->open;
  g_mutex_unlock (&self->lock);
  return open;
}

/* With align=first-frame the zero of the grid is the earliest of all frames,
 * for which each stream must have shown one. Otherwise taking a frame opens. */
static GstFlowReturn
open_window (GstSecondBatcher * self, GPtrArray * pads, gboolean timeout)
{
  GstFlowReturn ret;
  guint64 pos = 0;
  gint64 time = 0;

  second_batcher_update_clock (self);

  /* throws away what is outside its segment and would hide a first frame */
  ret = second_batcher_take_queued (self, pads);
  if (ret != GST_FLOW_OK || second_batcher_is_open (self))
    return ret;
  if (all_pads_eos (pads))
    return GST_FLOW_EOS;
  if (!timeout && !all_pads_show_something (pads))
    return GST_AGGREGATOR_FLOW_NEED_DATA;
  if (!second_batcher_first_position (self, pads, &pos, &time)) {
    drop_gaps (self, pads);
    return GST_AGGREGATOR_FLOW_NEED_DATA;
  }
  second_batcher_open (self, pos, time);
  return GST_FLOW_OK;
}

/* All streams are past the window. If none has a frame in it, goes on where the
 * next frame is, unless the hole is to be filled with empty batches.
 * Returns whether it jumped. */
static gboolean
jump_hole (GstSecondBatcher * self, GPtrArray * pads)
{
  GstClockTime pts, end;
  guint64 pos = G_MAXUINT64, held = G_MAXUINT64, target;
  gint64 time;
  gboolean jump;

  second_batcher_first_position (self, pads, &pos, &time);
  first_held_position (self, pads, &held);
  pos = MIN (pos, held);
  if (pos == G_MAXUINT64)
    return FALSE;

  g_mutex_lock (&self->lock);
  target = second_window_first (&self->grid, pos);
  jump = target > self->index && (self->incomplete == SECOND_INCOMPLETE_DROP
      || target - self->index > MAX_EMPTY_BATCHES);
  if (jump) {
    pts = second_batcher_running_time_locked (self, self->cut);
    self->skipped_windows += target - self->index;
    self->index = target;
    self->cut = second_window_start (&self->grid, target);
    end = second_batcher_running_time_locked (self, self->cut);
  }
  g_mutex_unlock (&self->lock);

  if (jump)
    second_batcher_push_gap (self, pts, end - pts);
  return jump;
}

static GstFlowReturn
cut_and_push (GstSecondBatcher * self, GPtrArray * pads)
{
  GPtrArray *trash = g_ptr_array_new_with_free_func
      ((GDestroyNotify) gst_buffer_unref);
  GstFlowReturn ret = GST_FLOW_OK;
  SecondBatch *batch;

  g_mutex_lock (&self->lock);
  batch = second_batcher_cut_locked (self, pads, trash);
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (trash);

  if (batch) {
    ret = second_batcher_push (self, batch);
    second_batch_free (batch);
  }
  second_batcher_update_clock (self);
  return ret;
}

static GstFlowReturn
aggregate_once (GstSecondBatcher * self, GPtrArray * pads, gboolean timeout)
{
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean wait, past;
  guint64 held = 0;

  g_mutex_lock (&self->lock);
  wait = self->incomplete == SECOND_INCOMPLETE_WAIT;
  g_mutex_unlock (&self->lock);

  if (!second_batcher_is_open (self))
    ret = open_window (self, pads, timeout);
  if (ret == GST_FLOW_OK)
    ret = second_batcher_take_queued (self, pads);
  if (ret != GST_FLOW_OK)
    return ret;

  past = all_pads_past (self, pads);
  if (!past && (!timeout || wait))
    return GST_AGGREGATOR_FLOW_NEED_DATA;

  if (past && all_pads_eos (pads) && !first_held_position (self, pads, &held))
    return GST_FLOW_EOS;
  if (past && jump_hole (self, pads))
    return GST_FLOW_OK;
  return cut_and_push (self, pads);
}

GstFlowReturn
second_batcher_aggregate (GstAggregator * agg, gboolean timeout)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GPtrArray *pads = second_batcher_pads (self);
  GstFlowReturn ret;

  second_batcher_update_latency (self);
  ret = aggregate_once (self, pads, timeout);

  /* tells the streaming threads not to fill windows that nobody empties */
  g_mutex_lock (&self->lock);
  self->flow = ret == GST_AGGREGATOR_FLOW_NEED_DATA ? GST_FLOW_OK : ret;
  g_mutex_unlock (&self->lock);

  return ret;
}
