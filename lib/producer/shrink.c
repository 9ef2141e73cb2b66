/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What clients that have left no longer need. A sealed segment keeps its pages,
 * so that it takes another one to have fewer, and while its last frames are
 * held, both. */
#include "producer/capacity.h"
#include "producer/shrink.h"
#include "producer/producer-private.h"

/* The ring is this many times as large as it need be. */
#define TOO_LARGE 4u
#ifndef SF_SHRINK_AFTER_MS
#define SF_SHRINK_AFTER_MS 60000
#endif

static uint64_t
needed_slots (struct sf_producer *p)
{
  uint64_t n;

  pthread_mutex_lock (&p->lock);
  n = sf_producer_needed_slots_locked (p, sf_producer_promised_locked (p,
          NULL));
  pthread_mutex_unlock (&p->lock);
  return n;
}

static bool
is_too_large (struct sf_producer *p)
{
  struct sf_slots_state slots;

  sf_slots_get_state (p->slots, &slots);
  return p->settings.fixed_slots == 0
      && slots.n_slots / TOO_LARGE >= needed_slots (p);
}

int
sf_producer_shrink (struct sf_producer *p)
{
  int64_t now = sf_now (), left;

  if (!is_too_large (p)) {
    p->control.too_large_since = 0;
    return -1;
  }
  if (p->control.too_large_since == 0)
    p->control.too_large_since = now;
  left =
      p->control.too_large_since + SF_SHRINK_AFTER_MS * INT64_C (1000000) - now;
  if (left > 0)
    return (int) (left / 1000000) + 1;
  /* Where there is no memory for both, not again at once. */
  p->control.too_large_since = now;
  pthread_mutex_lock (&p->room_lock);
  /* Nobody else has changed it meanwhile. */
  if (is_too_large (p))
    sf_slots_replace (p->slots, (uint32_t) needed_slots (p),
        p->capacity.slot_size);
  pthread_mutex_unlock (&p->room_lock);
  sf_slots_reclaim (p->slots);
  return SF_SHRINK_AFTER_MS;
}
