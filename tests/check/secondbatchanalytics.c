/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches for GStreamer's analytics elements */
#include "batchrig.h"

#include <gst/analytics/gstanalyticsbatchmeta.h>

#define ANALYTICS "multistream/x-analytics-batch(meta:GstAnalyticsBatchMeta)"

static void
check_batch (const gchar * sink_caps, gboolean analytics)
{
  GstAnalyticsBatchMeta *meta;
  GstBuffer *batch;
  guint i, k;
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  gst_harness_set_sink_caps_str (rig.h[0], sink_caps);
  rig_set_caps (&rig, 0, 25, 1);
  rig_set_caps (&rig, 1, 5, 1);
  rig_push_n (&rig, 0, 0, 40 * GST_MSECOND, 25);
  rig_push_n (&rig, 1, 0, 200 * GST_MSECOND, 5);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  meta = gst_buffer_get_analytics_batch_meta (batch);
  fail_unless ((meta != NULL) == analytics);
  fail_unless_equals_int (gst_buffer_n_memory (batch), 0);
  for (k = 0; meta && k < 2; k++) {
    GstAnalyticsBatchStream *stream = &meta->streams[k];

    fail_unless_equals_int (meta->n_streams, 2);
    fail_unless_equals_int (stream->index, k);
    fail_unless (gst_caps_is_equal (gst_analytics_batch_stream_get_caps
            (stream), gst_second_batch_get_caps (batch, k)));
    fail_unless_equals_string (gst_analytics_batch_stream_get_stream_id
        (stream), gst_second_batch_get_stream_id (batch, k));
    fail_unless (gst_analytics_batch_stream_get_segment (stream) != NULL);
    fail_unless_equals_int (stream->n_objects, batch_count (batch, k));
    for (i = 0; i < stream->n_objects; i++)
      fail_unless (GST_BUFFER_CAST (stream->objects[i]) ==
          batch_frame (batch, k, i));
  }
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_START_TEST (test_analytics_batch)
{
  check_batch (ANALYTICS, TRUE);
  check_batch (GST_SECOND_BATCH_CAPS_NAME, FALSE);
  /* who takes both gets ours */
  check_batch (ANALYTICS "; " GST_SECOND_BATCH_CAPS_NAME, FALSE);
}

GST_END_TEST;

/* --- with GStreamer's own splitter, where it is installed --- */

typedef struct
{
  GMutex lock;
  GCond eos_came;
  GString *order[4];            /* of the pads, as they came */
  GPtrArray *frames[4];
  GstCaps *caps[4];
  gchar *stream_id[4];
  guint n_pads, n_eos;
} Seen;

static void
note_event (Seen * seen, guint k, GstEvent * event)
{
  const gchar *id;
  GstCaps *caps;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_event_parse_stream_start (event, &id);
      g_free (seen->stream_id[k]);
      seen->stream_id[k] = g_strdup (id);
      break;
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      gst_caps_replace (&seen->caps[k], caps);
      break;
    case GST_EVENT_EOS:
      seen->n_eos++;
      g_cond_signal (&seen->eos_came);
      break;
    default:
      break;
  }
  g_string_append_c (seen->order[k],
      GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM ? 'm' :
      g_ascii_toupper (GST_EVENT_TYPE_NAME (event)[0]));
}

static GstPadProbeReturn
note (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  guint k = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (pad), "k"));
  Seen *seen = data;

  g_mutex_lock (&seen->lock);
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
    g_ptr_array_add (seen->frames[k],
        gst_buffer_ref (GST_PAD_PROBE_INFO_BUFFER (info)));
    g_string_append_c (seen->order[k], 'f');
  } else {
    note_event (seen, k, GST_PAD_PROBE_INFO_EVENT (info));
  }
  g_mutex_unlock (&seen->lock);
  return GST_PAD_PROBE_OK;
}

/* Whatever comes ends at a fakesink */
static void
take_pad (GstElement * splitter, GstPad * pad, Seen * seen)
{
  GstElement *pipeline = GST_ELEMENT_PARENT (splitter);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstPad *sinkpad = gst_element_get_static_pad (sink, "sink");

  g_object_set (sink, "async", FALSE, "sync", FALSE, NULL);
  fail_unless (seen->n_pads < G_N_ELEMENTS (seen->frames));
  g_object_set_data (G_OBJECT (sinkpad), "k", GUINT_TO_POINTER (seen->n_pads));
  g_mutex_lock (&seen->lock);
  seen->order[seen->n_pads] = g_string_new (NULL);
  seen->frames[seen->n_pads] = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_buffer_unref);
  seen->n_pads++;
  g_mutex_unlock (&seen->lock);
  gst_pad_add_probe (sinkpad, GST_PAD_PROBE_TYPE_BUFFER |
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note, seen, NULL);
  gst_bin_add (GST_BIN (pipeline), sink);
  gst_element_sync_state_with_parent (sink);
  fail_unless_equals_int (gst_pad_link (pad, sinkpad), GST_PAD_LINK_OK);
  gst_object_unref (sinkpad);
}

/* The splitter takes the place of the rig's first harness. */
static GstElement *
split_behind (Rig * rig, Seen * seen)
{
  GstElement *splitter = gst_element_factory_make ("analyticssplitter", NULL);
  GstPad *src = gst_element_get_static_pad (rig->batcher, "src");
  GstElement *pipeline;
  GstPad *sink;

  memset (seen, 0, sizeof (*seen));
  pipeline = gst_pipeline_new (NULL);
  gst_bin_add (GST_BIN (pipeline), splitter);
  g_signal_connect (splitter, "pad-added", G_CALLBACK (take_pad), seen);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  sink = gst_element_get_static_pad (splitter, "sink");
  fail_unless (gst_pad_unlink (src, rig->h[0]->sinkpad));
  fail_unless_equals_int (gst_pad_link_full (src, sink,
          GST_PAD_LINK_CHECK_CAPS), GST_PAD_LINK_OK);
  gst_object_unref (src);
  gst_object_unref (sink);
  return pipeline;
}

static void
wait_eos (Seen * seen, guint n)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000;

  g_mutex_lock (&seen->lock);
  while (seen->n_eos < n && g_cond_wait_until (&seen->eos_came, &seen->lock,
          end));
  fail_unless_equals_int (seen->n_eos, n);
  g_mutex_unlock (&seen->lock);
}

static void
seen_clear (Seen * seen, GstElement * pipeline)
{
  guint k;

  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  for (k = 0; k < seen->n_pads; k++) {
    g_string_free (seen->order[k], TRUE);
    g_ptr_array_unref (seen->frames[k]);
    gst_clear_caps (&seen->caps[k]);
    g_free (seen->stream_id[k]);
  }
}

static GstBuffer *
push_kept (Rig * rig, guint pad, GstClockTime pts)
{
  GstBuffer *frame = rig_frame (pts, 100 * GST_MSECOND);

  fail_unless_equals_int (gst_harness_push (rig->h[pad], frame), GST_FLOW_OK);
  return frame;
}

static void
check_stream (Rig * rig, Seen * seen, guint k, GstBuffer ** frames, guint n)
{
  gchar *id = gst_pad_get_stream_id (rig->h[k]->srcpad);
  GstCaps *caps = gst_pad_get_current_caps (rig->h[k]->srcpad);
  guint i;

  fail_unless_equals_string (seen->stream_id[k], id);
  fail_unless (gst_caps_is_equal (seen->caps[k], caps));
  fail_unless_equals_int (seen->frames[k]->len, n);
  for (i = 0; i < n; i++)
    fail_unless (g_ptr_array_index (seen->frames[k], i) == frames[i]);
  gst_caps_unref (caps);
  g_free (id);
}

/* The same frames, and what stood among them; the second stream has nothing in
 * its second window. */
GST_START_TEST (test_splitter)
{
  GstBuffer *frames[2][20];
  GstElement *pipeline;
  Seen seen;
  guint i;
  Rig rig;

  skip_unless (has_element ("analyticssplitter"), "no analyticssplitter");
  rig_init (&rig, 2, FALSE, NULL);
  pipeline = split_behind (&rig, &seen);
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 5, 1);
  gst_harness_push_event (rig.h[0], gst_event_new_tag (gst_tag_list_new
          (GST_TAG_TITLE, "A", NULL)));
  for (i = 0; i < 5; i++)
    frames[1][i] = push_kept (&rig, 1, i * 200 * GST_MSECOND);
  gst_harness_push_event (rig.h[1], gst_event_new_eos ());
  for (i = 0; i < 20; i++) {
    if (i == 3 || i == 17)
      gst_harness_push_event (rig.h[0],
          gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
              gst_structure_new_empty ("mark")));
    frames[0][i] = push_kept (&rig, 0, i * 100 * GST_MSECOND);
  }
  gst_harness_push_event (rig.h[0], gst_event_new_eos ());
  wait_eos (&seen, 2);
  fail_unless_equals_int (seen.n_pads, 2);
  check_stream (&rig, &seen, 0, frames[0], 20);
  check_stream (&rig, &seen, 1, frames[1], 5);
  fail_unless_equals_string (seen.order[0]->str,
      "SCSTfffmfffffff" "fffffffmfffE");
  fail_unless_equals_string (seen.order[1]->str, "SCSfffff" "GE");
  seen_clear (&seen, pipeline);
  rig_clear (&rig);
}

GST_END_TEST;

/* Other caps are a new pad, as the splitter has it */
GST_START_TEST (test_splitter_caps_change)
{
  GstElement *pipeline;
  GstCaps *caps;
  Seen seen;
  Rig rig;

  skip_unless (has_element ("analyticssplitter"), "no analyticssplitter");
  caps = rig_caps (20, 1);
  rig_init (&rig, 1, FALSE, NULL);
  pipeline = split_behind (&rig, &seen);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push_n (&rig, 0, 0, 100 * GST_MSECOND, 5);
  gst_harness_push_event (rig.h[0], gst_event_new_caps (caps));
  rig_push_n (&rig, 0, 500 * GST_MSECOND, 100 * GST_MSECOND, 5);
  rig_eos (&rig);
  wait_eos (&seen, 1);
  fail_unless_equals_int (seen.n_pads, 2);
  fail_unless_equals_int (seen.frames[0]->len, 5);
  fail_unless_equals_int (seen.frames[1]->len, 5);
  fail_if (gst_caps_is_equal (seen.caps[0], caps));
  fail_unless (gst_caps_is_equal (seen.caps[1], caps));
  fail_unless_equals_string (seen.order[1]->str, "SCSfffffE");
  seen_clear (&seen, pipeline);
  gst_caps_unref (caps);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_analytics_batch);
  tcase_add_test (tc, test_splitter);
  tcase_add_test (tc, test_splitter_caps_change);
}

BATCH_SUITE (secondbatchanalytics)
