/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What upstream says of a stream's frames */
#include "batcher/batcher.h"

SecondFormat *
second_format_new (const SecondFormat * base)
{
  SecondFormat *format = g_atomic_rc_box_new0 (SecondFormat);

  if (base) {
    *format = *base;
    if (format->caps)
      gst_caps_ref (format->caps);
    format->stream_id = g_strdup (base->stream_id);
    for (guint i = 0; i < SECOND_TOLD_LAST; i++)
      if (format->told[i])
        gst_event_ref (format->told[i]);
  } else {
    gst_segment_init (&format->segment, GST_FORMAT_UNDEFINED);
    format->fps_d = format->run_fps_d = 1;
  }
  return format;
}

SecondFormat *
second_format_ref (SecondFormat * format)
{
  return g_atomic_rc_box_acquire (format);
}

static void
format_clear (gpointer data)
{
  SecondFormat *format = data;

  for (guint i = 0; i < SECOND_TOLD_LAST; i++)
    gst_event_replace (&format->told[i], NULL);
  gst_clear_caps (&format->caps);
  g_free (format->stream_id);
}

void
second_format_unref (SecondFormat * format)
{
  g_atomic_rc_box_release_full (format, format_clear);
}

gboolean
second_format_equal (const SecondFormat * a, const SecondFormat * b)
{
  GstSegment sa, sb;

  if (a == b)
    return TRUE;
  if (g_strcmp0 (a->stream_id, b->stream_id) != 0)
    return FALSE;
  if (a->caps != b->caps && (a->caps == NULL || b->caps == NULL
          || !gst_caps_is_equal (a->caps, b->caps)))
    return FALSE;

  /* where upstream was when it sent the segment does not change its meaning */
  sa = a->segment;
  sb = b->segment;
  sa.position = sb.position = 0;
  return gst_segment_is_equal (&sa, &sb);
}

/* Of two fields of alternate interlacing each has a buffer of its own */
void
second_caps_get_rate (GstCaps * caps, gint * fps_n, gint * fps_d)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);

  *fps_n = 0;
  *fps_d = 1;
  gst_structure_get_fraction (s, "framerate", fps_n, fps_d);
  if (g_strcmp0 (gst_structure_get_string (s, "interlace-mode"),
          "alternate") == 0
      && !gst_util_fraction_multiply (*fps_n, *fps_d, 2, 1, fps_n, fps_d))
    *fps_n = 0;
}

void
second_format_read (SecondFormat * format, GstEvent * event)
{
  const gchar *stream_id;
  GstCaps *caps;
  guint told;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_event_parse_stream_start (event, &stream_id);
      g_free (format->stream_id);
      format->stream_id = g_strdup (stream_id);
      told = SECOND_TOLD_STREAM_START;
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      gst_caps_replace (&format->caps, caps);
      second_caps_get_rate (caps, &format->fps_n, &format->fps_d);
      told = SECOND_TOLD_CAPS;
      break;
    default:
      gst_event_copy_segment (event, &format->segment);
      told = SECOND_TOLD_SEGMENT;
      break;
  }
  gst_event_replace (&format->told[told], event);
  format->run_fps_n = format->fps_n;
  format->run_fps_d = format->fps_d;
  second_window_scale_rate (&format->run_fps_n, &format->run_fps_d,
      format->segment.rate);
}

GstClockTime
second_format_frame_duration (const SecondFormat * format)
{
  if (format->fps_n <= 0 || format->fps_d <= 0)
    return GST_CLOCK_TIME_NONE;
  return gst_util_uint64_scale (GST_SECOND, format->fps_d, format->fps_n);
}
