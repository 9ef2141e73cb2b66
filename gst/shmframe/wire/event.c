/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes events of the stream. Each type has its own functions, which make
 * the event anew from its fields: GStreamer's parse functions abort if a field
 * of an event is missing. */
#include "wire/stream.h"
#include "wire/wire.h"

#include <string.h>

static gboolean
put_caps (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable)
{
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  return gst_shm_frame_wire_put_caps (w, caps, unserializable, 0);
}

static GstEvent *
get_caps (GstByteReader * r)
{
  GstCaps *caps = gst_shm_frame_wire_get_caps (r, 0);
  GstEvent *event = NULL;

  if (caps != NULL && gst_caps_is_fixed (caps))
    event = gst_event_new_caps (caps);
  gst_clear_caps (&caps);
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

static GstEvent *
get_tag (GstByteReader * r)
{
  GstTagList *tags = gst_shm_frame_wire_get_tags (r, 0);

  return tags != NULL ? gst_event_new_tag (tags) : NULL;
}

static void
put_toc (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable)
{
  gboolean updated;
  GstToc *toc;

  gst_event_parse_toc (event, &toc, &updated);
  gst_byte_writer_put_uint8 (w, updated);
  gst_shm_frame_wire_put_toc (w, toc, unserializable, 0);
  gst_toc_unref (toc);
}

static GstEvent *
get_toc (GstByteReader * r)
{
  GstEvent *event = NULL;
  GstToc *toc = NULL;
  guint8 updated;

  if (gst_byte_reader_get_uint8 (r, &updated))
    toc = gst_shm_frame_wire_get_toc (r, 0);
  if (toc != NULL) {
    event = gst_event_new_toc (toc, updated != 0);
    gst_toc_unref (toc);
  }
  return event;
}

static void
put_gap (GstByteWriter * w, GstEvent * event)
{
  GstClockTime timestamp, duration;
  GstGapFlags flags = 0;

  gst_event_parse_gap (event, &timestamp, &duration);
  gst_event_parse_gap_flags (event, &flags);
  gst_byte_writer_put_uint64_le (w, timestamp);
  gst_byte_writer_put_uint64_le (w, duration);
  gst_byte_writer_put_uint32_le (w, flags);
}

static GstEvent *
get_gap (GstByteReader * r)
{
  guint64 timestamp, duration;
  guint32 flags;
  GstEvent *event;

  if (!gst_byte_reader_get_uint64_le (r, &timestamp)
      || !gst_byte_reader_get_uint64_le (r, &duration)
      || !gst_byte_reader_get_uint32_le (r, &flags)
      || timestamp == GST_CLOCK_TIME_NONE)
    return NULL;
  event = gst_event_new_gap (timestamp, duration);
  if (flags != 0)
    gst_event_set_gap_flags (event,
        gst_shm_frame_wire_known_flags (GST_TYPE_GAP_FLAGS, flags));
  return event;
}

static void
put_segment_done (GstByteWriter * w, GstEvent * event)
{
  GstFormat format;
  gint64 position;

  gst_event_parse_segment_done (event, &format, &position);
  gst_byte_writer_put_uint32_le (w, format);
  gst_byte_writer_put_int64_le (w, position);
}

static GstEvent *
get_segment_done (GstByteReader * r)
{
  guint32 format;
  gint64 position;

  return gst_byte_reader_get_uint32_le (r, &format)
      && format <= GST_FORMAT_PERCENT
      && gst_byte_reader_get_int64_le (r, &position)
      ? gst_event_new_segment_done (format, position) : NULL;
}

static void
put_group_done (GstByteWriter * w, GstEvent * event)
{
  guint group;

  gst_event_parse_stream_group_done (event, &group);
  gst_byte_writer_put_uint32_le (w, group);
}

static GstEvent *
get_group_done (GstByteReader * r)
{
  guint32 group;

  return gst_byte_reader_get_uint32_le (r, &group)
      && group != GST_GROUP_ID_INVALID
      ? gst_event_new_stream_group_done (group) : NULL;
}

static gboolean
put_protection (GstByteWriter * w, GstEvent * event)
{
  const gchar *system, *origin;
  GstBuffer *data;

  gst_event_parse_protection (event, &system, &data, &origin);
  gst_shm_frame_wire_put_string (w, system);
  gst_shm_frame_wire_put_string (w, origin);
  return gst_shm_frame_wire_put_buffer_value (w, data);
}

/* GStreamer makes the event's name of both, and never frees it. */
static gboolean
admit_protection (const gchar * system, const gchar * origin)
{
  gchar *name = g_strconcat ("GstProtectionEvent", origin != NULL ? "-" : "",
      origin != NULL ? origin : "", "-", system, NULL);
  gboolean ok = gst_shm_frame_wire_is_name (name)
      && gst_shm_frame_names_admit (name);

  g_free (name);
  return ok;
}

/* Whether it may become a part of a structure's name. */
static gboolean
is_part_of_name (const gchar * part)
{
  for (; *part != '\0'; part++)
    if (!g_ascii_isalnum (*part) && strchr ("/-_.:+", *part) == NULL)
      return FALSE;
  return TRUE;
}

static GstEvent *
get_protection (GstByteReader * r)
{
  GstEvent *event = NULL;
  GstBuffer *data = NULL;
  gchar *system, *origin = NULL;

  if (gst_shm_frame_wire_get_string (r, &system) && system != NULL
      && is_part_of_name (system)
      && gst_shm_frame_wire_get_string (r, &origin)
      && (origin == NULL || is_part_of_name (origin))
      && (data = gst_shm_frame_wire_get_buffer_value (r)) != NULL) {
    if (!admit_protection (system, origin))
      gst_shm_frame_names_current ()->refusals++;
    else
      event = gst_event_new_protection (system, data, origin);
  }
  gst_clear_buffer (&data);
  g_free (system);
  g_free (origin);
  return event;
}

static gboolean
is_custom (GstEventType type)
{
  return type == GST_EVENT_CUSTOM_DOWNSTREAM
      || type == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY
      || type == GST_EVENT_CUSTOM_BOTH;
}

static void
put_custom (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable)
{
  const GstStructure *structure = gst_event_get_structure (event);

  gst_byte_writer_put_uint8 (w, structure != NULL);
  if (structure != NULL)
    gst_shm_frame_wire_put_structure (w, structure, unserializable, 0);
}

static GstEvent *
get_custom (GstByteReader * r, GstEventType type)
{
  GstStructure *structure = NULL;
  guint8 has;

  if (!gst_byte_reader_get_uint8 (r, &has)
      || (has && (structure = gst_shm_frame_wire_get_structure (r, 0)) == NULL)
      /* Pads keep it by its name. */
      || (!has && type == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY))
    return NULL;
  return gst_event_new_custom (type, structure);
}

static gboolean
put_fields (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable)
{
  const GstSegment *segment;
  GstTagList *tags;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_shm_frame_wire_put_stream_start (w, event, unserializable);
      return TRUE;
    case GST_EVENT_CAPS:
      return put_caps (w, event, unserializable);
    case GST_EVENT_SEGMENT:
      gst_event_parse_segment (event, &segment);
      gst_shm_frame_wire_put_segment (w, segment);
      return TRUE;
    case GST_EVENT_STREAM_COLLECTION:
      gst_shm_frame_wire_put_collection (w, event, unserializable);
      return TRUE;
    case GST_EVENT_TAG:
      gst_event_parse_tag (event, &tags);
      gst_shm_frame_wire_put_tags (w, tags, unserializable, 0);
      return TRUE;
    case GST_EVENT_TOC:
      put_toc (w, event, unserializable);
      return TRUE;
    case GST_EVENT_GAP:
      put_gap (w, event);
      return TRUE;
    case GST_EVENT_SEGMENT_DONE:
      put_segment_done (w, event);
      return TRUE;
    case GST_EVENT_STREAM_GROUP_DONE:
      put_group_done (w, event);
      return TRUE;
    case GST_EVENT_PROTECTION:
      return put_protection (w, event);
    case GST_EVENT_EOS:
      return TRUE;
    default:
      if (!is_custom (GST_EVENT_TYPE (event)))
        return FALSE;
      put_custom (w, event, unserializable);
      return TRUE;
  }
}

static GstEvent *
get_fields (GstByteReader * r, guint32 type)
{
  switch (type) {
    case GST_EVENT_STREAM_START:
      return gst_shm_frame_wire_get_stream_start (r);
    case GST_EVENT_CAPS:
      return get_caps (r);
    case GST_EVENT_SEGMENT:
      return get_segment (r);
    case GST_EVENT_STREAM_COLLECTION:
      return gst_shm_frame_wire_get_collection (r);
    case GST_EVENT_TAG:
      return get_tag (r);
    case GST_EVENT_TOC:
      return get_toc (r);
    case GST_EVENT_GAP:
      return get_gap (r);
    case GST_EVENT_SEGMENT_DONE:
      return get_segment_done (r);
    case GST_EVENT_STREAM_GROUP_DONE:
      return get_group_done (r);
    case GST_EVENT_PROTECTION:
      return get_protection (r);
    case GST_EVENT_EOS:
      return gst_event_new_eos ();
    default:
      return is_custom (type) ? get_custom (r, type) : NULL;
  }
}

gboolean
gst_shm_frame_wire_put_event (GstByteWriter * w, GstEvent * event,
    guint64 capture_time, GstShmFrameUnserializable * unserializable)
{
  gst_byte_writer_put_uint32_le (w, GST_EVENT_TYPE (event));
  gst_byte_writer_put_uint32_le (w, gst_event_get_seqnum (event));
  gst_byte_writer_put_int64_le (w, gst_event_get_running_time_offset (event));
  gst_byte_writer_put_uint64_le (w, capture_time);
  return put_fields (w, event, unserializable)
      && gst_shm_frame_wire_is_complete (w);
}

typedef struct
{
  guint32 type, seqnum;
  gint64 offset;
  guint64 capture_time;
} Head;

static gboolean
get_head (GstByteReader * r, Head * head)
{
  return gst_byte_reader_get_uint32_le (r, &head->type)
      && gst_byte_reader_get_uint32_le (r, &head->seqnum)
      && gst_byte_reader_get_int64_le (r, &head->offset)
      && gst_byte_reader_get_uint64_le (r, &head->capture_time)
      && head->seqnum != GST_SEQNUM_INVALID;
}

GstEvent *
gst_shm_frame_wire_get_event (const guint8 * data, gsize size)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();
  guint mark = names->refusals;
  GstByteReader r;
  GstEvent *event;
  Head head;

  gst_byte_reader_init (&r, data, size);
  if (!get_head (&r, &head))
    return NULL;
  event = get_fields (&r, head.type);
  if (names->refusals != mark) {
    gst_clear_event (&event);
    names->refusals = mark;
    names->events++;
  }
  if (event != NULL && gst_byte_reader_get_remaining (&r) != 0)
    gst_clear_event (&event);
  if (event != NULL) {
    gst_event_set_seqnum (event, head.seqnum);
    gst_event_set_running_time_offset (event, head.offset);
  }
  return event;
}

GstEventType
gst_shm_frame_wire_get_event_type (const guint8 * data, gsize size)
{
  return size >= sizeof (guint32) ? GST_READ_UINT32_LE (data)
      : GST_EVENT_UNKNOWN;
}

guint64
gst_shm_frame_wire_get_event_time (const guint8 * data, gsize size)
{
  GstByteReader r;
  Head head;

  gst_byte_reader_init (&r, data, size);
  return get_head (&r, &head) && head.capture_time < G_MAXINT64 / 4
      ? head.capture_time : GST_CLOCK_TIME_NONE;
}

guint64
gst_shm_frame_wire_event_key (GstEvent * event)
{
  GstEventType type = GST_EVENT_TYPE (event);
  const GstStructure *structure;
  guint64 key = (guint64) type << 32;

  if (!(gst_event_type_get_flags (type) & GST_EVENT_TYPE_STICKY))
    return 0;
  /* There may be several of this type: pads tell them apart by name. */
  structure = gst_event_get_structure (event);
  if ((gst_event_type_get_flags (type) & GST_EVENT_TYPE_STICKY_MULTI)
      && structure != NULL)
    key |= g_str_hash (gst_structure_get_name (structure));
  return key;
}
