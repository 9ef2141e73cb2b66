/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/value-kinds.h"

#include <string.h>

/* How deep values may be nested: each level takes stack in the reader. */
#define MAX_DEPTH 16
#define MAX_NAME 255
/* Stands for the refused name of a structure, until the caller drops that. */
#define NO_NAME "unknown"

static gboolean
is_list (guint8 kind)
{
  return kind == VALUE_LIST || kind == VALUE_ARRAY;
}

static GType
type_of_kind (guint8 kind)
{
  switch (kind) {
    case VALUE_INT:
      return G_TYPE_INT;
    case VALUE_UINT:
      return G_TYPE_UINT;
    case VALUE_INT64:
      return G_TYPE_INT64;
    case VALUE_UINT64:
      return G_TYPE_UINT64;
    case VALUE_BOOLEAN:
      return G_TYPE_BOOLEAN;
    case VALUE_FLOAT:
      return G_TYPE_FLOAT;
    case VALUE_DOUBLE:
      return G_TYPE_DOUBLE;
    case VALUE_STRING:
      return G_TYPE_STRING;
    case VALUE_FRACTION:
      return GST_TYPE_FRACTION;
    case VALUE_INT_RANGE:
      return GST_TYPE_INT_RANGE;
    case VALUE_INT64_RANGE:
      return GST_TYPE_INT64_RANGE;
    case VALUE_DOUBLE_RANGE:
      return GST_TYPE_DOUBLE_RANGE;
    case VALUE_FRACTION_RANGE:
      return GST_TYPE_FRACTION_RANGE;
    case VALUE_BITMASK:
      return GST_TYPE_BITMASK;
    case VALUE_LIST:
      return GST_TYPE_LIST;
    case VALUE_ARRAY:
      return GST_TYPE_ARRAY;
    case VALUE_STRUCTURE:
      return GST_TYPE_STRUCTURE;
    case VALUE_CAPS:
      return GST_TYPE_CAPS;
    case VALUE_TAG_LIST:
      return GST_TYPE_TAG_LIST;
    case VALUE_TOC:
      return GST_TYPE_TOC;
    case VALUE_DATE:
      return G_TYPE_DATE;
    case VALUE_DATE_TIME:
      return GST_TYPE_DATE_TIME;
    case VALUE_SEGMENT:
      return GST_TYPE_SEGMENT;
    case VALUE_BUFFER:
      return GST_TYPE_BUFFER;
    case VALUE_SAMPLE:
      return GST_TYPE_SAMPLE;
    default:
      return G_TYPE_INVALID;
  }
}

static guint8
kind_of_type (GType type)
{
  for (guint8 kind = VALUE_INT; kind <= VALUE_SAMPLE; kind++)
    if (type_of_kind (kind) == type)
      return kind;
  if (g_type_is_a (type, GST_TYPE_FLAG_SET))
    return VALUE_FLAG_SET;
  if (G_TYPE_IS_ENUM (type))
    return VALUE_ENUM;
  return G_TYPE_IS_FLAGS (type) ? VALUE_FLAGS : 0;
}

static gboolean
put_elements (GstByteWriter * w, const GValue * value,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  gboolean list = GST_VALUE_HOLDS_LIST (value);
  guint n = list ? gst_value_list_get_size (value)
      : gst_value_array_get_size (value);

  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++)
    if (!gst_shm_frame_wire_put_value (w, list
            ? gst_value_list_get_value (value, i)
            : gst_value_array_get_value (value, i), unserializable, depth + 1))
      return FALSE;
  return TRUE;
}

/* The type at the bottom of nested lists; G_TYPE_INVALID if they are empty. */
static GType
leaf_type (const GValue * value)
{
  while (GST_VALUE_HOLDS_LIST (value) || GST_VALUE_HOLDS_ARRAY (value)) {
    gboolean list = GST_VALUE_HOLDS_LIST (value);

    if ((list ? gst_value_list_get_size (value)
            : gst_value_array_get_size (value)) == 0)
      return G_TYPE_INVALID;
    value = list ? gst_value_list_get_value (value, 0)
        : gst_value_array_get_value (value, 0);
  }
  return G_VALUE_TYPE (value);
}

/* Whether GStreamer takes both types in one list: the same type, or a number
 * and a range of it. */
static gboolean
can_be_together (GType a, GType b)
{
  const GType numbers[] = { G_TYPE_INT, G_TYPE_INT64, G_TYPE_DOUBLE,
    GST_TYPE_FRACTION
  };
  const GType ranges[] = { GST_TYPE_INT_RANGE, GST_TYPE_INT64_RANGE,
    GST_TYPE_DOUBLE_RANGE, GST_TYPE_FRACTION_RANGE
  };

  if (a == b || a == G_TYPE_INVALID || b == G_TYPE_INVALID)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if ((a == numbers[i] && b == ranges[i])
        || (a == ranges[i] && b == numbers[i]))
      return TRUE;
  return FALSE;
}

static gboolean
get_elements (GstByteReader * r, guint8 kind, GValue * value, guint depth)
{
  GType first = G_TYPE_INVALID;
  guint32 n;

  if (!gst_byte_reader_get_uint32_le (r, &n))
    return FALSE;
  while (n-- > 0) {
    GValue element = G_VALUE_INIT;

    if (!gst_shm_frame_wire_get_value (r, &element, depth + 1))
      return FALSE;
    if (first == G_TYPE_INVALID)
      first = leaf_type (&element);
    if (!can_be_together (first, leaf_type (&element))) {
      g_value_unset (&element);
      return FALSE;
    }
    if (kind == VALUE_LIST)
      gst_value_list_append_and_take_value (value, &element);
    else
      gst_value_array_append_and_take_value (value, &element);
  }
  return TRUE;
}

static gboolean
put_boxed (GstByteWriter * w, const GValue * value, guint8 kind,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  gpointer boxed = kind == VALUE_STRING || is_list (kind) ? NULL
      : g_value_get_boxed (value);

  if (kind == VALUE_STRING) {
    gst_shm_frame_wire_put_string (w, g_value_get_string (value));
    return TRUE;
  }
  if (is_list (kind))
    return put_elements (w, value, unserializable, depth);
  if (boxed == NULL)
    return FALSE;
  switch (kind) {
    case VALUE_STRUCTURE:
      gst_shm_frame_wire_put_structure (w, boxed, unserializable, depth + 1);
      return TRUE;
    case VALUE_CAPS:
      return gst_shm_frame_wire_put_caps (w, boxed, unserializable, depth + 1);
    case VALUE_TAG_LIST:
      gst_shm_frame_wire_put_tags (w, boxed, unserializable, depth + 1);
      return TRUE;
    case VALUE_TOC:
      gst_shm_frame_wire_put_toc (w, boxed, unserializable, depth + 1);
      return TRUE;
    case VALUE_DATE:
      gst_byte_writer_put_uint32_le (w, g_date_get_julian (boxed));
      return TRUE;
    case VALUE_DATE_TIME:
      gst_shm_frame_wire_put_date_time_value (w, boxed);
      return TRUE;
    case VALUE_SEGMENT:
      gst_shm_frame_wire_put_segment (w, boxed);
      return TRUE;
    case VALUE_BUFFER:
      return gst_shm_frame_wire_put_buffer_value (w, boxed);
    default:
      return gst_shm_frame_wire_put_sample (w, boxed, unserializable,
          depth + 1);
  }
}

static gpointer
get_date (GstByteReader * r)
{
  guint32 julian;

  return gst_byte_reader_get_uint32_le (r, &julian)
      && g_date_valid_julian (julian) && julian < G_MAXINT32 / 2
      ? g_date_new_julian (julian) : NULL;
}

/* (transfer full) */
static gpointer
get_boxed (GstByteReader * r, guint8 kind, guint depth)
{
  GstSegment segment;

  switch (kind) {
    case VALUE_STRUCTURE:
      return gst_shm_frame_wire_get_structure (r, depth + 1);
    case VALUE_CAPS:
      return gst_shm_frame_wire_get_caps (r, depth + 1);
    case VALUE_TAG_LIST:
      return gst_shm_frame_wire_get_tags (r, depth + 1);
    case VALUE_TOC:
      return gst_shm_frame_wire_get_toc (r, depth + 1);
    case VALUE_DATE:
      return get_date (r);
    case VALUE_DATE_TIME:
      return gst_shm_frame_wire_get_date_time_value (r);
    case VALUE_SEGMENT:
      return gst_shm_frame_wire_get_segment (r, &segment)
          ? gst_segment_copy (&segment) : NULL;
    case VALUE_BUFFER:
      return gst_shm_frame_wire_get_buffer_value (r);
    default:
      return gst_shm_frame_wire_get_sample (r, depth + 1);
  }
}

gboolean
gst_shm_frame_wire_put_value (GstByteWriter * w, const GValue * value,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  guint8 kind = kind_of_type (G_VALUE_TYPE (value));
  guint at = gst_byte_writer_get_pos (w);
  gboolean ok = kind != 0 && depth < MAX_DEPTH;

  if (ok) {
    gst_byte_writer_put_uint8 (w, kind);
    if (gst_shm_frame_value_is_number (kind))
      gst_shm_frame_wire_put_number (w, value, kind);
    else if (gst_shm_frame_value_is_range (kind))
      gst_shm_frame_wire_put_range (w, value, kind);
    else if (gst_shm_frame_value_is_named (kind))
      gst_shm_frame_wire_put_named (w, value, kind);
    else
      ok = put_boxed (w, value, kind, unserializable, depth);
  }
  if (!ok)
    gst_byte_writer_set_pos (w, at);
  return ok;
}

static gboolean
get_of_kind (GstByteReader * r, guint8 kind, GValue * value, guint depth)
{
  gpointer boxed;
  gchar *string;

  if (gst_shm_frame_value_is_number (kind))
    return gst_shm_frame_wire_get_number (r, kind, value);
  if (gst_shm_frame_value_is_range (kind))
    return gst_shm_frame_wire_get_range (r, kind, value);
  if (is_list (kind))
    return get_elements (r, kind, value, depth);
  if (kind == VALUE_STRING) {
    if (!gst_shm_frame_wire_get_string (r, &string))
      return FALSE;
    g_value_take_string (value, string);
    return TRUE;
  }
  boxed = get_boxed (r, kind, depth);
  if (boxed != NULL)
    g_value_take_boxed (value, boxed);
  return boxed != NULL;
}

gboolean
gst_shm_frame_wire_get_value (GstByteReader * r, GValue * value, guint depth)
{
  guint8 kind;
  gboolean ok;

  if (depth >= MAX_DEPTH || !gst_byte_reader_get_uint8 (r, &kind))
    return FALSE;
  if (gst_shm_frame_value_is_named (kind))
    return gst_shm_frame_wire_get_named (r, kind, value);
  if (type_of_kind (kind) == G_TYPE_INVALID)
    return FALSE;
  g_value_init (value, type_of_kind (kind));
  ok = get_of_kind (r, kind, value, depth);
  if (!ok)
    g_value_unset (value);
  return ok;
}

gboolean
gst_shm_frame_wire_put_structure (GstByteWriter * w,
    const GstStructure * structure, GstShmFrameUnserializable * unserializable,
    guint depth)
{
  guint at, end;
  guint32 n = 0;
  gboolean all = TRUE;

  gst_shm_frame_wire_put_string (w, gst_structure_get_name (structure));
  at = gst_byte_writer_get_pos (w);
  gst_byte_writer_put_uint32_le (w, 0);
  for (gint i = 0; i < gst_structure_n_fields (structure); i++) {
    const gchar *name = gst_structure_nth_field_name (structure, i);
    const GValue *value = gst_structure_get_value (structure, name);
    guint before = gst_byte_writer_get_pos (w);

    gst_shm_frame_wire_put_string (w, name);
    if (gst_shm_frame_wire_put_value (w, value, unserializable, depth)) {
      n++;
    } else {
      gst_byte_writer_set_pos (w, before);
      gst_shm_frame_unserializable_note (unserializable, "a field of type",
          G_VALUE_TYPE_NAME (value));
      if (unserializable->field == NULL) {
        unserializable->field = name;
        unserializable->field_type = G_VALUE_TYPE_NAME (value);
      }
      all = FALSE;
    }
  }
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at);
  gst_byte_writer_put_uint32_le (w, n);
  gst_byte_writer_set_pos (w, end);
  return all;
}

static gboolean
is_structure_name (const gchar * name)
{
  if (name == NULL || !g_ascii_isalpha (name[0])
      /* GStreamer logs a warning for these. */
      || g_str_has_prefix (name, "video/x-raw-")
      || g_str_has_prefix (name, "audio/x-raw-"))
    return FALSE;
  for (; *name != '\0'; name++)
    if (!g_ascii_isalnum (*name) && strchr ("/-_.:+", *name) == NULL)
      return FALSE;
  return TRUE;
}

gboolean
gst_shm_frame_wire_is_name (const gchar * name)
{
  return name != NULL && name[0] != '\0' && strlen (name) <= MAX_NAME;
}

/* NULL if it can be no structure's name. */
static GstStructure *
new_structure (const gchar * name)
{
  if (!is_structure_name (name) || !gst_shm_frame_wire_is_name (name))
    return NULL;
  if (gst_shm_frame_names_admit (name))
    return gst_structure_new_empty (name);
  gst_shm_frame_names_current ()->refusals++;
  return gst_structure_new_empty (NO_NAME);
}

/* Adds the field, unless its name is refused, or one in its value was since
 * `mark`. Takes the value. */
static void
take_field (GstStructure * structure, const gchar * name, GValue * value,
    guint mark)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();

  if (names->refusals == mark && gst_shm_frame_names_admit (name)) {
    gst_structure_take_value (structure, name, value);
    return;
  }
  g_value_unset (value);
  names->refusals = mark;
  names->fields++;
}

GstStructure *
gst_shm_frame_wire_get_structure (GstByteReader * r, guint depth)
{
  GstStructure *structure = NULL;
  gchar *name;
  guint32 n;
  gboolean ok;

  if (depth < MAX_DEPTH && gst_shm_frame_wire_get_string (r, &name)) {
    structure = new_structure (name);
    g_free (name);
  }
  ok = structure != NULL && gst_byte_reader_get_uint32_le (r, &n);
  while (ok && n-- > 0) {
    guint mark = gst_shm_frame_names_current ()->refusals;
    GValue value = G_VALUE_INIT;

    ok = gst_shm_frame_wire_get_string (r, &name)
        && gst_shm_frame_wire_is_name (name)
        && gst_shm_frame_wire_get_value (r, &value, depth);
    if (ok)
      take_field (structure, name, &value, mark);
    g_free (name);
  }
  if (!ok)
    g_clear_pointer (&structure, gst_structure_free);
  return structure;
}
