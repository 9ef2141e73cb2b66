/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The consumer's control thread: listens, and connects again. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consumer/consumer-private.h"
#include "shared/explain.h"

/* Before whoever broke the rules, or accepted and hung up, is tried again, or one
 * whose socket is full. */
#define PAUSE_MS 50
/* Handled before it is looked whether to stop. */
#define MESSAGES_PER_TURN 64
/* Read in QUOTA_TIME; more than all segments of many relays. The rest waits in the
 * socket. */
#define MESSAGE_QUOTA 512u
#define QUOTA_TIME (SF_NS_PER_SECOND / 10)

static void
close_fds (const int fds[SF_MESSAGE_MAX_FDS])
{
  for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

/* A refusal of what is needed is a failure; of what was only hoped for, the end
 * of growing. */
static void
handle_reject (struct sf_consumer *c, struct sf_link *link,
    const struct sf_reject *reject)
{
  pthread_mutex_lock (&c->lock);
  if (c->needed > sf_load_flag (&link->max_held)) {
    c->refused_notice = true;
    c->refused = *reject;
  }
  c->grow = false;
  sf_consumer_notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

static void
handle_latency (struct sf_consumer *c, const struct sf_latency *latency)
{
  pthread_mutex_lock (&c->lock);
  c->latency = *latency;
  c->latency_notice = true;
  sf_consumer_notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

/* The end of a link for an error of ours. */
static void
give_up (struct sf_reject *farewell, const char *what, int error)
{
  char why[SF_TEXT_MAX / 2];

  sf_explain (why, sizeof (why), error);
  farewell->reason = error == -EPROTO ? SF_REASON_VIOLATION
      : SF_REASON_RESOURCES;
  snprintf (farewell->text, sizeof (farewell->text), "%s: %s", what, why);
}

/* The link has to end if that gives the farewell a reason. */
static void
handle_message (struct sf_consumer *c, struct sf_link *link,
    const struct sf_message *msg, const int fds[SF_MESSAGE_MAX_FDS],
    struct sf_reject *farewell)
{
  int r;

  switch (msg->type) {
    case SF_MESSAGE_SEGMENT:
      SF_HOOK ("segment");
      r = sf_link_add_segment (link, &msg->segment, fds);
      if (r < 0) {
        give_up (farewell, "a segment of the producer cannot be mapped", r);
        return;
      }
      pthread_mutex_lock (&c->lock);
      pthread_cond_broadcast (&c->cond);
      pthread_mutex_unlock (&c->lock);
      return;
    case SF_MESSAGE_SEGMENT_GONE:
      sf_link_remove_segment (link, msg->segment_gone);
      return;
    case SF_MESSAGE_SEGMENT_GROWN:
      /* Looked for after each turn of messages: see serve(). */
      sf_store_flag (&link->grown, 1);
      return;
    case SF_MESSAGE_GRANT:
      sf_publish_u32 (&link->max_held, msg->max_held);
      sf_link_wake (link);
      return;
    case SF_MESSAGE_REJECT:
      handle_reject (c, link, &msg->reject);
      return;
    case SF_MESSAGE_LATENCY:
      handle_latency (c, &msg->latency);
      return;
    case SF_MESSAGE_PING:
      link->pong_due = true;
      return;
    case SF_MESSAGE_FLUSH:
      /* Looked for after each turn of messages: see serve(). */
      return;
    case SF_MESSAGE_BYE:
      *farewell = msg->reject;
      if (farewell->reason == SF_REASON_NONE)
        farewell->reason = SF_REASON_STOPPED;
      return;
    default:
      close_fds (fds);
      farewell->reason = SF_REASON_VIOLATION;
      snprintf (farewell->text, sizeof (farewell->text),
          "the producer sent a message that does not belong there");
  }
}

/* Reads some of what is there; one who sends without end does not keep us from
 * stopping. True: that was all. The link has to end if `farewell` has a reason. */
static bool
read_messages (struct sf_consumer *c, struct sf_link *link,
    struct sf_reject *farewell)
{
  for (int i = 0; i < MESSAGES_PER_TURN && farewell->reason == 0; i++) {
    struct sf_message msg;
    int fds[SF_MESSAGE_MAX_FDS];
    int r = sf_receive (link->fd, &msg, fds);

    if (r == -EAGAIN)
      return true;
    if (r == 1) {
      SF_HOOK ("message");
      link->n_messages++;
      handle_message (c, link, &msg, fds, farewell);
      continue;
    }
    if (r == -EMFILE)
      give_up (farewell, "a segment of the producer cannot be taken", r);
    else
      farewell->reason = r == -EPROTO || r == -EBADF ? SF_REASON_VIOLATION
          : SF_REASON_HANGUP;
    c->met_strangers |= r == -EBADF;
  }
  return false;
}

static void
ask_for_room (struct sf_consumer *c, struct sf_link *link, uint32_t * asked)
{
  struct sf_message msg = {.type = SF_MESSAGE_WANT };

  pthread_mutex_lock (&c->lock);
  msg.max_held = c->max_held;
  pthread_mutex_unlock (&c->lock);
  if (msg.max_held > *asked && sf_send (link->fd, &msg, NULL, 0) >= 0)
    *asked = msg.max_held;
}

/* For how many ms not to listen to who says too much. */
static int
mute_ms (struct sf_link *link)
{
  int64_t now = sf_now (), left = link->quota_from + QUOTA_TIME - now;

  if (left <= 0) {
    link->n_messages = 0;
    link->quota_from = now;
  }
  return link->n_messages < MESSAGE_QUOTA ? 0 : (int) (left / 1000000) + 1;
}

/* Listens until the link ends, or it is time to stop. */
static void
serve (struct sf_consumer *c, struct sf_link *link, uint32_t asked)
{
  struct sf_reject farewell = {.reason = SF_REASON_NONE };
  int muted;

  /* Messages that the producer sent before it was gone are read before its end
   * is taken note of: segments of frames yet to be drained are among them. */
  while (!sf_consumer_is_stopping (c) && sf_observe_u32 (&link->over) == 0) {
    bool gone = sf_process_is_gone (c->process_fd);

    if (read_messages (c, link, &farewell) && gone)
      farewell.reason = SF_REASON_HANGUP;
    if (sf_take_flag (&link->grown) != 0 && farewell.reason == 0
        && sf_link_follow (link) < 0)
      give_up (&farewell, "a segment of the producer cannot be mapped", -EPROTO);
    if (farewell.reason != SF_REASON_NONE) {
      sf_link_end (link, &farewell);
      pthread_mutex_lock (&c->lock);
      pthread_cond_broadcast (&c->cond);
      pthread_mutex_unlock (&c->lock);
      break;
    }
    sf_consumer_tell_flush (c, link, false);
    ask_for_room (c, link, &asked);
    muted = mute_ms (link);
    sf_consumer_poll (c, muted > 0 ? -1 : link->fd, muted > 0 ? muted
        : sf_link_answer (link, &c->paused) ? -1 : PAUSE_MS);
  }
  sf_consumer_tell_flush (c, link, true);
}

/* Waits until the streaming thread has drained the link and wants the next. */
static bool
await_turn (struct sf_consumer *c)
{
  bool go = false, wait = true;

  while (wait) {
    bool left = sf_consumer_free_ended (c);

    pthread_mutex_lock (&c->lock);
    if (c->phase != SF_PHASE_CONNECTING && !c->stopping)
      sf_consumer_timed_wait_locked (c, left ? sf_now () + SF_ENDED_TICK
          : INT64_MAX);
    go = !c->stopping;
    wait = c->phase != SF_PHASE_CONNECTING && go;
    pthread_mutex_unlock (&c->lock);
  }
  sf_consumer_free_ended (c);
  return go;
}

/* From here on the last frame of each takes it along. */
static void
let_go_of_ended (struct sf_consumer *c)
{
  while (c->ended != NULL) {
    struct sf_link *link = c->ended;

    c->ended = link->next_ended;
    sf_link_unref (link);
  }
}

static void
hand_over (struct sf_consumer *c, struct sf_link *link)
{
  pthread_mutex_lock (&c->lock);
  c->link = sf_link_ref (link);
  c->phase = SF_PHASE_LINKED;
  c->waiting_notice = false;
  c->connections++;
  pthread_cond_broadcast (&c->cond);
  pthread_mutex_unlock (&c->lock);
}

void *
sf_consumer_thread (void *consumer)
{
  struct sf_consumer *c = consumer;

  while (await_turn (c)) {
    uint32_t asked = 0;
    /* Whoever accepts and hangs up, or breaks the rules, is not asked again
     * without a pause; nor does it help when we, or it, lack something. */
    bool patient = false;
    struct sf_link *link = sf_consumer_connect (c, &asked, &patient);

    if (link != NULL) {
      hand_over (c, link);
      serve (c, link, asked);
      c->until = 0;
      patient = sf_observe_u32 (&link->over) != 0
          && (link->farewell.reason == SF_REASON_VIOLATION
          || link->farewell.reason == SF_REASON_RESOURCES);
      link->next_ended = c->ended;
      c->ended = link;
    }
    sf_consumer_forget_process (c);
    if (patient)
      sf_consumer_poll (c, -1, PAUSE_MS);
  }
  let_go_of_ended (c);
  return NULL;
}
