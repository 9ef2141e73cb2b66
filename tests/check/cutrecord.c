/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cutrecord.h"

#include <gst/video/video.h>

static void put_value (GString * text, const GValue * value);

static void
put_bytes (GString * text, GstBuffer * buffer)
{
  GstMapInfo map;
  gchar *sum;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ)) {
    g_string_append (text, " unreadable");
    return;
  }
  sum = g_compute_checksum_for_data (G_CHECKSUM_MD5, map.data, map.size);
  g_string_append_printf (text, " %" G_GSIZE_FORMAT " bytes %s", map.size,
      sum);
  g_free (sum);
  gst_buffer_unmap (buffer, &map);
}

static gboolean
put_field (GQuark id, const GValue * value, gpointer text)
{
  g_string_append_printf (text, " %s=", g_quark_to_string (id));
  put_value (text, value);
  return TRUE;
}

static void
put_structure (GString * text, const GstStructure * s)
{
  if (s == NULL) {
    g_string_append (text, " nothing");
    return;
  }
  g_string_append_printf (text, " %s{", gst_structure_get_name (s));
  gst_structure_foreach (s, put_field, text);
  g_string_append (text, " }");
}

static void
put_caps (GString * text, const GstCaps * caps)
{
  for (guint i = 0; caps != NULL && i < gst_caps_get_size (caps); i++) {
    gchar *features =
        gst_caps_features_to_string (gst_caps_get_features (caps, i));

    g_string_append_printf (text, " (%s)", features);
    put_structure (text, gst_caps_get_structure (caps, i));
    g_free (features);
  }
}

static void
put_tags (GString * text, const GstTagList * tags)
{
  if (tags == NULL)
    return;
  g_string_append_printf (text, " tags-%d", gst_tag_list_get_scope (tags));
  for (gint i = 0; i < gst_tag_list_n_tags (tags); i++) {
    const gchar *name = gst_tag_list_nth_tag_name (tags, i);

    for (guint k = 0; k < gst_tag_list_get_tag_size (tags, name); k++) {
      g_string_append_printf (text, " %s=", name);
      put_value (text, gst_tag_list_get_value_index (tags, name, k));
    }
  }
}

static void
put_entries (GString * text, GList * l)
{
  for (; l != NULL; l = l->next) {
    GstTocLoopType loop = 0;
    gint64 start = -1, stop = -1;
    gint repeat = 0;

    gst_toc_entry_get_start_stop_times (l->data, &start, &stop);
    gst_toc_entry_get_loop (l->data, &loop, &repeat);
    g_string_append_printf (text, " [%d %s %" G_GINT64_FORMAT "-%"
        G_GINT64_FORMAT " %d %d", gst_toc_entry_get_entry_type (l->data),
        gst_toc_entry_get_uid (l->data), start, stop, loop, repeat);
    put_tags (text, gst_toc_entry_get_tags (l->data));
    put_entries (text, gst_toc_entry_get_sub_entries (l->data));
    g_string_append_c (text, ']');
  }
}

static void
put_segment (GString * text, const GstSegment * s)
{
  g_string_append_printf (text, " %x rate %g %g format %d base %"
      G_GUINT64_FORMAT " offset %" G_GUINT64_FORMAT " start %"
      G_GUINT64_FORMAT " stop %" G_GUINT64_FORMAT " time %" G_GUINT64_FORMAT
      " duration %" G_GUINT64_FORMAT, s->flags, s->rate, s->applied_rate,
      s->format, s->base, s->offset, s->start, s->stop, s->time, s->duration);
}

static void put_buffer (GString * text, GstBuffer * buffer);

static void
put_value (GString * text, const GValue * value)
{
  GstSample *sample;
  gchar *string;

  g_string_append_printf (text, "(%s)", G_VALUE_TYPE_NAME (value));
  if (GST_VALUE_HOLDS_STRUCTURE (value)) {
    put_structure (text, gst_value_get_structure (value));
  } else if (GST_VALUE_HOLDS_CAPS (value)) {
    put_caps (text, gst_value_get_caps (value));
  } else if (G_VALUE_HOLDS (value, GST_TYPE_TAG_LIST)) {
    put_tags (text, g_value_get_boxed (value));
  } else if (G_VALUE_HOLDS (value, GST_TYPE_SEGMENT)) {
    put_segment (text, g_value_get_boxed (value));
  } else if (GST_VALUE_HOLDS_BUFFER (value)) {
    put_buffer (text, gst_value_get_buffer (value));
  } else if (GST_VALUE_HOLDS_SAMPLE (value)) {
    sample = gst_value_get_sample (value);
    put_caps (text, gst_sample_get_caps (sample));
    put_structure (text, gst_sample_get_info (sample));
    put_buffer (text, gst_sample_get_buffer (sample));
  } else if (G_VALUE_HOLDS (value, GST_TYPE_BUFFER_LIST)) {
    GstBufferList *list = g_value_get_boxed (value);

    for (guint i = 0; i < gst_buffer_list_length (list); i++)
      put_buffer (text, gst_buffer_list_get (list, i));
  } else {
    string = gst_value_serialize (value);
    g_string_append (text, string != NULL ? string : "?");
    g_free (string);
  }
}

static void
put_video_meta (GString * text, const GstVideoMeta * m)
{
  g_string_append_printf (text, " %d %d %d %ux%u", m->flags, m->format, m->id,
      m->width, m->height);
  for (guint i = 0; i < m->n_planes; i++)
    g_string_append_printf (text, " %" G_GSIZE_FORMAT "/%d", m->offset[i],
        m->stride[i]);
  g_string_append_printf (text, " %u,%u,%u,%u", m->alignment.padding_top,
      m->alignment.padding_bottom, m->alignment.padding_left,
      m->alignment.padding_right);
}

static void
put_roi_meta (GString * text, const GstVideoRegionOfInterestMeta * m)
{
  g_string_append_printf (text, " %s %d of %d at %u,%u %ux%u",
      g_quark_to_string (m->roi_type), m->id, m->parent_id, m->x, m->y, m->w,
      m->h);
  for (GList * l = m->params; l != NULL; l = l->next)
    put_structure (text, l->data);
}

static void
put_time_code_meta (GString * text, GstVideoTimeCodeMeta * m)
{
  gchar *string = gst_video_time_code_to_string (&m->tc);
  gchar *jam = m->tc.config.latest_daily_jam != NULL
      ? g_date_time_format_iso8601 (m->tc.config.latest_daily_jam) : NULL;

  g_string_append_printf (text, " %s %u/%u %x %u %s", string,
      m->tc.config.fps_n, m->tc.config.fps_d, m->tc.config.flags,
      m->tc.field_count, jam != NULL ? jam : "");
  g_free (string);
  g_free (jam);
}

static void
put_hex (GString * text, const guint8 * data, gsize size)
{
  g_string_append_c (text, ' ');
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", data[i]);
}

static void
put_meta (GString * text, GstMeta * meta)
{
  GType api = meta->info->api;

  g_string_append_printf (text, " <%s", g_type_name (meta->info->type));
  if (api == GST_VIDEO_META_API_TYPE) {
    put_video_meta (text, (GstVideoMeta *) meta);
  } else if (api == GST_VIDEO_CROP_META_API_TYPE) {
    GstVideoCropMeta *m = (GstVideoCropMeta *) meta;

    g_string_append_printf (text, " %u,%u %ux%u", m->x, m->y, m->width,
        m->height);
  } else if (api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE) {
    put_roi_meta (text, (GstVideoRegionOfInterestMeta *) meta);
  } else if (api == GST_VIDEO_TIME_CODE_META_API_TYPE) {
    put_time_code_meta (text, (GstVideoTimeCodeMeta *) meta);
  } else if (api == GST_REFERENCE_TIMESTAMP_META_API_TYPE) {
    GstReferenceTimestampMeta *m = (GstReferenceTimestampMeta *) meta;

    put_caps (text, m->reference);
    g_string_append_printf (text, " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
        m->timestamp, m->duration);
  } else if (api == GST_VIDEO_CAPTION_META_API_TYPE) {
    GstVideoCaptionMeta *m = (GstVideoCaptionMeta *) meta;

    g_string_append_printf (text, " %d", m->caption_type);
    put_hex (text, m->data, m->size);
  } else if (api == GST_VIDEO_AFD_META_API_TYPE) {
    GstVideoAFDMeta *m = (GstVideoAFDMeta *) meta;

    g_string_append_printf (text, " %d %d %d", m->field, m->spec, m->afd);
  } else if (api == GST_VIDEO_BAR_META_API_TYPE) {
    GstVideoBarMeta *m = (GstVideoBarMeta *) meta;

    g_string_append_printf (text, " %d %d %u %u", m->field, m->is_letterbox,
        m->bar_data1, m->bar_data2);
  } else if (api == GST_VIDEO_AFFINE_TRANSFORMATION_META_API_TYPE) {
    put_hex (text, (guint8 *) ((GstVideoAffineTransformationMeta *)
            meta)->matrix, 16 * sizeof (gfloat));
  } else if (api == GST_VIDEO_SEI_USER_DATA_UNREGISTERED_META_API_TYPE) {
    GstVideoSEIUserDataUnregisteredMeta *m =
        (GstVideoSEIUserDataUnregisteredMeta *) meta;

    put_hex (text, m->uuid, 16);
    put_hex (text, m->data, m->size);
  } else if (gst_meta_info_is_custom (meta->info)) {
    put_structure (text,
        gst_custom_meta_get_structure ((GstCustomMeta *) meta));
  }
  g_string_append_c (text, '>');
}

static void
put_buffer (GString * text, GstBuffer * buffer)
{
  gpointer state = NULL;
  GstMeta *meta;

  /* TAG_MEMORY says something of a process's memory, not of the frame */
  g_string_append_printf (text, " pts %" G_GINT64_FORMAT " dts %"
      G_GINT64_FORMAT " duration %" G_GINT64_FORMAT " offset %"
      G_GINT64_FORMAT "-%" G_GINT64_FORMAT " flags %x",
      (gint64) GST_BUFFER_PTS (buffer), (gint64) GST_BUFFER_DTS (buffer),
      (gint64) GST_BUFFER_DURATION (buffer),
      (gint64) GST_BUFFER_OFFSET (buffer),
      (gint64) GST_BUFFER_OFFSET_END (buffer),
      GST_BUFFER_FLAGS (buffer) & ~GST_BUFFER_FLAG_TAG_MEMORY);
  put_bytes (text, buffer);
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL)
    put_meta (text, meta);
}

static void
put_stream (GString * text, GstStream * stream)
{
  GstCaps *caps = gst_stream_get_caps (stream);
  GstTagList *tags = gst_stream_get_tags (stream);

  g_string_append_printf (text, " stream %s %d %d",
      gst_stream_get_stream_id (stream), gst_stream_get_stream_type (stream),
      gst_stream_get_stream_flags (stream));
  put_caps (text, caps);
  put_tags (text, tags);
  gst_clear_caps (&caps);
  gst_clear_tag_list (&tags);
}

/* Numbers of one process, told apart by when they first came */
static guint
number_of (GHashTable * table, guint number)
{
  gpointer known = g_hash_table_lookup (table, GUINT_TO_POINTER (number));

  if (known == NULL) {
    known = GUINT_TO_POINTER (g_hash_table_size (table) + 1);
    g_hash_table_insert (table, GUINT_TO_POINTER (number), known);
  }
  return GPOINTER_TO_UINT (known);
}

static void
put_stream_start (CutRecord * self, GstEvent * event)
{
  const gchar *id;
  GstStreamFlags flags;
  GstStream *stream;
  guint group = 0;

  gst_event_parse_stream_start (event, &id);
  gst_event_parse_stream_flags (event, &flags);
  gst_event_parse_group_id (event, &group);
  gst_event_parse_stream (event, &stream);
  g_string_append_printf (self->text, " %s flags %d group %u", id, flags,
      number_of (self->groups, group));
  if (stream != NULL)
    put_stream (self->text, stream);
  gst_clear_object (&stream);
}

static void
put_collection (GString * text, GstEvent * event)
{
  GstStreamCollection *collection;

  gst_event_parse_stream_collection (event, &collection);
  g_string_append_printf (text, " %s",
      gst_stream_collection_get_upstream_id (collection));
  for (guint i = 0; i < gst_stream_collection_get_size (collection); i++)
    put_stream (text, gst_stream_collection_get_stream (collection, i));
  gst_object_unref (collection);
}

static void
put_toc (GString * text, GstEvent * event)
{
  gboolean updated;
  GstToc *toc;

  gst_event_parse_toc (event, &toc, &updated);
  g_string_append_printf (text, " %d %d", updated, gst_toc_get_scope (toc));
  put_tags (text, gst_toc_get_tags (toc));
  put_entries (text, gst_toc_get_entries (toc));
  gst_toc_unref (toc);
}

static void
put_event (CutRecord * self, GstEvent * event)
{
  const GstSegment *segment;
  guint group;

  /* What is not serialized has a number of the process's own; and an EOS that
   * is passed over on one side must not count on the other. */
  gboolean counts = GST_EVENT_IS_SERIALIZED (event)
      && (self->ends || GST_EVENT_TYPE (event) != GST_EVENT_EOS);

  g_string_append_printf (self->text, "%s #%u %+" G_GINT64_FORMAT,
      GST_EVENT_TYPE_NAME (event), counts ? number_of (self->seqnums,
          gst_event_get_seqnum (event)) : 0,
      gst_event_get_running_time_offset (event));
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      put_stream_start (self, event);
      break;
    case GST_EVENT_SEGMENT:
      gst_event_parse_segment (event, &segment);
      put_segment (self->text, segment);
      break;
    case GST_EVENT_STREAM_COLLECTION:
      put_collection (self->text, event);
      break;
    case GST_EVENT_TOC:
      put_toc (self->text, event);
      break;
    case GST_EVENT_STREAM_GROUP_DONE:
      gst_event_parse_stream_group_done (event, &group);
      g_string_append_printf (self->text, " group %u",
          number_of (self->groups, group));
      break;
    case GST_EVENT_EOS:
      break;
    default:
      put_structure (self->text, gst_event_get_structure (event));
      break;
  }
}

static GstPadProbeReturn
probe (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  CutRecord *self = user;

  g_mutex_lock (&self->lock);
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    g_string_append (self->text, "buffer");
    put_buffer (self->text, GST_PAD_PROBE_INFO_BUFFER (info));
  } else {
    put_event (self, GST_PAD_PROBE_INFO_EVENT (info));
    self->ended |= self->ends
        ? GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS
        : gst_event_has_name (GST_PAD_PROBE_INFO_EVENT (info), CUT_END);
  }
  g_string_append_c (self->text, '\n');
  g_mutex_unlock (&self->lock);
  return GST_PAD_PROBE_OK;
}

void
cut_record_start (CutRecord * self, GstElement * element, gboolean ends)
{
  GstPad *pad = gst_element_get_static_pad (element, "sink");

  g_mutex_init (&self->lock);
  self->text = g_string_new (NULL);
  self->seqnums = g_hash_table_new (NULL, NULL);
  self->groups = g_hash_table_new (NULL, NULL);
  self->ends = ends;
  self->ended = FALSE;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
      | GST_PAD_PROBE_TYPE_EVENT_FLUSH | GST_PAD_PROBE_TYPE_BUFFER, probe,
      self, NULL);
  gst_object_unref (pad);
}

gchar *
cut_record_stop (CutRecord * self)
{
  g_hash_table_unref (self->seqnums);
  g_hash_table_unref (self->groups);
  g_mutex_clear (&self->lock);
  return g_string_free (self->text, FALSE);
}

gboolean
cut_record_has_ended (CutRecord * self)
{
  gboolean ended;

  g_mutex_lock (&self->lock);
  ended = self->ended;
  g_mutex_unlock (&self->lock);
  return ended;
}
