/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far behind a consumer falls that is served live: max-lag of its own,
 * beside another one that makes the ring large. */
#include "gstsecondbatchmeta.h"
#include "shmrig.h"

#define FRAME_SIZE 64
#define LAG_MS 100
#define CONSUMER \
    "shmframesrc name=src socket-path=@ timestamps=keep max-lag=%" \
    G_GUINT64_FORMAT " ! appsink name=out sync=false max-buffers=1"
/* What it takes before it stands: one in the appsink, one on the way there */
#define TAKEN 2

static GstHarness *in, *large;
static GstElement *consumer;
static gboolean batches;

static void
open_sink (const gchar * delivery)
{
  in = rig_harness (rig_element ("shmframesink", "delivery", delivery,
          "min-clients", 0, NULL));
  gst_harness_set_src_caps_str (in, batches ? GST_SECOND_BATCH_CAPS_NAME
      : RIG_GRAY (8, 8));
}

static void
open_all (const gchar * delivery, GstClockTime max_lag)
{
  gchar *line = g_strdup_printf (CONSUMER, max_lag);

  open_sink (delivery);
  large = rig_harness (rig_element ("shmframesrc", "timestamps", "keep",
          "delivery", "live", "max-held", 60, NULL));
  consumer = rig_launch (line);
  rig_play (consumer);
  rig_until (rig_num_clients (in->element) == 2);
  g_free (line);
}

static void
close_all (void)
{
  rig_stop (consumer);
  gst_harness_teardown (large);
  gst_harness_teardown (in);
}

static void
push (guint from, guint n)
{
  for (guint i = from; i < from + n; i++) {
    GstBuffer *frame = rig_frame (i, FRAME_SIZE), *batch = frame;

    if (batches) {
      GstBufferList *list = gst_buffer_list_new ();

      gst_second_batch_meta_register ();
      batch = gst_buffer_new ();
      GST_BUFFER_PTS (batch) = GST_BUFFER_PTS (frame);
      GST_BUFFER_OFFSET (batch) = i;
      gst_buffer_list_add (list, frame);
      gst_structure_set (gst_custom_meta_get_structure
          (gst_buffer_add_custom_meta (batch, GST_SECOND_BATCH_META_NAME)),
          "version", G_TYPE_UINT, 1, "n-streams", G_TYPE_UINT, 1, "buffers-0",
          GST_TYPE_BUFFER_LIST, list, NULL);
      gst_buffer_list_unref (list);
    }
    fail_unless_equals_int (gst_harness_push (in, batch), GST_FLOW_OK);
  }
}

static void
expect (guint from, guint n, gboolean discont)
{
  for (guint i = from; i < from + n; i++) {
    GstBuffer *buffer = rig_pull (consumer, "out");

    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), i);
    fail_unless (i == 0 || GST_BUFFER_FLAG_IS_SET (buffer,
            GST_BUFFER_FLAG_DISCONT) == (discont && i == from));
    gst_buffer_unref (buffer);
  }
}

static guint64
taken (void)
{
  return rig_stat (rig_child (consumer, "src"), "frames");
}

/* It stands while so many are published, and for longer than it may lag; then
 * one more comes. */
static void
stand (guint from, guint n)
{
  guint64 before = taken ();

  push (from, TAKEN);
  rig_until (taken () == before + TAKEN);
  push (from + TAKEN, n - TAKEN - 1);
  g_usleep (2 * LAG_MS * 1000);
  push (from + n - 1, 1);
}

/* The last two are there; what they come after is counted, and told. */
static void
test_limit (void)
{
  GstMessage *m;
  guint64 dropped;
  GstFormat format;

  open_all ("live", LAG_MS * GST_MSECOND);
  stand (0, 20);
  expect (0, TAKEN, FALSE);
  expect (18, 2, TRUE);
  fail_unless_equals_uint64 (rig_stat (rig_child (consumer, "src"),
          "frames-lost"), 18 - TAKEN);
  m = rig_message (consumer, GST_MESSAGE_QOS);
  gst_message_parse_qos_stats (m, &format, NULL, &dropped);
  fail_unless_equals_uint64 (dropped, 18 - TAKEN);
  gst_message_unref (m);
  /* one that keeps up loses nothing */
  push (20, 1);
  expect (20, 1, FALSE);
  close_all ();
}

GST_START_TEST (test_frames)
{
  batches = FALSE;
  test_limit ();
}

GST_END_TEST;

GST_START_TEST (test_batches)
{
  batches = TRUE;
  test_limit ();
}

GST_END_TEST;

/* Without a limit, and losslessly, it gets all. */
GST_START_TEST (test_no_limit)
{
  batches = FALSE;
  open_all (__i__ == 0 ? "live" : "lossless", __i__ == 0 ? 0
      : LAG_MS * GST_MSECOND);
  stand (0, 20);
  expect (0, 20, FALSE);
  close_all ();
}

GST_END_TEST;

/* A producer that comes back is told again. */
GST_START_TEST (test_restart)
{
  batches = FALSE;
  open_all ("live", LAG_MS * GST_MSECOND);
  push (0, 1);
  expect (0, 1, FALSE);
  gst_harness_teardown (in);
  open_sink ("live");
  rig_until (rig_num_clients (in->element) == 2);
  stand (1, 20);
  expect (1, TAKEN, TRUE);
  expect (19, 2, TRUE);
  close_all ();
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_frames);
  tcase_add_test (tc, test_batches);
  tcase_add_loop_test (tc, test_no_limit, 0, 2);
  tcase_add_test (tc, test_restart);
}

RIG_SUITE (shmframe_lag)
