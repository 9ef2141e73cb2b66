/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caps that shmframesink and shmframesrc take. */
#ifndef GST_SHM_FRAME_CAPS_H
#define GST_SHM_FRAME_CAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Frames in system memory. The second is interlace-mode=alternate. */
#define GST_SHM_FRAME_CAPS \
    "video/x-raw; video/x-raw(format:Interlaced); video/x-bayer"

/* The bytes of a frame; 0 if these caps do not tell. */
gsize gst_shm_frame_caps_frame_size (const GstCaps * caps);

/* The first feature of these caps that cannot be shared, such as GPU memory;
 * NULL if there is none. */
const gchar *gst_shm_frame_caps_find_unsupported (const GstCaps * caps);
/* The same for the streams in the caps of a batch; sets which one has it. */
const gchar *gst_shm_frame_caps_find_unsupported_stream (const GstStructure *
    batch, gint * stream);
/* (transfer full): a sentence that says what to insert before the sink
 * (`stream` -1), or before secondbatcher. */
gchar *gst_shm_frame_caps_explain (const gchar * feature, gint stream);

G_END_DECLS

#endif
