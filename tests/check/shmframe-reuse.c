/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers that serve for frame after frame, at either end: whatever somebody
 * did to one, the next frame has it as new. */
#include "shmrig.h"

#include <gst/video/video.h>

#define FRAME_SIZE (64 * 48)
#define FRAMES 30

typedef enum
{
  NOTHING,
  FIELDS,                       /* times and flags */
  META_ADDED,
  SIZE,
  META_CHANGED,
  META_REMOVED,
  MEMORY_ADDED,
  MEMORY_REMOVED,
  MEMORY_KEPT,                  /* by somebody, for longer than the buffer */
  PART_KEPT,
} Deed;

/* Of a memory that is kept: that of frame 0 */
static GstMemory *kept;

static void
keep (GstMemory * memory)
{
  if (kept == NULL)
    kept = memory;
  else
    gst_memory_unref (memory);
}

static void
do_it (Deed deed, GstBuffer * buffer)
{
  switch (deed) {
    case NOTHING:
      break;
    case FIELDS:
      GST_BUFFER_DTS (buffer) = 7;
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_GAP
          | GST_BUFFER_FLAG_CORRUPTED);
      break;
    case META_ADDED:
      gst_buffer_add_video_crop_meta (buffer);
      break;
    case SIZE:
      gst_buffer_resize (buffer, 64, 64);
      break;
    case META_CHANGED:
      gst_buffer_get_video_meta (buffer)->stride[0] = 32;
      break;
    case META_REMOVED:
      gst_buffer_remove_meta (buffer, (GstMeta *)
          gst_buffer_get_video_meta (buffer));
      break;
    case MEMORY_ADDED:
      gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, 16, NULL));
      break;
    case MEMORY_REMOVED:
      gst_buffer_remove_all_memory (buffer);
      break;
    case MEMORY_KEPT:
      keep (gst_buffer_get_memory (buffer, 0));
      break;
    case PART_KEPT:
      keep (gst_memory_share (gst_buffer_peek_memory (buffer, 0), 0, -1));
      break;
  }
}

static void
fail_unless_new (GstBuffer * buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  gpointer state = NULL;
  guint n = 0;

  while (gst_buffer_iterate_meta (buffer, &state) != NULL)
    n++;
  fail_unless_equals_int (n, 1);
  fail_unless (meta != NULL && meta->stride[0] == 64 && meta->height == 48);
  fail_unless_equals_int (gst_buffer_n_memory (buffer), 1);
  fail_unless_equals_int (gst_buffer_get_size (buffer), FRAME_SIZE);
  fail_if (GST_BUFFER_DTS_IS_VALID (buffer));
  fail_if (GST_BUFFER_FLAGS (buffer) & (GST_BUFFER_FLAG_GAP
          | GST_BUFFER_FLAG_CORRUPTED));
}

/* Marks it, and tells whether it was used before */
static guint
mark (GstBuffer * buffer)
{
  GQuark quark = g_quark_from_static_string ("used before");
  gboolean is_marked = gst_mini_object_get_qdata (GST_MINI_OBJECT (buffer),
      quark) != NULL;

  gst_mini_object_set_qdata (GST_MINI_OBJECT (buffer), quark, buffer, NULL);
  return is_marked;
}

/* Nobody else may see what `kept` has: it is frame 0 still */
static void
fail_unless_kept (void)
{
  GstBuffer *buffer = gst_buffer_new ();

  gst_buffer_append_memory (buffer, kept);
  fail_unless (rig_is_frame (buffer, 0));
  gst_buffer_unref (buffer);
  kept = NULL;
}

typedef struct
{
  Deed deed;
  gint n;                       /* atomic */
  guint n_used_before;
} Downstream;

static GstPadProbeReturn
on_frame (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  Downstream *self = user;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  fail_unless_new (buffer);
  fail_unless (rig_is_frame (buffer, g_atomic_int_get (&self->n)));
  self->n_used_before += mark (buffer);
  do_it (self->deed, buffer);
  g_atomic_int_inc (&self->n);
  return GST_PAD_PROBE_OK;
}

GST_START_TEST (test_received)
{
  Downstream self = { __i__, 0, 0 };
  GstElement *producer = rig_launch (RIG_APPSRC (64, 48) " ! shmframesink "
      "socket-path=@ min-clients=1");
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "fakesink sync=false enable-last-sample=false");
  GstPad *pad = gst_element_get_static_pad (rig_child (consumer, "src"), "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, &self, NULL);
  gst_object_unref (pad);
  rig_play (consumer);
  rig_play (producer);
  for (guint i = 0; i < FRAMES; i++) {
    GstBuffer *buffer = rig_frame (i, FRAME_SIZE);

    gst_buffer_add_video_meta (buffer, 0, GST_VIDEO_FORMAT_GRAY8, 64, 48);
    rig_feed (producer, "in", buffer);
    rig_until (g_atomic_int_get (&self.n) == (gint) i + 1);
  }
  if (kept != NULL)
    fail_unless_kept ();
  rig_stop (consumer);
  rig_stop (producer);
  /* The first ones are made one by one, until two were alike. */
  if (self.deed <= FIELDS) {
    fail_unless (self.n_used_before >= FRAMES - 5);
  } else if (self.deed < MEMORY_KEPT) {
    fail_unless_equals_int (self.n_used_before, 0);
  }
}

GST_END_TEST;

/* A pool's video meta is its user's to respect, as in every pool */
GST_START_TEST (test_allocated)
{
  const Deed deed = __i__;
  GstHarness *h = rig_harness (rig_element ("shmframesink", NULL));
  GstBufferPool *pool;
  guint n_used_before = 0;
  const guint8 *last = NULL;

  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  pool = rig_pool (h);
  for (guint i = 0; i < FRAMES; i++) {
    GstBuffer *buffer = rig_acquire (pool);
    GstMapInfo map;

    fail_unless_new (buffer);
    n_used_before += mark (buffer);
    rig_fill (buffer, i);
    fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
    fail_unless (map.data != last);     /* in cyclic order */
    last = map.data;
    gst_buffer_unmap (buffer, &map);
    do_it (deed, buffer);
    fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
  }
  if (kept != NULL)
    fail_unless_kept ();
  fail_unless (deed <= SIZE ? n_used_before >= FRAMES - 3
      : deed >= MEMORY_KEPT || n_used_before == 0);
  rig_drop_pool (pool);
  gst_harness_teardown (h);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_received, NOTHING, PART_KEPT + 1);
  tcase_add_loop_test (tc, test_allocated, NOTHING, META_CHANGED);
  tcase_add_loop_test (tc, test_allocated, MEMORY_ADDED, PART_KEPT + 1);
}

RIG_SUITE (shmframe_reuse)
