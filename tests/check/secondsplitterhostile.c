/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches and stream events may come from another process, and say anything. A
 * critical message of GLib's fails a test as well. */
#include "splitrig.h"

static GstBuffer *
lying_batch (guint n_streams, GstCaps * caps)
{
  GstBuffer *batch = gst_buffer_new ();
  GstBufferList *list = gst_buffer_list_new ();
  GstSegment segment;

  gst_second_batch_meta_register ();
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_buffer_list_add (list, rig_frame (0, 100 * MS));
  gst_structure_set (gst_custom_meta_get_structure (gst_buffer_add_custom_meta
          (batch, GST_SECOND_BATCH_META_NAME)), "n-streams", G_TYPE_UINT,
      n_streams, "caps-0", GST_TYPE_CAPS, caps, "segment-0",
      GST_TYPE_SEGMENT, &segment, "buffers-0", GST_TYPE_BUFFER_LIST, list,
      NULL);
  gst_buffer_list_unref (list);
  gst_caps_unref (caps);
  return batch;
}

GST_START_TEST (test_lying_batches)
{
  Split split;

  split_init (&split);
  gst_harness_set_src_caps_str (split.in, GST_SECOND_BATCH_CAPS_NAME);
  fail_unless_equals_int (gst_harness_push (split.in, lying_batch (1,
              gst_caps_from_string ("video/x-raw, width=[1, 9]"))),
      GST_FLOW_OK);
  fail_unless (split.out[0] == NULL);
  fail_unless_equals_int (gst_harness_push (split.in, lying_batch (1,
              gst_caps_new_empty ())), GST_FLOW_OK);
  fail_unless (split.out[0] == NULL);
  /* Memory for so many would not be there. */
  fail_unless_equals_int (gst_harness_push (split.in, lying_batch (G_MAXUINT,
              gst_caps_new_empty_simple ("video/x-raw"))), GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_buffers_in_queue (split.out[0]), 1);
  split_clear (&split);
}

GST_END_TEST;

static void
push_wrapped (Split * split, guint stream, const gchar * type,
    GstStructure * inner)
{
  gst_harness_push_event (split->in,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new (GST_SECOND_BATCH_EVENT_NAME, "stream",
              G_TYPE_UINT, stream, "position", G_TYPE_UINT, 0, "type",
              G_TYPE_STRING, type, "structure", GST_TYPE_STRUCTURE, inner,
              NULL)));
  gst_structure_free (inner);
}

/* Those who parse a TAG or a TOC crash where its fields are not there. */
GST_START_TEST (test_lying_events)
{
  GstEvent *event;
  Split split;
  guint i;

  split_init (&split);
  gst_harness_set_src_caps_str (split.in, GST_SECOND_BATCH_CAPS_NAME);
  push_wrapped (&split, 0, "tag", gst_structure_new_empty ("a"));
  push_wrapped (&split, 0, "tag", gst_structure_new ("a", "taglist",
          G_TYPE_INT, 1, NULL));
  push_wrapped (&split, 0, "toc", gst_structure_new_empty ("a"));
  push_wrapped (&split, 0, "toc", gst_structure_new ("a", "toc", G_TYPE_STRING,
          "x", "updated", G_TYPE_INT, 1, NULL));
  push_wrapped (&split, 0, "eos", gst_structure_new_empty ("a"));
  push_wrapped (&split, 0, "custom-downstream", gst_structure_new_empty ("a"));
  /* Of a stream that never comes: that is forgotten some time. */
  push_wrapped (&split, G_MAXUINT, "tag", gst_structure_new_empty ("a"));
  for (i = 0; i < 5000; i++)
    push_wrapped (&split, 1, "tag", gst_structure_new_empty ("a"));
  fail_unless_equals_int (gst_harness_push (split.in, lying_batch (2,
              gst_caps_new_empty_simple ("video/x-raw"))), GST_FLOW_OK);
  expect_event (&split, 0, GST_EVENT_STREAM_START, NULL);
  expect_event (&split, 0, GST_EVENT_CAPS, NULL);
  expect_event (&split, 0, GST_EVENT_SEGMENT, NULL);
  expect_event (&split, 0, GST_EVENT_CUSTOM_DOWNSTREAM, NULL);
  event = gst_harness_try_pull_event (split.out[0]);
  fail_unless (event == NULL);
  split_clear (&split);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_lying_batches);
  tcase_add_test (tc, test_lying_events);
}

BATCH_SUITE (secondsplitterhostile)
