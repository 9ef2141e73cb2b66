/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts the buffers of one bounded pool that the batcher keeps from it: in
 * open windows, and in lists of batches that are still alive. Upstream would
 * wait for ever for a buffer of a pool that has fewer of them than a window. So
 * while the usage is high frames are copied, and their buffers return.
 *
 * Reference counted and lock-free, because lists are freed in any thread.
 */
#include "batcher/batcher.h"

/* Where the pool has the size that was asked for, this much stays free */
#define FREE_WHEN_GRANTED 4

struct _SecondPoolUsage
{
  gint limit;
  gint out;                     /* atomic */
};

SecondPoolUsage *
second_pool_usage_new (GstBufferPool * pool, guint granted)
{
  GstStructure *config = gst_buffer_pool_get_config (pool);
  SecondPoolUsage *usage;
  guint max = 0;

  gst_buffer_pool_config_get_params (config, NULL, NULL, NULL, &max);
  gst_structure_free (config);
  if (max == 0)
    return NULL;

  /* A pool smaller than the request was sized for somebody else: decoders may
   * need half of it for themselves. */
  usage = g_atomic_rc_box_new0 (SecondPoolUsage);
  usage->limit = max >= granted && max > 2 * FREE_WHEN_GRANTED ?
      max - FREE_WHEN_GRANTED : max / 2;
  return usage;
}

void
second_pool_usage_unref (SecondPoolUsage * usage)
{
  g_atomic_rc_box_release (usage);
}

gboolean
second_pool_usage_is_high (SecondPoolUsage * usage)
{
  return g_atomic_int_get (&usage->out) >= usage->limit;
}

SecondPoolUsage *
second_pool_usage_add (SecondPoolUsage * usage)
{
  g_atomic_int_inc (&usage->out);
  return g_atomic_rc_box_acquire (usage);
}

void
second_pool_usage_remove (SecondPoolUsage * usage)
{
  g_atomic_int_add (&usage->out, -1);
  second_pool_usage_unref (usage);
}

static void
list_freed (gpointer usage, GstMiniObject * list)
{
  second_pool_usage_remove (usage);
}

void
second_pool_usage_follow_list (SecondPoolUsage * usage, GstBufferList * list)
{
  gst_mini_object_weak_ref (GST_MINI_OBJECT_CAST (list), list_freed,
      second_pool_usage_add (usage));
}
