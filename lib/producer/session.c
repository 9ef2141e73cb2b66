/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client from HELLO to its end, in the control thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "producer/parts.h"

/* Takes the client out of the list and ends its leases. It is freed when this
 * turn of the control thread ends: until then it is GONE, and leads to the next
 * one in the list. */
static void
remove_client (struct sf_client *c)
{
  struct sf_producer *p = c->producer;
  struct sf_client **link;

  pthread_mutex_lock (&p->lock);
  for (link = &p->clients; *link != c; link = &(*link)->next);
  *link = c->next;
  c->state = SF_CLIENT_GONE;
  p->n_connections -= c->session.has_place;
  if (c->leases != NULL)
    sf_leases_clear (c->leases, sf_frame_done_locked, p);
  sf_producer_unlock (p);
  epoll_ctl (p->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
  if (c->session.guard_fd >= 0)
    epoll_ctl (p->epoll_fd, EPOLL_CTL_DEL, c->session.guard_fd, NULL);
  if (c->session.process_fd >= 0)
    epoll_ctl (p->epoll_fd, EPOLL_CTL_DEL, c->session.process_fd, NULL);
  c->session.next_removed = p->control.removed;
  p->control.removed = c;
  sf_producer_note_progress (p);
}

void
sf_client_report_end (struct sf_client *c, uint32_t reason, const char *text)
{
  struct sf_producer *p = c->producer;
  struct sf_client_info info;

  if (!c->session.reported)
    return;
  c->session.reported = false;
  pthread_mutex_lock (&p->lock);
  sf_client_info_locked (c, &info);
  pthread_mutex_unlock (&p->lock);
  if (p->settings.callbacks.disconnected != NULL)
    p->settings.callbacks.disconnected (p->settings.user, &info, reason, text);
}

/* Revokes what a client has not claimed that is no longer served. */
static void
revoke_queue_locked (struct sf_client *c)
{
  struct sf_producer *p = c->producer;
  uint32_t unclaimed = 0;

  if (c->pending_disconnect == SF_REASON_VIOLATION) {
    unclaimed = c->leases->unclaimed.count;
  } else {
    sf_leases_collect (c->leases, sf_frame_done_locked, p);
    while (sf_leases_revoke_newest (c->leases, sf_frame_done_locked, p) > 0)
      unclaimed++;
  }
  c->figures.unclaimed += unclaimed;
  sf_client_drop_locked (c, SF_DROP_LEFT, unclaimed);
}

/* Stops serving it; it may go on reading what it holds. True: it holds
 * nothing. */
static bool
stop_serving (struct sf_client *c, uint32_t state)
{
  struct sf_producer *p = c->producer;
  bool empty;

  pthread_mutex_lock (&p->lock);
  c->state = state;
  if (c->leases != NULL)
    revoke_queue_locked (c);
  empty = c->leases == NULL || sf_leases_outstanding (c->leases) == 0;
  sf_producer_unlock (p);
  sf_producer_note_progress (p);
  return empty;
}

void
sf_client_leave (struct sf_client *c)
{
  if (c->state != SF_CLIENT_LEAVING)
    c->session.deadline = sf_now () + SF_GREETING_TIMEOUT;
  stop_serving (c, SF_CLIENT_LEAVING);
}

void
sf_client_end (struct sf_client *c, uint32_t reason, const char *text)
{
  struct sf_producer *p = c->producer;
  struct sf_message msg = {
    .type = SF_MESSAGE_BYE,
    .reject = { .reason = reason },
  };
  /* Or observing. */
  bool empty, greeting = c->state < SF_CLIENT_ACTIVE;

  SF_HOOK (reason == SF_REASON_VIOLATION ? "violation" : "end");
  snprintf (msg.reject.text, sizeof (msg.reject.text), "%s", text);
  if (reason == SF_REASON_SLOW) {
    pthread_mutex_lock (&p->lock);
    p->stats.clients_evicted++;
    pthread_mutex_unlock (&p->lock);
  }
  /* Sends it nothing: it may be a consumer that was stopped for long, and tries
   * again when it finds the connection closed. */
  if (greeting && reason == SF_REASON_VIOLATION)
    sf_client_report_refusal (p, &c->peer, &msg.reject);
  empty = stop_serving (c, SF_CLIENT_LINGERING);
  sf_client_report_end (c, reason, text);
  /* Sent only after its queue is revoked: told earlier, it would claim more. */
  if (!c->session.hung_up && !greeting) {
    sf_send (c->fd, &msg, NULL, 0);
    SF_HOOK ("told");
    /* A full socket still ends for it, after what it has not read. */
    shutdown (c->fd, SHUT_WR);
  }
  pthread_mutex_lock (&p->lock);
  c->pending_disconnect = SF_REASON_NONE;
  pthread_mutex_unlock (&p->lock);
  /* A violator, or a client without frames, goes at once. Frames of others stay
   * out until the guard says that nobody can read them. */
  if (empty || reason == SF_REASON_VIOLATION || reason == SF_REASON_DELIVERY)
    remove_client (c);
}

/* Makes its memory and its guard, whose other end the caller closes. 0 or
 * -errno. */
static int
make_channels (struct sf_client *c, int *guard_write)
{
  struct sf_producer *p = c->producer;
  uint64_t size = SF_ANNOUNCE_DATA_OFFSET + SF_ANNOUNCE_RING_SIZE;
  struct sf_leases *leases = NULL;
  int guard[2];
  int r = sf_shm_create (&c->queue.announce, "shmframe-announce", size,
      SF_SHM_SEALED);

  if (r == 0)
    r = sf_shm_create (&c->queue.returns, "shmframe-returns",
        sizeof (struct sf_returns_page), SF_SHM_SHARED);
  if (r == 0 && pipe2 (guard, O_CLOEXEC | O_NONBLOCK) < 0)
    r = -errno;
  if (r < 0)
    return r;
  c->session.guard_fd = sf_fd_own (guard[0]);
  *guard_write = sf_fd_own (guard[1]);
  /* A hang-up is reported without being asked for. */
  r = sf_client_watch (c, guard[0], 0, 1);
  if (r == 0)
    leases = malloc (sizeof (*leases));
  if (leases == NULL)
    return r < 0 ? r : -ENOMEM;
  sf_ring_format (c->queue.announce.map, c->queue.returns.map,
      SF_ANNOUNCE_RING_SIZE);
  sf_leases_init (leases, c->queue.returns.map);
  pthread_mutex_lock (&p->lock);
  c->leases = leases;
  sf_ring_writer_init (&c->queue.ring, c->queue.announce.map,
      c->queue.returns.map, SF_ANNOUNCE_RING_SIZE);
  sf_store_flag (&c->queue.ring.header->want_returns, p->waiting.n > 0
      || p->frames.pooled ? p->waiting.last_want : 0);
  pthread_mutex_unlock (&p->lock);
  return 0;
}

/* Sends sticky events and the latest frame, and makes it active. */
static void
join (struct sf_client *c)
{
  struct sf_producer *p = c->producer;
  struct sf_client_info info;

  pthread_mutex_lock (&p->lock);
  while (p->frames.latest != NULL && c->pending_disconnect == 0) {
    uint32_t id = sf_client_missing_segment_locked (c, p->frames.latest);

    if (id == 0 || sf_client_send_segment (c, id) < 0)
      break;
  }
  c->state = SF_CLIENT_ACTIVE;
  c->liveness.last_progress = c->liveness.last_sign = sf_now ();
  p->stats.clients_seen++;
  sf_client_catch_up_locked (c);
  sf_client_info_locked (c, &info);
  pthread_cond_broadcast (&p->cond);
  sf_producer_unlock (p);
  sf_fence_store_load ();
  if (sf_client_take_sleeping_flag (c))
    sf_client_wake (c);
  c->session.reported = true;
  if (p->settings.callbacks.connected != NULL)
    p->settings.callbacks.connected (p->settings.user, &info);
}

static void
reject_hello (struct sf_client *c, const struct sf_reject *reject)
{
  sf_client_refuse (c->producer, c->fd, &c->peer, reject);
  sf_client_end (c, reject->reason, reject->text);
}

/* Watches its process, whose children may keep its socket and its guard.
 * Without a pidfd only these are watched. */
static void
watch_process (struct sf_client *c)
{
  c->session.process_fd = sf_fd_own (sf_peer_process (c->fd));
  if (c->session.process_fd >= 0)
    sf_client_watch (c, c->session.process_fd, EPOLLIN, 2);
}

/* False: it is refused. */
static bool
take_place (struct sf_client *c)
{
  struct sf_producer *p = c->producer;
  struct sf_reject reject;

  if (p->n_connections >= p->settings.max_clients) {
    sf_producer_explain_full (p, &reject);
    reject_hello (c, &reject);
    return false;
  }
  pthread_mutex_lock (&p->lock);
  c->session.has_place = true;
  p->n_connections++;
  pthread_mutex_unlock (&p->lock);
  watch_process (c);
  return true;
}

/* Answers a client whose frames the ring can hold, and then makes anew the base
 * slots that it took. */
static void
welcome_and_grow (struct sf_client *c)
{
  uint32_t max_held = c->grant.max_held;
  uint64_t needed = 0;

  sf_client_answer_hello (c, 0, max_held, 0);
  /* If memory is short, the ring goes on with fewer base slots. */
  if (c->state == SF_CLIENT_ACTIVE)
    sf_client_grant (c, max_held, &needed);
}

void
sf_client_hello (struct sf_client *c, const struct sf_hello *hello)
{
  struct sf_producer *p = c->producer;
  struct sf_reject reject = { 0 };
  uint64_t needed = 0;
  int r;

  if (!sf_protocol_is_common (hello->version_min, hello->version_max)) {
    sf_producer_explain_version (hello->version_min, hello->version_max,
        &reject);
    reject_hello (c, &reject);
    return;
  }
  if (!take_place (c))
    return;
  pthread_mutex_lock (&p->lock);
  memcpy (c->hello.name, hello->name, sizeof (c->hello.name));
  c->hello.delivery = hello->delivery;
  c->hello.max_lag = (int64_t) hello->max_lag;
  pthread_mutex_unlock (&p->lock);
  SF_HOOK ("hello");
  if (sf_client_grant_at_once (c, hello->max_held)) {
    welcome_and_grow (c);
    return;
  }
  r = sf_client_grant (c, hello->max_held, &needed);
  if (r == 0 || !sf_client_postpone_grant (c, r, hello->max_held, needed)) {
    sf_client_answer_hello (c, r, hello->max_held, needed);
    return;
  }
  pthread_mutex_lock (&p->lock);
  c->state = SF_CLIENT_WAITING;
  pthread_mutex_unlock (&p->lock);
}

void
sf_client_answer_hello (struct sf_client *c, int r, uint32_t max_held,
    uint64_t needed)
{
  struct sf_producer *p = c->producer;
  struct sf_message msg = { .type = SF_MESSAGE_WELCOME };
  struct sf_reject reject = { 0 };
  int guard_write = -1;

  if (r == 0)
    r = make_channels (c, &guard_write);
  if (r < 0)
    sf_fd_close (guard_write);
  if (r == -ESHUTDOWN) {
    /* We are closing: hang up, and it looks for the next producer. */
    sf_client_end (c, SF_REASON_HANGUP, "");
    return;
  }
  if (r < 0) {
    sf_client_explain_grant (c, r, max_held, needed, &reject);
    reject_hello (c, &reject);
    return;
  }
  msg.welcome = (struct sf_welcome) {
    .version = SF_PROTOCOL_VERSION,
    .n_leases = SF_MAX_LEASES,
    .producer_id = p->id,
    .announce_size = c->queue.announce.size,
    .returns_size = c->queue.returns.size,
    .max_held = max_held,
    .clock = (uint64_t) sf_now (),
  };
  r = sf_send (c->fd, &msg, (int[]) {
        c->queue.announce.fd, c->queue.returns.fd, guard_write
      }, 3);
  sf_fd_close (guard_write);
  sf_shm_keep_map (&c->queue.announce);
  sf_shm_keep_map (&c->queue.returns);
  SF_HOOK ("welcomed");
  pthread_mutex_lock (&p->lock);
  sf_client_note_fds_locked (c, 3, r);
  sf_producer_unlock (p);
  if (r == -ETOOMANYREFS) {
    sf_client_explain_grant (c, r, max_held, needed, &reject);
    reject_hello (c, &reject);
    return;
  }
  if (r < 0) {
    sf_client_end (c, SF_REASON_HANGUP, "");
    return;
  }
  join (c);
  sf_client_send_latency (c);
}

void
sf_client_send_bye (struct sf_client *c)
{
  struct sf_producer *p = c->producer;
  struct sf_message msg = {
    .type = SF_MESSAGE_BYE,
    .reject = { .reason = SF_REASON_STOPPED },
  };
  bool lingers;

  if (!c->session.hung_up && c->state == SF_CLIENT_ACTIVE)
    sf_client_send (c, &msg);
  /* Leave the lease words: it may still claim what is there. */
  pthread_mutex_lock (&p->lock);
  sf_client_collect_locked (c);
  lingers = c->leases != NULL && sf_client_holds_foreign_locked (c);
  if (c->state == SF_CLIENT_ACTIVE)
    c->state = SF_CLIENT_LINGERING;
  sf_producer_unlock (p);
  sf_client_report_end (c, SF_REASON_STOPPED, "");
  if (!lingers)
    remove_client (c);
}

void
sf_client_guard_hangup (struct sf_client *c)
{
  stop_serving (c, SF_CLIENT_LINGERING);
  sf_client_report_end (c, SF_REASON_HANGUP, "");
  remove_client (c);
}

void
sf_client_send_latency (struct sf_client *c)
{
  struct sf_producer *p = c->producer;
  struct sf_message msg = { .type = SF_MESSAGE_LATENCY };
  bool known, refused;

  pthread_mutex_lock (&p->lock);
  known = p->delivery.known;
  refused = known && !p->delivery.lossless
      && c->hello.delivery == SF_DELIVERY_LOSSLESS;
  msg.latency = (struct sf_latency) {
    .live = p->delivery.live,
    .lossless = sf_client_is_lossless_locked (c),
    .min = p->delivery.latency_min,
    .max = p->delivery.latency_max,
  };
  pthread_mutex_unlock (&p->lock);
  if (refused)
    sf_client_end (c, SF_REASON_DELIVERY, "the producer serves live, so no "
        "client can have delivery=lossless; set delivery=lossless on "
        "shmframesink too, or auto here");
  else if (known)
    sf_client_send (c, &msg);
}
