/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refuses what cannot be shared, when it is negotiated or with its first batch,
 * in one sentence that says what to do. */
#include "gstsecondbatchmeta.h"
#include "common/caps.h"
#include "sink/gstshmframesink.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* Posts an error, once, however often upstream tries again. */
static void
refuse (GstShmFrameSink * self, const gchar * text, const GstCaps * caps)
{
  if (!self->reported.format)
    GST_ELEMENT_ERROR (self, STREAM, FORMAT, ("%s", text),
        ("caps %" GST_PTR_FORMAT, caps));
  self->reported.format = TRUE;
}

static void
refuse_memory (GstShmFrameSink * self, const gchar * feature, gint stream,
    const GstCaps * caps)
{
  gchar *text = gst_shm_frame_caps_explain (feature, stream);

  refuse (self, text, caps);
  g_free (text);
}

static const gchar *
find_unsupported (const GstCaps * caps, gint * stream)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);

  *stream = -1;
  return gst_structure_has_name (s, GST_SECOND_BATCH_CAPS_NAME)
      ? gst_shm_frame_caps_find_unsupported_stream (s, stream)
      : gst_shm_frame_caps_find_unsupported (caps);
}

/* The pad does not accept frames in other memory, and says nothing: so report
 * them here. It does accept batches of these, and
 * gst_shm_frame_sink_check_caps() refuses them: otherwise an element in between
 * would fail without a word from us. */
GstPadProbeReturn
gst_shm_frame_sink_probe_caps (GstPad * pad, GstPadProbeInfo * info,
    gpointer sink)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  const gchar *feature;
  GstCaps *caps;
  gint stream;

  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps (event, &caps);
  feature = find_unsupported (caps, &stream);
  if (feature != NULL)
    refuse_memory (sink, feature, stream, caps);
  return GST_PAD_PROBE_OK;
}

/* The field that takes the most bytes. */
static const gchar *
largest_field (GstShmFrameSink * self, const GstCaps * caps, guint * size)
{
  const gchar *largest = "";

  *size = 0;
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    const GstStructure *s = gst_caps_get_structure (caps, i);

    for (gint k = 0; k < gst_structure_n_fields (s); k++) {
      const gchar *name = gst_structure_nth_field_name (s, k);
      GstByteWriter w;

      gst_byte_writer_init_with_data (&w, self->record.body, SF_MAX_PAYLOAD,
          FALSE);
      gst_shm_frame_wire_put_value (&w, gst_structure_get_value (s, name),
          &self->record.unserializable, 0);
      if (gst_byte_writer_get_pos (&w) > *size) {
        *size = gst_byte_writer_get_pos (&w);
        largest = name;
      }
    }
  }
  return largest;
}

/* How many frames a batch with these caps has if all streams keep their
 * rate. */
static guint64
count_frames (const GstStructure * batch)
{
  const GValue *streams = gst_structure_get_value (batch, "streams");
  guint n = streams != NULL && GST_VALUE_HOLDS_ARRAY (streams)
      ? gst_value_array_get_size (streams) : 0;
  guint64 duration = 0, frames = 0;

  gst_structure_get_uint64 (batch, "batch-duration", &duration);
  for (guint i = 0; i < n; i++) {
    const GValue *value = gst_value_array_get_value (streams, i);
    const GstCaps *caps = GST_VALUE_HOLDS_CAPS (value)
        ? gst_value_get_caps (value) : NULL;
    gint fps_n, fps_d;

    if (caps != NULL && gst_caps_get_size (caps) > 0
        && gst_structure_get_fraction (gst_caps_get_structure (caps, 0),
            "framerate", &fps_n, &fps_d) && fps_n > 0 && fps_d > 0)
      frames += gst_util_uint64_scale (duration, fps_n, fps_d * GST_SECOND);
  }
  return frames;
}

static gboolean
refuse_frames (GstShmFrameSink * self, guint64 n, const GstCaps * caps)
{
  gchar *text = g_strdup_printf ("Batches of %" G_GUINT64_FORMAT " frames "
      "cannot cross to other processes, %u are the most there can be in one; "
      "batch fewer streams or shorter windows.", n, SF_MAX_MEMORY_REFS);

  refuse (self, text, caps);
  g_free (text);
  return FALSE;
}

gboolean
gst_shm_frame_sink_check_caps (GstShmFrameSink * self, GstEvent * event)
{
  const gchar *feature;
  GstByteWriter w;
  GstCaps *caps;
  gchar *text;
  gint stream;
  guint64 frames;
  guint size;

  gst_event_parse_caps (event, &caps);
  feature = find_unsupported (caps, &stream);
  if (feature != NULL) {
    refuse_memory (self, feature, stream, caps);
    return FALSE;
  }
  frames = count_frames (gst_caps_get_structure (caps, 0));
  if (frames > SF_MAX_MEMORY_REFS)
    return refuse_frames (self, frames, caps);
  self->record.unserializable.field = NULL;
  gst_byte_writer_init_with_data (&w, self->record.body, SF_MAX_PAYLOAD, FALSE);
  if (gst_shm_frame_wire_put_event (&w, event, GST_CLOCK_TIME_NONE,
          &self->record.unserializable))
    return TRUE;
  if (self->record.unserializable.field != NULL) {
    text = g_strdup_printf ("These caps cannot be sent to other processes: "
        "their field %s is of type %s; leave it out (capssetter), or make it "
        "an int or a string.", self->record.unserializable.field,
        self->record.unserializable.field_type);
  } else {
    const gchar *field = largest_field (self, caps, &size);

    text = g_strdup_printf ("These caps cannot be sent to other processes: "
        "they take more than %u bytes, most of it (%u bytes or more) their "
        "field %s; leave it out (capssetter).", (guint) SF_MAX_PAYLOAD, size,
        field);
  }
  refuse (self, text, caps);
  g_free (text);
  return FALSE;
}

gboolean
gst_shm_frame_sink_check_batch (GstShmFrameSink * self, GstBuffer * batch)
{
  guint n = gst_second_batch_get_n_streams (batch);
  guint n_parts = gst_shm_frame_batch_count_parts (batch);

  if (n_parts > SF_MAX_MEMORY_REFS)
    return refuse_frames (self, n_parts, NULL);
  for (guint k = 0; k < n; k++) {
    GstCaps *caps = gst_second_batch_get_caps (batch, k);
    const gchar *feature = caps != NULL
        ? gst_shm_frame_caps_find_unsupported (caps) : NULL;

    if (feature != NULL) {
      refuse_memory (self, feature, (gint) k, caps);
      return FALSE;
    }
  }
  return TRUE;
}
