/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds which frames: references, pools, allocation; many pads */
#include "batchrig.h"

#include <gst/video/video.h>

#define MS GST_MSECOND

/* case 24: the frames that went in, not copies of them */
GST_START_TEST (test_same_pointers)
{
  GstBuffer *in[5], *batch, *copy;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  for (i = 0; i < 5; i++) {
    in[i] = rig_frame (i * 100 * MS, 100 * MS);
    gst_harness_push (rig.h[0], gst_buffer_ref (in[i]));
  }
  rig_eos (&rig);
  batch = rig_pull (&rig);
  copy = gst_buffer_copy (batch);
  fail_unless (gst_second_batch_get_buffers (copy, 0) ==
      gst_second_batch_get_buffers (batch, 0), "the list was copied");
  copy = gst_buffer_make_writable (copy);
  for (i = 0; i < 5; i++)
    fail_unless (batch_frame (copy, 0, i) == in[i]);
  gst_buffer_unref (batch);
  gst_buffer_unref (copy);

  /* and nobody has kept one */
  for (i = 0; i < 5; i++) {
    ASSERT_BUFFER_REFCOUNT (in[i], "frame", 1);
    gst_buffer_unref (in[i]);
  }
  rig_clear (&rig);
}

GST_END_TEST;

/* case 24 */
GST_START_TEST (test_tee_and_queue)
{
  GstHarness *h = gst_harness_new_parse ("tee ! queue ! identity");
  GstBuffer *batch, *out;
  GstBufferList *list;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_push (&rig, 0, 0);
  rig_eos (&rig);
  batch = rig_pull (&rig);
  list = gst_second_batch_get_buffers (batch, 0);
  gst_harness_set_src_caps (h, gst_pad_get_current_caps (rig.h[0]->sinkpad));
  gst_harness_push (h, batch);
  out = gst_harness_pull (h);
  fail_unless (gst_second_batch_get_buffers (out, 0) == list);
  gst_buffer_unref (out);
  gst_harness_teardown (h);
  rig_clear (&rig);
}

GST_END_TEST;

/* Held are the frames of the open window, not one more */
GST_START_TEST (test_held_frames)
{
  Rig rig;

  rig_init (&rig, 2, FALSE, NULL);
  rig_set_caps (&rig, 0, 10, 1);
  rig_set_caps (&rig, 1, 10, 1);
  rig_push (&rig, 0, 0);
  rig_push_n (&rig, 1, 0, 100 * MS, 11);
  rig_push_n (&rig, 0, 100 * MS, 100 * MS, 3);
  rig_wait_stat (&rig, "sink_0-held", 4);
  rig_wait_stat (&rig, "sink_1-held", 10);
  rig_push_n (&rig, 0, 400 * MS, 100 * MS, 7);
  rig_expect (&rig, 0, 10, 10);
  rig_eos (&rig);
  rig_expect (&rig, 1, 1, 1);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-held"), 0);
  rig_clear (&rig);
}

GST_END_TEST;

/* --- pools --- */

static GstBufferPool *
make_pool (guint max)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, FRAME_BYTES, 0, max);
  fail_unless (gst_buffer_pool_set_config (pool, config));
  fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

static void
drop_pool (GstBufferPool * pool)
{
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
}

static void
push_from_pool (Rig * rig, GstBufferPool * pool, guint from, guint n)
{
  guint i;

  for (i = from; i < from + n; i++) {
    GstBuffer *buffer = NULL;

    fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &buffer,
            NULL), GST_FLOW_OK);
    GST_BUFFER_PTS (buffer) = i * 40 * MS;
    gst_harness_push (rig->h[0], buffer);
  }
}

/* case 25: 8 buffers, windows of 25 frames, and the last batch is kept */
GST_START_TEST (test_small_pool)
{
  GstBufferPool *pool = make_pool (8);
  GstBuffer *kept = NULL, *batch;
  guint i;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  for (i = 0; i < 4; i++) {
    /* one frame past the window, with which the next round goes on */
    push_from_pool (&rig, pool, i * 25 + (i > 0), i > 0 ? 25 : 26);
    batch = rig_pull (&rig);
    fail_unless_equals_int (batch_count (batch, 0), 25);
    gst_clear_buffer (&kept);
    kept = batch;
    if (i == 0)
      fail_unless (rig_stat (&rig, "sink_0-copied") >= 20);
  }
  gst_clear_buffer (&kept);
  rig_clear (&rig);
  drop_pool (pool);
}

GST_END_TEST;

/* A pool of the size that was asked for is not copied from */
GST_START_TEST (test_granted_pool)
{
  GstBufferPool *pool = make_pool (54);
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  push_from_pool (&rig, pool, 0, 26);
  rig_expect (&rig, 0, 25, 0);
  push_from_pool (&rig, pool, 26, 25);
  rig_expect (&rig, 1, 25, 0);
  fail_unless_equals_uint64 (rig_stat (&rig, "sink_0-copied"), 0);
  rig_clear (&rig);
  drop_pool (pool);
}

GST_END_TEST;

/* Upstream changes its pool and wants all buffers back */
GST_START_TEST (test_drain)
{
  GstBufferPoolAcquireParams params = { 0 };
  GstBufferPool *pool = make_pool (3);
  GstBuffer *home[3];
  GstQuery *query = gst_query_new_drain ();
  guint i;
  Rig rig;

  params.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  push_from_pool (&rig, pool, 0, 2);
  gst_pad_peer_query (rig.h[0]->srcpad, query);
  gst_query_unref (query);
  for (i = 0; i < 3; i++)
    fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &home[i],
            &params), GST_FLOW_OK);
  for (i = 0; i < 3; i++)
    gst_buffer_unref (home[i]);
  rig_eos (&rig);
  rig_expect (&rig, 0, 2, 0);
  rig_clear (&rig);
  drop_pool (pool);
}

GST_END_TEST;

/* --- allocation --- */

static GstQuery *
query_allocation (Rig * rig)
{
  GstCaps *caps = rig_caps (25, 1);
  GstQuery *query = gst_query_new_allocation (caps, TRUE);

  gst_caps_unref (caps);
  fail_unless (gst_pad_peer_query (rig->h[0]->srcpad, query));
  fail_unless (gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE,
          NULL));
  return query;
}

/* Two seconds of frames and a few, so that a transport sizes its ring */
GST_START_TEST (test_allocation)
{
  GstBufferPool *pool;
  guint size, min, max;
  GstQuery *query;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  query = query_allocation (&rig);
  fail_unless_equals_int (gst_query_get_n_allocation_pools (query), 1);
  gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
  fail_unless (pool == NULL);
  fail_unless_equals_int (size, FRAME_BYTES);
  fail_unless_equals_int (min, 54);
  fail_unless_equals_int (max, 0);
  gst_query_unref (query);
  rig_clear (&rig);
}

GST_END_TEST;

typedef struct
{
  GstBufferPool *pool;
  GstAllocator *allocator;
  guint max;
} Offer;

static GstPadProbeReturn
offer_pool (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);
  Offer *offer = data;

  if (GST_QUERY_TYPE (query) != GST_QUERY_ALLOCATION)
    return GST_PAD_PROBE_OK;
  gst_query_add_allocation_param (query, offer->allocator, NULL);
  gst_query_add_allocation_pool (query, offer->pool, 64, 3, offer->max);
  return GST_PAD_PROBE_HANDLED;
}

/* case 27: what a sink downstream offers for frames reaches upstream */
static void
check_offer (guint max, gboolean pool_is_passed)
{
  Offer offer = { make_pool (0), gst_allocator_find (NULL), max };
  GstAllocator *allocator;
  GstBufferPool *pool;
  guint size, min;
  GstQuery *query;
  Rig rig;

  rig_init (&rig, 1, FALSE, NULL);
  gst_pad_add_probe (rig.h[0]->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
      offer_pool, &offer, NULL);
  rig_set_caps (&rig, 0, 25, 1);
  query = query_allocation (&rig);
  gst_query_parse_nth_allocation_param (query, 0, &allocator, NULL);
  fail_unless (allocator == offer.allocator);
  gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, NULL);
  fail_unless (pool == (pool_is_passed ? offer.pool : NULL));
  fail_unless_equals_int (size, 64);
  fail_unless_equals_int (min, 57);
  gst_clear_object (&allocator);
  gst_clear_object (&pool);
  gst_query_unref (query);

  /* and the batcher does not stop it behind upstream's back */
  rig_push (&rig, 0, 0);
  rig_eos (&rig);
  rig_expect (&rig, 0, 1, 0);
  rig_clear (&rig);
  fail_unless (gst_buffer_pool_is_active (offer.pool));
  drop_pool (offer.pool);
  gst_object_unref (offer.allocator);
}

GST_START_TEST (test_allocation_passes_through)
{
  check_offer (0, TRUE);
  check_offer (100, TRUE);
  /* too small for the windows: it would block for good */
  check_offer (10, FALSE);
}

GST_END_TEST;

/* --- many pads --- */

#define MANY_PADS 16
#define MANY_SECONDS 4
#define MANY_FPS 120

typedef struct
{
  Rig *rig;
  guint pad;
} Feed;

static gpointer
feed_pad (gpointer data)
{
  Feed *feed = data;
  guint i;

  for (i = 0; i < MANY_SECONDS * MANY_FPS; i++)
    rig_push (feed->rig, feed->pad, gst_util_uint64_scale (i, GST_SECOND,
            MANY_FPS));
  gst_harness_push_event (feed->rig->h[feed->pad], gst_event_new_eos ());
  return NULL;
}

/* case 23 */
GST_START_TEST (test_many_pads)
{
  Feed feeds[MANY_PADS];
  GThread *threads[MANY_PADS];
  guint i, k;
  Rig rig;

  rig_init (&rig, MANY_PADS, FALSE, NULL);
  for (i = 0; i < MANY_PADS; i++) {
    rig_set_caps (&rig, i, MANY_FPS, 1);
    feeds[i].rig = &rig;
    feeds[i].pad = i;
    threads[i] = g_thread_new ("feed", feed_pad, &feeds[i]);
  }
  for (i = 0; i < MANY_SECONDS; i++) {
    GstBuffer *batch = rig_pull (&rig);

    fail_unless_equals_uint64 (gst_second_batch_get_index (batch), i);
    for (k = 0; k < MANY_PADS; k++)
      fail_unless_equals_int (batch_count (batch, k), MANY_FPS);
    gst_buffer_unref (batch);
  }
  rig_wait_eos (&rig);
  for (i = 0; i < MANY_PADS; i++)
    g_thread_join (threads[i]);
  rig_clear (&rig);
}

GST_END_TEST;

static gpointer
register_meta (gpointer unused)
{
  return (gpointer) gst_second_batch_meta_register ();
}

GST_START_TEST (test_registering_again)
{
  const GstMetaInfo *info = gst_second_batch_meta_register ();
  GThread *threads[8];
  guint i;

  fail_unless (info != NULL);
  for (i = 0; i < 8; i++)
    threads[i] = g_thread_new ("register", register_meta, NULL);
  for (i = 0; i < 8; i++)
    fail_unless (g_thread_join (threads[i]) == info);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_same_pointers);
  tcase_add_test (tc, test_tee_and_queue);
  tcase_add_test (tc, test_held_frames);
  tcase_add_test (tc, test_small_pool);
  tcase_add_test (tc, test_granted_pool);
  tcase_add_test (tc, test_drain);
  tcase_add_test (tc, test_allocation);
  tcase_add_test (tc, test_allocation_passes_through);
  tcase_add_test (tc, test_many_pads);
  tcase_add_test (tc, test_registering_again);
}

BATCH_SUITE (secondbatchermemory)
