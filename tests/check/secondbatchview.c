/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A window as one array: what counts as contiguous, and reading it */
#include "batchrig.h"
#include "gstsecondbatchview.h"

#define N 5

static const guint8 *base;
static guint64 stride;

/* Takes the list */
static gboolean
find (GstBufferList * list)
{
  gboolean found = gst_second_batch_find_stride (list, &base, &stride);

  gst_buffer_list_unref (list);
  return found;
}

/* Frames of these many bytes at these offsets of one allocation */
static GstBufferList *
parts_of (GstMemory * whole, const gsize * offsets, gsize size)
{
  GstBufferList *list = gst_buffer_list_new ();
  guint i;

  for (i = 0; i < N; i++) {
    GstBuffer *frame = gst_buffer_new ();

    gst_buffer_append_memory (frame, gst_memory_share (whole,
            (gssize) offsets[i], (gssize) size));
    gst_buffer_list_add (list, frame);
  }
  return list;
}

static GstBuffer *
frame_of (GstBufferList * list, guint i)
{
  return gst_buffer_list_get_writable (list, i);
}

GST_START_TEST (test_one_allocation)
{
  const gsize even[N] = { 8, 108, 208, 308, 408 };
  const gsize uneven[N] = { 8, 108, 208, 308, 409 };
  const gsize back[N] = { 408, 308, 208, 108, 8 };
  const gsize repeated[N] = { 8, 108, 208, 308, 308 };
  const gsize same[N] = { 8, 8, 8, 8, 8 };
  GstMemory *whole = gst_allocator_alloc (NULL, 600, NULL);
  GstBufferList *list;
  GstMapInfo map;

  fail_unless (gst_memory_map (whole, &map, GST_MAP_READ));
  fail_unless (find (parts_of (whole, even, 64)));
  fail_unless (base == map.data + 8);
  fail_unless_equals_uint64 (stride, 100);
  fail_unless (find (parts_of (whole, even, 100)));
  gst_memory_unmap (whole, &map);

  fail_if (find (parts_of (whole, even, 101)), "the frames overlap");
  fail_if (find (parts_of (whole, uneven, 64)));
  fail_if (find (parts_of (whole, back, 64)));
  fail_if (find (parts_of (whole, repeated, 64)));
  fail_if (find (parts_of (whole, same, 64)));
  fail_if (find (gst_buffer_list_new ()));

  list = parts_of (whole, even, 64);
  gst_buffer_set_size (frame_of (list, 3), 63);
  fail_if (find (list), "a frame of another size");
  list = parts_of (whole, even, 64);
  gst_buffer_append_memory (frame_of (list, 0), gst_memory_ref (whole));
  fail_if (find (list), "a frame of two memories");
  list = parts_of (whole, even, 64);
  gst_buffer_list_remove (list, 1, N - 1);
  fail_unless (find (list), "one frame alone");
  fail_unless_equals_uint64 (stride, 64);
  gst_memory_unref (whole);
}

GST_END_TEST;

/* Allocations of their own are never one mapping, however far apart */
GST_START_TEST (test_many_allocations)
{
  GstBufferList *list = gst_buffer_list_new ();
  guint i;

  for (i = 0; i < 2; i++)
    gst_buffer_list_add (list, gst_buffer_new_allocate (NULL, 1 << 20, NULL));
  fail_if (find (list));
}

GST_END_TEST;

GST_START_TEST (test_layouts)
{
  const gsize even[N] = { 0, 100, 200, 300, 400 };
  GstMemory *whole = gst_allocator_alloc (NULL, 600, NULL);
  guint with_meta, other;

  for (with_meta = 1; with_meta <= N; with_meta += N - 1) {
    for (other = 0; other < 2; other++) {
      GstBufferList *list = parts_of (whole, even, 64);
      guint i;

      for (i = 0; i < with_meta; i++) {
        gsize offset[GST_VIDEO_MAX_PLANES] = { 0 };
        gint rows[GST_VIDEO_MAX_PLANES] = { i == 2 && other ? 12 : 16 };

        gst_buffer_add_video_meta_full (frame_of (list, i), 0,
            GST_VIDEO_FORMAT_GRAY8, 4, 4, 1, offset, rows);
      }
      fail_unless (find (list) == (with_meta == N && !other));
    }
  }
  gst_memory_unref (whole);
}

GST_END_TEST;

/* --- a ring that is mapped twice --- */

#define RING_SLOTS 7
#define RING_PITCH 64

static guint8 ring_bytes[RING_SLOTS * RING_PITCH];
static gboolean ring_twice;

static const guint8 *
locate (GstMemory * memory, GstSecondBatchRing * ring)
{
  ring->base = ring_bytes;
  ring->size = sizeof (ring_bytes);
  ring->twice = ring_twice;
  return ring_bytes + memory->offset;
}

static GstBufferList *
slots (GstAllocator * allocator, guint from, guint step, guint n)
{
  GstBufferList *list = gst_buffer_list_new ();
  guint i;

  for (i = 0; i < n; i++) {
    GstMemory *memory = g_new0 (GstMemory, 1);

    gst_memory_init (memory, 0, allocator, NULL, sizeof (ring_bytes), 0,
        (from + i * step) % RING_SLOTS * RING_PITCH, RING_PITCH);
    gst_buffer_list_add (list, gst_buffer_new ());
    gst_buffer_append_memory (frame_of (list, i), memory);
  }
  return list;
}

typedef GstAllocator TestRing;
typedef GstAllocatorClass TestRingClass;

static GType test_ring_get_type (void);
G_DEFINE_TYPE (TestRing, test_ring, GST_TYPE_ALLOCATOR);

static void
ring_free (GstAllocator * allocator, GstMemory * memory)
{
  g_free (memory);
}

static void
test_ring_class_init (TestRingClass * klass)
{
  klass->free = ring_free;
}

static void
test_ring_init (TestRing * self)
{
  self->mem_type = "TestRing";
}

GST_START_TEST (test_ring_mapped_twice)
{
  GstAllocator *allocator = g_object_new (test_ring_get_type (), NULL);
  guint from;

  gst_object_ref_sink (allocator);
  fail_if (find (slots (allocator, 0, 1, 3)), "the allocator says nothing");
  g_object_set_qdata (G_OBJECT (allocator),
      g_quark_from_string (GST_SECOND_BATCH_RING_QDATA), (gpointer) locate);

  for (from = 0; from < RING_SLOTS; from++) {
    ring_twice = TRUE;
    fail_unless (find (slots (allocator, from, 1, N)));
    fail_unless (base == ring_bytes + from * RING_PITCH);
    fail_unless_equals_uint64 (stride, RING_PITCH);
    fail_unless (find (slots (allocator, from, 1, RING_SLOTS)));
    fail_if (find (slots (allocator, from, 1, RING_SLOTS + 1)),
        "further than once around");
    fail_unless (find (slots (allocator, from, 2, 3)));
    fail_if (find (slots (allocator, from, 2, 5)), "twice around");
    ring_twice = FALSE;
    fail_unless (find (slots (allocator, from, 1, N))
        == (from + N <= RING_SLOTS));
  }
  gst_object_unref (allocator);
}

GST_END_TEST;

/* --- through the batcher --- */

GST_START_TEST (test_view)
{
  const gsize even[N] = { 0, 20, 40, 60, 80 };
  GstMemory *whole = gst_allocator_alloc (NULL, 100, NULL);
  GstSecondBatchView view;
  GstBufferList *list;
  GstBuffer *batch;
  GstMapInfo map;
  guint i;
  Rig rig;

  fail_unless (gst_memory_map (whole, &map, GST_MAP_WRITE));
  for (i = 0; i < map.size; i++)
    map.data[i] = (guint8) i;
  gst_memory_unmap (whole, &map);
  list = parts_of (whole, even, FRAME_BYTES);
  rig_init (&rig, 2, FALSE, NULL);
  rig_set_caps (&rig, 0, 5, 1);
  rig_set_caps (&rig, 1, 5, 1);
  for (i = 0; i < N; i++) {
    GstBuffer *frame = gst_buffer_ref (frame_of (list, i));

    GST_BUFFER_PTS (frame) = i * GST_SECOND / 5;
    gst_harness_push (rig.h[0], frame);
    rig_push (&rig, 1, i * GST_SECOND / 5);
  }
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_if (gst_second_batch_is_contiguous (batch, 1, &stride));
  fail_unless_equals_uint64 (stride, 0);
  fail_if (gst_second_batch_view_map (batch, 1, &view));
  fail_if (gst_second_batch_view_map (batch, 2, &view));

  fail_unless (gst_second_batch_view_map (batch, 0, &view));
  fail_unless_equals_int (view.frames, N);
  fail_unless_equals_uint64 (view.frame_stride, 20);
  fail_unless_equals_int (view.info.width, 4);
  fail_unless_equals_int (view.info.stride[0], 4);
  for (i = 0; i < N; i++)
    fail_unless_equals_int (*gst_second_batch_view_plane (&view, i, 0), i * 20);
  gst_second_batch_view_unmap (&view);
  gst_buffer_unref (batch);
  gst_buffer_list_unref (list);
  gst_memory_unref (whole);
  rig_clear (&rig);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_one_allocation);
  tcase_add_test (tc, test_many_allocations);
  tcase_add_test (tc, test_layouts);
  tcase_add_test (tc, test_ring_mapped_twice);
  tcase_add_test (tc, test_view);
}

BATCH_SUITE (secondbatchview)
