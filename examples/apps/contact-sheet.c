/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "contact-sheet.h"

#include <string.h>

#define COLUMNS 10
#define CELL_WIDTH 192
#define CELL_HEIGHT 144
#define GAP 4
#define FORMAT GST_VIDEO_FORMAT_RGB
#define PIXEL 3                 /* bytes */

static GstBuffer *
make_canvas (GstVideoInfo * info, guint n_rows)
{
  GstBuffer *canvas;

  gst_video_info_set_format (info, FORMAT,
      GAP + COLUMNS * (CELL_WIDTH + GAP), GAP + n_rows * (CELL_HEIGHT + GAP));
  canvas = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  gst_buffer_memset (canvas, 0, 0x20, GST_VIDEO_INFO_SIZE (info));
  return canvas;
}

/* Where in its cell the picture goes, which keeps its shape. */
static GstVideoRectangle
place_in_cell (const GstVideoInfo * info, guint row, guint column)
{
  GstVideoRectangle picture = { 0, 0, GST_VIDEO_INFO_WIDTH (info),
    GST_VIDEO_INFO_HEIGHT (info)
  };
  GstVideoRectangle cell = { 0, 0, CELL_WIDTH, CELL_HEIGHT }, place;

  picture.w = gst_util_uint64_scale_int (picture.w, GST_VIDEO_INFO_PAR_N (info),
      GST_VIDEO_INFO_PAR_D (info));
  gst_video_sink_center_rect (picture, cell, &place, TRUE);
  place.x += GAP + column * (CELL_WIDTH + GAP);
  place.y += GAP + row * (CELL_HEIGHT + GAP);
  return place;
}

/* Not scaled into the canvas itself: a GstVideoConverter writes whole lines,
 * also left and right of the rectangle that it was given. */
static GstBuffer *
scale (const GstVideoFrame * frame, const GstVideoInfo * info)
{
  GstVideoInfo from = frame->info;
  GstBuffer *picture =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  GstVideoConverter *converter;
  GstVideoFrame out;

  /* The converter of 1.22 asks for equal rates, and a picture has none. */
  from.fps_n = info->fps_n;
  from.fps_d = info->fps_d;
  converter = gst_video_converter_new (&from, info, NULL);
  if (converter && gst_video_frame_map (&out, info, picture, GST_MAP_WRITE)) {
    gst_video_converter_frame (converter, frame, &out);
    gst_video_frame_unmap (&out);
  } else {
    gst_clear_buffer (&picture);
  }
  g_clear_pointer (&converter, gst_video_converter_free);
  return picture;
}

static gboolean
copy_into (GstVideoFrame * canvas, GstBuffer * picture,
    const GstVideoInfo * info, const GstVideoRectangle * place)
{
  GstVideoFrame frame;
  gint stride = GST_VIDEO_FRAME_PLANE_STRIDE (canvas, 0);
  guint8 *out = GST_VIDEO_FRAME_PLANE_DATA (canvas, 0);

  if (!gst_video_frame_map (&frame, info, picture, GST_MAP_READ))
    return FALSE;
  out += (gsize) place->y * stride + place->x * PIXEL;
  for (gint y = 0; y < place->h; y++)
    memcpy (out + (gsize) y * stride, (guint8 *)
        GST_VIDEO_FRAME_PLANE_DATA (&frame, 0) +
        (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0),
        (gsize) place->w * PIXEL);
  gst_video_frame_unmap (&frame);
  return TRUE;
}

static gboolean
draw_cell (GstVideoFrame * canvas, const GstVideoInfo * info,
    GstBuffer * buffer, guint row, guint column)
{
  GstVideoRectangle place = place_in_cell (info, row, column);
  GstVideoInfo small;
  GstVideoFrame frame;
  GstBuffer *picture;
  gboolean drawn;

  gst_video_info_set_format (&small, FORMAT, place.w, place.h);
  if (!gst_video_frame_map (&frame, info, buffer, GST_MAP_READ))
    return FALSE;
  picture = scale (&frame, &small);
  gst_video_frame_unmap (&frame);
  drawn = picture && copy_into (canvas, picture, &small, &place);
  gst_clear_buffer (&picture);
  return drawn;
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
