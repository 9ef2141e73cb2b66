/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two pipelines with a clock each. The truth is when, of CLOCK_MONOTONIC, a
 * frame was made: how old it is by the consumer's clock has to be how old it
 * is. */
#include <gst/base/gstbasesink.h>
#include <gst/net/net.h>

#include "latesource.h"
#include "shmrig.h"
#include "testclock.h"

#define DAY ((gint64) (24 * 3600 * GST_SECOND))
/* Of a frame's age. A machine that does something else between two readings of
 * clocks makes more of it, for a frame in ten at most. */
#define TOLERANCE ((gint64) (200 * GST_USECOND))
#define N_FRAMES 30
#define INTERVAL 10000          /* us */

typedef struct
{
  GstElement *producer, *consumer;
  GstClock *theirs, *ours;
  guint n, n_off;
  gint64 worst;
} Pair;

static GstElement *
launch_on (const gchar * description, GstClock * clock)
{
  GstElement *pipeline = rig_launch (description);

  gst_pipeline_use_clock (GST_PIPELINE (pipeline), clock);
  rig_play (pipeline);
  return pipeline;
}

/* Takes the clocks. */
static void
pair_open (Pair * pair, GstClock * theirs, GstClock * ours)
{
  *pair = (Pair) {.theirs = theirs,.ours = ours};
  pair->producer = launch_on (RIG_APPSRC (8, 8) " ! shmframesink name=sink "
      "socket-path=@ delivery=lossless async=false", theirs);
  pair->consumer = launch_on ("shmframesrc socket-path=@ timestamps=clock ! "
      "appsink name=out sync=false async=false", ours);
  rig_until (rig_num_clients (rig_child (pair->producer, "sink")) == 1);
}

static void
pair_close (Pair * pair)
{
  rig_stop (pair->consumer);
  rig_stop (pair->producer);
  gst_object_unref (pair->ours);
  gst_object_unref (pair->theirs);
}

/* A frame that is made now; returns when that was. */
static gint64
feed (Pair * pair)
{
  GstBuffer *buffer = rig_frame (pair->n++, 64);
  gint64 made;

  GST_BUFFER_PTS (buffer) = test_clock_read (pair->theirs, &made)
      - gst_element_get_base_time (pair->producer);
  rig_feed (pair->producer, "in", buffer);
  return made;
}

/* How much older the next frame is by our clock than it is. */
static gint64
pull (Pair * pair, gint64 made)
{
  GstBuffer *buffer = rig_pull (pair->consumer, "out");
  gint64 now, time = test_clock_read (pair->ours, &now);
  gint64 age = time - gst_element_get_base_time (pair->consumer)
      - GST_BUFFER_PTS (buffer);

  gst_buffer_unref (buffer);
  return age - (now - made);
}

/* Frames one by one, `INTERVAL` apart: clocks drift meanwhile. */
static void
cross (Pair * pair, guint n)
{
  for (guint i = 0; i < n; i++) {
    gint64 made = feed (pair);
    gint64 error = pull (pair, made);

    pair->n_off += ABS (error) > TOLERANCE;
    if (ABS (error) > ABS (pair->worst))
      pair->worst = error;
    g_usleep (INTERVAL);
  }
}

static void
check (Pair * pair)
{
  fail_unless (pair->n_off <= pair->n / 10, "%u of %u frames came with a wrong "
      "time, by %" G_GINT64_FORMAT " ns at worst", pair->n_off, pair->n,
      pair->worst);
}

/* Clocks 200 ppm fast and slow, on either side and on both */
GST_START_TEST (test_drift)
{
  static const gint64 ppm[][2] = { {0, 0}, {200, 0}, {0, 200}, {200, -200} };
  Pair pair;

  pair_open (&pair, test_clock_new (DAY, ppm[__i__][0]),
      test_clock_new (5 * DAY, ppm[__i__][1]));
  cross (&pair, N_FRAMES);
  check (&pair);
  pair_close (&pair);
}

GST_END_TEST;

/* Either clock is stepped between two frames: the next one is right already.
 * Back, a GstClock stands still instead. */
GST_START_TEST (test_step)
{
  static const gint64 steps[] = { 1500 * GST_USECOND, 50 * GST_MSECOND,
    -(gint64) (20 * GST_MSECOND), 300 * GST_USECOND, GST_SECOND,
    -(gint64) (GST_MSECOND)
  };
  Pair pair;

  pair_open (&pair, test_clock_new (DAY, 50), test_clock_new (2 * DAY, -50));
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    cross (&pair, 4);
    test_clock_step (pair.theirs, steps[i]);
    cross (&pair, 4);
    test_clock_step (pair.ours, steps[i]);
  }
  check (&pair);
  pair_close (&pair);
}

GST_END_TEST;

static GstClock *
system_clock (GstClockType type)
{
  return GST_CLOCK (gst_object_ref_sink (g_object_new (GST_TYPE_SYSTEM_CLOCK,
              "clock-type", type, "name", "own", NULL)));
}

/* A monotonic clock that is slaved to another one, while it runs */
GST_START_TEST (test_calibrated)
{
  Pair pair;
  gint64 now, time;

  pair_open (&pair, system_clock (GST_CLOCK_TYPE_MONOTONIC),
      system_clock (GST_CLOCK_TYPE_MONOTONIC));
  cross (&pair, 8);
  time = test_clock_read (pair.theirs, &now);
  gst_clock_set_calibration (pair.theirs, time, time + DAY, 1000200, 1000000);
  cross (&pair, 8);
  time = test_clock_read (pair.ours, &now);
  gst_clock_set_calibration (pair.ours, time, time + DAY, 1000000, 1000200);
  cross (&pair, 8);
  check (&pair);
  pair_close (&pair);
}

GST_END_TEST;

GST_START_TEST (test_realtime)
{
  Pair pair;

  pair_open (&pair, system_clock (GST_CLOCK_TYPE_REALTIME),
      gst_system_clock_obtain ());
  cross (&pair, N_FRAMES);
  check (&pair);
  pair_close (&pair);
  pair_open (&pair, gst_system_clock_obtain (),
      system_clock (GST_CLOCK_TYPE_REALTIME));
  cross (&pair, N_FRAMES);
  check (&pair);
  pair_close (&pair);
}

GST_END_TEST;

/* A clock of the network, which is 3 days ahead of this machine. GStreamer
 * keeps its sockets for a minute after its end. */
GST_START_TEST (test_net)
{
  GstClock *clock = test_clock_new (3 * DAY, 0);
  GstNetTimeProvider *provider = gst_net_time_provider_new (clock,
      "127.0.0.1", 0);
  GstClock *client, *system = gst_system_clock_obtain ();
  gint port;
  Pair pair;

  fail_unless (provider != NULL);
  g_object_get (provider, "port", &port, NULL);
  client = gst_net_client_clock_new ("net", "127.0.0.1", port, 0);
  fail_unless (gst_clock_wait_for_sync (client, RIG_DEADLINE));
  fdcheck_setup ();
  pair_open (&pair, gst_object_ref (client), gst_object_ref (system));
  cross (&pair, N_FRAMES);
  check (&pair);
  pair_close (&pair);
  pair_open (&pair, system, client);
  cross (&pair, N_FRAMES);
  check (&pair);
  pair_close (&pair);
  fdcheck_teardown ();
  gst_object_unref (provider);
  gst_object_unref (clock);
  fdcheck_setup ();
}

GST_END_TEST;

/* Another clock takes the place of the first, which may be where that one
 * was */
GST_START_TEST (test_other_clock)
{
  Pair pair;

  pair_open (&pair, test_clock_new (DAY, 0), gst_system_clock_obtain ());
  cross (&pair, 4);
  for (guint i = 0; i < 4; i++) {
    GstClock *other = i % 2 == 0 ? system_clock (GST_CLOCK_TYPE_MONOTONIC)
        : test_clock_new (i * DAY, 0);

    rig_state (pair.producer, GST_STATE_PAUSED);
    gst_pipeline_use_clock (GST_PIPELINE (pair.producer), other);
    gst_object_unref (pair.theirs);
    pair.theirs = other;
    rig_play (pair.producer);
    cross (&pair, 4);
  }
  check (&pair);
  pair_close (&pair);
}

GST_END_TEST;

/* One side stops for a while, and its base time is another one then */
static void
pause_for_a_while (GstElement * pipeline)
{
  GstClockTime before = gst_element_get_base_time (pipeline);

  rig_state (pipeline, GST_STATE_PAUSED);
  g_usleep (50000);
  rig_play (pipeline);
  fail_unless (gst_element_get_base_time (pipeline) >= before
      + 40 * GST_MSECOND);
}

GST_START_TEST (test_pause)
{
  Pair pair;

  pair_open (&pair, test_clock_new (DAY, 0), test_clock_new (2 * DAY, 0));
  for (guint i = 0; i < 3; i++) {
    cross (&pair, 4);
    pause_for_a_while (pair.producer);
    cross (&pair, 4);
    pause_for_a_while (pair.consumer);
  }
  cross (&pair, 4);
  check (&pair);
  pair_close (&pair);
}

GST_END_TEST;

/* What was made while the consumer stood still is of a time before it went on:
 * it comes all the same, in order, and what is made afterwards is right. */
GST_START_TEST (test_made_in_pause)
{
  GstClockTime last = 0;
  Pair pair;

  pair_open (&pair, test_clock_new (DAY, 0), test_clock_new (2 * DAY, 0));
  cross (&pair, 4);
  rig_state (pair.consumer, GST_STATE_PAUSED);
  for (guint i = 0; i < 3; i++)
    feed (&pair);
  g_usleep (50000);
  rig_play (pair.consumer);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = rig_pull (pair.consumer, "out");

    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), 4 + i);
    fail_unless (GST_BUFFER_PTS (buffer) >= last);
    last = GST_BUFFER_PTS (buffer);
    gst_buffer_unref (buffer);
  }
  cross (&pair, 10);
  check (&pair);
  pair_close (&pair);
}

GST_END_TEST;

/* So many in a row. On a busy machine some are late all the same; the benchmark
 * `latency` counts them. */
#define N_SHOWN 25

typedef struct
{
  gint counting;                /* atomic */
  gint n_in_time;               /* atomic; since the last one that was late */
} Shown;

static GstPadProbeReturn
on_shown (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstElement *sink = gst_pad_get_parent_element (pad);
  Shown *shown = user;

  if (g_atomic_int_get (&shown->counting)) {
    if (GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info))
        + gst_base_sink_get_latency (GST_BASE_SINK (sink))
        < gst_element_get_current_running_time (sink))
      g_atomic_int_set (&shown->n_in_time, 0);
    else
      g_atomic_int_inc (&shown->n_in_time);
  }
  gst_object_unref (sink);
  return GST_PAD_PROBE_OK;
}

static void
probe (GstElement * pipeline, const gchar * element, const gchar * of,
    GstPadProbeType type, GstPadProbeCallback callback, gpointer user)
{
  GstPad *pad = gst_element_get_static_pad (rig_child (pipeline, element), of);

  gst_pad_add_probe (pad, type, callback, user, NULL);
  gst_object_unref (pad);
}

/* What the source is late by is in the latency of the consumer's pipeline, so
 * that a sink that shows frames at their time gets them in time. */
GST_START_TEST (test_in_time)
{
  GstElement *producer = rig_launch ("videotestsrc name=source is-live=true ! "
      "video/x-raw,format=GRAY8,width=16,height=8,framerate=50/1 ! "
      "shmframesink socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
      "fakesink name=out sync=true processing-deadline=0");
  GstBaseSink *sink = GST_BASE_SINK (rig_child (consumer, "out"));
  Shown shown = { 0 };

  late_source_make (rig_child (producer, "source"));
  probe (consumer, "out", "sink", GST_PAD_PROBE_TYPE_BUFFER, on_shown, &shown);
  rig_play (consumer);
  rig_play (producer);
  while (gst_base_sink_get_latency (sink) < SOURCE_LATENCY) {
    rig_await (consumer, GST_MESSAGE_LATENCY);
    gst_bin_recalculate_latency (GST_BIN (consumer));
  }
  g_atomic_int_set (&shown.counting, TRUE);
  rig_until (g_atomic_int_get (&shown.n_in_time) >= N_SHOWN);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_drift, 0, 4);
  tcase_add_test (tc, test_step);
  tcase_add_test (tc, test_calibrated);
  tcase_add_test (tc, test_realtime);
  tcase_add_test (tc, test_net);
  tcase_add_test (tc, test_other_clock);
  tcase_add_test (tc, test_pause);
  tcase_add_test (tc, test_made_in_pause);
  tcase_add_test (tc, test_in_time);
}

RIG_SUITE (shmframe_clocks)
