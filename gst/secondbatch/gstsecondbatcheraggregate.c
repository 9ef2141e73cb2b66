/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a window is closed; the source pad's task */
#include "gstsecondbatcherpriv.h"

static void
warn_about_references (GstSecondBatcher * self, GPtrArray * pads)
{
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
    gboolean warn;

    g_mutex_lock (&self->lock);
    warn = pad->lacks_reference && !pad->warned_reference;
    pad->warned_reference |= warn;
    g_mutex_unlock (&self->lock);

    if (warn)
      GST_ELEMENT_WARNING (self, STREAM, FORMAT,
          ("Frames on pad %s carry no reference timestamp that is known here; "
              "they are placed by the pipeline clock's UTC time. Give them a "
              "timestamp/x-unix, x-ntp or x-ptp meta, or use align=utc for all.",
              GST_PAD_NAME (pad)), (NULL));
  }
}

static GstFlowReturn
complain_about_time (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  GST_ELEMENT_ERROR (self, STREAM, FORMAT,
      ("A frame on pad %s has no timestamp, so that it belongs to no "
          "window; make upstream set PTS in a TIME segment (videorate or "
          "do-timestamp=true may help).", GST_PAD_NAME (pad)), (NULL));
  return GST_FLOW_ERROR;
}

static GstFlowReturn
push_batches (GstSecondBatcher * self, GPtrArray * batches)
{
  GstFlowReturn ret = GST_FLOW_OK;
  guint i;

  for (i = 0; i < batches->len && ret == GST_FLOW_OK; i++) {
    ret = second_batcher_push (self, g_ptr_array_index (batches, i));
    /* what downstream lets go of is free before the next one is made */
    second_batch_free (g_steal_pointer (&g_ptr_array_index (batches, i)));
  }
  return ret;
}

static GstFlowReturn
close_window (GstSecondBatcher * self, GPtrArray * pads)
{
  GPtrArray *batches = g_ptr_array_new_with_free_func
      ((GDestroyNotify) second_batch_free);
  GPtrArray *trash = second_trash_new ();
  GstFlowReturn ret;
  gboolean jumped;
  SecondPart hole;

  g_mutex_lock (&self->lock);
  jumped = second_batcher_close_locked (self, pads, batches, &hole, trash);
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (trash);

  if (jumped)
    second_batcher_push_gap (self, hole.start, hole.end - hole.start);
  ret = push_batches (self, batches);
  g_ptr_array_unref (batches);
  second_batcher_update_clock (self);
  return ret;
}

static GstFlowReturn
finish (GstSecondBatcher * self, GPtrArray * pads)
{
  SecondBatch *rest;

  g_mutex_lock (&self->lock);
  rest = second_batcher_take_events_locked (pads);
  g_mutex_unlock (&self->lock);
  second_batcher_push_events (self, rest);
  second_batch_free (rest);
  return GST_FLOW_EOS;
}

GstFlowReturn
second_batcher_aggregate (GstAggregator * agg, gboolean timeout)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GPtrArray *pads = second_batcher_pads (self);
  GstSecondBatcherPad *wrong;
  gboolean over, ended;

  second_batcher_update_live (self);
  wrong = second_batcher_read (self, pads);
  if (wrong)
    return complain_about_time (self, wrong);
  warn_about_references (self, pads);

  g_mutex_lock (&self->lock);
  ended = second_timeline_has_ended (self->tracks)
      && !second_timeline_has_frames (self->tracks);
  over = second_timeline_is_over (&self->timeline, self->tracks)
      || (timeout && !self->look_again && self->timeline.open
      && self->incomplete != SECOND_INCOMPLETE_WAIT);
  g_mutex_unlock (&self->lock);

  if (ended)
    return finish (self, pads);
  if (!over)
    return GST_AGGREGATOR_FLOW_NEED_DATA;
  return close_window (self, pads);
}
