/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Crowded scenes and many cameras: metas that do not fit are left out, fairly,
 * said once, and counted; a hundred cameras of 60 fps cross in one batch; more
 * is refused with the number. */
#include <sys/wait.h>

#include "gstsecondbatchmeta.h"
#include "shared/layout.h"
#include "shmrig.h"


static GstHarness *in, *out;
static GstBus *bus;

static void
open_pair (void)
{
  bus = gst_bus_new ();
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  gst_element_set_bus (in->element, bus);
  out = rig_harness (rig_element ("shmframesrc", "timestamps", "keep", NULL));
  rig_until (rig_num_clients (in->element) == 1);
}

static void
close_pair (void)
{
  gst_bus_set_flushing (bus, TRUE);
  gst_harness_teardown (in);
  gst_harness_teardown (out);
  gst_object_unref (bus);
}

static void
push_start (GstHarness * h, const gchar * caps)
{
  GstCaps *owned = gst_caps_from_string (caps);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_stream_start ("stream"));
  gst_harness_push_event (h, gst_event_new_caps (owned));
  gst_caps_unref (owned);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
}

static void
add_faces (GstBuffer * buffer, guint n)
{
  for (guint i = 0; i < n; i++)
    gst_buffer_add_video_region_of_interest_meta (buffer, "face", i, 0, 1, 1);
}

static guint
count_faces (GstBuffer * buffer)
{
  return gst_buffer_get_n_meta (buffer,
      GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
}

/* How many messages of these types there are, with this word in them */
static guint
count_messages (GstMessageType types, const gchar * word)
{
  guint n = 0;
  GstMessage *m;

  while ((m = gst_bus_pop_filtered (bus, types)) != NULL) {
    GError *error = NULL;

    if (GST_MESSAGE_TYPE (m) == GST_MESSAGE_ERROR)
      gst_message_parse_error (m, &error, NULL);
    else
      gst_message_parse_warning (m, &error, NULL);
    fail_unless (strstr (error->message, word) != NULL, "%s", error->message);
    n++;
    g_error_free (error);
    gst_message_unref (m);
  }
  return n;
}

/* More than fits in one frame of each three; where its picture lies is said
 * last, and arrives */
GST_START_TEST (test_frame)
{
  guint64 dropped = 0;

  open_pair ();
  push_start (in, "video/x-raw, format=GRAY8, width=8, height=8, "
      "framerate=25/1");
  for (guint i = 0; i < 9; i++) {
    GstBuffer *buffer = rig_frame (i, 80);
    guint n = i % 3 == 1 ? 200000 : 5, came;
    gsize offset[GST_VIDEO_MAX_PLANES] = { 0 };
    gint stride[GST_VIDEO_MAX_PLANES] = { 10 };

    add_faces (buffer, n);
    gst_buffer_add_video_meta_full (buffer, 0, GST_VIDEO_FORMAT_GRAY8, 8, 8, 1,
        offset, stride);
    fail_unless_equals_int (gst_harness_push (in, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull (out);
    came = count_faces (buffer);
    fail_unless (came == n || (n > 5 && came > 20000));
    dropped += n - came;
    fail_unless (gst_buffer_get_video_meta (buffer) != NULL);
    fail_unless_equals_int (gst_buffer_get_video_meta (buffer)->stride[0], 10);
    gst_buffer_unref (buffer);
  }
  fail_unless (dropped > 0);
  fail_unless_equals_uint64 (rig_stat (in->element, "metas-dropped"), dropped);
  fail_unless_equals_int (count_messages (GST_MESSAGE_ERROR
          | GST_MESSAGE_WARNING, "RegionOfInterest"), 1);
  close_pair ();
}

GST_END_TEST;

#define CAPS "video/x-raw, format=GRAY8, width=8, height=8, framerate=60/1"

/* `n` streams of frames per_stream, with `faces (k, i)` each */
static GstBuffer *
new_batch (guint n, guint per_stream, guint (*faces) (guint, guint))
{
  GstBuffer *batch = gst_buffer_new ();
  GstCaps *caps = gst_caps_from_string (CAPS);
  GstStructure *s;

  gst_second_batch_meta_register ();
  s = gst_custom_meta_get_structure (gst_buffer_add_custom_meta (batch,
          GST_SECOND_BATCH_META_NAME));
  gst_structure_set (s, "version", G_TYPE_UINT, 1, "n-streams", G_TYPE_UINT, n,
      NULL);
  for (guint k = 0; k < n; k++) {
    GstBufferList *list = gst_buffer_list_new_sized (per_stream);
    gchar name[32];

    for (guint i = 0; i < per_stream; i++) {
      GstBuffer *frame = rig_frame (k * per_stream + i, 64);

      gst_buffer_add_video_meta (frame, 0, GST_VIDEO_FORMAT_GRAY8, 8, 8);
      add_faces (frame, faces (k, i));
      gst_buffer_list_add (list, frame);
    }
    g_snprintf (name, sizeof (name), "buffers-%u", k);
    gst_structure_set (s, name, GST_TYPE_BUFFER_LIST, list, NULL);
    gst_buffer_list_unref (list);
    g_snprintf (name, sizeof (name), "caps-%u", k);
    gst_structure_set (s, name, GST_TYPE_CAPS, caps, NULL);
  }
  gst_caps_unref (caps);
  GST_BUFFER_PTS (batch) = 0;
  GST_BUFFER_DURATION (batch) = GST_SECOND;
  return batch;
}

static GstBuffer *
frame_of (GstBuffer * batch, guint stream, guint i)
{
  return gst_buffer_list_get (gst_second_batch_get_buffers (batch, stream), i);
}

/* All of the second stream are crowded, and one frame in the first */
static guint
crowded (guint stream, guint i)
{
  return stream == 1 || i == 7 ? 2500 : 3;
}

/* Who needs little has all of it, and the others share the rest alike */
GST_START_TEST (test_fair)
{
  guint64 dropped = 0;
  guint least = G_MAXUINT, most = 0;

  open_pair ();
  push_start (in, GST_SECOND_BATCH_CAPS_NAME);
  for (guint round = 0; round < 2; round++) {
    GstBuffer *batch;

    fail_unless_equals_int (gst_harness_push (in, new_batch (2, 60, crowded)),
        GST_FLOW_OK);
    batch = gst_harness_pull (out);
    for (guint k = 0; k < 2; k++) {
      for (guint i = 0; i < 60; i++) {
        GstBuffer *frame = frame_of (batch, k, i);
        guint came = count_faces (frame);

        fail_unless (rig_is_frame (frame, k * 60 + i));
        fail_unless (gst_buffer_get_video_meta (frame) != NULL);
        dropped += crowded (k, i) - came;
        if (crowded (k, i) == 3) {
          fail_unless_equals_int (came, 3);
        } else {
          least = MIN (least, came);
          most = MAX (most, came);
        }
      }
    }
    gst_buffer_unref (batch);
  }
  fail_unless (least > 1000 && most - least <= 1, "%u to %u", least, most);
  fail_unless_equals_uint64 (rig_stat (in->element, "metas-dropped"), dropped);
  fail_unless_equals_int (count_messages (GST_MESSAGE_ERROR
          | GST_MESSAGE_WARNING, "RegionOfInterest"), 1);
  close_pair ();
}

GST_END_TEST;

#define CAMERAS 100
#define FPS 60
#define BATCHES 3

static guint
two (guint stream, guint i)
{
  return 2;
}

/* In a process of its own */
static void
send_cameras (void)
{
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  push_start (in, GST_SECOND_BATCH_CAPS_NAME);
  for (guint n = 0; n < BATCHES; n++)
    if (gst_harness_push (in, new_batch (CAMERAS, FPS, two)) != GST_FLOW_OK)
      _exit (1);
  gst_harness_push_event (in, gst_event_new_eos ());
  if (rig_stat (in->element, "metas-dropped") != 0)
    _exit (2);
  gst_harness_teardown (in);
  _exit (0);
}

GST_START_TEST (test_hundred_cameras)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    send_cameras ();
  out = rig_harness (rig_element ("shmframesrc", "timestamps", "keep", NULL));
  for (guint n = 0; n < BATCHES; n++) {
    GstBuffer *batch = gst_harness_pull (out);

    fail_unless (batch != NULL, "batch %u did not come", n);
    fail_unless_equals_int (gst_second_batch_get_n_streams (batch), CAMERAS);
    for (guint k = 0; k < CAMERAS; k++) {
      fail_unless (gst_second_batch_get_caps (batch, k) != NULL);
      fail_unless_equals_int (gst_buffer_list_length
          (gst_second_batch_get_buffers (batch, k)), FPS);
      for (guint i = 0; i < FPS; i++) {
        fail_unless (rig_is_frame (frame_of (batch, k, i), k * FPS + i));
        fail_unless_equals_int (count_faces (frame_of (batch, k, i)), 2);
        fail_unless (gst_buffer_get_video_meta (frame_of (batch, k,
                    i)) != NULL);
      }
    }
    gst_buffer_unref (batch);
  }
  gst_harness_teardown (out);
  fail_unless (waitpid (pid, &status, 0) == pid);
  fail_unless_equals_int (status, 0);
}

GST_END_TEST;

static void
expect_refused (const gchar * number)
{
  fail_unless_equals_int (count_messages (GST_MESSAGE_ERROR, number), 1);
  fail_unless_equals_uint64 (rig_stat (in->element, "frames"), 0);
}

/* As the caps say, before there is a batch: 300 cameras of 60 fps */
GST_START_TEST (test_too_many_cameras)
{
  GstCaps *caps = gst_caps_new_empty_simple (GST_SECOND_BATCH_CAPS_NAME);
  GValue streams = G_VALUE_INIT;

  open_pair ();
  g_value_init (&streams, GST_TYPE_ARRAY);
  for (guint i = 0; i < 300; i++) {
    GValue value = G_VALUE_INIT;

    g_value_init (&value, GST_TYPE_CAPS);
    g_value_take_boxed (&value, gst_caps_from_string (CAPS));
    gst_value_array_append_and_take_value (&streams, &value);
  }
  gst_caps_set_value (caps, "streams", &streams);
  g_value_unset (&streams);
  gst_caps_set_simple (caps, "batch-duration", G_TYPE_UINT64, GST_SECOND, NULL);
  gst_harness_push_event (in, gst_event_new_stream_start ("stream"));
  gst_harness_push_event (in, gst_event_new_caps (caps));
  gst_caps_unref (caps);
  expect_refused ("18000");
  close_pair ();
}

GST_END_TEST;

static guint
none (guint stream, guint i)
{
  return 0;
}

/* As the batch is; and nothing of it was copied */
GST_START_TEST (test_too_many_frames)
{
  open_pair ();
  push_start (in, GST_SECOND_BATCH_CAPS_NAME);
  fail_unless_equals_int (gst_harness_push (in, new_batch (1,
              SF_MAX_MEMORY_REFS + 1, none)), GST_FLOW_ERROR);
  expect_refused (G_STRINGIFY (16385));
  fail_unless_equals_uint64 (rig_stat (in->element, "frames-copied"), 0);
  close_pair ();
}

GST_END_TEST;

/* Frames whose caps cannot be told are none */
GST_START_TEST (test_batch_caps)
{
  GstBuffer *batch = new_batch (1, 2, none);
  GstCaps *caps = gst_caps_from_string (CAPS);

  open_pair ();
  push_start (in, GST_SECOND_BATCH_CAPS_NAME);
  gst_caps_set_simple (caps, "sensor-id", G_TYPE_LONG, 7L, NULL);
  gst_structure_set (gst_custom_meta_get_structure (gst_buffer_get_custom_meta
          (batch, GST_SECOND_BATCH_META_NAME)), "caps-0", GST_TYPE_CAPS, caps,
      NULL);
  gst_caps_unref (caps);
  fail_unless_equals_int (gst_harness_push (in, batch), GST_FLOW_ERROR);
  expect_refused ("sensor-id");
  close_pair ();
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_frame);
  tcase_add_test (tc, test_fair);
  tcase_add_test (tc, test_hundred_cameras);
  tcase_add_test (tc, test_too_many_cameras);
  tcase_add_test (tc, test_too_many_frames);
  tcase_add_test (tc, test_batch_caps);
}

RIG_SUITE (shmframe_crowded)
