/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole pipelines seek, with the pair in them: frames, batches, and two streams
 * that are batched behind it. */
#include "gstsecondbatchmeta.h"
#include "shmrig.h"

#define SEEK_TO (1000 * GST_SECOND)
#define SECONDS 17
#define FPS 25

/* And how many of them lie in wait at least, behind a sink that waits for the
 * clock */
static const struct
{
  const gchar *producer;
  guint queued;
} streams[] = {
  {"videotestsrc ! " RIG_GRAY (8, 8) " ! shmframesink name=k socket-path=@", 8},
  {"videotestsrc ! " RIG_GRAY (8, 8) " ! secondbatcher ! "
      "shmframesink name=k slots=256 socket-path=@", 3},
};

static gint sought, n_old, flushed, n_new;

static GstPadProbeReturn
count (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  if (!(GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER))
    g_atomic_int_compare_and_exchange (&flushed, 0,
        GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info))
        == GST_EVENT_FLUSH_STOP);
  else if (g_atomic_int_get (&flushed))
    g_atomic_int_inc (&n_new);
  else if (g_atomic_int_get (&sought))
    g_atomic_int_inc (&n_old);
  return GST_PAD_PROBE_OK;
}

static guint
frames_queued (GstElement * sink)
{
  GstStructure *stats;
  const GValue *clients;
  guint queued = 0;

  g_object_get (sink, "stats", &stats, NULL);
  clients = gst_structure_get_value (stats, "clients");
  if (gst_value_array_get_size (clients) > 0)
    gst_structure_get_uint (gst_value_get_structure (gst_value_array_get_value
            (clients, 0)), "queued", &queued);
  gst_structure_free (stats);
  return queued;
}

/* What lies in the ring when the producer seeks is not shown any more */
GST_START_TEST (test_shows_new_at_once)
{
  GstElement *producer = rig_launch (streams[__i__].producer);
  GstElement *consumer = rig_launch ("shmframesrc name=src is-live=false "
      "socket-path=@ ! fakesink name=sink sync=true");
  GstElement *sink = rig_child (consumer, "sink");
  GstPad *pad = gst_element_get_static_pad (sink, "sink");

  sought = n_old = flushed = n_new = 0;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER
      | GST_PAD_PROBE_TYPE_EVENT_FLUSH, count, NULL, NULL);
  rig_play (consumer);
  rig_play (producer);
  rig_until (frames_queued (rig_child (producer, "k"))
      >= streams[__i__].queued);
  g_atomic_int_set (&sought, TRUE);
  fail_unless (gst_element_seek_simple (producer, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, SEEK_TO));
  rig_until (g_atomic_int_get (&n_new) > 0);
  /* One that was on its way just then; not all that lay in between */
  fail_unless (n_old <= 2, "%d old ones came", n_old);
  gst_object_unref (pad);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

#define SOURCE "videotestsrc ! " RIG_GRAY (8, 8) " ! "

typedef struct
{
  guint64 next;                 /* the index of the next batch */
  guint short_ones;
} Batches;

/* Counted from the last batch that is the first of its stream */
static void
on_batch (GstElement * sink, GstBuffer * batch, GstPad * pad, gpointer user)
{
  Batches *self = user;
  guint64 index = gst_second_batch_get_index (batch);

  if (index == 0)
    self->next = self->short_ones = 0;
  fail_unless_equals_uint64 (index, self->next);
  self->next++;
  for (guint k = 0; k < 2; k++)
    self->short_ones += gst_buffer_list_length (gst_second_batch_get_buffers
        (batch, k)) != FPS;
}

static void
seek (GstElement * pipeline)
{
  fail_unless (gst_element_seek (pipeline, 1.0, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, GST_SEEK_TYPE_SET,
          SEEK_TO, GST_SEEK_TYPE_SET, SEEK_TO + SECONDS * GST_SECOND));
}

/* Two streams, the second of them slow, so that the first one's frames lie in
 * wait for the batcher. Seeks of one pipeline with both of them have one
 * seqnum; those of two pipelines do not. */
GST_START_TEST (test_two_streams)
{
  gboolean one = __i__ == 0;
  GstElement *producers[2], *consumer;
  Batches batches = { 0 };

  if (one) {
    producers[0] = rig_launch (SOURCE "shmframesink socket-path=@0 "
        SOURCE "identity sleep-time=4000 ! shmframesink socket-path=@1");
  } else {
    producers[0] = rig_launch (SOURCE "shmframesink socket-path=@0");
    producers[1] = rig_launch (SOURCE "identity sleep-time=4000 ! "
        "shmframesink socket-path=@1");
  }
  consumer = rig_launch ("secondbatcher name=b ! fakesink name=sink sync=false "
      "signal-handoffs=true "
      "shmframesrc is-live=false socket-path=@0 ! b.sink_0 "
      "shmframesrc is-live=false socket-path=@1 ! b.sink_1");
  g_signal_connect (rig_child (consumer, "sink"), "handoff",
      G_CALLBACK (on_batch), &batches);
  rig_play (consumer);
  for (guint k = 0; k < (one ? 1 : 2); k++)
    rig_play (producers[k]);
  rig_until (batches.next >= 2);
  for (guint k = 0; k < (one ? 1 : 2); k++)
    seek (producers[k]);
  rig_await_eos (consumer);
  fail_unless_equals_uint64 (batches.next, SECONDS);
  fail_unless_equals_int (batches.short_ones, 0);
  rig_stop (consumer);
  for (guint k = 0; k < (one ? 1 : 2); k++)
    rig_stop (producers[k]);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_shows_new_at_once, 0, G_N_ELEMENTS (streams));
  tcase_add_loop_test (tc, test_two_streams, 0, 2);
}

RIG_SUITE (shmframe_seek)
