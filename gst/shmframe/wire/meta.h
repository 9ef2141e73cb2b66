/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between wire/buffer.c and the files about metas. */
#ifndef GST_SHM_FRAME_META_WIRE_H
#define GST_SHM_FRAME_META_WIRE_H

#include <gst/video/video.h>

#include "wire/value.h"

G_BEGIN_DECLS

/* wire/meta.c: writes the metas of a buffer. Those that say where the picture
 * lies always fit; the others take at most `budget` bytes, and those that do
 * not fit are left out. Returns the bytes that the others took. */
guint gst_shm_frame_wire_put_metas (GstByteWriter * w, GstBuffer * buffer,
    guint budget, GstShmFrameUnserializable * unserializable);
gboolean gst_shm_frame_wire_get_metas (GstByteReader * r, GstBuffer * buffer);

/* wire/meta-video.c: the fields of some of them. get is FALSE if they make no
 * sense, put if get would say so. */
gboolean gst_shm_frame_wire_put_video_meta (GstByteWriter * w,
    const GstVideoMeta * meta, GstBuffer * buffer);
gboolean gst_shm_frame_wire_get_video_meta (GstByteReader * r,
    GstBuffer * buffer);
gboolean gst_shm_frame_wire_put_crop_meta (GstByteWriter * w,
    const GstVideoCropMeta * meta, GstBuffer * buffer);
gboolean gst_shm_frame_wire_get_crop_meta (GstByteReader * r,
    GstBuffer * buffer);
void gst_shm_frame_wire_put_roi_meta (GstByteWriter * w,
    const GstVideoRegionOfInterestMeta * meta,
    GstShmFrameUnserializable * unserializable);
gboolean gst_shm_frame_wire_get_roi_meta (GstByteReader * r,
    GstBuffer * buffer);
gboolean gst_shm_frame_wire_put_time_code_meta (GstByteWriter * w,
    const GstVideoTimeCodeMeta * meta);
gboolean gst_shm_frame_wire_get_time_code_meta (GstByteReader * r,
    GstBuffer * buffer);

/* Whether all that a crop meta names lies in the picture. */
gboolean gst_shm_frame_wire_crop_fits (GstBuffer * buffer);

/* wire/meta-custom.c: likewise. */
gboolean gst_shm_frame_wire_put_custom_meta (GstByteWriter * w,
    GstCustomMeta * meta, GstShmFrameUnserializable * unserializable);
gboolean gst_shm_frame_wire_get_custom_meta (GstByteReader * r,
    GstBuffer * buffer);
#if GST_CHECK_VERSION (1, 24, 0)
gboolean gst_shm_frame_wire_put_serialized_meta (GstByteWriter * w,
    const GstMeta * meta);
gboolean gst_shm_frame_wire_get_serialized_meta (GstByteReader * r,
    GstBuffer * buffer);
#endif

G_END_DECLS

#endif
