/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Batches as text, so that a case is a line: "1: 4 1000 1040; 8 -" is batch 1
 * with frames of 1000 and 1040 ms and a width of 4 in the first stream, and no
 * frames, but caps of width 8, in the second. A frame whose size does not match
 * its caps has a '!'.
 */
#ifndef BATCHTEXT_H
#define BATCHTEXT_H

#include "batchrig.h"

#define MS GST_MSECOND

static inline GstCaps *
text_caps (gint width, gint fps)
{
  return gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "GRAY8",
      "width", G_TYPE_INT, width, "height", G_TYPE_INT, 1, "framerate",
      GST_TYPE_FRACTION, fps, 1, NULL);
}

static inline void
text_set_width (Rig * rig, guint pad, gint width)
{
  GstCaps *caps = text_caps (width, 25);

  gst_harness_push_event (rig->h[pad], gst_event_new_caps (caps));
  gst_caps_unref (caps);
}

/* Streams of 25 fps, 4 pixels wide, all of time with running time */
static inline void
text_begin (Rig * rig)
{
  guint i;

  for (i = 0; i < rig->n; i++)
    gst_harness_set_src_caps (rig->h[i], text_caps (4, 25));
}

/* A frame of 40 ms, as many bytes as the stream's caps say */
static inline void
text_push (Rig * rig, guint pad, gint width, gint64 ms)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, (gsize) width, NULL);

  GST_BUFFER_PTS (buffer) = (guint64) ms *MS;
  GST_BUFFER_DURATION (buffer) = 40 * MS;
  fail_unless_equals_int (gst_harness_push (rig->h[pad], buffer), GST_FLOW_OK);
}

static inline void
text_push_n (Rig * rig, guint pad, gint width, gint64 from, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    text_push (rig, pad, width, from + i * 40);
}

static inline void
text_segment (Rig * rig, guint pad, gdouble rate, GstClockTime start,
    GstClockTime stop)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = rate;
  segment.start = segment.time = segment.position = start;
  segment.stop = stop;
  gst_harness_push_event (rig->h[pad], gst_event_new_segment (&segment));
}

static inline void
text_gap (Rig * rig, guint pad, gint64 ms, gint64 duration_ms)
{
  gst_harness_push_event (rig->h[pad], gst_event_new_gap ((guint64) ms * MS,
          (guint64) duration_ms * MS));
}

static inline gchar *
text_of_batch (GstBuffer * batch)
{
  GString *text = g_string_new (NULL);
  guint k, i, n = gst_second_batch_get_n_streams (batch);

  g_string_printf (text, "%" G_GUINT64_FORMAT ":",
      gst_second_batch_get_index (batch));
  for (k = 0; k < n; k++) {
    GstCaps *caps = gst_second_batch_get_caps (batch, k);
    gint width = 0;

    if (caps)
      gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
    g_string_append_printf (text, "%s %d", k ? ";" : "", width);
    for (i = 0; i < batch_count (batch, k); i++) {
      GstBuffer *frame = batch_frame (batch, k, i);

      g_string_append_printf (text, " %" G_GUINT64_FORMAT "%s",
          GST_BUFFER_PTS (frame) / MS,
          gst_buffer_get_size (frame) == (gsize) width ? "" : "!");
    }
    if (i == 0)
      g_string_append (text, " -");
  }
  return g_string_free (text, FALSE);
}

static inline void
text_expect (Rig * rig, const gchar * expected)
{
  GstBuffer *batch = rig_pull (rig);
  gchar *text = text_of_batch (batch);

  fail_unless_equals_string (text, expected);
  g_free (text);
  gst_buffer_unref (batch);
}

/* All is over, and this was all */
static inline void
text_end (Rig * rig)
{
  rig_wait_eos (rig);
  fail_unless_equals_int (gst_harness_buffers_in_queue (rig->h[0]), 0);
  rig_clear (rig);
}

#endif /* BATCHTEXT_H */
