/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstshmframewire.h"

#include <string.h>
#include <gst/video/video.h>

/* Metas by number on the wire, since their names are a process's own affair. */
enum
{
  META_VIDEO = 1,
};

void
gst_shm_frame_wire_put_stamp (GstByteWriter * w, const GstShmFrameStamp * stamp)
{
  gst_byte_writer_put_uint32_le (w, stamp->kind);
  gst_byte_writer_put_uint64_le (w, stamp->capture_time);
  gst_byte_writer_put_uint64_le (w, stamp->publish_time);
}

gboolean
gst_shm_frame_wire_get_stamp (GstByteReader * r, GstShmFrameStamp * stamp)
{
  return gst_byte_reader_get_uint32_le (r, &stamp->kind)
      && gst_byte_reader_get_uint64_le (r, &stamp->capture_time)
      && gst_byte_reader_get_uint64_le (r, &stamp->publish_time)
      && (stamp->kind == GST_SHM_FRAME_KIND_BUFFER
      || stamp->kind == GST_SHM_FRAME_KIND_BATCH);
}

void
gst_shm_frame_wire_put_string (GstByteWriter * w, const gchar * string)
{
  gsize size = string != NULL ? strlen (string) + 1 : 0;

  gst_byte_writer_put_uint32_le (w, size);
  if (size > 0)
    gst_byte_writer_put_data (w, (const guint8 *) string, size);
}

gboolean
gst_shm_frame_wire_get_string (GstByteReader * r, gchar ** string)
{
  const guint8 *data;
  guint32 size;

  *string = NULL;
  if (!gst_byte_reader_get_uint32_le (r, &size))
    return FALSE;
  if (size == 0)
    return TRUE;
  if (!gst_byte_reader_get_data (r, size, &data) || data[size - 1] != '\0'
      || strlen ((const gchar *) data) != size - 1
      || !g_utf8_validate ((const gchar *) data, size - 1, NULL))
    return FALSE;
  *string = g_strdup ((const gchar *) data);
  return TRUE;
}

/* GStreamer parses lists, arrays and structures within each other by recursion,
 * and a record has room for more of them than a stack. A bracket in quotes counts
 * as well: what is quoted may be parsed in its turn. */
#define MAX_BRACKETS 1000

gboolean
gst_shm_frame_wire_get_text (GstByteReader * r, gchar ** text)
{
  guint n = 0;

  if (!gst_shm_frame_wire_get_string (r, text))
    return FALSE;
  for (const gchar * c = *text; c != NULL && *c != '\0'; c++)
    n += *c == '<' || *c == '{' || *c == '[';
  if (n > MAX_BRACKETS)
    g_clear_pointer (text, g_free);
  return n <= MAX_BRACKETS;
}

void
gst_shm_frame_wire_put_segment (GstByteWriter * w, const GstSegment * s)
{
  gst_byte_writer_put_uint32_le (w, s->flags);
  gst_byte_writer_put_float64_le (w, s->rate);
  gst_byte_writer_put_float64_le (w, s->applied_rate);
  gst_byte_writer_put_uint32_le (w, s->format);
  gst_byte_writer_put_uint64_le (w, s->base);
  gst_byte_writer_put_uint64_le (w, s->offset);
  gst_byte_writer_put_uint64_le (w, s->start);
  gst_byte_writer_put_uint64_le (w, s->stop);
  gst_byte_writer_put_uint64_le (w, s->time);
  gst_byte_writer_put_uint64_le (w, s->position);
  gst_byte_writer_put_uint64_le (w, s->duration);
}

static gboolean
is_rate (gdouble rate)
{
  return rate != 0.0 && rate > -1e6 && rate < 1e6;
}

/* As gst_segment_do_seek() would leave it; playing backwards begins somewhere. */
static gboolean
segment_makes_sense (const GstSegment * s)
{
  if (s->format != GST_FORMAT_UNDEFINED && s->start == G_MAXUINT64)
    return FALSE;
  if (s->stop != G_MAXUINT64)
    return s->stop >= s->start;
  return s->rate > 0.0 || s->duration != G_MAXUINT64;
}

gboolean
gst_shm_frame_wire_get_segment (GstByteReader * r, GstSegment * s)
{
  guint32 flags, format;
  gdouble rate, applied_rate;

  if (!gst_byte_reader_get_uint32_le (r, &flags)
      || !gst_byte_reader_get_float64_le (r, &rate)
      || !gst_byte_reader_get_float64_le (r, &applied_rate)
      || !gst_byte_reader_get_uint32_le (r, &format)
      || format > GST_FORMAT_PERCENT || !is_rate (rate)
      || !is_rate (applied_rate))
    return FALSE;
  gst_segment_init (s, format);
  s->flags = flags;
  s->rate = rate;
  s->applied_rate = applied_rate;
  return gst_byte_reader_get_uint64_le (r, &s->base)
      && gst_byte_reader_get_uint64_le (r, &s->offset)
      && gst_byte_reader_get_uint64_le (r, &s->start)
      && gst_byte_reader_get_uint64_le (r, &s->stop)
      && gst_byte_reader_get_uint64_le (r, &s->time)
      && gst_byte_reader_get_uint64_le (r, &s->position)
      && gst_byte_reader_get_uint64_le (r, &s->duration)
      && segment_makes_sense (s);
}

static void
put_video_meta (GstByteWriter * w, const GstVideoMeta * m)
{
  gst_byte_writer_put_uint32_le (w, META_VIDEO);
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
}

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

/* The bytes that the last row of a plane has at least: those of the component
 * that reaches farthest. Formats that pack pixels across bytes say 0 to a pixel;
 * for these it is all of a row as GStreamer would lay it out. */
static guint64
row_bytes_of (const GstVideoFormatInfo * info, const VideoFields * f,
    guint plane)
{
  GstVideoInfo standard;
  guint64 most = 0;

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (info); c++) {
    guint64 pixel = GST_VIDEO_FORMAT_INFO_PSTRIDE (info, c);
    guint64 width = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH (info, c, f->width);

    if (GST_VIDEO_FORMAT_INFO_PLANE (info, c) != plane)
      continue;
    if (pixel == 0)
      return gst_video_info_set_format (&standard, f->format, f->width,
          f->height) ? GST_VIDEO_INFO_PLANE_STRIDE (&standard,
          plane) : G_MAXUINT32;
    most = MAX (most, width * pixel);
  }
  return most;
}

static guint64
rows_of (const GstVideoFormatInfo * info, const VideoFields * f, guint plane)
{
  gint comp[GST_VIDEO_MAX_COMPONENTS];

  gst_video_format_info_component (info, plane, comp);
  return GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT (info, comp[0], f->height);
}

/* Every byte that a reader of this meta may touch lies in the buffer: the rows
 * of each plane, at these strides. The strides of tiled formats count tiles. */
static gboolean
video_fields_fit (const VideoFields * f, gsize size)
{
  const GstVideoFormatInfo *info;

  if (f->format <= GST_VIDEO_FORMAT_ENCODED || f->width == 0
      || f->height == 0 || f->width > G_MAXINT16 || f->height > G_MAXINT16
      || gst_video_format_to_string (f->format) == NULL)
    return FALSE;
  info = gst_video_format_get_info (f->format);
  if (info == NULL || f->n_planes != GST_VIDEO_FORMAT_INFO_N_PLANES (info))
    return FALSE;
  for (guint p = 0; p < f->n_planes; p++) {
    guint64 rows, row_bytes, stride = f->stride[p];

    if (GST_VIDEO_FORMAT_INFO_HAS_PALETTE (info) && p == 1) {
      rows = 1;
      row_bytes = 256 * 4;
    } else if (GST_VIDEO_FORMAT_INFO_IS_TILED (info)) {
      rows = GST_VIDEO_TILE_Y_TILES (f->stride[p]);
      stride = (guint64) GST_VIDEO_TILE_X_TILES (f->stride[p])
          * info->tile_info[p].size;
      row_bytes = stride;
    } else {
      rows = rows_of (info, f, p);
      row_bytes = row_bytes_of (info, f, p);
    }
    if (f->stride[p] <= 0 || f->offset[p] > size || rows == 0
        || (rows - 1) * stride + row_bytes > size - f->offset[p])
      return FALSE;
  }
  return TRUE;
}

static gboolean
get_video_meta (GstByteReader * r, GstBuffer * buffer)
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

static void
put_metas (GstByteWriter * w, GstBuffer * buffer)
{
  guint at = gst_byte_writer_get_pos (w);
  guint32 n = 0;
  gpointer state = NULL;
  GstMeta *meta;
  guint end;

  gst_byte_writer_put_uint32_le (w, 0);
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL) {
    if (meta->info->api == GST_VIDEO_META_API_TYPE) {
      put_video_meta (w, (GstVideoMeta *) meta);
      n++;
    }
  }
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at);
  gst_byte_writer_put_uint32_le (w, n);
  gst_byte_writer_set_pos (w, end);
}

static gboolean
get_metas (GstByteReader * r, GstBuffer * buffer)
{
  guint32 n, type;

  if (!gst_byte_reader_get_uint32_le (r, &n))
    return FALSE;
  while (n-- > 0) {
    if (!gst_byte_reader_get_uint32_le (r, &type) || type != META_VIDEO
        || !get_video_meta (r, buffer))
      return FALSE;
  }
  return TRUE;
}

/* Flags that say something of this process's memory, not of the frame. */
#define LOCAL_FLAGS GST_BUFFER_FLAG_TAG_MEMORY

gboolean
gst_shm_frame_wire_put_buffer (GstByteWriter * w, GArray * parts,
    GstBuffer * buffer)
{
  guint n = gst_buffer_n_memory (buffer);

  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++) {
    struct sf_part part;

    if (!gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, i),
            &part))
      return FALSE;
    g_array_append_val (parts, part);
  }
  gst_byte_writer_put_uint32_le (w, GST_BUFFER_FLAGS (buffer) & ~LOCAL_FLAGS);
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_PTS (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_DTS (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_DURATION (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_OFFSET (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_OFFSET_END (buffer));
  put_metas (w, buffer);
  /* A writer of fixed size drops what does not fit: if room is left, it all
   * did. */
  return gst_byte_writer_get_remaining (w) > 0;
}

GstBuffer *
gst_shm_frame_wire_get_buffer (GstByteReader * r, struct sf_lease * lease,
    const struct sf_incoming_part ** parts, const struct sf_incoming_part * end)
{
  GstBuffer *buffer;
  guint32 n, flags = 0;

  if (!gst_byte_reader_get_uint32_le (r, &n)
      || n > gst_buffer_get_max_memory () || n > (gsize) (end - *parts))
    return NULL;
  buffer = gst_buffer_new ();
  for (guint i = 0; i < n; i++)
    gst_buffer_append_memory (buffer,
        gst_shm_frame_memory_new_part ((*parts)++, lease));
  if (!gst_byte_reader_get_uint32_le (r, &flags)
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_PTS (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_DTS (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_DURATION (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_OFFSET (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_OFFSET_END (buffer))
      || !get_metas (r, buffer)) {
    gst_buffer_unref (buffer);
    return NULL;
  }
  /* Set by adding the memories, which is not tampering. */
  GST_BUFFER_FLAG_UNSET (buffer, LOCAL_FLAGS);
  /* The low bits are the mini object's own. */
  GST_BUFFER_FLAGS (buffer) |= flags & ~((GST_MINI_OBJECT_FLAG_LAST - 1)
      | LOCAL_FLAGS);
  return buffer;
}

gboolean
gst_shm_frame_wire_is_shared (GstBuffer * buffer)
{
  guint n = gst_buffer_n_memory (buffer);
  struct sf_part part;

  for (guint i = 0; i < n; i++)
    if (!gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, i),
            &part))
      return FALSE;
  return n > 0;
}
