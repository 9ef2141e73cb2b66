/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files: decoded in two pipelines, batched in a third, as fast as it goes, and
 * every frame accounted for. */
#include "gstsecondbatchmeta.h"
#include "shmrig.h"

#define SECONDS 20
#define FPS 25
#define SIZE ",width=160,height=120,framerate=25/1"

static gchar *files[2];

/* Frame N of either file has the time N / 25 s */
static void
make_files (void)
{
  for (guint k = 0; k < 2; k++) {
    gchar *line;
    GstElement *pipeline;

    files[k] = g_strdup_printf ("%s/%u.avi", rig_dir, k);
    line = g_strdup_printf ("videotestsrc pattern=%s num-buffers=%u ! "
        "video/x-raw,format=I420" SIZE " ! jpegenc ! avimux ! "
        "filesink location=%s", k == 0 ? "ball" : "smpte", SECONDS * FPS,
        files[k]);
    pipeline = gst_parse_launch (line, NULL);
    fail_unless (pipeline != NULL, "%s", line);
    rig_play (pipeline);
    rig_await_eos (pipeline);
    rig_stop (pipeline);
    g_free (line);
  }
}

static void
remove_files (void)
{
  for (guint k = 0; k < 2; k++) {
    g_unlink (files[k]);
    g_clear_pointer (&files[k], g_free);
  }
}

static GstElement *
launch_decoder (guint k)
{
  gchar *line = g_strdup_printf ("filesrc location=%s ! avidemux ! jpegdec ! "
      "shmframesink name=sink socket-path=@%u", files[k], k);
  GstElement *pipeline = rig_launch (line);

  g_free (line);
  return pipeline;
}

/* Times are the file's, and there are all of them */
static void
check_stream (GstBuffer * batch, guint64 index, guint k)
{
  GstBufferList *frames = gst_second_batch_get_buffers (batch, k);

  fail_unless_equals_int (gst_buffer_list_length (frames), FPS);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "late", k), 0);
  fail_unless_equals_int (gst_second_batch_get_count (batch, "dropped", k), 0);
  for (guint i = 0; i < FPS; i++)
    fail_unless_equals_uint64 (GST_BUFFER_PTS (gst_buffer_list_get (frames,
                i)), (index * FPS + i) * (GST_SECOND / FPS));
}

GST_START_TEST (test_two_files)
{
  GstElement *decoders[2], *batcher;
  GstSample *sample;
  guint n = 0;

  make_files ();
  batcher = rig_launch ("secondbatcher name=b ! appsink name=out sync=false "
      "max-buffers=2 "
      "shmframesrc name=src0 socket-path=@0 is-live=false ! b.sink_0 "
      "shmframesrc name=src1 socket-path=@1 is-live=false ! b.sink_1");
  for (guint k = 0; k < 2; k++)
    decoders[k] = launch_decoder (k);
  rig_state (batcher, GST_STATE_PAUSED);
  for (guint k = 0; k < 2; k++)
    rig_play (decoders[k]);
  /* prerolls, as a file does */
  rig_await (batcher, GST_MESSAGE_ASYNC_DONE);
  rig_play (batcher);
  while ((sample = rig_try_sample (batcher, "out")) != NULL) {
    GstBuffer *batch = gst_sample_get_buffer (sample);

    fail_unless_equals_uint64 (gst_second_batch_get_index (batch), n);
    for (guint k = 0; k < 2; k++)
      check_stream (batch, n, k);
    gst_sample_unref (sample);
    n++;
  }
  fail_unless_equals_int (n, SECONDS);
  for (guint k = 0; k < 2; k++) {
    GstElement *src = rig_child (batcher, k == 0 ? "src0" : "src1");

    fail_unless_equals_uint64 (rig_stat (src, "frames"), SECONDS * FPS);
    fail_unless_equals_uint64 (rig_stat (src, "frames-lost"), 0);
    fail_unless_equals_uint64 (rig_stat (rig_child (decoders[k], "sink"),
            "frames"), SECONDS * FPS);
    fail_unless_equals_uint64 (rig_stat (rig_child (decoders[k], "sink"),
            "frames-copied"), 0);
  }
  rig_stop (batcher);
  for (guint k = 0; k < 2; k++)
    rig_stop (decoders[k]);
  remove_files ();
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_two_files);
}

RIG_SUITE (shmframe_offline)
