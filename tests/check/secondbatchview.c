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

static const gsize even_offsets[N] = { 0, 20, 40, 60, 80 };

/* Bytes that count up; not in frames yet */
static GstMemory *
counted_bytes (void)
{
  GstMemory *whole = gst_allocator_alloc (NULL, 100, NULL);
  GstMapInfo map;
  guint i;

  fail_unless (gst_memory_map (whole, &map, GST_MAP_WRITE));
  for (i = 0; i < map.size; i++)
    map.data[i] = (guint8) i;
  gst_memory_unmap (whole, &map);
  return whole;
}

/* Stream 0: frames of one allocation; stream 1: frames of their own, the first
 * byte tells which; stream 2: none. Pulls the batch. */
static GstBuffer *
run_streams (Rig * rig, GstMemory * whole)
{
  GstBufferList *list = parts_of (whole, even_offsets, FRAME_BYTES);
  guint i;

  for (i = 0; i < 3; i++)
    rig_set_caps (rig, i, 5, 1);
  for (i = 0; i < N; i++) {
    GstBuffer *part = gst_buffer_ref (frame_of (list, i));
    GstBuffer *frame = rig_frame (i * GST_SECOND / 5, GST_CLOCK_TIME_NONE);

    GST_BUFFER_PTS (part) = i * GST_SECOND / 5;
    gst_buffer_memset (frame, 0, (guint8) (7 * i), FRAME_BYTES);
    fail_unless_equals_int (gst_harness_push (rig->h[0], part), GST_FLOW_OK);
    fail_unless_equals_int (gst_harness_push (rig->h[1], frame), GST_FLOW_OK);
  }
  gst_buffer_list_unref (list);
  rig_eos (rig);
  return rig_pull (rig);
}

static void
check_view (GstBuffer * batch, guint stream, guint64 frame_stride, guint step)
{
  GstSecondBatchView view;
  guint i;

  fail_unless (gst_second_batch_view_map (batch, stream, &view));
  fail_unless_equals_int (view.frames, N);
  fail_unless_equals_uint64 (view.frame_stride, frame_stride);
  fail_unless_equals_int (view.info.width, 4);
  fail_unless_equals_int (view.info.stride[0], 4);
  for (i = 0; i < N; i++)
    fail_unless_equals_int (*gst_second_batch_view_plane (&view, i, 0),
        i * step);
  gst_second_batch_view_unmap (&view);
}

GST_START_TEST (test_view)
{
  GstMemory *whole = counted_bytes ();
  GstSecondBatchView view;
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 3, FALSE, NULL);
  batch = run_streams (&rig, whole);
  fail_if (gst_second_batch_is_contiguous (batch, 1, &stride));
  fail_unless_equals_uint64 (stride, 0);
  fail_if (gst_second_batch_view_map (batch, 1, &view));
  fail_if (gst_second_batch_view_map (batch, 2, &view));
  fail_if (gst_second_batch_view_map (batch, 3, &view));
  check_view (batch, 0, 20, 20);
  fail_unless_equals_int (gst_buffer_n_memory (batch), 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-contiguous"), 1);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-contiguous"), 0);
  gst_buffer_unref (batch);
  gst_memory_unref (whole);
  rig_clear (&rig);
}

GST_END_TEST;

/* --- output=memory --- */

static const guint8 *
address_of (GstMemory * memory)
{
  const guint8 *address;
  GstMapInfo map;

  fail_unless (gst_memory_map (memory, &map, GST_MAP_READ));
  address = map.data;
  gst_memory_unmap (memory, &map);      /* clears the map, since 1.28 */
  return address;
}

static void
count_down (gpointer user, GstMiniObject * gone)
{
  (*(gint *) user)--;
}

GST_START_TEST (test_output_memory)
{
  GstMemory *whole = counted_bytes (), *memory;
  gint alive = 1;
  GstBuffer *batch;
  Rig rig;

  rig_init (&rig, 3, FALSE, "output", "memory", NULL);
  batch = run_streams (&rig, whole);
  fail_unless_equals_int (gst_buffer_n_memory (batch), 3);

  /* where the frames are, no copy */
  memory = gst_buffer_get_memory (batch, 0);
  fail_unless (address_of (memory) == address_of (whole));
  fail_unless_equals_uint64 (memory->size, 80 + FRAME_BYTES);
  fail_unless (GST_MEMORY_IS_READONLY (memory));
  check_view (batch, 0, 20, 20);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-gathered"), 0);

  /* a copy, which the frames are parts of now */
  check_view (batch, 1, 64, 7);
  fail_unless (address_of (gst_buffer_peek_memory (batch_frame (batch, 1, 0),
              0)) == address_of (gst_buffer_peek_memory (batch, 1)));
  fail_unless_equals_uint64 (GST_BUFFER_PTS (batch_frame (batch, 1, 2)),
      2 * GST_SECOND / 5);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_1-gathered"), N);
  fail_unless_equals_int (batch_count (batch, 1), N);
  fail_unless_equals_uint64 (gst_buffer_peek_memory (batch, 2)->size, 0);

  /* the memory alone keeps the frames */
  gst_mini_object_weak_ref (GST_MINI_OBJECT_CAST (gst_second_batch_get_buffers
          (batch, 0)), count_down, &alive);
  gst_buffer_unref (batch);
  fail_unless_equals_int (alive, 1);
  fail_unless_equals_int (address_of (memory)[40], 40);
  gst_memory_unref (memory);
  fail_unless_equals_int (alive, 0);
  gst_memory_unref (whole);
  rig_clear (&rig);
}

GST_END_TEST;

/* The room of a window that is gone serves the next one */
GST_START_TEST (test_room_is_reused)
{
  const guint8 *room = NULL;
  guint window;
  Rig rig;

  rig_init (&rig, 1, FALSE, "output", "memory", NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push (&rig, 0, 0);
  for (window = 0; window < 4; window++) {
    GstBuffer *batch;

    /* up to the first frame of the next window */
    rig_push_n (&rig, 0, window * GST_SECOND + GST_SECOND / 10,
        GST_SECOND / 10, 10);
    batch = rig_pull (&rig);
    fail_unless_equals_int (batch_count (batch, 0), 10);
    if (window == 0)
      room = address_of (gst_buffer_peek_memory (batch, 0));
    fail_unless (address_of (gst_buffer_peek_memory (batch, 0)) == room,
        "window %u is in memory of its own", window);
    gst_buffer_unref (batch);
  }
  rig_clear (&rig);
}

GST_END_TEST;

/* Encoded frames: one after the other in the memory, but no array */
GST_START_TEST (test_uneven_frames)
{
  GstBuffer *batch;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, "output", "memory", NULL);
  gst_harness_set_src_caps_str (rig.h[0], "image/jpeg,framerate=5/1");
  for (i = 0; i < N; i++) {
    GstBuffer *frame = gst_buffer_new_allocate (NULL, 10 + 30 * i, NULL);

    gst_buffer_memset (frame, 0, (guint8) i, 10 + 30 * i);
    GST_BUFFER_PTS (frame) = i * GST_SECOND / 5;
    gst_harness_push (rig.h[0], frame);
  }
  rig_eos (&rig);
  batch = rig_pull (&rig);
  fail_if (gst_second_batch_is_contiguous (batch, 0, NULL));
  for (i = 0; i < N; i++) {
    GstBuffer *frame = batch_frame (batch, 0, i);

    fail_unless_equals_uint64 (gst_buffer_get_size (frame), 10 + 30 * i);
    fail_unless_equals_int (*address_of (gst_buffer_peek_memory (frame, 0)), i);
  }
  gst_buffer_unref (batch);
  rig_clear (&rig);
}

GST_END_TEST;

GST_START_TEST (test_too_many_streams)
{
  guint i, n = gst_buffer_get_max_memory () + 1;
  GstMessage *m;
  GstBus *bus;
  Rig rig;

  rig_init (&rig, n, FALSE, "output", "memory", NULL);
  bus = gst_bus_new ();
  gst_element_set_bus (rig.batcher, bus);
  for (i = 0; i < n; i++) {
    rig_set_caps (&rig, i, 5, 1);
    rig_push (&rig, i, 0);
  }
  rig_eos (&rig);
  m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE, GST_MESSAGE_ERROR);
  fail_unless (m != NULL, "no error");
  gst_message_unref (m);
  gst_element_set_bus (rig.batcher, NULL);
  gst_object_unref (bus);
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
  tcase_add_test (tc, test_output_memory);
  tcase_add_test (tc, test_room_is_reused);
  tcase_add_test (tc, test_uneven_frames);
  tcase_add_test (tc, test_too_many_streams);
}

BATCH_SUITE (secondbatchview)
