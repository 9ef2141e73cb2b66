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

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_analytics_batch);
}

BATCH_SUITE (secondbatchanalytics)
