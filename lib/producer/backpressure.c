/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes back what clients have returned, and waits for it. */
#include <errno.h>
#include <unistd.h>

#include "producer/parts.h"

#define LIVE_NAP_US 200

int
sf_producer_collect_locked (struct sf_producer *p)
{
  int total = 0;

  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    total += sf_client_collect_locked (c);
  return total;
}

/* Asks clients for a signal with their next return. Each number is answered
 * once, so whoever was signalled, or is about to sleep, sets the next one
 * before looking at the returns. */
void
sf_producer_set_want_locked (struct sf_producer *p)
{
  uint32_t want = 0;

  if (p->waiting.n > 0 || p->frames.pooled) {
    if (++p->waiting.last_want == 0)
      p->waiting.last_want = 1;
    want = p->waiting.last_want;
  }
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (c->queue.ring.header != NULL)
      sf_store_flag (&c->queue.ring.header->want_returns, want);
}

void
sf_producer_note_progress (struct sf_producer *p)
{
  sf_add_count (&p->progress.count, 1);
  /* Pairs with the fence in sleep_locked(): that side announces itself, then
   * looks for returns. */
  sf_fence_store_load ();
  if (sf_load_flag (&p->progress.has_waiters) == 0)
    return;
  pthread_mutex_lock (&p->lock);
  pthread_cond_broadcast (&p->cond);
  sf_producer_unlock (p);
}

uint64_t
sf_producer_token (struct sf_producer *p)
{
  return sf_observe_u64 (&p->progress.count);
}

/* Returns the live client whose oldest unclaimed frame is the oldest of all. */
static struct sf_client *
oldest_queue_locked (struct sf_producer *p)
{
  struct sf_client *oldest = NULL;
  uint64_t seq = UINT64_MAX;

  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    const struct sf_frame *frame;

    if (c->leases == NULL || c->leases->unclaimed.count == 0
        || c->pending_disconnect != 0 || sf_client_is_lossless_locked (c))
      continue;
    frame = c->leases->entry[c->leases->unclaimed.first].frame;
    if (frame->seq < seq) {
      seq = frame->seq;
      oldest = c;
    }
  }
  return oldest;
}

/* Revokes the oldest unclaimed frame of all live clients. False: there is
 * none. */
static bool
revoke_one_locked (struct sf_producer *p)
{
  struct sf_client *c;

  while ((c = oldest_queue_locked (p)) != NULL)
    if (sf_client_revoke_locked (c, SF_DROP_SLOT) > 0)
      return true;
  /* All have claimed all. */
  return false;
}

bool
sf_producer_reclaim (struct sf_producer *p, unsigned tries)
{
  bool more = true;

  pthread_mutex_lock (&p->lock);
  if (tries == 0)
    sf_producer_collect_locked (p);
  else
    more = revoke_one_locked (p);
  sf_producer_unlock (p);
  return more;
}

/* Takes a slot, and frames back as long as none is free. `slot` NULL: only
 * looks. */
static int
seek_slot (struct sf_producer *p, uint64_t size, uint32_t keep,
    struct sf_slot *slot)
{
  int r = sf_slots_acquire (p->slots, size, keep, slot);
  unsigned tries = 0;

  while (r == -EAGAIN && sf_producer_reclaim (p, tries++))
    r = sf_slots_acquire (p->slots, size, keep, slot);
  return r;
}

int
sf_producer_acquire_slot (struct sf_producer *p, uint64_t size, uint32_t keep,
    struct sf_slot *slot)
{
  int r = seek_slot (p, size, keep, slot);

  /* The control thread sends clients the segment while the slot is being
   * filled. */
  if (r == 0 && slot->first)
    sf_producer_kick (p);
  return r;
}

int
sf_producer_poll_slot (struct sf_producer *p, uint64_t size, uint32_t keep)
{
  return seek_slot (p, size, keep, NULL);
}

/* Tells whether anything is still to come back: a frame that is being released,
 * or one that a client has. What a client has whose disconnect is pending comes
 * back when the control thread ends it. */
static bool
can_progress_locked (const struct sf_producer *p)
{
  if (sf_observe_u32 ((sf_atomic_u32 *) &p->progress.n_releasing) > 0
      || p->frames.done != NULL)
    return true;
  for (const struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (c->leases != NULL && sf_leases_outstanding (c->leases) > 0)
      return true;
  return false;
}

/* Makes the control thread check the clients that are waited for. */
static void
note_wait_locked (struct sf_producer *p)
{
  p->waiting.last = sf_now ();
  sf_producer_want_tick_locked (p, true);
}

/* Sleeps for one slice at most, unless something came back since the token. */
static void
sleep_locked (struct sf_producer *p, uint64_t token)
{
  p->waiting.n++;
  sf_store_flag (&p->progress.has_waiters, 1);
  sf_producer_set_want_locked (p);
  /* Either clients see that we want returns, or we see what they returned. */
  sf_fence_store_load ();
  if (sf_producer_collect_locked (p) > 0)
    sf_add_count (&p->progress.count, 1);
  if (p->need_kick || p->frames.done != NULL) {
    sf_producer_unlock (p);
    pthread_mutex_lock (&p->lock);
  }
  if (sf_producer_token (p) == token && !p->waiting.interrupted)
    sf_cond_wait (&p->cond, &p->lock, sf_now () + SF_WAIT_SLICE);
  p->waiting.n--;
  p->waiting.last = sf_now ();
  sf_store_flag (&p->progress.has_waiters, p->waiting.n > 0);
  if (p->waiting.n == 0)
    sf_producer_set_want_locked (p);
}

/* Tells whether a client needs our CPU to return something. */
static bool
has_client_on_this_cpu_locked (const struct sf_producer *p)
{
  for (const struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (c->state == SF_CLIENT_ACTIVE && sf_client_is_on_this_cpu (c))
      return true;
  return false;
}

int
sf_producer_wait (struct sf_producer *p, uint64_t token)
{
  /* Spin first: a look costs about 1 us, to sleep and be woken some 10 us. The
   * limit is a time, since a yield takes as long as others on this CPU like. */
  int64_t until = sf_now () + SF_SPIN_THRESHOLD;
  bool can_progress;
  int r = 0;

  for (;;) {
    bool over, same_cpu;

    pthread_mutex_lock (&p->lock);
    over = sf_producer_collect_locked (p) > 0
        || sf_producer_token (p) != token || p->waiting.interrupted;
    r = p->waiting.interrupted ? -EINTR : 0;
    same_cpu = has_client_on_this_cpu_locked (p);
    sf_producer_unlock (p);
    if (over)
      return r;
    if (sf_now () >= until)
      break;
    sf_spin_step (same_cpu);
  }
  pthread_mutex_lock (&p->lock);
  SF_HOOK ("full");
  can_progress = can_progress_locked (p);
  note_wait_locked (p);
  if (p->waiting.interrupted)
    r = -EINTR;
  else if (!can_progress && sf_producer_token (p) == token)
    r = -ENODATA;
  else
    sleep_locked (p, token);
  if (p->waiting.interrupted)
    r = -EINTR;
  sf_producer_unlock (p);
  return r;
}

/* Tells whether its queue of another producer's frames became full just now. */
static bool
is_about_to_take_locked (const struct sf_client *c, int64_t now)
{
  const struct sf_frame *oldest;

  if (c->state != SF_CLIENT_ACTIVE || c->pending_disconnect != 0
      || sf_client_is_lossless_locked (c)
      || c->leases->unclaimed.count < SF_MAX_FOREIGN_QUEUED)
    return false;
  oldest = c->leases->entry[c->leases->unclaimed.first].frame;
  return oldest->foreign && now - oldest->published < SF_GRACE;
}

void
sf_producer_wait_for_live (struct sf_producer *p)
{
  bool wait;

  do {
    pthread_mutex_lock (&p->lock);
    sf_producer_collect_locked (p);
    wait = false;
    for (struct sf_client *c = p->clients;
        c != NULL && !p->waiting.interrupted; c = c->next)
      wait = wait || is_about_to_take_locked (c, sf_now ());
    sf_producer_unlock (p);
    /* Poll: claiming a frame signals nothing. */
    if (wait)
      usleep (LIVE_NAP_US);
  } while (wait);
}

static bool
are_there_locked (const struct sf_producer *p, uint32_t n)
{
  for (const struct sf_client *c = p->clients; c != NULL && n > 0; c = c->next)
    n -= sf_client_is_served_locked (c);
  return n == 0;
}

int
sf_producer_wait_clients (struct sf_producer *p, uint32_t n)
{
  int r = 0;

  pthread_mutex_lock (&p->lock);
  while (r == 0 && !are_there_locked (p, n)) {
    if (p->waiting.interrupted)
      r = -EINTR;
    else if (p->waiting.clients_cancelled)
      r = -ECANCELED;
    else
      pthread_cond_wait (&p->cond, &p->lock);
  }
  pthread_mutex_unlock (&p->lock);
  return r;
}

void
sf_producer_cancel_wait_clients (struct sf_producer *p, bool on)
{
  pthread_mutex_lock (&p->lock);
  p->waiting.clients_cancelled = on;
  pthread_cond_broadcast (&p->cond);
  pthread_mutex_unlock (&p->lock);
}

void
sf_producer_interrupt (struct sf_producer *p, bool on)
{
  pthread_mutex_lock (&p->lock);
  p->waiting.interrupted = on;
  pthread_cond_broadcast (&p->cond);
  pthread_mutex_unlock (&p->lock);
}
