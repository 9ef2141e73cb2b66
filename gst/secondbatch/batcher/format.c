/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What upstream says of a stream's frames */
#include "batcher/batcher.h"

SecondFormat *
second_format_new (const SecondFormat * base)
{
  SecondFormat *format = g_atomic_rc_box_new0 (SecondFormat);

  gst_segment_init (&format->segment, GST_FORMAT_UNDEFINED);
  format->rate.d = 1;
  if (base)
    *format = *base;
  for (guint i = 0; i < SECOND_FORMAT_EVENTS; i++)
    if (format->events[i])
      gst_event_ref (format->events[i]);
  return format;
}

SecondFormat *
second_format_ref (SecondFormat * format)
{
  return g_atomic_rc_box_acquire (format);
}

static void
clear_events (gpointer data)
{
  SecondFormat *format = data;

  for (guint i = 0; i < SECOND_FORMAT_EVENTS; i++)
    gst_event_replace (&format->events[i], NULL);
}

void
second_format_unref (SecondFormat * format)
{
  g_atomic_rc_box_release_full (format, clear_events);
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

  /* ignores where upstream was when it sent the segment */
  sa = a->segment;
  sb = b->segment;
  sa.position = sb.position = 0;
  return gst_segment_is_equal (&sa, &sb);
}

/* With alternate interlacing each of two fields has a buffer of its own */
SecondRate
second_caps_get_rate (GstCaps * caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  SecondRate rate = { 0, 1 };

  gst_structure_get_fraction (s, "framerate", &rate.n, &rate.d);
  if (g_strcmp0 (gst_structure_get_string (s, "interlace-mode"),
          "alternate") == 0)
    return second_window_scale_rate (rate, 2.0);
  return rate;
}

void
second_format_read (SecondFormat * format, GstEvent * event)
{
  SecondFormatEvent kind;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_event_parse_stream_start (event, &format->stream_id);
      kind = SECOND_FORMAT_STREAM_START;
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &format->caps);
      format->rate = second_caps_get_rate (format->caps);
      kind = SECOND_FORMAT_CAPS;
      break;
    default:
      gst_event_copy_segment (event, &format->segment);
      kind = SECOND_FORMAT_SEGMENT;
      break;
  }
  gst_event_replace (&format->events[kind], event);
}

GstClockTime
second_format_frame_duration (const SecondFormat * format)
{
  if (format->rate.n <= 0)
    return GST_CLOCK_TIME_NONE;
  return gst_util_uint64_scale (GST_SECOND, format->rate.d, format->rate.n);
}
