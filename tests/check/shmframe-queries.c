/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What downstream of shmframesrc asks for, sends back, and writes into. */
#include "shmrig.h"

#define FRAME_SIZE (8 * 8)

static GstHarness *in, *out;

static void
open_pair (GstElement * src)
{
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  out = rig_harness (src);
  rig_until (rig_num_clients (in->element) == 1);
}

static void
close_pair (void)
{
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

static void
cross (guint number)
{
  gst_harness_push (in, rig_frame (number, FRAME_SIZE));
  gst_buffer_unref (gst_harness_pull (out));
}

static gboolean
latency_is (gboolean live, GstClockTime min, GstClockTime max)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime is_min, is_max;
  gboolean is_live;

  fail_unless (gst_pad_peer_query (out->sinkpad, query));
  gst_query_parse_latency (query, &is_live, &is_min, &is_max);
  gst_query_unref (query);
  return is_live == live && is_min >= min && is_min < min + 50 * GST_MSECOND
      && (max == GST_CLOCK_TIME_NONE ? is_max == max : is_max >= is_min);
}

/* The producer's own, and the way here; and a change of it is told */
GST_START_TEST (test_latency)
{
  GstBus *bus = gst_bus_new ();
  GstMessage *m;

  in = rig_harness (rig_element ("shmframesink", "delivery", "live", NULL));
  out = rig_harness (rig_element ("shmframesrc", NULL));
  gst_element_set_bus (out->element, bus);
  rig_until (rig_num_clients (in->element) == 1);
  gst_harness_set_live (in, TRUE);
  for (guint ms = 40; ms <= 80; ms += 40) {
    gst_harness_set_upstream_latency (in, ms * GST_MSECOND);
    gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, ms));
    m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE, GST_MESSAGE_LATENCY);
    fail_unless (m != NULL, "no LATENCY message at %u ms", ms);
    gst_message_unref (m);
    fail_unless (latency_is (TRUE, ms * GST_MSECOND, GST_CLOCK_TIME_NONE));
  }
  gst_element_set_bus (out->element, NULL);
  gst_object_unref (bus);
  close_pair ();
}

GST_END_TEST;

/* The maximum beyond the minimum */
static GstClockTime
slack (void)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min, max;

  fail_unless (gst_pad_peer_query (out->sinkpad, query));
  gst_query_parse_latency (query, NULL, &min, &max);
  gst_query_unref (query);
  return max == GST_CLOCK_TIME_NONE ? max : max - min;
}

static gboolean
answer_latency (GstPad * pad, GstObject * parent, GstQuery * query)
{
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return gst_pad_query_default (pad, parent, query);
  gst_query_set_latency (query, TRUE, 100 * GST_MSECOND, 300 * GST_MSECOND);
  return TRUE;
}

#define AT(rate) "video/x-raw,format=GRAY8,width=8,height=8,framerate=" rate

/* What the pair holds, as a queue does, is in the maximum: max-held frames, or
 * what downstream may come to hold. It is never less than what the producer
 * says. Each change of the answer is told, and nothing else. */
GST_START_TEST (test_latency_max)
{
  static const struct
  {
    guint max_held;
    const gchar *caps;
    GstClockTime slack;
  } cases[] = { {0, AT ("25/1"), GST_CLOCK_TIME_NONE},
  {10, AT ("25/1"), 400 * GST_MSECOND}, {10, AT ("0/1"), GST_CLOCK_TIME_NONE},
  {3, "multistream/x-second-batch,batch-duration=(guint64)2000000000",
        6 * GST_SECOND}, {1, AT ("1000/1"), 200 * GST_MSECOND}
  };
  GstBus *bus = gst_bus_new ();
  GstClockTime told = GST_CLOCK_TIME_NONE;
  GstMessage *m;
  guint n_told = 0;

  in = rig_harness (rig_element ("shmframesink", "delivery", "live", NULL));
  gst_pad_set_query_function (in->srcpad, answer_latency);
  out = rig_harness (rig_element ("shmframesrc", "max-held",
          cases[__i__].max_held, NULL));
  gst_element_set_bus (out->element, bus);
  gst_harness_set_src_caps_str (in, cases[__i__].caps);
  do {
    m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE, GST_MESSAGE_LATENCY);
    fail_unless (m != NULL, "the slack is %" GST_TIME_FORMAT,
        GST_TIME_ARGS (slack ()));
    gst_message_unref (m);
    told = slack ();
    n_told++;
  } while (told != cases[__i__].slack);
  gst_element_set_bus (out->element, NULL);
  while ((m = gst_bus_pop_filtered (bus, GST_MESSAGE_LATENCY)) != NULL) {
    gst_message_unref (m);
    n_told++;
  }
  /* of the producer's latency, and of the caps */
  fail_unless (n_told <= 2);
  gst_object_unref (bus);
  close_pair ();
}

GST_END_TEST;

/* Files have none */
GST_START_TEST (test_no_latency)
{
  open_pair (rig_element ("shmframesrc", "is-live", FALSE, NULL));
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  cross (0);
  fail_unless (latency_is (FALSE, 0, GST_CLOCK_TIME_NONE));
  close_pair ();
}

GST_END_TEST;

static gint64
convert (GstFormat from, gint64 value, GstFormat to)
{
  gint64 result = -1;

  return gst_pad_peer_query_convert (out->sinkpad, from, value, to, &result)
      ? result : -1;
}

GST_START_TEST (test_convert)
{
  open_pair (rig_element ("shmframesrc", NULL));
  fail_unless_equals_int64 (convert (GST_FORMAT_DEFAULT, 1, GST_FORMAT_TIME),
      -1);
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  cross (0);
  fail_unless_equals_int64 (convert (GST_FORMAT_DEFAULT, 50, GST_FORMAT_TIME),
      2 * GST_SECOND);
  fail_unless_equals_int64 (convert (GST_FORMAT_TIME, GST_SECOND,
          GST_FORMAT_DEFAULT), 25);
  fail_unless_equals_int64 (convert (GST_FORMAT_BYTES, 3 * FRAME_SIZE,
          GST_FORMAT_DEFAULT), 3);
  fail_unless_equals_int64 (convert (GST_FORMAT_TIME, 7, GST_FORMAT_TIME), 7);
  fail_unless_equals_int64 (convert (GST_FORMAT_PERCENT, 7, GST_FORMAT_TIME),
      -1);
  close_pair ();
}

GST_END_TEST;

#define POOLED 30

static GstPadProbeReturn
propose_pool (GstPad * pad, GstPadProbeInfo * info, gpointer pool)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (GST_QUERY_TYPE (query) != GST_QUERY_ALLOCATION)
    return GST_PAD_PROBE_OK;
  gst_query_add_allocation_pool (query, pool, FRAME_SIZE, POOLED, 0);
  return GST_PAD_PROBE_HANDLED;
}

/* Downstream's pool is of no use, but says how many frames it wants to hold:
 * the ring grows for that */
GST_START_TEST (test_allocation)
{
  GstElement *src = rig_element ("shmframesrc", NULL);
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstPad *pad = gst_element_get_static_pad (src, "src");
  GstBuffer *buffer;

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, propose_pool,
      pool, NULL);
  gst_object_unref (pad);
  open_pair (src);
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  gst_harness_push (in, rig_frame (0, FRAME_SIZE));
  buffer = gst_harness_pull (out);
  fail_unless (gst_memory_is_type (gst_buffer_peek_memory (buffer, 0),
          "ShmFrame"));
  gst_buffer_unref (buffer);
  rig_until (rig_stat (src, "max-held") == POOLED + 2);
  rig_until (rig_stat (in->element, "slots") > POOLED + 2);
  gst_object_unref (pool);
  close_pair ();
}

GST_END_TEST;

/* A batcher holds two windows: the ring grows for it before it is full */
GST_START_TEST (test_batcher)
{
  GstElement *consumer;

  skip_unless (has_element ("secondbatcher"), "no secondbatcher");
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  consumer = rig_launch ("shmframesrc name=src socket-path=@ is-live=false ! "
      "secondbatcher ! fakesink");
  rig_play (consumer);
  rig_until (rig_num_clients (in->element) == 1);
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  gst_harness_push (in, rig_frame (0, FRAME_SIZE));
  rig_until (rig_stat (rig_child (consumer, "src"), "max-held") >= 50);
  fail_unless (rig_stat (in->element, "slots") > 50);
  fail_unless (rig_stat (in->element, "growths") > 0);
  rig_stop (consumer);
  gst_harness_teardown (in);
}

GST_END_TEST;

/* Not without room: the error says which property to raise */
GST_START_TEST (test_no_room)
{
  GstElement *src = rig_element ("shmframesrc", "timestamps", "keep", NULL);
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstPad *pad = gst_element_get_static_pad (src, "src");
  GstBus *bus = gst_bus_new ();
  GError *error = NULL;
  GstMessage *m;

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, propose_pool,
      pool, NULL);
  gst_object_unref (pad);
  in = rig_harness (rig_element ("shmframesink", "delivery", "live",
          "max-memory", G_GUINT64_CONSTANT (100000), NULL));
  /* first the caps: before them there is room for anything */
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  gst_element_set_bus (src, bus);
  out = rig_harness (src);
  m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE, GST_MESSAGE_ERROR);
  fail_unless (m != NULL, "no error came");
  gst_message_parse_error (m, &error, NULL);
  fail_unless (strstr (error->message, "max-memory") != NULL, "%s",
      error->message);
  g_error_free (error);
  gst_message_unref (m);
  fail_unless (rig_stat (in->element, "segment-bytes") <= 100000);
  gst_element_set_bus (out->element, NULL);
  gst_object_unref (bus);
  gst_object_unref (pool);
  close_pair ();
}

GST_END_TEST;

static gboolean
arrives (GstEventType type)
{
  GstEvent *event = gst_harness_pull_upstream_event (in);
  gboolean is = event != NULL && GST_EVENT_TYPE (event) == type;

  gst_clear_event (&event);
  return is;
}

/* Those that one client may send; and a mark behind, by which is seen that what
 * was sent before it did not cross */
GST_START_TEST (test_events)
{
  gchar *text = g_strnfill (5000, 'x');
  GstEvent *event;

  open_pair (rig_element ("shmframesrc", NULL));
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  cross (0);
  while ((event = gst_harness_try_pull_upstream_event (in)) != NULL)
    gst_event_unref (event);
  gst_harness_push_upstream_event (out, gst_event_new_reconfigure ());
  fail_unless (arrives (GST_EVENT_RECONFIGURE));
  gst_harness_push_upstream_event (out, gst_event_new_seek (1.0,
          GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
          GST_SEEK_TYPE_NONE, 0));
  gst_harness_push_upstream_event (out, gst_event_new_step (GST_FORMAT_BUFFERS,
          1, 1.0, TRUE, FALSE));
  gst_harness_push_upstream_event (out, gst_event_new_latency (GST_SECOND));
  /* larger than a message may be */
  gst_harness_push_upstream_event (out, gst_event_new_custom
      (GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new ("large", "text",
              G_TYPE_STRING, text, NULL)));
  gst_harness_push_upstream_event (out, gst_event_new_custom
      (GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new_empty ("mark")));
  fail_unless (arrives (GST_EVENT_CUSTOM_UPSTREAM));
  fail_unless_equals_int (gst_harness_upstream_events_in_queue (in), 0);
  g_free (text);
  close_pair ();
}

GST_END_TEST;

/* name, how it is used, whether that writes */
static const struct
{
  const gchar *name, *line;
  gboolean writes;
} writers[] = {
  {"videobalance", "videobalance", FALSE},
  {"videobalance", "videobalance brightness=0.5", TRUE},
  {"identity", "identity", FALSE},
  {"textoverlay", "textoverlay text=\"\"", FALSE},
  {"textoverlay", "textoverlay text=something", TRUE},
  {"gdkpixbufoverlay", "gdkpixbufoverlay", FALSE},
  {"cairooverlay", "cairooverlay", TRUE},
  {"gamma", "gamma gamma=2", TRUE},
};

/* What comes out is a frame of the ring, or a copy elsewhere that cost no slot.
 * The other consumer's frames are as they were sent. */
GST_START_TEST (test_writers)
{
  GstElement *producer, *writer, *reader;
  gchar *line;

  skip_unless (has_element (writers[__i__].name), "no %s",
      writers[__i__].name);
  line = g_strconcat ("shmframesrc socket-path=@ is-live=false ! ",
      writers[__i__].line, " ! appsink name=out sync=false", NULL);
  producer = rig_launch ("appsrc name=in format=time caps=video/x-raw,"
      "format=BGRx,width=64,height=48,framerate=25/1 ! "
      "shmframesink name=sink socket-path=@ min-clients=2");
  writer = rig_launch (line);
  reader = rig_launch ("shmframesrc socket-path=@ is-live=false ! "
      "appsink name=out sync=false");
  rig_play (writer);
  rig_play (reader);
  rig_play (producer);
  for (guint i = 0; i < 20; i++) {
    GstBuffer *written, *read;

    rig_feed (producer, "in", rig_frame (i, 64 * 48 * 4));
    written = rig_pull (writer, "out");
    read = rig_pull (reader, "out");
    fail_unless (gst_memory_is_type (gst_buffer_peek_memory (written, 0),
            "ShmFrame") == !writers[__i__].writes);
    fail_unless (gst_memory_is_type (gst_buffer_peek_memory (read, 0),
            "ShmFrame"));
    fail_unless (rig_is_frame (read, i));
    fail_unless (writers[__i__].writes || rig_is_frame (written, i));
    gst_buffer_unref (written);
    gst_buffer_unref (read);
  }
  fail_unless_equals_uint64 (rig_stat (rig_child (producer, "sink"),
          "frames-copied-upstream"), 0);
  rig_stop (writer);
  rig_stop (reader);
  rig_stop (producer);
  g_free (line);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_latency);
  tcase_add_loop_test (tc, test_latency_max, 0, 5);
  tcase_add_test (tc, test_no_latency);
  tcase_add_test (tc, test_convert);
  tcase_add_test (tc, test_allocation);
  tcase_add_test (tc, test_batcher);
  tcase_add_test (tc, test_no_room);
  tcase_add_test (tc, test_events);
  tcase_add_loop_test (tc, test_writers, 0, G_N_ELEMENTS (writers));
}

RIG_SUITE (shmframe_queries)
