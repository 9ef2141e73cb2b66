/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes metas that say what is where in the picture, and when. */
#include <string.h>

#include "wire/meta.h"

typedef struct
{
  guint32 flags, format, id, width, height, n_planes;
  gsize offset[GST_VIDEO_MAX_PLANES];
  gint stride[GST_VIDEO_MAX_PLANES];
  GstVideoAlignment alignment;
} VideoFields;

static gboolean
read_video_fields (GstByteReader * r, VideoFields * f)
{
  gboolean ok = gst_byte_reader_get_uint32_le (r, &f->flags)
      && gst_byte_reader_get_uint32_le (r, &f->format)
      && gst_byte_reader_get_uint32_le (r, &f->id)
      && gst_byte_reader_get_uint32_le (r, &f->width)
      && gst_byte_reader_get_uint32_le (r, &f->height)
      && gst_byte_reader_get_uint32_le (r, &f->n_planes)
      && f->n_planes <= GST_VIDEO_MAX_PLANES;

  for (guint i = 0; ok && i < f->n_planes; i++) {
    guint64 offset = 0;

    ok = gst_byte_reader_get_uint64_le (r, &offset)
        && gst_byte_reader_get_int32_le (r, &f->stride[i]);
    f->offset[i] = offset;
  }
  ok = ok && gst_byte_reader_get_uint32_le (r, &f->alignment.padding_top)
      && gst_byte_reader_get_uint32_le (r, &f->alignment.padding_bottom)
      && gst_byte_reader_get_uint32_le (r, &f->alignment.padding_left)
      && gst_byte_reader_get_uint32_le (r, &f->alignment.padding_right);
  for (guint i = 0; ok && i < GST_VIDEO_MAX_PLANES; i++)
    ok = gst_byte_reader_get_uint32_le (r, &f->alignment.stride_align[i]);
  return ok;
}

/* The fewest bytes that the last row of a plane has: those of its widest
 * component. Formats that pack pixels across bytes have a pixel stride of 0;
 * for these, a whole row as GStreamer lays it out. */
static guint64
row_bytes_of (const GstVideoInfo * standard, guint plane)
{
  const GstVideoFormatInfo *info = standard->finfo;
  guint64 most = 0;

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (info); c++) {
    guint64 pixel = GST_VIDEO_FORMAT_INFO_PSTRIDE (info, c);
    guint64 width = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH (info, c,
        GST_VIDEO_INFO_WIDTH (standard));

    if (GST_VIDEO_FORMAT_INFO_PLANE (info, c) != plane)
      continue;
    if (pixel == 0)
      return (guint64) GST_VIDEO_INFO_PLANE_STRIDE (standard, plane);
    most = MAX (most, width * pixel);
  }
  return most;
}

static guint64
rows_of (const GstVideoInfo * standard, guint plane)
{
  gint comp[GST_VIDEO_MAX_COMPONENTS];

  gst_video_format_info_component (standard->finfo, plane, comp);
  return GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT (standard->finfo, comp[0],
      GST_VIDEO_INFO_HEIGHT (standard));
}

/* Whether a stride, which counts tiles here, covers the picture. Tiles that lie
 * in pairs need an even number of columns. */
static gboolean
tiles_cover (const GstVideoInfo * standard, guint plane, gint stride)
{
  gint least = GST_VIDEO_INFO_PLANE_STRIDE (standard, plane);

  return GST_VIDEO_TILE_X_TILES (stride) >= GST_VIDEO_TILE_X_TILES (least)
      && GST_VIDEO_TILE_Y_TILES (stride) >= GST_VIDEO_TILE_Y_TILES (least)
      && (GST_VIDEO_FORMAT_INFO_TILE_MODE (standard->finfo)
      != GST_VIDEO_TILE_MODE_ZFLIPZ_2X2
      || GST_VIDEO_TILE_X_TILES (stride) % 2 == 0);
}

/* The bytes of a plane; G_MAXUINT64 if no such picture can have this stride. */
static guint64
plane_bytes (const GstVideoInfo * standard, guint plane, gint stride)
{
  const GstVideoFormatInfo *info = standard->finfo;
  guint64 rows;

  if (stride <= 0)
    return G_MAXUINT64;
  if (GST_VIDEO_FORMAT_INFO_HAS_PALETTE (info) && plane == 1)
    return 256 * 4;
  if (GST_VIDEO_FORMAT_INFO_IS_TILED (info))
    return tiles_cover (standard, plane, stride)
        ? (guint64) GST_VIDEO_TILE_X_TILES (stride)
        * GST_VIDEO_TILE_Y_TILES (stride) * info->tile_info[plane].size
        : G_MAXUINT64;
  rows = rows_of (standard, plane);
  return rows == 0 ? G_MAXUINT64
      : (rows - 1) * (guint64) stride + row_bytes_of (standard, plane);
}

/* GStreamer's functions log a critical for a number that is none of its
 * formats. */
static gboolean
is_format (guint32 number)
{
  GEnumClass *formats = g_type_class_ref (GST_TYPE_VIDEO_FORMAT);
  gboolean known = g_enum_get_value (formats, (gint) number) != NULL;

  g_type_class_unref (formats);
  return known && number > GST_VIDEO_FORMAT_ENCODED;
}

/* Whether every byte that a user of this meta may touch, the rows of each plane
 * at these strides, lies in the buffer. */
static gboolean
check_video_fields (const VideoFields * f, gsize size)
{
  GstVideoInfo standard;

  if (!is_format (f->format) || f->width == 0 || f->height == 0
      || f->width > G_MAXINT16 || f->height > G_MAXINT16
      || !gst_video_info_set_format (&standard, f->format, f->width, f->height)
      || f->n_planes != GST_VIDEO_INFO_N_PLANES (&standard))
    return FALSE;
  for (guint p = 0; p < f->n_planes; p++)
    if (f->offset[p] > size
        || plane_bytes (&standard, p, f->stride[p]) > size - f->offset[p])
      return FALSE;
  return TRUE;
}

/* The same, quicker: the frames of a stream mostly have the fields of the one
 * before. */
static gboolean
video_fields_fit (const VideoFields * f, gsize size)
{
  static _Thread_local VideoFields last;
  static _Thread_local gsize last_size;

  if (last.width > 0 && size == last_size
      && memcmp (f, &last, sizeof (last)) == 0)
    return TRUE;
  if (!check_video_fields (f, size))
    return FALSE;
  last = *f;
  last_size = size;
  return TRUE;
}

gboolean
gst_shm_frame_wire_put_video_meta (GstByteWriter * w,
    const GstVideoMeta * m, GstBuffer * buffer)
{
  VideoFields f = {
    .format = m->format,
    .width = m->width,
    .height = m->height,
    .n_planes = m->n_planes,
  };

  memcpy (f.offset, m->offset, sizeof (f.offset));
  memcpy (f.stride, m->stride, sizeof (f.stride));
  /* The receiver would refuse the whole frame. */
  if (!video_fields_fit (&f, gst_buffer_get_size (buffer)))
    return FALSE;
  gst_byte_writer_put_uint32_le (w, m->flags);
  gst_byte_writer_put_uint32_le (w, m->format);
  gst_byte_writer_put_uint32_le (w, m->id);
  gst_byte_writer_put_uint32_le (w, m->width);
  gst_byte_writer_put_uint32_le (w, m->height);
  gst_byte_writer_put_uint32_le (w, m->n_planes);
  for (guint i = 0; i < m->n_planes; i++) {
    gst_byte_writer_put_uint64_le (w, m->offset[i]);
    gst_byte_writer_put_int32_le (w, m->stride[i]);
  }
  gst_byte_writer_put_uint32_le (w, m->alignment.padding_top);
  gst_byte_writer_put_uint32_le (w, m->alignment.padding_bottom);
  gst_byte_writer_put_uint32_le (w, m->alignment.padding_left);
  gst_byte_writer_put_uint32_le (w, m->alignment.padding_right);
  for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
    gst_byte_writer_put_uint32_le (w, m->alignment.stride_align[i]);
  return TRUE;
}

gboolean
gst_shm_frame_wire_get_video_meta (GstByteReader * r, GstBuffer * buffer)
{
  VideoFields f = { 0 };
  GstVideoMeta *meta;

  if (!read_video_fields (r, &f)
      || !video_fields_fit (&f, gst_buffer_get_size (buffer)))
    return FALSE;
  meta = gst_buffer_add_video_meta_full (buffer, f.flags, f.format, f.width,
      f.height, f.n_planes, f.offset, f.stride);
  if (meta == NULL)
    return FALSE;
  meta->id = f.id;
  meta->alignment = f.alignment;
  return TRUE;
}

gboolean
gst_shm_frame_wire_crop_fits (GstBuffer * buffer)
{
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (buffer);
  const GstVideoMeta *video = gst_buffer_get_video_meta (buffer);
  guint width = video != NULL ? video->width : G_MAXINT16;
  guint height = video != NULL ? video->height : G_MAXINT16;

  return crop == NULL || (crop->x <= width && crop->y <= height
      && crop->width <= width - crop->x && crop->height <= height - crop->y);
}

gboolean
gst_shm_frame_wire_put_crop_meta (GstByteWriter * w,
    const GstVideoCropMeta * meta, GstBuffer * buffer)
{
  if (!gst_shm_frame_wire_crop_fits (buffer)
      || meta != gst_buffer_get_video_crop_meta (buffer))
    return FALSE;
  gst_byte_writer_put_uint32_le (w, meta->x);
  gst_byte_writer_put_uint32_le (w, meta->y);
  gst_byte_writer_put_uint32_le (w, meta->width);
  gst_byte_writer_put_uint32_le (w, meta->height);
  return TRUE;
}

gboolean
gst_shm_frame_wire_get_crop_meta (GstByteReader * r, GstBuffer * buffer)
{
  guint32 x, y, width, height;
  GstVideoCropMeta *meta;

  if (!gst_byte_reader_get_uint32_le (r, &x)
      || !gst_byte_reader_get_uint32_le (r, &y)
      || !gst_byte_reader_get_uint32_le (r, &width)
      || !gst_byte_reader_get_uint32_le (r, &height)
      || gst_buffer_get_video_crop_meta (buffer) != NULL)
    return FALSE;
  meta = gst_buffer_add_video_crop_meta (buffer);
  meta->x = x;
  meta->y = y;
  meta->width = width;
  meta->height = height;
  return TRUE;
}

void
gst_shm_frame_wire_put_roi_meta (GstByteWriter * w,
    const GstVideoRegionOfInterestMeta * meta,
    GstShmFrameUnserializable * unserializable)
{
  gst_shm_frame_wire_put_string (w, g_quark_to_string (meta->roi_type));
  gst_byte_writer_put_int32_le (w, meta->id);
  gst_byte_writer_put_int32_le (w, meta->parent_id);
  gst_byte_writer_put_uint32_le (w, meta->x);
  gst_byte_writer_put_uint32_le (w, meta->y);
  gst_byte_writer_put_uint32_le (w, meta->w);
  gst_byte_writer_put_uint32_le (w, meta->h);
  gst_byte_writer_put_uint32_le (w, g_list_length (meta->params));
  for (GList * l = meta->params; l != NULL; l = l->next)
    gst_shm_frame_wire_put_structure (w, l->data, unserializable, 0);
}

/* Reads the fields after the type into `roi`. */
static gboolean
get_roi (GstByteReader * r, GstVideoRegionOfInterestMeta * roi)
{
  guint32 id, parent, n;
  gboolean ok = gst_byte_reader_get_uint32_le (r, &id)
      && gst_byte_reader_get_uint32_le (r, &parent)
      && gst_byte_reader_get_uint32_le (r, &roi->x)
      && gst_byte_reader_get_uint32_le (r, &roi->y)
      && gst_byte_reader_get_uint32_le (r, &roi->w)
      && gst_byte_reader_get_uint32_le (r, &roi->h)
      && gst_byte_reader_get_uint32_le (r, &n);

  if (!ok)
    return FALSE;
  roi->id = (gint) id;
  roi->parent_id = (gint) parent;
  while (ok && n-- > 0) {
    GstStructure *param = gst_shm_frame_wire_get_structure (r, 0);

    ok = param != NULL;
    if (ok)
      roi->params = g_list_prepend (roi->params, param);
  }
  roi->params = g_list_reverse (roi->params);
  return ok;
}

static void
add_roi (GstBuffer * buffer, const gchar * type,
    GstVideoRegionOfInterestMeta * roi)
{
  GstVideoRegionOfInterestMeta *meta =
      gst_buffer_add_video_region_of_interest_meta_id (buffer,
      g_quark_from_string (type), roi->x, roi->y, roi->w, roi->h);

  meta->id = roi->id;
  meta->parent_id = roi->parent_id;
  meta->params = g_steal_pointer (&roi->params);
}

gboolean
gst_shm_frame_wire_get_roi_meta (GstByteReader * r, GstBuffer * buffer)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();
  GstVideoRegionOfInterestMeta roi = { 0 };
  guint mark = names->refusals;
  gchar *type;
  gboolean ok = gst_shm_frame_wire_get_string (r, &type)
      && (type == NULL || gst_shm_frame_wire_is_name (type))
      && get_roi (r, &roi);

  if (ok && type != NULL && !gst_shm_frame_names_admit (type))
    names->refusals++;
  if (ok && names->refusals == mark)
    add_roi (buffer, type, &roi);
  g_list_free_full (roi.params, (GDestroyNotify) gst_structure_free);
  g_free (type);
  return ok;
}

gboolean
gst_shm_frame_wire_put_time_code_meta (GstByteWriter * w,
    const GstVideoTimeCodeMeta * meta)
{
  const GstVideoTimeCode *tc = &meta->tc;

  if (!gst_video_time_code_is_valid (tc))
    return FALSE;
  gst_byte_writer_put_uint32_le (w, tc->config.fps_n);
  gst_byte_writer_put_uint32_le (w, tc->config.fps_d);
  gst_byte_writer_put_uint32_le (w, tc->config.flags);
  gst_byte_writer_put_uint32_le (w, tc->hours);
  gst_byte_writer_put_uint32_le (w, tc->minutes);
  gst_byte_writer_put_uint32_le (w, tc->seconds);
  gst_byte_writer_put_uint32_le (w, tc->frames);
  gst_byte_writer_put_uint32_le (w, tc->field_count);
  gst_byte_writer_put_uint8 (w, tc->config.latest_daily_jam != NULL);
  if (tc->config.latest_daily_jam != NULL)
    gst_shm_frame_wire_put_date_time (w, tc->config.latest_daily_jam);
  return TRUE;
}

gboolean
gst_shm_frame_wire_get_time_code_meta (GstByteReader * r, GstBuffer * buffer)
{
  guint32 fps_n, fps_d, flags, h, m, s, frames, field_count;
  GDateTime *jam = NULL;
  GstVideoTimeCode *tc;
  guint8 has_jam;
  gboolean ok;

  if (!gst_byte_reader_get_uint32_le (r, &fps_n)
      || !gst_byte_reader_get_uint32_le (r, &fps_d)
      || !gst_byte_reader_get_uint32_le (r, &flags)
      || !gst_byte_reader_get_uint32_le (r, &h)
      || !gst_byte_reader_get_uint32_le (r, &m)
      || !gst_byte_reader_get_uint32_le (r, &s)
      || !gst_byte_reader_get_uint32_le (r, &frames)
      || !gst_byte_reader_get_uint32_le (r, &field_count)
      || !gst_byte_reader_get_uint8 (r, &has_jam)
      || (has_jam && (jam = gst_shm_frame_wire_get_date_time (r)) == NULL))
    return FALSE;
  tc = gst_video_time_code_new_empty ();
  gst_video_time_code_init (tc, fps_n, fps_d, jam, flags, h, m, s, frames,
      field_count);
  ok = gst_video_time_code_is_valid (tc)
      && gst_buffer_add_video_time_code_meta (buffer, tc) != NULL;
  gst_video_time_code_free (tc);
  g_clear_pointer (&jam, g_date_time_unref);
  return ok;
}
