/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/enums.h"

#define DEFINE_ENUM(function, name, ...) \
GType \
function (void) \
{ \
  static gsize type = 0; \
  static const GEnumValue values[] = { __VA_ARGS__, {0, NULL, NULL} }; \
\
  if (g_once_init_enter (&type)) \
    g_once_init_leave (&type, g_enum_register_static (name, values)); \
  return (GType) type; \
}

DEFINE_ENUM (gst_shm_frame_delivery_get_type, "GstShmFrameDelivery",
    {GST_SHM_FRAME_DELIVERY_AUTO,
          "Lossless where the producer's source is not live, else live",
          "auto"},
    {GST_SHM_FRAME_DELIVERY_LIVE,
          "The producer never waits, a slow consumer loses its oldest frames",
          "live"},
    {GST_SHM_FRAME_DELIVERY_LOSSLESS,
          "The producer waits, no frame is lost", "lossless"})

DEFINE_ENUM (gst_shm_frame_timestamps_get_type, "GstShmFrameTimestamps",
    {GST_SHM_FRAME_TIMESTAMPS_AUTO, "clock if is-live, else keep", "auto"},
    {GST_SHM_FRAME_TIMESTAMPS_CLOCK,
          "When the frame was due at its producer, in this pipeline's running "
          "time", "clock"},
    {GST_SHM_FRAME_TIMESTAMPS_KEEP, "As the producer had them", "keep"})

DEFINE_ENUM (gst_shm_frame_disconnect_get_type, "GstShmFrameDisconnect",
    {GST_SHM_FRAME_DISCONNECT_RECONNECT,
          "Wait for the producer to come back", "reconnect"},
    {GST_SHM_FRAME_DISCONNECT_EOS, "End the stream", "eos"},
    {GST_SHM_FRAME_DISCONNECT_ERROR, "Fail", "error"})

DEFINE_ENUM (gst_shm_frame_eos_get_type, "GstShmFrameEos",
    {GST_SHM_FRAME_EOS_EOS, "End this stream too", "eos"},
    {GST_SHM_FRAME_EOS_RECONNECT, "Wait for the next stream", "reconnect"})
