/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all else is made of: blocks of bytes, strings, segments, dates. Also
 * keeps account of what was left out. */
#include <string.h>

#include "wire/value.h"

#define GST_CAT_DEFAULT gst_shm_frame_wire_debug ()

GstDebugCategory *
gst_shm_frame_wire_debug (void)
{
  static GstDebugCategory *category;
  static gsize is_made;

  if (g_once_init_enter (&is_made)) {
    GST_DEBUG_CATEGORY_INIT (category, "shmframewire", 0,
        "what cannot be serialized for other processes");
    g_once_init_leave (&is_made, 1);
  }
  return category;
}

void
gst_shm_frame_unserializable_init (GstShmFrameUnserializable * unserializable,
    GstObject * owner)
{
  unserializable->owner = owner;
  unserializable->reported = g_hash_table_new (g_str_hash, g_str_equal);
  unserializable->metas = 0;
  unserializable->dry_run = FALSE;
  unserializable->incomplete = unserializable->did_not_fit = FALSE;
  unserializable->field = unserializable->field_type = NULL;
}

void
gst_shm_frame_unserializable_clear (GstShmFrameUnserializable * unserializable)
{
  g_clear_pointer (&unserializable->reported, g_hash_table_unref);
}

gboolean
gst_shm_frame_unserializable_note (GstShmFrameUnserializable * unserializable,
    const gchar * what, const gchar * kind)
{
  gboolean first;
  gchar *text;

  unserializable->incomplete = TRUE;
  if (unserializable->dry_run)
    return FALSE;
  text = g_strdup_printf ("%s %s", what, kind);
  first = g_hash_table_add (unserializable->reported,
      (gpointer) g_intern_string (text));
  if (first)
    GST_WARNING_OBJECT (unserializable->owner,
        "%s does not cross, and is left out (from now on at level LOG)", text);
  else
    GST_LOG_OBJECT (unserializable->owner, "left out: %s", text);
  g_free (text);
  return first;
}

void
gst_shm_frame_unserializable_note_meta (GstShmFrameUnserializable *
    unserializable, const GstMeta * meta, gboolean did_not_fit)
{
  const gchar *name = g_type_name (meta->info->type);

  unserializable->incomplete = TRUE;
  unserializable->did_not_fit |= did_not_fit;
  if (unserializable->dry_run)
    return;
  unserializable->metas++;
  if (gst_shm_frame_unserializable_note (unserializable,
          did_not_fit ? "for want of space, the meta" : "the meta", name)
      && did_not_fit)
    GST_ELEMENT_WARNING (unserializable->owner, STREAM, ENCODE,
        ("There is no room for all metas of a frame or batch, and some of type "
            "%s are left out; metas-dropped in stats counts them. Attach "
            "fewer, or batch shorter windows.", name), (NULL));
}

gboolean
gst_shm_frame_wire_is_complete (const GstByteWriter * w)
{
  return gst_byte_writer_get_remaining (w) >= sizeof (guint64);
}

static void
put_block (GstByteWriter * w, gconstpointer data, gsize size)
{
  guint rest = gst_byte_writer_get_remaining (w);

  if (size <= rest)
    gst_byte_writer_put_data (w, data, size);
  else
    gst_byte_writer_fill (w, 0, rest);
}

void
gst_shm_frame_wire_put_bytes (GstByteWriter * w, gconstpointer data, gsize size)
{
  gst_byte_writer_put_uint32_le (w, size);
  if (size > 0)
    put_block (w, data, size);
}

gboolean
gst_shm_frame_wire_get_bytes (GstByteReader * r, const guint8 ** data,
    guint32 * size)
{
  return gst_byte_reader_get_uint32_le (r, size)
      && gst_byte_reader_get_data (r, *size, data);
}

void
gst_shm_frame_wire_put_string (GstByteWriter * w, const gchar * string)
{
  gchar *valid = NULL;

  /* The reader refuses anything else. */
  if (string != NULL && !g_utf8_validate (string, -1, NULL))
    string = valid = g_utf8_make_valid (string, -1);
  gst_shm_frame_wire_put_bytes (w, string,
      string != NULL ? strlen (string) + 1 : 0);
  g_free (valid);
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

void
gst_shm_frame_wire_put_date_time (GstByteWriter * w, GDateTime * date)
{
  gst_byte_writer_put_int64_le (w, g_date_time_to_unix (date));
  gst_byte_writer_put_uint32_le (w, g_date_time_get_microsecond (date));
  gst_byte_writer_put_int32_le (w, g_date_time_get_utc_offset (date)
      / G_TIME_SPAN_SECOND);
}

GDateTime *
gst_shm_frame_wire_get_date_time (GstByteReader * r)
{
  GDateTime *utc, *exact, *date;
  GTimeZone *zone;
  gint64 seconds;
  guint32 us;
  gint32 offset;

  if (!gst_byte_reader_get_int64_le (r, &seconds)
      || !gst_byte_reader_get_uint32_le (r, &us)
      || !gst_byte_reader_get_int32_le (r, &offset)
      || us >= G_USEC_PER_SEC || ABS ((gint64) offset) >= 24 * 60 * 60)
    return NULL;
  /* NULL outside the years 1 to 9999. */
  utc = g_date_time_new_from_unix_utc (seconds);
  if (utc == NULL)
    return NULL;
  zone = g_time_zone_new_offset (offset);
  exact = g_date_time_add (utc, us);
  date = exact != NULL ? g_date_time_to_timezone (exact, zone) : NULL;
  g_clear_pointer (&exact, g_date_time_unref);
  g_time_zone_unref (zone);
  g_date_time_unref (utc);
  return date;
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

/* GStreamer's functions on segments fail assertions otherwise: `offset`, what
 * was played of it, lies in it, and playing backwards has a place to begin
 * at. */
static gboolean
segment_makes_sense (const GstSegment * s)
{
  guint64 stop = s->stop;

  if (s->start == GST_CLOCK_TIME_NONE)
    return FALSE;
  if (stop == GST_CLOCK_TIME_NONE && s->rate < 0.0) {
    if (s->duration >= GST_CLOCK_TIME_NONE - s->start)
      return FALSE;
    stop = s->start + s->duration;
  }
  return stop >= s->start && s->offset <= stop - s->start;
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
  s->flags = gst_shm_frame_wire_known_flags (GST_TYPE_SEGMENT_FLAGS, flags);
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

guint32
gst_shm_frame_wire_known_flags (GType type, guint32 bits)
{
  GFlagsClass *klass = g_type_class_ref (type);

  bits &= klass->mask;
  g_type_class_unref (klass);
  return bits;
}
