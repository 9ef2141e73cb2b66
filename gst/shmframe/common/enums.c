/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/enums.h"

static GType
register_once (gsize * type, const gchar * name, const GEnumValue * values)
{
  if (g_once_init_enter (type))
    g_once_init_leave (type, g_enum_register_static (name, values));
  return (GType) * type;
}

GType
gst_shm_frame_delivery_get_type (void)
{
  static const GEnumValue values[] = {
    {GST_SHM_FRAME_DELIVERY_AUTO,
          "Lossless where the producer's source is not live, else live",
        "auto"},
    {GST_SHM_FRAME_DELIVERY_LIVE,
          "The producer never waits, a slow consumer loses its oldest frames",
        "live"},
    {GST_SHM_FRAME_DELIVERY_LOSSLESS,
          "The producer waits, no frame is lost",
        "lossless"},
    {0, NULL, NULL}
  };
  static gsize type = 0;

  return register_once (&type, "GstShmFrameDelivery", values);
}

GType
gst_shm_frame_timestamps_get_type (void)
{
  static const GEnumValue values[] = {
    {GST_SHM_FRAME_TIMESTAMPS_AUTO, "clock if is-live, else keep", "auto"},
    {GST_SHM_FRAME_TIMESTAMPS_CLOCK,
          "When the frame was due at its producer, in this pipeline's running "
          "time",
        "clock"},
    {GST_SHM_FRAME_TIMESTAMPS_KEEP, "As the producer had them", "keep"},
    {0, NULL, NULL}
  };
  static gsize type = 0;

  return register_once (&type, "GstShmFrameTimestamps", values);
}

GType
gst_shm_frame_disconnect_get_type (void)
{
  static const GEnumValue values[] = {
    {GST_SHM_FRAME_DISCONNECT_RECONNECT,
          "Wait for the producer to come back",
        "reconnect"},
    {GST_SHM_FRAME_DISCONNECT_EOS, "End the stream", "eos"},
    {GST_SHM_FRAME_DISCONNECT_ERROR, "Fail", "error"},
    {0, NULL, NULL}
  };
  static gsize type = 0;

  return register_once (&type, "GstShmFrameDisconnect", values);
}

GType
gst_shm_frame_eos_get_type (void)
{
  static const GEnumValue values[] = {
    {GST_SHM_FRAME_EOS_EOS, "End this stream too", "eos"},
    {GST_SHM_FRAME_EOS_RECONNECT, "Wait for the next stream", "reconnect"},
    {0, NULL, NULL}
  };
  static gsize type = 0;

  return register_once (&type, "GstShmFrameEos", values);
}
