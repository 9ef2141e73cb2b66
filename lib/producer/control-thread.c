/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control thread. */
#include <errno.h>
#include <sys/epoll.h>

#include "producer/parts.h"

#define MAX_EVENTS 32
/* How often another producer's segments are checked for having retired (ms). */
#define RELAY_TICK_MS 200
/* How long the listener rests after running out of fds (ms). */
#define ACCEPT_PAUSE_MS 100
#define ACCEPTS_PER_TURN 32

static void
end_pending_disconnects (struct sf_producer *p)
{
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    const char *text = "";
    uint32_t reason;

    pthread_mutex_lock (&p->lock);
    reason = c->pending_disconnect;
    pthread_mutex_unlock (&p->lock);
    if (reason == SF_REASON_VIOLATION)
      text = "it holds more frames than it was granted, or wrote into its "
          "returns what cannot be";
    else if (reason == SF_REASON_SLOW)
      text = c->evict_text != NULL ? c->evict_text
          : "it does not read what it is sent";
    else if (reason == SF_REASON_MEMORY)
      text = "it holds more frames than max-memory allows since they became "
          "larger; raise max-memory of shmframesink, or hold fewer frames";
    else if (reason == SF_REASON_RESOURCES)
      text = "the producer is out of memory";
    if (reason != 0)
      sf_client_end (c, reason, text);
  }
}

/* After BYE only the end of the socket can come, and another process may have a
 * copy of that. */
static bool
has_left (const struct sf_client *c)
{
  return c->state == SF_CLIENT_LEAVING
      && sf_leases_outstanding (c->leases) == 0;
}

/* Closes connections that missed their deadline, and reads again from those
 * that were muted. Returns the ms until the next deadline, or -1. */
static int
expire_deadlines (struct sf_producer *p)
{
  int64_t now = sf_now ();
  int64_t next = INT64_MAX;

  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    if (c->quota.muted_until != 0 && c->quota.muted_until <= now)
      sf_client_unmute (c);
    else if (c->quota.muted_until != 0 && c->quota.muted_until < next)
      next = c->quota.muted_until;
    if (c->state < SF_CLIENT_WAITING || has_left (c)) {
      if (c->session.deadline > now)
        next = c->session.deadline < next ? c->session.deadline : next;
      else if (c->state < SF_CLIENT_WAITING)
        sf_client_greet_or_close (c);
      else
        sf_client_guard_hangup (c);
    }
  }
  return next == INT64_MAX ? -1 : (int) ((next - now) / 1000000) + 1;
}

static void
send_gone (struct sf_producer *p)
{
  struct sf_message msg = { .type = SF_MESSAGE_SEGMENT_GONE };
  struct sf_known_segment gone;

  for (;;) {
    bool more;

    pthread_mutex_lock (&p->lock);
    more = sf_known_take_gone_locked (p, &gone);
    pthread_mutex_unlock (&p->lock);
    if (!more)
      return;
    msg.segment_id = gone.id;
    /* A hint: a client that misses it unmaps when it disconnects. */
    for (struct sf_client *c = p->clients; c != NULL; c = c->next)
      if (c->state == SF_CLIENT_ACTIVE && !c->session.hung_up)
        sf_client_send (c, &msg);
    sf_segment_unref (gone.segment);
  }
}

static void
send_latency (struct sf_producer *p)
{
  bool changed;

  pthread_mutex_lock (&p->lock);
  changed = p->delivery.unsent;
  p->delivery.unsent = false;
  pthread_mutex_unlock (&p->lock);
  for (struct sf_client *c = p->clients; changed && c != NULL; c = c->next)
    if (c->state == SF_CLIENT_ACTIVE && !c->session.hung_up)
      sf_client_send_latency (c);
}

/* Removes lingering clients whose last frame is back. */
static void
end_empty (struct sf_producer *p)
{
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (c->state == SF_CLIENT_LINGERING && c->leases != NULL
        && sf_leases_outstanding (c->leases) == 0)
      sf_client_guard_hangup (c);
}

static void
collect (struct sf_producer *p)
{
  int n;

  pthread_mutex_lock (&p->lock);
  sf_producer_set_want_locked (p);
  /* Either clients see that a signal is wanted again, or we see what they
   * returned without one. */
  sf_fence_store_load ();
  n = sf_producer_collect_locked (p);
  sf_producer_unlock (p);
  if (n > 0)
    sf_producer_note_progress (p);
}

/* Ends overflows of clients that have read all, and gives the last frame to
 * those that lacked its segment. */
static void
recover (struct sf_producer *p)
{
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    bool wake = false, better = false;

    pthread_mutex_lock (&p->lock);
    if (sf_client_is_served_locked (c)
        && (c->queue.overflowed || c->queue.lacks_segment)) {
      sf_client_recover_locked (c);
      sf_fence_store_load ();
      /* Wake it even if it is still overflowed: part of what it lacks is in its
       * ring. */
      wake = c->queue.ring.read_pos != c->queue.ring.head
          && sf_client_take_sleeping_flag (c);
      better = !c->queue.overflowed;
    }
    sf_producer_unlock (p);
    if (wake)
      sf_client_wake (c);
    if (better)
      sf_producer_note_progress (p);
  }
}

/* Retries requests that were postponed until others return slots. */
static void
retry_grants (struct sf_producer *p)
{
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    uint64_t needed = 0;
    uint32_t max_held;
    int r = c->grant.requested != 0 && !c->session.hung_up
        && c->state < SF_CLIENT_LEAVING ? sf_client_retry_grant (c, &max_held,
        &needed) : -EAGAIN;

    if (r != -EAGAIN && c->state == SF_CLIENT_WAITING)
      sf_client_answer_hello (c, r, max_held, needed);
    else if (r != -EAGAIN)
      sf_client_answer_want (c, r, max_held, needed);
  }
}

/* Negative: never. */
static int
sooner (int ms, int other_ms)
{
  return ms < 0 || (other_ms >= 0 && other_ms < ms) ? other_ms : ms;
}

/* Returns how often to look at what came back (ms), -1: never. Soon, if a
 * publisher, upstream's pool or another producer (`relays`) may wait for it, or
 * if a grant or a client's end depends on it. */
static int
tick_locked (const struct sf_producer *p, bool relays)
{
  int64_t idle = sf_now () - p->frames.last_publish;
  bool out = idle < SF_IDLE_TICK_MS * (SF_NS_PER_SECOND / 1000);
  bool awaited = p->capacity.grants_pending || p->control.removed != NULL
      || sf_producer_is_waiting_locked (p);

  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    bool has = c->leases != NULL && sf_leases_outstanding (c->leases) > 0;

    out |= has;
    awaited |= c->grant.requested != 0 || c->queue.overflowed
        || c->queue.lacks_segment || (has && c->state > SF_CLIENT_ACTIVE);
  }
  awaited |= out && (p->frames.pooled || relays);
  return awaited ? SF_TICK_MS : out ? SF_IDLE_TICK_MS : -1;
}

/* Returns how long to sleep (ms). */
static int
timeout_ms (struct sf_producer *p, int greeting_ms)
{
  bool relays = false;
  int tick_ms;

  pthread_mutex_lock (&p->lock);
  for (uint32_t i = 0; i < p->segments.n_known && !relays; i++)
    relays = !sf_slots_own (p->slots, p->segments.known[i].segment);
  p->tick_ms = tick_ms = tick_locked (p, relays);
  pthread_mutex_unlock (&p->lock);
  return sooner (greeting_ms, sooner (tick_ms, relays ? RELAY_TICK_MS : -1));
}

/* Accepts a few connections: one who connects faster than that must not keep us
 * from the rest. True: out of fds, so that the listener would stay readable. */
static bool
accept_some (struct sf_producer *p)
{
  for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
    struct sf_credentials peer;
    int fd = sf_listener_accept (&p->listener, &peer);

    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
      if (!p->control.starved_reported && p->settings.callbacks.starved != NULL)
        p->settings.callbacks.starved (p->settings.user, fd);
      p->control.starved_reported = true;
      return true;
    }
    if (fd < 0)
      return false;
    p->control.starved_reported = false;
    sf_client_accept (p, fd, &peer);
  }
  return false;
}

/* Handles any event but that of the listener. */
static void
handle_event (struct sf_producer *p, const struct epoll_event *ev)
{
  uint64_t tag = ev->data.u64 & 3;
  struct sf_client *c =
      (struct sf_client *) (uintptr_t) (ev->data.u64 & ~UINT64_C (3));

  if (c == NULL)
    sf_eventfd_clear (p->wake_fd);
  else if (c->state == SF_CLIENT_GONE)
    return;                     /* an earlier event of this turn ended it */
  else if (tag == 0 && !c->session.hung_up)
    sf_client_read (c);
  else if (tag == 1 && (ev->events & (EPOLLHUP | EPOLLERR)))
    sf_client_guard_hangup (c);
  else if (tag == 2)
    sf_client_process_ended (c);
}

static bool
is_stopping (struct sf_producer *p)
{
  bool stopping;

  pthread_mutex_lock (&p->lock);
  stopping = p->stopping;
  pthread_mutex_unlock (&p->lock);
  return stopping;
}

static void
listen_again (struct sf_producer *p, bool on)
{
  struct epoll_event ev = { .events = on ? EPOLLIN : 0, .data.u64 = 0 };

  epoll_ctl (p->epoll_fd, EPOLL_CTL_MOD, p->listener.fd, &ev);
}

void *
sf_producer_thread (void *producer)
{
  struct sf_producer *p = producer;
  struct epoll_event events[MAX_EVENTS];
  bool accept_paused = false;

  while (!is_stopping (p)) {
    bool listener_ready = false;
    int ms =
        timeout_ms (p, sooner (expire_deadlines (p), sf_producer_shrink (p)));
    int n = epoll_wait (p->epoll_fd, events, MAX_EVENTS, accept_paused
        && (ms < 0 || ms > ACCEPT_PAUSE_MS) ? ACCEPT_PAUSE_MS : ms);

    if (accept_paused) {
      listen_again (p, true);
      accept_paused = false;
    }
    for (int i = 0; i < n; i++) {
      if (events[i].data.u64 == 0)
        listener_ready = true;
      else
        handle_event (p, &events[i]);
    }
    collect (p);
    sf_producer_send_segment_updates (p);
    sf_producer_fulfil_grants (p);
    retry_grants (p);
    sf_producer_check_liveness (p);
    sf_producer_grow_for_upstream (p);
    recover (p);
    end_pending_disconnects (p);
    end_empty (p);
    send_latency (p);
    sf_producer_send_flush (p);
    sf_producer_send_segment_updates (p);
    send_gone (p);
    sf_producer_free_removed (p);
    /* Accept last: those that ended have freed their fds. */
    accept_paused = listener_ready && accept_some (p);
    if (accept_paused)
      listen_again (p, false);
  }
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    sf_client_send_bye (c);
  return NULL;
}

void
sf_producer_linger (struct sf_producer *p)
{
  struct epoll_event events[MAX_EVENTS];

  while (p->clients != NULL) {
    int n = epoll_wait (p->epoll_fd, events, MAX_EVENTS, SF_TICK_MS);

    for (int i = 0; i < n; i++)
      handle_event (p, &events[i]);
    collect (p);
    end_pending_disconnects (p);
    end_empty (p);
    sf_producer_free_removed (p);
  }
}
