/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The consumer's control thread: listens, and connects again. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer-private.h"
#include "shared/explain.h"

/* The pause (ms) before another try, if the producer broke the protocol, or
 * accepted and hung up; or if its socket is full. */
#define PAUSE_MS 50
/* Messages read before looking whether to stop. */
#define MESSAGES_PER_TURN 64
/* Messages read within QUOTA_TIME: more than all segments of many relays. The
 * rest waits in the socket. */
#define MESSAGE_QUOTA 512u
#define QUOTA_TIME (SF_NS_PER_SECOND / 10)

/* Fails if the user needs the frames; else growing ends. */
static void
handle_reject (struct sf_consumer *c, struct sf_connection_state *conn,
    const struct sf_reject *reject)
{
  pthread_mutex_lock (&c->lock);
  if (c->holding.needed > sf_load_flag (&conn->max_held)) {
    c->notices.refused = true;
    c->notices.refused_reject = *reject;
  }
  c->holding.grow = false;
  sf_consumer_notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

static void
handle_latency (struct sf_consumer *c, const struct sf_latency *latency)
{
  pthread_mutex_lock (&c->lock);
  c->notices.latency = *latency;
  c->notices.latency_changed = true;
  sf_consumer_notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

/* Fills in the reason for ending a connection by an error of ours. */
static void
set_bye_error (struct sf_reject *bye, const char *what, int error)
{
  char why[SF_TEXT_MAX / 2];

  sf_explain (why, sizeof (why), error);
  bye->reason = error == -EPROTO ? SF_REASON_VIOLATION : SF_REASON_RESOURCES;
  snprintf (bye->text, sizeof (bye->text), "%s: %s", what, why);
}

/* The connection has to end if `bye` gets a reason. */
static void
handle_message (struct sf_consumer *c, struct sf_connection_state *conn,
    const struct sf_message *msg, const int fds[SF_MESSAGE_MAX_FDS],
    struct sf_reject *bye)
{
  int r;

  switch (msg->type) {
    case SF_MESSAGE_SEGMENT:
      SF_HOOK ("segment");
      r = sf_connection_add_segment (conn, &msg->segment, fds);
      if (r < 0) {
        set_bye_error (bye, "a segment of the producer cannot be mapped", r);
        return;
      }
      pthread_mutex_lock (&c->lock);
      pthread_cond_broadcast (&c->cond);
      pthread_mutex_unlock (&c->lock);
      return;
    case SF_MESSAGE_SEGMENT_GONE:
      sf_connection_remove_segment (conn, msg->segment_id);
      return;
    case SF_MESSAGE_SEGMENT_GROWN:
      /* serve() looks after each turn of messages. */
      sf_store_flag (&conn->grown, 1);
      return;
    case SF_MESSAGE_GRANT:
      sf_publish_u32 (&conn->max_held, msg->max_held);
      sf_connection_wake (conn);
      return;
    case SF_MESSAGE_REJECT:
      handle_reject (c, conn, &msg->reject);
      return;
    case SF_MESSAGE_LATENCY:
      handle_latency (c, &msg->latency);
      return;
    case SF_MESSAGE_PING:
      conn->control.pong_due = true;
      return;
    case SF_MESSAGE_FLUSH:
      /* serve() looks after each turn of messages. */
      return;
    case SF_MESSAGE_BYE:
      *bye = msg->reject;
      if (bye->reason == SF_REASON_NONE)
        bye->reason = SF_REASON_STOPPED;
      return;
    default:
      sf_close_received (fds);
      bye->reason = SF_REASON_VIOLATION;
      snprintf (bye->text, sizeof (bye->text),
          "the producer sent a message that does not belong there");
  }
}

/* Reads a limited number of messages, so that an endless stream of them does
 * not keep us from stopping. True: all were read. The connection has to end if
 * `bye` has a reason. */
static bool
read_messages (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_reject *bye)
{
  for (int i = 0; i < MESSAGES_PER_TURN && bye->reason == 0; i++) {
    struct sf_message msg;
    int fds[SF_MESSAGE_MAX_FDS];
    int r = sf_receive (conn->fd, &msg, fds);

    if (r == -EAGAIN)
      return true;
    if (r == 1) {
      SF_HOOK ("message");
      conn->control.n_messages++;
      handle_message (c, conn, &msg, fds, bye);
      continue;
    }
    if (r == -EMFILE)
      set_bye_error (bye, "a segment of the producer cannot be taken", r);
    else
      bye->reason = r == -EPROTO || r == -EBADF ? SF_REASON_VIOLATION
          : SF_REASON_HANGUP;
    c->control.got_unexpected_fds |= r == -EBADF;
  }
  return false;
}

static void
ask_for_room (struct sf_consumer *c, struct sf_connection_state *conn,
    uint32_t *asked)
{
  struct sf_message msg = { .type = SF_MESSAGE_WANT };

  pthread_mutex_lock (&c->lock);
  msg.max_held = c->holding.max_held;
  pthread_mutex_unlock (&c->lock);
  if (msg.max_held > *asked && sf_send (conn->fd, &msg, NULL, 0) >= 0)
    *asked = msg.max_held;
}

/* Returns for how many ms to read no messages, if there were too many. */
static int
mute_ms (struct sf_connection_state *conn)
{
  int64_t now = sf_now (), left = conn->control.quota_from + QUOTA_TIME - now;

  if (left <= 0) {
    conn->control.n_messages = 0;
    conn->control.quota_from = now;
  }
  if (conn->control.n_messages < MESSAGE_QUOTA)
    return 0;
  return (int) (left / 1000000) + 1;
}

/* Listens until the connection ends, or it is time to stop. */
static void
serve (struct sf_consumer *c, struct sf_connection_state *conn, uint32_t asked)
{
  struct sf_reject bye = { .reason = SF_REASON_NONE };
  int muted;

  /* Read what the producer sent before its end is noted: it may have sent
   * segments of frames that are still to be read. */
  while (!sf_consumer_is_stopping (c) && sf_observe_u32 (&conn->over) == 0) {
    bool gone = sf_process_is_gone (c->control.process_fd);

    if (read_messages (c, conn, &bye) && gone)
      bye.reason = SF_REASON_HANGUP;
    if (sf_take_flag (&conn->grown) != 0 && bye.reason == 0
        && sf_connection_map_growth (conn) < 0)
      set_bye_error (&bye, "a segment of the producer cannot be mapped",
          -EPROTO);
    if (bye.reason != SF_REASON_NONE) {
      sf_connection_end (conn, &bye);
      pthread_mutex_lock (&c->lock);
      pthread_cond_broadcast (&c->cond);
      pthread_mutex_unlock (&c->lock);
      break;
    }
    sf_consumer_report_flush (c, conn, false);
    ask_for_room (c, conn, &asked);
    muted = mute_ms (conn);
    sf_consumer_poll (c, muted > 0 ? -1 : conn->fd, muted > 0 ? muted
        : sf_connection_answer (conn, &c->paused) ? -1 : PAUSE_MS);
  }
  sf_consumer_report_flush (c, conn, true);
}

/* Waits until the streaming thread has read the connection to its end and wants
 * the next one. */
static bool
wait_to_connect (struct sf_consumer *c)
{
  bool go = false, wait = true;

  while (wait) {
    bool left = sf_consumer_free_ended (c);

    pthread_mutex_lock (&c->lock);
    if (c->phase != SF_PHASE_CONNECTING && !c->stopping)
      sf_cond_wait (&c->cond, &c->lock, left ? sf_now () + SF_ENDED_TICK
          : INT64_MAX);
    go = !c->stopping;
    wait = c->phase != SF_PHASE_CONNECTING && go;
    pthread_mutex_unlock (&c->lock);
  }
  sf_consumer_free_ended (c);
  return go;
}

/* From here on the last frame of each frees its connection. */
static void
release_ended (struct sf_consumer *c)
{
  while (c->control.ended != NULL) {
    struct sf_connection_state *conn = c->control.ended;

    c->control.ended = conn->control.next_ended;
    sf_connection_unref (conn);
  }
}

static void
hand_over (struct sf_consumer *c, struct sf_connection_state *conn)
{
  pthread_mutex_lock (&c->lock);
  c->conn = sf_connection_ref (conn);
  c->phase = SF_PHASE_CONNECTED;
  c->notices.waiting = false;
  c->connections++;
  pthread_cond_broadcast (&c->cond);
  pthread_mutex_unlock (&c->lock);
}

void *
sf_consumer_thread (void *consumer)
{
  struct sf_consumer *c = consumer;

  while (wait_to_connect (c)) {
    uint32_t asked = 0;
    /* Pause after one that accepts and hangs up, breaks the protocol, or lacks
     * something. */
    bool pause = false;
    struct sf_connection_state *conn = sf_consumer_connect (c, &asked, &pause);

    if (conn != NULL) {
      hand_over (c, conn);
      serve (c, conn, asked);
      c->control.deadline = 0;
      pause = sf_observe_u32 (&conn->over) != 0
          && (conn->bye.reason == SF_REASON_VIOLATION
          || conn->bye.reason == SF_REASON_RESOURCES);
      conn->control.next_ended = c->control.ended;
      c->control.ended = conn;
    }
    sf_consumer_forget_process (c);
    if (pause)
      sf_consumer_poll (c, -1, PAUSE_MS);
  }
  release_ended (c);
  return NULL;
}
