/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "contact-sheet.h"

#include <string.h>

#define COLUMNS 10
#define CELL_WIDTH 192
#define CELL_HEIGHT 144
#define GAP 4

static GstBuffer *
make_canvas (GstVideoInfo * info, guint n_rows)
{
  GstBuffer *canvas;

  gst_video_info_set_format (info, GST_VIDEO_FORMAT_RGBx,
      GAP + COLUMNS * (CELL_WIDTH + GAP), GAP + n_rows * (CELL_HEIGHT + GAP));
  canvas = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  gst_buffer_memset (canvas, 0, 0x20, GST_VIDEO_INFO_SIZE (info));
  return canvas;
}

/* The converter scales into this part of the canvas and leaves the rest of it
 * as it is; the picture keeps its shape. */
static GstStructure *
cell_options (const GstVideoInfo * info, guint row, guint column)
{
  GstVideoRectangle picture = { 0, 0, GST_VIDEO_INFO_WIDTH (info),
    GST_VIDEO_INFO_HEIGHT (info)
  };
  GstVideoRectangle cell = { 0, 0, CELL_WIDTH, CELL_HEIGHT }, place;

  picture.w = gst_util_uint64_scale_int (picture.w, GST_VIDEO_INFO_PAR_N (info),
      GST_VIDEO_INFO_PAR_D (info));
  gst_video_sink_center_rect (picture, cell, &place, TRUE);
  return gst_structure_new ("options",
      GST_VIDEO_CONVERTER_OPT_DEST_X, G_TYPE_INT,
      (gint) (GAP + column * (CELL_WIDTH + GAP)) + place.x,
      GST_VIDEO_CONVERTER_OPT_DEST_Y, G_TYPE_INT,
      (gint) (GAP + row * (CELL_HEIGHT + GAP)) + place.y,
      GST_VIDEO_CONVERTER_OPT_DEST_WIDTH, G_TYPE_INT, place.w,
      GST_VIDEO_CONVERTER_OPT_DEST_HEIGHT, G_TYPE_INT, place.h,
      GST_VIDEO_CONVERTER_OPT_FILL_BORDER, G_TYPE_BOOLEAN, FALSE, NULL);
}

static gboolean
draw_cell (GstVideoFrame * canvas, const GstVideoInfo * info,
    GstBuffer * buffer, guint row, guint column)
{
  GstVideoInfo in_info = *info;
  GstVideoConverter *converter;
  GstVideoFrame frame;

  /* Before 1.24 the converter asks for equal rates, and a picture has none. */
  in_info.fps_n = canvas->info.fps_n;
  in_info.fps_d = canvas->info.fps_d;
  if (!gst_video_frame_map (&frame, &in_info, buffer, GST_MAP_READ))
    return FALSE;
  converter = gst_video_converter_new (&in_info, &canvas->info,
      cell_options (info, row, column));
  if (converter) {
    gst_video_converter_frame (converter, &frame, canvas);
    gst_video_converter_free (converter);
  }
  gst_video_frame_unmap (&frame);
  return converter != NULL;
}

static gboolean
draw_row (GstVideoFrame * canvas, const ContactRow * row, guint number)
{
  guint have = row->frames ? gst_buffer_list_length (row->frames) : 0;
  guint columns = MIN (have, COLUMNS);

  for (guint column = 0; column < columns; column++) {
    GstBuffer *buffer =
        gst_buffer_list_get (row->frames, column * have / columns);

    if (!draw_cell (canvas, &row->info, buffer, number, column))
      return FALSE;
  }
  return TRUE;
}

static gboolean
write_png (GstBuffer * canvas, GstVideoInfo * info, const gchar * path,
    GError ** error)
{
  GstCaps *raw = gst_video_info_to_caps (info);
  GstCaps *png = gst_caps_new_empty_simple ("image/png");
  GstSample *picture = gst_sample_new (canvas, raw, NULL, NULL);
  GstSample *encoded =
      gst_video_convert_sample (picture, png, 10 * GST_SECOND, error);
  GstMapInfo map;
  gboolean written = FALSE;

  if (encoded && gst_buffer_map (gst_sample_get_buffer (encoded), &map,
          GST_MAP_READ)) {
    written = g_file_set_contents (path, (const gchar *) map.data, map.size,
        error);
    gst_buffer_unmap (gst_sample_get_buffer (encoded), &map);
  }
  g_clear_pointer (&encoded, gst_sample_unref);
  gst_sample_unref (picture);
  gst_caps_unref (png);
  gst_caps_unref (raw);
  return written;
}

gboolean
contact_sheet_write (const ContactRow * rows, guint n_rows, const gchar * path,
    GError ** error)
{
  GstVideoInfo info;
  GstBuffer *canvas = make_canvas (&info, n_rows);
  GstVideoFrame frame;
  gboolean done = gst_video_frame_map (&frame, &info, canvas, GST_MAP_WRITE);

  if (done) {
    for (guint i = 0; done && i < n_rows; i++)
      done = draw_row (&frame, &rows[i], i);
    gst_video_frame_unmap (&frame);
  }
  if (done)
    done = write_png (canvas, &info, path, error);
  else
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "a frame cannot be drawn");
  gst_buffer_unref (canvas);
  return done;
}
