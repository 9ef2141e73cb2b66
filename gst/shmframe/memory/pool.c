/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/pool.h"

#include <errno.h>

struct _GstShmFramePool
{
  GstVideoBufferPool parent;
  GstShmFrameAllocator *allocator;
  gsize slot_size;              /* written in set_config, before any acquire */
  gint flushing;                /* atomic */
};

G_DEFINE_TYPE (GstShmFramePool, gst_shm_frame_pool, GST_TYPE_VIDEO_BUFFER_POOL);

#define parent_pool_class \
    GST_BUFFER_POOL_CLASS (gst_shm_frame_pool_parent_class)

static gboolean
gst_shm_frame_pool_set_config (GstBufferPool * pool, GstStructure * config)
{
  GstShmFramePool *self = GST_SHM_FRAME_POOL (pool);
  GstAllocationParams params;
  guint size, min, max;

  /* The base class adds the alignment to the size. */
  if (!parent_pool_class->set_config (pool, config))
    return FALSE;
  if (!gst_buffer_pool_config_get_params (config, NULL, &size, &min, &max)
      || !gst_buffer_pool_config_get_allocator (config, NULL, &params))
    return FALSE;
  self->slot_size = size + params.prefix + params.padding;
  gst_shm_frame_allocator_want_size (self->allocator, self->slot_size);
  return TRUE;
}

static GstFlowReturn
gst_shm_frame_pool_acquire (GstBufferPool * pool, GstBuffer ** buffer,
    GstBufferPoolAcquireParams * params)
{
  GstShmFramePool *self = GST_SHM_FRAME_POOL (pool);
  gboolean dontwait = params != NULL
      && (params->flags & GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT);

  /* What still finds no slot then gets ordinary memory. */
  if (!dontwait)
    do {
      if (g_atomic_int_get (&self->flushing))
        return GST_FLOW_FLUSHING;
    } while (gst_shm_frame_allocator_wait (self->allocator, self->slot_size));
  return parent_pool_class->acquire_buffer (pool, buffer, params);
}

static void
gst_shm_frame_pool_release (GstBufferPool * pool, GstBuffer * buffer)
{
  /* Keep nothing: the base class frees a buffer whose memory was changed. */
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  parent_pool_class->release_buffer (pool, buffer);
}

static void
gst_shm_frame_pool_flush_start (GstBufferPool * pool)
{
  g_atomic_int_set (&GST_SHM_FRAME_POOL (pool)->flushing, TRUE);
}

static void
gst_shm_frame_pool_flush_stop (GstBufferPool * pool)
{
  g_atomic_int_set (&GST_SHM_FRAME_POOL (pool)->flushing, FALSE);
}

static gboolean
gst_shm_frame_pool_start (GstBufferPool * pool)
{
  g_atomic_int_set (&GST_SHM_FRAME_POOL (pool)->flushing, FALSE);
  return parent_pool_class->start (pool);
}

GstBufferPool *
gst_shm_frame_pool_new (GstShmFrameAllocator * allocator)
{
  GstShmFramePool *self = g_object_new (GST_TYPE_SHM_FRAME_POOL, NULL);

  gst_object_ref_sink (self);
  self->allocator = gst_object_ref (allocator);
  return GST_BUFFER_POOL_CAST (self);
}

static void
gst_shm_frame_pool_finalize (GObject * object)
{
  gst_object_unref (GST_SHM_FRAME_POOL (object)->allocator);
  G_OBJECT_CLASS (gst_shm_frame_pool_parent_class)->finalize (object);
}

static void
gst_shm_frame_pool_class_init (GstShmFramePoolClass * klass)
{
  GstBufferPoolClass *pool_class = GST_BUFFER_POOL_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = gst_shm_frame_pool_finalize;
  pool_class->set_config = gst_shm_frame_pool_set_config;
  pool_class->start = gst_shm_frame_pool_start;
  pool_class->acquire_buffer = gst_shm_frame_pool_acquire;
  pool_class->release_buffer = gst_shm_frame_pool_release;
  pool_class->flush_start = gst_shm_frame_pool_flush_start;
  pool_class->flush_stop = gst_shm_frame_pool_flush_stop;
}

static void
gst_shm_frame_pool_init (GstShmFramePool * self)
{
}
