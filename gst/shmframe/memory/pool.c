/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/pool.h"

#include "memory/kept.h"
#include "shared/compiler.h"

struct _GstShmFramePool
{
  GstVideoBufferPool parent;
  GstShmFrameAllocator *allocator;
  /* Written in set_config, before any acquire: */
  gsize size;                   /* of a frame */
  GstAllocationParams params;
  gboolean keeps;               /* only without a maximum: see release */
  GstShmFrameKept kept;
  gint flushing;                /* atomic */
};

G_DEFINE_TYPE (GstShmFramePool, gst_shm_frame_pool, GST_TYPE_VIDEO_BUFFER_POOL);

#define parent_pool_class \
    GST_BUFFER_POOL_CLASS (gst_shm_frame_pool_parent_class)

static gsize
slot_size (const GstShmFramePool * self)
{
  return self->size + self->params.prefix + self->params.padding;
}

static gboolean
gst_shm_frame_pool_set_config (GstBufferPool * pool, GstStructure * config)
{
  GstShmFramePool *self = GST_SHM_FRAME_POOL (pool);
  guint size, max;

  /* The base class adds the alignment to the size. */
  if (!parent_pool_class->set_config (pool, config))
    return FALSE;
  if (!gst_buffer_pool_config_get_params (config, NULL, &size, NULL, &max)
      || !gst_buffer_pool_config_get_allocator (config, NULL, &self->params))
    return FALSE;
  self->size = size;
  self->keeps = max == 0;
  gst_shm_frame_allocator_want_size (self->allocator, slot_size (self));
  return TRUE;
}

/* Gives a buffer that was used before a slot. NULL: there is none, or no slot
 * is free. */
SF_HOT static GstBuffer *
use_again (GstShmFramePool * self)
{
  GstBuffer *buffer = GST_BUFFER_POOL_IS_FLUSHING (self) ? NULL
      : gst_shm_frame_kept_take (&self->kept);

  if (buffer == NULL || gst_shm_frame_allocator_occupy (self->allocator,
          gst_buffer_peek_memory (buffer, 0), self->size, &self->params))
    return buffer;
  if (!gst_shm_frame_kept_add (&self->kept, buffer))
    gst_buffer_unref (buffer);
  return NULL;
}

SF_HOT static GstFlowReturn
gst_shm_frame_pool_acquire (GstBufferPool * pool, GstBuffer ** buffer,
    GstBufferPoolAcquireParams * params)
{
  GstShmFramePool *self = GST_SHM_FRAME_POOL (pool);
  gboolean dontwait = params != NULL
      && (params->flags & GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT);

  if ((*buffer = use_again (self)) != NULL)
    return GST_FLOW_OK;
  /* What still finds no slot then gets ordinary memory. */
  if (!dontwait)
    do {
      if (g_atomic_int_get (&self->flushing))
        return GST_FLOW_FLUSHING;
    } while (gst_shm_frame_allocator_wait (self->allocator, slot_size (self)));
  if ((*buffer = use_again (self)) != NULL)
    return GST_FLOW_OK;
  return parent_pool_class->acquire_buffer (pool, buffer, params);
}

/* The base class frees a buffer whose memory was changed. */
static void
let_free (GstBufferPool * pool, GstBuffer * buffer)
{
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  parent_pool_class->release_buffer (pool, buffer);
}

/* Keeps buffers here, not in the base class's queue: that keeps their slots,
 * and makes a system call whenever it becomes empty, or no longer is. But who
 * waits for one of a maximum waits for that queue. */
SF_HOT static void
gst_shm_frame_pool_release (GstBufferPool * pool, GstBuffer * buffer)
{
  GstShmFramePool *self = GST_SHM_FRAME_POOL (pool);

  if (!self->keeps
      || GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_TAG_MEMORY)
      || !gst_shm_frame_kept_add (&self->kept, buffer))
    let_free (pool, buffer);
}

static gboolean
gst_shm_frame_pool_stop (GstBufferPool * pool)
{
  GstBuffer *buffer;

  while ((buffer = gst_shm_frame_kept_take (&GST_SHM_FRAME_POOL (pool)->kept)))
    let_free (pool, buffer);
  return parent_pool_class->stop (pool);
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
  GstShmFramePool *self = GST_SHM_FRAME_POOL (object);

  gst_shm_frame_kept_clear (&self->kept);
  gst_object_unref (self->allocator);
  G_OBJECT_CLASS (gst_shm_frame_pool_parent_class)->finalize (object);
}

static void
gst_shm_frame_pool_class_init (GstShmFramePoolClass * klass)
{
  GstBufferPoolClass *pool_class = GST_BUFFER_POOL_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = gst_shm_frame_pool_finalize;
  pool_class->set_config = gst_shm_frame_pool_set_config;
  pool_class->start = gst_shm_frame_pool_start;
  pool_class->stop = gst_shm_frame_pool_stop;
  pool_class->acquire_buffer = gst_shm_frame_pool_acquire;
  pool_class->release_buffer = gst_shm_frame_pool_release;
  pool_class->flush_start = gst_shm_frame_pool_flush_start;
  pool_class->flush_stop = gst_shm_frame_pool_flush_stop;
}

static void
gst_shm_frame_pool_init (GstShmFramePool * self)
{
  gst_shm_frame_kept_init (&self->kept);
}
