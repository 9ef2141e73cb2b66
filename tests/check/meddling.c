/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever reads and sets properties, asks for figures, sends events and
 * requests pads while frames flow and states change, is answered, and does no
 * harm. Built with TSan it is a race where one of the elements lacks a lock. */
#include "shmrig.h"

/* camera -> batcher -> reader, each a pipeline */
#define PIPES 3

static GstElement *pipes[PIPES];
static GThread *threads[2];
static gint over;

static gboolean
is_ours (GType type)
{
  return g_str_has_prefix (g_type_name (type), "GstShmFrame")
      || g_str_has_prefix (g_type_name (type), "GstSecond");
}

/* Reads each property, and sets it to what it is. */
static void
touch_properties (GObject * object, gboolean set)
{
  guint n;
  GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS
      (object), &n);

  for (guint i = 0; i < n; i++) {
    GValue value = G_VALUE_INIT;

    if (!is_ours (specs[i]->owner_type))
      continue;
    g_value_init (&value, specs[i]->value_type);
    g_object_get_property (object, specs[i]->name, &value);
    if (set && (specs[i]->flags & G_PARAM_WRITABLE))
      g_object_set_property (object, specs[i]->name, &value);
    g_value_unset (&value);
  }
  g_free (specs);
}

static void
ask (GstElement * e)
{
  GstQuery *latency = gst_query_new_latency ();
  gint64 value;

  gst_element_query (e, latency);
  gst_query_unref (latency);
  gst_element_query_position (e, GST_FORMAT_TIME, &value);
  gst_element_query_duration (e, GST_FORMAT_TIME, &value);
}

static gboolean
touch_pad (GstElement * e, GstPad * pad, gpointer set)
{
  touch_properties (G_OBJECT (pad), GPOINTER_TO_INT (set));
  return TRUE;
}

static void
touch (const GValue * item, gpointer set)
{
  GstElement *e = g_value_get_object (item);

  if (!is_ours (G_OBJECT_TYPE (e)))
    return;
  touch_properties (G_OBJECT (e), GPOINTER_TO_INT (set));
  gst_element_foreach_pad (e, touch_pad, set);
  ask (e);
}

/* Nothing comes through it: nobody is to wait for it. */
static void
touch_pads (GstElement * batcher)
{
  GstPad *pad = gst_element_request_pad_simple (batcher, "sink_%u");

  fail_unless (pad != NULL);
  gst_element_release_request_pad (batcher, pad);
  gst_object_unref (pad);
}

static gpointer
meddle (gpointer set)
{
  while (!g_atomic_int_get (&over)) {
    for (guint i = 0; i < PIPES; i++) {
      GstIterator *elements = gst_bin_iterate_elements (GST_BIN (pipes[i]));

      gst_iterator_foreach (elements, touch, set);
      gst_iterator_free (elements);
      if (!GPOINTER_TO_INT (set))
        continue;
      gst_element_send_event (pipes[i], gst_event_new_reconfigure ());
      gst_bin_recalculate_latency (GST_BIN (pipes[i]));
    }
    if (GPOINTER_TO_INT (set))
      touch_pads (rig_child (pipes[1], "batcher"));
    g_usleep (200);
  }
  return NULL;
}

static void
start_meddling (void)
{
  over = 0;
  for (gint i = 0; i < 2; i++)
    threads[i] = g_thread_new ("meddler", meddle, GINT_TO_POINTER (i));
}

static void
stop_meddling (void)
{
  g_atomic_int_set (&over, 1);
  for (gint i = 0; i < 2; i++)
    g_thread_join (threads[i]);
}

/* Without any of them having met an error. */
static void
stop_pipes (void)
{
  for (guint i = 0; i < PIPES; i++) {
    GstBus *bus = gst_element_get_bus (pipes[i]);

    fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
    gst_object_unref (bus);
    rig_stop (pipes[i]);
  }
}

/* A pad of the splitter, which has it from the first batch until READY. */
static void
link_stream (GstElement * splitter, GstPad * pad, GstElement * sink)
{
  GstPad *peer = gst_element_get_static_pad (sink, "sink");

  fail_unless_equals_int (gst_pad_link (pad, peer), GST_PAD_LINK_OK);
  gst_object_unref (peer);
}

/* Frame by frame all the same. */
GST_START_TEST (test_while_playing)
{
  pipes[0] = rig_launch ("videotestsrc num-buffers=1000 pattern=black ! "
      RIG_GRAY (64, 48) " ! shmframesink name=s socket-path=@");
  pipes[1] = rig_launch ("shmframesrc socket-path=@ is-live=false "
      "! secondbatcher name=batcher ! shmframesink socket-path=@2");
  pipes[2] = rig_launch ("shmframesrc socket-path=@2 is-live=false "
      "! secondsplitter ! fakesink");
  start_meddling ();
  for (guint i = PIPES; i-- > 0;)
    rig_play (pipes[i]);
  rig_await_eos (pipes[2]);
  stop_meddling ();
  fail_unless_equals_uint64 (rig_stat (rig_child (pipes[0], "s"), "frames"),
      1000);
  stop_pipes ();
}

GST_END_TEST;

/* One of the three at a time goes to READY or NULL and comes back. */
GST_START_TEST (test_while_states_change)
{
  GstElement *last;

  pipes[0] = rig_launch ("videotestsrc is-live=true pattern=black ! "
      "video/x-raw,format=GRAY8,width=64,height=48,framerate=200/1 "
      "! shmframesink socket-path=@");
  pipes[1] = rig_launch ("shmframesrc socket-path=@ ! secondbatcher "
      "name=batcher batch-duration=20000000 ! shmframesink socket-path=@2");
  pipes[2] = rig_launch ("shmframesrc name=last socket-path=@2 "
      "! secondsplitter name=splitter  fakesink name=sink async=false");
  g_signal_connect (rig_child (pipes[2], "splitter"), "pad-added",
      G_CALLBACK (link_stream), rig_child (pipes[2], "sink"));
  last = rig_child (pipes[2], "last");
  for (guint i = 0; i < PIPES; i++)
    rig_play (pipes[i]);
  start_meddling ();
  for (guint round = 0; round < 18; round++) {
    guint64 frames;

    rig_state (pipes[round % PIPES],
        round / PIPES % 2 ? GST_STATE_NULL : GST_STATE_READY);
    rig_play (pipes[round % PIPES]);
    frames = rig_stat (last, "frames");
    rig_until (rig_stat (last, "frames") > frames + 1);
  }
  stop_meddling ();
  stop_pipes ();
}

GST_END_TEST;

static gint turns;

/* Takes and copies frames of the sink's pool as an upstream element may, for
 * longer than the sink is there. */
static gpointer
take_and_copy (gpointer pool)
{
  while (!g_atomic_int_get (&over)) {
    GstBuffer *buffer;

    if (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL) == GST_FLOW_OK) {
      gst_buffer_unref (gst_buffer_copy_deep (buffer));
      gst_buffer_unref (buffer);
    }
    g_atomic_int_inc (&turns);
  }
  return NULL;
}

GST_START_TEST (test_while_sink_leaves)
{
  for (guint round = 0; round < 10; round++) {
    GstHarness *h =
        rig_harness (rig_element ("shmframesink", "delivery", "live",
            NULL));
    GstBufferPool *pool;

    gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
    pool = rig_pool (h);
    over = turns = 0;
    for (guint i = 0; i < 2; i++)
      threads[i] = g_thread_new ("upstream", take_and_copy, pool);
    rig_until (rig_stat (h->element, "frames-copied-upstream") > 10);
    gst_harness_teardown (h);
    g_atomic_int_set (&turns, 0);
    rig_until (g_atomic_int_get (&turns) > 10);
    stop_meddling ();
    rig_drop_pool (pool);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_while_playing);
  tcase_add_test (tc, test_while_states_change);
  tcase_add_test (tc, test_while_sink_leaves);
}

RIG_SUITE (meddling)
