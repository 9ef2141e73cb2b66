/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events: what changes a stream's format, and what passes through */
#include "batcher/batcher.h"
#include "gstsecondbatchmeta.h"

/* The base class queues all serialized events except FLUSH_STOP */
static GstFlowReturn
sink_event_pre_queue (GstAggregator * agg, GstAggregatorPad * aggpad,
    GstEvent * event)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (aggpad);
  GstFlowReturn ret;

  if (GST_EVENT_IS_SERIALIZED (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP)
    second_pad_note_item (pad, event);
  ret = GST_SECOND_BATCHER_PARENT_CLASS->sink_event_pre_queue (agg, aggpad,
      event);
  if (ret != GST_FLOW_OK)
    g_atomic_pointer_compare_and_exchange (&pad->latest, event, NULL);
  return ret;
}

static void
change_format (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstEvent * event)
{
  g_autoptr (SecondFormat) format = NULL;
  SECOND_LOCK_BLOCK (&self->lock);

  GST_DEBUG_OBJECT (pad, "format from %" GST_PTR_FORMAT, event);
  format = second_format_new (pad->format);
  second_format_read (format, event);
  format = second_pad_change_format_locked (pad, format);
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

/* Counts what the batches had lost that a secondsplitter took apart */
static gboolean
take_counts (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstEvent * event)
{
  guint late = 0, dropped = 0;

  if (!gst_event_has_name (event, GST_SECOND_BATCH_COUNTS_NAME))
    return FALSE;
  gst_structure_get (gst_event_get_structure (event), "late", G_TYPE_UINT,
      &late, "dropped", G_TYPE_UINT, &dropped, NULL);
  gst_event_unref (event);
  SECOND_LOCK_BLOCK (&self->lock);
  pad->track.late += late;
  pad->track.dropped += dropped;
  return TRUE;
}

static gboolean
sink_event (GstAggregator * agg, GstAggregatorPad * aggpad, GstEvent * event)
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
      second_batcher_ask_live (self);
      break;
    case GST_EVENT_TAG:
    case GST_EVENT_TOC:
    case GST_EVENT_CUSTOM_DOWNSTREAM:
    case GST_EVENT_CUSTOM_DOWNSTREAM_STICKY:
      if (!take_counts (self, pad, event))
        keep_event (self, pad, event);
      return TRUE;
    default:
      break;
  }
  return GST_SECOND_BATCHER_PARENT_CLASS->sink_event (agg, aggpad, event);
}

/* Stops QOS events, which say how late the last window was: a decoder would
 * take that for its frames' lateness and drop some. */
static gboolean
src_event (GstAggregator * agg, GstEvent * event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS) {
    gst_event_unref (event);
    return TRUE;
  }
  return GST_SECOND_BATCHER_PARENT_CLASS->src_event (agg, event);
}

void
second_batcher_init_events (GstAggregatorClass * klass)
{
  klass->sink_event_pre_queue = GST_DEBUG_FUNCPTR (sink_event_pre_queue);
  klass->sink_event = GST_DEBUG_FUNCPTR (sink_event);
  klass->src_event = GST_DEBUG_FUNCPTR (src_event);
}
