/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/part-pool.h"

#include <gst/video/video.h>

#include "memory/allocator.h"
#include "memory/kept.h"
#include "memory/only-meta.h"
#include "shared/compiler.h"

#define GST_TYPE_SHM_FRAME_PART_POOL (gst_shm_frame_part_pool_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFramePartPool, gst_shm_frame_part_pool, GST,
    SHM_FRAME_PART_POOL, GstBufferPool);

struct _GstShmFramePartPool
{
  GstBufferPool parent;
  gsize size;
  GstShmFrameOnlyMeta meta;
  GstShmFrameKept kept;
};

G_DEFINE_TYPE (GstShmFramePartPool, gst_shm_frame_part_pool,
    GST_TYPE_BUFFER_POOL);

SF_HOT static GstFlowReturn
gst_shm_frame_part_pool_acquire (GstBufferPool * pool, GstBuffer ** buffer,
    GstBufferPoolAcquireParams * params)
{
  GstShmFramePartPool *self = GST_SHM_FRAME_PART_POOL (pool);

  *buffer = gst_shm_frame_kept_take (&self->kept);
  if (*buffer != NULL)
    return GST_FLOW_OK;
  *buffer = gst_buffer_new ();
  gst_buffer_append_memory (*buffer,
      gst_shm_frame_memory_new_part (self->size));
  gst_shm_frame_only_meta_add (&self->meta, *buffer);
  GST_BUFFER_FLAG_UNSET (*buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  return GST_FLOW_OK;
}

/* Whether it is as it was made, but for its fields, which the next frame
 * sets. */
SF_HOT static gboolean
is_unchanged (const GstShmFramePartPool * self, GstBuffer * buffer)
{
  GstMemory *memory;

  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY)
      || gst_buffer_n_memory (buffer) != 1)
    return FALSE;
  memory = gst_buffer_peek_memory (buffer, 0);
  return memory->offset == 0 && memory->size == self->size
      && gst_shm_frame_only_meta_matches (&self->meta, buffer);
}

SF_HOT static void
gst_shm_frame_part_pool_release (GstBufferPool * pool, GstBuffer * buffer)
{
  GstShmFramePartPool *self = GST_SHM_FRAME_PART_POOL (pool);

  GST_BUFFER_FLAGS (buffer) &= GST_BUFFER_FLAG_TAG_MEMORY;
  if (!is_unchanged (self, buffer)
      || !gst_shm_frame_kept_add (&self->kept, buffer))
    gst_buffer_unref (buffer);
}

GstBufferPool *
gst_shm_frame_part_pool_new (GstBuffer * buffer)
{
  GstShmFrameOnlyMeta meta;
  GstShmFramePartPool *self;
  GstBufferPool *pool;
  GstStructure *config;

  if (!gst_shm_frame_only_meta_capture (&meta, buffer))
    return NULL;
  self = g_object_new (GST_TYPE_SHM_FRAME_PART_POOL, NULL);
  gst_object_ref_sink (self);
  self->size = gst_buffer_get_size (buffer);
  self->meta = meta;
  pool = GST_BUFFER_POOL_CAST (self);
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, NULL, self->size, 0, 0);
  gst_buffer_pool_set_config (pool, config);
  gst_buffer_pool_set_active (pool, TRUE);
  return pool;
}

static void
gst_shm_frame_part_pool_finalize (GObject * object)
{
  GstShmFramePartPool *self = GST_SHM_FRAME_PART_POOL (object);

  gst_shm_frame_kept_clear (&self->kept);
  G_OBJECT_CLASS (gst_shm_frame_part_pool_parent_class)->finalize (object);
}

static void
gst_shm_frame_part_pool_class_init (GstShmFramePartPoolClass * klass)
{
  GstBufferPoolClass *pool_class = GST_BUFFER_POOL_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = gst_shm_frame_part_pool_finalize;
  pool_class->acquire_buffer = gst_shm_frame_part_pool_acquire;
  pool_class->release_buffer = gst_shm_frame_part_pool_release;
  /* release does it */
  pool_class->reset_buffer = NULL;
}

static void
gst_shm_frame_part_pool_init (GstShmFramePartPool * self)
{
  gst_shm_frame_kept_init (&self->kept);
}
