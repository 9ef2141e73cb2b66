/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstshmframewire.h"

#include "gstshmframemetawire.h"

/* Of CLOCK_MONOTONIC: what is added to it overflows nowhere. */
static gboolean
is_time (guint64 time)
{
  return time < G_MAXINT64 / 4;
}

void
gst_shm_frame_wire_put_stamp (GstByteWriter * w, const GstShmFrameStamp * stamp)
{
  gst_byte_writer_put_uint32_le (w, stamp->kind);
  gst_byte_writer_put_uint64_le (w, is_time (stamp->capture_time)
      ? stamp->capture_time : GST_CLOCK_TIME_NONE);
  gst_byte_writer_put_uint64_le (w, stamp->publish_time);
}

gboolean
gst_shm_frame_wire_get_stamp (GstByteReader * r, GstShmFrameStamp * stamp)
{
  return gst_byte_reader_get_uint32_le (r, &stamp->kind)
      && gst_byte_reader_get_uint64_le (r, &stamp->capture_time)
      && gst_byte_reader_get_uint64_le (r, &stamp->publish_time)
      && (stamp->capture_time == GST_CLOCK_TIME_NONE
      || is_time (stamp->capture_time))
      && is_time (stamp->publish_time)
      && (stamp->kind == GST_SHM_FRAME_KIND_BUFFER
      || stamp->kind == GST_SHM_FRAME_KIND_BATCH);
}

/* Flags that say something of this process's memory, not of the frame. */
#define LOCAL_FLAGS GST_BUFFER_FLAG_TAG_MEMORY

gboolean
gst_shm_frame_wire_put_buffer (GstByteWriter * w, GArray * parts,
    GstBuffer * buffer, GstShmFrameLosses * losses)
{
  guint n = gst_buffer_n_memory (buffer);

  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++) {
    struct sf_part part;

    if (!gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, i),
            &part))
      return FALSE;
    g_array_append_val (parts, part);
  }
  gst_byte_writer_put_uint32_le (w, GST_BUFFER_FLAGS (buffer) & ~LOCAL_FLAGS);
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_PTS (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_DTS (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_DURATION (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_OFFSET (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_OFFSET_END (buffer));
  gst_shm_frame_wire_put_metas (w, buffer, losses);
  return gst_shm_frame_wire_is_complete (w);
}

GstBuffer *
gst_shm_frame_wire_get_buffer (GstByteReader * r, struct sf_lease * lease,
    const struct sf_incoming_part ** parts, const struct sf_incoming_part * end)
{
  GstBuffer *buffer;
  guint32 n, flags = 0;

  if (!gst_byte_reader_get_uint32_le (r, &n)
      || n > gst_buffer_get_max_memory () || n > (gsize) (end - *parts))
    return NULL;
  buffer = gst_buffer_new ();
  for (guint i = 0; i < n; i++)
    gst_buffer_append_memory (buffer,
        gst_shm_frame_memory_new_part ((*parts)++, lease));
  if (!gst_byte_reader_get_uint32_le (r, &flags)
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_PTS (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_DTS (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_DURATION (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_OFFSET (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_OFFSET_END (buffer))
      || !gst_shm_frame_wire_get_metas (r, buffer)) {
    gst_buffer_unref (buffer);
    return NULL;
  }
  /* Set by adding the memories, which is not tampering. */
  GST_BUFFER_FLAG_UNSET (buffer, LOCAL_FLAGS);
  /* The low bits are the mini object's own. */
  GST_BUFFER_FLAGS (buffer) |= flags & ~((GST_MINI_OBJECT_FLAG_LAST - 1)
      | LOCAL_FLAGS);
  return buffer;
}

gboolean
gst_shm_frame_wire_is_shared (GstBuffer * buffer)
{
  guint n = gst_buffer_n_memory (buffer);
  struct sf_part part;

  for (guint i = 0; i < n; i++)
    if (!gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, i),
            &part))
      return FALSE;
  return n > 0;
}
