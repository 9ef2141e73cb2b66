/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/caps.h"

#include <string.h>
#include <gst/video/video.h>

/* A mosaic of one value a pixel, rows padded to four bytes. The deeper formats
 * of GStreamer 1.24, such as bggr10le, have two bytes a pixel. */
static gsize
bayer_size (const GstStructure * s)
{
  const gchar *format = gst_structure_get_string (s, "format");
  gint width, height;

  if (format == NULL || !gst_structure_get_int (s, "width", &width)
      || !gst_structure_get_int (s, "height", &height)
      || width <= 0 || width > G_MAXINT16 || height <= 0 || height > G_MAXINT16)
    return 0;
  return (gsize) GST_ROUND_UP_4 (strlen (format) > 4 ? 2 * width : width)
      * height;
}

gsize
gst_shm_frame_caps_frame_size (const GstCaps * caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  GstVideoInfo info;

  if (gst_structure_has_name (s, "video/x-bayer"))
    return bayer_size (s);
  if (!gst_structure_has_name (s, "video/x-raw")
      || !gst_video_info_from_caps (&info, caps)
      || GST_VIDEO_INFO_WIDTH (&info) <= 0
      || GST_VIDEO_INFO_HEIGHT (&info) <= 0)
    return 0;
  return GST_VIDEO_INFO_SIZE (&info);
}

static const struct
{
  const gchar *feature, *converter, *more;
} converters[] = {
  {"memory:GLMemory", "gldownload", ""},
  {"memory:DMABuf", "vapostproc or another converter to system memory",
      ", or set io-mode=mmap on v4l2src"},
  {"memory:VAMemory", "vapostproc", ""},
  {"memory:VASurface", "vaapipostproc", ""},
  {"memory:CUDAMemory", "cudadownload", ""},
  {"memory:NVMM", "nvvideoconvert (on Jetson: nvvidconv)", ""},
  {"memory:VulkanImage", "vulkandownload", ""},
  {"memory:D3D11Memory", "d3d11download", ""},
  {"memory:D3D12Memory", "d3d12download", ""},
  {"memory:MFXSurface", "msdkvpp", ""},
  {"memory:AMDFMemory", "a converter to system memory", ""},
  {"meta:GstVideoOverlayComposition", "overlaycomposition",
      ", which draws the overlay into the frame"},
};

gchar *
gst_shm_frame_caps_explain (const gchar * feature, gint stream)
{
  const gchar *converter = "an element that converts to system memory";
  const gchar *more = "";
  gchar *where = stream < 0 ? g_strdup ("")
      : g_strdup_printf (" in stream %d of a batch", stream);
  gchar *text;

  for (guint i = 0; i < G_N_ELEMENTS (converters); i++) {
    if (g_str_equal (feature, converters[i].feature)) {
      converter = converters[i].converter;
      more = converters[i].more;
    }
  }
  text = g_strdup_printf ("Frames with %s%s cannot be shared with other "
      "processes; insert %s before %s%s.", feature, where, converter,
      stream < 0 ? "it" : "secondbatcher", more);
  g_free (where);
  return text;
}

static const gchar *
unsupported_feature (const GstCapsFeatures * features)
{
  if (gst_caps_features_is_any (features))
    return "memory of any kind";
  for (guint i = 0; i < gst_caps_features_get_size (features); i++) {
    const gchar *feature = gst_caps_features_get_nth (features, i);

    if (!g_str_equal (feature, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY)
        && !g_str_equal (feature, GST_CAPS_FEATURE_FORMAT_INTERLACED))
      return feature;
  }
  return NULL;
}

const gchar *
gst_shm_frame_caps_find_unsupported (const GstCaps * caps)
{
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    const gchar *feature =
        unsupported_feature (gst_caps_get_features (caps, i));

    if (feature != NULL)
      return feature;
  }
  return NULL;
}

const gchar *
gst_shm_frame_caps_find_unsupported_stream (const GstStructure * batch,
    gint * stream)
{
  const GValue *streams = gst_structure_get_value (batch, "streams");
  guint n = streams != NULL && GST_VALUE_HOLDS_ARRAY (streams)
      ? gst_value_array_get_size (streams) : 0;

  for (guint i = 0; i < n; i++) {
    const GValue *value = gst_value_array_get_value (streams, i);
    const gchar *feature = GST_VALUE_HOLDS_CAPS (value)
        && gst_value_get_caps (value) != NULL
        ? gst_shm_frame_caps_find_unsupported (gst_value_get_caps (value))
        : NULL;

    if (feature != NULL) {
      *stream = (gint) i;
      return feature;
    }
  }
  return NULL;
}
