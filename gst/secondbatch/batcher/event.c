/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events: what changes a stream's format, and what passes through */
#include "batcher/batcher.h"
#include "gstsecondbatchmeta.h"

/* The base class queues serialized events but for FLUSH_STOP */
GstFlowReturn
gst_second_batcher_sink_event_pre_queue (GstAggregator * agg,
    GstAggregatorPad * pad, GstEvent * event)
{
  GstSecondBatcherPad *self = GST_SECOND_BATCHER_PAD (pad);
  GstFlowReturn ret;

  if (GST_EVENT_IS_SERIALIZED (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP)
    gst_second_batcher_pad_note_item (self, event);
  ret = GST_SECOND_BATCHER_PARENT_CLASS->sink_event_pre_queue (agg, pad, event);
  if (ret != GST_FLOW_OK)
    g_atomic_pointer_compare_and_exchange (&self->latest, event, NULL);
  return ret;
}

static void
change_format (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstEvent * event)
{
  SecondFormat *format;

  GST_DEBUG_OBJECT (pad, "format from %" GST_PTR_FORMAT, event);
  g_mutex_lock (&self->lock);
  format = second_format_new (pad->format);
  second_format_read (format, event);
  format = gst_second_batcher_pad_change_format_locked (pad, format);
  g_mutex_unlock (&self->lock);
  second_format_unref (format);
}

static gboolean
belongs_to_stream (GstEvent * event)
{
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_TAG:
    case GST_EVENT_TOC:
    case GST_EVENT_CUSTOM_DOWNSTREAM:
    case GST_EVENT_CUSTOM_DOWNSTREAM_STICKY:
      return TRUE;
    default:
      return FALSE;
  }
}

/* An event in the middle of a stream waits for the batch of its frames. Takes
 * the event. */
static void
keep_event (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstEvent * event)
{
  SecondEvent *kept = g_new0 (SecondEvent, 1);
  SECOND_LOCK_BLOCK (&self->lock);

  kept->event = event;
  kept->seq = pad->track.next_seq;
  kept->format = pad->track.format;
  g_queue_push_tail (&pad->events, kept);
}

/* What a secondsplitter's batches had lost is still lost in ours */
static gboolean
take_counts (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstEvent * event)
{
  guint late = 0, dropped = 0;

  if (!gst_event_has_name (event, GST_SECOND_BATCH_COUNTS_NAME))
    return FALSE;
  gst_structure_get (gst_event_get_structure (event), "late", G_TYPE_UINT,
      &late, "dropped", G_TYPE_UINT, &dropped, NULL);
  g_mutex_lock (&self->lock);
  pad->track.late += late;
  pad->track.dropped += dropped;
  g_mutex_unlock (&self->lock);
  gst_event_unref (event);
  return TRUE;
}

gboolean
gst_second_batcher_sink_event (GstAggregator * agg, GstAggregatorPad * aggpad,
    GstEvent * event)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (aggpad);

  g_atomic_pointer_compare_and_exchange (&pad->latest, event, NULL);
  g_atomic_int_set (&pad->looked_for, 0);
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      /* a stream's caps are not those of the batches */
      change_format (self, pad, event);
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_STREAM_START:
    case GST_EVENT_SEGMENT:
      change_format (self, pad, event);
      gst_second_batcher_ask_live (self);
      break;
    default:
      if (take_counts (self, pad, event))
        return TRUE;
      if (belongs_to_stream (event)) {
        keep_event (self, pad, event);
        return TRUE;
      }
      break;
  }
  return GST_SECOND_BATCHER_PARENT_CLASS->sink_event (agg, aggpad, event);
}

/* QOS from downstream is about batches: how late the last window was. A decoder
 * would read it as its frames' lateness and drop some, so that it ends here. */
gboolean
gst_second_batcher_src_event (GstAggregator * agg, GstEvent * event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS) {
    gst_event_unref (event);
    return TRUE;
  }
  return GST_SECOND_BATCHER_PARENT_CLASS->src_event (agg, event);
}
