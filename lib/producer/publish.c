/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One frame, or event, to all clients. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "producer/backpressure.h"
#include "producer/client-queue.h"
#include "producer/client.h"
#include "producer/frame.h"
#include "producer/letter.h"
#include "producer/producer-private.h"
#include "producer/sticky.h"

/* A client takes a frame, and looks for the next, in tens of microseconds, in ns. */
#define YIELD_MOST 1000000
#define ROBBED_MOST 8

/* Fills the ids and the payload, at `out`. 0, -ENOMEM or -ELOOP. */
SF_HOT static int
fill_locked (struct sf_producer *p, struct sf_frame *frame,
    const struct sf_publication *pub, uint8_t *out)
{
  uint32_t head[2] = { pub->n_parts, 0 };

  memcpy (out, head, sizeof (head));
  out += sizeof (head);
  for (uint32_t i = 0; i < pub->n_parts; i++) {
    const struct sf_part *part = &pub->parts[i];
    struct sf_known_segment *k;
    sf_atomic_u64 *generation;
    struct sf_mem_ref ref;

    if (sf_segment_is_far (part->segment))
      return -ELOOP;
    k = sf_frame_note_segment_locked (p, frame, part->segment);
    if (k == NULL)
      return -ENOMEM;
    generation = &sf_segment_header (part->segment)->generation[part->slot];
    if (part->segment->passed_on != NULL)
      sf_publish_u32 (part->segment->passed_on, 1);
    if (!sf_slots_own (p->slots, part->segment))
      frame->foreign = true;
    if (part->segment->writable)
      sf_segment_finish_slot (part->segment, part->slot);
    ref = (struct sf_mem_ref) {
    .segment = k->id,.slot = part->slot,.generation =
          sf_load_hint (generation),.offset = part->offset,.size = part->size};
    memcpy (out, &ref, sizeof (ref));
    out += sizeof (ref);
  }
  if (pub->body_size > 0)
    memcpy (out, pub->body, pub->body_size);
  return 0;
}

/* The payload is in the letter. 0 or -ENOMEM. */
static int
refer_locked (struct sf_producer *p, struct sf_frame *frame, uint64_t size)
{
  struct sf_slot *letter = &frame->letter;
  struct sf_known_segment *k = sf_frame_note_segment_locked (p, frame, letter->segment);

  if (k == NULL)
    return -ENOMEM;
  frame->payload_size = sf_letter_refer (letter, k->id, size, frame->payload);
  return 0;
}

/* Not published, so not released: the caller keeps what it has. */
static void
frame_discard_locked (struct sf_producer *p, struct sf_frame *frame)
{
  for (uint32_t i = 0; i < frame->n_parts; i++)
    sf_known_find_locked (p, frame->segment_ids[i])->n_frames--;
  free (frame);
}

/* A frame with one reference, and not yet anybody's. */
SF_HOT static int
frame_new_locked (struct sf_producer *p, const struct sf_publication *pub,
    uint64_t size, const struct sf_slot *letter, struct sf_frame **out)
{
  uint32_t n_ids = pub->n_parts + 1;
  uint64_t in_record = letter->owner != NULL ? SF_LETTER_REFERENCE : size;
  struct sf_frame *frame = malloc (sizeof (*frame) + n_ids * sizeof (uint32_t)
      + in_record);
  int r;

  if (frame == NULL)
    return -ENOMEM;
  *frame = (struct sf_frame) {
  .refs = 1,.release = pub->release,.user = pub->user,.letter =
        *letter,.payload_size = (uint32_t) size,.payload =
        (uint8_t *) & frame->segment_ids[n_ids]};
  r = fill_locked (p, frame, pub, letter->owner == NULL ? frame->payload
      : sf_segment_slot (letter->segment, letter->index));
  if (r == 0 && letter->owner != NULL)
    r = refer_locked (p, frame, size);
  if (r < 0)
    frame_discard_locked (p, frame);
  else
    *out = frame;
  return r;
}

/* Sends every active client the segments that the frame needs, and that the control
 * thread has not sent ahead of it. The lock is dropped meanwhile, so it starts over
 * until nobody lacks any. 0; -EAGAIN: a lossless client could not be sent one. */
SF_HOT static int
send_segments (struct sf_producer *p, const struct sf_frame *frame)
{
  struct sf_client *c = p->clients;

  while (c != NULL) {
    uint32_t id = c->state == SF_CLIENT_ACTIVE && c->doomed == 0 ?
        sf_client_lacks_locked (c, frame) : 0;
    int r;

    if (id == 0 || sf_client_leaves_fds_locked (c)) {
      c = c->next;
      continue;
    }
    r = sf_client_send_segment (c, id);
    if (r < 0)
      return p->lossless ? -EAGAIN : 0;
    p->stats.segments_sent_late += (uint64_t) r;
    c = p->clients;
  }
  return 0;
}

SF_HOT static int
everybody_has_room_locked (struct sf_producer *p, uint32_t size, bool frame)
{
  for (struct sf_client * c = p->clients; c != NULL; c = c->next)
    if (c->state == SF_CLIENT_ACTIVE && c->doomed == 0
        && sf_client_room_locked (c, size, frame) == -EAGAIN)
      return -EAGAIN;
  return 0;
}

/* Notes who sleeps, to be woken without the lock: it is there, or coming. */
SF_HOT static uint32_t
gather_sleepers_locked (struct sf_producer *p, bool there)
{
  uint32_t n = 0;

  /* One fence for all: every head published above is visible before any of the
   * sleeping flags is read. */
  sf_fence_store_load ();
  for (struct sf_client * c = p->clients; c != NULL; c = c->next)
    if (c->state == SF_CLIENT_ACTIVE && n < p->max_clients
        && (there || sf_client_wakes_early (c)) && sf_client_take_sleep (c))
      p->to_wake[n++] = sf_client_ref (c);
  return n;
}

/* Gives our processor away, unless others than the client took it for long: then
 * not for the next 2^n times, after n such times in a row. */
SF_HOT static void
yield_to_client (struct sf_producer *p)
{
  int64_t before;

  if (p->n_kept > 0) {
    p->n_kept--;
    return;
  }
  before = sf_now ();
  sched_yield ();
  if (sf_now () - before < YIELD_MOST) {
    p->n_robbed = 0;
    return;
  }
  p->n_robbed += p->n_robbed < ROBBED_MOST;
  p->n_kept = 1u << p->n_robbed;
}

SF_HOT static void
wake_gathered (struct sf_producer *p, uint32_t n)
{
  uint32_t n_near = 0;

  for (uint32_t i = 0; i < n; i++) {
    n_near += sf_client_is_near (p->to_wake[i]);
    sf_client_wake (p->to_wake[i]);
    sf_client_unref (p->to_wake[i]);
  }
  if (n > 0)
    p->far = n_near < n;
  /* It has what it waited for, and waits for our processor now. Where frames come
   * as fast as they can be made, it gets it when we are out of slots. */
  if (n_near > 0 && !p->brisk)
    yield_to_client (p);
}

SF_HOT static void
set_coming_locked (struct sf_producer *p, bool coming)
{
  if (p->coming == coming)
    return;
  p->coming = coming;
  for (struct sf_client * c = p->clients; c != NULL; c = c->next)
    if (c->ring.header != NULL)
      sf_publish_u32 (&c->ring.header->coming, coming);
}

SF_HOT void
sf_producer_expect (struct sf_producer *p, bool coming)
{
  uint32_t n;

  /* Those that the last frame woke were all near. */
  if (!p->far)
    return;
  pthread_mutex_lock (&p->lock);
  set_coming_locked (p, coming);
  n = coming ? gather_sleepers_locked (p, false) : 0;
  pthread_mutex_unlock (&p->lock);
  wake_gathered (p, n);
}

/* What was returned is taken after clients were woken, unless it is missing. */
SF_HOT static int
make_room_locked (struct sf_producer *p, uint32_t size)
{
  int r = sf_producer_lacks_clients_locked (p) ? -ENOTCONN
      : everybody_has_room_locked (p, size, true);

  if (r == -EAGAIN && sf_producer_collect_locked (p) > 0)
    r = everybody_has_room_locked (p, size, true);
  return r;
}

/* Tells everybody, and makes it the latest. How many there are to wake. */
SF_HOT static uint32_t
announce_locked (struct sf_producer *p, struct sf_frame *frame)
{
  uint32_t cpu = (uint32_t) sched_getcpu ();

  frame->seq = p->seq++;
  frame->published = sf_now ();
  p->brisk = frame->published - p->last_publish < SF_BRISK;
  p->last_publish = frame->published;
  for (struct sf_client * c = p->clients; c != NULL; c = c->next) {
    if (c->state != SF_CLIENT_ACTIVE || c->doomed != 0)
      continue;
    sf_store_flag (&c->ring.header->cpu, cpu);
    sf_client_announce_locked (c, frame, 0);
  }
  p->latest = frame;
  p->n_frames++;
  p->stats.frames++;
  set_coming_locked (p, false);
  return gather_sleepers_locked (p, true);
}

/* What clients need not wait for: giving slots back takes longer than announcing. */
static void
tidy_up (struct sf_producer *p, struct sf_frame *before, bool pooled)
{
  pthread_mutex_lock (&p->lock);
  sf_producer_collect_locked (p);
  sf_frame_unref_locked (p, before);
  p->last_publish = sf_now ();
  if (p->pooled != pooled) {
    p->pooled = pooled;
    sf_producer_set_want_locked (p);
  }
  if (!p->ticking) {
    /* The control thread looks at returns when no frame comes to do it. */
    p->ticking = true;
    p->need_kick = true;
  }
  sf_producer_unlock (p);
}

/* As sf_producer_publish(), of a payload of so many bytes. */
SF_HOT static int
publish (struct sf_producer *p, const struct sf_publication *pub,
    uint64_t size, const struct sf_slot *letter)
{
  struct sf_frame *frame, *before;
  uint32_t n;
  int r;

  pthread_mutex_lock (&p->lock);
  r = frame_new_locked (p, pub, size, letter, &frame);
  if (r < 0) {
    sf_producer_unlock (p);
    return r;
  }
  r = send_segments (p, frame);
  if (frame->foreign)
    SF_HOOK ("relay");
  if (r == 0)
    r = make_room_locked (p, frame->payload_size);
  if (r < 0) {
    frame_discard_locked (p, frame);
    sf_producer_unlock (p);
    return r;
  }
  before = p->latest;
  n = announce_locked (p, frame);
  pthread_mutex_unlock (&p->lock);
  SF_HOOK ("announced");
  wake_gathered (p, n);
  tidy_up (p, before, pub->pooled);
  return 0;
}

SF_HOT int
sf_producer_publish (struct sf_producer *p, const struct sf_publication *pub)
{
  uint64_t size = 8 + (uint64_t) pub->n_parts * sizeof (struct sf_mem_ref)
      + pub->body_size;
  struct sf_slot letter = {.owner = NULL };
  int r = 0;

  if (pub->n_parts > SF_MAX_REFS || size > SF_MAX_FRAME_PAYLOAD)
    return -EMSGSIZE;
  if (size > SF_MAX_PAYLOAD)
    r = sf_letter_take (p, size, &letter);
  if (r == 0)
    r = publish (p, pub, size, &letter);
  if (r < 0 && letter.owner != NULL)
    sf_slots_give (&letter);
  return r;
}

int
sf_producer_event (struct sf_producer *p, uint64_t key, const void *body,
    uint32_t size, uint32_t flags)
{
  uint32_t n = 0;
  int r;

  if (size > SF_MAX_PAYLOAD)
    return -EMSGSIZE;
  pthread_mutex_lock (&p->lock);
  r = (flags & SF_EVENT_NEEDS_CLIENTS) && sf_producer_lacks_clients_locked (p)
      ? -ENOTCONN : everybody_has_room_locked (p, size, false);
  if (r == 0 && (flags & SF_EVENT_STICKY))
    r = sf_sticky_keep_locked (p, key, body, size);
  if (r == 0) {
    if (flags & SF_EVENT_DROPS_LATEST)
      sf_producer_drop_latest_locked (p);
    for (struct sf_client * c = p->clients; c != NULL; c = c->next)
      if (c->state == SF_CLIENT_ACTIVE && c->doomed == 0)
        sf_client_event_locked (c, flags & SF_EVENT_STICKY ? key : SF_NO_KEY,
            body, size);
    n = gather_sleepers_locked (p, true);
    p->stats.events++;
  }
  sf_producer_unlock (p);
  wake_gathered (p, n);
  return r;
}
