/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A secondbatcher between harnesses: one per sink pad, the first one also has
 * the source pad. Live rigs run on a test clock that stands still until a test
 * cranks it; nothing sleeps.
 */
#ifndef BATCHRIG_H
#define BATCHRIG_H

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>

#include "fdcheck.h"
#include "gstsecondbatchmeta.h"
#include "properties.h"

#define RIG_MAX_PADS 64
#define FRAME_BYTES 16

/* How long anything may take before it counts as not happening */
#define RIG_DEADLINE (30 * GST_SECOND)

typedef struct
{
  GstElement *batcher;
  GstHarness *h[RIG_MAX_PADS];
  guint n;
} Rig;

static inline GstCaps *
rig_caps (gint fps_n, gint fps_d)
{
  return gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "GRAY8",
      "width", G_TYPE_INT, 4, "height", G_TYPE_INT, 4, "framerate",
      GST_TYPE_FRACTION, fps_n, fps_d, NULL);
}

/* What live pads answer */
static GstClockTime rig_upstream_latency;

static GstStaticPadTemplate rig_src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate rig_sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* The harness knows what to answer before it has the batcher, whose thread asks
 * once, as soon as it runs, and goes on as if live where the answer came
 * late */
static inline GstHarness *
rig_harness (GstElement * batcher, const gchar * name, gboolean has_src,
    gboolean live)
{
  GstHarness *h = gst_harness_new_empty ();

  gst_harness_set_live (h, live);
  gst_harness_set_upstream_latency (h, rig_upstream_latency);
  gst_harness_add_element_full (h, batcher, &rig_src_template, name,
      &rig_sink_template, has_src ? "src" : NULL);
  return h;
}

/* The pads have no caps yet; nothing flows before rig_set_caps() */
static inline void
rig_init (Rig * rig, guint n, gboolean live, const gchar * property, ...)
{
  va_list args;
  guint i;

  rig->n = n;
  rig->batcher = gst_element_factory_make ("secondbatcher", NULL);
  fail_unless (rig->batcher != NULL, "no secondbatcher; see GST_PLUGIN_PATH");
  /* so that a deadline is the end of a window */
  g_object_set (rig->batcher, "latency", (gint64) 0, NULL);
  va_start (args, property);
  set_properties (rig->batcher, property, args);
  va_end (args);

  for (i = 0; i < n; i++) {
    gchar *name = g_strdup_printf ("sink_%u", i);

    rig->h[i] = rig_harness (rig->batcher, name, i == 0, live);
    g_free (name);
  }
  if (live)
    gst_harness_use_testclock (rig->h[0]);
  for (i = 0; i < n; i++)
    gst_harness_play (rig->h[i]);
}

static inline void
rig_set_caps (Rig * rig, guint pad, gint fps_n, gint fps_d)
{
  gst_harness_set_src_caps (rig->h[pad], rig_caps (fps_n, fps_d));
}

static inline void
rig_clear (Rig * rig)
{
  guint i;

  for (i = rig->n; i-- > 0;)
    if (rig->h[i])
      gst_harness_teardown (rig->h[i]);
  gst_object_unref (rig->batcher);
}

static inline GstBuffer *
rig_frame (GstClockTime pts, GstClockTime duration)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, FRAME_BYTES, NULL);

  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = duration;
  return buffer;
}

static inline void
rig_push (Rig * rig, guint pad, GstClockTime pts)
{
  fail_unless_equals_int (gst_harness_push (rig->h[pad], rig_frame (pts,
              GST_CLOCK_TIME_NONE)), GST_FLOW_OK);
}

/* n frames, spaced by step, into one pad; blocks if the pad's queue is full */
static inline void
rig_push_n (Rig * rig, guint pad, GstClockTime from, GstClockTime step, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    rig_push (rig, pad, from + i * step);
}

static inline void
rig_eos (Rig * rig)
{
  guint i;

  for (i = 0; i < rig->n; i++)
    fail_unless (gst_harness_push_event (rig->h[i], gst_event_new_eos ()));
}

static inline GstBuffer *
rig_pull (Rig * rig)
{
  GstBuffer *batch = gst_harness_pull (rig->h[0]);

  fail_unless (batch != NULL, "no batch came");
  fail_unless (gst_second_batch_get_structure (batch) != NULL);
  return batch;
}

static inline GstBuffer *
batch_frame (GstBuffer * batch, guint stream, guint i)
{
  return gst_buffer_list_get (gst_second_batch_get_buffers (batch, stream), i);
}

static inline guint
batch_count (GstBuffer * batch, guint stream)
{
  GstBufferList *list = gst_second_batch_get_buffers (batch, stream);
  guint n = list ? gst_buffer_list_length (list) : 0;

  fail_unless_equals_int (gst_second_batch_get_count (batch, "frames", stream),
      n);
  return n;
}

/* Pulls a batch of two streams and checks its index and counts */
static inline void
rig_expect (Rig * rig, guint64 index, guint n0, guint n1)
{
  GstBuffer *batch = rig_pull (rig);

  fail_unless_equals_uint64 (gst_second_batch_get_index (batch), index);
  fail_unless_equals_int (batch_count (batch, 0), n0);
  if (rig->n > 1)
    fail_unless_equals_int (batch_count (batch, 1), n1);
  gst_buffer_unref (batch);
}

static inline guint64
rig_stat (Rig * rig, const gchar * field)
{
  GstStructure *stats;
  guint64 value = G_MAXUINT64;

  g_object_get (rig->batcher, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, field, &value),
      "no %s in the statistics", field);
  gst_structure_free (stats);
  return value;
}

/* The batcher's own thread may not have come as far as the test */
static inline void
rig_wait_stat (Rig * rig, const gchar * field, guint64 expected)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000;

  while (rig_stat (rig, field) != expected && g_get_monotonic_time () < end)
    g_thread_yield ();
  fail_unless_equals_uint64 (rig_stat (rig, field), expected);
}

/* Reads events until EOS; nothing but EOS may be left */
static inline void
rig_wait_eos (Rig * rig)
{
  GstEvent *event;
  gboolean eos = FALSE;

  while (!eos) {
    event = gst_harness_pull_event (rig->h[0]);
    fail_unless (event != NULL, "no EOS came");
    eos = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    gst_event_unref (event);
  }
}

#define BATCH_SUITE(name) FDCHECK_SUITE (name, fdcheck_setup, fdcheck_teardown)

#endif /* BATCHRIG_H */
