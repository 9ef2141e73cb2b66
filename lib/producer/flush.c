/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushes, and the end of a stream.
 *
 * Nothing of a flush goes through the ring, which may be full of records that
 * it makes void. Words in the announce header say where it ends; a FLUSH
 * message tells the client to look at them. */
#include "producer/parts.h"

/* Starts or stops a flush for one client. */
static void
step_locked (struct sf_client *c, bool start, uint32_t seqnum, bool reset_time)
{
  int r;

  if (c->queue.ring.header == NULL || c->state > SF_CLIENT_ACTIVE
      || c->pending_disconnect != 0)
    return;
  while ((r = sf_leases_revoke_newest (c->leases, sf_frame_done_locked,
              c->producer)) > 0);
  if (r < 0)
    sf_client_schedule_disconnect_locked (c, SF_REASON_VIOLATION);
  /* Being void, the queue was no reason to wait for it. */
  c->liveness.last_progress = sf_now ();
  /* Even to even is a whole flush, so a second start in a row, or a stop
   * without a start (from before it joined), counts twice. */
  c->queue.n_flushes += (c->queue.n_flushes & 1) == start ? 2 : 1;
  if (!start)
    sf_publish_u64 (&c->queue.ring.header->flush_end,
        c->queue.ring.head | (reset_time ? SF_FLUSH_RESETS : 0));
  sf_publish_u64 (&c->queue.ring.header->flush,
      (uint64_t) seqnum << 32 | c->queue.n_flushes);
}

static void
flush_locked (struct sf_producer *p, bool start, uint32_t seqnum,
    bool reset_time)
{
  sf_producer_drop_latest_locked (p);
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    step_locked (c, start, seqnum, reset_time);
  p->flush.on = start;
  p->flush.seqnum = seqnum;
  p->flush.unsent = true;
  p->need_kick = true;
}

static void
flush (struct sf_producer *p, bool start, uint32_t seqnum, bool reset_time)
{
  pthread_mutex_lock (&p->lock);
  flush_locked (p, start, seqnum, reset_time);
  sf_producer_unlock (p);
  /* A publisher may be waiting for the leases that were just revoked. */
  sf_producer_note_progress (p);
}

void
sf_producer_flush_start (struct sf_producer *p, uint32_t seqnum)
{
  flush (p, true, seqnum, false);
}

void
sf_producer_flush_stop (struct sf_producer *p, uint32_t seqnum, bool reset_time)
{
  flush (p, false, seqnum, reset_time);
}

void
sf_producer_end_stream (struct sf_producer *p)
{
  pthread_mutex_lock (&p->lock);
  sf_sticky_forget_locked (p, 0, UINT64_MAX);
  sf_producer_drop_latest_locked (p);
  p->capacity.upstream_slots = 0;
  /* Clients wait for a stop that will not come. */
  if (p->flush.on)
    flush_locked (p, false, p->flush.seqnum, true);
  sf_producer_unlock (p);
}

void
sf_producer_send_flush (struct sf_producer *p)
{
  struct sf_message msg = { .type = SF_MESSAGE_FLUSH };
  bool changed;

  pthread_mutex_lock (&p->lock);
  changed = p->flush.unsent;
  p->flush.unsent = false;
  pthread_mutex_unlock (&p->lock);
  if (!changed)
    return;
  /* Publish the words before looking at the sleeping flags. */
  sf_fence_store_load ();
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    if (c->state != SF_CLIENT_ACTIVE || c->session.hung_up)
      continue;
    /* EAGAIN does no harm: a client looks at the words after each batch of
     * messages. */
    sf_client_send (c, &msg);
    if (sf_client_take_sleeping_flag (c))
      sf_client_wake (c);
  }
}
