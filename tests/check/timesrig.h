/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sink and a source, of which what comes is kept with the segment it came in.
 * Both have the clock that their processes share, and base times that are set
 * here, so that times are exact to the ns and nothing has to be waited for. */
#ifndef TIMESRIG_H
#define TIMESRIG_H

#include <gst/base/gstbasesrc.h>

#include "shmrig.h"

#define MS GST_MSECOND
#define FRAME_SIZE 64

/* A buffer that came, and the segment it came in */
typedef struct
{
  GstBuffer *buffer;
  GstSegment segment;
} Got;

static GstHarness *in, *out;
static GstClockTime theirs;     /* the producer's base time */
static GQueue got;
static gint n_segments;         /* atomic */
static gboolean first_one;      /* the base class sets DISCONT on that one */

static inline void
got_free (Got * g)
{
  gst_buffer_unref (g->buffer);
  g_free (g);
}

/* The harness's own queue is not looked at: it does not say in which segment */
static inline GstPadProbeReturn
on_sent (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstEvent *event;
  const GstSegment *segment;
  Got *g;

  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
    fail_unless (event != NULL);
    gst_event_parse_segment (event, &segment);
    g = g_new0 (Got, 1);
    g->buffer = gst_buffer_ref (GST_PAD_PROBE_INFO_BUFFER (info));
    g->segment = *segment;
    gst_event_unref (event);
    g_queue_push_tail (&got, g);
  } else if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info))
      == GST_EVENT_SEGMENT) {
    g_atomic_int_inc (&n_segments);
  }
  return GST_PAD_PROBE_OK;
}

static inline GstHarness *
start (GstElement * e, GstClockTime base)
{
  /* That it is a source says nothing: shmframesink is one, too, for
   * send_event(). */
  gboolean is_src = GST_IS_BASE_SRC (e);
  GstHarness *h = gst_harness_new_with_element (e, is_src ? NULL : "sink",
      is_src ? "src" : NULL);
  GstPad *pad;

  gst_harness_use_systemclock (h);
  gst_element_set_base_time (e, base);
  first_one = TRUE;
  if (is_src) {
    pad = gst_element_get_static_pad (e, "src");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
        | GST_PAD_PROBE_TYPE_BUFFER, on_sent, NULL, NULL);
    gst_object_unref (pad);
  }
  gst_object_unref (e);
  gst_harness_play (h);
  return h;
}

static inline void
open_sink (const gchar * delivery)
{
  in = start (rig_element ("shmframesink", "delivery", delivery,
          "min-clients", 0, NULL), theirs);
}

/* The producer's running time 0 is our `ahead` */
static inline void
open_src (const gchar * timestamps, GstClockTimeDiff ahead)
{
  out = start (rig_element ("shmframesrc", "timestamps", timestamps, NULL),
      theirs - ahead);
  rig_until (rig_num_clients (in->element) == 1);
}

static inline void
open_pair (const gchar * delivery, const gchar * timestamps,
    GstClockTimeDiff ahead)
{
  theirs = 100000 * GST_SECOND;
  g_atomic_int_set (&n_segments, 0);
  open_sink (delivery);
  open_src (timestamps, ahead);
}

static inline void
close_pair (void)
{
  gst_harness_teardown (out);
  gst_harness_teardown (in);
  g_queue_clear_full (&got, (GDestroyNotify) got_free);
}

static inline void
push_caps (void)
{
  GstCaps *caps = rig_caps ("GRAY8", 8, 8);

  gst_harness_set_src_caps (in, caps);
}

static inline GstSegment
push_segment (GstClockTime from, GstClockTime to, gdouble rate)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = from;
  segment.stop = to;
  segment.rate = rate;
  segment.position = rate > 0 ? from : to;
  fail_unless (gst_harness_push_event (in, gst_event_new_segment (&segment)));
  return segment;
}

static inline void
push_at (GstClockTime pts, GstClockTime duration)
{
  GstBuffer *frame = rig_frame ((guint) (pts / (40 * MS)), FRAME_SIZE);

  GST_BUFFER_PTS (frame) = pts;
  GST_BUFFER_DURATION (frame) = duration;
  fail_unless_equals_int (gst_harness_push (in, frame), GST_FLOW_OK);
}

static inline void
push_number (guint n)
{
  push_at (n * 40 * MS, 40 * MS);
}

/* The next one that came */
static inline Got *
next (void)
{
  Got *g;

  gst_buffer_unref (gst_harness_pull (out));
  g = g_queue_pop_head (&got);
  fail_unless (g != NULL);
  return g;
}

/* Is it part of the stream, as whoever clips would find? */
static inline gboolean
is_inside (const Got * g)
{
  GstClockTime pts = GST_BUFFER_PTS (g->buffer);
  GstClockTime end = GST_BUFFER_DURATION_IS_VALID (g->buffer)
      ? pts + GST_BUFFER_DURATION (g->buffer) : GST_CLOCK_TIME_NONE;

  return gst_segment_clip (&g->segment, GST_FORMAT_TIME, pts, end, NULL, NULL);
}

static inline GstClockTimeDiff
running_time (const Got * g)
{
  guint64 time;
  gint sign = gst_segment_to_running_time_full (&g->segment, GST_FORMAT_TIME,
      GST_BUFFER_PTS (g->buffer), &time);

  return sign * (GstClockTimeDiff) time;
}

/* The next one is of this running time, before the segment's start */
static inline void
expect_before (GstClockTimeDiff time)
{
  Got *g = next ();

  fail_unless (!is_inside (g), "part of the stream at %" GST_STIME_FORMAT,
      GST_STIME_ARGS (running_time (g)));
  fail_unless_equals_int64 (running_time (g), time);
  fail_unless (GST_BUFFER_FLAG_IS_SET (g->buffer, GST_BUFFER_FLAG_DISCONT));
  fail_unless (GST_BUFFER_FLAG_IS_SET (g->buffer, GST_BUFFER_FLAG_DROPPABLE));
  first_one = FALSE;
  got_free (g);
}

/* An ordinary one: running time and PTS are the same */
static inline void
expect_inside (GstClockTime time, GstClockTime duration, gboolean discont)
{
  Got *g = next ();

  fail_unless (is_inside (g));
  fail_unless_equals_uint64 (GST_BUFFER_PTS (g->buffer), time);
  fail_unless_equals_int64 (running_time (g), time);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (g->buffer), duration);
  fail_unless_equals_int (GST_BUFFER_FLAG_IS_SET (g->buffer,
          GST_BUFFER_FLAG_DISCONT), discont || first_one);
  fail_unless (!GST_BUFFER_FLAG_IS_SET (g->buffer, GST_BUFFER_FLAG_DROPPABLE));
  first_one = FALSE;
  got_free (g);
}

#endif
