/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool of shmframesrc: buffers for received frames that are alike. One that
 * comes back returns its frame at once, and is used for a later one, unless
 * somebody changed its memory or its metas. */
#ifndef GST_SHM_FRAME_PART_POOL_H
#define GST_SHM_FRAME_PART_POOL_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* A pool of buffers like `buffer`, which has one memory, that of a received
 * frame, and at most a video meta. NULL: it has other metas. */
GstBufferPool *gst_shm_frame_part_pool_new (GstBuffer * buffer);

G_END_DECLS

#endif
