/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where frames lie: who copies, who may write, who may keep them how long. */
#include "shmrig.h"

#define FRAME_SIZE (64 * 48)

/* `source` ends in front of the sink; `copied`: every frame, or none */
static void
check_copies (const gchar * source, gboolean copied)
{
  gchar *line = g_strconcat (source, " ! shmframesink name=sink socket-path=@ "
      "min-clients=1", NULL);
  GstElement *producer = rig_launch (line);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "fakesink");
  GstElement *sink = rig_child (producer, "sink");

  GST_INFO ("%s", source);
  rig_play (consumer);
  rig_play (producer);
  rig_await_eos (consumer);
  fail_unless_equals_uint64 (rig_stat (sink, "frames"), 200);
  fail_unless_equals_uint64 (rig_stat (sink, "frames-copied"),
      copied ? 200 : 0);
  fail_unless_equals_uint64 (rig_stat (sink, "bytes-copied"),
      copied ? rig_stat (sink, "bytes") : 0);
  fail_unless_equals_uint64 (rig_stat (rig_child (consumer, "src"),
          "bytes-copied"), 0);
  rig_stop (consumer);
  rig_stop (producer);
  g_free (line);
}

#define TEST_FILM "videotestsrc num-buffers=200 ! "

GST_START_TEST (test_copies)
{
  check_copies (TEST_FILM RIG_GRAY (64, 48), FALSE);
  /* one that could hold all slots would get ordinary memory, not wait for us */
  check_copies (TEST_FILM RIG_GRAY (64, 48) " ! queue max-size-buffers=3",
      FALSE);
  check_copies (TEST_FILM "video/x-raw,format=I420,width=64,height=48 ! "
      "videoconvert ! video/x-raw,format=RGB", FALSE);
  check_copies (TEST_FILM RIG_GRAY (128, 96) " ! videoscale ! "
      RIG_GRAY (64, 48), FALSE);
  check_copies (TEST_FILM RIG_GRAY (64, 48) " ! tee ! queue", TRUE);
  check_copies (TEST_FILM RIG_GRAY (64, 48) " ! identity "
      "drop-allocation=true", TRUE);
}

GST_END_TEST;

#define PRODUCER(options) RIG_APPSRC (64, 48) " ! shmframesink name=sink " \
    "socket-path=@ " options
#define CONSUMER(options) "shmframesrc name=src socket-path=@ " options \
    " ! appsink name=out sync=false"

/* Received frames are for reading; what writes gets a copy, in memory that is
 * no slot */
GST_START_TEST (test_read_only)
{
  GstElement *producer = rig_launch (PRODUCER (""));
  GstElement *consumer = rig_launch (CONSUMER (""));
  GstBuffer *buffer, *copy;
  GstMemory *memory, *copied;
  GstMapInfo map;

  rig_play (consumer);
  rig_play (producer);
  rig_feed (producer, "in", rig_frame (5, FRAME_SIZE));
  buffer = rig_pull (consumer, "out");
  memory = gst_buffer_peek_memory (buffer, 0);
  fail_unless (gst_memory_is_type (memory, "ShmFrame"));
  fail_unless (GST_MEMORY_IS_READONLY (memory));
  fail_if (gst_memory_map (memory, &map, GST_MAP_WRITE));
  copied = gst_memory_copy (memory, 0, -1);
  fail_if (gst_memory_is_type (copied, "ShmFrame"));
  fail_unless (gst_memory_map (copied, &map, GST_MAP_READWRITE));
  fail_unless (gst_buffer_memcmp (buffer, 0, map.data, map.size) == 0);
  gst_memory_unmap (copied, &map);
  gst_memory_unref (copied);

  copy = gst_buffer_make_writable (gst_buffer_ref (buffer));
  rig_fill (copy, 6);
  fail_unless (rig_is_frame (copy, 6));
  fail_unless (rig_is_frame (buffer, 5));
  gst_buffer_unref (copy);
  gst_buffer_unref (buffer);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* Elements that write in place, of two consumers of the same frames */
GST_START_TEST (test_writers_downstream)
{
  GstElement *producer = rig_launch ("appsrc name=in format=time caps="
      "video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! "
      "shmframesink socket-path=@ min-clients=2");
  GstElement *writer = rig_launch ("shmframesrc socket-path=@ ! "
      "videobalance brightness=-1 ! appsink name=out sync=false");
  GstElement *reader = rig_launch (CONSUMER (""));

  rig_play (writer);
  rig_play (reader);
  rig_play (producer);
  for (guint i = 0; i < 50; i++) {
    GstBuffer *written, *read;
    guint8 byte;

    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE * 3 / 2));
    written = rig_pull (writer, "out");
    read = rig_pull (reader, "out");
    fail_unless (rig_is_frame (read, i));
    for (guint at = 0; at < FRAME_SIZE; at += 64) {
      gst_buffer_extract (written, at, &byte, 1);
      fail_unless (byte <= 16, "not made dark");
    }
    gst_buffer_unref (written);
    gst_buffer_unref (read);
  }
  rig_stop (writer);
  rig_stop (reader);
  rig_stop (producer);
}

GST_END_TEST;

/* Frames that the source handed out live longer than it does, whatever the
 * producer does meanwhile */
GST_START_TEST (test_held_past_src)
{
  GstElement *producer = rig_launch (PRODUCER ("min-clients=0"));
  GstElement *consumer = rig_launch (CONSUMER (""));
  GstElement *other = rig_launch (CONSUMER (""));
  GstBuffer *held[6];
  guint64 slots;

  rig_play (producer);
  rig_play (consumer);
  rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
  for (guint i = 0; i < G_N_ELEMENTS (held); i++) {
    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
    held[i] = rig_pull (consumer, "out");
  }
  rig_stop (consumer);
  rig_play (other);
  gst_buffer_unref (rig_pull (other, "out"));
  slots = rig_stat (rig_child (producer, "sink"), "slots");
  for (guint i = 0; i < 10 * slots; i++) {
    GstBuffer *buffer;

    rig_feed (producer, "in", rig_frame (100 + i, FRAME_SIZE));
    buffer = rig_pull (other, "out");
    fail_unless (rig_is_frame (buffer, 100 + i));
    gst_buffer_unref (buffer);
  }
  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    fail_unless (rig_is_frame (held[i], i));
  rig_stop (other);
  rig_stop (producer);
  for (guint i = 0; i < G_N_ELEMENTS (held); i++) {
    fail_unless (rig_is_frame (held[i], i));
    gst_buffer_unref (held[i]);
  }
}

GST_END_TEST;

/* and longer than the sink, too */
GST_START_TEST (test_held_past_sink)
{
  GstElement *producer = rig_launch (PRODUCER (""));
  GstElement *consumer = rig_launch (CONSUMER (""));
  GstBuffer *held[4];

  rig_play (consumer);
  rig_play (producer);
  for (guint i = 0; i < G_N_ELEMENTS (held); i++) {
    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
    held[i] = rig_pull (consumer, "out");
  }
  rig_stop (producer);
  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    fail_unless (rig_is_frame (held[i], i));
  rig_stop (consumer);
  for (guint i = 0; i < G_N_ELEMENTS (held); i++) {
    fail_unless (rig_is_frame (held[i], i));
    gst_buffer_unref (held[i]);
  }
}

GST_END_TEST;

/* Upstream keeps memory of the sink's, and its pool, past the sink's end */
GST_START_TEST (test_upstream_holds)
{
  GstHarness *h = rig_harness (rig_element ("shmframesink", "delivery", "live",
          NULL));
  GstBufferPool *pool;
  GstBuffer *kept[3];

  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  pool = rig_pool (h);
  for (guint i = 0; i < 2; i++) {
    kept[i] = rig_acquire (pool);
    rig_fill (kept[i], i);
  }
  fail_unless_equals_int (gst_harness_push (h, gst_buffer_ref (kept[0])),
      GST_FLOW_OK);
  gst_harness_teardown (h);
  kept[2] = rig_acquire (pool);
  rig_fill (kept[2], 2);
  for (guint i = 0; i < 3; i++) {
    fail_unless (rig_is_frame (kept[i], i));
    gst_buffer_unref (kept[i]);
  }
  rig_drop_pool (pool);
}

GST_END_TEST;

/* Feeds and holds until `n` frames are held, or nothing comes any more */
static guint
hold_frames (GstElement * producer, GstElement * consumer, GPtrArray * held,
    guint n)
{
  GstElement *out = rig_child (consumer, "out");

  while (held->len < n) {
    GstSample *sample = NULL;

    rig_feed (producer, "in", rig_frame (held->len, FRAME_SIZE));
    g_signal_emit_by_name (out, "try-pull-sample", GST_SECOND, &sample);
    if (sample == NULL)
      break;
    g_ptr_array_add (held, sample);
  }
  for (guint i = 0; i < held->len; i++)
    fail_unless (rig_is_frame (gst_sample_get_buffer (g_ptr_array_index (held,
                    i)), i));
  return held->len;
}

GST_START_TEST (test_growing)
{
  GstElement *producer = rig_launch (PRODUCER (""));
  GstElement *consumer = rig_launch (CONSUMER (""));
  GPtrArray *held = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_sample_unref);
  GstElement *sink = rig_child (producer, "sink");

  rig_play (consumer);
  rig_play (producer);
  fail_unless_equals_int (hold_frames (producer, consumer, held, 300), 300);
  fail_unless (rig_stat (sink, "growths") > 0);
  /* It asks for twice as many each time: up to 599; then come those for
   * upstream, up to 80, and a tenth. */
  fail_unless (rig_stat (sink, "slots") <= (599 + 80) * 11 / 10);
  g_ptr_array_unref (held);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* The limit is kept, and said */
GST_START_TEST (test_growing_to_the_limit)
{
  GstElement *producer = rig_launch (PRODUCER ("max-memory=200000"));
  GstElement *consumer = rig_launch (CONSUMER (""));
  GPtrArray *held = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_sample_unref);
  GstElement *sink = rig_child (producer, "sink");
  GError *error = NULL;
  GstMessage *m;
  guint n;

  rig_play (consumer);
  rig_play (producer);
  n = hold_frames (producer, consumer, held, 300);
  fail_unless (n > 4 && n < 60, "%u frames in 200000 bytes", n);
  fail_unless (rig_stat (sink, "segment-bytes") <= 200000);
  m = rig_message (consumer, GST_MESSAGE_WARNING);
  gst_message_parse_warning (m, &error, NULL);
  fail_unless (strstr (error->message, "max-memory") != NULL, "%s",
      error->message);
  g_error_free (error);
  gst_message_unref (m);
  /* and goes on when frames come back */
  g_ptr_array_set_size (held, 0);
  gst_buffer_unref (rig_pull (consumer, "out"));
  g_ptr_array_unref (held);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static gboolean
is_slot (GstBuffer * buffer)
{
  return gst_memory_is_type (gst_buffer_peek_memory (buffer, 0), "ShmFrame");
}

/* 64 slots more than 16, 16 at a time */
#define MAX_GROWTHS 4

/* A decoder that keeps many frames gets ordinary memory meanwhile, and then
 * more slots; but not without end */
GST_START_TEST (test_growing_for_upstream)
{
  GstHarness *h = rig_harness (rig_element ("shmframesink", NULL));
  GPtrArray *kept = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_buffer_unref);
  GstBufferPool *pool;
  guint growths = 0;

  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  pool = rig_pool (h);
  do {
    g_ptr_array_add (kept, rig_acquire (pool));
    if (is_slot (g_ptr_array_index (kept, kept->len - 1)))
      continue;
    if (growths == MAX_GROWTHS)
      break;
    growths++;
    rig_until (rig_stat (h->element, "growths") == growths);
  } while (kept->len < 400);
  fail_unless (kept->len < 400, "grown %u times", growths);
  for (guint i = 0; i < 10; i++)
    g_ptr_array_add (kept, rig_acquire (pool));
  fail_if (is_slot (g_ptr_array_index (kept, kept->len - 1)));
  fail_unless_equals_uint64 (rig_stat (h->element, "growths"), growths);
  g_ptr_array_unref (kept);
  rig_drop_pool (pool);
  gst_harness_teardown (h);
}

GST_END_TEST;

static void
check_refused (const gchar * producer_line, const gchar * consumer_line,
    const gchar * word)
{
  GstElement *producer = rig_launch (producer_line);
  GstElement *consumer = rig_launch (consumer_line);
  gchar *text;

  rig_play (producer);
  rig_play (consumer);
  rig_expect_error (consumer, "src", &text);
  fail_unless (strstr (text, word) != NULL, "no '%s' in: %s", word, text);
  g_free (text);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_START_TEST (test_too_few_slots)
{
  check_refused (PRODUCER ("slots=3"), CONSUMER (""), "slots");
  check_refused (PRODUCER ("slots=20"), CONSUMER ("max-held=30"), "slots");
}

GST_END_TEST;

/* The sink's own error: not even one frame and the next fit */
GST_START_TEST (test_too_little_memory)
{
  GstElement *producer = rig_launch (PRODUCER ("max-memory=5000 "
          "min-clients=0"));
  gchar *text;

  rig_play (producer);
  rig_feed (producer, "in", rig_frame (0, FRAME_SIZE));
  rig_expect_error (producer, "sink", &text);
  fail_unless (strstr (text, "max-memory") != NULL, "%s", text);
  g_free (text);
  rig_stop (producer);
}

GST_END_TEST;

/* An upstream element's own pool, of few buffers, on the allocator of the sink:
 * what clients return comes back without another frame */
GST_START_TEST (test_bounded_pool)
{
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! fakesink");
  GstHarness *h =
      rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          NULL));
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  GstCaps *caps = rig_caps ("GRAY8", 64, 48);
  GstAllocator *allocator = NULL;
  GstAllocationParams params;

  rig_play (consumer);
  rig_until (rig_num_clients (h->element) == 1);
  gst_harness_set_src_caps (h, gst_caps_ref (caps));
  gst_harness_get_allocator (h, &allocator, &params);
  if (allocator == NULL) {
    /* the harness asks with its first buffer only */
    gst_buffer_unref (gst_harness_create_buffer (h, FRAME_SIZE));
    gst_harness_get_allocator (h, &allocator, &params);
  }
  fail_unless (allocator != NULL);
  gst_buffer_pool_config_set_params (config, caps, FRAME_SIZE, 0, 4);
  gst_buffer_pool_config_set_allocator (config, allocator, &params);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  for (guint i = 0; i < 500; i++) {
    GstBuffer *buffer = rig_acquire (pool);

    rig_fill (buffer, i);
    fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
  }
  fail_unless_equals_uint64 (rig_stat (h->element, "frames-copied"), 0);
  gst_buffer_pool_set_active (pool, FALSE);
  gst_harness_teardown (h);
  gst_object_unref (pool);
  gst_caps_unref (caps);
  rig_stop (consumer);
}

GST_END_TEST;

/* On huge pages, or on ordinary ones with a warning that says what to do;
 * frames cross either way */
GST_START_TEST (test_huge_pages)
{
  GstElement *producer = rig_launch (PRODUCER ("huge-pages=true slots=24"));
  GstElement *consumer = rig_launch (CONSUMER (""));
  GstElement *sink = rig_child (producer, "sink");
  GstBus *bus = gst_element_get_bus (producer);
  GError *error = NULL;
  GstMessage *m;

  rig_play (consumer);
  rig_play (producer);
  for (guint i = 0; i < 30; i++) {
    GstBuffer *buffer;

    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
    buffer = rig_pull (consumer, "out");
    fail_unless (rig_is_frame (buffer, i));
    gst_buffer_unref (buffer);
  }
  m = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  fail_unless ((m == NULL) == (rig_stat (sink, "huge-page-bytes") > 0));
  if (m != NULL) {
    gst_message_parse_warning (m, &error, NULL);
    fail_unless (strstr (error->message, "vm.nr_hugepages") != NULL, "%s",
        error->message);
    g_error_free (error);
    gst_message_unref (m);
    m = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
    fail_unless (m == NULL, "it is said twice");
  }
  gst_object_unref (bus);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_huge_pages);
  tcase_add_test (tc, test_copies);
  tcase_add_test (tc, test_read_only);
  tcase_add_test (tc, test_writers_downstream);
  tcase_add_test (tc, test_held_past_src);
  tcase_add_test (tc, test_held_past_sink);
  tcase_add_test (tc, test_upstream_holds);
  tcase_add_test (tc, test_growing);
  tcase_add_test (tc, test_growing_to_the_limit);
  tcase_add_test (tc, test_growing_for_upstream);
  tcase_add_test (tc, test_too_few_slots);
  tcase_add_test (tc, test_too_little_memory);
  tcase_add_test (tc, test_bounded_pool);
}

RIG_SUITE (shmframe_memory)
