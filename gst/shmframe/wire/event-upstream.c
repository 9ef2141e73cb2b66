/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes events that go upstream, to the producer's pipeline. No SEEK or
 * STEP: one client must not move the stream of all. No LATENCY: the LATENCY
 * message of the protocol carries it. */
#include "wire/wire.h"

#define NAVIGATION_NAME "application/x-gst-navigation"

static void
put_qos (GstByteWriter * w, GstEvent * event, guint64 capture_time)
{
  GstQOSType type;
  gdouble proportion;
  GstClockTimeDiff diff;
  GstClockTime timestamp;

  gst_event_parse_qos (event, &type, &proportion, &diff, &timestamp);
  gst_byte_writer_put_uint32_le (w, type);
  gst_byte_writer_put_float64_le (w, proportion);
  gst_byte_writer_put_int64_le (w, diff);
  gst_byte_writer_put_uint64_le (w, timestamp);
  gst_byte_writer_put_uint64_le (w, capture_time);
}

static GstEvent *
get_qos (GstByteReader * r, guint64 * capture_time)
{
  guint32 type;
  gdouble proportion;
  gint64 diff;
  guint64 timestamp;

  if (!gst_byte_reader_get_uint32_le (r, &type)
      || type > GST_QOS_TYPE_THROTTLE
      || !gst_byte_reader_get_float64_le (r, &proportion)
      || !(proportion >= 0 && proportion <= 1e6)
      || !gst_byte_reader_get_int64_le (r, &diff)
      || !gst_byte_reader_get_uint64_le (r, &timestamp)
      || !gst_byte_reader_get_uint64_le (r, capture_time)
      || timestamp > G_MAXINT64 || diff < -(gint64) timestamp)
    return NULL;
  return gst_event_new_qos (type, proportion, diff, timestamp);
}

static GstEvent *
get_structure_event (GstByteReader * r, GstEventType type)
{
  GstStructure *structure = gst_shm_frame_wire_get_structure (r, 0);

  if (structure == NULL)
    return NULL;
  if (type == GST_EVENT_NAVIGATION
      && (!gst_structure_has_name (structure, NAVIGATION_NAME)
          || gst_structure_get_string (structure, "event") == NULL)) {
    gst_structure_free (structure);
    return NULL;
  }
  return gst_event_new_custom (type, structure);
}

gboolean
gst_shm_frame_wire_put_upstream (GstByteWriter * w, GstEvent * event,
    guint64 capture_time, GstShmFrameUnserializable * unserializable)
{
  GstEventType type = GST_EVENT_TYPE (event);
  const GstStructure *structure = gst_event_get_structure (event);

  gst_byte_writer_put_uint32_le (w, type);
  gst_byte_writer_put_uint32_le (w, gst_event_get_seqnum (event));
  if (type == GST_EVENT_QOS)
    put_qos (w, event, capture_time);
  else if ((type == GST_EVENT_NAVIGATION || type == GST_EVENT_CUSTOM_UPSTREAM)
      && structure != NULL)
    gst_shm_frame_wire_put_structure (w, structure, unserializable, 0);
  else if (type != GST_EVENT_RECONFIGURE)
    return FALSE;
  return gst_shm_frame_wire_is_complete (w);
}

GstEvent *
gst_shm_frame_wire_get_upstream (const guint8 * data, gsize size,
    guint64 * capture_time)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();
  guint mark = names->refusals;
  GstByteReader r;
  GstEvent *event = NULL;
  guint32 type, seqnum;

  *capture_time = GST_CLOCK_TIME_NONE;
  gst_byte_reader_init (&r, data, size);
  if (!gst_byte_reader_get_uint32_le (&r, &type)
      || !gst_byte_reader_get_uint32_le (&r, &seqnum)
      || seqnum == GST_SEQNUM_INVALID)
    return NULL;
  if (type == GST_EVENT_QOS)
    event = get_qos (&r, capture_time);
  else if (type == GST_EVENT_NAVIGATION || type == GST_EVENT_CUSTOM_UPSTREAM)
    event = get_structure_event (&r, type);
  else if (type == GST_EVENT_RECONFIGURE)
    event = gst_event_new_reconfigure ();
  if (names->refusals != mark) {
    gst_clear_event (&event);
    names->refusals = mark;
    names->events++;
  }
  if (event != NULL && gst_byte_reader_get_remaining (&r) != 0)
    gst_clear_event (&event);
  if (event != NULL)
    gst_event_set_seqnum (event, seqnum);
  return event;
}
