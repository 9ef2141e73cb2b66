/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes numbers, and what consists of them. Reading accepts only what
 * GStreamer's setters take without a warning. */
#include "wire/value-kinds.h"

void
gst_shm_frame_wire_put_range (GstByteWriter * w, const GValue * value,
    guint8 kind)
{
  const GValue *min, *max;

  if (kind == VALUE_INT_RANGE) {
    gst_byte_writer_put_int32_le (w, gst_value_get_int_range_min (value));
    gst_byte_writer_put_int32_le (w, gst_value_get_int_range_max (value));
    gst_byte_writer_put_int32_le (w, gst_value_get_int_range_step (value));
  } else if (kind == VALUE_INT64_RANGE) {
    gst_byte_writer_put_int64_le (w, gst_value_get_int64_range_min (value));
    gst_byte_writer_put_int64_le (w, gst_value_get_int64_range_max (value));
    gst_byte_writer_put_int64_le (w, gst_value_get_int64_range_step (value));
  } else if (kind == VALUE_DOUBLE_RANGE) {
    gst_byte_writer_put_float64_le (w, gst_value_get_double_range_min (value));
    gst_byte_writer_put_float64_le (w, gst_value_get_double_range_max (value));
  } else {
    min = gst_value_get_fraction_range_min (value);
    max = gst_value_get_fraction_range_max (value);
    gst_byte_writer_put_int32_le (w, gst_value_get_fraction_numerator (min));
    gst_byte_writer_put_int32_le (w, gst_value_get_fraction_denominator (min));
    gst_byte_writer_put_int32_le (w, gst_value_get_fraction_numerator (max));
    gst_byte_writer_put_int32_le (w, gst_value_get_fraction_denominator (max));
  }
}

static gboolean
get_fraction (GstByteReader * r, gint32 * n, gint32 * d)
{
  return gst_byte_reader_get_int32_le (r, n)
      && gst_byte_reader_get_int32_le (r, d)
      && *d != 0 && *n > -G_MAXINT && *d > -G_MAXINT;
}

gboolean
gst_shm_frame_wire_get_range (GstByteReader * r, guint8 kind, GValue * value)
{
  gint32 a, b, c, d;
  gint64 min, max, step;
  gdouble low, high;

  if (kind == VALUE_INT_RANGE) {
    if (!gst_byte_reader_get_int32_le (r, &a)
        || !gst_byte_reader_get_int32_le (r, &b)
        || !gst_byte_reader_get_int32_le (r, &c)
        || a >= b || c <= 0 || a % c != 0 || b % c != 0)
      return FALSE;
    gst_value_set_int_range_step (value, a, b, c);
  } else if (kind == VALUE_INT64_RANGE) {
    if (!gst_byte_reader_get_int64_le (r, &min)
        || !gst_byte_reader_get_int64_le (r, &max)
        || !gst_byte_reader_get_int64_le (r, &step)
        || min >= max || step <= 0 || min % step != 0 || max % step != 0)
      return FALSE;
    gst_value_set_int64_range_step (value, min, max, step);
  } else if (kind == VALUE_DOUBLE_RANGE) {
    if (!gst_byte_reader_get_float64_le (r, &low)
        || !gst_byte_reader_get_float64_le (r, &high) || !(low < high))
      return FALSE;
    gst_value_set_double_range (value, low, high);
  } else {
    /* GStreamer makes denominators positive, which would reverse the order. */
    if (!get_fraction (r, &a, &b) || !get_fraction (r, &c, &d)
        || b < 0 || d < 0 || gst_util_fraction_compare (a, b, c, d) >= 0)
      return FALSE;
    gst_value_set_fraction_range_full (value, a, b, c, d);
  }
  return TRUE;
}

void
gst_shm_frame_wire_put_number (GstByteWriter * w, const GValue * value,
    guint8 kind)
{
  switch (kind) {
    case VALUE_INT:
      gst_byte_writer_put_int32_le (w, g_value_get_int (value));
      break;
    case VALUE_UINT:
      gst_byte_writer_put_uint32_le (w, g_value_get_uint (value));
      break;
    case VALUE_INT64:
      gst_byte_writer_put_int64_le (w, g_value_get_int64 (value));
      break;
    case VALUE_UINT64:
      gst_byte_writer_put_uint64_le (w, g_value_get_uint64 (value));
      break;
    case VALUE_BITMASK:
      gst_byte_writer_put_uint64_le (w, gst_value_get_bitmask (value));
      break;
    case VALUE_BOOLEAN:
      gst_byte_writer_put_uint8 (w, g_value_get_boolean (value));
      break;
    case VALUE_FLOAT:
      gst_byte_writer_put_float32_le (w, g_value_get_float (value));
      break;
    case VALUE_DOUBLE:
      gst_byte_writer_put_float64_le (w, g_value_get_double (value));
      break;
    default:
      gst_byte_writer_put_int32_le (w,
          gst_value_get_fraction_numerator (value));
      gst_byte_writer_put_int32_le (w,
          gst_value_get_fraction_denominator (value));
      break;
  }
}

gboolean
gst_shm_frame_wire_get_number (GstByteReader * r, guint8 kind, GValue * value)
{
  guint64 u64 = 0;
  guint32 u32 = 0;
  gint32 n, d;
  gfloat f = 0;
  gdouble number = 0;
  guint8 u8 = 0;
  gboolean ok;

  switch (kind) {
    case VALUE_INT:
      if ((ok = gst_byte_reader_get_uint32_le (r, &u32)))
        g_value_set_int (value, (gint32) u32);
      return ok;
    case VALUE_UINT:
      if ((ok = gst_byte_reader_get_uint32_le (r, &u32)))
        g_value_set_uint (value, u32);
      return ok;
    case VALUE_INT64:
      if ((ok = gst_byte_reader_get_uint64_le (r, &u64)))
        g_value_set_int64 (value, (gint64) u64);
      return ok;
    case VALUE_UINT64:
      if ((ok = gst_byte_reader_get_uint64_le (r, &u64)))
        g_value_set_uint64 (value, u64);
      return ok;
    case VALUE_BITMASK:
      if ((ok = gst_byte_reader_get_uint64_le (r, &u64)))
        gst_value_set_bitmask (value, u64);
      return ok;
    case VALUE_BOOLEAN:
      if ((ok = gst_byte_reader_get_uint8 (r, &u8)))
        g_value_set_boolean (value, u8 != 0);
      return ok;
    case VALUE_FLOAT:
      if ((ok = gst_byte_reader_get_float32_le (r, &f)))
        g_value_set_float (value, f);
      return ok;
    case VALUE_DOUBLE:
      if ((ok = gst_byte_reader_get_float64_le (r, &number)))
        g_value_set_double (value, number);
      return ok;
    default:
      if ((ok = get_fraction (r, &n, &d)))
        gst_value_set_fraction (value, n, d);
      return ok;
  }
}

void
gst_shm_frame_wire_put_named (GstByteWriter * w, const GValue * value,
    guint8 kind)
{
  gst_shm_frame_wire_put_string (w, G_VALUE_TYPE_NAME (value));
  if (kind == VALUE_FLAG_SET) {
    gst_byte_writer_put_uint32_le (w, gst_value_get_flagset_flags (value));
    gst_byte_writer_put_uint32_le (w, gst_value_get_flagset_mask (value));
  } else {
    gst_byte_writer_put_uint32_le (w, kind == VALUE_ENUM
        ? (guint32) g_value_get_enum (value) : g_value_get_flags (value));
  }
}

/* GStreamer logs a critical when it prints a value that its type does not
 * have. */
static gboolean
enum_has (GType type, gint number)
{
  GEnumClass *klass = g_type_class_ref (type);
  gboolean has = g_enum_get_value (klass, number) != NULL;

  g_type_class_unref (klass);
  return has;
}

/* Turns a type or a value that this process does not know into the nearest that
 * it does. */
gboolean
gst_shm_frame_wire_get_named (GstByteReader * r, guint8 kind, GValue * value)
{
  guint32 number = 0, mask = 0;
  gchar *name;
  GType type;

  if (!gst_shm_frame_wire_get_string (r, &name) || name == NULL)
    return FALSE;
  type = g_type_from_name (name);
  g_free (name);
  /* Abstract types have names too, but no values. */
  if (!G_TYPE_IS_VALUE (type))
    type = G_TYPE_INVALID;
  if (!gst_byte_reader_get_uint32_le (r, &number)
      || (kind == VALUE_FLAG_SET && !gst_byte_reader_get_uint32_le (r, &mask)))
    return FALSE;
  if (kind == VALUE_FLAG_SET) {
    g_value_init (value, type != 0 && g_type_is_a (type, GST_TYPE_FLAG_SET)
        ? type : GST_TYPE_FLAG_SET);
    gst_value_set_flagset (value, number & mask, mask);
  } else if (kind == VALUE_ENUM && G_TYPE_IS_ENUM (type)
      && enum_has (type, (gint) number)) {
    g_value_init (value, type);
    g_value_set_enum (value, (gint) number);
  } else if (kind == VALUE_FLAGS && G_TYPE_IS_FLAGS (type)) {
    g_value_init (value, type);
    g_value_set_flags (value, gst_shm_frame_wire_known_flags (type, number));
  } else {
    g_value_init (value, G_TYPE_UINT);
    g_value_set_uint (value, number);
  }
  return TRUE;
}

void
gst_shm_frame_wire_put_date_time_value (GstByteWriter * w,
    const GstDateTime * date)
{
  gdouble seconds = 0;

  gst_byte_writer_put_int32_le (w, gst_date_time_get_year (date));
  gst_byte_writer_put_int32_le (w, gst_date_time_has_month (date)
      ? gst_date_time_get_month (date) : -1);
  gst_byte_writer_put_int32_le (w, gst_date_time_has_day (date)
      ? gst_date_time_get_day (date) : -1);
  gst_byte_writer_put_int32_le (w, gst_date_time_has_time (date)
      ? gst_date_time_get_hour (date) : -1);
  gst_byte_writer_put_int32_le (w, gst_date_time_has_time (date)
      ? gst_date_time_get_minute (date) : -1);
  /* Add half a microsecond: the reader truncates the fraction. */
  if (gst_date_time_has_second (date))
    seconds = gst_date_time_get_second (date)
        + (gst_date_time_get_microsecond (date) + 0.5) / 1e6;
  else
    seconds = -1;
  gst_byte_writer_put_float64_le (w, seconds);
  gst_byte_writer_put_float64_le (w, gst_date_time_has_time (date)
      ? gst_date_time_get_time_zone_offset (date) : 0.0);
}

GstDateTime *
gst_shm_frame_wire_get_date_time_value (GstByteReader * r)
{
  gint32 year, month, day, hour, minute;
  gdouble seconds, zone;

  if (!gst_byte_reader_get_int32_le (r, &year)
      || !gst_byte_reader_get_int32_le (r, &month)
      || !gst_byte_reader_get_int32_le (r, &day)
      || !gst_byte_reader_get_int32_le (r, &hour)
      || !gst_byte_reader_get_int32_le (r, &minute)
      || !gst_byte_reader_get_float64_le (r, &seconds)
      || !gst_byte_reader_get_float64_le (r, &zone))
    return NULL;
  if (year < 1 || year > 9999 || month < -1 || month == 0 || month > 12
      || day < -1 || day == 0 || (day > 0 && (month < 0
              || !g_date_valid_dmy (day, month, year)))
      || hour < -1 || hour > 23 || minute < -1 || minute > 59
      || (hour < 0) != (minute < 0) || (hour >= 0 && day < 0)
      || !((seconds >= 0 && seconds < 60) || seconds == -1)
      || (seconds >= 0 && hour < 0) || !(zone >= -12 && zone <= 14))
    return NULL;
  return gst_date_time_new (zone, year, month, day, hour, minute, seconds);
}
