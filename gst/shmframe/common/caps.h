/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What shmframesink and shmframesrc take. */
#ifndef GST_SHM_FRAME_CAPS_H
#define GST_SHM_FRAME_CAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* In system memory. The second is interlace-mode=alternate. */
#define GST_SHM_FRAME_CAPS \
    "video/x-raw; video/x-raw(format:Interlaced); video/x-bayer"

/* The bytes of a frame; 0 if the caps do not say. */
gsize gst_shm_frame_caps_frame_size (const GstCaps * caps);

/* The first feature of these caps that frames cannot have here, such as memory of
 * a GPU; NULL if there is none. */
const gchar *gst_shm_frame_caps_foreign (const GstCaps * caps);
/* The same of the streams that the caps of a batch name, and which of them. */
const gchar *gst_shm_frame_caps_foreign_stream (const GstStructure * batch,
    gint * stream);
/* (transfer full): a sentence that says what to insert before the sink, or, for a
 * stream of a batch (-1: none), before secondbatcher. */
gchar *gst_shm_frame_caps_explain (const gchar * feature, gint stream);

G_END_DECLS

#endif
