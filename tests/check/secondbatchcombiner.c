/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our batches beside those that GStreamer's own analyticscombiner makes of the same
 * frames and events: whoever takes those takes ours. */
#include "analyticsrig.h"

typedef struct
{
  GMutex lock;
  GCond cond;
  GQueue batches;
  GString *events;              /* by their names */
  GstCaps *caps;
  GstSegment segment;
  gboolean ours, eos;
} Output;

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANALYTICS));

static GstFlowReturn
take_batch (GstPad * pad, GstObject * parent, GstBuffer * batch)
{
  Output *out = gst_pad_get_element_private (pad);

  g_mutex_lock (&out->lock);
  g_queue_push_tail (&out->batches, batch);
  g_mutex_unlock (&out->lock);
  return GST_FLOW_OK;
}

static gboolean
take_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  Output *out = gst_pad_get_element_private (pad);
  GstCaps *caps;

  g_mutex_lock (&out->lock);
  /* the combiner sends these once more, beside those in the batch */
  if (!g_str_has_prefix (GST_EVENT_TYPE_NAME (event), "custom") || out->ours)
    g_string_append_printf (out->events, "%s ", GST_EVENT_TYPE_NAME (event));
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gst_event_parse_caps (event, &caps);
    gst_caps_replace (&out->caps, caps);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
    gst_event_copy_segment (event, &out->segment);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    out->eos = TRUE;
    g_cond_signal (&out->cond);
  }
  g_mutex_unlock (&out->lock);
  gst_event_unref (event);
  return TRUE;
}

static void
run (Output * out, const gchar * factory, Input * input)
{
  GstElement *batcher = make_batcher (factory, GST_SECOND);
  GstPad *src = gst_element_get_static_pad (batcher, "src");
  GstPad *sink = gst_pad_new_from_static_template (&sink_template, NULL);
  gint64 end;

  memset (out, 0, sizeof (*out));
  out->events = g_string_new (NULL);
  out->ours = strcmp (factory, "secondbatcher") == 0;
  gst_pad_set_element_private (sink, out);
  gst_pad_set_chain_function (sink, take_batch);
  gst_pad_set_event_function (sink, take_event);
  fail_unless_equals_int (gst_pad_link (src, sink), GST_PAD_LINK_OK);
  gst_pad_set_active (sink, TRUE);
  gst_element_set_state (batcher, GST_STATE_PLAYING);

  push_input (batcher, input);
  end = g_get_monotonic_time () + DEADLINE / 1000;
  g_mutex_lock (&out->lock);
  while (!out->eos && g_cond_wait_until (&out->cond, &out->lock, end));
  fail_unless (out->eos, "no EOS from %s", factory);
  g_mutex_unlock (&out->lock);

  gst_element_set_state (batcher, GST_STATE_NULL);
  gst_pad_set_active (sink, FALSE);
  gst_object_unref (sink);
  gst_object_unref (src);
  gst_object_unref (batcher);
}

static void
output_clear (Output * out)
{
  g_queue_clear_full (&out->batches, (GDestroyNotify) gst_buffer_unref);
  g_string_free (out->events, TRUE);
  gst_clear_caps (&out->caps);
}

/* --- what is in a batch, as text --- */

static void
describe_object (GString * text, GstMiniObject * object)
{
  const gchar *what = "?";

  if (GST_IS_EVENT (object))
    what = GST_EVENT_TYPE_NAME (object);
  else if (GST_IS_BUFFER (object))
    what = "frame";
  /* the very same one */
  g_string_append_printf (text, "    %s %p\n", what, object);
}

static gchar *
describe_stream (GstAnalyticsBatchStream * stream)
{
  const GstSegment *segment = gst_analytics_batch_stream_get_segment (stream);
  GstCaps *caps = gst_analytics_batch_stream_get_caps (stream);
  GString *text = g_string_new (NULL);
  gchar *s = gst_caps_to_string (caps);
  gsize i;

  g_string_append_printf (text, "  stream %u, id %s, caps %s, segment %d %"
      GST_TIME_FORMAT "\n", stream->index,
      gst_analytics_batch_stream_get_stream_id (stream), s, segment->format,
      GST_TIME_ARGS (segment->start));
  g_free (s);
  for (i = 0; i < stream->n_sticky_events; i++)
    describe_object (text, GST_MINI_OBJECT_CAST (stream->sticky_events[i]));
  g_string_append (text, "   objects\n");
  for (i = 0; i < stream->n_objects; i++)
    describe_object (text, stream->objects[i]);
  return g_string_free (text, FALSE);
}

static void
check_same_stream (GstAnalyticsBatchStream * ours,
    GstAnalyticsBatchStream * theirs)
{
  gchar *a, *b;

  /* an empty window moves time on behind our batches */
  if (theirs->n_objects == 0) {
    fail_unless_equals_int (ours->n_objects, 1);
    fail_unless_equals_string (GST_EVENT_TYPE_NAME (ours->objects[0]), "gap");
    ours->n_objects = 0;
  }
  a = describe_stream (ours);
  b = describe_stream (theirs);
  fail_unless_equals_string (a, b);
  if (theirs->n_objects == 0)
    ours->n_objects = 1;
  g_free (a);
  g_free (b);
}

static void
check_same_batch (GstBuffer * ours, GstBuffer * theirs)
{
  GstAnalyticsBatchMeta *a = gst_buffer_get_analytics_batch_meta (ours);
  GstAnalyticsBatchMeta *b = gst_buffer_get_analytics_batch_meta (theirs);
  gsize k;

  fail_unless (a && b);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (ours), GST_BUFFER_PTS (theirs));
  fail_unless_equals_uint64 (GST_BUFFER_DTS (ours), GST_BUFFER_DTS (theirs));
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (ours),
      GST_BUFFER_DURATION (theirs));
  fail_unless_equals_int (GST_BUFFER_FLAGS (ours), GST_BUFFER_FLAGS (theirs));
  fail_unless_equals_int (gst_buffer_n_memory (ours), 0);
  fail_unless_equals_int (gst_buffer_n_memory (theirs), 0);
  fail_unless_equals_int (a->n_streams, b->n_streams);
  for (k = 0; k < a->n_streams; k++)
    check_same_stream (&a->streams[k], &b->streams[k]);
}

/* Ours also say how long a window is */
static void
check_same_caps (GstCaps * ours, GstCaps * theirs)
{
  GstCaps *caps = gst_caps_copy (ours);
  GstStructure *s = gst_caps_get_structure (caps, 0);
  guint64 duration;

  fail_unless (gst_caps_is_fixed (ours) && gst_caps_is_fixed (theirs));
  fail_unless (gst_caps_is_subset (ours, theirs));
  fail_unless (gst_structure_get_uint64 (s, "batch-duration", &duration));
  fail_unless_equals_uint64 (duration, GST_SECOND);
  gst_structure_remove_field (s, "batch-duration");
  fail_unless (gst_caps_is_strictly_equal (caps, theirs), "%" GST_PTR_FORMAT
      " is not %" GST_PTR_FORMAT, caps, theirs);
  gst_caps_unref (caps);
}

static GstEvent *
mark (GstEventType type, const gchar * name)
{
  return gst_event_new_custom (type, gst_structure_new_empty (name));
}

static GstEvent *
title (const gchar * text)
{
  return gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, text, NULL));
}

/* Three windows of two formats: tags that hold and that change, a sticky event of
 * our own, one that is not, and a second stream without frames in the second
 * window (and far into the third: the combiner would take one from there) */
static void
fill_input (Input * input)
{
  guint i;

  input_init (input);
  input_format (input, 0, "video/x-raw,format=GRAY8,width=4,height=4,"
      "framerate=10/1");
  input_format (input, 1, "video/x-raw,format=RGB,width=8,height=2,"
      "framerate=5/1");
  input_add (input, 0, title ("first"));
  input_add (input, 1, mark (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, "pose"));
  for (i = 0; i < 30; i++) {
    if (i == 4)
      input_add (input, 0, title ("second"));
    if (i == 13)
      input_add (input, 0, mark (GST_EVENT_CUSTOM_DOWNSTREAM, "shutter"));
    if (i == 22)
      input_add (input, 0, title ("third"));
    input_frame (input, 0, i * 100 * MS, 100 * MS, 16, (guint8) i);
  }
  for (i = 0; i < 15; i++) {
    if (i == 3)
      input_add (input, 1, mark (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, "lens"));
    if (i < 5 || i > 12)
      input_frame (input, 1, i * 200 * MS, 200 * MS, 48, (guint8) i);
  }
  for (i = 0; i < STREAMS; i++)
    input_add (input, i, gst_event_new_eos ());
}

GST_START_TEST (test_as_the_combiner)
{
  Output ours, theirs;
  Input input;
  guint i;

  skip_unless (has_element ("analyticscombiner"), "no analyticscombiner");
  fill_input (&input);
  run (&ours, "secondbatcher", &input);
  run (&theirs, "analyticscombiner", &input);

  fail_unless_equals_string (ours.events->str, theirs.events->str);
  fail_unless (gst_segment_is_equal (&ours.segment, &theirs.segment));
  check_same_caps (ours.caps, theirs.caps);
  fail_unless_equals_int (ours.batches.length, 3);
  fail_unless_equals_int (theirs.batches.length, 3);
  for (i = 0; i < 3; i++)
    check_same_batch (g_queue_peek_nth (&ours.batches, i),
        g_queue_peek_nth (&theirs.batches, i));
  output_clear (&ours);
  output_clear (&theirs);
  input_clear (&input);
}

GST_END_TEST;

/* --- what downstream wants of each stream reaches the pads --- */

static gboolean
answer_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  GstCaps *caps;

  if (GST_QUERY_TYPE (query) != GST_QUERY_CAPS)
    return gst_pad_query_default (pad, parent, query);
  caps = gst_caps_from_string (ANALYTICS ",streams=<"
      "(GstCaps)[video/x-raw,format=RGB,width=8],"
      "(GstCaps)[video/x-raw,format=GRAY8]>");
  gst_query_set_caps_result (query, caps);
  gst_caps_unref (caps);
  return TRUE;
}

static gchar *
pad_takes (GstElement * batcher, const gchar * name)
{
  GstPad *pad = gst_element_get_static_pad (batcher, name);
  GstCaps *filter = gst_caps_from_string ("video/x-raw,format={GRAY8,RGB}");
  GstCaps *caps = gst_pad_query_caps (pad, filter);
  gchar *s = gst_caps_to_string (caps);

  gst_caps_unref (caps);
  gst_caps_unref (filter);
  gst_object_unref (pad);
  return s;
}

static void
check_wanted (const gchar * factory)
{
  GstElement *batcher = make_batcher (factory, GST_SECOND);
  GstPad *src = gst_element_get_static_pad (batcher, "src");
  GstPad *sink = gst_pad_new_from_static_template (&sink_template, NULL);
  gchar *s;

  gst_element_set_state (batcher, GST_STATE_PAUSED);
  s = pad_takes (batcher, "sink_1");
  fail_unless_equals_string (s, "video/x-raw, format=(string){ GRAY8, RGB }");
  g_free (s);
  gst_pad_set_query_function (sink, answer_query);
  fail_unless_equals_int (gst_pad_link (src, sink), GST_PAD_LINK_OK);
  s = pad_takes (batcher, "sink_0");
  fail_unless_equals_string (s,
      "video/x-raw, format=(string)RGB, width=(int)8");
  g_free (s);
  s = pad_takes (batcher, "sink_1");
  fail_unless_equals_string (s, "video/x-raw, format=(string)GRAY8");
  g_free (s);
  gst_element_set_state (batcher, GST_STATE_NULL);
  gst_pad_unlink (src, sink);
  gst_object_unref (sink);
  gst_object_unref (src);
  gst_object_unref (batcher);
}

GST_START_TEST (test_wanted_caps)
{
  check_wanted ("secondbatcher");
}

GST_END_TEST;

/* What the above is measured by */
GST_START_TEST (test_wanted_caps_of_the_combiner)
{
  skip_unless (has_element ("analyticscombiner"), "no analyticscombiner");
  check_wanted ("analyticscombiner");
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_as_the_combiner);
  tcase_add_test (tc, test_wanted_caps);
  tcase_add_test (tc, test_wanted_caps_of_the_combiner);
}

ANALYTICS_SUITE (secondbatchcombiner)
