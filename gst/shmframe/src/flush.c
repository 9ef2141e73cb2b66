/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repeats flushes of the producer, with timestamps=keep: running time starts
 * again in its pipeline, so it does here, and what is on its way downstream is
 * stale. As in one pipeline, a flush overtakes that. A thread of GStreamer's
 * pool sends it: the streaming thread may be waiting downstream, and the
 * consumer's control thread must not wait. */
#include "src/gstshmframesrc.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

static void send_flush (GstElement * element, gpointer unused);

void
gst_shm_frame_src_on_flush (void *user)
{
  GstShmFrameSrc *self = user;

  /* One scheduled call sees all flushes so far: a producer that does nothing
   * but flush costs no more threads. */
  if (g_atomic_int_compare_and_exchange (&self->flush.scheduled, FALSE, TRUE))
    gst_element_call_async (GST_ELEMENT (self), send_flush, NULL, NULL);
}

static gboolean
chain_up (GstShmFrameSrc * self, GstEvent * event)
{
  GstElementClass *parent_class = GST_SHM_FRAME_SRC_PARENT_CLASS;

  return parent_class->send_event (GST_ELEMENT (self), event);
}

/* Sends it as an application would: so the base class stops its task, and
 * starts it again after FLUSH_STOP. */
static void
send (GstShmFrameSrc * self, GstEvent * event, guint32 seqnum)
{
  if (seqnum != GST_SEQNUM_INVALID)
    gst_event_set_seqnum (event, seqnum);
  GST_DEBUG_OBJECT (self, "the producer flushes: %" GST_PTR_FORMAT, event);
  chain_up (self, event);
}

/* Asks for the application's EOS again: the base class forgets it at
 * FLUSH_START, but the producer's flush must not take it back. The task pushes
 * it after FLUSH_STOP. */
static void
repeat_eos (GstShmFrameSrc * self)
{
  GstEvent *eos = NULL;

  GST_OBJECT_LOCK (self);
  if (self->status.requested_eos != NULL)
    eos = gst_event_ref (self->status.requested_eos);
  GST_OBJECT_UNLOCK (self);
  if (eos != NULL)
    chain_up (self, eos);
}

/* Sends what is missing of one flush, and no more: a state change that waits
 * for the state lock gets its turn. */
static void
follow_producer (GstShmFrameSrc * self)
{
  struct sf_flush flush;

  sf_consumer_get_flush (self->consumer, &flush);
  if (!self->flush.started && (flush.on || flush.pending)) {
    send (self, gst_event_new_flush_start (), flush.seqnum);
    self->flush.started = TRUE;
    repeat_eos (self);
    sf_consumer_get_flush (self->consumer, &flush);
  }
  if (!self->flush.started || flush.on)
    return;
  send (self, gst_event_new_flush_stop (flush.reset_time), flush.seqnum);
  self->flush.started = FALSE;
  sf_consumer_end_flush (self->consumer, &flush);
  sf_consumer_get_flush (self->consumer, &flush);
  if (flush.pending)
    gst_shm_frame_src_on_flush (self);
}

/* Mostly the pipeline. */
static GstElement *
ref_toplevel (GstShmFrameSrc * self)
{
  GstObject *top = gst_object_ref (self), *parent;

  while ((parent = gst_object_get_parent (top)) != NULL) {
    gst_object_unref (top);
    top = parent;
  }
  return GST_ELEMENT (top);
}

/* Takes the state locks, like a seek of the pipeline: a flush makes sinks lose
 * their state, so it must not come in the middle of a state change; and the
 * consumer must not be closed meanwhile. */
static void
send_flush (GstElement * element, gpointer unused)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (element);
  GstElement *top = ref_toplevel (self);

  GST_STATE_LOCK (top);
  GST_STATE_LOCK (self);
  g_atomic_int_set (&self->flush.scheduled, FALSE);
  if (self->consumer != NULL)
    follow_producer (self);
  GST_STATE_UNLOCK (self);
  GST_STATE_UNLOCK (top);
  gst_object_unref (top);
}

gboolean
gst_shm_frame_src_send_event (GstElement * element, GstEvent * event)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (element);
  GstEventType type = GST_EVENT_TYPE (event);

  GST_OBJECT_LOCK (self);
  if (type == GST_EVENT_EOS)
    gst_event_replace (&self->status.requested_eos, event);
  else if (type == GST_EVENT_FLUSH_START || type == GST_EVENT_FLUSH_STOP)
    gst_clear_event (&self->status.requested_eos);
  GST_OBJECT_UNLOCK (self);
  return chain_up (self, event);
}
