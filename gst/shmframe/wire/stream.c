/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes the events that say what streams there are. */
#include "wire/stream.h"

#define MAX_STREAMS 256

static void
put_stream (GstByteWriter * w, GstStream * stream,
    GstShmFrameUnserializable * unserializable)
{
  GstCaps *caps = gst_stream_get_caps (stream);
  GstTagList *tags = gst_stream_get_tags (stream);
  gboolean ok;
  guint at;

  gst_shm_frame_wire_put_string (w, gst_stream_get_stream_id (stream));
  gst_byte_writer_put_uint32_le (w, gst_stream_get_stream_type (stream));
  gst_byte_writer_put_uint32_le (w, gst_stream_get_stream_flags (stream));
  at = gst_byte_writer_get_pos (w);
  gst_byte_writer_put_uint8 (w, caps != NULL);
  ok = caps == NULL || gst_shm_frame_wire_put_caps (w, caps, unserializable, 0);
  if (!ok) {
    gst_byte_writer_set_pos (w, at);
    gst_byte_writer_put_uint8 (w, FALSE);
  }
  gst_byte_writer_put_uint8 (w, tags != NULL);
  if (tags != NULL)
    gst_shm_frame_wire_put_tags (w, tags, unserializable, 0);
  gst_clear_caps (&caps);
  gst_clear_tag_list (&tags);
}

static GstStream *
get_stream (GstByteReader * r)
{
  GstStream *stream = NULL;
  GstCaps *caps = NULL;
  GstTagList *tags = NULL;
  guint32 type, flags;
  guint8 has;
  gchar *id;

  if (gst_shm_frame_wire_get_string (r, &id) && id != NULL
      && gst_byte_reader_get_uint32_le (r, &type)
      && gst_byte_reader_get_uint32_le (r, &flags)
      && gst_byte_reader_get_uint8 (r, &has)
      && (!has || (caps = gst_shm_frame_wire_get_caps (r, 0)) != NULL)
      && gst_byte_reader_get_uint8 (r, &has)
      && (!has || (tags = gst_shm_frame_wire_get_tags (r, 0)) != NULL)) {
    stream = gst_stream_new (id, caps, gst_shm_frame_wire_known_flags
        (GST_TYPE_STREAM_TYPE, type), gst_shm_frame_wire_known_flags
        (GST_TYPE_STREAM_FLAGS, flags));
    if (tags != NULL)
      gst_stream_set_tags (stream, tags);
  }
  gst_clear_caps (&caps);
  gst_clear_tag_list (&tags);
  g_free (id);
  return stream;
}

void
gst_shm_frame_wire_put_stream_start (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable)
{
  const gchar *id;
  GstStreamFlags flags;
  GstStream *stream;
  guint group = GST_GROUP_ID_INVALID;

  gst_event_parse_stream_start (event, &id);
  gst_event_parse_stream_flags (event, &flags);
  gst_event_parse_group_id (event, &group);
  gst_event_parse_stream (event, &stream);
  gst_shm_frame_wire_put_string (w, id);
  gst_byte_writer_put_uint32_le (w, flags);
  gst_byte_writer_put_uint32_le (w, group);
  gst_byte_writer_put_uint8 (w, stream != NULL);
  if (stream != NULL)
    put_stream (w, stream, unserializable);
  gst_clear_object (&stream);
}

GstEvent *
gst_shm_frame_wire_get_stream_start (GstByteReader * r)
{
  GstEvent *event = NULL;
  GstStream *stream = NULL;
  guint32 flags, group;
  guint8 has;
  gchar *id;

  if (gst_shm_frame_wire_get_string (r, &id) && id != NULL
      && gst_byte_reader_get_uint32_le (r, &flags)
      && gst_byte_reader_get_uint32_le (r, &group)
      && gst_byte_reader_get_uint8 (r, &has)
      && (!has || (stream = get_stream (r)) != NULL)) {
    event = gst_event_new_stream_start (id);
    gst_event_set_stream_flags (event,
        gst_shm_frame_wire_known_flags (GST_TYPE_STREAM_FLAGS, flags));
    if (group != GST_GROUP_ID_INVALID)
      gst_event_set_group_id (event, group);
    if (stream != NULL)
      gst_event_set_stream (event, stream);
  }
  gst_clear_object (&stream);
  g_free (id);
  return event;
}

void
gst_shm_frame_wire_put_collection (GstByteWriter * w, GstEvent * event,
    GstShmFrameUnserializable * unserializable)
{
  GstStreamCollection *collection;
  guint n;

  gst_event_parse_stream_collection (event, &collection);
  n = MIN (gst_stream_collection_get_size (collection), MAX_STREAMS);
  gst_shm_frame_wire_put_string (w,
      gst_stream_collection_get_upstream_id (collection));
  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++)
    put_stream (w, gst_stream_collection_get_stream (collection, i),
        unserializable);
  gst_object_unref (collection);
}

GstEvent *
gst_shm_frame_wire_get_collection (GstByteReader * r)
{
  GstStreamCollection *collection;
  GstEvent *event = NULL;
  gboolean ok;
  gchar *id;
  guint32 n;

  if (!gst_shm_frame_wire_get_string (r, &id))
    return NULL;
  collection = gst_stream_collection_new (id);
  g_free (id);
  ok = gst_byte_reader_get_uint32_le (r, &n) && n <= MAX_STREAMS;
  while (ok && n-- > 0) {
    GstStream *stream = get_stream (r);

    ok = stream != NULL
        && gst_stream_collection_add_stream (collection, stream);
  }
  if (ok)
    event = gst_event_new_stream_collection (collection);
  gst_object_unref (collection);
  return event;
}
