/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames with metas, for the cut test */
#include <gst/video/video.h>

#include "cutcases.h"

#define SIZE (16 * 8)

static void
add_crop (GstBuffer * buffer)
{
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (buffer);

  gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 16, 8);
  crop->x = 3;
  crop->y = 1;
  crop->width = 13;
  crop->height = 7;
}

static void
add_roi (GstBuffer * buffer)
{
  GstVideoRegionOfInterestMeta *roi;
  GstStructure *inner = gst_structure_new ("landmarks", "nose", G_TYPE_DOUBLE,
      0.25, NULL);

  for (guint i = 0; i < 3; i++) {
    roi = gst_buffer_add_video_region_of_interest_meta (buffer, "face", i, 1,
        2, 3);
    roi->id = 10 + i;
    roi->parent_id = i == 0 ? -1 : 10;
    gst_video_region_of_interest_meta_add_param (roi,
        gst_structure_new ("detection", "confidence", G_TYPE_DOUBLE, 0.9,
            "label", G_TYPE_STRING, "a; b", "inner", GST_TYPE_STRUCTURE, inner,
            NULL));
    gst_video_region_of_interest_meta_add_param (roi,
        gst_structure_new_empty ("second"));
  }
  gst_structure_free (inner);
}

static void
add_time_code (GstBuffer * buffer)
{
  GTimeZone *zone = g_time_zone_new_offset (-5 * 3600 - 1800);
  GDateTime *jam = g_date_time_new (zone, 2023, 12, 31, 23, 59, 59.25);
  GstVideoTimeCode *tc = gst_video_time_code_new (30000, 1001, jam,
      GST_VIDEO_TIME_CODE_FLAGS_DROP_FRAME, 1, 2, 3, 4, 2);

  gst_buffer_add_video_time_code_meta (buffer, tc);
  gst_buffer_add_video_time_code_meta_full (buffer, 25, 1, NULL, 0, 23, 59,
      59, 24, 0);
  gst_video_time_code_free (tc);
  g_date_time_unref (jam);
  g_time_zone_unref (zone);
}

static void
add_references (GstBuffer * buffer)
{
  const gchar *const caps[] = { "timestamp/x-ntp", "timestamp/x-unix",
    "timestamp/x-ptp, version=IEEE1588-2008, domain=1"
  };

  for (guint i = 0; i < G_N_ELEMENTS (caps); i++) {
    GstCaps *reference = gst_caps_from_string (caps[i]);

    gst_buffer_add_reference_timestamp_meta (buffer, reference,
        (i + 1) * GST_SECOND * 1000000, i == 1 ? 7 : GST_CLOCK_TIME_NONE);
    gst_caps_unref (reference);
  }
}

static void
add_captions (GstBuffer * buffer)
{
  const guint8 data[] = { 0x80, 0, 0xff, 7, 8, 9 };

  gst_buffer_add_video_caption_meta (buffer,
      GST_VIDEO_CAPTION_TYPE_CEA708_RAW, data, 6);
  gst_buffer_add_video_caption_meta (buffer,
      GST_VIDEO_CAPTION_TYPE_CEA608_S334_1A, data, 3);
}

static void
add_afd (GstBuffer * buffer)
{
  gst_buffer_add_video_afd_meta (buffer, 1, GST_VIDEO_AFD_SPEC_ATSC_A53,
      GST_VIDEO_AFD_4_3_FULL_14_9_CENTER);
  gst_buffer_add_video_bar_meta (buffer, 1, TRUE, 20, 460);
}

static void
add_affine (GstBuffer * buffer)
{
  GstVideoAffineTransformationMeta *meta =
      gst_buffer_add_video_affine_transformation_meta (buffer);

  for (guint i = 0; i < 16; i++)
    meta->matrix[i] = 0.1f * i;
}

static void
add_sei (GstBuffer * buffer)
{
  guint8 uuid[16] = { 1, 2, 3 }, data[] = { 9, 8, 7, 6 };

  gst_buffer_add_video_sei_user_data_unregistered_meta (buffer, uuid, data, 4);
}

/* The process behind the cut has not registered it */
static void
add_custom (GstBuffer * buffer)
{
  static const gchar *tags[] = { "video", "size", NULL };
  GstCaps *caps = gst_caps_new_simple ("a/b", "c", G_TYPE_INT, 1, NULL);
  GstCustomMeta *meta;

  if (gst_meta_get_info ("CutTestMeta") == NULL)
    gst_meta_register_custom ("CutTestMeta", tags, NULL, NULL, NULL);
  meta = gst_buffer_add_custom_meta (buffer, "CutTestMeta");
  gst_structure_set (gst_custom_meta_get_structure (meta), "number",
      G_TYPE_INT, 42, "caps", GST_TYPE_CAPS, caps, NULL);
  gst_caps_unref (caps);
}

static void (*const adders[]) (GstBuffer *) = {
  add_crop, add_roi, add_time_code, add_references, add_captions, add_afd,
  add_affine, add_sei, add_custom,
};

void
cut_feed_meta (GstHarness * h, gint which)
{
  cut_begin (h, "GRAY8", 16, 8);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = cut_frame (i, SIZE);

    for (gint k = 0; k < (gint) G_N_ELEMENTS (adders); k++)
      if (i != 1 && (k == which || which == (gint) G_N_ELEMENTS (adders)))
        adders[k] (buffer);
    cut_push (h, buffer);
  }
}
