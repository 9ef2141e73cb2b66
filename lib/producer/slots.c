/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "producer/slots-private.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "shared/fork.h"
#include "shared/memfd.h"

struct sf_slots *
sf_slots_new (uint64_t max_memory)
{
  struct sf_slots *slots = calloc (1, sizeof (*slots));

  if (slots == NULL)
    return NULL;
  slots->refs = 1;
  slots->generation = sf_generation;
  slots->max_memory = max_memory;
  pthread_mutex_init (&slots->lock, NULL);
  pthread_mutex_init (&slots->freed_lock, NULL);
  return slots;
}

void
sf_slots_use_huge_pages (struct sf_slots *slots)
{
  slots->huge_page = sf_huge_page_size ();
}

void
sf_slots_fix (struct sf_slots *slots)
{
  slots->fixed = true;
}

struct sf_slots *
sf_slots_ref (struct sf_slots *slots)
{
  sf_ref (&slots->refs);
  return slots;
}

void
sf_slots_set_freed (struct sf_slots *slots, sf_slot_freed freed, void *user)
{
  pthread_mutex_lock (&slots->freed_lock);
  slots->freed = freed;
  slots->user = user;
  pthread_mutex_unlock (&slots->freed_lock);
}

uint64_t
sf_own_segment_bytes (const struct sf_own_segment *own)
{
  return sf_segment_bytes_of (own->n_slots, own->segment->pitch,
      own->huge ? own->slots->huge_page : 0);
}

bool
sf_slots_set_idle_aside_locked (struct sf_slots *slots)
{
  struct sf_own_segment **link = &slots->first;

  while (*link != NULL) {
    struct sf_own_segment *own = *link;

    if (own->retired && own->n_used == 0 && !own->growing) {
      if (slots->last == own)
        slots->last = NULL;
      *link = own->next;
      own->next = slots->idle;
      slots->idle = own;
    } else {
      link = &own->next;
    }
  }
  return slots->idle != NULL;
}

void
sf_slots_reclaim (struct sf_slots *slots)
{
  struct sf_own_segment *idle, *next;
  uint64_t bytes = 0;

  pthread_mutex_lock (&slots->lock);
  idle = slots->idle;
  slots->idle = NULL;
  pthread_mutex_unlock (&slots->lock);
  for (; idle != NULL; idle = next) {
    next = idle->next;
    bytes += sf_own_segment_bytes (idle);
    sf_segment_unref (idle->segment);
    free (idle);
  }
  if (bytes > 0) {
    pthread_mutex_lock (&slots->lock);
    slots->bytes -= bytes;
    pthread_mutex_unlock (&slots->lock);
  }
}

void
sf_slots_unref (struct sf_slots *slots)
{
  if (slots == NULL || !sf_unref_is_last (&slots->refs))
    return;
  for (struct sf_own_segment *own = slots->first; own; own = own->next)
    own->retired = true;
  sf_slots_set_idle_aside_locked (slots);
  sf_slots_reclaim (slots);
  pthread_mutex_destroy (&slots->lock);
  pthread_mutex_destroy (&slots->freed_lock);
  free (slots);
}

void
sf_slots_retire_locked (struct sf_slots *slots, struct sf_own_segment *own)
{
  if (own->retired)
    return;
  own->retired = true;
  sf_publish_u32 (&own->segment->retired, 1);
  slots->n_active -= own->n_slots;
  slots->n_free -= own->n_slots - own->n_used;
}

void
sf_slots_shut (struct sf_slots *slots)
{
  pthread_mutex_lock (&slots->lock);
  slots->shut = true;
  for (struct sf_own_segment *own = slots->first; own; own = own->next)
    sf_slots_retire_locked (slots, own);
  sf_slots_set_idle_aside_locked (slots);
  pthread_mutex_unlock (&slots->lock);
  sf_slots_reclaim (slots);
}

/* Returns the next free slot in cyclic order; there is one. */
static uint32_t
next_free_locked (struct sf_own_segment *own)
{
  while (own->used[own->cursor])
    own->cursor = (own->cursor + 1) % own->n_slots;
  return own->cursor;
}

/* Chooses a segment: the last one used, while its next slot is free, so that
 * consecutive frames are adjacent; else the one with most free slots. NULL:
 * none. */
static struct sf_own_segment *
choose_locked (struct sf_slots *slots, uint64_t size, bool *large_enough)
{
  struct sf_own_segment *best = NULL;
  uint32_t most = 0;

  for (struct sf_own_segment *own = slots->first; own; own = own->next) {
    uint32_t n_free = own->n_slots - own->n_used;

    if (own->retired || own->segment->pitch < size)
      continue;
    *large_enough = true;
    if (own == slots->last && !own->used[own->cursor])
      return own;
    if (n_free > most) {
      most = n_free;
      best = own;
    }
  }
  return best;
}

static void
take_from_locked (struct sf_slots *slots, struct sf_own_segment *own,
    struct sf_slot *slot)
{
  slot->owner = own;
  slot->segment = own->segment;
  slot->index = next_free_locked (own);
  slot->first = !own->taken_from;
  own->taken_from = true;
  own->used[slot->index] = 1;
  own->cursor = (slot->index + 1) % own->n_slots;
  own->n_used++;
  slots->n_free--;
  slots->last = own;
  sf_slots_ref (slots);
}

int
sf_slots_acquire (struct sf_slots *slots, uint64_t size, uint32_t keep,
    struct sf_slot *slot)
{
  struct sf_own_segment *own;
  bool large_enough = false;
  int r = -EAGAIN;

  pthread_mutex_lock (&slots->lock);
  own = choose_locked (slots, size, &large_enough);
  if (own != NULL && slots->n_free > keep) {
    r = 0;
    if (slot != NULL)
      take_from_locked (slots, own, slot);
  }
  pthread_mutex_unlock (&slots->lock);
  if (r == 0 && slot != NULL) {
    sf_atomic_u64 *generation =
        &sf_segment_header (slot->segment)->generation[slot->index];

    /* Odd: being written. */
    sf_publish_u64 (generation, sf_load_own (generation) + 1);
  }
  return r == 0 || large_enough ? r : -EMSGSIZE;
}

void
sf_slots_release (struct sf_slot *slot)
{
  struct sf_own_segment *own = slot->owner;
  struct sf_slots *slots = own->slots;
  bool idle, shut;

  /* In a child process the slot stays its parent's. */
  if (sf_is_inherited (slots->generation))
    return;
  /* Released unpublished: make it even, so that the next use is odd. */
  sf_segment_finish_slot (own->segment, slot->index);

  pthread_mutex_lock (&slots->lock);
  own->used[slot->index] = 0;
  own->n_used--;
  if (!own->retired)
    slots->n_free++;
  idle = sf_slots_set_idle_aside_locked (slots);
  shut = slots->shut;
  pthread_mutex_unlock (&slots->lock);
  if (shut)
    sf_slots_reclaim (slots);

  pthread_mutex_lock (&slots->freed_lock);
  if (slots->freed != NULL)
    slots->freed (slots->user, idle);
  pthread_mutex_unlock (&slots->freed_lock);
  sf_slots_unref (slots);
}

uint32_t
sf_slots_get_segments (struct sf_slots *slots, struct sf_segment **segments,
    uint32_t max)
{
  uint32_t n = 0;

  pthread_mutex_lock (&slots->lock);
  for (struct sf_own_segment *own = slots->first; own && n < max;
      own = own->next)
    if (own->taken_from && !own->retired)
      segments[n++] = sf_segment_ref (own->segment);
  pthread_mutex_unlock (&slots->lock);
  return n;
}

void
sf_slots_get_state (struct sf_slots *slots, struct sf_slots_state *state)
{
  pthread_mutex_lock (&slots->lock);
  *state = (struct sf_slots_state) {
    .n_slots = slots->n_active,
    .n_free = slots->n_free,
    .bytes = slots->bytes,
  };
  for (struct sf_own_segment *own = slots->first; own; own = own->next) {
    state->n_segments++;
    if (own->huge)
      state->huge_bytes += sf_own_segment_bytes (own);
    if (own->retired)
      state->retired_bytes += sf_own_segment_bytes (own);
  }
  for (struct sf_own_segment *own = slots->idle; own; own = own->next)
    state->retired_bytes += sf_own_segment_bytes (own);
  if (slots->first != NULL)
    state->slot_size = slots->first->segment->pitch;
  if (slots->n_made > 0)
    state->growths = slots->n_made - 1;
  pthread_mutex_unlock (&slots->lock);
}
