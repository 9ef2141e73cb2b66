/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many slots the ring needs, and making them within max-memory. */
#include <errno.h>

#include "producer/parts.h"

uint32_t
sf_producer_base_slots (uint64_t slot_size)
{
  uint64_t n = slot_size > 0 ? SF_BASE_BYTES / slot_size : SF_MIN_BASE_SLOTS;

  return n < SF_MIN_BASE_SLOTS ? SF_MIN_BASE_SLOTS
      : n > SF_MAX_BASE_SLOTS ? SF_MAX_BASE_SLOTS : (uint32_t) n;
}

uint64_t
sf_producer_promised_locked (struct sf_producer *p, const struct sf_client *but)
{
  uint64_t sum = 0;

  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (c != but)
      sum += c->grant.max_held;
  return sum;
}

static int
ensure (struct sf_producer *p, uint64_t n, uint64_t slot_size, uint64_t *needed)
{
  if (n > SF_MAX_SLOTS)
    return -E2BIG;
  return sf_slots_ensure (p->slots, (uint32_t) n, slot_size, needed);
}

/* Rounds up by a tenth at most, so that the ring does not grow with each of
 * many clients. */
static uint64_t
round_up (uint64_t n)
{
  uint64_t step = 1;

  while (n / step >= 20)
    step *= 2;
  return (n + step - 1) / step * step;
}

bool
sf_capacity_is_short (int error)
{
  return error == -E2BIG || error == -EDQUOT;
}

uint64_t
sf_producer_needed_slots_locked (struct sf_producer *p, uint64_t promised)
{
  uint64_t held = promised > SF_USUAL_HELD ? promised : SF_USUAL_HELD;

  return (held +
      sf_producer_base_slots (p->capacity.slot_size)) *
      p->capacity.slots_per_record + p->capacity.upstream_slots;
}

int
sf_producer_make_room_locked (struct sf_producer *p, uint64_t promised,
    uint64_t *needed)
{
  uint64_t slot_size, each, n;
  int r;

  pthread_mutex_lock (&p->lock);
  slot_size = p->capacity.slot_size;
  each = p->capacity.slots_per_record;
  n = sf_producer_needed_slots_locked (p, promised);
  pthread_mutex_unlock (&p->lock);
  if (p->settings.slots != 0 && promised + SF_SPARE_SLOTS > p->settings.slots) {
    *needed = promised + SF_SPARE_SLOTS;
    return -ENOSPC;
  }
  if (slot_size == 0)
    return 0;
  if (p->settings.slots != 0)
    return ensure (p, p->settings.slots, slot_size, needed);
  r = ensure (p, round_up (n), slot_size, needed);
  if (sf_capacity_is_short (r))
    r = ensure (p, n, slot_size, needed);
  /* Go on with the least that can work. */
  if (sf_capacity_is_short (r))
    r = ensure (p, (promised + SF_SPARE_SLOTS) * each, slot_size, needed);
  return r;
}

/* Tells whether the frame lies in slots of an earlier format. */
static bool
is_outdated_locked (struct sf_producer *p, const struct sf_frame *frame)
{
  const struct sf_known_segment *k;

  if (frame->foreign || frame->n_parts == 0)
    return false;
  k = sf_known_find_locked (p, frame->segment_ids[0]);
  return k != NULL && sf_observe_u32 (&k->segment->retired) != 0;
}

void
sf_producer_take_back_locked (struct sf_producer *p)
{
  sf_producer_collect_locked (p);
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    if (c->leases == NULL || c->pending_disconnect != 0
        || sf_client_is_lossless_locked (c))
      continue;
    while (c->leases->unclaimed.count > 0
        && is_outdated_locked (p,
            c->leases->entry[c->leases->unclaimed.first].frame)
        && sf_client_revoke_locked (c, SF_DROP_SLOT) > 0);
  }
}

uint64_t
sf_producer_target_held_locked (struct sf_producer *p, uint32_t most)
{
  uint64_t sum = 0;

  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    sum += c->grant.target < most ? c->grant.target : most;
  return sum;
}

/* Makes the slots to go on with. The control thread makes the rest of what
 * clients were granted. Room lock held. */
static int
make_first_slots (struct sf_producer *p, uint64_t *needed)
{
  uint64_t slot_size, each, n, least;
  int r;

  pthread_mutex_lock (&p->lock);
  slot_size = p->capacity.slot_size;
  each = p->capacity.slots_per_record;
  n = (SF_USUAL_HELD + sf_producer_base_slots (slot_size)) * each
      + p->capacity.upstream_slots;
  least = (sf_producer_target_held_locked (p, 1) + SF_SPARE_SLOTS) * each;
  pthread_mutex_unlock (&p->lock);
  r = ensure (p, n, slot_size, needed);
  if (!sf_capacity_is_short (r))
    return r;
  pthread_mutex_lock (&p->lock);
  sf_producer_take_back_locked (p);
  sf_producer_unlock (p);
  r = ensure (p, n, slot_size, needed);
  return sf_capacity_is_short (r) ? ensure (p, least, slot_size, needed) : r;
}

/* A client that is no longer served gets no frame of the new format, but may
 * keep what it has. */
static void
promise_nothing_locked (struct sf_client *c)
{
  if (c->grant.max_held > c->grant.grace)
    c->grant.grace = c->grant.max_held;
  c->grant.grace_until = INT64_MAX;
  c->grant.max_held = c->grant.target = 0;
}

int
sf_producer_set_format (struct sf_producer *p, uint64_t slot_size,
    uint32_t per_record, uint64_t *needed)
{
  uint64_t promised;
  int r;

  pthread_mutex_lock (&p->lock);
  /* The latest frame is of the old format and keeps its slots in use. */
  sf_frame_unref_locked (p, p->frames.latest);
  p->frames.latest = NULL;
  sf_producer_unlock (p);

  pthread_mutex_lock (&p->room_lock);
  pthread_mutex_lock (&p->lock);
  p->capacity.slot_size = slot_size;
  p->capacity.slots_per_record = per_record;
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (c->state >= SF_CLIENT_LEAVING)
      promise_nothing_locked (c);
  promised = sf_producer_promised_locked (p, NULL);
  pthread_mutex_unlock (&p->lock);
  r = p->settings.slots != 0 ? sf_producer_make_room_locked (p, promised,
      needed)
      : make_first_slots (p, needed);
  pthread_mutex_unlock (&p->room_lock);

  pthread_mutex_lock (&p->lock);
  p->capacity.grants_pending = p->settings.slots == 0;
  p->need_kick = true;
  sf_producer_unlock (p);
  return r;
}

int
sf_producer_want_slot_size (struct sf_producer *p, uint64_t slot_size,
    uint64_t *needed)
{
  uint32_t per_record;
  uint64_t now;

  pthread_mutex_lock (&p->lock);
  now = p->capacity.slot_size;
  per_record = p->capacity.slots_per_record;
  pthread_mutex_unlock (&p->lock);
  return slot_size <= now ? 0 : sf_producer_set_format (p, slot_size,
      per_record, needed);
}
