/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes a frame, or an event, to all clients. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "producer/parts.h"

/* Fills the frame's segment ids, and its payload at `out`. 0, -ENOMEM or
 * -ELOOP. */
SF_HOT static int
fill_locked (struct sf_producer *p, struct sf_frame *frame,
    const struct sf_publish_args *pub, uint8_t *out)
{
  uint32_t head[2] = { pub->n_parts, 0 };

  memcpy (out, head, sizeof (head));
  out += sizeof (head);
  for (uint32_t i = 0; i < pub->n_parts; i++) {
    const struct sf_memory_ref *part = &pub->parts[i];
    struct sf_known_segment *k;
    sf_atomic_u64 *generation;
    struct sf_memory_ref_wire ref;

    if (sf_segment_relay_depth_exceeded (part->segment))
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
    ref = (struct sf_memory_ref_wire) {
      .segment = k->id,
      .slot = part->slot,
      .generation = sf_load_hint (generation),
      .offset = part->offset,
      .size = part->size,
    };
    memcpy (out, &ref, sizeof (ref));
    out += sizeof (ref);
  }
  if (pub->body_size > 0)
    memcpy (out, pub->body, pub->body_size);
  return 0;
}

/* Frees a frame that was not published; the caller keeps its memory. */
static void
frame_discard_locked (struct sf_producer *p, struct sf_frame *frame)
{
  for (uint32_t i = 0; i < frame->n_parts; i++)
    sf_known_find_locked (p, frame->segment_ids[i])->n_frames--;
  free (frame);
}

/* Makes a frame with one reference, the publisher's. */
SF_HOT static int
frame_new_locked (struct sf_producer *p, const struct sf_publish_args *pub,
    uint64_t size, const struct sf_slot *spill, struct sf_frame **out)
{
  uint32_t n_ids = pub->n_parts + 1;
  uint64_t in_record = spill->owner != NULL ? SF_SPILL_REFERENCE_SIZE : size;
  struct sf_frame *frame = malloc (sizeof (*frame) + n_ids * sizeof (uint32_t)
      + in_record);
  int r;

  if (frame == NULL)
    return -ENOMEM;
  *frame = (struct sf_frame) {
    .refs = 1,
    .release = pub->release,
    .user = pub->user,
    .spill = *spill,
    .payload_size = (uint32_t) size,
    .payload = (uint8_t *) &frame->segment_ids[n_ids],
  };
  r = fill_locked (p, frame, pub, spill->owner == NULL ? frame->payload
      : sf_segment_slot (spill->segment, spill->index));
  if (r == 0 && spill->owner != NULL)
    r = sf_spill_put_reference_locked (p, frame, size);
  if (r < 0)
    frame_discard_locked (p, frame);
  else
    *out = frame;
  return r;
}

/* Sends each client the frame's segments that the control thread has not sent
 * yet, and checks that it has room for `size` bytes. All clients are checked
 * before one is announced to, so that a retry does not announce twice. `frame`
 * NULL: an event. 0; -EAGAIN: a lossless client has no room, or could not be
 * sent a segment; -ENOTCONN: lossless, and fewer than `min_clients` are
 * there. */
SF_HOT static int
prepare_clients_locked (struct sf_producer *p, const struct sf_frame *frame,
    uint32_t size, uint32_t min_clients)
{
  struct sf_client *c = p->clients;
  uint32_t n = 0;
  bool unsent = false;
  int r = 0;

  while (c != NULL) {
    bool served = sf_client_is_served_locked (c);
    uint32_t id = served && frame != NULL && !unsent
        ? sf_client_missing_segment_locked (c, frame) : 0;

    if (id != 0 && !sf_client_is_fd_limited_locked (c)) {
      int sent = sf_client_send_segment (c, id);

      unsent = sent < 0;
      p->stats.segments_sent_late += sent > 0;
      /* The lock was dropped: start over. */
      c = p->clients;
      n = 0;
      r = 0;
      continue;
    }
    if (served && sf_client_room_locked (c, size, frame != NULL) == -EAGAIN)
      r = -EAGAIN;
    n += sf_client_is_served_locked (c);
    c = c->next;
  }
  if (p->delivery.lossless && n < min_clients)
    return -ENOTCONN;
  return p->delivery.lossless && unsent ? -EAGAIN : r;
}

/* Announces the frame, notes which clients to wake, and makes it the latest. */
SF_HOT static void
announce_locked (struct sf_producer *p, struct sf_frame *frame)
{
  uint32_t cpu = (uint32_t) sched_getcpu ();

  frame->seq = p->frames.next_seq++;
  frame->published = sf_now ();
  p->waking.unpaced =
      frame->published - p->frames.last_publish < SF_SPIN_THRESHOLD;
  p->frames.last_publish = frame->published;
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    if (!sf_client_is_served_locked (c))
      continue;
    sf_store_flag (&c->queue.ring.header->cpu, cpu);
    sf_client_announce_locked (c, frame, 0);
    sf_client_note_sleep_locked (c);
  }
  p->frames.latest = frame;
  p->frames.n++;
  p->stats.frames++;
}

/* Collects returns after the clients were woken: releasing takes longer than
 * announcing. */
static void
reclaim (struct sf_producer *p, struct sf_frame *before, bool pooled,
    bool foreign)
{
  pthread_mutex_lock (&p->lock);
  sf_producer_collect_locked (p);
  sf_frame_unref_locked (p, before);
  p->frames.last_publish = sf_now ();
  if (p->frames.pooled != pooled) {
    p->frames.pooled = pooled;
    sf_producer_set_want_locked (p);
  }
  /* The control thread collects when no frame comes to do it. */
  sf_producer_want_tick_locked (p, pooled || foreign);
  sf_producer_unlock (p);
}

/* As sf_producer_publish(), with a payload of `size` bytes. */
SF_HOT static int
publish (struct sf_producer *p, const struct sf_publish_args *pub,
    uint64_t size, const struct sf_slot *spill)
{
  struct sf_frame *frame, *before;
  bool foreign;
  int r;

  pthread_mutex_lock (&p->lock);
  r = frame_new_locked (p, pub, size, spill, &frame);
  if (r < 0) {
    sf_producer_unlock (p);
    return r;
  }
  r = prepare_clients_locked (p, frame, frame->payload_size,
      p->settings.min_clients);
  if (frame->foreign)
    SF_HOOK ("relay");
  if (r < 0) {
    frame_discard_locked (p, frame);
    sf_producer_unlock (p);
    return r;
  }
  foreign = frame->foreign;
  before = p->frames.latest;
  announce_locked (p, frame);
  pthread_mutex_unlock (&p->lock);
  SF_HOOK ("announced");
  sf_producer_wake_sleepers (p);
  reclaim (p, before, pub->pooled, foreign);
  return 0;
}

SF_HOT int
sf_producer_publish (struct sf_producer *p, const struct sf_publish_args *pub)
{
  uint64_t size =
      8 + (uint64_t) pub->n_parts * sizeof (struct sf_memory_ref_wire)
      + pub->body_size;
  struct sf_slot spill = { .owner = NULL };
  int r = 0;

  if (pub->n_parts > SF_MAX_MEMORY_REFS || size > SF_MAX_FRAME_PAYLOAD)
    return -EMSGSIZE;
  if (size > SF_MAX_PAYLOAD)
    r = sf_spill_acquire (p, size, &spill);
  if (r == 0)
    r = publish (p, pub, size, &spill);
  if (r < 0 && spill.owner != NULL)
    sf_slots_release (&spill);
  return r;
}

int
sf_producer_event (struct sf_producer *p, uint64_t key, const void *body,
    uint32_t size, uint32_t flags)
{
  int r;

  if (size > SF_MAX_PAYLOAD)
    return -EMSGSIZE;
  pthread_mutex_lock (&p->lock);
  r = prepare_clients_locked (p, NULL, size,
      flags & SF_EVENT_NEEDS_CLIENTS ? p->settings.min_clients : 0);
  if (r == 0 && (flags & SF_EVENT_STICKY))
    r = sf_sticky_keep_locked (p, key, body, size);
  if (r == 0) {
    if (flags & SF_EVENT_DROPS_LATEST)
      sf_producer_drop_latest_locked (p);
    for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
      if (!sf_client_is_served_locked (c))
        continue;
      sf_client_event_locked (c, flags & SF_EVENT_STICKY ? key : SF_NO_KEY,
          body, size);
      sf_client_note_sleep_locked (c);
    }
    p->stats.events++;
  }
  sf_producer_unlock (p);
  sf_producer_wake_sleepers (p);
  return r;
}
