/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Upstreams with buffers of their own, few of them, which they wait for: as
 * v4l2src has in its io-modes. What clients return goes back to them also while
 * no frame arrives. */
#include "shmrig.h"

#include <gst/allocators/gstfdmemory.h>
#include <sys/mman.h>

#define FRAME_SIZE (64 * 48)
#define FRAMES 200
/* As many as a driver has */
#define POOLED 4

typedef enum
{
  MMAP,                         /* memory of the driver */
  DMABUF,                       /* the same, as file descriptors */
  USERPTR,                      /* the driver's pool, on memory of the sink */
  IMPORT,                       /* the sink's pool; the driver has POOLED */
} IoMode;

/* Memory that another process could be given */
static GstMemory *
fd_memory (gsize size)
{
  GstAllocator *allocator = gst_fd_allocator_new ();
  int fd = memfd_create ("frame", MFD_CLOEXEC);
  GstMemory *memory;

  fail_unless (fd >= 0 && ftruncate (fd, (off_t) size) == 0);
  memory =
      gst_fd_allocator_alloc (allocator, fd, size, GST_FD_MEMORY_FLAG_NONE);
  gst_object_unref (allocator);
  return memory;
}

/* A driver's buffers are made once, and never of other memory */
typedef GstBufferPool DmabufPool;
typedef GstBufferPoolClass DmabufPoolClass;
static GType dmabuf_pool_get_type (void);
G_DEFINE_TYPE (DmabufPool, dmabuf_pool, GST_TYPE_BUFFER_POOL)

static GstFlowReturn
dmabuf_pool_alloc (GstBufferPool * pool, GstBuffer ** buffer,
    GstBufferPoolAcquireParams * params)
{
  *buffer = gst_buffer_new ();
  gst_buffer_append_memory (*buffer, fd_memory (FRAME_SIZE));
  return GST_FLOW_OK;
}

static void
dmabuf_pool_class_init (DmabufPoolClass * klass)
{
  klass->alloc_buffer = dmabuf_pool_alloc;
}

static void
dmabuf_pool_init (DmabufPool * pool)
{
}

static GstAllocator *
sink_allocator (GstHarness * h)
{
  GstCaps *caps = gst_pad_get_current_caps (h->srcpad);
  GstQuery *query = gst_query_new_allocation (caps, FALSE);
  GstAllocator *allocator = NULL;

  fail_unless (gst_pad_peer_query (h->srcpad, query));
  fail_unless_equals_int (gst_query_get_n_allocation_pools (query), 0);
  gst_query_parse_nth_allocation_param (query, 0, &allocator, NULL);
  gst_query_unref (query);
  gst_caps_unref (caps);
  return allocator;
}

/* Active, and with all of its buffers made, but for IMPORT */
static GstBufferPool *
open_camera (GstHarness * h, IoMode mode)
{
  GstBufferPool *pool = mode == IMPORT ? rig_pool (h) : mode == DMABUF
      ? g_object_new (dmabuf_pool_get_type (), NULL) : gst_buffer_pool_new ();
  GstAllocator *allocator = mode == USERPTR ? sink_allocator (h) : NULL;
  GstCaps *caps = gst_pad_get_current_caps (h->srcpad);
  GstStructure *config;

  if (mode != IMPORT) {
    config = gst_buffer_pool_get_config (pool);
    gst_buffer_pool_config_set_params (config, caps, FRAME_SIZE, POOLED,
        POOLED);
    if (allocator != NULL)
      gst_buffer_pool_config_set_allocator (config, allocator, NULL);
    fail_unless (gst_buffer_pool_set_config (pool, config));
    fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  }
  gst_clear_object (&allocator);
  gst_caps_unref (caps);
  return pool;
}

/* Frames as a driver makes them: into the oldest of the buffers that it has,
 * which are POOLED where they are imported */
static void
shoot (GstHarness * h, GstBufferPool * pool, IoMode mode, guint n)
{
  GQueue queued = G_QUEUE_INIT;

  for (guint i = 0; i < n; i++) {
    GstBuffer *buffer;

    while (queued.length < (mode == IMPORT ? POOLED : 1))
      g_queue_push_tail (&queued, rig_acquire (pool));
    buffer = g_queue_pop_head (&queued);
    rig_fill (buffer, i);
    fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
  }
  g_queue_clear_full (&queued, (GDestroyNotify) gst_buffer_unref);
}

static void
check_frame (GstElement * fakesink, GstBuffer * buffer, GstPad * pad,
    guint * n)
{
  fail_unless (rig_is_frame (buffer, g_atomic_int_get (n)));
  g_atomic_int_inc (n);
}

GST_START_TEST (test_io_mode)
{
  IoMode mode = __i__;
  GstHarness *h =
      rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          NULL));
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
      "fakesink name=out signal-handoffs=true sync=false");
  GstBufferPool *pool;
  guint n = 0;

  g_signal_connect (rig_child (consumer, "out"), "handoff",
      G_CALLBACK (check_frame), &n);
  rig_play (consumer);
  rig_until (rig_num_clients (h->element) == 1);
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  pool = open_camera (h, mode);
  shoot (h, pool, mode, FRAMES);
  rig_until (g_atomic_int_get (&n) == FRAMES);
  fail_unless_equals_uint64 (rig_stat (h->element, "frames-copied"),
      mode == MMAP || mode == DMABUF ? FRAMES : 0);
  rig_drop_pool (pool);
  gst_harness_teardown (h);
  rig_stop (consumer);
}

GST_END_TEST;

static const gchar *deliveries[] = { "live", "lossless" };

/* All that the pool has is with the consumer, and the camera waits for it. The
 * latest stays with the sink until the next, for those that join, and appsink
 * keeps what was pulled last. */
GST_START_TEST (test_taken_back)
{
  GstHarness *h = rig_harness (rig_element ("shmframesink", "delivery",
          deliveries[__i__], NULL));
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ max-held=8 ! "
      "appsink name=out sync=false");
  GstBufferPoolAcquireParams at_once = {.flags =
        GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT
  };
  GstBuffer *held[POOLED], *again[POOLED], *last = NULL, *none;
  GstBufferPool *pool;

  rig_play (consumer);
  rig_until (rig_num_clients (h->element) == 1);
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  pool = open_camera (h, USERPTR);
  shoot (h, pool, USERPTR, POOLED);
  for (guint i = 0; i < POOLED; i++)
    held[i] = rig_pull (consumer, "out");
  for (guint i = 0; i < POOLED; i++) {
    fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &none,
            &at_once), GST_FLOW_EOS);
    if (i == POOLED - 1) {
      fail_unless_equals_int (gst_harness_push (h, again[0]), GST_FLOW_OK);
      last = rig_pull (consumer, "out");
    }
    gst_buffer_unref (held[i]);
    again[i] = rig_acquire (pool);
  }
  for (guint i = 1; i < POOLED; i++)
    gst_buffer_unref (again[i]);
  gst_buffer_unref (last);
  rig_drop_pool (pool);
  gst_harness_teardown (h);
  rig_stop (consumer);
}

GST_END_TEST;

static GstBufferPool *imported;

static gpointer
shoot_imported (gpointer harness)
{
  GstHarness *h = harness;
  GstBufferPool *pool = imported != NULL ? imported : rig_pool (h);

  shoot (h, pool, IMPORT, FRAMES);
  rig_drop_pool (pool);
  return NULL;
}

/* A ring of fixed size, all of it with the driver or the consumer: the driver
 * waits in the sink's pool, and goes on with what comes back; also where it has
 * had the pool since before the stream began (1) */
GST_START_TEST (test_blocked_in_pool)
{
  GstHarness *h =
      rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          "slots", 12, NULL));
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ max-held=3 ! "
      "appsink name=out sync=false max-buffers=1");
  GThread *camera;

  rig_play (consumer);
  rig_until (rig_num_clients (h->element) == 1);
  imported = __i__ == 1 ? rig_pool_for (h, rig_caps ("GRAY8", 64, 48)) : NULL;
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  camera = g_thread_new ("camera", shoot_imported, h);
  for (guint round = 0; round < 3; round++) {
    rig_until (rig_stat (h->element, "slots-free") <= 2);
    for (guint i = 0; i < FRAMES / 3; i++) {
      GstBuffer *buffer = rig_pull (consumer, "out");

      fail_unless (rig_is_frame (buffer, round * (FRAMES / 3) + i));
      gst_buffer_unref (buffer);
    }
  }
  for (guint i = 0; i < FRAMES % 3; i++)
    gst_buffer_unref (rig_pull (consumer, "out"));
  g_thread_join (camera);
  fail_unless_equals_uint64 (rig_stat (h->element, "frames-copied"), 0);
  fail_unless_equals_uint64 (rig_stat (h->element, "growths"), 0);
  gst_harness_teardown (h);
  rig_stop (consumer);
}

GST_END_TEST;

/* Upstream keeps every slot that it can get. What it then brings in ordinary
 * memory is copied, and all of it arrives where the producer waits. */
GST_START_TEST (test_exhausted)
{
  const gboolean live = __i__ == 0;
  GstHarness *h = rig_harness (rig_element ("shmframesink", "delivery",
          deliveries[__i__], "slots", 12, NULL));
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ max-held=3 ! "
      "fakesink name=out signal-handoffs=true sync=false");
  GPtrArray *kept = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_buffer_unref);
  GstBufferPool *pool;
  guint n = 0;

  if (!live)
    g_signal_connect (rig_child (consumer, "out"), "handoff",
        G_CALLBACK (check_frame), &n);
  rig_play (consumer);
  rig_until (rig_num_clients (h->element) == 1);
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  pool = rig_pool (h);
  for (guint i = 0; i < 20; i++)
    g_ptr_array_add (kept, rig_acquire (pool));
  fail_unless_equals_uint64 (rig_stat (h->element, "slots-free"), 2);
  for (guint i = 0; i < FRAMES; i++)
    fail_unless_equals_int (gst_harness_push (h, rig_frame (i, FRAME_SIZE)),
        GST_FLOW_OK);
  rig_until (live || g_atomic_int_get (&n) == FRAMES);
  fail_unless_equals_uint64 (rig_stat (h->element, "frames-copied")
      + rig_stat (h->element, "frames-dropped"), FRAMES);
  if (!live)
    fail_unless_equals_uint64 (rig_stat (h->element, "frames-dropped"), 0);
  g_ptr_array_unref (kept);
  rig_drop_pool (pool);
  gst_harness_teardown (h);
  rig_stop (consumer);
}

GST_END_TEST;

/* A decoder that plays backwards takes a group of pictures before it gives the
 * first one away, and the consumer keeps a frame for good: more slots are made,
 * and in the end it gets ordinary memory. */
GST_START_TEST (test_kept_by_both)
{
  GstHarness *h =
      rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          NULL));
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
      "appsink name=out sync=false max-buffers=1");
  GPtrArray *kept = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_buffer_unref);
  GstBufferPool *pool;

  rig_play (consumer);
  rig_until (rig_num_clients (h->element) == 1);
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 64, 48));
  fail_unless_equals_int (gst_harness_push (h, rig_frame (0, FRAME_SIZE)),
      GST_FLOW_OK);
  g_ptr_array_add (kept, rig_pull (consumer, "out"));
  pool = rig_pool (h);
  for (guint i = 0; i < 150; i++)
    g_ptr_array_add (kept, rig_acquire (pool));
  fail_unless (rig_stat (h->element, "growths") > 0);
  g_ptr_array_unref (kept);
  rig_drop_pool (pool);
  gst_harness_teardown (h);
  rig_stop (consumer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_io_mode, MMAP, IMPORT + 1);
  /* live, and lossless */
  tcase_add_loop_test (tc, test_taken_back, 0, 2);
  tcase_add_loop_test (tc, test_blocked_in_pool, 0, 2);
  tcase_add_loop_test (tc, test_exhausted, 0, 2);
  tcase_add_test (tc, test_kept_by_both);
}

RIG_SUITE (shmframe_pools)
