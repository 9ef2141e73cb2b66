/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes events. */
#include <errno.h>

#include "sink/gstshmframesink.h"
#include "wire/wire.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* Whether later clients do not get it: then it waits for clients, like a
 * frame. */
static gboolean
is_transient (GstEvent * event)
{
  return !GST_EVENT_IS_STICKY (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP;
}

/* Posts an error, once, though upstream's pad sends it again before each
 * frame. */
static GstFlowReturn
refuse_sticky (GstShmFrameSink * self, GstEvent * event, guint size)
{
  if (!self->reported.sticky_events)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("The sticky events of this stream take more than %" G_GUINT64_FORMAT
            " bytes in all, with a %s event of %u bytes; send fewer of them, "
            "or smaller ones: who joins later gets each of them.",
            SF_MAX_STICKY_BYTES, GST_EVENT_TYPE_NAME (event), size), (NULL));
  self->reported.sticky_events = TRUE;
  return GST_FLOW_ERROR;
}

GstFlowReturn
gst_shm_frame_sink_publish_event (GstShmFrameSink * self, GstEvent * event)
{
  guint64 key = gst_shm_frame_wire_event_key (event);
  GstEventType type = GST_EVENT_TYPE (event);
  guint32 flags = key != 0 ? SF_EVENT_STICKY : is_transient (event)
      ? SF_EVENT_NEEDS_CLIENTS : 0;
  GstFlowReturn ret = GST_FLOW_OK;
  GstClockTime gap = GST_CLOCK_TIME_NONE;
  GstByteWriter w;
  gboolean wait;
  gint r;

  if (type == GST_EVENT_GAP)
    gst_event_parse_gap (event, &gap, NULL);
  /* Serialized events come in the streaming thread, whose the body is. */
  gst_byte_writer_init_with_data (&w, self->record.body, SF_MAX_PAYLOAD, FALSE);
  if (!gst_shm_frame_wire_put_event (&w, event,
          gst_shm_frame_sink_capture_time (self, gap),
          &self->record.unserializable)) {
    gst_shm_frame_unserializable_note (&self->record.unserializable,
        "the event", GST_EVENT_TYPE_NAME (event));
    return GST_FLOW_OK;
  }
  GST_LOG_OBJECT (self, "%" GST_PTR_FORMAT, event);
  if (type == GST_EVENT_STREAM_START || type == GST_EVENT_CAPS
      || type == GST_EVENT_SEGMENT)
    flags |= SF_EVENT_DROPS_LATEST;
  do {
    guint64 token = sf_producer_token (self->producer);

    r = sf_producer_event (self->producer, key, self->record.body,
        gst_byte_writer_get_pos (&w), flags);
    wait = r == -EAGAIN || r == -ENOTCONN;
    /* Preroll first, as with a frame: PAUSED needs no clients. */
    if (r == -ENOTCONN)
      ret = gst_base_sink_do_preroll (GST_BASE_SINK (self),
          GST_MINI_OBJECT_CAST (event));
    if (wait && ret == GST_FLOW_OK)
      ret = gst_shm_frame_sink_wait_to_publish (self, r, token);
  } while (wait && ret == GST_FLOW_OK);
  if (ret == GST_FLOW_EOS)
    return GST_FLOW_OK;
  if (r == -E2BIG)
    return refuse_sticky (self, event, gst_byte_writer_get_pos (&w));
  if (r == 0 && key != 0)
    self->reported.sticky_events = FALSE;
  if (r < 0 && !wait)
    GST_WARNING_OBJECT (self, "a %s event is lost: %s",
        GST_EVENT_TYPE_NAME (event), g_strerror (-r));
  return ret;
}

void
gst_shm_frame_sink_forget_stream (GstShmFrameSink * self, GstEventType from)
{
  sf_producer_forget (self->producer, (guint64) from << 32,
      ((guint64) GST_EVENT_EOS << 32) | G_MAXUINT32);
}

/* Overtakes frames and events, which may be waiting for a client. */
void
gst_shm_frame_sink_flush (GstShmFrameSink * self, GstEvent * event)
{
  gboolean start = GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START;
  guint32 seqnum = gst_event_get_seqnum (event);
  gboolean reset_time = FALSE;

  GST_DEBUG_OBJECT (self, "%" GST_PTR_FORMAT, event);
  if (!start)
    gst_event_parse_flush_stop (event, &reset_time);
  g_rw_lock_reader_lock (&self->producer_lock);
  if (self->producer != NULL) {
    gst_shm_frame_sink_forget_stream (self, GST_EVENT_SEGMENT);
    if (start)
      sf_producer_flush_start (self->producer, seqnum);
    else
      sf_producer_flush_stop (self->producer, seqnum, reset_time);
  }
  g_rw_lock_reader_unlock (&self->producer_lock);
}
