/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a batcher, ours or analyticscombiner, on streams of events and frames,
 * and keeps what comes out of it. Each stream has a thread, since both batchers
 * block a stream that is ahead of another.
 */
#ifndef ANALYTICSRIG_H
#define ANALYTICSRIG_H

#include <gst/analytics/analytics.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>

#include "fdcheck.h"
#include "gstsecondbatchmeta.h"

#define ANALYTICS "multistream/x-analytics-batch(meta:GstAnalyticsBatchMeta)"
#define MS GST_MSECOND
#define STREAMS 2
#define DEADLINE (30 * GST_SECOND)

typedef struct
{
  GPtrArray *items[STREAMS];    /* of GstMiniObject: what upstream pushes */
} Input;

static inline void
input_add (Input * input, guint k, gpointer item)
{
  g_ptr_array_add (input->items[k], item);
}

static inline void
input_format (Input * input, guint k, const gchar * caps)
{
  gchar *id = g_strdup_printf ("camera-%u", k);
  GstCaps *c = gst_caps_from_string (caps);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  input_add (input, k, gst_event_new_stream_start (id));
  input_add (input, k, gst_event_new_caps (c));
  input_add (input, k, gst_event_new_segment (&segment));
  gst_caps_unref (c);
  g_free (id);
}

/* All bytes of the frame are its value */
static inline void
input_frame (Input * input, guint k, GstClockTime pts, GstClockTime duration,
    gsize size, guint8 value)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);

  gst_buffer_memset (buffer, 0, value, size);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = duration;
  input_add (input, k, buffer);
}

static inline void
input_init (Input * input)
{
  guint k;

  for (k = 0; k < STREAMS; k++)
    input->items[k] = g_ptr_array_new_with_free_func
        ((GDestroyNotify) gst_mini_object_unref);
}

static inline void
input_clear (Input * input)
{
  guint k;

  for (k = 0; k < STREAMS; k++)
    g_ptr_array_unref (input->items[k]);
}

typedef struct
{
  GstPad *pad;
  GPtrArray *items;
  GThread *thread;
} Pusher;

static inline gpointer
push_items (gpointer data)
{
  Pusher *p = data;
  guint i;

  for (i = 0; i < p->items->len; i++) {
    GstMiniObject *item = gst_mini_object_ref (g_ptr_array_index (p->items, i));

    if (GST_IS_EVENT (item))
      gst_pad_push_event (p->pad, GST_EVENT_CAST (item));
    else
      fail_unless_equals_int (gst_pad_push (p->pad, GST_BUFFER_CAST (item)),
          GST_FLOW_OK);
  }
  return NULL;
}

/* Into sink_0 and so on of a running element; returns when all is in */
static inline void
push_input (GstElement * element, Input * input)
{
  Pusher p[STREAMS];
  guint k;

  for (k = 0; k < STREAMS; k++) {
    gchar *name = g_strdup_printf ("sink_%u", k);
    GstPad *sink = gst_element_get_static_pad (element, name);

    p[k].pad = gst_pad_new (NULL, GST_PAD_SRC);
    p[k].items = input->items[k];
    fail_unless_equals_int (gst_pad_link (p[k].pad, sink), GST_PAD_LINK_OK);
    gst_pad_set_active (p[k].pad, TRUE);
    gst_object_unref (sink);
    g_free (name);
  }
  for (k = 0; k < STREAMS; k++)
    p[k].thread = g_thread_new ("push", push_items, &p[k]);
  for (k = 0; k < STREAMS; k++) {
    g_thread_join (p[k].thread);
    gst_pad_set_active (p[k].pad, FALSE);
    gst_object_unref (p[k].pad);
  }
}

/* With its pads, not yet running */
static inline GstElement *
make_batcher (const gchar * factory, GstClockTime duration)
{
  GstElement *element = gst_element_factory_make (factory, NULL);
  guint k;

  fail_unless (element != NULL);
  g_object_set (element, "batch-duration", (guint64) duration, NULL);
  for (k = 0; k < STREAMS; k++) {
    gchar *name = g_strdup_printf ("sink_%u", k);

    gst_object_unref (gst_element_request_pad_simple (element, name));
    g_free (name);
  }
  return element;
}

#define ANALYTICS_SUITE(name) \
    FDCHECK_SUITE (name, fdcheck_setup, fdcheck_teardown)

#endif
