/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows of received frames as one array, also where the ring wraps */
#include "shmrig.h"

#include "gstsecondbatchview.h"

#define HD "video/x-raw,format=I420,width=1920,height=1080,framerate=25/1"
#define SMALL "video/x-raw,format=I420,width=320,height=240,framerate=25/1"
/* Windows that may be under way */
#define CALM 8

/* output=memory: the array itself, not a copy of it */
static void
check_memory (GstBuffer * batch, const GstSecondBatchView * view)
{
  GstMapInfo map;

  fail_unless (gst_buffer_map_range (batch, 0, 1, &map, GST_MAP_READ));
  fail_unless (map.data == view->data, "the window was copied");
  fail_unless_equals_uint64 (map.size,
      (view->frames - 1) * view->frame_stride + view->map.size);
  gst_buffer_unmap (batch, &map);
}

/* The array holds, frame by frame, what the frames hold; true if one of the
 * frames lies in front of the first one, that is, if the ring wraps. */
static gboolean
check_view (GstBuffer * batch)
{
  GstBufferList *list = gst_second_batch_get_buffers (batch, 0);
  gboolean wraps = FALSE;
  GstSecondBatchView view;

  fail_unless (gst_second_batch_view_map (batch, 0, &view),
      "window %" G_GUINT64_FORMAT " is in pieces",
      gst_second_batch_get_index (batch));
  fail_unless_equals_int (view.frames, gst_buffer_list_length (list));
  for (guint t = 0; t < view.frames; t++) {
    GstMapInfo map;

    fail_unless (gst_buffer_map (gst_buffer_list_get (list, t), &map,
            GST_MAP_READ));
    wraps |= map.data < view.data;
    for (guint plane = 0; plane < 3; plane++)
      fail_unless (memcmp (map.data + view.info.offset[plane],
              gst_second_batch_view_plane (&view, t, plane), 160) == 0,
          "frame %u is another one in the array", t);
    /* no copy: the same bytes, if it is not the other view of them */
    fail_unless (map.data < view.data
        || map.data == view.data + t * view.frame_stride);
    gst_buffer_unmap (gst_buffer_list_get (list, t), &map);
  }
  if (gst_buffer_n_memory (batch) > 0)
    check_memory (batch, &view);
  gst_second_batch_view_unmap (&view);
  return wraps;
}

/* Windows in which the ring has just grown, or that were under way then, are in
 * two views; `producer` is asked whether there were any. */
static guint
check_windows (GstElement * producer, GstElement * consumer, guint n)
{
  guint64 growths = 0;
  guint wrapped = 0, calm = 0;

  while (n > 0) {
    GstBuffer *batch = rig_pull (consumer, "out");
    guint64 now = rig_stat (rig_child (producer, "origin"), "growths");

    calm = now == growths ? calm + 1 : 0;
    growths = now;
    if (calm >= CALM) {
      fail_unless_equals_int (gst_second_batch_get_count (batch, "frames", 0),
          25);
      wrapped += check_view (batch);
      n--;
    }
    gst_buffer_unref (batch);
  }
  return wrapped;
}

GST_START_TEST (test_every_window)
{
  GstElement *producer = rig_launch ("videotestsrc pattern=snow ! " HD
      " ! shmframesink name=origin socket-path=@");
  /* so that the ring has its size at once, however slow this machine is */
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ is-live=false"
      " max-held=60 ! secondbatcher output=memory ! appsink name=out "
      "sync=false max-buffers=1");

  rig_play (producer);
  rig_play (consumer);
  fail_unless (check_windows (producer, consumer, 4) > 0, "none wrapped");
  fail_unless_equals_uint64 (rig_stat (rig_child (producer, "origin"),
          "frames-copied"), 0);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* The batch goes one process further, to other addresses; the batcher's memory
 * does not go with it */
GST_START_TEST (test_after_relay)
{
  GstElement *producer = rig_launch ("videotestsrc pattern=snow ! " SMALL
      " ! shmframesink name=origin socket-path=@");
  GstElement *relay = rig_launch ("shmframesrc socket-path=@ is-live=false"
      " ! secondbatcher name=b ! shmframesink name=sink socket-path=@2");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@2 is-live=false"
      " ! appsink name=out sync=false max-buffers=1");
  guint64 copied;

  gst_util_set_object_arg (G_OBJECT (rig_child (relay, "b")), "output",
      __i__ == 0 ? "meta" : "memory");
  rig_play (producer);
  rig_play (relay);
  rig_play (consumer);
  fail_unless (check_windows (producer, consumer, 20) > 0, "none wrapped");
  /* but for windows in two views, which output=memory had copied already */
  copied = rig_stat (rig_child (relay, "sink"), "frames-copied");
  fail_unless (copied <= rig_stat (rig_child (relay, "b"), "sink_0-gathered"));
  rig_stop (consumer);
  rig_stop (relay);
  rig_stop (producer);
}

GST_END_TEST;

typedef struct
{
  gint seen, wrapped;           /* atomic */
} Own;

static GstPadProbeReturn
check_own (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  Own *own = user;

  if (g_atomic_int_add (&own->seen, 1) >= CALM
      && check_view (GST_PAD_PROBE_INFO_BUFFER (info)))
    g_atomic_int_inc (&own->wrapped);
  return GST_PAD_PROBE_OK;
}

/* In the process that makes the frames, too, in the slots of the sink behind
 * the batcher */
GST_START_TEST (test_where_they_are_made)
{
  GstElement *producer = rig_launch ("videotestsrc pattern=snow ! " SMALL
      " ! secondbatcher ! shmframesink name=origin slots=160 socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ is-live=false"
      " ! appsink name=out sync=false max-buffers=1");
  GstPad *pad = gst_element_get_static_pad (rig_child (producer, "origin"),
      "sink");
  Own own = { 0, 0 };

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, check_own, &own, NULL);
  gst_object_unref (pad);
  rig_play (producer);
  rig_play (consumer);
  for (guint n = 0; n < 40; n++)
    gst_buffer_unref (rig_pull (consumer, "out"));
  rig_stop (consumer);
  rig_stop (producer);
  fail_unless (own.wrapped > 0, "none wrapped");
}

GST_END_TEST;

/* What the sender says of its own addresses is not believed */
GST_START_TEST (test_sender_is_wrong)
{
  GstHarness *in =
      rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          NULL));
  GstHarness *out =
      rig_harness (rig_element ("shmframesrc", "timestamps", "keep",
          NULL));

  gst_harness_set_src_caps_str (in, GST_SECOND_BATCH_CAPS_NAME);
  for (gint uneven = 0; uneven < 2; uneven++) {
    GstBufferList *list = gst_buffer_list_new ();
    GstBuffer *batch = gst_buffer_new ();
    guint64 stride;

    gst_second_batch_meta_register ();
    for (guint i = 0; i < 5; i++)
      gst_buffer_list_add (list, rig_frame (i, 64 + (guint) uneven * i));
    gst_structure_set (gst_custom_meta_get_structure
        (gst_buffer_add_custom_meta (batch, GST_SECOND_BATCH_META_NAME)),
        "n-streams", G_TYPE_UINT, 1, "buffers-0", GST_TYPE_BUFFER_LIST, list,
        "contiguous-0", G_TYPE_BOOLEAN, uneven, "frame-stride-0",
        G_TYPE_UINT64, (guint64) 77, NULL);
    gst_buffer_list_unref (list);
    fail_unless_equals_int (gst_harness_push (in, batch), GST_FLOW_OK);
    batch = gst_harness_pull (out);
    fail_unless (gst_second_batch_is_contiguous (batch, 0, &stride) != uneven);
    fail_unless_equals_uint64 (stride, uneven ? 0 : sysconf (_SC_PAGESIZE));
    gst_buffer_unref (batch);
  }
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

GST_END_TEST;

/* --- batches that an application makes --- */

static GstHarness *
batch_sink (void)
{
  GstHarness *h =
      rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          NULL));

  gst_harness_set_src_caps_str (h, GST_SECOND_BATCH_CAPS_NAME);
  return h;
}

/* A batch whose stream K has sizes[K][0..] bytes a frame, until 0 */
static GstBuffer *
make_batch (const gsize (*sizes)[6], guint n)
{
  GstBuffer *batch = gst_buffer_new ();
  GstStructure *s;

  gst_second_batch_meta_register ();
  s = gst_custom_meta_get_structure (gst_buffer_add_custom_meta (batch,
          GST_SECOND_BATCH_META_NAME));
  gst_structure_set (s, "n-streams", G_TYPE_UINT, n, NULL);
  for (guint k = 0; k < n; k++) {
    GstBufferList *list = gst_buffer_list_new ();
    gchar *name = g_strdup_printf ("buffers-%u", k);

    for (guint i = 0; sizes[k][i] > 0; i++)
      gst_buffer_list_add (list, rig_frame (k * 10 + i, sizes[k][i]));
    gst_structure_set (s, name, GST_TYPE_BUFFER_LIST, list, NULL);
    gst_buffer_list_unref (list);
    g_free (name);
  }
  return batch;
}

static GstBuffer *
pass (GstHarness * in, GstHarness * out, GstBuffer * batch)
{
  GstBuffer *arrived;

  fail_unless_equals_int (gst_harness_push (in, batch), GST_FLOW_OK);
  arrived = gst_harness_pull (out);
  fail_unless (arrived != NULL, "no batch came");
  return arrived;
}

static const gsize some_even[3][6] = { {64, 64, 64, 64}, {64, 65, 66}, {0} };
static const gsize none_even[2][6] = { {64, 65, 66}, {0} };

/* A memory a stream that lies in a row; none where no stream does */
GST_START_TEST (test_memory_per_stream)
{
  GstHarness *in = batch_sink ();
  GstHarness *out =
      rig_harness (rig_element ("shmframesrc", "timestamps", "keep",
          NULL));
  GstBuffer *batch = pass (in, out, make_batch (some_even, 3));
  GstMapInfo map;
  guint64 stride;

  fail_unless_equals_int (gst_buffer_n_memory (batch), 3);
  fail_unless (gst_second_batch_is_contiguous (batch, 0, &stride));
  fail_unless (gst_buffer_map_range (batch, 0, 1, &map, GST_MAP_READ));
  fail_unless_equals_uint64 (map.size, 3 * stride + 64);
  for (guint i = 0; i < 4; i++)
    for (gsize byte = 0; byte < 64; byte++)
      fail_unless_equals_int (map.data[i * stride + byte], rig_byte (i, byte));
  gst_buffer_unmap (batch, &map);
  fail_unless (gst_memory_is_type (gst_buffer_peek_memory (batch, 0),
          GST_ALLOCATOR_SYSMEM));
  fail_if (gst_memory_map (gst_buffer_peek_memory (batch, 0), &map,
          GST_MAP_WRITE));
  fail_unless_equals_uint64 (gst_buffer_get_sizes_range (batch, 1, 2, NULL,
          NULL), 0);
  gst_buffer_unref (batch);

  batch = pass (in, out, make_batch (none_even, 2));
  fail_unless_equals_int (gst_buffer_n_memory (batch), 0);
  gst_buffer_unref (batch);
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

GST_END_TEST;

/* The slots go back when the last memory goes that shows them, not before */
GST_START_TEST (test_memory_holds)
{
  GstHarness *in = batch_sink ();
  GstElement *src = gst_object_ref (rig_element ("shmframesrc", "timestamps",
          "keep", NULL));
  GstHarness *out = rig_harness (src);
  GstBuffer *batch = pass (in, out, make_batch (some_even, 3));
  GstMemory *memory = gst_buffer_get_memory (batch, 0);
  GstMapInfo map;

  fail_unless_equals_uint64 (rig_stat (src, "held"), 1);
  gst_buffer_unref (batch);
  /* others that would be written where these are, if they were free */
  for (guint i = 0; i < 100; i++)
    gst_buffer_unref (pass (in, out, make_batch (none_even, 2)));
  fail_unless_equals_uint64 (rig_stat (src, "held"), 1);
  fail_unless (gst_memory_map (memory, &map, GST_MAP_READ));
  for (gsize byte = 0; byte < 64; byte++)
    fail_unless_equals_int (map.data[byte], rig_byte (0, byte));
  gst_memory_unmap (memory, &map);
  gst_memory_unref (memory);
  rig_until (rig_stat (src, "held") == 0);
  gst_object_unref (src);
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

GST_END_TEST;

static const gsize many[17][6] = { {64, 64}, {64, 64} };

/* More streams than a buffer has memories: nothing is merged, which would
 * copy */
GST_START_TEST (test_memory_of_many)
{
  GstHarness *in = batch_sink ();
  GstHarness *out =
      rig_harness (rig_element ("shmframesrc", "timestamps", "keep",
          NULL));
  GstBuffer *batch = pass (in, out, make_batch (many, 17));

  fail_unless (gst_second_batch_is_contiguous (batch, 0, NULL));
  fail_unless_equals_int (gst_buffer_n_memory (batch), 0);
  gst_buffer_unref (batch);
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_memory_per_stream);
  tcase_add_test (tc, test_memory_holds);
  tcase_add_test (tc, test_memory_of_many);
  tcase_add_test (tc, test_every_window);
  tcase_add_loop_test (tc, test_after_relay, 0, 2);
  tcase_add_test (tc, test_where_they_are_made);
  tcase_add_test (tc, test_sender_is_wrong);
}

RIG_SUITE (shmframe_window)
