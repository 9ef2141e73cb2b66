/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Feeds secondbatcher with streams that are read from stdin, and prints what comes
 * out. A line is a word and its arguments:
 *
 *   case ID             forgets all streams and properties
 *   prop NAME VALUE     of secondbatcher
 *   splitter            secondsplitter behind it
 *   again NAME VALUE    and a second secondbatcher behind that, whose property it is:
 *                       what is printed of batches is what leaves this one
 *   stream TS-OFFSET    a sink pad; what follows is its stream
 *   start ID, caps CAPS, segment RATE START STOP BASE OFFSET TIME,
 *   frame ID PTS DURATION REFERENCE, gap TS DURATION, custom ID, eos
 *   flush N             together with all streams that have it, once all this is so:
 *   await N NAME VALUE [OTHER ...]
 *                       a statistic, or `outputs`: batches and gaps so far; it may
 *                       stay at another value, too
 *   run                 runs the case: each stream is pushed by a thread
 *
 * -1 stands for GST_CLOCK_TIME_NONE. Output of a case, which ends with `end`:
 *
 *   batch INDEX START DURATION PTS PTS-DURATION
 *   of WIDTH STREAM-ID BASE EXPECTED LATE DROPPED : FRAME-ID ...
 *   gap PTS DURATION, event STREAM POSITION ID, eos, error TEXT
 *   split PAD frame ID, split PAD width WIDTH
 *   stat NAME VALUE */
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "gstsecondbatchmeta.h"

#define MOST_FLUSHES 2

typedef struct
{
  GstPad *src, *sink;
  GPtrArray *steps;             /* of gchar **: a word and its arguments */
  gint64 offset;
  guint flush;                  /* in front of which the thread waits */
} Stream;

typedef struct
{
  GstElement *pipeline, *batcher, *splitter, *again;
  GPtrArray *streams, *pads;
  GPtrArray *awaited;           /* of gchar **: a word and its arguments */
  GMutex lock;                  /* of what follows, and stdout */
  GCond cond;
  guint open;                   /* outputs that have not seen EOS */
  guint outputs;                /* batches and gaps so far */
  guint flushed;                /* the last flush that is over */
  gboolean failed;
} Case;

static Case the_case;

static GstStaticPadTemplate any_src = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate any_sink = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static void
print_stream_event (GstEvent * event)
{
  const GstStructure *s = gst_event_get_structure (event);
  GstEvent *inner = NULL;
  guint stream = 0, position = 0;
  const gchar *id = "-";

  if (!gst_structure_has_name (s, GST_SECOND_BATCH_EVENT_NAME))
    return;
  gst_structure_get (s, "stream", G_TYPE_UINT, &stream, "position", G_TYPE_UINT,
      &position, "event", GST_TYPE_EVENT, &inner, NULL);
  if (inner != NULL && GST_EVENT_TYPE (inner) == GST_EVENT_CUSTOM_DOWNSTREAM)
    id = gst_structure_get_string (gst_event_get_structure (inner), "id");
  printf ("event %u %u %s\n", stream, position, id);
  gst_clear_event (&inner);
}

static void
reached_eos (void)
{
  the_case.open--;
  g_cond_broadcast (&the_case.cond);
}

/* What leaves the batcher. */
static GstPadProbeReturn
on_output (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  GstClockTime pts, duration;

  g_mutex_lock (&the_case.lock);
  if (GST_IS_BUFFER (info->data)) {
    the_case.outputs++;
    feed_print_batch (info->data);
  } else if (GST_EVENT_TYPE (info->data) == GST_EVENT_GAP) {
    the_case.outputs++;
    gst_event_parse_gap (info->data, &pts, &duration);
    printf ("gap %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", (gint64) pts,
        (gint64) duration);
  } else if (GST_EVENT_TYPE (info->data) == GST_EVENT_CUSTOM_DOWNSTREAM) {
    print_stream_event (info->data);
  } else if (GST_EVENT_TYPE (info->data) == GST_EVENT_EOS) {
    printf ("eos\n");
    reached_eos ();
  }
  g_mutex_unlock (&the_case.lock);
  return GST_PAD_PROBE_OK;
}

static GstFlowReturn
chain (GstPad * pad, GstObject * parent, GstBuffer * buffer)
{
  if (the_case.splitter != NULL && the_case.again == NULL) {
    g_mutex_lock (&the_case.lock);
    printf ("split %s frame %" G_GUINT64_FORMAT "\n", GST_PAD_NAME (pad),
        GST_BUFFER_OFFSET (buffer));
    g_mutex_unlock (&the_case.lock);
  }
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static gboolean
take_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  GstCaps *caps;

  if (the_case.splitter != NULL && the_case.again == NULL) {
    g_mutex_lock (&the_case.lock);
    if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
      gst_event_parse_caps (event, &caps);
      printf ("split %s width %d\n", GST_PAD_NAME (pad), feed_width (caps));
    } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
      reached_eos ();
    }
    g_mutex_unlock (&the_case.lock);
  }
  gst_event_unref (event);
  return TRUE;
}

static void
link_output (GstPad * src)
{
  GstPad *sink = gst_pad_new_from_static_template (&any_sink,
      GST_PAD_NAME (src));

  gst_pad_set_chain_function (sink, chain);
  gst_pad_set_event_function (sink, take_event);
  gst_pad_set_active (sink, TRUE);
  gst_pad_link (src, sink);
  g_ptr_array_add (the_case.pads, sink);
}

static void
on_pad_added (GstElement * splitter, GstPad * pad, gpointer unused)
{
  GstPad *sink;

  if (the_case.again != NULL) {
    sink = gst_element_request_pad_simple (the_case.again, "sink_%u");
    gst_pad_link (pad, sink);
    gst_object_unref (sink);
    return;
  }
  g_mutex_lock (&the_case.lock);
  the_case.open++;
  g_mutex_unlock (&the_case.lock);
  link_output (pad);
}

/* Waits in front of a flush until it is over. */
static void
wait_for_flush (Stream * stream, guint flush)
{
  g_mutex_lock (&the_case.lock);
  stream->flush = flush;
  g_cond_broadcast (&the_case.cond);
  while (the_case.flushed < flush && !the_case.failed)
    g_cond_wait (&the_case.cond, &the_case.lock);
  g_mutex_unlock (&the_case.lock);
}

/* What does not come through because of a flush is left out. */
static gpointer
push_stream (gpointer user)
{
  Stream *stream = user;
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < stream->steps->len; i++) {
    gchar **step = g_ptr_array_index (stream->steps, i);

    if (strcmp (step[0], "flush") == 0) {
      wait_for_flush (stream, feed_number (step[1]));
      ret = GST_FLOW_OK;
    } else if (ret != GST_FLOW_OK) {
      continue;
    } else if (strcmp (step[0], "frame") == 0) {
      ret = gst_pad_push (stream->src, feed_make_frame (step));
    } else {
      gst_pad_push_event (stream->src, feed_make_event (step));
    }
  }
  return NULL;
}

static guint64
count (const gchar * name)
{
  guint outputs;

  if (strcmp (name, "outputs") != 0)
    return feed_get_stat (the_case.batcher, name);
  g_mutex_lock (&the_case.lock);
  outputs = the_case.outputs;
  g_mutex_unlock (&the_case.lock);
  return outputs;
}

static gboolean
is_awaited (gchar ** values, guint64 value)
{
  for (; *values != NULL; values++)
    if ((guint64) feed_number (*values) == value)
      return TRUE;
  return FALSE;
}

/* Until nothing more happens before a flush, says the model. */
static void
await (guint flush)
{
  gint64 patience = g_get_monotonic_time () + 2 * G_USEC_PER_SEC;

  for (guint i = 0; i < the_case.awaited->len; i++) {
    gchar **words = g_ptr_array_index (the_case.awaited, i);
    guint64 value = (guint64) feed_number (words[3]);

    if (feed_number (words[1]) != flush)
      continue;
    while (count (words[2]) != value
        && g_get_monotonic_time () < patience)
      g_usleep (200);
    if (!is_awaited (words + 3, count (words[2])))
      printf ("error before flush %u, %s is %" G_GUINT64_FORMAT ", not %s\n",
          flush, words[2], count (words[2]), words[3]);
  }
}

static gboolean
has_flush (const Stream * stream, guint flush)
{
  for (guint i = 0; i < stream->steps->len; i++) {
    gchar **step = g_ptr_array_index (stream->steps, i);

    if (strcmp (step[0], "flush") == 0 && feed_number (step[1]) == flush)
      return TRUE;
  }
  return FALSE;
}

static void
flush_streams (guint flush)
{
  guint32 seqnum = gst_util_seqnum_next ();

  await (flush);
  for (guint i = 0; i < the_case.streams->len; i++)
    if (has_flush (g_ptr_array_index (the_case.streams, i), flush))
      feed_push_flush (((Stream *) g_ptr_array_index (the_case.streams,
                  i))->src, TRUE, seqnum);
  for (guint i = 0; i < the_case.streams->len; i++) {
    Stream *stream = g_ptr_array_index (the_case.streams, i);

    if (!has_flush (stream, flush))
      continue;
    g_mutex_lock (&the_case.lock);
    while (stream->flush != flush && !the_case.failed)
      g_cond_wait (&the_case.cond, &the_case.lock);
    g_mutex_unlock (&the_case.lock);
    feed_push_flush (stream->src, FALSE, seqnum);
  }
  g_mutex_lock (&the_case.lock);
  the_case.flushed = flush;
  g_cond_broadcast (&the_case.cond);
  g_mutex_unlock (&the_case.lock);
}

static GstBusSyncReply
on_message (GstBus * bus, GstMessage * message, gpointer unused)
{
  GError *error;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_mutex_lock (&the_case.lock);
    printf ("error %s\n", error->message);
    the_case.failed = TRUE;
    g_cond_broadcast (&the_case.cond);
    g_mutex_unlock (&the_case.lock);
    g_error_free (error);
  }
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static void
free_stream (gpointer data)
{
  Stream *stream = data;

  if (stream->src != NULL) {
    gst_pad_set_active (stream->src, FALSE);
    gst_pad_unlink (stream->src, stream->sink);
    gst_element_release_request_pad (the_case.batcher, stream->sink);
    gst_object_unref (stream->sink);
    gst_object_unref (stream->src);
  }
  g_ptr_array_unref (stream->steps);
  g_free (stream);
}

static void
free_output (gpointer data)
{
  GstPad *pad = data;
  GstPad *peer = gst_pad_get_peer (pad);

  gst_pad_set_active (pad, FALSE);
  if (peer != NULL) {
    gst_pad_unlink (peer, pad);
    gst_object_unref (peer);
  }
  gst_object_unref (pad);
}

static void
begin_case (void)
{
  the_case.pipeline = gst_pipeline_new (NULL);
  the_case.batcher = gst_element_factory_make ("secondbatcher", NULL);
  gst_bin_add (GST_BIN (the_case.pipeline), the_case.batcher);
  the_case.splitter = the_case.again = NULL;
  the_case.streams = g_ptr_array_new_with_free_func (free_stream);
  the_case.pads = g_ptr_array_new_with_free_func (free_output);
  the_case.awaited = g_ptr_array_new_with_free_func ((GDestroyNotify)
      g_strfreev);
  the_case.open = 1;
  the_case.outputs = the_case.flushed = 0;
  the_case.failed = FALSE;
}

static void
add_stream (gint64 offset)
{
  Stream *stream = g_new0 (Stream, 1);

  stream->offset = offset;
  stream->steps = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  stream->sink = gst_element_request_pad_simple (the_case.batcher, "sink_%u");
  g_object_set (stream->sink, "ts-offset", offset, NULL);
  stream->src = gst_pad_new_from_static_template (&any_src, NULL);
  gst_pad_set_query_function (stream->src, feed_answer_query);
  gst_pad_set_active (stream->src, TRUE);
  gst_pad_link (stream->src, stream->sink);
  g_ptr_array_add (the_case.streams, stream);
}

static void
link_outputs (void)
{
  GstElement *last = the_case.again != NULL ? the_case.again
      : the_case.batcher;
  GstPad *pad = gst_element_get_static_pad (last, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER
      | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_output, NULL, NULL);
  if (the_case.splitter != NULL)
    gst_element_link (the_case.batcher, the_case.splitter);
  if (the_case.splitter == NULL || the_case.again != NULL)
    link_output (pad);
  gst_object_unref (pad);
}

static void
run_case (void)
{
  GThread **threads = g_new (GThread *, the_case.streams->len);
  GstBus *bus = gst_element_get_bus (the_case.pipeline);

  gst_bus_set_sync_handler (bus, on_message, NULL, NULL);
  link_outputs ();
  gst_element_set_state (the_case.pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < the_case.streams->len; i++)
    threads[i] = g_thread_new (NULL, push_stream,
        g_ptr_array_index (the_case.streams, i));
  for (guint flush = 1; flush <= MOST_FLUSHES; flush++)
    flush_streams (flush);
  g_mutex_lock (&the_case.lock);
  while (the_case.open > 0 && !the_case.failed)
    g_cond_wait (&the_case.cond, &the_case.lock);
  g_mutex_unlock (&the_case.lock);

  feed_print_stats (the_case.batcher);
  gst_element_set_state (the_case.pipeline, GST_STATE_NULL);
  for (guint i = 0; i < the_case.streams->len; i++)
    g_thread_join (threads[i]);
  g_ptr_array_unref (the_case.streams);
  g_ptr_array_unref (the_case.pads);
  g_ptr_array_unref (the_case.awaited);
  gst_bus_set_sync_handler (bus, NULL, NULL, NULL);
  gst_object_unref (bus);
  gst_object_unref (the_case.pipeline);
  g_free (threads);
  printf ("end\n");
  fflush (stdout);
}

static void
add_splitter (void)
{
  the_case.splitter = gst_element_factory_make ("secondsplitter", NULL);
  gst_bin_add (GST_BIN (the_case.pipeline), the_case.splitter);
  g_signal_connect (the_case.splitter, "pad-added", G_CALLBACK (on_pad_added),
      NULL);
}

static void
add_again (const gchar * name, const gchar * value)
{
  if (the_case.again == NULL) {
    add_splitter ();
    the_case.again = gst_element_factory_make ("secondbatcher", NULL);
    gst_bin_add (GST_BIN (the_case.pipeline), the_case.again);
  }
  gst_util_set_object_arg (G_OBJECT (the_case.again), name, value);
}

/* Takes the words. */
static void
obey (gchar ** words)
{
  Stream *stream;

  if (strcmp (words[0], "case") == 0) {
    begin_case ();
  } else if (strcmp (words[0], "prop") == 0) {
    gst_util_set_object_arg (G_OBJECT (the_case.batcher), words[1], words[2]);
  } else if (strcmp (words[0], "splitter") == 0) {
    add_splitter ();
  } else if (strcmp (words[0], "again") == 0) {
    add_again (words[1], words[2]);
  } else if (strcmp (words[0], "stream") == 0) {
    add_stream (feed_number (words[1]));
  } else if (strcmp (words[0], "await") == 0) {
    g_ptr_array_add (the_case.awaited, words);
    return;
  } else if (strcmp (words[0], "run") == 0) {
    run_case ();
  } else {
    stream = g_ptr_array_index (the_case.streams, the_case.streams->len - 1);
    g_ptr_array_add (stream->steps, words);
    return;
  }
  g_strfreev (words);
}

int
main (int argc, char **argv)
{
  gchar *line = NULL;
  size_t size = 0;

  gst_init (&argc, &argv);
  gst_second_batch_meta_register ();
  g_mutex_init (&the_case.lock);
  g_cond_init (&the_case.cond);
  while (getline (&line, &size, stdin) > 0)
    obey (g_strsplit (g_strchomp (line), " ", -1));
  free (line);
  return 0;
}
