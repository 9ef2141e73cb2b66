/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a client's messages, and not more of them than is good for the
 * others. */
#include <errno.h>
#include <sys/epoll.h>

#include "producer/parts.h"

/* Messages read of one client before the others get their turn. */
#define MESSAGES_PER_TURN 16

/* Messages read within QUOTA_TIME. The count starts anew when a frame has come
 * back, since each return may bring a KICK. The rest waits in the socket. */
#define MESSAGE_QUOTA 256u
#define QUOTA_TIME (SF_NS_PER_SECOND / 10)
/* Turns for what a process sent before it ended. Its children may go on
 * sending. */
#define LAST_TURNS 64

/* The client may be gone after it. */
static void
handle_message (struct sf_client *c, const struct sf_message *msg)
{
  struct sf_producer *p = c->producer;
  bool greeted = c->state == SF_CLIENT_ACTIVE;

  if (msg->type == SF_MESSAGE_HELLO && c->state == SF_CLIENT_GREETING)
    sf_client_hello (c, &msg->hello);
  else if (msg->type == SF_MESSAGE_OBSERVE && c->state <= SF_CLIENT_OBSERVING)
    sf_client_observe (c, &msg->observe);
  else if (msg->type == SF_MESSAGE_KICK && c->state >= SF_CLIENT_ACTIVE)
    return;                     /* the thread collects after each turn */
  else if (msg->type == SF_MESSAGE_PONG && greeted
      && sf_client_pong (c, msg->paused))
    return;
  else if (msg->type == SF_MESSAGE_WANT && greeted)
    sf_client_want (c, msg->max_held);
  else if (msg->type == SF_MESSAGE_UPSTREAM && greeted) {
    if (p->settings.callbacks.upstream != NULL)
      p->settings.callbacks.upstream (p->settings.user, c->id,
          msg->upstream.data, msg->upstream.size);
  } else if (msg->type == SF_MESSAGE_BYE && c->state >= SF_CLIENT_ACTIVE) {
    sf_client_leave (c);
    sf_client_report_end (c, msg->reject.reason, msg->reject.text);
  } else if (c->state < SF_CLIENT_LEAVING)      /* else sent before it knew */
    sf_client_end (c, SF_REASON_VIOLATION,
        "it sent a message that does not belong there");
}

static void
listen_to (struct sf_client *c, uint32_t events)
{
  struct epoll_event ev = {
    .events = events,
    .data.u64 = (uint64_t) (uintptr_t) c,
  };

  epoll_ctl (c->producer->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

void
sf_client_unmute (struct sf_client *c)
{
  c->quota.muted_until = 0;
  c->quota.n_messages = 0;
  c->quota.since = sf_now ();
  if (!c->session.hung_up)
    listen_to (c, EPOLLIN | EPOLLRDHUP);
}

/* Counts one message. True: no more of it are read for a while. */
static bool
is_over_quota (struct sf_client *c)
{
  bool observes = c->state == SF_CLIENT_OBSERVING;
  int64_t time = observes ? SF_NS_PER_SECOND : QUOTA_TIME;
  int64_t now;
  uint64_t n_returned;

  if (++c->quota.n_messages < (observes ? SF_OBSERVER_QUOTA : MESSAGE_QUOTA))
    return false;
  now = sf_now ();
  pthread_mutex_lock (&c->producer->lock);
  n_returned = c->figures.n_returned;
  pthread_mutex_unlock (&c->producer->lock);
  if (n_returned != c->quota.n_returned || now - c->quota.since >= time) {
    c->quota.n_returned = n_returned;
    c->quota.since = now;
    c->quota.n_messages = 0;
    return false;
  }
  /* EPOLLRDHUP comes without being asked for. */
  if (c->quota.muted_until == 0)
    listen_to (c, 0);
  c->quota.muted_until = now + time;
  return true;
}

int
sf_client_read (struct sf_client *c)
{
  for (int i = 0; i < MESSAGES_PER_TURN; i++) {
    struct sf_message msg;
    /* No room for fds: clients have none to send. */
    int r = sf_receive (c->fd, &msg, NULL);

    if (r == -EAGAIN)
      return 0;
    if (r == -EPROTO) {
      sf_client_end (c, SF_REASON_VIOLATION,
          "it sent what is not a message of this protocol");
      return -EPIPE;
    }
    if (r <= 0) {
      /* Keep the fd open, and stop watching it. */
      epoll_ctl (c->producer->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
      c->session.hung_up = true;
      sf_client_end (c, SF_REASON_HANGUP, "");
      return -EPIPE;
    }
    sf_client_note_alive (c);
    handle_message (c, &msg);
    if (c->state == SF_CLIENT_GONE)
      return -EPIPE;
    if (is_over_quota (c))
      break;
  }
  return 1;
}

void
sf_client_greet_or_close (struct sf_client *c)
{
  if (sf_client_read (c) != 0)
    return;
  if (c->state == SF_CLIENT_GREETING)
    sf_client_end (c, SF_REASON_VIOLATION, "it never said HELLO");
  else if (c->state == SF_CLIENT_OBSERVING && c->session.deadline <= sf_now ())
    sf_client_end (c, SF_REASON_HANGUP, "");
}

/* Its children may keep copies of its fds, but nobody reads its frames any
 * more, unless it has passed them on. */
void
sf_client_process_ended (struct sf_client *c)
{
  struct sf_producer *p = c->producer;
  const struct sf_returns_page *page = c->queue.returns.map;
  int r = c->session.hung_up ? 0 : 1;

  /* Read what it sent before it ended. */
  for (int i = 0; i < LAST_TURNS && r > 0; i++)
    r = sf_client_read (c);
  /* If the client still exists, epoll reports the end again in the next
   * turn. */
  if (r < 0)
    return;
  epoll_ctl (p->epoll_fd, EPOLL_CTL_DEL, c->session.process_fd, NULL);
  c->session.process_gone = true;
  if (page == NULL || sf_observe_u32 (&page->passed_on) == 0) {
    sf_client_guard_hangup (c);
  } else if (!c->session.hung_up) {
    epoll_ctl (p->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->session.hung_up = true;
    sf_client_end (c, SF_REASON_HANGUP, "");
  }
}
