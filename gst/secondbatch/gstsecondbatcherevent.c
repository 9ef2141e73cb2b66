/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events: what changes a stream's format, and what passes through */
#include "gstsecondbatcherpriv.h"
#include "gstsecondbatchmeta.h"

#define WAKE_UP "secondbatcher-wake-up"

/* The base class queues serialized events but for FLUSH_STOP */
static gboolean
is_queued (GstEvent * event)
{
  return GST_EVENT_IS_SERIALIZED (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP;
}

GstFlowReturn
second_batcher_sink_event_pre_queue (GstAggregator * agg,
    GstAggregatorPad * aggpad, GstEvent * event)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (aggpad);
  gboolean queued = is_queued (event);
  GstFlowReturn ret;

  /* counted before it is in the queue: no frame may overtake it */
  if (queued) {
    g_mutex_lock (&self->lock);
    if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START
        && self->flow == GST_FLOW_EOS)
      self->flow = GST_FLOW_OK;
    second_batcher_pad_other_queued_locked (pad);
    g_mutex_unlock (&self->lock);
  }
  ret = second_batcher_parent_class ()->sink_event_pre_queue (agg, aggpad,
      event);
  if (queued && ret != GST_FLOW_OK) {
    g_mutex_lock (&self->lock);
    second_batcher_pad_other_dequeued_locked (pad);
    g_mutex_unlock (&self->lock);
  }
  return ret;
}

static void
push_wake_up (GstElement * element, gpointer pad)
{
  second_batcher_sink_event_pre_queue (GST_AGGREGATOR_CAST (element), pad,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new_empty (WAKE_UP)));
}

/* The caller is about to wait with the base class's source lock, so that another
 * thread has to do what wakes it up again. */
void
second_batcher_wake_later (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  gst_element_call_async (GST_ELEMENT_CAST (self), push_wake_up,
      gst_object_ref (pad), gst_object_unref);
}

static void
set_caps (SecondFormat * format, GstCaps * caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);

  gst_caps_replace (&format->caps, caps);
  format->fps_n = 0;
  format->fps_d = 1;
  gst_structure_get_fraction (s, "framerate", &format->fps_n, &format->fps_d);
}

static void
read_format (SecondFormat * format, GstEvent * event)
{
  const gchar *stream_id;
  GstCaps *caps;
  guint told;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_event_parse_stream_start (event, &stream_id);
      g_free (format->stream_id);
      format->stream_id = g_strdup (stream_id);
      told = SECOND_TOLD_STREAM_START;
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      set_caps (format, caps);
      told = SECOND_TOLD_CAPS;
      break;
    default:
      gst_event_copy_segment (event, &format->segment);
      told = SECOND_TOLD_SEGMENT;
      break;
  }
  gst_event_replace (&format->told[told], event);
}

/* Frames that are held keep the format they came with */
static void
change_format (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    GstEvent * event)
{
  SecondFormat *format, *old = NULL;

  /* the source pad's task is the only one to replace it while data flows */
  g_mutex_lock (&self->lock);
  format = second_format_new (pad->format);
  g_mutex_unlock (&self->lock);

  read_format (format, event);

  g_mutex_lock (&self->lock);
  if (!second_format_equal (format, pad->format)) {
    old = pad->format;
    pad->format = format;
    format = NULL;
    g_clear_pointer (&pad->guard, second_pool_guard_unref);
    pad->pool = NULL;
    if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS)
      pad->has_phase = FALSE;
  }
  g_mutex_unlock (&self->lock);

  g_clear_pointer (&format, second_format_unref);
  g_clear_pointer (&old, second_format_unref);
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
  SecondEvent *kept = g_new (SecondEvent, 1);

  kept->event = event;
  g_mutex_lock (&self->lock);
  kept->position = pad->held->len;
  g_queue_push_tail (&pad->events, kept);
  g_mutex_unlock (&self->lock);
}

gboolean
second_batcher_sink_event (GstAggregator * agg, GstAggregatorPad * aggpad,
    GstEvent * event)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (aggpad);
  GstEventType type = GST_EVENT_TYPE (event);
  gboolean queued = is_queued (event);
  gboolean ret = TRUE;

  if (type == GST_EVENT_STREAM_START || type == GST_EVENT_CAPS
      || type == GST_EVENT_SEGMENT)
    change_format (self, pad, event);

  if (gst_event_has_name (event, WAKE_UP)) {
    gst_event_unref (event);
  } else if (belongs_to_stream (event)) {
    keep_event (self, pad, event);
  } else if (type == GST_EVENT_CAPS) {
    /* a stream's caps are not those of the batches */
    gst_event_unref (event);
  } else {
    ret = second_batcher_parent_class ()->sink_event (agg, aggpad, event);
  }

  if (queued) {
    g_mutex_lock (&self->lock);
    /* a GAP that was taken has become a buffer in the queue */
    if (type == GST_EVENT_GAP && ret)
      pad->queued++;
    second_batcher_pad_other_dequeued_locked (pad);
    g_mutex_unlock (&self->lock);
  }
  return ret;
}

/* QOS from downstream is about batches: how late the last window was. A decoder
 * would read it as its frames' lateness and drop some, so that it ends here. */
gboolean
second_batcher_src_event (GstAggregator * agg, GstEvent * event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS) {
    gst_event_unref (event);
    return TRUE;
  }
  return second_batcher_parent_class ()->src_event (agg, event);
}
