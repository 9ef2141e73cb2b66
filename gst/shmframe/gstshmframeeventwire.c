/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstshmframewire.h"

static void
put_stream_start (GstByteWriter * w, GstEvent * event)
{
  const gchar *id;
  GstStreamFlags flags;
  guint group = GST_GROUP_ID_INVALID;

  gst_event_parse_stream_start (event, &id);
  gst_event_parse_stream_flags (event, &flags);
  gst_event_parse_group_id (event, &group);
  gst_shm_frame_wire_put_string (w, id);
  gst_byte_writer_put_uint32_le (w, flags);
  gst_byte_writer_put_uint32_le (w, group);
}

static GstEvent *
get_stream_start (GstByteReader * r)
{
  GstEvent *event = NULL;
  guint32 flags, group;
  gchar *id;

  if (gst_shm_frame_wire_get_string (r, &id) && id != NULL
      && gst_byte_reader_get_uint32_le (r, &flags)
      && gst_byte_reader_get_uint32_le (r, &group)) {
    event = gst_event_new_stream_start (id);
    gst_event_set_stream_flags (event, flags);
    if (group != GST_GROUP_ID_INVALID)
      gst_event_set_group_id (event, group);
  }
  g_free (id);
  return event;
}

static void
put_caps (GstByteWriter * w, GstEvent * event)
{
  GstCaps *caps;
  gchar *string;

  gst_event_parse_caps (event, &caps);
  string = gst_caps_to_string (caps);
  gst_shm_frame_wire_put_string (w, string);
  g_free (string);
}

static GstEvent *
get_caps (GstByteReader * r)
{
  GstEvent *event = NULL;
  GstCaps *caps = NULL;
  gchar *string;

  if (gst_shm_frame_wire_get_text (r, &string) && string != NULL)
    caps = gst_caps_from_string (string);
  if (caps != NULL && gst_caps_is_fixed (caps))
    event = gst_event_new_caps (caps);
  gst_clear_caps (&caps);
  g_free (string);
  return event;
}

static GstEvent *
get_segment (GstByteReader * r)
{
  GstSegment segment;

  return gst_shm_frame_wire_get_segment (r, &segment)
      && segment.format != GST_FORMAT_UNDEFINED
      ? gst_event_new_segment (&segment) : NULL;
}

/* Events that are their structure and nothing else. */
static gboolean
is_plain (GstEventType type)
{
  return type == GST_EVENT_TAG || type == GST_EVENT_GAP
      || type == GST_EVENT_CUSTOM_DOWNSTREAM
      || type == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY;
}

static void
put_structure (GstByteWriter * w, GstEvent * event)
{
  const GstStructure *structure = gst_event_get_structure (event);
  gchar *string = structure != NULL ? gst_structure_to_string (structure)
      : NULL;

  gst_shm_frame_wire_put_string (w, string);
  g_free (string);
}

/* Those who parse such an event do not ask whether the fields are there. */
static gboolean
has_its_fields (const GstStructure * structure, GstEventType type)
{
  if (type == GST_EVENT_TAG)
    return gst_structure_has_field_typed (structure, "taglist",
        GST_TYPE_TAG_LIST);
  if (type == GST_EVENT_GAP)
    return gst_structure_has_field_typed (structure, "timestamp",
        GST_TYPE_CLOCK_TIME)
        && gst_structure_has_field_typed (structure, "duration",
        GST_TYPE_CLOCK_TIME);
  return TRUE;
}

static GstEvent *
get_structure (GstByteReader * r, GstEventType type)
{
  GstStructure *structure = NULL;
  gchar *string, *end = NULL;
  gboolean ok;

  if (!gst_shm_frame_wire_get_text (r, &string))
    return NULL;
  if (string != NULL)
    structure = gst_structure_from_string (string, &end);
  ok = structure != NULL && *end == '\0' && has_its_fields (structure, type);
  g_free (string);
  if (structure != NULL && !ok)
    g_clear_pointer (&structure, gst_structure_free);
  return structure != NULL ? gst_event_new_custom (type, structure) : NULL;
}

gboolean
gst_shm_frame_wire_put_event (GstByteWriter * w, GstEvent * event)
{
  GstEventType type = GST_EVENT_TYPE (event);
  const GstSegment *segment;

  gst_byte_writer_put_uint32_le (w, type);
  gst_byte_writer_put_int64_le (w, gst_event_get_running_time_offset (event));
  if (type == GST_EVENT_STREAM_START) {
    put_stream_start (w, event);
  } else if (type == GST_EVENT_CAPS) {
    put_caps (w, event);
  } else if (type == GST_EVENT_SEGMENT) {
    gst_event_parse_segment (event, &segment);
    gst_shm_frame_wire_put_segment (w, segment);
  } else if (is_plain (type)) {
    put_structure (w, event);
  } else if (type != GST_EVENT_EOS) {
    return FALSE;
  }
  return gst_byte_writer_get_remaining (w) > 0;
}

GstEvent *
gst_shm_frame_wire_get_event (const guint8 * data, gsize size)
{
  GstByteReader r;
  GstEvent *event = NULL;
  guint32 type;
  gint64 offset;

  gst_byte_reader_init (&r, data, size);
  if (!gst_byte_reader_get_uint32_le (&r, &type)
      || !gst_byte_reader_get_int64_le (&r, &offset))
    return NULL;
  if (type == GST_EVENT_STREAM_START)
    event = get_stream_start (&r);
  else if (type == GST_EVENT_CAPS)
    event = get_caps (&r);
  else if (type == GST_EVENT_SEGMENT)
    event = get_segment (&r);
  else if (is_plain (type))
    event = get_structure (&r, type);
  else if (type == GST_EVENT_EOS)
    event = gst_event_new_eos ();
  if (event != NULL && gst_byte_reader_get_remaining (&r) != 0)
    gst_clear_event (&event);
  if (event != NULL)
    gst_event_set_running_time_offset (event, offset);
  return event;
}

guint64
gst_shm_frame_wire_event_key (GstEvent * event)
{
  GstEventType type = GST_EVENT_TYPE (event);
  const GstStructure *structure;
  guint64 key = (guint64) type << 32;

  if (!(gst_event_type_get_flags (type) & GST_EVENT_TYPE_STICKY))
    return 0;
  /* Several of them, told apart by name, as pads do. */
  structure = gst_event_get_structure (event);
  if ((gst_event_type_get_flags (type) & GST_EVENT_TYPE_STICKY_MULTI)
      && structure != NULL)
    key |= g_str_hash (gst_structure_get_name (structure));
  return key;
}
