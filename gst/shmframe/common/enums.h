/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SHM_FRAME_ENUMS_H
#define GST_SHM_FRAME_ENUMS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * GstShmFrameDelivery:
 * @GST_SHM_FRAME_DELIVERY_AUTO: lossless where the producer's source is not
 *   live, else live
 * @GST_SHM_FRAME_DELIVERY_LIVE: the producer never waits; a slow consumer loses
 *   its own oldest frames
 * @GST_SHM_FRAME_DELIVERY_LOSSLESS: the producer waits; no frame is lost
 */
typedef enum
{
  GST_SHM_FRAME_DELIVERY_AUTO = 0,
  GST_SHM_FRAME_DELIVERY_LIVE = 1,
  GST_SHM_FRAME_DELIVERY_LOSSLESS = 2,
} GstShmFrameDelivery;

/**
 * GstShmFrameTimestamps:
 * @GST_SHM_FRAME_TIMESTAMPS_AUTO: clock where is-live is TRUE, else keep
 * @GST_SHM_FRAME_TIMESTAMPS_CLOCK: the running time of this pipeline at which
 *   the frame was due at its producer
 * @GST_SHM_FRAME_TIMESTAMPS_KEEP: timestamps and segment of the producer
 */
typedef enum
{
  GST_SHM_FRAME_TIMESTAMPS_AUTO = 0,
  GST_SHM_FRAME_TIMESTAMPS_CLOCK = 1,
  GST_SHM_FRAME_TIMESTAMPS_KEEP = 2,
} GstShmFrameTimestamps;

/**
 * GstShmFrameDisconnect:
 * @GST_SHM_FRAME_DISCONNECT_RECONNECT: wait for the producer to come back
 * @GST_SHM_FRAME_DISCONNECT_EOS: end the stream
 * @GST_SHM_FRAME_DISCONNECT_ERROR: fail
 */
typedef enum
{
  GST_SHM_FRAME_DISCONNECT_RECONNECT = 0,
  GST_SHM_FRAME_DISCONNECT_EOS = 1,
  GST_SHM_FRAME_DISCONNECT_ERROR = 2,
} GstShmFrameDisconnect;

/**
 * GstShmFrameEos:
 * @GST_SHM_FRAME_EOS_EOS: the producer's EOS ends this stream too
 * @GST_SHM_FRAME_EOS_RECONNECT: wait for the next stream instead
 */
typedef enum
{
  GST_SHM_FRAME_EOS_EOS = 0,
  GST_SHM_FRAME_EOS_RECONNECT = 1,
} GstShmFrameEos;

GType gst_shm_frame_delivery_get_type (void);
GType gst_shm_frame_timestamps_get_type (void);
GType gst_shm_frame_disconnect_get_type (void);
GType gst_shm_frame_eos_get_type (void);

#define GST_TYPE_SHM_FRAME_DELIVERY (gst_shm_frame_delivery_get_type ())
#define GST_TYPE_SHM_FRAME_TIMESTAMPS (gst_shm_frame_timestamps_get_type ())
#define GST_TYPE_SHM_FRAME_DISCONNECT (gst_shm_frame_disconnect_get_type ())
#define GST_TYPE_SHM_FRAME_EOS (gst_shm_frame_eos_get_type ())

G_END_DECLS

#endif
