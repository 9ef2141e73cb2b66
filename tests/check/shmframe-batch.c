/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches on their way to another process: by relay, without a copy, and copied
 * once where their frames were made here. */
#include "samebatch.h"

#define FRAMES 75
#define BATCHES 3

/* Buffers that pass, until somebody compares them. Held for longer, the slots
 * they lie in would be missed. */
static GstPadProbeReturn
keep_buffer (GstPad * pad, GstPadProbeInfo * info, gpointer kept)
{
  g_async_queue_push ((GAsyncQueue *) kept,
      gst_buffer_ref (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
keep_copy (GstPad * pad, GstPadProbeInfo * info, gpointer kept)
{
  g_async_queue_push ((GAsyncQueue *) kept,
      gst_buffer_copy_deep (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

static GAsyncQueue *
keep_buffers (GstElement * element, GstPadProbeCallback callback)
{
  GAsyncQueue *kept = g_async_queue_new_full ((GDestroyNotify)
      gst_buffer_unref);
  GstPad *pad = gst_element_get_static_pad (element, "sink");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, callback, kept, NULL);
  gst_object_unref (pad);
  return kept;
}

/* With the next one kept */
static void
check_same (GAsyncQueue * kept, GstBuffer * buffer)
{
  GstBuffer *original = g_async_queue_try_pop (kept);

  fail_unless (original != NULL, "more came than was sent");
  if (gst_second_batch_get_structure (buffer) != NULL) {
    check_same_batch (original, buffer);
    check_batch_memory (buffer);
  } else {
    check_same_frame (original, buffer);
  }
  gst_buffer_unref (original);
}

#define FILM "videotestsrc num-buffers=75 pattern=snow ! " RIG_GRAY (64, 48)
#define BATCHER "secondbatcher name=b ! shmframesink name=relay " \
    "socket-path=@2 "
#define ENDLESS_QUEUE \
    "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0"
#define READER "shmframesrc name=src socket-path=@2 is-live=false ! " \
    "appsink name=out sync=false"

/* Reads all batches of the relay, and compares them with what went into it */
static void
check_batches (GstElement * relay, GstElement * reader)
{
  GAsyncQueue *sent = keep_buffers (rig_child (relay, "relay"), keep_buffer);
  GstSample *sample;
  guint n = 0;

  rig_play (reader);
  rig_play (relay);
  while ((sample = rig_try_sample (reader, "out")) != NULL) {
    GstBuffer *batch = gst_sample_get_buffer (sample);
    GstCaps *caps = gst_pad_get_current_caps (GST_BASE_SINK_PAD (rig_child
            (relay, "relay")));

    fail_unless (gst_caps_is_equal (gst_sample_get_caps (sample), caps));
    gst_caps_unref (caps);
    for (guint k = 0; k < gst_second_batch_get_n_streams (batch); k++)
      fail_unless_equals_int (gst_second_batch_get_count (batch, "frames", k),
          FRAMES / BATCHES);
    check_same (sent, batch);
    gst_sample_unref (sample);
    n++;
  }
  fail_unless_equals_int (n, BATCHES);
  g_async_queue_unref (sent);
}

GST_START_TEST (test_relay)
{
  GstElement *film[2], *relay, *reader, *sink;

  film[0] = rig_launch (FILM " ! shmframesink socket-path=@0");
  film[1] = rig_launch (FILM " ! shmframesink socket-path=@1");
  relay = rig_launch ("shmframesrc socket-path=@0 is-live=false ! b.sink_0 "
      "shmframesrc socket-path=@1 is-live=false ! b.sink_1 " BATCHER);
  reader = rig_launch (READER);
  sink = rig_child (relay, "relay");
  rig_play (film[0]);
  rig_play (film[1]);
  check_batches (relay, reader);
  fail_unless_equals_uint64 (rig_stat (sink, "frames"), BATCHES);
  fail_unless_equals_uint64 (rig_stat (sink, "bytes"), FRAMES * 2 * 64 * 48);
  fail_unless_equals_uint64 (rig_stat (sink, "bytes-copied"), 0);
  fail_unless_equals_uint64 (rig_stat (sink, "frames-copied"), 0);
  rig_stop (reader);
  rig_stop (relay);
  rig_stop (film[0]);
  rig_stop (film[1]);
}

GST_END_TEST;

/* Frames of the fourth process, when all before it are gone */
GST_START_TEST (test_relay_held)
{
  GstElement *film[2], *relay, *reader;
  GstBuffer *batch;
  GAsyncQueue *sent[2];

  film[0] = rig_launch (FILM " ! shmframesink name=sink socket-path=@0");
  film[1] = rig_launch (FILM " ! shmframesink name=sink socket-path=@1");
  for (guint i = 0; i < 2; i++)
    sent[i] = keep_buffers (rig_child (film[i], "sink"), keep_copy);
  relay = rig_launch ("shmframesrc socket-path=@0 is-live=false ! b.sink_0 "
      "shmframesrc socket-path=@1 is-live=false ! b.sink_1 " BATCHER);
  reader = rig_launch (READER);
  rig_play (reader);
  rig_play (relay);
  rig_play (film[0]);
  rig_play (film[1]);
  batch = rig_pull (reader, "out");
  rig_stop (relay);
  rig_stop (film[0]);
  rig_stop (film[1]);
  rig_stop (reader);
  for (guint s = 0; s < 2; s++) {
    GstBufferList *frames = gst_second_batch_get_buffers (batch, s);

    for (guint i = 0; i < FRAMES / BATCHES; i++)
      check_same (sent[s], gst_buffer_list_get (frames, i));
    g_async_queue_unref (sent[s]);
  }
  gst_buffer_unref (batch);
}

GST_END_TEST;

/* Frames of this process, in memory of their own: one copy each */
GST_START_TEST (test_own_frames)
{
  GstElement *relay = rig_launch (FILM " ! identity drop-allocation=true ! "
      "b.sink_0 " FILM " ! identity drop-allocation=true ! b.sink_1 "
      BATCHER);
  GstElement *reader = rig_launch (READER);
  GstElement *sink = rig_child (relay, "relay");

  check_batches (relay, reader);
  fail_unless_equals_uint64 (rig_stat (sink, "frames-copied"), FRAMES * 2);
  fail_unless_equals_uint64 (rig_stat (sink, "bytes-copied"),
      FRAMES * 2 * 64 * 48);
  rig_stop (reader);
  rig_stop (relay);
}

GST_END_TEST;

static void
check_own_pool (const gchar * line, guint n_streams)
{
  GstElement *relay = rig_launch (line);
  GstElement *reader = rig_launch (READER);
  GstElement *sink = rig_child (relay, "relay");

  check_batches (relay, reader);
  fail_unless (rig_stat (sink, "frames-copied") < FRAMES * n_streams,
      "none was made in a slot");
  rig_stop (reader);
  rig_stop (relay);
}

/* Frames of this process, made in the relay's slots, of which there are fewer
 * than a batch has frames at first; and if a queue, too, keeps as many as it
 * gets */
GST_START_TEST (test_own_pool)
{
  check_own_pool (FILM " ! b.sink_0 " BATCHER, 1);
  check_own_pool (FILM " ! b.sink_0 " FILM " ! b.sink_1 " BATCHER, 2);
  check_own_pool (FILM " ! " ENDLESS_QUEUE " ! b.sink_0 " BATCHER, 1);
}

GST_END_TEST;

/* One stream is relayed, the other is our own */
GST_START_TEST (test_mixed)
{
  GstElement *film = rig_launch (FILM " ! shmframesink socket-path=@0");
  GstElement *relay = rig_launch ("shmframesrc socket-path=@0 is-live=false ! "
      "b.sink_0 " FILM " ! identity drop-allocation=true ! b.sink_1 "
      BATCHER);
  GstElement *reader = rig_launch (READER);
  GstElement *sink = rig_child (relay, "relay");

  rig_play (film);
  check_batches (relay, reader);
  fail_unless_equals_uint64 (rig_stat (sink, "frames-copied"), FRAMES);
  rig_stop (reader);
  rig_stop (relay);
  rig_stop (film);
}

GST_END_TEST;

/* Until EOS, of FRAMES */
static void
expect_all (GstElement * reader, GAsyncQueue * sent)
{
  GstSample *sample;
  guint n = 0;

  while ((sample = rig_try_sample (reader, "out")) != NULL) {
    check_same (sent, gst_sample_get_buffer (sample));
    gst_sample_unref (sample);
    n++;
  }
  fail_unless_equals_int (n, FRAMES);
}

/* A single stream, passed on frame by frame */
GST_START_TEST (test_relay_of_frames)
{
  GstElement *film =
      rig_launch (FILM " ! shmframesink name=sink socket-path=@0");
  GstElement *relay =
      rig_launch ("shmframesrc socket-path=@0 is-live=false ! "
      "shmframesink name=relay socket-path=@2");
  GstElement *reader = rig_launch (READER);
  GAsyncQueue *sent = keep_buffers (rig_child (film, "sink"), keep_buffer);
  GstElement *sink = rig_child (relay, "relay");

  rig_play (reader);
  rig_play (relay);
  rig_play (film);
  expect_all (reader, sent);
  fail_unless_equals_uint64 (rig_stat (sink, "frames-copied"), 0);
  g_async_queue_unref (sent);
  rig_stop (reader);
  rig_stop (relay);
  rig_stop (film);
}

GST_END_TEST;

/* Number `i` of relays in a row */
static GstElement *
launch_relay (guint i)
{
  gchar *line = g_strdup_printf ("shmframesrc socket-path=@%u is-live=false ! "
      "shmframesink name=relay socket-path=@%u", i, i + 1);
  GstElement *relay = rig_launch (line);

  g_free (line);
  return relay;
}

/* Seven pass the frames on; the eighth copies, and the ninth passes these on */
GST_START_TEST (test_row_of_relays)
{
  GstElement *film =
      rig_launch (FILM " ! shmframesink name=sink socket-path=@0");
  GstElement *reader =
      rig_launch ("shmframesrc socket-path=@9 is-live=false ! "
      "appsink name=out sync=false");
  GAsyncQueue *sent = keep_buffers (rig_child (film, "sink"), keep_copy);
  GstElement *relay[9];

  rig_play (reader);
  for (guint i = 9; i-- > 0;)
    rig_play (relay[i] = launch_relay (i));
  rig_play (film);
  expect_all (reader, sent);
  for (guint i = 0; i < 9; i++)
    fail_unless_equals_uint64 (rig_stat (rig_child (relay[i], "relay"),
            "frames-copied"), i == 7 ? FRAMES : 0);
  g_async_queue_unref (sent);
  rig_stop (reader);
  for (guint i = 9; i-- > 0;)
    rig_stop (relay[i]);
  rig_stop (film);
}

GST_END_TEST;

/* Many batches at once, live, to somebody who takes them, if not as quickly as
 * they come: did all arrive? */
static gboolean
try_burst (void)
{
  GstElement *film =
      rig_launch (FILM " ! shmframesink name=sink socket-path=@0");
  GstElement *relay =
      rig_launch ("shmframesrc socket-path=@0 is-live=false ! "
      "b.sink_0 secondbatcher name=b hop=250000000 ! shmframesink name=relay "
      "delivery=live socket-path=@2");
  GstElement *reader = rig_launch (READER " max-buffers=1");
  GstElement *sink = rig_child (relay, "relay");
  GstSample *sample;
  guint64 sent, n = 0;

  rig_play (reader);
  rig_play (relay);
  rig_until (rig_num_clients (sink) == 1);
  rig_play (film);
  while ((sample = rig_try_sample (reader, "out")) != NULL) {
    gst_sample_unref (sample);
    g_usleep (4000);
    n++;
  }
  sent = rig_stat (sink, "frames");
  fail_unless (sent > 9 && n <= sent);
  rig_stop (reader);
  rig_stop (relay);
  rig_stop (film);
  return n == sent;
}

/* A machine that is busy may keep the reader from them for longer than it is
 * waited for: not every time. */
GST_START_TEST (test_burst)
{
  gboolean all = FALSE;

  for (guint i = 0; i < 10 && !all; i++)
    all = try_burst ();
  fail_unless (all);
}

GST_END_TEST;

/* Batch after batch without end in sight: nothing is used up on the way */
GST_START_TEST (test_long_relay)
{
  GstElement *film = rig_launch ("videotestsrc num-buffers=5000 ! "
      RIG_GRAY (64, 48) " ! shmframesink name=sink socket-path=@0");
  GstElement *relay = rig_launch ("shmframesrc socket-path=@0 is-live=false ! "
      "b.sink_0 secondbatcher name=b ! shmframesink name=relay "
      "socket-path=@2");
  GstElement *reader = rig_launch (READER " max-buffers=1");
  GstSample *sample;
  guint64 frames = 0;

  rig_play (reader);
  rig_play (relay);
  rig_play (film);
  while ((sample = rig_try_sample (reader, "out")) != NULL) {
    frames += gst_second_batch_get_count (gst_sample_get_buffer (sample),
        "frames", 0);
    gst_sample_unref (sample);
  }
  fail_unless_equals_uint64 (frames, 5000);
  fail_unless_equals_uint64 (rig_stat (rig_child (relay, "relay"),
          "bytes-copied"), 0);
  rig_stop (reader);
  rig_stop (relay);
  rig_stop (film);
}

GST_END_TEST;

/* Four batches were granted by the first one, which is short: four of those
 * that come after it can be held as well */
GST_START_TEST (test_grant_in_batches)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=200 "
      "timestamp-offset=880000000 ! video/x-raw,format=GRAY8,width=64,"
      "height=48,framerate=25/1 ! identity drop-allocation=true ! "
      "secondbatcher ! "
      "shmframesink name=sink delivery=lossless socket-path=@2");
  GstElement *reader = rig_launch ("shmframesrc socket-path=@2 is-live=false "
      "max-held=4 ! appsink name=out sync=false max-buffers=1");
  GstBuffer *held[5];

  rig_play (reader);
  rig_play (producer);
  for (guint i = 0; i < 4; i++) {
    held[i] = rig_pull (reader, "out");
    fail_unless_equals_int (gst_second_batch_get_count (held[i], "frames", 0),
        i == 0 ? 3 : 25);
  }
  gst_buffer_unref (held[0]);
  held[4] = rig_pull (reader, "out");
  for (guint i = 1; i < 5; i++)
    gst_buffer_unref (held[i]);
  rig_stop (reader);
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_relay);
  tcase_add_test (tc, test_relay_held);
  tcase_add_test (tc, test_own_frames);
  tcase_add_test (tc, test_own_pool);
  tcase_add_test (tc, test_mixed);
  tcase_add_test (tc, test_relay_of_frames);
  tcase_add_test (tc, test_row_of_relays);
  tcase_add_test (tc, test_burst);
  tcase_add_test (tc, test_long_relay);
  tcase_add_test (tc, test_grant_in_batches);
}

RIG_SUITE (shmframe_batch)
