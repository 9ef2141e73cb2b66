/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers queries from downstream, and sends its events to the producer. */
#include <errno.h>
#include <gst/video/video.h>
#include <string.h>

#include "src/gstshmframesrc.h"
#include "wire/wire.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

/* How long handing a frame over may take on a busy machine. */
#define HANDOVER_LATENCY (20 * GST_MSECOND)
/* No pipeline has more, and sums of more could overflow. */
#define MAX_LATENCY (3600 * GST_SECOND)

/* How long a frame or batch lasts; NONE if the caps do not say. */
static GstClockTime
frame_duration (GstShmFrameSrc * self)
{
  GstCaps *caps = gst_pad_get_current_caps (GST_BASE_SRC_PAD (self));
  const GstStructure *s = caps != NULL ? gst_caps_get_structure (caps, 0)
      : NULL;
  guint64 duration = GST_CLOCK_TIME_NONE;
  gint n, d;

  if (s != NULL && gst_structure_get_fraction (s, "framerate", &n, &d)
      && n > 0 && d > 0)
    duration = gst_util_uint64_scale_int (GST_SECOND, d, n);
  else if (s != NULL
      && !gst_structure_get_uint64 (s, "batch-duration", &duration))
    duration = GST_CLOCK_TIME_NONE;
  gst_clear_caps (&caps);
  return duration;
}

/* Like a queue, the source holds what downstream does not take yet: as much
 * time as max-held frames last, or any if max-held is 0. */
static void
get_latency (GstShmFrameSrc * self, guint64 * min, guint64 * max)
{
  GstClockTime each = frame_duration (self);
  struct sf_latency theirs;
  guint max_held;

  GST_OBJECT_LOCK (self);
  theirs = self->status.latency;
  max_held = self->settings.max_held;
  GST_OBJECT_UNLOCK (self);
  *min = MIN (theirs.min, MAX_LATENCY) + HANDOVER_LATENCY;
  *max = GST_CLOCK_TIME_NONE;
  if (theirs.live && theirs.max <= G_MAXINT64 && max_held > 0
      && each <= MAX_LATENCY)
    *max = MAX (theirs.max + HANDOVER_LATENCY, *min + max_held * each);
}

static gboolean
answer_latency (GstShmFrameSrc * self, GstQuery * query)
{
  gboolean live = gst_base_src_is_live (GST_BASE_SRC (self));
  guint64 min = 0, max = GST_CLOCK_TIME_NONE;

  if (live)
    get_latency (self, &min, &max);
  gst_query_set_latency (query, live, min, max);
  return TRUE;
}

void
gst_shm_frame_src_reset_latency (GstShmFrameSrc * self)
{
  GST_OBJECT_LOCK (self);
  memset (&self->status.latency, 0, sizeof (self->status.latency));
  GST_OBJECT_UNLOCK (self);
  get_latency (self, &self->stream.latency_min, &self->stream.latency_max);
}

void
gst_shm_frame_src_set_latency (GstShmFrameSrc * self,
    const struct sf_latency *latency)
{
  guint64 min, max;
  gboolean changed;

  if (latency != NULL) {
    GST_OBJECT_LOCK (self);
    self->status.latency = *latency;
    GST_OBJECT_UNLOCK (self);
    GST_DEBUG_OBJECT (self, "the producer is %slive, serves us %s, latency %"
        GST_TIME_FORMAT, latency->live ? "" : "not ",
        latency->lossless ? "lossless" : "live", GST_TIME_ARGS (latency->min));
  }
  get_latency (self, &min, &max);
  changed = self->stream.latency_min != min || self->stream.latency_max != max;
  self->stream.latency_min = min;
  self->stream.latency_max = max;
  if (changed && gst_base_src_is_live (GST_BASE_SRC (self)))
    gst_element_post_message (GST_ELEMENT (self),
        gst_message_new_latency (GST_OBJECT (self)));
}

/* The stream time of the last frame: with timestamps=keep where the producer
 * is, else, as for a camera, how long this pipeline has been running. */
static gboolean
answer_position (GstShmFrameSrc * self, GstQuery * query)
{
  guint64 position;
  GstFormat format;

  gst_query_parse_position (query, &format, NULL);
  GST_OBJECT_LOCK (self);
  position = gst_segment_to_stream_time (&GST_BASE_SRC (self)->segment,
      GST_FORMAT_TIME, self->status.position);
  GST_OBJECT_UNLOCK (self);
  if (format != GST_FORMAT_TIME || position == GST_CLOCK_TIME_NONE)
    return FALSE;
  gst_query_set_position (query, format, (gint64) position);
  return TRUE;
}

/* A file has a duration, if its producer says so in the segment; a camera has
 * none. */
static gboolean
answer_duration (GstShmFrameSrc * self, GstQuery * query)
{
  guint64 duration;
  GstFormat format;

  gst_query_parse_duration (query, &format, NULL);
  GST_OBJECT_LOCK (self);
  duration = self->session.keep_times ? GST_BASE_SRC (self)->segment.duration
      : GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);
  if (format != GST_FORMAT_TIME || duration == GST_CLOCK_TIME_NONE)
    return FALSE;
  gst_query_set_duration (query, format, (gint64) duration);
  return TRUE;
}

/* Converts between frames, bytes and time, as the caps say. */
static gboolean
answer_convert (GstShmFrameSrc * self, GstQuery * query)
{
  GstCaps *caps = gst_pad_get_current_caps (GST_BASE_SRC_PAD (self));
  GstFormat from, to;
  gint64 value, result;
  GstVideoInfo info;
  gboolean ok;

  gst_query_parse_convert (query, &from, &value, &to, NULL);
  ok = caps != NULL && gst_structure_has_name (gst_caps_get_structure (caps,
          0), "video/x-raw") && gst_video_info_from_caps (&info, caps)
      && gst_video_info_convert (&info, from, value, to, &result);
  if (ok)
    gst_query_set_convert (query, from, value, to, result);
  gst_clear_caps (&caps);
  return ok;
}

static gboolean
chain_up_query (GstBaseSrc * src, GstQuery * query)
{
  GstBaseSrcClass *parent_class = GST_SHM_FRAME_SRC_PARENT_CLASS;

  return parent_class->query (src, query);
}

gboolean
gst_shm_frame_src_query (GstBaseSrc * src, GstQuery * query)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (src);
  GstFormat format;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_LATENCY:
      return answer_latency (self, query);
    case GST_QUERY_POSITION:
      return answer_position (self, query);
    case GST_QUERY_DURATION:
      return answer_duration (self, query);
    case GST_QUERY_CONVERT:
      return answer_convert (self, query)
          || chain_up_query (src, query);
    case GST_QUERY_SEEKING:
      /* One client must not seek for all others. */
      gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
      gst_query_set_seeking (query, format, FALSE, 0, -1);
      return TRUE;
    default:
      return chain_up_query (src, query);
  }
}

/* Converts the timestamp of a QOS event, a running time of this pipeline, to
 * one that the producer's pipeline can use. */
static guint64
get_qos_capture_time (GstShmFrameSrc * self, GstEvent * event)
{
  GstClockTime timestamp;
  GstShmFrameClock clock = { 0 };
  gboolean known;
  gint64 base;

  if (self->session.keep_times || GST_EVENT_TYPE (event) != GST_EVENT_QOS)
    return GST_CLOCK_TIME_NONE;
  gst_event_parse_qos (event, NULL, NULL, NULL, &timestamp);
  /* Not times.clock: this is no streaming thread of ours. */
  known = gst_shm_frame_clock_get_base (&clock, GST_ELEMENT (self), &base);
  gst_shm_frame_clock_clear (&clock);
  return known ? timestamp + base : GST_CLOCK_TIME_NONE;
}

static gboolean
crosses_upstream (GstEvent * event)
{
  return GST_EVENT_TYPE (event) == GST_EVENT_QOS
      || GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE
      || GST_EVENT_TYPE (event) == GST_EVENT_NAVIGATION
      || GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM;
}

static gboolean
send_upstream (GstShmFrameSrc * self, GstEvent * event)
{
  guint8 data[SF_UPSTREAM_MAX];
  GstShmFrameUnserializable unserializable;
  GstByteWriter w;
  gint r = -EMSGSIZE;

  gst_shm_frame_unserializable_init (&unserializable, GST_OBJECT (self));
  gst_byte_writer_init_with_data (&w, data, sizeof (data), FALSE);
  if (gst_shm_frame_wire_put_upstream (&w, event,
          get_qos_capture_time (self, event), &unserializable)) {
    r = -ENOTCONN;
    g_rw_lock_reader_lock (&self->consumer_lock);
    if (self->consumer != NULL)
      r = sf_consumer_send_upstream (self->consumer, data,
          gst_byte_writer_get_pos (&w));
    g_rw_lock_reader_unlock (&self->consumer_lock);
  }
  gst_shm_frame_unserializable_clear (&unserializable);
  if (r < 0)
    GST_DEBUG_OBJECT (self, "not sent to the producer (%s): %" GST_PTR_FORMAT,
        g_strerror (-r), event);
  return r == 0;
}

gboolean
gst_shm_frame_src_event (GstBaseSrc * src, GstEvent * event)
{
  GstBaseSrcClass *parent_class = GST_SHM_FRAME_SRC_PARENT_CLASS;
  gboolean sent = crosses_upstream (event)
      && send_upstream (GST_SHM_FRAME_SRC (src), event);

  /* The base class has to see some of them, too. */
  return parent_class->event (src, event) || sent;
}
