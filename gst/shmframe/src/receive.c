/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The streaming thread of shmframesrc: turns records into buffers and
 * events. */
#include <errno.h>

#include "src/gstshmframesrc.h"
#include "wire/wire.h"
#include "shared/compiler.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

/* Go on with the next record. */
#define FLOW_NEXT GST_FLOW_CUSTOM_SUCCESS

SF_HOT static GstFlowReturn
receive_frame (GstShmFrameSrc * self, const struct sf_received *in,
    GstBuffer ** buffer)
{
  const struct sf_memory_ref_mapped *parts = in->parts;
  const struct sf_memory_ref_mapped *end = parts + in->n_parts;
  GstShmFrameStamp stamp;
  GstByteReader r;

  *buffer = NULL;
  gst_byte_reader_init (&r, in->body, in->body_size);
  if (self->stream.has_caps && gst_shm_frame_wire_get_stamp (&r, &stamp)) {
    *buffer = stamp.kind == GST_SHM_FRAME_KIND_BATCH
        ? gst_shm_frame_wire_get_batch (&r, in->lease, &parts, end)
        : gst_shm_frame_wire_get_buffer (&r, in->lease, &parts, end,
        &self->stream.buffer_cache);
  }
  sf_lease_unref (in->lease);
  if (*buffer == NULL) {
    GST_ELEMENT_ERROR (self, STREAM, DECODE,
        ("The producer at %s announced a frame %s; use the same release on "
            "both sides.", self->session.path, self->stream.has_caps
            ? "that makes no sense" : "whose caps cannot be read"), (NULL));
    return GST_FLOW_ERROR;
  }
  if (self->reported.at_limit) {
    self->reported.at_limit = FALSE;
    self->reported.limit_left = g_get_monotonic_time ();
  }
  self->stream.frames_lost |= in->discont;
  self->stream.discont |= in->flushed;
  if (!self->session.keep_times
      && !gst_shm_frame_src_translate (self, *buffer, &stamp, in)) {
    GST_LOG_OBJECT (self, "outside of the producer's segment: %" GST_PTR_FORMAT,
        *buffer);
    self->stream.discont |=
        GST_BUFFER_FLAG_IS_SET (*buffer, GST_BUFFER_FLAG_DISCONT);
    gst_clear_buffer (buffer);
    return FLOW_NEXT;
  }
  if (self->stream.frames_lost || self->stream.discont)
    GST_BUFFER_FLAG_SET (*buffer, GST_BUFFER_FLAG_DISCONT);
  self->stream.discont = FALSE;
  gst_shm_frame_src_count_frame (self, &stamp, in, *buffer);
  GST_LOG_OBJECT (self, "received %" GST_PTR_FORMAT, *buffer);
  return GST_FLOW_OK;
}

static GstFlowReturn
receive_caps (GstShmFrameSrc * self, GstEvent * event)
{
  GstBaseSrc *src = GST_BASE_SRC (self);
  GstPad *pad = GST_BASE_SRC_PAD (src);
  GstCaps *caps, *current;
  gboolean same;

  gst_event_parse_caps (event, &caps);
  current = gst_pad_get_current_caps (pad);
  same = current != NULL && gst_caps_is_equal (current, caps);
  gst_clear_caps (&current);
  GST_DEBUG_OBJECT (self, "caps %" GST_PTR_FORMAT, caps);
  self->stream.has_caps = TRUE;
  if (same)
    return FLOW_NEXT;
  /* Ignore whether downstream accepts them: an element may just be stopping.
   * The pad sends them again before the next frame, and then it counts. */
  gst_pad_push_event (pad, gst_event_ref (event));
  gst_shm_frame_src_set_latency (self, NULL);
  /* Run the ALLOCATION query, which says how much downstream holds. */
  if (gst_base_src_negotiate (src))
    return FLOW_NEXT;
  return GST_PAD_IS_FLUSHING (pad) ? GST_FLOW_FLUSHING
      : GST_FLOW_NOT_NEGOTIATED;
}

static GstFlowReturn
receive_eos (GstShmFrameSrc * self, GstEvent * event)
{
  GstShmFrameEos on_eos;

  GST_OBJECT_LOCK (self);
  on_eos = self->settings.on_eos;
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "the producer's stream ended");
  if (on_eos != GST_SHM_FRAME_EOS_EOS)
    return FLOW_NEXT;
  /* If EOS belongs to the producer's SEGMENT, ours belongs to our SEGMENT. */
  self->seqnums.eos = gst_event_get_seqnum (event);
  if (self->seqnums.eos == self->seqnums.segment)
    self->seqnums.eos = self->seqnums.own_segment;
  return GST_FLOW_EOS;
}

/* Maps a group id of the other process to one that is unique here. */
static guint
own_group (GstShmFrameSrc * self, guint group)
{
  if (self->stream.own_group == GST_GROUP_ID_INVALID
      || self->stream.group != group)
    self->stream.own_group = gst_util_group_id_next ();
  self->stream.group = group;
  return self->stream.own_group;
}

static void
push_stream_start (GstShmFrameSrc * self, GstEvent * event)
{
  guint group = GST_GROUP_ID_INVALID;

  gst_event_parse_group_id (event, &group);
  event = gst_event_make_writable (event);
  gst_event_set_group_id (event, own_group (self, group));
  self->stream.has_started = TRUE;
  gst_shm_frame_src_push_own (self, event);
}

static void
push_group_done (GstShmFrameSrc * self, GstEvent * event)
{
  guint group;
  GstEvent *own;

  gst_event_parse_stream_group_done (event, &group);
  own = gst_event_new_stream_group_done (own_group (self, group));
  gst_event_set_seqnum (own, gst_event_get_seqnum (event));
  gst_pad_push_event (GST_BASE_SRC_PAD (self), own);
}

/* Pushes the GAP, with times as for a frame. */
static void
receive_gap (GstShmFrameSrc * self, GstEvent * event, guint64 capture_time)
{
  GstEvent *own = self->session.keep_times ? gst_event_ref (event)
      : gst_shm_frame_src_translate_gap (self, event, capture_time);

  if (own != NULL)
    gst_pad_push_event (GST_BASE_SRC_PAD (self), own);
}

static GstFlowReturn
receive_segment (GstShmFrameSrc * self, GstEvent * event)
{
  GstBaseSrc *src = GST_BASE_SRC (self);
  const GstSegment *segment;
  GstSegment own;
  GstEvent *sent;

  gst_event_parse_segment (event, &segment);
  self->seqnums.segment = gst_event_get_seqnum (event);
  if (self->session.keep_times) {
    if (segment->format != GST_FORMAT_TIME) {
      GST_WARNING_OBJECT (self, "ignoring a segment that is not in time");
      return FLOW_NEXT;
    }
    if (!gst_base_src_new_segment (src, segment))
      return GST_FLOW_ERROR;
  } else {
    self->times.producer_segment = *segment;
    /* Frames get our running times, in the base class's segment: one is
     * enough. */
    if (gst_shm_frame_src_has_segment (self))
      return FLOW_NEXT;
  }
  /* The base class would send it with the next frame, after events that have to
   * come after it. So send it now, and drop the base class's. */
  GST_OBJECT_LOCK (self);
  own = src->segment;
  GST_OBJECT_UNLOCK (self);
  self->stream.segment_sent = TRUE;
  sent = gst_event_new_segment (&own);
  gst_event_set_seqnum (sent, self->seqnums.segment);
  gst_shm_frame_src_push_own (self, sent);
  return FLOW_NEXT;
}

/* Whether the event is to be kept though it was sent before a flush, as a queue
 * does: nobody would send it again. */
static gboolean
survives_flush (GstEvent * event)
{
  return GST_EVENT_IS_STICKY (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_SEGMENT
      && GST_EVENT_TYPE (event) != GST_EVENT_EOS;
}

/* GStreamer logs a critical for events that come too early. */
static gboolean
is_in_order (GstShmFrameSrc * self, GstEvent * event)
{
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      return TRUE;
    case GST_EVENT_SEGMENT:
      return self->stream.has_caps;
    case GST_EVENT_GAP:
      return self->stream.has_caps && gst_shm_frame_src_has_segment (self);
    default:
      return self->stream.has_started;
  }
}

static GstFlowReturn
receive_event (GstShmFrameSrc * self, const struct sf_received *in)
{
  guint64 before = self->names.events;
  GstEvent *event = gst_shm_frame_wire_get_event (in->body, in->body_size);
  GstFlowReturn ret = FLOW_NEXT;

  if (event == NULL || !is_in_order (self, event)) {
    /* What follows does not have the caps from before. */
    if (gst_shm_frame_wire_get_event_type (in->body, in->body_size)
        == GST_EVENT_CAPS)
      self->stream.has_caps = FALSE;
    if (self->names.events == before)
      GST_WARNING_OBJECT (self, "ignoring an event that makes no sense: %"
          GST_PTR_FORMAT, event);
    gst_clear_event (&event);
    return FLOW_NEXT;
  }
  GST_LOG_OBJECT (self, "received %" GST_PTR_FORMAT, event);
  if (in->flushed && !survives_flush (event)) {
    gst_event_unref (event);
    return FLOW_NEXT;
  }
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      push_stream_start (self, gst_event_ref (event));
      break;
    case GST_EVENT_CAPS:
      ret = receive_caps (self, event);
      break;
    case GST_EVENT_SEGMENT:
      ret = receive_segment (self, event);
      break;
    case GST_EVENT_EOS:
      ret = receive_eos (self, event);
      break;
    case GST_EVENT_GAP:
      receive_gap (self, event,
          gst_shm_frame_wire_get_event_time (in->body, in->body_size));
      break;
    case GST_EVENT_STREAM_GROUP_DONE:
      push_group_done (self, event);
      break;
    default:
      if (gst_shm_frame_src_admit_sticky (self, event, in->body_size))
        gst_pad_push_event (GST_BASE_SRC_PAD (self), gst_event_ref (event));
      break;
  }
  gst_event_unref (event);
  return ret;
}

SF_HOT static GstFlowReturn
handle (GstShmFrameSrc * self, const struct sf_received *in,
    GstBuffer ** buffer)
{
  switch (in->kind) {
    case SF_RECEIVED_FRAME:
      return receive_frame (self, in, buffer);
    case SF_RECEIVED_EVENT:
      return receive_event (self, in);
    case SF_RECEIVED_CONNECTED:
      self->times.producer_segment.format = GST_FORMAT_UNDEFINED;
      gst_shm_frame_src_report_connected (self, in);
      return FLOW_NEXT;
    case SF_RECEIVED_LATENCY:
      gst_shm_frame_src_set_latency (self, &in->latency);
      return FLOW_NEXT;
    case SF_RECEIVED_WAITING:
      gst_shm_frame_src_report_waiting (self, &in->reject);
      return FLOW_NEXT;
    case SF_RECEIVED_HOLDING:
      gst_shm_frame_src_report_at_limit (self);
      return FLOW_NEXT;
    case SF_RECEIVED_DISCONNECTED:
      self->stream.discont = TRUE;
      return gst_shm_frame_src_report_disconnected (self, in);
    case SF_RECEIVED_FAILED:
      gst_shm_frame_src_report_failed (self, in);
      return GST_FLOW_ERROR;
  }
  return GST_FLOW_ERROR;
}

/* Receives one record. */
SF_HOT static GstFlowReturn
receive (GstShmFrameSrc * self, GstBuffer ** buffer)
{
  GstFlowReturn ret = FLOW_NEXT;
  struct sf_received in;
  gint r;

  gst_shm_frame_buffer_cache_fill (&self->stream.buffer_cache);
  r = sf_consumer_next (self->consumer, &in, SF_FOREVER);
  if (r == -EINTR)
    return GST_FLOW_FLUSHING;
  if (r > 0)
    ret = handle (self, &in, buffer);
  if (self->names.fields + self->names.metas + self->names.events > 0)
    gst_shm_frame_src_report_names (self);
  return ret;
}

SF_HOT GstFlowReturn
gst_shm_frame_src_create (GstPushSrc * src, GstBuffer ** buffer)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (src);
  GstFlowReturn ret = FLOW_NEXT;

  sf_store_flag (&self->watch.pushing, FALSE);
  self->seqnums.eos = GST_SEQNUM_INVALID;
  gst_shm_frame_names_use (&self->names);
  while (ret == FLOW_NEXT)
    ret = receive (self, buffer);
  gst_shm_frame_names_use (NULL);
  sf_store_flag (&self->watch.pushing, ret == GST_FLOW_OK);
  /* After an error, too, the base class sends EOS. */
  if (ret == GST_FLOW_ERROR
      || (ret == GST_FLOW_EOS && self->seqnums.eos == GST_SEQNUM_INVALID))
    self->seqnums.eos = self->seqnums.own_segment;
  self->stream.failed = ret == GST_FLOW_ERROR;
  return ret;
}
