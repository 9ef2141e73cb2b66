/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Feeds a live secondbatcher by a clock that stands still between steps, and prints
 * what comes out. Lines are read from stdin:
 *
 *   case BASE UPSTREAM  a new one: base time; upstream's latency in ms
 *   prop NAME VALUE     of secondbatcher
 *   begin               PLAYING
 *   request OFFSET      a new pad, with that ts-offset; the first one is pad 0
 *   release PAD
 *   push PAD WORDS      a frame or an event, as batchfeed reads them
 *   flush PAD ...       these together
 *   at TIME             running time from now on; a deadline up to then passes
 *   pending             waits until the element has done all, and waits for a
 *                       deadline
 *   run                 waits for EOS; the case ends
 *
 * Output is that of batchfeed, with `time TIME` before a batch: running time. */
#include <gst/check/gsttestclock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "gstsecondbatchmeta.h"

/* What takes this many seconds does not come any more. */
#define PATIENCE (4 * G_USEC_PER_SEC)

typedef struct
{
  GstPad *src, *sink;
} Stream;

static struct
{
  GstElement *pipeline, *batcher;
  GstTestClock *clock;
  GstClockTime base;
  gint latency;
  GPtrArray *streams;           /* of Stream */
  GstPad *output;
  gint over;                    /* atomic: EOS or an error came */
} the_case;

static GstStaticPadTemplate any_src = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate any_sink = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstPadProbeReturn
on_output (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  GstClockTime pts, duration;

  if (GST_IS_BUFFER (info->data)) {
    printf ("time %" G_GUINT64_FORMAT "\n",
        gst_clock_get_time (GST_CLOCK (the_case.clock)) - the_case.base);
    feed_print_batch (info->data);
  } else if (GST_EVENT_TYPE (info->data) == GST_EVENT_GAP) {
    gst_event_parse_gap (info->data, &pts, &duration);
    printf ("gap %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", pts, duration);
  } else if (GST_EVENT_TYPE (info->data) == GST_EVENT_EOS) {
    printf ("eos\n");
    g_atomic_int_set (&the_case.over, TRUE);
  }
  return GST_PAD_PROBE_OK;
}

static GstFlowReturn
drop_batch (GstPad * pad, GstObject * parent, GstBuffer * batch)
{
  gst_buffer_unref (batch);
  return GST_FLOW_OK;
}

static GstBusSyncReply
on_message (GstBus * bus, GstMessage * message, gpointer unused)
{
  GError *error;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    printf ("error %s\n", error->message);
    g_atomic_int_set (&the_case.over, TRUE);
    g_error_free (error);
  }
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static void
begin_case (gint64 base, gint64 latency)
{
  GstBus *bus;
  GstPad *src;

  the_case.pipeline = gst_pipeline_new (NULL);
  the_case.batcher = gst_element_factory_make ("secondbatcher", NULL);
  gst_bin_add (GST_BIN (the_case.pipeline), the_case.batcher);
  the_case.clock = GST_TEST_CLOCK (gst_test_clock_new_with_start_time (base));
  the_case.base = base;
  the_case.latency = latency;
  gst_pipeline_use_clock (GST_PIPELINE (the_case.pipeline),
      GST_CLOCK (the_case.clock));
  the_case.streams = g_ptr_array_new ();
  the_case.over = FALSE;

  src = gst_element_get_static_pad (the_case.batcher, "src");
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER
      | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_output, NULL, NULL);
  the_case.output = gst_pad_new_from_static_template (&any_sink, NULL);
  gst_pad_set_chain_function (the_case.output, drop_batch);
  gst_pad_set_active (the_case.output, TRUE);
  gst_pad_link (src, the_case.output);
  gst_object_unref (src);
  bus = gst_element_get_bus (the_case.pipeline);
  gst_bus_set_sync_handler (bus, on_message, NULL, NULL);
  gst_object_unref (bus);
}

static void
request (gint64 offset)
{
  Stream *stream = g_new0 (Stream, 1);

  stream->sink = gst_element_request_pad_simple (the_case.batcher, "sink_%u");
  g_object_set (stream->sink, "ts-offset", offset, NULL);
  stream->src = gst_pad_new_from_static_template (&any_src, NULL);
  g_object_set_data (G_OBJECT (stream->src), FEED_LATENCY,
      GINT_TO_POINTER (the_case.latency + 1));
  gst_pad_set_query_function (stream->src, feed_answer_query);
  gst_pad_set_active (stream->src, TRUE);
  gst_pad_link (stream->src, stream->sink);
  g_ptr_array_add (the_case.streams, stream);
}

static Stream *
stream_at (const gchar * number)
{
  return g_ptr_array_index (the_case.streams, feed_number (number));
}

static void
release (Stream * stream)
{
  if (stream->src == NULL)
    return;
  gst_pad_set_active (stream->src, FALSE);
  gst_pad_unlink (stream->src, stream->sink);
  gst_element_release_request_pad (the_case.batcher, stream->sink);
  gst_clear_object (&stream->sink);
  gst_clear_object (&stream->src);
}

static void
push (gchar ** words)
{
  Stream *stream = stream_at (words[1]);

  if (strcmp (words[2], "frame") == 0)
    gst_pad_push (stream->src, feed_make_frame (words + 2));
  else
    gst_pad_push_event (stream->src, feed_make_event (words + 2));
}

static void
flush (gchar ** pads)
{
  guint32 seqnum = gst_util_seqnum_next ();

  for (guint i = 0; pads[i] != NULL; i++)
    feed_push_flush (stream_at (pads[i])->src, TRUE, seqnum);
  for (guint i = 0; pads[i] != NULL; i++)
    feed_push_flush (stream_at (pads[i])->src, FALSE, seqnum);
}

/* Lets a wait end whose time has come. FALSE: there is none. */
static gboolean
process_due (void)
{
  GstClockTime now = gst_clock_get_time (GST_CLOCK (the_case.clock));
  GstClockID id;

  if (!gst_test_clock_peek_next_pending_id (the_case.clock, &id))
    return FALSE;
  if (gst_clock_id_get_time (id) <= now) {
    gst_test_clock_process_id (the_case.clock, id);     /* takes it */
    return TRUE;
  }
  gst_clock_id_unref (id);
  return FALSE;
}

/* A push ends the element's wait at once, so that it has done all once it waits
 * again, for what is still to come. */
static void
await_pending (void)
{
  gint64 end = g_get_monotonic_time () + PATIENCE;

  while (process_due ()
      || gst_test_clock_peek_id_count (the_case.clock) == 0) {
    if (g_atomic_int_get (&the_case.over) || g_get_monotonic_time () > end) {
      printf ("error it waits for no deadline\n");
      return;
    }
    g_usleep (50);
  }
}

static void
advance (GstClockTime time)
{
  gst_test_clock_set_time (the_case.clock, MAX (time,
          gst_clock_get_time (GST_CLOCK (the_case.clock))));
  process_due ();
}

static void
end_case (void)
{
  gint64 end = g_get_monotonic_time () + PATIENCE;

  while (!g_atomic_int_get (&the_case.over) && g_get_monotonic_time () < end) {
    process_due ();
    g_usleep (50);
  }
  feed_print_stats (the_case.batcher);
  gst_element_set_state (the_case.pipeline, GST_STATE_NULL);
  for (guint i = 0; i < the_case.streams->len; i++) {
    release (g_ptr_array_index (the_case.streams, i));
    g_free (g_ptr_array_index (the_case.streams, i));
  }
  g_ptr_array_unref (the_case.streams);
  gst_object_unref (the_case.pipeline);
  gst_object_unref (the_case.output);
  gst_object_unref (the_case.clock);
  printf ("end\n");
  fflush (stdout);
}

static void
obey (gchar ** words)
{
  if (strcmp (words[0], "case") == 0)
    begin_case (feed_number (words[1]), feed_number (words[2]));
  else if (strcmp (words[0], "prop") == 0)
    gst_util_set_object_arg (G_OBJECT (the_case.batcher), words[1], words[2]);
  else if (strcmp (words[0], "begin") == 0)
    gst_element_set_state (the_case.pipeline, GST_STATE_PLAYING);
  else if (strcmp (words[0], "request") == 0)
    request (feed_number (words[1]));
  else if (strcmp (words[0], "release") == 0)
    release (stream_at (words[1]));
  else if (strcmp (words[0], "push") == 0)
    push (words);
  else if (strcmp (words[0], "flush") == 0)
    flush (words + 1);
  else if (strcmp (words[0], "at") == 0)
    advance (the_case.base + feed_number (words[1]));
  else if (strcmp (words[0], "pending") == 0)
    await_pending ();
  else
    end_case ();
}

int
main (int argc, char **argv)
{
  gchar *line = NULL;
  size_t size = 0;

  gst_init (&argc, &argv);
  gst_second_batch_meta_register ();
  while (getline (&line, &size, stdin) > 0) {
    gchar **words = g_strsplit (g_strchomp (line), " ", -1);

    obey (words);
    g_strfreev (words);
  }
  free (line);
  return 0;
}
