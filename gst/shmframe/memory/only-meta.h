/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a buffer has that has no meta, or just a video meta, as most have: to
 * tell whether another one has the same, or to give it the same. */
#ifndef GST_SHM_FRAME_ONLY_META_H
#define GST_SHM_FRAME_ONLY_META_H

/* First: the pool headers of 1.28 include each other. */
#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct
{
  guint n;                      /* 0 or 1 */
  GstVideoMeta meta;            /* if 1; of its fields, not of a buffer */
} GstShmFrameOnlyMeta;

/* FALSE: it has another meta. */
gboolean gst_shm_frame_only_meta_capture (GstShmFrameOnlyMeta * self,
    GstBuffer * buffer);
gboolean gst_shm_frame_only_meta_matches (const GstShmFrameOnlyMeta * self,
    GstBuffer * buffer);
/* Adds it to a buffer that has none. */
void gst_shm_frame_only_meta_add (const GstShmFrameOnlyMeta * self,
    GstBuffer * buffer);

G_END_DECLS

#endif
