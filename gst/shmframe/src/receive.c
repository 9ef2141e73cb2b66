/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The streaming thread of shmframesrc: records to buffers and events. */
#include <errno.h>

#include "src/gstshmframesrc.h"
#include "wire/wire.h"
#include "shared/compiler.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

/* create() goes on with the next record. */
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
  if (self->has_caps && gst_shm_frame_wire_get_stamp (&r, &stamp)) {
    *buffer = stamp.kind == GST_SHM_FRAME_KIND_BATCH
        ? gst_shm_frame_wire_get_batch (&r, in->lease, &parts, end)
        : gst_shm_frame_wire_get_buffer (&r, in->lease, &parts, end,
        &self->buffer_cache);
  }
  sf_lease_unref (in->lease);
  if (*buffer == NULL) {
    GST_ELEMENT_ERROR (self, STREAM, DECODE,
        ("The producer at %s announced a frame %s; use the same release on "
            "both sides.", self->path, self->has_caps ? "that makes no sense"
            : "whose caps cannot be read"), (NULL));
    return GST_FLOW_ERROR;
  }
  if (self->holding) {
    self->holding = FALSE;
    self->held_until = g_get_monotonic_time ();
  }
  self->lost |= in->discont;
  self->discont |= in->flushed;
  if (!self->keep && !gst_shm_frame_src_translate (self, *buffer, &stamp, in)) {
    GST_LOG_OBJECT (self, "outside of the producer's segment: %"
        GST_PTR_FORMAT, *buffer);
    self->discont |= GST_BUFFER_FLAG_IS_SET (*buffer, GST_BUFFER_FLAG_DISCONT);
    gst_clear_buffer (buffer);
    return FLOW_NEXT;
  }
  if (self->lost || self->discont)
    GST_BUFFER_FLAG_SET (*buffer, GST_BUFFER_FLAG_DISCONT);
  self->discont = FALSE;
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
  self->has_caps = TRUE;
  if (same)
    return FLOW_NEXT;
  /* Whether downstream takes them shows with the next frame, which they go in
   * front of again. Until then they may just have met somebody who stops. */
  gst_pad_push_event (pad, gst_event_ref (event));
  gst_shm_frame_src_set_latency (self, NULL);
  /* Runs the ALLOCATION query, which tells what downstream holds. */
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
  on_eos = self->on_eos;
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "the producer's stream ended");
  if (on_eos != GST_SHM_FRAME_EOS_EOS)
    return FLOW_NEXT;
  /* The end of what its SEGMENT began is the end of what ours did. */
  self->eos_seqnum = gst_event_get_seqnum (event);
  if (self->eos_seqnum == self->segment_seqnum)
    self->eos_seqnum = self->own_segment_seqnum;
  return GST_FLOW_EOS;
}

/* A group is a number of the other process; what is one there is one here. */
static guint
own_group (GstShmFrameSrc * self, guint group)
{
  if (self->own_group == GST_GROUP_ID_INVALID || self->group != group)
    self->own_group = gst_util_group_id_next ();
  self->group = group;
  return self->own_group;
}

static void
push_stream_start (GstShmFrameSrc * self, GstEvent * event)
{
  guint group = GST_GROUP_ID_INVALID;

  gst_event_parse_group_id (event, &group);
  event = gst_event_make_writable (event);
  gst_event_set_group_id (event, own_group (self, group));
  self->has_started = TRUE;
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

/* Like a frame of that time. */
static void
receive_gap (GstShmFrameSrc * self, GstEvent * event, guint64 capture_time)
{
  GstEvent *own = self->keep ? gst_event_ref (event)
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
  self->segment_seqnum = gst_event_get_seqnum (event);
  if (self->keep) {
    if (segment->format != GST_FORMAT_TIME) {
      GST_WARNING_OBJECT (self, "passing over a segment that is not in time");
      return FLOW_NEXT;
    }
    if (!gst_base_src_new_segment (src, segment))
      return GST_FLOW_ERROR;
  } else {
    self->theirs = *segment;
    /* Running times are our own: so is the segment, the base class's. */
    if (gst_shm_frame_src_has_segment (self))
      return FLOW_NEXT;
  }
  /* The base class sends it with the next frame, behind events that belong
   * behind it. So it goes now, and the other is dropped when it comes. */
  GST_OBJECT_LOCK (self);
  own = src->segment;
  GST_OBJECT_UNLOCK (self);
  self->segment_sent = TRUE;
  sent = gst_event_new_segment (&own);
  gst_event_set_seqnum (sent, self->segment_seqnum);
  gst_shm_frame_src_push_own (self, sent);
  return FLOW_NEXT;
}

/* Of what a flush voids, a queue keeps this: nobody would say it again. */
static gboolean
outlives_flush (GstEvent * event)
{
  return GST_EVENT_IS_STICKY (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_SEGMENT
      && GST_EVENT_TYPE (event) != GST_EVENT_EOS;
}

/* GStreamer takes what comes too early for a mistake of the programmer's. */
static gboolean
is_in_place (GstShmFrameSrc * self, GstEvent * event)
{
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      return TRUE;
    case GST_EVENT_SEGMENT:
      return self->has_caps;
    case GST_EVENT_GAP:
      return self->has_caps && gst_shm_frame_src_has_segment (self);
    default:
      return self->has_started;
  }
}

static GstFlowReturn
receive_event (GstShmFrameSrc * self, const struct sf_received *in)
{
  guint64 before = self->names.events;
  GstEvent *event = gst_shm_frame_wire_get_event (in->body, in->body_size);
  GstFlowReturn ret = FLOW_NEXT;

  if (event == NULL || !is_in_place (self, event)) {
    /* What comes behind is not of the caps before. */
    if (gst_shm_frame_wire_get_event_type (in->body, in->body_size)
        == GST_EVENT_CAPS)
      self->has_caps = FALSE;
    if (self->names.events == before)
      GST_WARNING_OBJECT (self, "passing over an event that makes no sense: %"
          GST_PTR_FORMAT, event);
    gst_clear_event (&event);
    return FLOW_NEXT;
  }
  GST_LOG_OBJECT (self, "received %" GST_PTR_FORMAT, event);
  if (in->flushed && !outlives_flush (event)) {
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
      if (gst_shm_frame_src_may_keep (self, event, in->body_size))
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
      self->theirs.format = GST_FORMAT_UNDEFINED;
      gst_shm_frame_src_tell_connected (self, in);
      return FLOW_NEXT;
    case SF_RECEIVED_LATENCY:
      gst_shm_frame_src_set_latency (self, &in->latency);
      return FLOW_NEXT;
    case SF_RECEIVED_WAITING:
      gst_shm_frame_src_tell_waiting (self, &in->reject);
      return FLOW_NEXT;
    case SF_RECEIVED_HOLDING:
      gst_shm_frame_src_tell_holding (self);
      return FLOW_NEXT;
    case SF_RECEIVED_DISCONNECTED:
      self->discont = TRUE;
      return gst_shm_frame_src_tell_disconnected (self, in);
    case SF_RECEIVED_FAILED:
      gst_shm_frame_src_tell_failed (self, in);
      return GST_FLOW_ERROR;
  }
  return GST_FLOW_ERROR;
}

/* The next record. */
SF_HOT static GstFlowReturn
receive (GstShmFrameSrc * self, GstBuffer ** buffer)
{
  GstFlowReturn ret = FLOW_NEXT;
  struct sf_received in;
  gint r;

  gst_shm_frame_buffer_cache_fill (&self->buffer_cache);
  r = sf_consumer_next (self->consumer, &in, SF_FOREVER);
  if (r == -EINTR)
    return GST_FLOW_FLUSHING;
  if (r > 0)
    ret = handle (self, &in, buffer);
  if (self->names.fields + self->names.metas + self->names.events > 0)
    gst_shm_frame_src_tell_names (self);
  return ret;
}

SF_HOT GstFlowReturn
gst_shm_frame_src_create (GstPushSrc * src, GstBuffer ** buffer)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (src);
  GstFlowReturn ret = FLOW_NEXT;

  sf_store_flag (&self->pushing, FALSE);
  self->eos_seqnum = GST_SEQNUM_INVALID;
  gst_shm_frame_names_use (&self->names);
  while (ret == FLOW_NEXT)
    ret = receive (self, buffer);
  gst_shm_frame_names_use (NULL);
  sf_store_flag (&self->pushing, ret == GST_FLOW_OK);
  /* Of an error, too, the base class makes an end of the stream. */
  if (ret == GST_FLOW_ERROR
      || (ret == GST_FLOW_EOS && self->eos_seqnum == GST_SEQNUM_INVALID))
    self->eos_seqnum = self->own_segment_seqnum;
  self->failed = ret == GST_FLOW_ERROR;
  return ret;
}
