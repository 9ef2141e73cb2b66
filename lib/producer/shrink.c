/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Goes on with a smaller ring when clients have left. A sealed segment keeps
 * its pages, so shrinking takes a second segment, and both exist while frames
 * of the first are held. */
#include "producer/parts.h"

/* Shrink a ring this many times as large as it need be, after this time. */
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
  return p->settings.slots == 0
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
  /* If memory does not hold both, wait as long again. */
  p->control.too_large_since = now;
  pthread_mutex_lock (&p->room_lock);
  /* Look again with the lock: the need may have grown. */
  if (is_too_large (p))
    sf_slots_replace (p->slots, (uint32_t) needed_slots (p),
        p->capacity.slot_size);
  pthread_mutex_unlock (&p->room_lock);
  sf_slots_reclaim (p->slots);
  return SF_SHRINK_AFTER_MS;
}
