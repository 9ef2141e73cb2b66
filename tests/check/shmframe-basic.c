/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a frame is on one side it is on the other: pixels, layout, fields. */
#include "shmrig.h"

static GstHarness *in, *out;

/* Frames go into `in` and come out of `out` */
static void
open_pair (void)
{
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  out = rig_harness (rig_element ("shmframesrc", "timestamps", "keep", NULL));
  rig_until (rig_num_clients (in->element) == 1);
}

static void
close_pair (void)
{
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

static GstBuffer *
cross (GstBuffer * buffer)
{
  GstBuffer *received;

  fail_unless_equals_int (gst_harness_push (in, buffer), GST_FLOW_OK);
  received = gst_harness_pull (out);
  fail_unless (received != NULL, "the frame did not arrive");
  return received;
}

static void
check_same_bytes (GstBuffer * a, GstBuffer * b)
{
  GstMapInfo map;

  fail_unless_equals_uint64 (gst_buffer_get_size (a), gst_buffer_get_size (b));
  fail_unless (gst_buffer_map (a, &map, GST_MAP_READ));
  fail_unless (gst_buffer_memcmp (b, 0, map.data, map.size) == 0,
      "the bytes differ");
  gst_buffer_unmap (a, &map);
}

static void
check_same_layout (GstBuffer * a, GstBuffer * b)
{
  GstVideoMeta *m = gst_buffer_get_video_meta (a);
  GstVideoMeta *n = gst_buffer_get_video_meta (b);

  fail_unless ((m == NULL) == (n == NULL), "the video meta came or went");
  if (m == NULL)
    return;
  fail_unless_equals_int (m->flags, n->flags);
  fail_unless_equals_int (m->format, n->format);
  fail_unless_equals_int (m->width, n->width);
  fail_unless_equals_int (m->height, n->height);
  fail_unless_equals_int (m->n_planes, n->n_planes);
  for (guint i = 0; i < m->n_planes; i++) {
    fail_unless_equals_uint64 (m->offset[i], n->offset[i]);
    fail_unless_equals_int (m->stride[i], n->stride[i]);
  }
  fail_unless (memcmp (&m->alignment, &n->alignment, sizeof (m->alignment))
      == 0);
}

GST_START_TEST (test_one_frame)
{
  GstBuffer *sent = rig_frame (7, 64 * 48), *received;

  open_pair ();
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 64, 48));
  received = cross (gst_buffer_ref (sent));
  fail_unless (rig_is_frame (received, 7));
  check_same_bytes (sent, received);
  gst_buffer_unref (sent);
  gst_buffer_unref (received);
  close_pair ();
}

GST_END_TEST;

/* One in ordinary memory, one in the memory that the sink offers */
static void
check_format (GstVideoFormat format, gint width, gint height,
    const gchar * interlace_mode)
{
  GstCaps *caps = rig_caps (gst_video_format_to_string (format), width,
      height);
  GstBuffer *sent, *received;
  GstBufferPool *pool;
  GstVideoInfo info;

  gst_caps_set_simple (caps, "interlace-mode", G_TYPE_STRING, interlace_mode,
      NULL);
  if (!gst_video_info_from_caps (&info, caps)) {
    gst_caps_unref (caps);
    return;
  }
  GST_INFO ("%" GST_PTR_FORMAT, caps);
  gst_harness_set_src_caps (in, caps);
  pool = rig_pool (in);
  for (gint shared = 0; shared < 2; shared++) {
    sent = shared ? rig_acquire (pool)
        : gst_buffer_new_allocate (NULL, info.size, NULL);
    rig_fill (sent, format + shared);
    if (GST_VIDEO_INFO_IS_INTERLACED (&info))
      GST_BUFFER_FLAG_SET (sent, GST_VIDEO_BUFFER_FLAG_INTERLACED
          | GST_VIDEO_BUFFER_FLAG_TFF | GST_VIDEO_BUFFER_FLAG_RFF);
    fail_unless (shared == (gst_buffer_get_video_meta (sent) != NULL));
    received = cross (gst_buffer_ref (sent));
    check_same_bytes (sent, received);
    check_same_layout (sent, received);
    fail_unless ((GST_BUFFER_FLAGS (sent) ^ GST_BUFFER_FLAGS (received))
        < GST_VIDEO_BUFFER_FLAG_INTERLACED);
    gst_buffer_unref (sent);
    gst_buffer_unref (received);
  }
  rig_drop_pool (pool);
}

GST_START_TEST (test_every_format)
{
  guint n;
  const GstVideoFormat *formats = gst_video_formats_raw (&n);
  const gint sizes[][2] = { {1, 1}, {17, 13}, {321, 241} };

  fail_unless (n > 100);
  open_pair ();
  for (guint f = 0; f < n; f++) {
    for (guint s = 0; s < G_N_ELEMENTS (sizes); s++)
      check_format (formats[f], sizes[s][0], sizes[s][1], "progressive");
    check_format (formats[f], 64, 48, "interleaved");
    check_format (formats[f], 33, 35, "mixed");
  }
  fail_unless_equals_uint64 (rig_stat (in->element, "frames-copied") * 2,
      rig_stat (in->element, "frames"));
  close_pair ();
}

GST_END_TEST;

/* Rows and planes with room between them, not as the caps would have it */
GST_START_TEST (test_odd_layout)
{
  gsize offset[GST_VIDEO_MAX_PLANES] = { 48, 48 + 80 * 20, 48 + 80 * 26 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 80, 48, 56 };
  GstBuffer *sent = gst_buffer_new_allocate (NULL, 48 + 80 * 26 + 56 * 6,
      NULL);
  GstBuffer *received;
  GstVideoMeta *meta;
  GstVideoAlignment align;

  gst_video_alignment_reset (&align);
  align.padding_right = 16;
  open_pair ();
  gst_harness_set_src_caps (in, rig_caps ("I420", 64, 11));
  rig_fill (sent, 3);
  meta = gst_buffer_add_video_meta_full (sent, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_I420, 64, 11, 3, offset, stride);
  meta->alignment = align;
  received = cross (gst_buffer_ref (sent));
  fail_unless (gst_buffer_get_video_meta (received) != NULL);
  check_same_layout (sent, received);
  check_same_bytes (sent, received);
  gst_buffer_unref (sent);
  gst_buffer_unref (received);
  close_pair ();
}

GST_END_TEST;

/* Several memories, and only a part of them */
GST_START_TEST (test_memories)
{
  GstBuffer *sent = gst_buffer_new (), *received, *part;

  open_pair ();
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 64, 8));
  for (guint i = 0; i < 4; i++)
    sent = gst_buffer_append (sent, rig_frame (i, 128));
  fail_unless_equals_int (gst_buffer_n_memory (sent), 4);
  received = cross (gst_buffer_ref (sent));
  check_same_bytes (sent, received);
  gst_buffer_unref (received);

  part = gst_buffer_copy_region (sent, GST_BUFFER_COPY_MEMORY, 64, 400);
  received = cross (gst_buffer_ref (part));
  check_same_bytes (part, received);
  gst_buffer_unref (received);
  gst_buffer_unref (part);
  gst_buffer_unref (sent);

  sent = gst_harness_create_buffer (in, 64 * 8);
  rig_fill (sent, 9);
  part = gst_buffer_copy_region (sent, GST_BUFFER_COPY_MEMORY, 100, 300);
  received = cross (gst_buffer_ref (part));
  check_same_bytes (part, received);
  fail_unless_equals_uint64 (rig_stat (in->element, "frames-copied"), 2);
  gst_buffer_unref (received);
  gst_buffer_unref (part);
  gst_buffer_unref (sent);
  close_pair ();
}

GST_END_TEST;

GST_START_TEST (test_fields)
{
  const guint all[] = { GST_BUFFER_FLAG_LIVE,
    GST_BUFFER_FLAG_DECODE_ONLY, GST_BUFFER_FLAG_DISCONT,
    GST_BUFFER_FLAG_RESYNC, GST_BUFFER_FLAG_CORRUPTED, GST_BUFFER_FLAG_MARKER,
    GST_BUFFER_FLAG_HEADER, GST_BUFFER_FLAG_GAP, GST_BUFFER_FLAG_DROPPABLE,
    GST_BUFFER_FLAG_DELTA_UNIT, GST_BUFFER_FLAG_NON_DROPPABLE,
    GST_VIDEO_BUFFER_FLAG_ONEFIELD, GST_VIDEO_BUFFER_FLAG_MULTIPLE_VIEW,
  };
  const guint ours = ~(GST_MINI_OBJECT_FLAG_LAST - 1)
      & ~GST_BUFFER_FLAG_TAG_MEMORY;

  open_pair ();
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 4, 4));
  /* the first frame is DISCONT in any case */
  gst_buffer_unref (cross (rig_frame (0, 16)));
  for (guint i = 0; i < G_N_ELEMENTS (all) + 1; i++) {
    GstBuffer *sent = rig_frame (i + 1, 16), *received;

    if (i < G_N_ELEMENTS (all))
      GST_BUFFER_FLAG_SET (sent, all[i]);
    GST_BUFFER_DTS (sent) = i * GST_SECOND + 5;
    GST_BUFFER_DURATION (sent) = i + 17;
    GST_BUFFER_OFFSET (sent) = G_GUINT64_CONSTANT (1) << (40 + i);
    GST_BUFFER_OFFSET_END (sent) = i == 3 ? GST_BUFFER_OFFSET_NONE : i * 5;
    received = cross (gst_buffer_ref (sent));
    fail_unless_equals_uint64 (GST_BUFFER_PTS (received),
        GST_BUFFER_PTS (sent));
    fail_unless_equals_uint64 (GST_BUFFER_DTS (received),
        GST_BUFFER_DTS (sent));
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (received),
        GST_BUFFER_DURATION (sent));
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (received),
        GST_BUFFER_OFFSET (sent));
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (received),
        GST_BUFFER_OFFSET_END (sent));
    fail_unless_equals_int (GST_BUFFER_FLAGS (received) & ours,
        GST_BUFFER_FLAGS (sent) & ours);
    gst_buffer_unref (sent);
    gst_buffer_unref (received);
  }
  close_pair ();
}

GST_END_TEST;

GST_START_TEST (test_no_timestamps)
{
  GstBuffer *sent = gst_buffer_new_allocate (NULL, 16, NULL), *received;

  rig_fill (sent, 1);
  open_pair ();
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 4, 4));
  /* the base class of a live source stamps the first frame if nobody has */
  gst_buffer_unref (cross (rig_frame (0, 16)));
  received = cross (sent);
  fail_if (GST_BUFFER_PTS_IS_VALID (received));
  fail_if (GST_BUFFER_DTS_IS_VALID (received));
  fail_if (GST_BUFFER_DURATION_IS_VALID (received));
  fail_if (GST_BUFFER_OFFSET_IS_VALID (received));
  fail_if (GST_BUFFER_OFFSET_END_IS_VALID (received));
  gst_buffer_unref (received);
  close_pair ();
}

GST_END_TEST;

/* Larger frames need other slots; the frames of before are still to be read */
GST_START_TEST (test_caps_change)
{
  GstBuffer *kept[5];
  GstCaps *caps;

  open_pair ();
  for (gint i = 0; i < 5; i++) {
    gint width = i % 2 == 0 ? 64 << i : 32;

    gst_harness_set_src_caps (in, rig_caps ("GRAY8", width, 16));
    kept[i] = cross (rig_frame (i, width * 16));
    caps = gst_pad_get_current_caps (out->sinkpad);
    fail_unless_equals_int (g_value_get_int (gst_structure_get_value
            (gst_caps_get_structure (caps, 0), "width")), width);
    gst_caps_unref (caps);
  }
  for (gint i = 0; i < 5; i++) {
    fail_unless (rig_is_frame (kept[i], i), "frame %d is not what it was", i);
    gst_buffer_unref (kept[i]);
  }
  close_pair ();
}

GST_END_TEST;

GST_START_TEST (test_two_pairs)
{
  gchar *other = g_strconcat (rig_path, "2", NULL);
  GstHarness *in2, *out2;
  GstBuffer *received;

  open_pair ();
  in2 = rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          "socket-path", other, NULL));
  out2 = rig_harness (rig_element ("shmframesrc", "timestamps", "keep",
          "socket-path", other, NULL));
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  gst_harness_set_src_caps (in2, rig_caps ("GRAY8", 4, 4));
  for (guint i = 0; i < 20; i++) {
    fail_unless_equals_int (gst_harness_push (in2, rig_frame (100 + i, 16)),
        GST_FLOW_OK);
    received = cross (rig_frame (i, 64));
    fail_unless (rig_is_frame (received, i));
    gst_buffer_unref (received);
    received = gst_harness_pull (out2);
    fail_unless_equals_uint64 (gst_buffer_get_size (received), 16);
    fail_unless (rig_is_frame (received, 100 + i));
    gst_buffer_unref (received);
  }
  gst_harness_teardown (in2);
  gst_harness_teardown (out2);
  close_pair ();
  g_free (other);
}

GST_END_TEST;

/* The abstract namespace leaves no file at all */
GST_START_TEST (test_abstract)
{
  gchar *file = rig_path;
  GstBuffer *received;

  rig_path = g_strconcat ("@", rig_dir, NULL);
  open_pair ();
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 4, 4));
  received = cross (rig_frame (1, 16));
  fail_unless (rig_is_frame (received, 1));
  gst_buffer_unref (received);
  close_pair ();
  g_free (rig_path);
  rig_path = file;
}

GST_END_TEST;

GST_START_TEST (test_socket_mode)
{
  GstElement *sink = rig_element ("shmframesink", "socket-mode", 0640, NULL);
  GStatBuf st;

  rig_state (sink, GST_STATE_PAUSED);
  fail_unless_equals_int (g_stat (rig_path, &st), 0);
  fail_unless_equals_int (st.st_mode & 0777, 0640);
  rig_state (sink, GST_STATE_NULL);
  fail_unless (g_stat (rig_path, &st) < 0, "the socket file is still there");
  gst_object_unref (sink);
}

GST_END_TEST;

/* One frame from the sink's own pool, with this number */
static GstBuffer *
pooled_frame (GstBufferPool * pool, guint number)
{
  GstBuffer *buffer = rig_acquire (pool);

  rig_fill (buffer, number);
  return buffer;
}

/* A frame in a slot is published ahead of render(), once; one in a list after
 * it, or after a step, is not taken for it. */
GST_START_TEST (test_published_once)
{
  GstBufferList *list = gst_buffer_list_new ();
  GstBufferPool *pool;

  open_pair ();
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 64, 48));
  pool = rig_pool (in);
  for (guint i = 0; i < 6; i++) {
    if (i == 4)
      gst_element_send_event (in->element, gst_event_new_step
          (GST_FORMAT_BUFFERS, 0, 1.0, TRUE, FALSE));
    fail_unless_equals_int (gst_harness_push (in, pooled_frame (pool, i)),
        GST_FLOW_OK);
  }
  for (guint i = 6; i < 8; i++)
    gst_buffer_list_add (list, pooled_frame (pool, i));
  fail_unless_equals_int (gst_pad_push_list (in->srcpad, list), GST_FLOW_OK);
  for (guint i = 0; i < 8; i++) {
    GstBuffer *received = gst_harness_pull (out);

    fail_unless (received != NULL && rig_is_frame (received, i), "frame %u",
        i);
    gst_buffer_unref (received);
  }
  fail_unless_equals_uint64 (rig_stat (in->element, "frames"), 8);
  rig_drop_pool (pool);
  close_pair ();
}

GST_END_TEST;

/* The base class decides what is prerolled, stepped over or dropped: its pad
 * functions are what they are in every sink. */
GST_START_TEST (test_pad_functions)
{
  GstElement *sink = gst_element_factory_make ("shmframesink", NULL);
  GstElement *other = gst_element_factory_make ("fakesink", NULL);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  GstPad *theirs = gst_element_get_static_pad (other, "sink");

  fail_unless (GST_PAD_CHAINFUNC (pad) == GST_PAD_CHAINFUNC (theirs));
  fail_unless (GST_PAD_CHAINLISTFUNC (pad) == GST_PAD_CHAINLISTFUNC (theirs));
  fail_unless (GST_PAD_EVENTFUNC (pad) == GST_PAD_EVENTFUNC (theirs));
  fail_unless (GST_PAD_QUERYFUNC (pad) == GST_PAD_QUERYFUNC (theirs));
  gst_object_unref (pad);
  gst_object_unref (theirs);
  gst_object_unref (sink);
  gst_object_unref (other);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_one_frame);
  tcase_add_test (tc, test_every_format);
  tcase_add_test (tc, test_odd_layout);
  tcase_add_test (tc, test_memories);
  tcase_add_test (tc, test_fields);
  tcase_add_test (tc, test_no_timestamps);
  tcase_add_test (tc, test_caps_change);
  tcase_add_test (tc, test_two_pairs);
  tcase_add_test (tc, test_abstract);
  tcase_add_test (tc, test_socket_mode);
  tcase_add_test (tc, test_published_once);
  tcase_add_test (tc, test_pad_functions);
}

RIG_SUITE (shmframe_basic)
