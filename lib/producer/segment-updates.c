/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sends clients news of segments ahead of the frames in them. */
#include "producer/parts.h"

/* Mostly there is one; on huge pages there may be more. */
#define MAX_AHEAD 16u

static void
add_own_locked (struct sf_producer *p, struct sf_slots *slots)
{
  struct sf_segment *segments[MAX_AHEAD];
  uint32_t n = sf_slots_get_segments (slots, segments, MAX_AHEAD);

  for (uint32_t i = 0; i < n; i++) {
    /* If memory is short, it is sent with the first frame in it. */
    sf_known_add_locked (p, segments[i]);
    sf_segment_unref (segments[i]);
  }
}

/* Returns a segment of ours that the client lacks; 0: none. */
static uint32_t
missing_own_segment_locked (const struct sf_producer *p,
    const struct sf_client *c)
{
  for (uint32_t i = 0; i < p->segments.n_known; i++) {
    const struct sf_known_segment *k = &p->segments.known[i];

    if (k->segment->writable && sf_observe_u32 (&k->segment->retired) == 0
        && !sf_client_was_sent_locked (c, k->id))
      return k->id;
  }
  return 0;
}

/* The lock is dropped to send. The list of clients does not change
 * meanwhile. */
static void
send_ahead (struct sf_producer *p)
{
  pthread_mutex_lock (&p->lock);
  add_own_locked (p, p->slots);
  add_own_locked (p, p->spill_slots);
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    uint32_t id;

    while (c->state == SF_CLIENT_ACTIVE && c->pending_disconnect == 0
        && (id = missing_own_segment_locked (p, c)) != 0
        && !sf_client_is_fd_limited_locked (c))
      if (sf_client_send_segment (c, id) < 0)
        break;
  }
  sf_producer_unlock (p);
}

/* Returns a segment whose number of slots clients do not know; 0: none. */
static uint32_t
next_grown (struct sf_producer *p)
{
  uint32_t id = 0;

  pthread_mutex_lock (&p->lock);
  for (uint32_t i = 0; i < p->segments.n_known && id == 0; i++) {
    struct sf_known_segment *k = &p->segments.known[i];
    uint32_t n_slots = sf_observe_u32 (&k->segment->n_slots);

    if (n_slots != k->n_slots_sent) {
      k->n_slots_sent = n_slots;
      id = k->id;
    }
  }
  pthread_mutex_unlock (&p->lock);
  return id;
}

static void
send_grown (struct sf_producer *p, uint32_t id)
{
  struct sf_message msg = {
    .type = SF_MESSAGE_SEGMENT_GROWN,
    .segment_id = id,
  };

  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    bool knows;

    pthread_mutex_lock (&p->lock);
    knows = c->state == SF_CLIENT_ACTIVE && sf_client_was_sent_locked (c, id);
    pthread_mutex_unlock (&p->lock);
    /* A hint: a client that misses it looks when a frame lies there. */
    if (knows && !c->session.hung_up)
      sf_client_send (c, &msg);
  }
}

void
sf_producer_send_segment_updates (struct sf_producer *p)
{
  uint32_t id;

  send_ahead (p);
  while ((id = next_grown (p)) != 0)
    send_grown (p, id);
}
