/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool that shmframesink offers. A buffer that is released frees its slot
 * at once, so that slots are filled in cyclic order, and whoever waits for one
 * gets it; the next acquire puts the buffer into another slot. Waits for a slot
 * in acquire; the allocator never waits. */
#ifndef GST_SHM_FRAME_POOL_H
#define GST_SHM_FRAME_POOL_H

/* First: the pool headers of 1.28 include each other. */
#include <gst/video/video.h>
#include <gst/video/gstvideopool.h>

#include "memory/allocator.h"

G_BEGIN_DECLS

#define GST_TYPE_SHM_FRAME_POOL (gst_shm_frame_pool_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFramePool, gst_shm_frame_pool, GST,
    SHM_FRAME_POOL, GstVideoBufferPool);

GstBufferPool *gst_shm_frame_pool_new (GstShmFrameAllocator * allocator);

G_END_DECLS

#endif
