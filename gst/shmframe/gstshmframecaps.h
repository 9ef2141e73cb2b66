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

/* A probe on a sink pad: caps with other memory, which are not accepted anyway,
 * become an error of the element that says what converts it. */
GstPadProbeReturn gst_shm_frame_caps_check (GstPad * pad,
    GstPadProbeInfo * info, gpointer unused);

G_END_DECLS

#endif
