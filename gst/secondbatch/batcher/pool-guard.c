/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batcher/pool-guard.h"

/* Where the pool has the size that was asked for, this much stays free */
#define FREE_WHEN_GRANTED 4

struct _SecondPoolGuard
{
  gint limit;
  gint out;                     /* atomic */
};

typedef struct
{
  SecondPoolGuard *guard;
  gint count;
} ListShare;

SecondPoolGuard *
second_pool_guard_new (GstBufferPool * pool, guint granted)
{
  GstStructure *config = gst_buffer_pool_get_config (pool);
  SecondPoolGuard *guard;
  guint max = 0;

  gst_buffer_pool_config_get_params (config, NULL, NULL, NULL, &max);
  gst_structure_free (config);
  if (max == 0)
    return NULL;

  /* A pool smaller than the request was sized for somebody else: decoders may
   * need half of it for themselves. */
  guard = g_atomic_rc_box_new0 (SecondPoolGuard);
  guard->limit = max >= granted && max > 2 * FREE_WHEN_GRANTED ?
      max - FREE_WHEN_GRANTED : max / 2;

  return guard;
}

void
second_pool_guard_unref (SecondPoolGuard * guard)
{
  g_atomic_rc_box_release (guard);
}

gboolean
second_pool_guard_is_low (SecondPoolGuard * guard)
{
  return g_atomic_int_get (&guard->out) >= guard->limit;
}

SecondPoolGuard *
second_pool_guard_hold (SecondPoolGuard * guard, gint count)
{
  g_atomic_int_add (&guard->out, count);
  return g_atomic_rc_box_acquire (guard);
}

void
second_pool_guard_release (SecondPoolGuard * guard, gint count)
{
  g_atomic_int_add (&guard->out, -count);
  second_pool_guard_unref (guard);
}

static void
list_freed (gpointer user_data, GstMiniObject * list)
{
  ListShare *share = user_data;

  second_pool_guard_release (share->guard, share->count);
  g_free (share);
}

void
second_pool_guard_follow_list (SecondPoolGuard * guard, GstBufferList * list,
    gint count)
{
  ListShare *share = g_new (ListShare, 1);

  share->guard = second_pool_guard_hold (guard, count);
  share->count = count;
  gst_mini_object_weak_ref (GST_MINI_OBJECT_CAST (list), list_freed, share);
}
