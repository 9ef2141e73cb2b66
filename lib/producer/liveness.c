/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks clients that are waited for whether they live, and disconnects those
 * that do not answer. A client whose process answers may take as long over a
 * frame as it likes, unless stall-timeout is set. */
#include "producer/parts.h"

/* Send PING after this time without a sign of life (ns), or a quarter of
 * client-timeout if that is less. */
#define PING_AFTER (SF_NS_PER_SECOND / 2)
/* Report a wait that lasts this long (ns), and the next one only after a
 * pause. */
#define REPORT_AFTER SF_NS_PER_SECOND
#define REPORT_AGAIN_AFTER (10 * SF_NS_PER_SECOND)

/* Tells whether it keeps a frame that is missed by somebody outside of
 * sf_producer_wait(): another producer (relay), or upstream's pool. */
static bool
holds_others_memory_locked (const struct sf_client *c)
{
  const struct sf_lease_list *lists[] = { &c->leases->unclaimed,
    &c->leases->held
  };

  for (int i = 0; i < 2; i++) {
    const struct sf_frame *oldest;

    if (lists[i]->count == 0)
      continue;
    oldest = c->leases->entry[lists[i]->first].frame;
    if (oldest->foreign || c->producer->frames.pooled)
      return true;
  }
  return false;
}

static bool
is_served_lossless_locked (const struct sf_client *c)
{
  return sf_client_is_served_locked (c)
      && sf_client_is_lossless_locked (c);
}

/* Tells whether publishing has stopped because a lossless client keeps what
 * upstream needs. Upstream does not tell us that it waits. */
static bool
is_starved_by_client_locked (const struct sf_producer *p, int64_t now)
{
  if (now - p->frames.last_publish < SF_WAIT_SLICE)
    return false;
  for (const struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (is_served_lossless_locked (c) && holds_others_memory_locked (c))
      return true;
  return false;
}

bool
sf_producer_is_waiting_locked (const struct sf_producer *p)
{
  return p->waiting.last != 0
      && sf_now () - p->waiting.last < 2 * SF_WAIT_SLICE;
}

static int64_t
later_by (int64_t time, int64_t ns, int64_t now)
{
  return now - time > ns ? time + ns : now;
}

/* Counts only time in which the client was waited for and this process ran: of
 * the time between two looks, two slices at most. */
static void
discount_absence_locked (struct sf_producer *p, int64_t now)
{
  int64_t absent = now - p->waiting.last_check - 2 * SF_WAIT_SLICE;

  p->waiting.last_check = now;
  if (absent <= 0)
    return;
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    c->liveness.last_progress =
        later_by (c->liveness.last_progress, absent, now);
    c->liveness.last_sign = later_by (c->liveness.last_sign, absent, now);
  }
}

/* Tells whether something waits for it to read. What it holds does not count: a
 * sink may keep the last frame for good. */
static bool
has_unread_locked (const struct sf_client *c)
{
  return c->leases->unclaimed.count > 0
      || c->queue.ring.read_pos != c->queue.ring.head;
}

/* Makes a disconnect pending if it is dead or stalled. True: send PING. */
static bool
check_locked (struct sf_client *c, int64_t now)
{
  int64_t timeout = c->producer->settings.client_timeout;
  int64_t stall_timeout = c->producer->settings.stall_timeout;
  int64_t stalled = now - c->liveness.last_progress;
  int64_t silent = now - c->liveness.last_sign;
  int64_t ping_after = PING_AFTER;
  bool ask;

  if (silent > stalled)
    silent = stalled;
  if (timeout > 0 && timeout / 4 < ping_after)
    ping_after = timeout / 4;
  if (timeout > 0 && c->liveness.ping_sent != 0 && silent > timeout)
    c->evict_text = "no sign of life for client-timeout while frames waited; "
        "where the consumer's process may be stopped for longer, raise "
        "client-timeout of shmframesink";
  else if (stall_timeout > 0 && has_unread_locked (c)
      && stalled > stall_timeout)
    c->evict_text = "no frame was taken for stall-timeout; take frames sooner, "
        "or raise stall-timeout of shmframesink";
  if (c->evict_text != NULL) {
    sf_client_schedule_disconnect_locked (c, SF_REASON_SLOW);
    return false;
  }
  ask = c->liveness.ping_sent == 0 && silent > ping_after;
  if (ask)
    c->liveness.ping_sent = now;
  return ask;
}

/* Tells whether to report that it is waited for. */
static bool
must_report_wait_locked (struct sf_client *c, int64_t now)
{
  int64_t before = c->liveness.wait_reported;

  if (!has_unread_locked (c) || now - c->liveness.last_progress < REPORT_AFTER)
    return false;
  c->liveness.wait_reported = now;
  return before == 0 || now - before > REPORT_AGAIN_AFTER;
}

static void
check_client (struct sf_client *c, int64_t now)
{
  static const struct sf_message ping = { .type = SF_MESSAGE_PING };
  struct sf_producer *p = c->producer;
  struct sf_client_info info;
  bool ask = false, report = false;

  pthread_mutex_lock (&p->lock);
  if (is_served_lossless_locked (c)) {
    /* With an empty queue it owes nobody anything. */
    if (sf_leases_outstanding (c->leases) == 0 && !has_unread_locked (c))
      c->liveness.last_progress = now;
    ask = check_locked (c, now);
    report = c->pending_disconnect == 0 && must_report_wait_locked (c, now);
    sf_client_info_locked (c, &info);
  }
  sf_producer_unlock (p);
  /* EAGAIN: its socket is full of messages that it has not read. */
  if (ask && !c->session.hung_up)
    sf_client_send (c, &ping);
  if (report && p->settings.callbacks.waiting != NULL)
    p->settings.callbacks.waiting (p->settings.user, &info);
}

void
sf_producer_check_liveness (struct sf_producer *p)
{
  int64_t now = sf_now ();
  bool waiting;

  pthread_mutex_lock (&p->lock);
  waiting = sf_producer_is_waiting_locked (p)
      || is_starved_by_client_locked (p, now);
  if (waiting)
    discount_absence_locked (p, now);
  pthread_mutex_unlock (&p->lock);
  for (struct sf_client *c = p->clients; waiting && c != NULL; c = c->next)
    check_client (c, now);
}

bool
sf_client_holds_foreign_locked (const struct sf_client *c)
{
  for (uint32_t i = 0; i < SF_MAX_LEASES; i++) {
    const struct sf_lease_entry *e = &c->leases->entry[i];

    if (e->state != SF_LEASE_FREE
        && ((const struct sf_frame *) e->frame)->foreign)
      return true;
  }
  return false;
}

void
sf_client_note_alive (struct sf_client *c)
{
  pthread_mutex_lock (&c->producer->lock);
  c->liveness.last_sign = sf_now ();
  pthread_mutex_unlock (&c->producer->lock);
}

bool
sf_client_pong (struct sf_client *c, bool paused)
{
  bool asked;

  pthread_mutex_lock (&c->producer->lock);
  asked = c->liveness.ping_sent != 0;
  c->liveness.ping_sent = 0;
  c->liveness.paused = paused;
  pthread_mutex_unlock (&c->producer->lock);
  return asked;
}
