/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between wire/event.c and wire/stream.c. */
#ifndef GST_SHM_FRAME_STREAM_WIRE_H
#define GST_SHM_FRAME_STREAM_WIRE_H

#include "wire/value.h"

G_BEGIN_DECLS

void gst_shm_frame_wire_put_stream_start (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable);
GstEvent *gst_shm_frame_wire_get_stream_start (GstByteReader * r);
void gst_shm_frame_wire_put_collection (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable);
GstEvent *gst_shm_frame_wire_get_collection (GstByteReader * r);

G_END_DECLS

#endif
