/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Published frames, the segments that they lie in, and dropping the lock, after
 * which released frames run their callbacks. */
#include <stdlib.h>

#include "producer/parts.h"

void
sf_producer_kick (struct sf_producer *p)
{
  sf_eventfd_kick (p->wake_fd);
}

SF_HOT void
sf_producer_want_tick_locked (struct sf_producer *p, bool awaited)
{
  if (p->tick_ms == SF_TICK_MS || (p->tick_ms > 0 && !awaited))
    return;
  p->tick_ms = awaited ? SF_TICK_MS : SF_IDLE_TICK_MS;
  p->need_kick = true;
}

SF_HOT struct sf_known_segment *
sf_known_find_locked (struct sf_producer *p, uint32_t id)
{
  for (uint32_t i = 0; i < p->segments.n_known; i++)
    if (p->segments.known[i].id == id)
      return &p->segments.known[i];
  return NULL;
}

SF_HOT struct sf_known_segment *
sf_known_add_locked (struct sf_producer *p, struct sf_segment *segment)
{
  struct sf_known_segment *k;

  for (uint32_t i = 0; i < p->segments.n_known; i++)
    if (p->segments.known[i].segment == segment)
      return &p->segments.known[i];
  if (p->segments.n_known == p->segments.known_room) {
    uint32_t room = p->segments.known_room + 16;

    k = realloc (p->segments.known, room * sizeof (*k));
    if (k == NULL)
      return NULL;
    p->segments.known = k;
    p->segments.known_room = room;
  }
  k = &p->segments.known[p->segments.n_known++];
  *k = (struct sf_known_segment) {
    .segment = sf_segment_ref (segment),
    .id = ++p->segments.last_id,
    .n_slots_sent = sf_observe_u32 (&segment->n_slots),
  };
  return k;
}

SF_HOT struct sf_known_segment *
sf_frame_note_segment_locked (struct sf_producer *p, struct sf_frame *frame,
    struct sf_segment *segment)
{
  struct sf_known_segment *k = sf_known_add_locked (p, segment);
  uint32_t j = 0;

  if (k == NULL)
    return NULL;
  /* Another producer's segment has grown: have clients told before they need
   * it. */
  if (sf_observe_u32 (&segment->n_slots) != k->n_slots_sent)
    p->need_kick = true;
  while (j < frame->n_parts && frame->segment_ids[j] != k->id)
    j++;
  if (j == frame->n_parts) {
    frame->segment_ids[frame->n_parts++] = k->id;
    k->n_frames++;
  }
  return k;
}

bool
sf_known_take_gone_locked (struct sf_producer *p, struct sf_known_segment *gone)
{
  for (uint32_t i = 0; i < p->segments.n_known; i++) {
    struct sf_known_segment *k = &p->segments.known[i];

    if (k->n_frames == 0 && sf_observe_u32 (&k->segment->retired) != 0) {
      *gone = *k;
      *k = p->segments.known[--p->segments.n_known];
      return true;
    }
  }
  return false;
}

void
sf_frame_unref_locked (struct sf_producer *p, struct sf_frame *frame)
{
  if (frame == NULL || --frame->refs > 0)
    return;
  for (uint32_t i = 0; i < frame->n_parts; i++) {
    struct sf_known_segment *k = sf_known_find_locked (p,
        frame->segment_ids[i]);

    if (k != NULL && --k->n_frames == 0
        && sf_observe_u32 (&k->segment->retired) != 0)
      p->need_kick = true;      /* the control thread tells clients */
  }
  frame->next_done = p->frames.done;
  p->frames.done = frame;
  p->frames.n--;
}

void
sf_frame_done_locked (void *frame, void *producer)
{
  sf_frame_unref_locked (producer, frame);
}

void
sf_producer_drop_latest_locked (struct sf_producer *p)
{
  sf_frame_unref_locked (p, p->frames.latest);
  p->frames.latest = NULL;
}

void
sf_producer_unlock (struct sf_producer *p)
{
  struct sf_frame *done = p->frames.done;
  bool kick = p->need_kick;

  p->frames.done = NULL;
  p->need_kick = false;
  if (done != NULL)
    sf_ref (&p->progress.n_releasing);
  pthread_mutex_unlock (&p->lock);
  if (kick)
    sf_producer_kick (p);
  if (done == NULL)
    return;
  while (done != NULL) {
    struct sf_frame *next = done->next_done;

    if (done->spill.owner != NULL)
      sf_slots_release (&done->spill);
    done->release (done->user);
    free (done);
    done = next;
  }
  /* Waiters that found nothing to wait for meanwhile must look again. */
  sf_add_count (&p->progress.count, 1);
  sf_unref_is_last (&p->progress.n_releasing);
}
