/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-secondsplitter
 * @title: secondsplitter
 * @short_description: the batches of secondbatcher back into their streams
 *
 * Stream K of the batches comes out of pad `src_K`, with the caps, segment,
 * stream id, events and frames that went into the batcher. As after any
 * demuxer, each source pad wants a queue behind it.
 *
 * All state belongs to the sink pad's streaming thread; states change while it
 * is stopped. There is no lock.
 */
#include "gstsecondbatchmeta.h"
#include "splitter/stream.h"

/* Bounds for a peer that sends events but no batches: how many wait, of all
 * streams together, and of which streams */
#define MAX_EVENTS 4096

#define GST_TYPE_SECOND_SPLITTER (gst_second_splitter_get_type ())
G_DECLARE_FINAL_TYPE (GstSecondSplitter, gst_second_splitter, GST,
    SECOND_SPLITTER, GstElement);

struct _GstSecondSplitter
{
  GstElement parent;

  GstPad *sinkpad;
  GPtrArray *streams;           /* of SplitStream */
  GstFlowCombiner *flows;
  guint group_id;
  guint64 window_index, window_end;     /* of the last batch */
  gboolean no_more_pads;
};

GST_DEBUG_CATEGORY_STATIC (second_splitter_debug);
#define GST_CAT_DEFAULT second_splitter_debug

static GstStaticPadTemplate sink_template =
GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (GST_SECOND_BATCH_CAPS_NAME));

static GstStaticPadTemplate src_template =
GST_STATIC_PAD_TEMPLATE ("src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
    GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE (GstSecondSplitter, gst_second_splitter, GST_TYPE_ELEMENT);
GST_ELEMENT_REGISTER_DECLARE (secondsplitter);
GST_ELEMENT_REGISTER_DEFINE (secondsplitter, "secondsplitter", GST_RANK_NONE,
    GST_TYPE_SECOND_SPLITTER);

static SplitStream *
get_stream (GstSecondSplitter * self, guint k)
{
  while (self->streams->len <= k)
    g_ptr_array_add (self->streams, split_stream_new ());
  return g_ptr_array_index (self->streams, k);
}

static void
add_pad (GstSecondSplitter * self, SplitStream * stream, guint k)
{
  g_autofree gchar *name = g_strdup_printf ("src_%u", k);

  stream->pad = gst_pad_new_from_static_template (&src_template, name);
  gst_pad_use_fixed_caps (stream->pad);
  gst_pad_set_active (stream->pad, TRUE);
  split_stream_push_headers (stream, self->group_id);
  gst_flow_combiner_add_pad (self->flows, stream->pad);
  gst_element_add_pad (GST_ELEMENT_CAST (self), stream->pad);
}

/* Removes streams that the batcher no longer has */
static void
drop_streams_from (GstSecondSplitter * self, guint n)
{
  while (self->streams->len > n) {
    SplitStream *stream = get_stream (self, self->streams->len - 1);

    if (stream->pad) {
      gst_pad_push_event (stream->pad, gst_event_new_eos ());
      gst_flow_combiner_remove_pad (self->flows, stream->pad);
      gst_pad_set_active (stream->pad, FALSE);
      gst_element_remove_pad (GST_ELEMENT_CAST (self), stream->pad);
    }
    g_ptr_array_set_size (self->streams, (gint) self->streams->len - 1);
  }
}

static void
read_batch (GstSecondSplitter * self, GstBuffer * batch, guint n)
{
  drop_streams_from (self, n);
  for (guint k = 0; k < n; k++) {
    SplitStream *stream = get_stream (self, k);

    if (split_stream_read (stream, batch, k)) {
      if (stream->pad == NULL)
        add_pad (self, stream, k);
      else
        split_stream_push_headers (stream, self->group_id);
    }
    split_stream_push_counts (stream);
  }
  if (!self->no_more_pads) {
    self->no_more_pads = TRUE;
    gst_element_no_more_pads (GST_ELEMENT_CAST (self));
  }
}

/* The stream whose next frame comes first */
static SplitStream *
pick_stream (GstSecondSplitter * self)
{
  SplitStream *first = NULL;
  gint64 time, best = 0;

  for (guint k = 0; k < self->streams->len; k++) {
    SplitStream *stream = g_ptr_array_index (self->streams, k);
    if (stream->pad && split_stream_peek (stream, &time)
        && (first == NULL || time < best)) {
      first = stream;
      best = time;
    }
  }
  return first;
}

static GstFlowReturn
push_frames (GstSecondSplitter * self)
{
  GstFlowReturn ret = GST_FLOW_OK;
  SplitStream *stream;

  while (ret == GST_FLOW_OK && (stream = pick_stream (self)))
    ret = gst_flow_combiner_update_pad_flow (self->flows, stream->pad,
        split_stream_push_next (stream));
  return ret;
}

static void
begin_window (GstSecondSplitter * self, GstBuffer * batch)
{
  guint64 index = gst_second_batch_get_index (batch);
  guint64 start = gst_second_batch_get_window_start (batch);

  if (index != self->window_index || start > self->window_end)
    for (guint k = 0; k < self->streams->len; k++)
      split_stream_next_window (g_ptr_array_index (self->streams, k),
          start < self->window_end);
  self->window_index = index;
  self->window_end = start + gst_second_batch_get_window_duration (batch);
}

static GstFlowReturn
gst_second_splitter_chain (GstPad * pad, GstObject * parent, GstBuffer * batch)
{
  GstSecondSplitter *self = GST_SECOND_SPLITTER (parent);
  const GstStructure *fields = gst_second_batch_get_structure (batch);
  GstFlowReturn ret;

  if (fields == NULL) {
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("A buffer without %s is not a batch; link secondsplitter after "
            "secondbatcher.", GST_SECOND_BATCH_META_NAME), (NULL));
    gst_buffer_unref (batch);
    return GST_FLOW_ERROR;
  }

  begin_window (self, batch);
  /* each stream has fields of its own: no more streams than fields */
  read_batch (self, batch, MIN (gst_second_batch_get_n_streams (batch),
          (guint) gst_structure_n_fields (fields)));
  for (guint k = 0; k < self->streams->len; k++)
    split_stream_begin (g_ptr_array_index (self->streams, k), batch);
  ret = push_frames (self);
  for (guint k = 0; k < self->streams->len && ret == GST_FLOW_OK; k++)
    split_stream_finish (g_ptr_array_index (self->streams, k));
  gst_buffer_unref (batch);
  return ret;
}

static guint
count_events (GstSecondSplitter * self)
{
  guint n = 0;

  for (guint k = 0; k < self->streams->len; k++)
    n += get_stream (self, k)->events.length;
  return n;
}

static gboolean
keep_stream_event (GstSecondSplitter * self, GstEvent * event)
{
  guint k;

  if (!gst_event_has_name (event, GST_SECOND_BATCH_EVENT_NAME)
      || !gst_structure_get_uint (gst_event_get_structure (event), "stream",
          &k))
    return FALSE;
  if (k >= MAX_EVENTS || count_events (self) >= MAX_EVENTS) {
    GST_WARNING_OBJECT (self, "too many events of streams without a batch, "
        "dropping %" GST_PTR_FORMAT, event);
    gst_event_unref (event);
  } else {
    g_queue_push_tail (&get_stream (self, k)->events, event);
  }
  return TRUE;
}

static void
flush (GstSecondSplitter * self)
{
  for (guint k = 0; k < self->streams->len; k++)
    split_stream_flush (get_stream (self, k));
  gst_flow_combiner_reset (self->flows);
  self->window_index = self->window_end = 0;
}

static gboolean
gst_second_splitter_sink_event (GstPad * pad, GstObject * parent,
    GstEvent * event)
{
  GstSecondSplitter *self = GST_SECOND_SPLITTER (parent);
  GstClockTime time, duration;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      if (!gst_event_parse_group_id (event, &self->group_id))
        self->group_id = gst_util_group_id_next ();
      break;
    case GST_EVENT_CAPS:
    case GST_EVENT_SEGMENT:
      break;                    /* the streams have their own */
    case GST_EVENT_GAP:
      gst_event_parse_gap (event, &time, &duration);
      for (guint k = 0; k < self->streams->len; k++)
        split_stream_push_gap (get_stream (self, k), time, duration);
      break;
    case GST_EVENT_CUSTOM_DOWNSTREAM:
      return keep_stream_event (self, event)
          || gst_pad_event_default (pad, parent, event);
    case GST_EVENT_EOS:
      /* pushes the events that no batch follows */
      for (guint k = 0; k < self->streams->len; k++)
        split_stream_finish (get_stream (self, k));
      return gst_pad_event_default (pad, parent, event);
    case GST_EVENT_FLUSH_STOP:
      flush (self);
      return gst_pad_event_default (pad, parent, event);
    default:
      return gst_pad_event_default (pad, parent, event);
  }
  gst_event_unref (event);
  return TRUE;
}

static gboolean
gst_second_splitter_sink_query (GstPad * pad, GstObject * parent,
    GstQuery * query)
{
  /* upstream would take the answer of one stream for one about all */
  if (GST_QUERY_TYPE (query) == GST_QUERY_ALLOCATION)
    return FALSE;
  return gst_pad_query_default (pad, parent, query);
}

static GstStateChangeReturn
gst_second_splitter_change_state (GstElement * element,
    GstStateChange transition)
{
  GstSecondSplitter *self = GST_SECOND_SPLITTER (element);
  GstStateChangeReturn ret = GST_ELEMENT_CLASS
      (gst_second_splitter_parent_class)->change_state (element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    drop_streams_from (self, 0);
    flush (self);
    self->no_more_pads = FALSE;
  }
  return ret;
}

static void
gst_second_splitter_finalize (GObject * object)
{
  GstSecondSplitter *self = GST_SECOND_SPLITTER (object);

  g_ptr_array_unref (self->streams);
  gst_flow_combiner_free (self->flows);
  G_OBJECT_CLASS (gst_second_splitter_parent_class)->finalize (object);
}

static void
gst_second_splitter_class_init (GstSecondSplitterClass * klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (second_splitter_debug, "secondsplitter", 0,
      "batches of one second back into streams");

  G_OBJECT_CLASS (klass)->finalize = gst_second_splitter_finalize;
  element_class->change_state =
      GST_DEBUG_FUNCPTR (gst_second_splitter_change_state);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Second splitter",
      "Demuxer/Video", "Puts the batches of secondbatcher back into streams",
      "The gst-shmframe developers");
}

static void
gst_second_splitter_init (GstSecondSplitter * self)
{
  self->streams = g_ptr_array_new_with_free_func
      ((GDestroyNotify) split_stream_free);
  self->flows = gst_flow_combiner_new ();
  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad,
      GST_DEBUG_FUNCPTR (gst_second_splitter_chain));
  gst_pad_set_event_function (self->sinkpad,
      GST_DEBUG_FUNCPTR (gst_second_splitter_sink_event));
  gst_pad_set_query_function (self->sinkpad,
      GST_DEBUG_FUNCPTR (gst_second_splitter_sink_query));
  gst_element_add_pad (GST_ELEMENT_CAST (self), self->sinkpad);
}
