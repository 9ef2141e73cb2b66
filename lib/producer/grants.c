/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Grants: how many frames each client may hold. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/explain.h"
#include "producer/headroom.h"
#include "producer/parts.h"

/* Drops both locks, tells clients of new slots, and reports growth since
 * `before`, a number of growths, as made for this client. */
static void
end_growth_locked (struct sf_producer *p, uint64_t before, struct sf_client *c,
    uint32_t max_held)
{
  struct sf_slots_state slots;
  struct sf_client_info info;

  pthread_mutex_unlock (&p->room_lock);
  sf_producer_unlock (p);
  sf_producer_send_segment_updates (p);
  sf_producer_note_progress (p);
  sf_slots_get_state (p->slots, &slots);
  if (slots.growths == before || p->settings.callbacks.grown == NULL)
    return;
  if (c != NULL) {
    pthread_mutex_lock (&p->lock);
    sf_client_info_locked (c, &info);
    pthread_mutex_unlock (&p->lock);
  }
  p->settings.callbacks.grown (p->settings.user, &slots,
      c != NULL ? &info : NULL, max_held);
}

int
sf_client_grant (struct sf_client *c, uint32_t max_held, uint64_t *needed)
{
  struct sf_producer *p = c->producer;
  struct sf_slots_state slots;
  uint64_t promised;
  int r;

  sf_slots_get_state (p->slots, &slots);
  pthread_mutex_lock (&p->room_lock);
  pthread_mutex_lock (&p->lock);
  promised = sf_producer_promised_locked (p, c) + max_held;
  pthread_mutex_unlock (&p->lock);
  r = sf_producer_make_room_locked (p, promised, needed);
  pthread_mutex_lock (&p->lock);
  if (r == 0) {
    c->grant.max_held = c->grant.target = max_held;
    c->grant.target_deadline = 0;
  }
  end_growth_locked (p, slots.growths, c, max_held);
  return r;
}

bool
sf_client_grant_at_once (struct sf_client *c, uint32_t max_held)
{
  struct sf_producer *p = c->producer;
  struct sf_slots_state slots;
  uint64_t least;
  bool fits;

  pthread_mutex_lock (&p->room_lock);
  sf_slots_get_state (p->slots, &slots);
  pthread_mutex_lock (&p->lock);
  least = (sf_producer_promised_locked (p, c) + max_held + SF_SPARE_SLOTS)
      * p->capacity.slots_per_record + p->capacity.upstream_slots;
  fits = slots.n_slots >= least;
  if (fits)
    c->grant.max_held = c->grant.target = max_held;
  pthread_mutex_unlock (&p->lock);
  pthread_mutex_unlock (&p->room_lock);
  return fits;
}

bool
sf_producer_miss_slot (struct sf_producer *p)
{
  struct sf_slots_state slots;
  uint32_t used, share;
  bool keeps_all;

  sf_slots_get_state (p->slots, &slots);
  used = slots.n_slots - slots.n_free;
  pthread_mutex_lock (&p->lock);
  share =
      sf_producer_base_slots (p->capacity.slot_size) +
      p->capacity.upstream_slots;
  /* Upstream itself keeps its whole share. One more slot is the latest frame's,
   * and some stay free to copy into. */
  keeps_all = p->settings.slots == 0 && p->capacity.slots_per_record == 1
      && used + 1 + SF_SPARE_SLOTS >= p->frames.n + share;
  if (keeps_all && p->capacity.upstream_slots < SF_MAX_UPSTREAM_SLOTS) {
    p->need_kick = p->need_kick || !p->capacity.slot_missed;
    p->capacity.slot_missed = true;
    keeps_all = false;
  }
  sf_producer_unlock (p);
  return !keeps_all;
}

void
sf_producer_grow_for_upstream (struct sf_producer *p)
{
  struct sf_slots_state slots;
  uint64_t promised, needed;
  bool missed;

  pthread_mutex_lock (&p->lock);
  missed = p->capacity.slot_missed;
  pthread_mutex_unlock (&p->lock);
  if (!missed)
    return;
  sf_slots_get_state (p->slots, &slots);
  pthread_mutex_lock (&p->room_lock);
  pthread_mutex_lock (&p->lock);
  p->capacity.upstream_slots += sf_producer_base_slots (p->capacity.slot_size);
  promised = sf_producer_promised_locked (p, NULL);
  pthread_mutex_unlock (&p->lock);
  /* Without room for more, upstream goes on with ordinary memory. */
  sf_producer_make_room_locked (p, promised, &needed);
  pthread_mutex_lock (&p->lock);
  p->capacity.slot_missed = false;
  end_growth_locked (p, slots.growths, NULL, 0);
}

static void
send_grant (struct sf_client *c)
{
  struct sf_message msg = {
    .type = SF_MESSAGE_GRANT,
    .max_held = c->grant.max_held,
  };

  sf_client_send (c, &msg);
}

/* Grants at once what the ring has to spare, since making slots takes a
 * while. */
static void
grant_spare_slots (struct sf_client *c, uint32_t max_held)
{
  struct sf_producer *p = c->producer;
  struct sf_slots_state slots;
  uint64_t spare;

  sf_slots_get_state (p->slots, &slots);
  pthread_mutex_lock (&p->lock);
  spare = sf_producer_promised_locked (p, c) + SF_SPARE_SLOTS;
  spare = slots.n_slots / p->capacity.slots_per_record > spare
      ? slots.n_slots / p->capacity.slots_per_record - spare : 0;
  if (spare > max_held)
    spare = max_held;
  if (spare > c->grant.max_held)
    c->grant.max_held = (uint32_t) spare;
  if (c->grant.target < c->grant.max_held)
    c->grant.target = c->grant.max_held;
  pthread_mutex_unlock (&p->lock);
  send_grant (c);
}

void
sf_client_explain_grant (const struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed, struct sf_reject *reject)
{
  struct sf_producer *p = c->producer;
  char why[SF_TEXT_MAX / 2];

  reject->needed = needed;
  reject->reason = SF_REASON_MEMORY;
  if (error == -ENOSPC) {
    reject->limit = p->settings.slots;
    snprintf (reject->text, sizeof (reject->text),
        "a client that holds %u frames needs %llu slots; raise slots=%u of "
        "shmframesink or leave it at 0", max_held,
        (unsigned long long) needed, p->settings.slots);
    sf_producer_name_holder (p, reject);
  } else if (error == -E2BIG) {
    reject->limit = p->settings.max_memory;
    snprintf (reject->text, sizeof (reject->text),
        "a client that holds %u frames needs %llu bytes; raise max-memory=%llu "
        "of shmframesink, or hold fewer frames (max-held of shmframesrc, "
        "batch-duration)", max_held, (unsigned long long) needed,
        (unsigned long long) p->settings.max_memory);
    sf_producer_name_holder (p, reject);
  } else if (error == -EDQUOT) {
    struct sf_headroom room;

    sf_headroom_get (&room);
    reject->limit = room.left;
    snprintf (reject->text, sizeof (reject->text),
        "a client that holds %u frames needs %llu bytes more, and of the %llu "
        "of %s %llu are left; raise that limit (MemoryMax= of a service, "
        "--memory of a container), or hold fewer frames (max-held of "
        "shmframesrc, batch-duration)", max_held, (unsigned long long) needed,
        (unsigned long long) room.limit, room.where,
        (unsigned long long) room.left);
  } else {
    reject->reason = SF_REASON_RESOURCES;
    sf_explain (why, sizeof (why), error);
    snprintf (reject->text, sizeof (reject->text),
        "the producer cannot make memory for %u frames: %s", max_held, why);
  }
}

static void
refuse_grant (struct sf_client *c, int error, uint32_t max_held,
    uint64_t needed)
{
  struct sf_message msg = { .type = SF_MESSAGE_REJECT };

  sf_client_explain_grant (c, error, max_held, needed, &msg.reject);
  sf_client_send (c, &msg);
  if (c->producer->settings.callbacks.refused != NULL)
    c->producer->settings.callbacks.refused (c->producer->settings.user,
        &c->peer, &msg.reject);
}

void
sf_client_want (struct sf_client *c, uint32_t max_held)
{
  uint64_t needed = 0;
  int r;

  if (max_held > c->grant.max_held)
    grant_spare_slots (c, max_held);
  r = max_held <= c->grant.max_held ? 0 : sf_client_grant (c, max_held,
      &needed);
  if (r == 0 || !sf_client_postpone_grant (c, r, max_held, needed))
    sf_client_answer_want (c, r, max_held, needed);
}

void
sf_client_answer_want (struct sf_client *c, int r, uint32_t max_held,
    uint64_t needed)
{
  if (r == -ESHUTDOWN)
    return;                     /* BYE follows */
  if (r < 0)
    refuse_grant (c, r, max_held, needed);
  else
    send_grant (c);
}

/* Tells whether max-memory holds the request once clients that are no longer
 * served, and rings of earlier formats, are gone. */
static bool
fits_later (struct sf_client *c, int error, uint32_t max_held)
{
  struct sf_producer *p = c->producer;
  uint64_t promised = max_held + SF_SPARE_SLOTS, to_come = 0, slot_size;
  struct sf_slots_state slots;

  sf_slots_get_state (p->slots, &slots);
  pthread_mutex_lock (&p->lock);
  for (struct sf_client *other = p->clients; other; other = other->next) {
    if (other->state >= SF_CLIENT_LEAVING)
      to_come += other->grant.max_held;
    else if (other != c)
      promised += other->grant.max_held;
  }
  promised *= p->settings.slots != 0 ? 1 : p->capacity.slots_per_record;
  slot_size = p->capacity.slot_size;
  pthread_mutex_unlock (&p->lock);
  if (to_come == 0 && slots.retired_bytes == 0)
    return false;
  if (p->settings.slots != 0)
    return error == -ENOSPC && promised <= p->settings.slots;
  return sf_capacity_is_short (error) && promised <= SF_MAX_SLOTS
      && sf_segment_bytes ((uint32_t) promised,
      slot_size) <= p->settings.max_memory;
}

bool
sf_client_postpone_grant (struct sf_client *c, int error, uint32_t max_held,
    uint64_t needed)
{
  struct sf_producer *p = c->producer;
  struct sf_reject reject = { 0 };
  bool again = c->grant.requested != 0;

  if (!fits_later (c, error, max_held))
    return false;
  pthread_mutex_lock (&p->lock);
  c->grant.requested = max_held;
  if (!again)
    c->grant.request_deadline = sf_now () + SF_GRANT_TIMEOUT;
  pthread_mutex_unlock (&p->lock);
  sf_client_explain_grant (c, error, max_held, needed, &reject);
  if (!again && p->settings.callbacks.postponed != NULL)
    p->settings.callbacks.postponed (p->settings.user, &c->peer, &reject);
  return true;
}

int
sf_client_retry_grant (struct sf_client *c, uint32_t *max_held,
    uint64_t *needed)
{
  struct sf_producer *p = c->producer;
  int r;

  *max_held = c->grant.requested;
  r = *max_held <= c->grant.max_held ? 0 : sf_client_grant (c, *max_held,
      needed);
  if (r < 0 && sf_now () < c->grant.request_deadline
      && fits_later (c, r, *max_held))
    return -EAGAIN;
  pthread_mutex_lock (&p->lock);
  c->grant.requested = 0;
  pthread_mutex_unlock (&p->lock);
  return r;
}

/* Returns the largest grant with which max-memory holds what all want: only
 * those who want more get less. */
static uint32_t
fair_share_locked (struct sf_producer *p)
{
  uint64_t there = sf_slots_most (p->slots, p->capacity.slot_size)
      / p->capacity.slots_per_record;
  uint32_t most = SF_MAX_LEASES;

  while (most > 1
      && sf_producer_target_held_locked (p, most) + SF_SPARE_SLOTS > there)
    most--;
  return most;
}

/* A client that holds more than its new grant gets some time to return it. */
static void
set_grant_locked (struct sf_client *c, uint32_t most)
{
  uint32_t max_held = c->grant.target < most ? c->grant.target : most;
  int64_t until = sf_now () + SF_GRANT_TIMEOUT;

  if (max_held < c->grant.max_held && c->grant.grace < c->grant.max_held) {
    c->grant.grace = c->grant.max_held;
    c->grant.grace_until = until;
  }
  c->grant.unsent = c->grant.unsent || max_held != c->grant.max_held;
  c->grant.max_held = max_held;
  if (max_held == c->grant.target)
    c->grant.target_deadline = 0;
  else if (c->grant.target_deadline == 0)
    c->grant.target_deadline = until;
}

/* Makes the slots that were granted; where max-memory does not hold them, makes
 * what it holds and shares it out. Returns what the whole of it failed with, as
 * sf_slots_ensure(). Room lock held. */
static int
make_granted_slots (struct sf_producer *p, uint64_t *needed)
{
  uint32_t most = SF_MAX_LEASES;
  uint64_t promised, unused;
  int r;

  pthread_mutex_lock (&p->lock);
  promised = sf_producer_target_held_locked (p, most);
  pthread_mutex_unlock (&p->lock);
  r = sf_producer_make_room_locked (p, promised, needed);
  if (sf_capacity_is_short (r)) {
    pthread_mutex_lock (&p->lock);
    sf_producer_take_back_locked (p);
    sf_producer_unlock (p);
    sf_slots_reclaim (p->slots);
    r = sf_producer_make_room_locked (p, promised, needed);
  }
  if (sf_capacity_is_short (r)) {
    pthread_mutex_lock (&p->lock);
    most = fair_share_locked (p);
    promised = sf_producer_target_held_locked (p, most);
    pthread_mutex_unlock (&p->lock);
    sf_producer_make_room_locked (p, promised, &unused);
  }
  pthread_mutex_lock (&p->lock);
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    set_grant_locked (c, most);
  pthread_mutex_unlock (&p->lock);
  return r;
}

/* Sends a changed grant, and after its deadline a REJECT of what was asked for.
 * True: it may yet get more. */
static bool
report_grant (struct sf_client *c, int error, uint64_t needed)
{
  struct sf_producer *p = c->producer;
  uint32_t refused = 0;
  bool changed, restorable;

  pthread_mutex_lock (&p->lock);
  changed = c->grant.unsent;
  c->grant.unsent = false;
  restorable = c->grant.target_deadline != 0;
  if (restorable && sf_now () >= c->grant.target_deadline) {
    refused = c->grant.target;
    c->grant.target = c->grant.max_held;
    c->grant.target_deadline = 0;
    restorable = false;
  }
  pthread_mutex_unlock (&p->lock);
  if (c->state != SF_CLIENT_ACTIVE || c->session.hung_up)
    return false;
  if (changed)
    send_grant (c);
  if (refused > 0)
    refuse_grant (c, error, refused, needed);
  return restorable;
}

void
sf_producer_fulfil_grants (struct sf_producer *p)
{
  uint64_t needed = 0;
  bool pending;
  int error;

  sf_slots_reclaim (p->slots);
  pthread_mutex_lock (&p->lock);
  pending = p->capacity.grants_pending;
  p->capacity.grants_pending = false;
  pthread_mutex_unlock (&p->lock);
  if (!pending)
    return;
  pthread_mutex_lock (&p->room_lock);
  error = make_granted_slots (p, &needed);
  pthread_mutex_unlock (&p->room_lock);
  pending = false;
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    pending = report_grant (c, error, needed) || pending;
  pthread_mutex_lock (&p->lock);
  p->capacity.grants_pending = p->capacity.grants_pending || pending;
  sf_producer_unlock (p);
  sf_producer_note_progress (p);
}
