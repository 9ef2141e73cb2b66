/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool that shmframesink offers. It keeps nothing: a buffer that comes back
 * gives its slot back at once, so that the slots are filled in cyclic order by
 * whoever asks next, and none is hidden from those who wait for one. The waiting
 * for a slot is done here, in acquire, and never in the allocator. */
#ifndef GST_SHM_FRAME_POOL_H
#define GST_SHM_FRAME_POOL_H

/* first: 1.28's pool headers include each other */
#include <gst/video/video.h>
#include <gst/video/gstvideopool.h>

#include "memory/allocator.h"

G_BEGIN_DECLS

#define GST_TYPE_SHM_FRAME_POOL (gst_shm_frame_pool_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFramePool, gst_shm_frame_pool, GST,
    SHM_FRAME_POOL, GstVideoBufferPool)

/* `wait`: TRUE where no frame may be lost, so that acquiring waits for a slot. */
GstBufferPool *gst_shm_frame_pool_new (GstShmFrameAllocator * allocator,
    gboolean wait);

G_END_DECLS

#endif
