/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstshmframecaps.h"

#include <string.h>
#include <gst/video/video.h>

/* Mosaic of one value a pixel, rows padded to four bytes. Deeper ones, of
 * GStreamer 1.24, have two bytes: "bggr10le". */
static gsize
bayer_size (const GstStructure * s)
{
  const gchar *format = gst_structure_get_string (s, "format");
  gint width, height;

  if (format == NULL || !gst_structure_get_int (s, "width", &width)
      || !gst_structure_get_int (s, "height", &height)
      || width <= 0 || width > G_MAXINT16 || height <= 0
      || height > G_MAXINT16)
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
  const gchar *feature, *advice;
} advices[] = {
  {"memory:GLMemory", "insert gldownload before it"},
  {"memory:DMABuf", "insert vapostproc or another converter to system memory "
        "before it, or set io-mode=mmap on v4l2src"},
  {"memory:VAMemory", "insert vapostproc before it"},
  {"memory:VASurface", "insert vaapipostproc before it"},
  {"memory:CUDAMemory", "insert cudadownload before it"},
  {"memory:NVMM", "insert nvvidconv before it"},
  {"memory:VulkanImage", "insert vulkandownload before it"},
  {"memory:MFXSurface", "insert msdkvpp before it"},
  {"memory:AMDFMemory", "insert a converter to system memory before it"},
  {"meta:GstVideoOverlayComposition", "insert overlaycomposition before it, "
        "which draws the overlay into the frame"},
};

static const gchar *
advice_on (const gchar * feature)
{
  for (guint i = 0; i < G_N_ELEMENTS (advices); i++)
    if (g_str_equal (feature, advices[i].feature))
      return advices[i].advice;
  return "insert an element that converts to system memory before it";
}

/* The first feature that cannot be had here; NULL if there is none. */
static const gchar *
foreign_feature (const GstCaps * caps)
{
  const GstCapsFeatures *features = gst_caps_get_features (caps, 0);

  for (guint i = 0; i < gst_caps_features_get_size (features); i++) {
    const gchar *feature = gst_caps_features_get_nth (features, i);

    if (!g_str_equal (feature, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY)
        && !g_str_equal (feature, GST_CAPS_FEATURE_FORMAT_INTERLACED))
      return feature;
  }
  return NULL;
}

GstPadProbeReturn
gst_shm_frame_caps_check (GstPad * pad, GstPadProbeInfo * info,
    gpointer unused)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  GstElement *element;
  const gchar *feature;
  GstCaps *caps;

  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps (event, &caps);
  feature = foreign_feature (caps);
  element = feature != NULL ? gst_pad_get_parent_element (pad) : NULL;
  if (element != NULL) {
    GST_ELEMENT_ERROR (element, STREAM, FORMAT,
        ("Frames with %s cannot be shared with other processes; %s.", feature,
            advice_on (feature)), ("caps %" GST_PTR_FORMAT, caps));
    gst_object_unref (element);
  }
  return GST_PAD_PROBE_OK;
}
