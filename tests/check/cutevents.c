/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events with all that can be in them, for the cut test */
#include "cutcases.h"

static GstTagList *
new_tags (GstTagScope scope)
{
  GstDateTime *date = gst_date_time_new (5.5, 2024, 2, 29, 23, 59, 58.987654);
  GDate *day = g_date_new_dmy (29, G_DATE_FEBRUARY, 2024);
  GstBuffer *image = cut_frame (9, 1000);
  GstCaps *caps = gst_caps_from_string ("image/png, sof-marker={ 1, 2 }");
  GstSample *sample = gst_sample_new (image, caps, NULL,
      gst_structure_new ("info", "type", GST_TYPE_STATE, GST_STATE_PAUSED,
          "flags",
          GST_TYPE_PAD_LINK_CHECK, GST_PAD_LINK_CHECK_CAPS, NULL));
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "a \"title\", \\ ; \n",
      GST_TAG_ARTIST, "one", GST_TAG_ARTIST, "two", GST_TAG_BITRATE, 1234u,
      GST_TAG_DURATION, G_GUINT64_CONSTANT (1) << 40, GST_TAG_DATE, day,
      GST_TAG_DATE_TIME, date, GST_TAG_BEATS_PER_MINUTE, 123.456,
      GST_TAG_IMAGE, sample, NULL);

  gst_tag_list_add (tags, GST_TAG_MERGE_REPLACE,
      GST_TAG_GEO_LOCATION_LATITUDE, -0.1, NULL);
  gst_tag_list_set_scope (tags, scope);
  gst_date_time_unref (date);
  g_date_free (day);
  gst_buffer_unref (image);
  gst_caps_unref (caps);
  gst_sample_unref (sample);
  return tags;
}

static GstEvent *
new_collection (void)
{
  GstStreamCollection *collection = gst_stream_collection_new ("upstream");
  GstCaps *caps = gst_caps_from_string ("video/x-raw(memory:GLMemory), "
      "width=[3, 99, 3]; video/x-raw, framerate={ 1/1, [ 2/1, 30/1 ] }, "
      "format={ I420, NV12 }, flags=(bitmask)0x30, x=[ 0.5, 1.5 ]");
  GstTagList *tags = new_tags (GST_TAG_SCOPE_STREAM);
  GstStream *stream = gst_stream_new ("first", caps, GST_STREAM_TYPE_VIDEO,
      GST_STREAM_FLAG_SELECT);
  GstEvent *event;

  gst_stream_set_tags (stream, tags);
  gst_stream_collection_add_stream (collection, stream);
  gst_stream_collection_add_stream (collection, gst_stream_new ("second",
          NULL, GST_STREAM_TYPE_AUDIO | GST_STREAM_TYPE_TEXT,
          GST_STREAM_FLAG_SPARSE));
  event = gst_event_new_stream_collection (collection);
  gst_tag_list_unref (tags);
  gst_caps_unref (caps);
  gst_object_unref (collection);
  return event;
}

static GstEvent *
new_toc (void)
{
  GstToc *toc = gst_toc_new (GST_TOC_SCOPE_GLOBAL);
  GstTocEntry *edition = gst_toc_entry_new (GST_TOC_ENTRY_TYPE_EDITION, "e");
  GstEvent *event;

  for (guint i = 0; i < 3; i++) {
    gchar *uid = g_strdup_printf ("chapter %u", i);
    GstTocEntry *entry = gst_toc_entry_new (GST_TOC_ENTRY_TYPE_CHAPTER, uid);

    gst_toc_entry_set_start_stop_times (entry, i, i + 1);
    gst_toc_entry_set_loop (entry, GST_TOC_LOOP_PING_PONG, (gint) i - 1);
    gst_toc_entry_set_tags (entry, new_tags (GST_TAG_SCOPE_GLOBAL));
    gst_toc_entry_append_sub_entry (edition, entry);
    g_free (uid);
  }
  gst_toc_append_entry (toc, edition);
  gst_toc_set_tags (toc, new_tags (GST_TAG_SCOPE_STREAM));
  event = gst_event_new_toc (toc, TRUE);
  gst_toc_unref (toc);
  return event;
}

/* A tag of one stream of a batch, as secondbatcher sends it */
static GstEvent *
new_wrapped (void)
{
  GstEvent *tag = gst_event_new_tag (new_tags (GST_TAG_SCOPE_STREAM));
  GstStructure *s = gst_structure_new ("GstSecondBatchStreamEvent", "stream",
      G_TYPE_UINT, 1, "position", G_TYPE_UINT, 25, "type", G_TYPE_STRING,
      "tag", "structure", GST_TYPE_STRUCTURE, gst_event_get_structure (tag),
      NULL);

  gst_event_unref (tag);
  return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM, s);
}

static GstStructure *
new_structure (const gchar * name)
{
  GstStructure *inner = gst_structure_new ("inner", "string", G_TYPE_STRING,
      "; } \" ä", "int", G_TYPE_INT, -1, "int64", G_TYPE_INT64, G_MININT64,
      "float", G_TYPE_FLOAT, 0.1f, "bool", G_TYPE_BOOLEAN, TRUE, NULL);
  GstStructure *s = gst_structure_new (name, "inner", GST_TYPE_STRUCTURE,
      inner, "fraction", GST_TYPE_FRACTION, 30000, 1001, "format",
      GST_TYPE_FORMAT, GST_FORMAT_TIME, NULL);
  GValue array = G_VALUE_INIT, row = G_VALUE_INIT, one = G_VALUE_INIT;

  g_value_init (&array, GST_TYPE_ARRAY);
  g_value_init (&row, GST_TYPE_ARRAY);
  g_value_init (&one, GST_TYPE_STRUCTURE);
  gst_value_set_structure (&one, inner);
  gst_value_array_append_value (&row, &one);
  gst_value_array_append_and_take_value (&row, &one);
  gst_value_array_append_and_take_value (&array, &row);
  gst_structure_take_value (s, "array", &array);
  gst_structure_free (inner);
  return s;
}

static GstEvent *
new_protection (void)
{
  GstBuffer *data = cut_frame (5, 100);
  GstEvent *event = gst_event_new_protection ("some-system", data, "origin");

  gst_buffer_unref (data);
  return event;
}

static GstEvent *
new_event (gint which)
{
  GstEvent *event;

  switch (which) {
    case EVENT_TAG:
      return gst_event_new_tag (new_tags (GST_TAG_SCOPE_STREAM));
    case EVENT_TAG_GLOBAL:
      return gst_event_new_tag (new_tags (GST_TAG_SCOPE_GLOBAL));
    case EVENT_COLLECTION:
      return new_collection ();
    case EVENT_TOC:
      return new_toc ();
    case EVENT_GAP:
    case EVENT_GAP_FLAGS:
      event = gst_event_new_gap (40 * GST_MSECOND, which == EVENT_GAP
          ? 40 * GST_MSECOND : GST_CLOCK_TIME_NONE);
      if (which == EVENT_GAP_FLAGS)
        gst_event_set_gap_flags (event, GST_GAP_FLAG_MISSING_DATA);
      return event;
    case EVENT_CUSTOM:
      return gst_event_new_custom (GST_EVENT_CUSTOM_BOTH,
          new_structure ("app/x-mark"));
    case EVENT_CUSTOM_STICKY:
      return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
          new_structure ("sticky"));
    case EVENT_WRAPPED:
      return new_wrapped ();
    case EVENT_PROTECTION:
      return new_protection ();
    case EVENT_LEFT_OUT:
      return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_OOB,
          gst_structure_new_empty ("oob"));
    case EVENT_GROUP_DONE:
      return gst_event_new_stream_group_done (4711);
    default:
      return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM, NULL);
  }
}

void
cut_feed_event (GstHarness * h, gint which)
{
  GstEvent *event = new_event (which), *other = new_event (which);

  if (which == EVENT_SEQNUM)
    gst_event_set_seqnum (other, gst_event_get_seqnum (event));
  if (which == EVENT_OFFSET)
    gst_event_set_running_time_offset (event, -3 * (gint64) GST_SECOND);
  cut_begin_small (h);
  cut_push_small (h, 0);
  cut_event (h, event);
  cut_push_small (h, 1);
  cut_push_small (h, 2);
  cut_event (h, other);
  if (which == EVENT_GROUP_DONE)
    cut_begin (h, "GRAY8", 16, 16);
  else
    cut_push_small (h, 3);
  cut_finish (h);
}
