/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries and latency */
#include "batcher/batcher.h"

#include <gst/video/video.h>

/* latency=-1: a busy machine delivers within half a window, see
 * docs/secondbatcher.md */
#define AUTO_LATENCY_PART 2
#define MAX_LATENCY (24 * 3600 * GST_SECOND)

static gboolean
sink_query_pre_queue (GstAggregator * agg, GstAggregatorPad * aggpad,
    GstQuery * query)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (aggpad);
  gboolean ret;

  if (GST_QUERY_IS_SERIALIZED (query))
    second_pad_note_item (pad, query);
  ret = GST_SECOND_BATCHER_PARENT_CLASS->sink_query_pre_queue (agg, aggpad,
      query);
  g_atomic_pointer_compare_and_exchange (&pad->latest, query, NULL);
  return ret;
}

#ifdef HAVE_GST_ANALYTICS
static void
answer_caps (GstSecondBatcher * self, GstPad * pad, GstQuery * query)
{
  GstCaps *filter, *caps = second_batcher_wanted_caps (self, pad);

  gst_query_parse_caps (query, &filter);
  if (filter)
    gst_caps_take (&caps, gst_caps_intersect_full (filter, caps,
            GST_CAPS_INTERSECT_FIRST));
  gst_query_set_caps_result (query, caps);
  gst_caps_unref (caps);
}
#endif

static gboolean
sink_query (GstAggregator * agg, GstAggregatorPad * pad, GstQuery * query)
{
  if (GST_QUERY_IS_SERIALIZED (query))
    g_atomic_int_set (&GST_SECOND_BATCHER_PAD (pad)->looked_for, 0);
#ifdef HAVE_GST_ANALYTICS
  if (GST_QUERY_TYPE (query) == GST_QUERY_CAPS) {
    answer_caps (GST_SECOND_BATCHER (agg), GST_PAD_CAST (pad), query);
    return TRUE;
  }
#endif
  /* upstream is about to give up its pool and waits for the buffers in it */
  if (GST_QUERY_TYPE (query) == GST_QUERY_DRAIN)
    second_batcher_copy_frames (GST_SECOND_BATCHER (agg),
        GST_SECOND_BATCHER_PAD (pad), TRUE);

  return GST_SECOND_BATCHER_PARENT_CLASS->sink_query (agg, pad, query);
}

/* --- allocation --- */

static GstClockTime
wait_locked (GstSecondBatcher * self)
{
  if (!GST_CLOCK_TIME_IS_VALID (self->latency))
    return self->batch_duration / AUTO_LATENCY_PART;
  return MIN (self->latency, MAX_LATENCY);
}

/* Live, a window is kept until its deadline while the next one comes in */
guint
second_batcher_frames_to_hold_locked (GstSecondBatcher * self, SecondRate rate)
{
  return second_window_frames_to_hold (self->timeline.grid.duration,
      GST_CLOCK_TIME_IS_VALID (self->live_latency) ? wait_locked (self) : 0,
      rate);
}

/* Passes on what an element downstream offers for frames inside batches (a
 * shmframesink offers its slots), as if it were linked to upstream; but asks
 * for more buffers, since windows are held. */
static gboolean
pass_allocation (GstQuery * answer, GstQuery * query, guint size, guint hold)
{
  g_autoptr (GstBufferPool) pool = NULL;
  g_autoptr (GstAllocator) allocator = NULL;
  GstAllocationParams params;
  guint pool_size = 0, min = 0, max = 0;

  if (gst_query_get_n_allocation_pools (answer) > 0)
    gst_query_parse_nth_allocation_pool (answer, 0, &pool, &pool_size, &min,
        &max);
  if (gst_query_get_n_allocation_params (answer) > 0)
    gst_query_parse_nth_allocation_param (answer, 0, &allocator, &params);

  /* a pool that cannot hold the windows would stop upstream for good */
  if (max > 0 && max < min + hold) {
    gst_clear_object (&pool);
    max = 0;
  }
  if (allocator)
    gst_query_add_allocation_param (query, allocator, &params);
  if (pool || allocator)
    gst_query_add_allocation_pool (query, pool, MAX (pool_size, size),
        min + hold, max);
  return pool || allocator;
}

static gboolean
propose_allocation (GstAggregator * agg, GstAggregatorPad * pad,
    GstQuery * decide, GstQuery * query)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GstQuery *answer;
  GstCaps *caps;
  gboolean need_pool, passed = FALSE;
  GstVideoInfo info;
  guint hold, size = 0;

  gst_query_parse_allocation (query, &caps, &need_pool);
  if (caps == NULL || gst_caps_is_empty (caps) || gst_caps_is_any (caps))
    return FALSE;
  if (gst_video_info_from_caps (&info, caps))
    size = (guint) GST_VIDEO_INFO_SIZE (&info);
  second_batcher_update_live (self);
  g_mutex_lock (&self->lock);
  hold = second_batcher_frames_to_hold_locked (self,
      second_caps_get_rate (caps));
  g_mutex_unlock (&self->lock);

  answer = gst_query_new_allocation (caps, need_pool);
  if (gst_pad_peer_query (GST_AGGREGATOR_SRC_PAD (agg), answer))
    passed = pass_allocation (answer, query, size, hold);
  gst_query_unref (answer);
  if (!passed)
    gst_query_add_allocation_pool (query, NULL, size, hold, 0);
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return TRUE;
}

/* Takes no pool: batches have no memory. The base class would deactivate the
 * one that downstream offers, which upstream may be using by now. */
static gboolean
decide_allocation (GstAggregator * agg, GstQuery * query)
{
  while (gst_query_get_n_allocation_pools (query) > 0)
    gst_query_remove_nth_allocation_pool (query, 0);
  return TRUE;
}

/* --- latency --- */

/* A batch leaves when its window is over, one window after its first frame. The
 * base class gets that as its `latency`, not as a subclass's: before 1.26.5 it
 * sizes the pads' queues without the latter, so that with one silent live pad
 * the others would lose frames. */
void
second_batcher_apply_latency (GstSecondBatcher * self)
{
  GObjectClass *klass = G_OBJECT_CLASS (GST_SECOND_BATCHER_PARENT_CLASS);
  GParamSpec *pspec = g_object_class_find_property (klass, "latency");
  GValue value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_UINT64);
  g_mutex_lock (&self->lock);
  g_value_set_uint64 (&value, self->batch_duration + wait_locked (self));
  g_mutex_unlock (&self->lock);
  klass->set_property (G_OBJECT (self), pspec->param_id, &value, pspec);
}

/* Do not call with the base class's source lock held */
void
second_batcher_update_live (GstSecondBatcher * self)
{
  self->live_latency = gst_aggregator_get_latency (GST_AGGREGATOR (self));
}

/* Asks upstream when a stream starts, before its first frame: the base class
 * may have asked while there were no pads */
void
second_batcher_ask_live (GstSecondBatcher * self)
{
  GstQuery *query = gst_query_new_latency ();

  gst_pad_query (GST_AGGREGATOR_SRC_PAD (self), query);
  gst_query_unref (query);
  second_batcher_update_live (self);
}

void
second_batcher_init_queries (GstAggregatorClass * klass)
{
  klass->sink_query_pre_queue = GST_DEBUG_FUNCPTR (sink_query_pre_queue);
  klass->sink_query = GST_DEBUG_FUNCPTR (sink_query);
  klass->propose_allocation = GST_DEBUG_FUNCPTR (propose_allocation);
  klass->decide_allocation = GST_DEBUG_FUNCPTR (decide_allocation);
}
