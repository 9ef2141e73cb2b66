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

#include "gstsecondbatchmeta.h"

typedef struct
{
  GstPad *src, *sink;
  GPtrArray *steps;             /* of gchar **: a word and its arguments */
  gint64 offset;
} Stream;

typedef struct
{
  GstElement *pipeline, *batcher, *splitter, *again;
  GPtrArray *streams, *pads;
  GMutex lock;                  /* of what follows, and stdout */
  GCond cond;
  guint open;                   /* outputs that have not seen EOS */
  gboolean failed;
} Case;

static Case the_case;

static GstStaticPadTemplate any_src = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate any_sink = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static gint64
number (const gchar * text)
{
  return g_ascii_strtoll (text, NULL, 10);
}

static gint
width_of (GstCaps * caps)
{
  gint width = -1;

  if (caps != NULL)
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
  return width;
}

static void
print_batch (GstBuffer * batch)
{
  printf ("batch %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %"
      G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
      gst_second_batch_get_index (batch),
      gst_second_batch_get_window_start (batch),
      gst_second_batch_get_window_duration (batch),
      (gint64) GST_BUFFER_PTS (batch), (gint64) GST_BUFFER_DURATION (batch));
  for (guint k = 0; k < gst_second_batch_get_n_streams (batch); k++) {
    GstBufferList *frames = gst_second_batch_get_buffers (batch, k);
    const GstSegment *segment = gst_second_batch_get_segment (batch, k);
    const gchar *id = gst_second_batch_get_stream_id (batch, k);
    guint n = frames != NULL ? gst_buffer_list_length (frames) : 0;

    printf ("of %d %s %" G_GINT64_FORMAT " %u %u %u :",
        width_of (gst_second_batch_get_caps (batch, k)), id ? id : "-",
        segment != NULL ? (gint64) segment->base : -1,
        gst_second_batch_get_count (batch, "expected", k),
        gst_second_batch_get_count (batch, "late", k),
        gst_second_batch_get_count (batch, "dropped", k));
    for (guint i = 0; i < n; i++)
      printf (" %" G_GUINT64_FORMAT,
          GST_BUFFER_OFFSET (gst_buffer_list_get (frames, i)));
    printf ("\n");
  }
}

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
  g_cond_signal (&the_case.cond);
}

/* What leaves the batcher. */
static GstPadProbeReturn
on_output (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  GstClockTime pts, duration;

  g_mutex_lock (&the_case.lock);
  if (GST_IS_BUFFER (info->data)) {
    print_batch (info->data);
  } else if (GST_EVENT_TYPE (info->data) == GST_EVENT_GAP) {
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
      printf ("split %s width %d\n", GST_PAD_NAME (pad), width_of (caps));
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

static GstBuffer *
make_frame (gchar ** step)
{
  GstBuffer *frame = gst_buffer_new_allocate (NULL, 8, NULL);

  GST_BUFFER_OFFSET (frame) = number (step[1]);
  GST_BUFFER_PTS (frame) = number (step[2]);
  GST_BUFFER_DURATION (frame) = number (step[3]);
  if (number (step[4]) >= 0) {
    GstCaps *unix_time = gst_caps_new_empty_simple ("timestamp/x-unix");

    gst_buffer_add_reference_timestamp_meta (frame, unix_time,
        number (step[4]), GST_CLOCK_TIME_NONE);
    gst_caps_unref (unix_time);
  }
  return frame;
}

static GstEvent *
make_segment (gchar ** step)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = g_ascii_strtod (step[1], NULL);
  segment.start = number (step[2]);
  segment.stop = number (step[3]);
  segment.base = number (step[4]);
  segment.offset = number (step[5]);
  segment.time = number (step[6]);
  segment.position = segment.start;
  return gst_event_new_segment (&segment);
}

static GstEvent *
make_event (gchar ** step)
{
  GstEvent *event = NULL;
  GstCaps *caps;

  if (strcmp (step[0], "start") == 0) {
    event = gst_event_new_stream_start (step[1]);
    gst_event_set_group_id (event, 1);
  } else if (strcmp (step[0], "caps") == 0) {
    caps = gst_caps_from_string (step[1]);
    event = gst_event_new_caps (caps);
    gst_caps_unref (caps);
  } else if (strcmp (step[0], "segment") == 0) {
    event = make_segment (step);
  } else if (strcmp (step[0], "gap") == 0) {
    event = gst_event_new_gap (number (step[1]), number (step[2]));
  } else if (strcmp (step[0], "custom") == 0) {
    event = gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
        gst_structure_new ("oracle", "id", G_TYPE_STRING, step[1], NULL));
  } else {
    event = gst_event_new_eos ();
  }
  return event;
}

static gpointer
push_stream (gpointer user)
{
  Stream *stream = user;
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < stream->steps->len && ret == GST_FLOW_OK; i++) {
    gchar **step = g_ptr_array_index (stream->steps, i);

    if (strcmp (step[0], "frame") == 0)
      ret = gst_pad_push (stream->src, make_frame (step));
    else
      gst_pad_push_event (stream->src, make_event (step));
  }
  return NULL;
}

static gboolean
answer_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return gst_pad_query_default (pad, parent, query);
  gst_query_set_latency (query, FALSE, 0, GST_CLOCK_TIME_NONE);
  return TRUE;
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
    g_cond_signal (&the_case.cond);
    g_mutex_unlock (&the_case.lock);
    g_error_free (error);
  }
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static gboolean
print_stat (GQuark name, const GValue * value, gpointer unused)
{
  if (G_VALUE_HOLDS_UINT64 (value))
    printf ("stat %s %" G_GUINT64_FORMAT "\n", g_quark_to_string (name),
        g_value_get_uint64 (value));
  return TRUE;
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
  the_case.open = 1;
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
  gst_pad_set_query_function (stream->src, answer_query);
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
  GstStructure *stats;

  gst_bus_set_sync_handler (bus, on_message, NULL, NULL);
  link_outputs ();
  gst_element_set_state (the_case.pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < the_case.streams->len; i++)
    threads[i] = g_thread_new (NULL, push_stream,
        g_ptr_array_index (the_case.streams, i));
  g_mutex_lock (&the_case.lock);
  while (the_case.open > 0 && !the_case.failed)
    g_cond_wait (&the_case.cond, &the_case.lock);
  g_mutex_unlock (&the_case.lock);

  g_object_get (the_case.batcher, "stats", &stats, NULL);
  gst_structure_foreach (stats, print_stat, NULL);
  gst_structure_free (stats);
  gst_element_set_state (the_case.pipeline, GST_STATE_NULL);
  for (guint i = 0; i < the_case.streams->len; i++)
    g_thread_join (threads[i]);
  g_ptr_array_unref (the_case.streams);
  g_ptr_array_unref (the_case.pads);
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
    add_stream (number (words[1]));
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
