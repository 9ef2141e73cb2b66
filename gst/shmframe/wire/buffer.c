/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/wire.h"

#include <string.h>

#include "memory/part-pool.h"
#include "wire/meta.h"
#include "shared/compiler.h"

/* Whether this can be a time of CLOCK_MONOTONIC: sums with it do not
 * overflow. */
static gboolean
is_time (guint64 time)
{
  return time < G_MAXINT64 / 4;
}

#define STAMP_SIZE 20
/* The fields before the metas. Of these, only the number of memories is the
 * same for the next frame. */
#define HEAD_SIZE 48

SF_HOT static void
write_stamp (guint8 * at, const GstShmFrameStamp * stamp)
{
  GST_WRITE_UINT32_LE (at, stamp->kind);
  GST_WRITE_UINT64_LE (at + 4, is_time (stamp->capture_time)
      ? stamp->capture_time : GST_CLOCK_TIME_NONE);
  GST_WRITE_UINT64_LE (at + 12, stamp->publish_time);
}

void
gst_shm_frame_wire_put_stamp (GstByteWriter * w, const GstShmFrameStamp * stamp)
{
  guint8 bytes[STAMP_SIZE];

  write_stamp (bytes, stamp);
  gst_byte_writer_put_data (w, bytes, sizeof (bytes));
}

SF_HOT gboolean
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

/* Flags about this process's memory, not about the frame. */
#define LOCAL_FLAGS GST_BUFFER_FLAG_TAG_MEMORY

SF_HOT static void
write_head (guint8 * at, GstBuffer * buffer, guint n)
{
  GST_WRITE_UINT32_LE (at, n);
  GST_WRITE_UINT32_LE (at + 4, GST_BUFFER_FLAGS (buffer) & ~LOCAL_FLAGS);
  GST_WRITE_UINT64_LE (at + 8, GST_BUFFER_PTS (buffer));
  GST_WRITE_UINT64_LE (at + 16, GST_BUFFER_DTS (buffer));
  GST_WRITE_UINT64_LE (at + 24, GST_BUFFER_DURATION (buffer));
  GST_WRITE_UINT64_LE (at + 32, GST_BUFFER_OFFSET (buffer));
  GST_WRITE_UINT64_LE (at + 40, GST_BUFFER_OFFSET_END (buffer));
}

gboolean
gst_shm_frame_wire_put_buffer (GstByteWriter * w, GArray * parts,
    GstBuffer * buffer, guint meta_budget,
    GstShmFrameUnserializable * unserializable)
{
  guint n = gst_buffer_n_memory (buffer);
  guint8 head[HEAD_SIZE];

  for (guint i = 0; i < n; i++) {
    struct sf_memory_ref part;

    if (!gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, i),
            &part))
      return FALSE;
    g_array_append_val (parts, part);
  }
  write_head (head, buffer, n);
  gst_byte_writer_put_data (w, head, sizeof (head));
  gst_shm_frame_wire_put_metas (w, buffer, meta_budget, unserializable);
  return gst_shm_frame_wire_is_complete (w);
}

void
gst_shm_frame_record_template_capture (GstShmFrameRecordTemplate * self,
    GstBuffer * buffer, const guint8 * body, guint body_size)
{
  self->body_size = 0;
  if (gst_buffer_n_memory (buffer) != 1 || body_size > sizeof (self->body)
      || !gst_shm_frame_only_meta_capture (&self->meta, buffer))
    return;
  self->size = gst_buffer_get_size (buffer);
  memcpy (self->body, body, body_size);
  self->body_size = body_size;
}

SF_HOT gboolean
gst_shm_frame_record_template_apply (GstShmFrameRecordTemplate * self,
    GstBuffer * buffer, gsize size, const GstShmFrameStamp * stamp)
{
  if (self->body_size == 0 || size != self->size
      || !gst_shm_frame_only_meta_matches (&self->meta, buffer))
    return FALSE;
  write_stamp (self->body, stamp);
  write_head (self->body + STAMP_SIZE, buffer, 1);
  return TRUE;
}

/* A buffer for a frame like the last one. NULL: its metas cannot be made. */
static GstBuffer *
make_alike (GstShmFrameBufferCache * self)
{
  GstBuffer *buffer = gst_buffer_new ();
  GstByteReader r;

  gst_buffer_append_memory (buffer, gst_shm_frame_memory_new_part (self->size));
  gst_byte_reader_init (&r, self->metas, self->metas_size);
  if (!gst_shm_frame_wire_get_metas (&r, buffer))
    gst_clear_buffer (&buffer);
  return buffer;
}

SF_HOT void
gst_shm_frame_buffer_cache_fill (GstShmFrameBufferCache * self)
{
  if (self->buffer != NULL || !self->alike)
    return;
  if (self->pool != NULL) {
    gst_buffer_pool_acquire_buffer (self->pool, &self->buffer, NULL);
    return;
  }
  self->buffer = make_alike (self);
  if (self->buffer != NULL)
    self->pool = gst_shm_frame_part_pool_new (self->buffer);
  else
    self->alike = FALSE;
}

void
gst_shm_frame_buffer_cache_clear (GstShmFrameBufferCache * self)
{
  gst_clear_buffer (&self->buffer);
  gst_clear_object (&self->pool);
  self->alike = FALSE;
}

/* NULL: there is none, or the frame differs from the last one. */
SF_HOT static GstBuffer *
take_cached (GstShmFrameBufferCache * self, const GstByteReader * r,
    const struct sf_memory_ref_mapped *part, struct sf_lease *lease)
{
  const guint8 *metas = r->data + gst_byte_reader_get_pos (r);
  guint size = gst_byte_reader_get_remaining (r);

  if (size == 0)
    return NULL;
  if (part->size != self->size || size != self->metas_size
      || memcmp (metas, self->metas, size) != 0) {
    gst_shm_frame_buffer_cache_clear (self);
    self->size = part->size;
    /* Metas that are too long match no frame. */
    self->metas_size = size <= sizeof (self->metas) ? size : 0;
    memcpy (self->metas, metas, self->metas_size);
    return NULL;
  }
  self->alike = TRUE;
  if (self->buffer != NULL)
    gst_shm_frame_memory_set_part (gst_buffer_peek_memory (self->buffer, 0),
        part, lease);
  return g_steal_pointer (&self->buffer);
}

/* The fields before the metas. */
typedef struct
{
  guint32 n_parts, flags;
  guint64 pts, dts, duration, offset, offset_end;
} Head;

SF_HOT static gboolean
get_head (GstByteReader * r, Head * head)
{
  return gst_byte_reader_get_uint32_le (r, &head->n_parts)
      && gst_byte_reader_get_uint32_le (r, &head->flags)
      && gst_byte_reader_get_uint64_le (r, &head->pts)
      && gst_byte_reader_get_uint64_le (r, &head->dts)
      && gst_byte_reader_get_uint64_le (r, &head->duration)
      && gst_byte_reader_get_uint64_le (r, &head->offset)
      && gst_byte_reader_get_uint64_le (r, &head->offset_end);
}

/* A buffer with memories and metas; NULL if these make no sense. */
static GstBuffer *
make_buffer (GstByteReader * r, struct sf_lease *lease,
    const struct sf_memory_ref_mapped *parts, guint n)
{
  GstBuffer *buffer = gst_buffer_new ();

  for (guint i = 0; i < n; i++) {
    GstMemory *memory = gst_shm_frame_memory_new_part (parts[i].size);

    gst_shm_frame_memory_set_part (memory, &parts[i], lease);
    gst_buffer_append_memory (buffer, memory);
  }
  if (!gst_shm_frame_wire_get_metas (r, buffer))
    gst_clear_buffer (&buffer);
  return buffer;
}

SF_HOT GstBuffer *
gst_shm_frame_wire_get_buffer (GstByteReader * r, struct sf_lease *lease,
    const struct sf_memory_ref_mapped **parts,
    const struct sf_memory_ref_mapped *end, GstShmFrameBufferCache * cache)
{
  GstBuffer *buffer = NULL;
  Head head;

  if (!get_head (r, &head) || head.n_parts > gst_buffer_get_max_memory ()
      || head.n_parts > (gsize) (end - *parts))
    return NULL;
  if (cache != NULL && head.n_parts == 1)
    buffer = take_cached (cache, r, *parts, lease);
  if (buffer == NULL)
    buffer = make_buffer (r, lease, *parts, head.n_parts);
  if (buffer == NULL)
    return NULL;
  *parts += head.n_parts;
  GST_BUFFER_PTS (buffer) = head.pts;
  GST_BUFFER_DTS (buffer) = head.dts;
  GST_BUFFER_DURATION (buffer) = head.duration;
  GST_BUFFER_OFFSET (buffer) = head.offset;
  GST_BUFFER_OFFSET_END (buffer) = head.offset_end;
  /* Adding the memories set it; that is no change of the pool's buffer. */
  GST_BUFFER_FLAG_UNSET (buffer, LOCAL_FLAGS);
  /* The low bits belong to the mini object. */
  GST_BUFFER_FLAGS (buffer) |= head.flags & ~((GST_MINI_OBJECT_FLAG_LAST - 1)
      | LOCAL_FLAGS);
  return buffer;
}

gboolean
gst_shm_frame_wire_is_shared (GstBuffer * buffer)
{
  guint n = gst_buffer_n_memory (buffer);
  struct sf_memory_ref part;

  for (guint i = 0; i < n; i++)
    if (!gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, i),
            &part))
      return FALSE;
  return n > 0;
}
