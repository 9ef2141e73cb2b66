/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What passes the source's pad while the producer's flushes, as a line of
 * letters. */
#ifndef FLUSHRIG_H
#define FLUSHRIG_H

#include "shmrig.h"


/* What passes a pad: one letter each, "^" and "v" for FLUSH_START and
 * FLUSH_STOP, "s", "c", "[", "e" for the usual events, the last digit of a
 * frame's number */
typedef struct
{
  GMutex lock;
  GString *text;
  guint32 seqnum[4];            /* of the last "^", "v", "[", "e" */
} Trace;

static Trace trace;
static GstHarness *in;

static const struct
{
  GstEventType type;
  gchar letter;
} letters[] = {
  {GST_EVENT_FLUSH_START, '^'}, {GST_EVENT_FLUSH_STOP, 'v'},
  {GST_EVENT_SEGMENT, '['}, {GST_EVENT_EOS, 'e'},
  {GST_EVENT_STREAM_START, 's'}, {GST_EVENT_CAPS, 'c'},
};

static inline GstPadProbeReturn
note (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  g_mutex_lock (&trace.lock);
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    g_string_append_printf (trace.text, "%u", (guint)
        (GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info)) % 10));
  } else {
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);

    for (guint i = 0; i < G_N_ELEMENTS (letters); i++) {
      if (letters[i].type != GST_EVENT_TYPE (event))
        continue;
      g_string_append_c (trace.text, letters[i].letter);
      if (i < G_N_ELEMENTS (trace.seqnum))
        trace.seqnum[i] = gst_event_get_seqnum (event);
    }
  }
  g_mutex_unlock (&trace.lock);
  return GST_PAD_PROBE_OK;
}

static inline gboolean
trace_is (const gchar * expected)
{
  gboolean is;

  g_mutex_lock (&trace.lock);
  is = strcmp (trace.text->str, expected) == 0;
  g_mutex_unlock (&trace.lock);
  return is;
}

static inline void
expect (const gchar * expected)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 2000;

  while (!trace_is (expected) && g_get_monotonic_time () < end)
    g_usleep (1000);
  g_mutex_lock (&trace.lock);
  fail_unless_equals_string (trace.text->str, expected);
  g_mutex_unlock (&trace.lock);
}

static inline guint32
seqnum_of (gchar letter)
{
  guint32 seqnum = 0;

  g_mutex_lock (&trace.lock);
  for (guint i = 0; i < G_N_ELEMENTS (trace.seqnum); i++)
    if (letters[i].letter == letter)
      seqnum = trace.seqnum[i];
  g_mutex_unlock (&trace.lock);
  return seqnum;
}

/* A consumer whose sink waits for the clock */
static inline GstElement *
consume (const gchar * description)
{
  GstElement *pipeline = rig_launch (description);
  GstPad *pad = gst_element_get_static_pad (rig_child (pipeline, "src"), "src");

  g_mutex_init (&trace.lock);
  trace.text = g_string_new (NULL);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
      | GST_PAD_PROBE_TYPE_EVENT_FLUSH | GST_PAD_PROBE_TYPE_BUFFER, note, NULL,
      NULL);
  gst_object_unref (pad);
  rig_play (pipeline);
  return pipeline;
}

#define CONSUMER "shmframesrc name=src is-live=false socket-path=@ %s ! " \
    "fakesink name=sink sync=true"

static inline GstElement *
open_pair (const gchar * properties)
{
  gchar *description = g_strdup_printf (CONSUMER, properties);
  GstElement *consumer;

  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          "async", FALSE, "client-timeout", G_GUINT64_CONSTANT (0), NULL));
  consumer = consume (description);
  rig_until (rig_num_clients (in->element) == 1);
  g_free (description);
  return consumer;
}

/* It has a base time then, and its sink one state */
static inline void
await_playing (GstElement * consumer)
{
  fail_unless_equals_int (gst_element_get_state (consumer, NULL, NULL,
          RIG_DEADLINE), GST_STATE_CHANGE_SUCCESS);
}

static inline void
close_consumer (GstElement * consumer)
{
  rig_stop (consumer);
  g_string_free (trace.text, TRUE);
  g_mutex_clear (&trace.lock);
}

static inline void
close_pair (GstElement * consumer)
{
  close_consumer (consumer);
  gst_harness_teardown (in);
}

static inline void
push_with (GstEvent * event, guint32 seqnum)
{
  gst_event_set_seqnum (event, seqnum);
  fail_unless (gst_harness_push_event (in, event));
}

static inline void
push_caps (gint width)
{
  GstCaps *caps = rig_caps ("GRAY8", width, 8);

  push_with (gst_event_new_caps (caps), gst_util_seqnum_next ());
  gst_caps_unref (caps);
}

static inline void
push_segment (guint32 seqnum)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  push_with (gst_event_new_segment (&segment), seqnum);
}

static inline void
push_frame (guint number, gint width)
{
  fail_unless_equals_int (gst_harness_push (in, rig_frame (number, width * 8)),
      GST_FLOW_OK);
}

static inline void
begin (guint32 seqnum)
{
  push_with (gst_event_new_stream_start ("one"), gst_util_seqnum_next ());
  push_caps (8);
  push_segment (seqnum);
}

static inline void
flush (guint32 seqnum)
{
  push_with (gst_event_new_flush_start (), seqnum);
  push_with (gst_event_new_flush_stop (TRUE), seqnum);
}

#endif
