/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot cross is refused, when it is negotiated where that can be: one
 * error that says what to do, and no frame under other caps than its own. And
 * memory that cannot be mapped is no frame. */
#include "gstsecondbatchmeta.h"
#include "shmrig.h"


static GstHarness *sink;
static GstBus *bus;

static void
open_sink (void)
{
  bus = gst_bus_new ();
  sink = rig_harness (rig_element ("shmframesink", "min-clients", 0,
          "delivery", "lossless", NULL));
  gst_element_set_bus (sink->element, bus);
}

static void
close_sink (void)
{
  gst_bus_set_flushing (bus, TRUE);
  gst_harness_teardown (sink);
  gst_object_unref (bus);
}

/* There is one error of the sink, with this word in it */
static void
expect_error (const gchar * word)
{
  GstMessage *m = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  GError *error = NULL;

  fail_unless (m != NULL, "no error with '%s'", word);
  gst_message_parse_error (m, &error, NULL);
  fail_unless (strstr (error->message, word) != NULL, "no '%s' in: %s", word,
      error->message);
  g_error_free (error);
  gst_message_unref (m);
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
}

static void
push_start (void)
{
  gst_harness_push_event (sink, gst_event_new_stream_start ("stream"));
}

static gboolean
push_caps (GstCaps * caps)
{
  gboolean taken = gst_harness_push_event (sink, gst_event_new_caps (caps));

  gst_caps_unref (caps);
  return taken;
}

static void
push_segment (void)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (sink, gst_event_new_segment (&segment));
}

static GstCaps *
memory_caps (const gchar * feature)
{
  GstCaps *caps = rig_caps ("NV12", 8, 8);

  gst_caps_set_features (caps, 0, gst_caps_features_new (feature, NULL));
  return caps;
}

/* Caps of batches of a stream in ordinary memory and one that is in another */
static GstCaps *
batch_caps (const gchar * feature)
{
  GstCaps *caps = gst_caps_new_empty_simple (GST_SECOND_BATCH_CAPS_NAME);
  GValue streams = G_VALUE_INIT, value = G_VALUE_INIT;

  g_value_init (&streams, GST_TYPE_ARRAY);
  g_value_init (&value, GST_TYPE_CAPS);
  g_value_take_boxed (&value, rig_caps ("NV12", 8, 8));
  gst_value_array_append_value (&streams, &value);
  g_value_take_boxed (&value, memory_caps (feature));
  gst_value_array_append_and_take_value (&streams, &value);
  gst_caps_set_value (caps, "streams", &streams);
  g_value_unset (&streams);
  return caps;
}

static GstBuffer *
new_batch (const gchar * feature)
{
  GstBuffer *batch = gst_buffer_new ();
  GstBufferList *list = gst_buffer_list_new ();
  GstCaps *caps = memory_caps (feature);
  GstStructure *s;

  gst_second_batch_meta_register ();
  s = gst_custom_meta_get_structure (gst_buffer_add_custom_meta (batch,
          GST_SECOND_BATCH_META_NAME));
  gst_buffer_list_add (list, rig_frame (0, 96));
  gst_structure_set (s, "version", G_TYPE_UINT, 1, "n-streams", G_TYPE_UINT, 1,
      "buffers-0", GST_TYPE_BUFFER_LIST, list, "caps-0", GST_TYPE_CAPS, caps,
      NULL);
  gst_caps_unref (caps);
  gst_buffer_list_unref (list);
  GST_BUFFER_PTS (batch) = 0;
  return batch;
}

static const gchar *const memories[][2] = {
  {"memory:NVMM", "nvvideoconvert"}, {"memory:CUDAMemory", "cudadownload"},
  {"memory:GLMemory", "gldownload"}, {"memory:VAMemory", "vapostproc"},
  {"memory:DMABuf", "io-mode=mmap"}, {"memory:Strange", "converts to system"},
};

/* As the caps of the batches say */
GST_START_TEST (test_batch_caps)
{
  for (guint i = 0; i < G_N_ELEMENTS (memories); i++) {
    GstCaps *caps = batch_caps (memories[i][0]);

    open_sink ();
    push_start ();
    push_caps (caps);
    fail_if (gst_pad_has_current_caps (GST_PAD_PEER (sink->srcpad)));
    expect_error (memories[i][1]);
    close_sink ();
  }
}

GST_END_TEST;

/* As the batch itself says, whose caps do not */
GST_START_TEST (test_batch)
{
  for (guint i = 0; i < G_N_ELEMENTS (memories); i++) {
    open_sink ();
    push_start ();
    fail_unless (push_caps (gst_caps_new_empty_simple
            (GST_SECOND_BATCH_CAPS_NAME)));
    push_segment ();
    fail_unless_equals_int (gst_harness_push (sink, new_batch (memories[i][0])),
        GST_FLOW_ERROR);
    expect_error (memories[i][1]);
    fail_unless_equals_uint64 (rig_stat (sink->element, "frames"), 0);
    close_sink ();
  }
}

GST_END_TEST;

/* Caps that describe frames as the others do, of two streams */
GST_START_TEST (test_good_batch_caps)
{
  GstCaps *caps = batch_caps ("memory:SystemMemory"), *left;

  open_sink ();
  push_start ();
  left = gst_pad_peer_query_caps (sink->srcpad, caps);
  fail_unless (gst_caps_is_equal (left, caps));
  gst_caps_unref (left);
  fail_unless (push_caps (caps));
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
  close_sink ();
}

GST_END_TEST;

/* Whatever stands between */
GST_START_TEST (test_between)
{
  static const gchar *const between[] = { "", "! queue", "! identity", "! tee",
    "! queue ! tee ! identity ! queue"
  };

  for (guint i = 0; i < G_N_ELEMENTS (between); i++) {
    gchar *line = g_strdup_printf ("appsrc name=in format=time "
        "caps=\"video/x-raw(memory:NVMM),format=NV12,width=8,height=8,"
        "framerate=25/1\" ! secondbatcher %s ! shmframesink name=e "
        "socket-path=@ min-clients=0", between[i]);
    GstElement *pipeline = rig_launch (line);
    gchar *text;

    rig_play (pipeline);
    for (guint n = 0; n < 30; n++) {
      GstBuffer *buffer = rig_frame (n, 64);
      GstFlowReturn ret;

      g_signal_emit_by_name (rig_child (pipeline, "in"), "push-buffer", buffer,
          &ret);
      gst_buffer_unref (buffer);
    }
    rig_feed_eos (pipeline, "in");
    rig_expect_error (pipeline, "e", &text);
    fail_unless (strstr (text, "nvvideoconvert") != NULL, "%s", text);
    fail_unless_equals_uint64 (rig_stat (rig_child (pipeline, "e"), "frames"),
        0);
    g_free (text);
    rig_stop (pipeline);
    g_free (line);
  }
}

GST_END_TEST;

/* Of frames, then of the streams of batches; nothing goes under the caps
 * before */
static void
check_field (GstCaps * caps, const gchar * word)
{
  open_sink ();
  push_start ();
  fail_unless (push_caps (rig_caps ("GRAY8", 8, 8)));
  push_segment ();
  fail_unless_equals_int (gst_harness_push (sink, rig_frame (0, 64)),
      GST_FLOW_OK);
  push_caps (caps);
  expect_error (word);
  fail_unless (gst_harness_push (sink, rig_frame (1, 256)) < GST_FLOW_OK);
  fail_unless_equals_uint64 (rig_stat (sink->element, "frames"), 1);
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
  close_sink ();
}

GST_START_TEST (test_field)
{
  GstCaps *caps = rig_caps ("GRAY8", 16, 16);
  GstCaps *batch = gst_caps_new_empty_simple (GST_SECOND_BATCH_CAPS_NAME);
  GValue streams = G_VALUE_INIT, value = G_VALUE_INIT;
  gchar *text = g_strnfill (300000, 'x');

  gst_caps_set_simple (caps, "sensor-id", G_TYPE_LONG, 7L, NULL);
  g_value_init (&streams, GST_TYPE_ARRAY);
  g_value_init (&value, GST_TYPE_CAPS);
  gst_value_set_caps (&value, caps);
  gst_value_array_append_and_take_value (&streams, &value);
  gst_caps_set_value (batch, "streams", &streams);
  g_value_unset (&streams);
  check_field (caps, "sensor-id");
  check_field (batch, "sensor-id");

  caps = rig_caps ("GRAY8", 16, 16);
  gst_caps_set_simple (caps, "novel", G_TYPE_STRING, text, NULL);
  check_field (caps, "novel");
  g_free (text);
}

GST_END_TEST;

#define EVENT_SIZE 200000u
/* What sticky events may take in all, 8 MiB, is between so many and one more */
#define MANY 41u

static gboolean
push_sticky (guint number)
{
  gchar *name = g_strdup_printf ("sticky-%u", number);
  gchar *text = g_strnfill (EVENT_SIZE, 'x');
  gboolean taken = gst_harness_push_event (sink, gst_event_new_custom
      (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, gst_structure_new (name, "text",
              G_TYPE_STRING, text, NULL)));

  g_free (name);
  g_free (text);
  return taken;
}

/* Who joins gets all of them; so there is a limit, for different ones only */
GST_START_TEST (test_sticky_events)
{
  open_sink ();
  push_start ();
  push_caps (rig_caps ("GRAY8", 8, 8));
  push_segment ();
  for (guint i = 0; i < 2 * MANY; i++)
    fail_unless (push_sticky (i % 3));
  for (guint i = 0; i < MANY; i++)
    fail_unless (push_sticky (i));
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
  push_sticky (MANY);
  expect_error ("send fewer of them");
  fail_unless (gst_harness_push (sink, rig_frame (0, 64)) < GST_FLOW_OK);
  fail_unless (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR) == NULL);
  close_sink ();
}

GST_END_TEST;

/* --- memory that cannot be mapped --- */

typedef GstAllocator Blind;
typedef GstAllocatorClass BlindClass;
static GType blind_get_type (void);
G_DEFINE_TYPE (Blind, blind, GST_TYPE_ALLOCATOR)

static GstMemory *
blind_alloc (GstAllocator * allocator, gsize size, GstAllocationParams * params)
{
  GstMemory *memory = g_new0 (GstMemory, 1);

  gst_memory_init (memory, 0, allocator, NULL, size, 0, 0, size);
  return memory;
}

static void
blind_free (GstAllocator * allocator, GstMemory * memory)
{
  g_free (memory);
}

static gpointer
blind_map (GstMemory * memory, gsize size, GstMapFlags flags)
{
  return NULL;
}

static void
blind_class_init (BlindClass * klass)
{
  klass->alloc = blind_alloc;
  klass->free = blind_free;
}

static void
blind_init (Blind * self)
{
  self->mem_type = "Blind";
  self->mem_map = blind_map;
}

/* A copy that cannot be written is none */
GST_START_TEST (test_copy)
{
  GstAllocator *usual = gst_allocator_find (NULL);
  GstAllocator *blind = gst_object_ref_sink (g_object_new (blind_get_type (),
          NULL));
  GstHarness *out;
  GstBuffer *buffer;
  GstMemory *copy;

  sink =
      rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  out = rig_harness (rig_element ("shmframesrc", NULL));
  gst_harness_set_src_caps (sink, rig_caps ("GRAY8", 8, 8));
  gst_harness_push (sink, rig_frame (3, 64));
  buffer = gst_harness_pull (out);

  gst_allocator_set_default (gst_object_ref (blind));
  copy = gst_memory_copy (gst_buffer_peek_memory (buffer, 0), 0, -1);
  gst_allocator_set_default (usual);
  fail_unless (copy == NULL);
  copy = gst_memory_copy (gst_buffer_peek_memory (buffer, 0), 0, -1);
  fail_unless (copy != NULL);
  gst_memory_unref (copy);
  gst_buffer_unref (buffer);
  gst_harness_teardown (sink);
  gst_harness_teardown (out);
  gst_object_unref (blind);
}

GST_END_TEST;

/* Nor is a frame that cannot be read */
GST_START_TEST (test_unreadable)
{
  GstAllocator *blind = gst_object_ref_sink (g_object_new (blind_get_type (),
          NULL));

  open_sink ();
  gst_harness_set_src_caps (sink, rig_caps ("GRAY8", 8, 8));
  gst_harness_push (sink, rig_frame (0, 64));
  fail_unless_equals_int (gst_harness_push (sink, gst_buffer_new_allocate
          (blind, 64, NULL)), GST_FLOW_ERROR);
  expect_error ("Blind");
  fail_unless_equals_uint64 (rig_stat (sink->element, "frames"), 1);
  close_sink ();
  gst_object_unref (blind);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_batch_caps);
  tcase_add_test (tc, test_batch);
  tcase_add_test (tc, test_good_batch_caps);
  tcase_add_test (tc, test_between);
  tcase_add_test (tc, test_field);
  tcase_add_test (tc, test_sticky_events);
  tcase_add_test (tc, test_copy);
  tcase_add_test (tc, test_unreadable);
}

RIG_SUITE (shmframe_refused)
