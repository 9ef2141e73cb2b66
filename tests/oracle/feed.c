/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "feed.h"
#include "gstsecondbatchmeta.h"

gint64
feed_number (const gchar * text)
{
  return g_ascii_strtoll (text, NULL, 10);
}

gint
feed_width (GstCaps * caps)
{
  gint width = -1;

  if (caps != NULL)
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
  return width;
}

void
feed_print_batch (GstBuffer * batch)
{
  printf ("batch %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %"
      G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
      gst_second_batch_get_index (batch),
      gst_second_batch_get_window_start (batch),
      gst_second_batch_get_window_duration (batch),
      (gint64) GST_BUFFER_PTS (batch), (gint64) GST_BUFFER_DURATION (batch));
  for (guint k = 0; k < gst_second_batch_get_n_streams (batch); k++) {
    GstBufferList *frames = gst_second_batch_get_buffers (batch, k);
    const GstSegment *segment = gst_second_batch_get_segment (batch, k);
    const gchar *id = gst_second_batch_get_stream_id (batch, k);
    guint n = frames != NULL ? gst_buffer_list_length (frames) : 0;

    printf ("of %d %s %" G_GINT64_FORMAT " %u %u %u :",
        feed_width (gst_second_batch_get_caps (batch, k)), id ? id : "-",
        segment != NULL ? (gint64) segment->base : -1,
        gst_second_batch_get_count (batch, "expected", k),
        gst_second_batch_get_count (batch, "late", k),
        gst_second_batch_get_count (batch, "dropped", k));
    for (guint i = 0; i < n; i++)
      printf (" %" G_GUINT64_FORMAT,
          GST_BUFFER_OFFSET (gst_buffer_list_get (frames, i)));
    printf ("\n");
  }
}

GstBuffer *
feed_make_frame (gchar ** step)
{
  GstBuffer *frame = gst_buffer_new_allocate (NULL, 8, NULL);

  GST_BUFFER_OFFSET (frame) = feed_number (step[1]);
  GST_BUFFER_PTS (frame) = feed_number (step[2]);
  GST_BUFFER_DURATION (frame) = feed_number (step[3]);
  if (feed_number (step[4]) >= 0) {
    GstCaps *unix_time = gst_caps_new_empty_simple ("timestamp/x-unix");

    gst_buffer_add_reference_timestamp_meta (frame, unix_time,
        feed_number (step[4]), GST_CLOCK_TIME_NONE);
    gst_caps_unref (unix_time);
  }
  return frame;
}

static GstEvent *
make_segment (gchar ** step)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = g_ascii_strtod (step[1], NULL);
  segment.start = feed_number (step[2]);
  segment.stop = feed_number (step[3]);
  segment.base = feed_number (step[4]);
  segment.offset = feed_number (step[5]);
  segment.time = feed_number (step[6]);
  segment.position = segment.start;
  return gst_event_new_segment (&segment);
}

GstEvent *
feed_make_event (gchar ** step)
{
  GstEvent *event = NULL;
  GstCaps *caps;

  if (strcmp (step[0], "start") == 0) {
    event = gst_event_new_stream_start (step[1]);
    gst_event_set_group_id (event, 1);
  } else if (strcmp (step[0], "caps") == 0) {
    caps = gst_caps_from_string (step[1]);
    event = gst_event_new_caps (caps);
    gst_caps_unref (caps);
  } else if (strcmp (step[0], "segment") == 0) {
    event = make_segment (step);
  } else if (strcmp (step[0], "gap") == 0) {
    event = gst_event_new_gap (feed_number (step[1]), feed_number (step[2]));
  } else if (strcmp (step[0], "custom") == 0) {
    event = gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
        gst_structure_new ("oracle", "id", G_TYPE_STRING, step[1], NULL));
  } else {
    event = gst_event_new_eos ();
  }
  return event;
}

static gboolean
print_stat (GQuark name, const GValue * value, gpointer unused)
{
  if (G_VALUE_HOLDS_UINT64 (value))
    printf ("stat %s %" G_GUINT64_FORMAT "\n", g_quark_to_string (name),
        g_value_get_uint64 (value));
  return TRUE;
}

void
feed_print_stats (GstElement * batcher)
{
  GstStructure *stats;

  g_object_get (batcher, "stats", &stats, NULL);
  gst_structure_foreach (stats, print_stat, NULL);
  gst_structure_free (stats);
}

guint64
feed_get_stat (GstElement * batcher, const gchar * name)
{
  GstStructure *stats;
  guint64 value = G_MAXUINT64;

  g_object_get (batcher, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, name, &value);
  gst_structure_free (stats);
  return value;
}

void
feed_push_flush (GstPad * src, gboolean start, guint32 seqnum)
{
  GstEvent *event = start ? gst_event_new_flush_start ()
      : gst_event_new_flush_stop (TRUE);

  gst_event_set_seqnum (event, seqnum);
  gst_pad_push_event (src, event);
}

gboolean
feed_answer_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  gint64 latency = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (pad),
          FEED_LATENCY)) - 1;

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return gst_pad_query_default (pad, parent, query);
  gst_query_set_latency (query, latency >= 0, MAX (latency, 0) * GST_MSECOND,
      GST_CLOCK_TIME_NONE);
  return TRUE;
}
