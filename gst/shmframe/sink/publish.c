/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes frames and batches. */
#include <errno.h>

#include "shared/clock.h"
#include "gstsecondbatchmeta.h"
#include "memory/pool.h"
#include "sink/gstshmframesink.h"
#include "wire/wire.h"
#include "shared/compiler.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* Leaves out a buffer at the end of the stream. */
static GstFlowReturn
skip_buffer (GstShmFrameSink * self)
{
  self->end.skipped++;
  GST_OBJECT_LOCK (self);
  self->counts.dropped_no_slot++;
  GST_OBJECT_UNLOCK (self);
  return GST_FLOW_OK;
}

SF_HOT guint64
gst_shm_frame_sink_capture_time (GstShmFrameSink * self, GstClockTime pts)
{
  GstBaseSink *sink = GST_BASE_SINK (self);
  guint64 running_time;
  gint64 base;
  gint sign;

  if (sink->segment.format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID (pts)
      || !gst_shm_frame_clock_get_base (&self->stream.clock, GST_ELEMENT (self),
          &base))
    return GST_CLOCK_TIME_NONE;
  sign = gst_segment_to_running_time_full (&sink->segment, GST_FORMAT_TIME,
      pts, &running_time);
  if (sign == 0)
    return GST_CLOCK_TIME_NONE;
  return base + sign * (gint64) running_time;
}

/* sf_release; `user` is the buffer. */
static void
release_buffer (void *user)
{
  gst_buffer_unref (user);
}

/* Writes the record's body. FALSE if it is too large, or if the caps of a
 * stream of the batch cannot be serialized. */
static gboolean
serialize (GstShmFrameSink * self, GstBuffer * buffer,
    const GstShmFrameStamp * stamp, struct sf_publish_args *pub)
{
  guint n_parts = self->stream.is_batch
      ? gst_shm_frame_batch_count_parts (buffer)
      : gst_buffer_n_memory (buffer);
  GstByteWriter w;
  gboolean ok;

  if (n_parts > SF_MAX_MEMORY_REFS)
    return FALSE;
  self->record.unserializable.field = NULL;
  gst_byte_writer_init_with_data (&w, self->record.body,
      GST_SHM_FRAME_MAX_BODY_SIZE (n_parts), FALSE);
  g_array_set_size (self->record.parts, 0);
  gst_shm_frame_wire_put_stamp (&w, stamp);
  ok = self->stream.is_batch
      ? gst_shm_frame_wire_put_batch (&w, self->record.parts, buffer,
      &self->record.unserializable)
      : gst_shm_frame_wire_put_buffer (&w, self->record.parts, buffer,
      G_MAXUINT, &self->record.unserializable);
  if (!ok)
    return FALSE;
  pub->parts = (struct sf_memory_ref *) self->record.parts->data;
  pub->n_parts = self->record.parts->len;
  pub->body = self->record.body;
  pub->body_size = gst_byte_writer_get_pos (&w);
  if (!self->stream.is_batch && self->record.unserializable.metas == 0)
    gst_shm_frame_record_template_capture (&self->record.template, buffer,
        pub->body, pub->body_size);
  return TRUE;
}

static void
count_published (GstShmFrameSink * self, const struct sf_publish_args *pub)
{
  guint64 bytes = 0, frames;

  for (guint i = 0; i < pub->n_parts; i++)
    bytes += pub->parts[i].size;
  GST_OBJECT_LOCK (self);
  frames = ++self->counts.frames;
  self->counts.bytes += bytes;
  self->counts.metas_dropped += self->record.unserializable.metas;
  GST_OBJECT_UNLOCK (self);
  self->record.unserializable.metas = 0;
  GST_LOG_OBJECT (self, "published %s %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT
      " bytes in %u memories", self->stream.is_batch ? "batch" : "frame",
      frames, bytes, pub->n_parts);
}

/* `only` is the buffer's memory if it has just one, else NULL. FALSE as of
 * serialize(). */
SF_HOT static gboolean
make_publish_args (GstShmFrameSink * self, GstBuffer * buffer,
    const struct sf_memory_ref *only, gboolean pooled,
    struct sf_publish_args *pub)
{
  GstShmFrameStamp stamp = {
    .kind = self->stream.is_batch ? GST_SHM_FRAME_KIND_BATCH
        : GST_SHM_FRAME_KIND_BUFFER,
    .capture_time = gst_shm_frame_sink_capture_time (self,
        GST_BUFFER_PTS (buffer)),
    .publish_time = sf_now (),
  };

  *pub = (struct sf_publish_args) {
    .parts = only,
    .n_parts = 1,
    .body = self->record.template.body,
    .body_size = self->record.template.body_size,
    .release = release_buffer,
    .user = buffer,
    .pooled = pooled,
  };
  return (only != NULL
      && gst_shm_frame_record_template_apply (&self->record.template, buffer,
          only->size, &stamp)) || serialize (self, buffer, &stamp, pub);
}

static GstFlowReturn
post_publish_error (GstShmFrameSink * self, gint error)
{
  if (self->record.unserializable.field != NULL)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("The caps of a stream of this batch cannot be sent to other "
            "processes: their field %s is of type %s; leave it out "
            "(capssetter), or make it an int or a string.",
            self->record.unserializable.field,
            self->record.unserializable.field_type), (NULL));
  else if (error == -EMSGSIZE)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("What is to be said of this batch takes more than %u bytes, even "
            "without metas; batch fewer streams or shorter windows.",
            SF_MAX_FRAME_PAYLOAD), (NULL));
  else
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("Cannot announce this buffer: %s.", g_strerror (-error)), (NULL));
  return GST_FLOW_ERROR;
}

/* Publishes a buffer whose memories all lie in slots; `only` as above. Takes
 * the buffer. */
static GstFlowReturn
publish (GstShmFrameSink * self, GstBuffer * buffer,
    const struct sf_memory_ref *only, gboolean pooled)
{
  struct sf_publish_args pub;
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean wait = FALSE;
  gint r = -EMSGSIZE;

  if (make_publish_args (self, buffer, only, pooled, &pub)) {
    do {
      guint64 token = sf_producer_token (self->producer);

      r = sf_producer_publish (self->producer, &pub);
      if (r == -ENOBUFS && g_atomic_int_get (&self->flags.lossless))
        r = -EAGAIN;
      wait = r == -EAGAIN || r == -ENOTCONN;
      if (wait)
        ret = gst_shm_frame_sink_wait_to_publish (self, r, token);
    } while (wait && ret == GST_FLOW_OK);
  }
  if (r == 0) {
    count_published (self, &pub);
    return GST_FLOW_OK;
  }
  if (ret == GST_FLOW_OK)
    ret = r == -ENOBUFS ? gst_shm_frame_sink_drop (self, buffer)
        : post_publish_error (self, r);
  self->record.unserializable.metas = 0;
  gst_buffer_unref (buffer);
  return ret;
}

/* Whether upstream may at some point wait for what clients return: then collect
 * returns at once, not with the next frame. Our own pool does so when it waits;
 * another pool, or another producer's leases or slots, may run out. */
SF_HOT static gboolean
is_awaited (GstShmFrameSink * self, GstBuffer * buffer,
    const struct sf_memory_ref *first)
{
  return (buffer->pool != NULL && !GST_IS_SHM_FRAME_POOL (buffer->pool))
      || !sf_slots_own (sf_producer_slots (self->producer), first->segment);
}

/* Whether the buffer is not empty and lies in slots; then sets its first
 * memory, and how many it has. */
SF_HOT static gboolean
is_in_slots (GstBuffer * buffer, struct sf_memory_ref *first, guint * n)
{
  *n = gst_buffer_n_memory (buffer);
  if (*n == 0
      || !gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, 0),
          first))
    return FALSE;
  return *n == 1 ? first->size > 0 : gst_shm_frame_wire_is_shared (buffer)
      && gst_buffer_get_size (buffer) > 0;
}

static GstFlowReturn
render_frame (GstShmFrameSink * self, GstBuffer * buffer)
{
  struct sf_memory_ref first;
  GstBuffer *copy;
  GstFlowReturn ret;
  guint n;

  if (gst_buffer_get_size (buffer) == 0) {
    GST_DEBUG_OBJECT (self, "nothing in %" GST_PTR_FORMAT, buffer);
    return GST_FLOW_OK;
  }
  if (is_in_slots (buffer, &first, &n))
    return publish (self, gst_buffer_ref (buffer), n == 1 ? &first : NULL,
        is_awaited (self, buffer, &first));
  ret = gst_shm_frame_sink_copy_frame (self, buffer, &copy);
  if (ret == GST_FLOW_CUSTOM_SUCCESS)
    return gst_shm_frame_sink_drop (self, buffer);
  return ret == GST_FLOW_OK ? publish (self, copy, NULL, FALSE) : ret;
}

/* Publishes a batch. Frames made in this process are copied, once. */
static GstFlowReturn
render_batch (GstShmFrameSink * self, GstBuffer * batch)
{
  GstBuffer *copy;
  GstFlowReturn ret = gst_shm_frame_sink_check_batch (self, batch)
      ? gst_shm_frame_sink_make_batch_slots (self, batch) : GST_FLOW_ERROR;

  if (ret != GST_FLOW_OK)
    return ret;
  if (gst_shm_frame_sink_batch_is_shared (batch)) {
    /* At EOS, or after a wait, batches come in a burst. */
    sf_producer_wait_for_live (self->producer);
    return publish (self, gst_buffer_ref (batch), NULL, TRUE);
  }
  ret = gst_shm_frame_sink_copy_batch (self, batch, &copy);
  if (ret == GST_FLOW_CUSTOM_SUCCESS)
    return gst_shm_frame_sink_drop (self, batch);
  return ret == GST_FLOW_OK ? publish (self, copy, NULL, FALSE) : ret;
}

SF_HOT gboolean
gst_shm_frame_sink_publish_now (GstShmFrameSink * self, GstBuffer * buffer)
{
  struct sf_publish_args pub;
  struct sf_memory_ref first;
  gboolean published;
  guint n;

  if (!is_in_slots (buffer, &first, &n))
    return FALSE;
  gst_buffer_ref (buffer);
  published = make_publish_args (self, buffer, n == 1 ? &first : NULL,
      is_awaited (self, buffer, &first), &pub)
      && sf_producer_publish (self->producer, &pub) == 0;
  if (published) {
    count_published (self, &pub);
    return TRUE;
  }
  gst_buffer_unref (buffer);
  /* render() tries again, and counts them then. */
  self->record.unserializable.metas = 0;
  return FALSE;
}

SF_HOT GstFlowReturn
gst_shm_frame_sink_render (GstBaseSink * sink, GstBuffer * buffer)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (sink);
  GstFlowReturn ret;

  if (self->stream.is_published)
    return GST_FLOW_OK;
  /* Once one is left out, leave out the rest: a stream has no hole. */
  if (self->end.skipped > 0)
    return skip_buffer (self);
  ret = self->stream.is_batch ? render_batch (self, buffer)
      : render_frame (self, buffer);
  return ret == GST_FLOW_EOS ? skip_buffer (self) : ret;
}
