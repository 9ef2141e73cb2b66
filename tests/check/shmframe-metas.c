/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What does not cross, batches of frames with metas, other memory, and events
 * that travel upstream. */
#include "gstsecondbatchmeta.h"
#include "shmrig.h"


static GstHarness *in, *out;

/* The producer knows of a client before that knows it is welcome */
static gboolean
is_connected (GstElement * src)
{
  GstStructure *stats;
  gboolean connected = FALSE;

  g_object_get (src, "stats", &stats, NULL);
  gst_structure_get_boolean (stats, "connected", &connected);
  gst_structure_free (stats);
  return connected;
}

static void
open_pair (gboolean keep)
{
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  out =
      rig_harness (rig_element ("shmframesrc", "timestamps",
          keep ? "keep" : "clock", NULL));
  rig_until (rig_num_clients (in->element) == 1);
  rig_until (is_connected (out->element));
}

static void
close_pair (void)
{
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

static void
push_head (const gchar * caps)
{
  GstCaps *owned = gst_caps_from_string (caps);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (in, gst_event_new_stream_start ("stream"));
  gst_harness_push_event (in, gst_event_new_caps (owned));
  gst_caps_unref (owned);
  gst_harness_push_event (in, gst_event_new_segment (&segment));
}

static GstCustomMeta *
add_custom (GstBuffer * buffer, const gchar * name)
{
  static const gchar *tags[] = { NULL };

  if (gst_meta_get_info (name) == NULL)
    gst_meta_register_custom (name, tags, NULL, NULL, NULL);
  return gst_buffer_add_custom_meta (buffer, name);
}

/* A pointer means nothing to others: its meta is left out, and counted */
GST_START_TEST (test_dropped)
{
  GstBuffer *buffer;
  GstCaps *caps = rig_caps ("GRAY8", 8, 8);
  gchar *string = gst_caps_to_string (caps);

  open_pair (TRUE);
  push_head (string);
  for (guint i = 0; i < 3; i++) {
    buffer = rig_frame (i, 64);
    gst_structure_set (gst_custom_meta_get_structure (add_custom (buffer,
                "MetasTestPointer")), "p", G_TYPE_POINTER, buffer, "n",
        G_TYPE_INT, 1, NULL);
    gst_structure_set (gst_custom_meta_get_structure (add_custom (buffer,
                "MetasTestNumber")), "n", G_TYPE_INT, i, NULL);
    fail_unless_equals_int (gst_harness_push (in, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull (out);
    fail_unless (gst_buffer_get_custom_meta (buffer,
            "MetasTestPointer") == NULL);
    fail_unless (gst_buffer_get_custom_meta (buffer,
            "MetasTestNumber") != NULL);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_uint64 (rig_stat (in->element, "metas-dropped"), 3);
  g_free (string);
  gst_caps_unref (caps);
  close_pair ();
}

GST_END_TEST;

/* How a frame differs from the one that all of them would be like */
enum
{
  UNLIKE_ROI = 1 << 0,
  UNLIKE_STRIDE = 1 << 1,
  UNLIKE_BARE = 1 << 2,
  UNLIKE_SIZE = 1 << 3,
  UNLIKE_TWO = 1 << 4,
  UNLIKE_FLAGS = 1 << 5,
  UNLIKE_CUT = 1 << 6,          /* less of it than its meta says */
};

static void
make_unlike (GstBuffer * buffer, guint how)
{
  GstVideoMeta *meta = how & UNLIKE_BARE ? NULL
      : gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 64, 32);

  if (how & UNLIKE_ROI)
    gst_buffer_add_video_region_of_interest_meta (buffer, "box", 1, 2, 3, 4);
  if (how & UNLIKE_STRIDE) {
    meta->stride[0] = 48;
    meta->width = 40;
  }
  if (how & UNLIKE_SIZE)
    gst_buffer_resize (buffer, 0, 64 * 32);
  if (how & UNLIKE_CUT)
    gst_buffer_resize (buffer, 0, 64 * 16);
  if (how & UNLIKE_TWO) {
    GstMemory *half = gst_memory_share (gst_buffer_peek_memory (buffer, 0),
        64 * 16, 64 * 16);

    gst_buffer_resize (buffer, 0, 64 * 16);
    gst_buffer_append_memory (buffer, half);
  }
  if (how & UNLIKE_FLAGS)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_CORRUPTED
        | GST_BUFFER_FLAG_DELTA_UNIT);
}

/* The pool's own buffers could not do without their video meta */
static GstBuffer *
new_unlike (GstBufferPool * pool, guint i, guint how)
{
  GstStructure *config = gst_buffer_pool_get_config (pool);
  GstAllocator *allocator;
  GstBuffer *buffer;

  fail_unless (gst_buffer_pool_config_get_allocator (config, &allocator,
          NULL));
  buffer = gst_buffer_new_allocate (allocator, 64 * 48, NULL);
  gst_structure_free (config);
  make_unlike (buffer, how);
  GST_BUFFER_PTS (buffer) = i * 10 + 1;
  GST_BUFFER_DTS (buffer) = i * 10 + 2;
  GST_BUFFER_DURATION (buffer) = i * 10 + 3;
  GST_BUFFER_OFFSET (buffer) = i * 10 + 4;
  GST_BUFFER_OFFSET_END (buffer) = i * 10 + 5;
  return buffer;
}

static void
check_unlike (GstBuffer * buffer, guint i, guint how)
{
  const GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  const guint size = 64 * (how & UNLIKE_CUT ? 16
      : how & (UNLIKE_SIZE | UNLIKE_TWO) ? 32 : 48);
  const guint flags = GST_BUFFER_FLAG_CORRUPTED | GST_BUFFER_FLAG_DELTA_UNIT;

  fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), i * 10 + 1);
  fail_unless_equals_uint64 (GST_BUFFER_DTS (buffer), i * 10 + 2);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (buffer), i * 10 + 3);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), i * 10 + 4);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (buffer), i * 10 + 5);
  fail_unless_equals_int (GST_BUFFER_FLAGS (buffer) & flags,
      how & UNLIKE_FLAGS ? flags : 0);
  fail_unless_equals_uint64 (gst_buffer_get_size (buffer), size);
  fail_unless_equals_int (gst_buffer_n_memory (buffer),
      how & UNLIKE_TWO ? 2 : 1);
  fail_unless_equals_int (gst_buffer_get_n_meta (buffer,
          GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE),
      how & UNLIKE_ROI ? 1 : 0);
  fail_unless ((meta == NULL) == ((how & (UNLIKE_BARE | UNLIKE_CUT)) != 0));
  if (meta != NULL) {
    fail_unless_equals_int (meta->stride[0], how & UNLIKE_STRIDE ? 48 : 64);
    fail_unless_equals_int (meta->width, how & UNLIKE_STRIDE ? 40 : 64);
  }
}

/* What is like the frame before is not said again; what is not, is */
GST_START_TEST (test_unlike)
{
  static const guint cases[] = { 0, 0, UNLIKE_FLAGS, 0, UNLIKE_ROI, UNLIKE_ROI,
    0, UNLIKE_STRIDE, UNLIKE_STRIDE, 0, UNLIKE_BARE, UNLIKE_BARE, 0,
    UNLIKE_SIZE, UNLIKE_SIZE, 0, UNLIKE_TWO, UNLIKE_TWO, 0,
    UNLIKE_ROI | UNLIKE_BARE,
    UNLIKE_BARE, UNLIKE_STRIDE | UNLIKE_SIZE, 0, 0,
    UNLIKE_CUT, UNLIKE_CUT, 0
  };
  GstBufferPool *pool;

  open_pair (TRUE);
  push_head ("video/x-raw, format=GRAY8, width=64, height=48, framerate=25/1");
  pool = rig_pool (in);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBuffer *buffer = new_unlike (pool, i, cases[i]);

    fail_unless_equals_int (gst_harness_push (in, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull (out);
    fail_unless (buffer != NULL);
    check_unlike (buffer, i, cases[i]);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_uint64 (rig_stat (in->element, "frames-copied"), 0);
  fail_unless_equals_uint64 (rig_stat (in->element, "metas-dropped"), 2);
  rig_drop_pool (pool);
  close_pair ();
}

GST_END_TEST;

/* A batch of two streams; each frame has a region of its own */
static GstBuffer *
new_batch (void)
{
  GstBuffer *batch = gst_buffer_new ();
  GstStructure *s;

  gst_second_batch_meta_register ();
  s = gst_custom_meta_get_structure (gst_buffer_add_custom_meta (batch,
          GST_SECOND_BATCH_META_NAME));
  gst_structure_set (s, "version", G_TYPE_UINT, 1, "n-streams", G_TYPE_UINT, 2,
      NULL);
  for (guint k = 0; k < 2; k++) {
    GstBufferList *list = gst_buffer_list_new ();
    gchar *field = g_strdup_printf ("buffers-%u", k);

    for (guint i = 0; i < 3; i++) {
      GstBuffer *frame = rig_frame (10 * k + i, 64);

      gst_video_region_of_interest_meta_add_param
          (gst_buffer_add_video_region_of_interest_meta (frame, "box", k, i, 1,
              1), gst_structure_new ("p", "frame", G_TYPE_UINT, 10 * k + i,
              NULL));
      gst_buffer_list_add (list, frame);
    }
    gst_structure_set (s, field, GST_TYPE_BUFFER_LIST, list, NULL);
    gst_buffer_list_unref (list);
    g_free (field);
  }
  return batch;
}

GST_START_TEST (test_batch)
{
  GstBuffer *batch;

  open_pair (TRUE);
  push_head (GST_SECOND_BATCH_CAPS_NAME);
  fail_unless_equals_int (gst_harness_push (in, new_batch ()), GST_FLOW_OK);
  batch = gst_harness_pull (out);
  for (guint k = 0; k < 2; k++) {
    GstBufferList *list = gst_second_batch_get_buffers (batch, k);

    fail_unless_equals_int (gst_buffer_list_length (list), 3);
    for (guint i = 0; i < 3; i++) {
      GstBuffer *frame = gst_buffer_list_get (list, i);
      GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)
          gst_buffer_get_meta (frame,
          GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
      guint number;

      fail_unless (rig_is_frame (frame, 10 * k + i));
      fail_unless (roi != NULL && roi->x == k && roi->y == i);
      fail_unless (gst_structure_get_uint
          (gst_video_region_of_interest_meta_get_param (roi, "p"), "frame",
              &number) && number == 10 * k + i);
    }
  }
  gst_buffer_unref (batch);
  close_pair ();
}

GST_END_TEST;

/* The error says what to insert */
GST_START_TEST (test_memory)
{
  static const gchar *const cases[][2] = {
    {"video/x-raw(memory:GLMemory), format=RGBA, width=8, height=8, "
          "framerate=25/1", "gldownload"},
    {"video/x-raw(memory:DMABuf), format=RGBA, width=8, height=8, "
          "framerate=25/1", "io-mode=mmap"},
    {"video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition), "
          "format=RGBA, width=8, height=8, framerate=25/1",
        "overlaycomposition"},
    {"video/x-raw(memory:Strange), format=RGBA, width=8, height=8, "
          "framerate=25/1", "converts to system memory"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBus *bus = gst_bus_new ();
    GstCaps *caps = gst_caps_from_string (cases[i][0]);
    GError *error = NULL;
    GstMessage *m;

    in = rig_harness (rig_element ("shmframesink", NULL));
    gst_element_set_bus (in->element, bus);
    gst_harness_push_event (in, gst_event_new_stream_start ("stream"));
    gst_harness_push_event (in, gst_event_new_caps (caps));
    m = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    fail_unless (m != NULL, "no error for %s", cases[i][0]);
    gst_message_parse_error (m, &error, NULL);
    fail_unless (strstr (error->message, cases[i][1]) != NULL, "%s",
        error->message);
    g_error_free (error);
    gst_message_unref (m);
    gst_bus_set_flushing (bus, TRUE);
    gst_harness_teardown (in);
    gst_caps_unref (caps);
    gst_object_unref (bus);
  }
}

GST_END_TEST;

/* Waits for the next event of this type to arrive at the producer's upstream */
static GstEvent *
arrived (GstEventType type)
{
  GstEvent *event;

  while ((event = gst_harness_pull_upstream_event (in)) != NULL
      && GST_EVENT_TYPE (event) != type)
    gst_event_unref (event);
  fail_unless (event != NULL, "no %s event came",
      gst_event_type_get_name (type));
  return event;
}

GST_START_TEST (test_upstream)
{
  GstEvent *event;
  GstClockTime timestamp;
  guint32 seqnum;

  open_pair (TRUE);
  event = gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
      gst_structure_new ("GstForceKeyUnit", "count", G_TYPE_UINT, 7, NULL));
  seqnum = gst_event_get_seqnum (event);
  gst_harness_push_upstream_event (out, event);
  event = arrived (GST_EVENT_CUSTOM_UPSTREAM);
  fail_unless (gst_event_has_name (event, "GstForceKeyUnit"));
  fail_unless_equals_int (gst_event_get_seqnum (event), seqnum);
  gst_event_unref (event);
  gst_harness_push_upstream_event (out,
      gst_event_new_navigation (gst_structure_new
          ("application/x-gst-navigation", "event", G_TYPE_STRING,
              "mouse-move", "pointer_x", G_TYPE_DOUBLE, 1.5, NULL)));
  gst_event_unref (arrived (GST_EVENT_NAVIGATION));
  gst_harness_push_upstream_event (out, gst_event_new_qos
      (GST_QOS_TYPE_UNDERFLOW, 1.5, -20, 40));
  event = arrived (GST_EVENT_QOS);
  gst_event_parse_qos (event, NULL, NULL, NULL, &timestamp);
  fail_unless_equals_uint64 (timestamp, 40);
  gst_event_unref (event);
  close_pair ();
}

GST_END_TEST;

/* One of two clients cannot make the source drop frames for both, nor flood
 * it */
GST_START_TEST (test_upstream_bounded)
{
  GstHarness *other;
  guint n;

  open_pair (TRUE);
  other = rig_harness (rig_element ("shmframesrc", NULL));
  rig_until (rig_num_clients (in->element) == 2);
  gst_harness_push_upstream_event (out, gst_event_new_qos
      (GST_QOS_TYPE_UNDERFLOW, 1.5, -20, 40));
  for (guint i = 0; i < 2000; i++) {
    gst_harness_push_upstream_event (out,
        gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
            gst_structure_new_empty ("flood")));
    g_usleep (50);
  }
  n = gst_harness_upstream_events_received (in);
  fail_unless (n > 10 && n < 1000, "%u events came", n);
  while (gst_harness_upstream_events_in_queue (in) > 0) {
    GstEvent *event = gst_harness_pull_upstream_event (in);

    fail_if (GST_EVENT_TYPE (event) == GST_EVENT_QOS);
    gst_event_unref (event);
  }
  gst_harness_teardown (other);
  close_pair ();
}

GST_END_TEST;

/* What is asked of the source, and what it knows of a file */
GST_START_TEST (test_queries)
{
  gint64 position = -1, duration = -1;
  gboolean seekable = TRUE;
  GstSegment segment;
  GstQuery *query = gst_query_new_seeking (GST_FORMAT_TIME);

  open_pair (TRUE);
  push_head ("video/x-raw, format=GRAY8, width=8, height=8, framerate=25/1");
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.time = 10 * GST_SECOND;
  segment.duration = 60 * GST_SECOND;
  gst_harness_push_event (in, gst_event_new_segment (&segment));
  gst_harness_push (in, rig_frame (25, 64));
  gst_buffer_unref (gst_harness_pull (out));
  fail_unless (gst_pad_peer_query_position (out->sinkpad, GST_FORMAT_TIME,
          &position));
  fail_unless_equals_int64 (position, 11 * GST_SECOND);
  fail_unless (gst_pad_peer_query_duration (out->sinkpad, GST_FORMAT_TIME,
          &duration));
  fail_unless_equals_int64 (duration, 60 * GST_SECOND);
  fail_unless (gst_pad_peer_query (out->sinkpad, query));
  gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
  fail_if (seekable);
  gst_query_unref (query);
  close_pair ();
}

GST_END_TEST;

/* Of a pipeline that stands still, or makes a frame in a thousand seconds, who
 * joins gets the latest frame and not the next */
GST_START_TEST (test_late_joiner)
{
  GstElement *producer = rig_launch ("videotestsrc ! " RIG_GRAY (8, 8)
      ",framerate=1/1000 ! clocksync ! shmframesink name=s socket-path=@ "
      "delivery=live");
  GstElement *sink = rig_child (producer, "s");

  rig_play (producer);
  rig_until (rig_stat (sink, "frames") > 0);
  for (guint paused = 0; paused < 2; paused++) {
    GstBuffer *latest;

    if (paused)
      rig_state (producer, GST_STATE_PAUSED);
    out = rig_harness (rig_element ("shmframesrc", "timestamps", "keep", NULL));
    latest = gst_harness_pull (out);
    fail_unless (latest != NULL, "no frame came");
    gst_buffer_unref (latest);
    gst_harness_teardown (out);
  }
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_dropped);
  tcase_add_test (tc, test_unlike);
  tcase_add_test (tc, test_batch);
  tcase_add_test (tc, test_memory);
  tcase_add_test (tc, test_upstream);
  tcase_add_test (tc, test_upstream_bounded);
  tcase_add_test (tc, test_queries);
  tcase_add_test (tc, test_late_joiner);
}

RIG_SUITE (shmframe_metas)
