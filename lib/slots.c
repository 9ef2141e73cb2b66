/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "slots.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "fork.h"
#include "hooks.h"
#include "memfd.h"

struct sf_own_segment
{
  struct sf_own_segment *next;
  struct sf_slots *slots;
  struct sf_segment *segment;
  uint32_t n_used;
  uint32_t cursor;
  bool retired, huge;
  uint8_t used[];
};

struct sf_slots
{
  sf_atomic_u32 refs;
  uint32_t generation;          /* of the process that made it, see fork.h */
  uint64_t max_memory;
  uint64_t huge_page;           /* 0: not wanted, or the machine has none */
  pthread_mutex_t lock;         /* the fields below; a leaf */
  struct sf_own_segment *first; /* newest first; those not retired are taken from */
  struct sf_own_segment *last;  /* what the last slot was taken from */
  uint32_t n_active, n_free;
  uint64_t bytes;
  uint64_t n_made;
  bool shut;
  pthread_mutex_t freed_lock;   /* freed, user; held over the call */
  sf_slot_freed freed;
  void *user;
};

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

struct sf_slots *
sf_slots_ref (struct sf_slots *slots)
{
  sf_ref (&slots->refs);
  return slots;
}

void
sf_slots_unref (struct sf_slots *slots)
{
  if (slots == NULL || !sf_unref_is_last (&slots->refs))
    return;
  while (slots->first != NULL) {
    struct sf_own_segment *own = slots->first;

    slots->first = own->next;
    sf_segment_unref (own->segment);
    free (own);
  }
  pthread_mutex_destroy (&slots->lock);
  pthread_mutex_destroy (&slots->freed_lock);
  free (slots);
}

void
sf_slots_set_freed (struct sf_slots *slots, sf_slot_freed freed, void *user)
{
  pthread_mutex_lock (&slots->freed_lock);
  slots->freed = freed;
  slots->user = user;
  pthread_mutex_unlock (&slots->freed_lock);
}

/* Unlinks the retired segments without a used slot; the caller frees them
 * outside the lock, since unmapping takes time. */
static struct sf_own_segment *
unlink_idle_locked (struct sf_slots *slots)
{
  struct sf_own_segment **link = &slots->first;
  struct sf_own_segment *idle = NULL;

  while (*link != NULL) {
    struct sf_own_segment *own = *link;

    if (own->retired && own->n_used == 0) {
      if (slots->last == own)
        slots->last = NULL;
      *link = own->next;
      own->next = idle;
      idle = own;
      slots->bytes -= own->segment->shm.size;
    } else {
      link = &own->next;
    }
  }
  return idle;
}

static void
free_idle (struct sf_own_segment *idle)
{
  while (idle != NULL) {
    struct sf_own_segment *next = idle->next;

    sf_segment_unref (idle->segment);
    free (idle);
    idle = next;
  }
}

static void
retire_locked (struct sf_slots *slots, struct sf_own_segment *own)
{
  if (own->retired)
    return;
  own->retired = true;
  sf_publish_u32 (&own->segment->retired, 1);
  slots->n_active -= own->segment->n_slots;
  slots->n_free -= own->segment->n_slots - own->n_used;
}

static void
retire_smaller_locked (struct sf_slots *slots, uint64_t size)
{
  for (struct sf_own_segment * own = slots->first; own; own = own->next)
    if (own->segment->pitch < size)
      retire_locked (slots, own);
}

/* How many slots the next segment shall have, and whether it replaces the rest;
 * 0 slots: nothing to do. */
static int
plan_locked (struct sf_slots *slots, uint32_t n, uint64_t size,
    uint64_t page, uint32_t * n_new, bool *replace, uint64_t * needed)
{
  uint64_t all = sf_segment_bytes_of (n, size, page);
  uint32_t missing;

  *n_new = 0;
  *replace = false;
  if (slots->shut)
    return -ESHUTDOWN;
  if (all == UINT64_MAX)
    return -EINVAL;
  if (slots->n_active >= n)
    return 0;
  missing = n - slots->n_active;
  if (slots->bytes + all <= slots->max_memory) {
    *n_new = n;
    *replace = true;
  } else if (slots->bytes + sf_segment_bytes_of (missing, size, page)
      <= slots->max_memory) {
    *n_new = missing;
  } else {
    *needed = slots->bytes + sf_segment_bytes_of (missing, size, page);
    return -E2BIG;
  }
  return 0;
}

static struct sf_own_segment *
own_segment_new (struct sf_slots *slots, struct sf_segment *segment)
{
  struct sf_own_segment *own = calloc (1, sizeof (*own) + segment->n_slots);

  if (own == NULL)
    return NULL;
  own->slots = slots;
  own->segment = segment;
  return own;
}

static void
add_locked (struct sf_slots *slots, struct sf_own_segment *own, bool replace)
{
  if (replace)
    for (struct sf_own_segment * old = slots->first; old; old = old->next)
      retire_locked (slots, old);
  own->next = slots->first;
  slots->first = own;
  slots->n_active += own->segment->n_slots;
  slots->n_free += own->segment->n_slots;
  slots->n_made++;
}

/* One try, on pages of this size. */
static int
ensure (struct sf_slots *slots, uint32_t n, uint64_t size, uint64_t page,
    uint64_t * needed)
{
  struct sf_own_segment *idle, *own;
  struct sf_segment *segment;
  uint64_t bytes = 0;
  uint32_t n_new;
  bool replace;
  int r;

  pthread_mutex_lock (&slots->lock);
  retire_smaller_locked (slots, size);
  idle = unlink_idle_locked (slots);
  r = plan_locked (slots, n, size, page, &n_new, &replace, needed);
  /* Reserved before it is made, so that two callers cannot both fit. */
  if (r == 0 && n_new > 0)
    bytes = sf_segment_bytes_of (n_new, size, page);
  slots->bytes += bytes;
  pthread_mutex_unlock (&slots->lock);
  free_idle (idle);
  if (r < 0 || n_new == 0)
    return r;

  SF_HOOK ("grow");
  r = sf_segment_create_of (&segment, n_new, size, page);
  own = r == 0 ? own_segment_new (slots, segment) : NULL;
  if (r == 0 && own == NULL) {
    sf_segment_unref (segment);
    r = -ENOMEM;
  }
  pthread_mutex_lock (&slots->lock);
  if (r == 0) {
    own->huge = page > 0;
    add_locked (slots, own, replace);
  } else {
    slots->bytes -= bytes;
  }
  idle = unlink_idle_locked (slots);
  pthread_mutex_unlock (&slots->lock);
  free_idle (idle);
  return r;
}

/* Huge pages are a wish: where there are too few of them, or they take more than
 * max_memory, ordinary ones do. */
int
sf_slots_ensure (struct sf_slots *slots, uint32_t n, uint64_t size,
    uint64_t * needed)
{
  int r = -ENOMEM;

  if (slots->huge_page > 0)
    r = ensure (slots, n, size, slots->huge_page, needed);
  return r < 0 && r != -ESHUTDOWN ? ensure (slots, n, size, 0, needed) : r;
}

void
sf_slots_shut (struct sf_slots *slots)
{
  struct sf_own_segment *idle;

  pthread_mutex_lock (&slots->lock);
  slots->shut = true;
  for (struct sf_own_segment * own = slots->first; own; own = own->next)
    retire_locked (slots, own);
  idle = unlink_idle_locked (slots);
  pthread_mutex_unlock (&slots->lock);
  free_idle (idle);
}

/* The next free slot in cyclic order. The caller knows that there is one. */
static uint32_t
next_free_locked (struct sf_own_segment *own)
{
  while (own->used[own->cursor])
    own->cursor = (own->cursor + 1) % own->segment->n_slots;
  return own->cursor;
}

/* Where to take from: where the last one was taken, as long as the next one there
 * is free, so that frames that follow each other lie one after the other; then
 * where most are free. NULL: nowhere. */
static struct sf_own_segment *
choose_locked (struct sf_slots *slots, uint64_t size, bool *large_enough)
{
  struct sf_own_segment *best = NULL;
  uint32_t most = 0;

  for (struct sf_own_segment * own = slots->first; own; own = own->next) {
    uint32_t n_free = own->segment->n_slots - own->n_used;

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
  own->used[slot->index] = 1;
  own->cursor = (slot->index + 1) % own->segment->n_slots;
  own->n_used++;
  slots->n_free--;
  slots->last = own;
  sf_slots_ref (slots);
}

int
sf_slots_take (struct sf_slots *slots, uint64_t size, uint32_t keep,
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

    /* Odd: may be written from here on. */
    sf_publish_u64 (generation, sf_load_own (generation) + 1);
  }
  return r == 0 || large_enough ? r : -EMSGSIZE;
}

void
sf_slots_give (struct sf_slot *slot)
{
  struct sf_own_segment *own = slot->owner;
  struct sf_slots *slots = own->slots;
  struct sf_own_segment *idle;

  /* In a child: the slot is its parent's, to be given back by that one. */
  if (sf_is_inherited (slots->generation))
    return;
  /* Given back unpublished: even again, so that the next use is odd. */
  sf_segment_finish_slot (own->segment, slot->index);

  pthread_mutex_lock (&slots->lock);
  own->used[slot->index] = 0;
  own->n_used--;
  if (!own->retired)
    slots->n_free++;
  idle = unlink_idle_locked (slots);
  pthread_mutex_unlock (&slots->lock);
  free_idle (idle);

  pthread_mutex_lock (&slots->freed_lock);
  if (slots->freed != NULL)
    slots->freed (slots->user);
  pthread_mutex_unlock (&slots->freed_lock);
  sf_slots_unref (slots);
}

void
sf_slots_get_state (struct sf_slots *slots, struct sf_slots_state *state)
{
  pthread_mutex_lock (&slots->lock);
  *state = (struct sf_slots_state) {
  .n_slots = slots->n_active,.n_free = slots->n_free,.bytes = slots->bytes};
  for (struct sf_own_segment * own = slots->first; own; own = own->next) {
    state->n_segments++;
    if (own->huge)
      state->huge_bytes += own->segment->shm.size;
  }
  if (slots->first != NULL)
    state->slot_size = slots->first->segment->pitch;
  if (slots->n_made > 0)
    state->growths = slots->n_made - 1;
  pthread_mutex_unlock (&slots->lock);
}
