/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "slots.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "fork.h"
#include "hooks.h"
#include "memfd.h"

struct sf_own_segment
{
  struct sf_own_segment *next;
  struct sf_slots *slots;
  struct sf_segment *segment;
  uint32_t n_slots;             /* that are handed out */
  uint32_t n_used;
  uint32_t cursor;
  bool retired, huge;
  bool growing;                 /* stays, with the lock dropped */
  uint8_t used[];               /* for as many as it can grow to */
};

struct sf_slots
{
  sf_atomic_u32 refs;
  uint32_t generation;          /* of the process that made it, see fork.h */
  uint64_t max_memory;
  uint64_t huge_page;           /* 0: not wanted, or the machine has none */
  bool fixed;                   /* addresses for no more slots than there are */
  pthread_mutex_t lock;         /* the fields below; a leaf */
  struct sf_own_segment *first; /* newest first; those not retired are taken from */
  struct sf_own_segment *last;  /* what the last slot was taken from */
  struct sf_own_segment *idle;  /* to be unmapped */
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

static uint64_t
bytes_of (const struct sf_own_segment *own)
{
  return sf_segment_bytes_of (own->n_slots, own->segment->pitch,
      own->huge ? own->slots->huge_page : 0);
}

/* Retired segments without a used slot are set aside. True if there is one. */
static bool
set_idle_aside_locked (struct sf_slots *slots)
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
sf_slots_tidy (struct sf_slots *slots)
{
  struct sf_own_segment *idle, *next;
  uint64_t bytes = 0;

  pthread_mutex_lock (&slots->lock);
  idle = slots->idle;
  slots->idle = NULL;
  pthread_mutex_unlock (&slots->lock);
  for (; idle != NULL; idle = next) {
    next = idle->next;
    bytes += bytes_of (idle);
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
  for (struct sf_own_segment * own = slots->first; own; own = own->next)
    own->retired = true;
  set_idle_aside_locked (slots);
  sf_slots_tidy (slots);
  pthread_mutex_destroy (&slots->lock);
  pthread_mutex_destroy (&slots->freed_lock);
  free (slots);
}

static void
retire_locked (struct sf_slots *slots, struct sf_own_segment *own)
{
  if (own->retired)
    return;
  own->retired = true;
  sf_publish_u32 (&own->segment->retired, 1);
  slots->n_active -= own->n_slots;
  slots->n_free -= own->n_slots - own->n_used;
}

static void
retire_smaller_locked (struct sf_slots *slots, uint64_t size)
{
  for (struct sf_own_segment * own = slots->first; own; own = own->next)
    if (own->segment->pitch < size)
      retire_locked (slots, own);
}

/* What is to be made: slots in this segment, or in a new one if it is NULL. */
struct plan
{
  struct sf_own_segment *grow;
  uint32_t n;                   /* 0: nothing to do */
  uint64_t bytes;
};

/* The one that can grow by so many slots. */
static struct sf_own_segment *
growable_locked (struct sf_slots *slots, uint32_t n)
{
  for (struct sf_own_segment * own = slots->first; own; own = own->next)
    if (!own->retired && n <= own->segment->capacity - own->n_slots
        && own->segment->n_growths < SF_MAX_GROWTHS)
      return own;
  return NULL;
}

static uint64_t
bytes_to_add (const struct plan *plan, uint64_t size, uint64_t page)
{
  const struct sf_own_segment *own = plan->grow;

  return own == NULL ? sf_segment_bytes_of (plan->n, size, page)
      : sf_segment_bytes_of (own->n_slots + plan->n, own->segment->pitch, 0)
      - bytes_of (own);
}

/* It grows by small steps, and not for ever: now by all that is left, if that is
 * more. */
static void
take_the_rest_locked (const struct sf_slots *slots, struct plan *plan)
{
  const struct sf_segment *segment = plan->grow->segment;
  uint64_t left = slots->max_memory > slots->bytes
      ? (slots->max_memory - slots->bytes) / (segment->pitch + 8) : 0;

  if (left > segment->capacity - plan->grow->n_slots)
    left = segment->capacity - plan->grow->n_slots;
  if (left > 1 && left - 1 > plan->n)
    plan->n = (uint32_t) left - 1;      /* the generations may take a page */
  plan->bytes = bytes_to_add (plan, segment->pitch, 0);
}

static int
plan_locked (struct sf_slots *slots, uint32_t n, uint64_t size, uint64_t page,
    struct plan *plan, uint64_t * needed)
{
  *plan = (struct plan) { .n = 0 };
  if (slots->shut)
    return -ESHUTDOWN;
  if (sf_segment_bytes_of (n, size, page) == UINT64_MAX)
    return -EINVAL;
  if (slots->n_active >= n)
    return 0;
  plan->n = n - slots->n_active;
  plan->grow = growable_locked (slots, plan->n);
  plan->bytes = bytes_to_add (plan, size, page);
  if (plan->grow != NULL
      && plan->grow->segment->n_growths >= SF_MAX_GROWTHS / 2)
    take_the_rest_locked (slots, plan);
  if (slots->bytes + plan->bytes > slots->max_memory) {
    *needed = slots->bytes + plan->bytes;
    return -E2BIG;
  }
  /* Reserved before it is made. */
  slots->bytes += plan->bytes;
  if (plan->grow != NULL)
    plan->grow->growing = true;
  return 0;
}

/* For how many slots to take addresses: those that max-memory holds, but no more
 * than a part of all there are. */
static uint32_t
capacity_for (const struct sf_slots *slots, uint64_t size)
{
  uint64_t room = SIZE_MAX >> (sizeof (size_t) > 4 ? 24 : 4);
  struct rlimit limit;

  if (getrlimit (RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY
      && limit.rlim_cur / 4 < room)
    room = limit.rlim_cur / 4;
  if (slots->max_memory < room)
    room = slots->max_memory;
  return room / size < SF_MAX_SLOTS ? (uint32_t) (room / size) : SF_MAX_SLOTS;
}

static int
own_segment_new (struct sf_slots *slots, uint32_t n, uint64_t size,
    uint64_t page, struct sf_own_segment **out)
{
  struct sf_own_segment *own;
  struct sf_segment *segment;
  int r = sf_segment_create_of (&segment, n, slots->fixed ? n
      : capacity_for (slots, size), size, page);

  if (r < 0)
    return r;
  own = calloc (1, sizeof (*own) + segment->capacity);
  if (own == NULL) {
    sf_segment_unref (segment);
    return -ENOMEM;
  }
  own->slots = slots;
  own->segment = segment;
  own->huge = page > 0;
  *out = own;
  return 0;
}

static void
add_locked (struct sf_slots *slots, struct sf_own_segment *own, uint32_t n)
{
  /* The last one taken was the last one there was: a new one follows it. */
  if (own->cursor == 0 && own->n_slots > 0)
    own->cursor = own->n_slots;
  own->n_slots += n;
  slots->n_made++;
  if (!own->retired) {
    slots->n_active += n;
    slots->n_free += n;
  }
  if (slots->shut)              /* meanwhile */
    retire_locked (slots, own);
}

/* One try, on pages of this size. */
static int
ensure (struct sf_slots *slots, uint32_t n, uint64_t size, uint64_t page,
    uint64_t * needed)
{
  struct sf_own_segment *own = NULL;
  struct plan plan;
  int r;

  pthread_mutex_lock (&slots->lock);
  retire_smaller_locked (slots, size);
  set_idle_aside_locked (slots);
  r = plan_locked (slots, n, size, page, &plan, needed);
  pthread_mutex_unlock (&slots->lock);
  if (r < 0 || plan.n == 0)
    return r;

  SF_HOOK ("grow");
  if (plan.grow != NULL)
    r = sf_segment_grow (plan.grow->segment, plan.grow->n_slots + plan.n);
  else
    r = own_segment_new (slots, plan.n, size, page, &own);
  pthread_mutex_lock (&slots->lock);
  if (plan.grow != NULL) {
    own = plan.grow;
    own->growing = false;
  } else if (r == 0) {
    own->next = slots->first;
    slots->first = own;
  }
  if (r == 0)
    add_locked (slots, own, plan.n);
  else
    slots->bytes -= plan.bytes;
  pthread_mutex_unlock (&slots->lock);
  return r;
}

uint32_t
sf_slots_most (struct sf_slots *slots, uint64_t size)
{
  struct plan plan = { .n = SF_MAX_SLOTS };
  uint64_t left;
  uint32_t n;

  pthread_mutex_lock (&slots->lock);
  left = slots->max_memory > slots->bytes ? slots->max_memory - slots->bytes : 0;
  plan.grow = growable_locked (slots, 1);
  if (plan.grow != NULL)
    plan.n = plan.grow->segment->capacity - plan.grow->n_slots;
  if (plan.n > left / size)
    plan.n = (uint32_t) (left / size);
  while (plan.n > 0 && bytes_to_add (&plan, size, 0) > left)
    plan.n--;
  n = slots->n_active + plan.n;
  pthread_mutex_unlock (&slots->lock);
  return n;
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
  if (r < 0 && r != -ESHUTDOWN)
    r = ensure (slots, n, size, 0, needed);
  if (r == -E2BIG) {
    sf_slots_tidy (slots);
    r = ensure (slots, n, size, 0, needed);
  }
  return r;
}

void
sf_slots_shut (struct sf_slots *slots)
{
  pthread_mutex_lock (&slots->lock);
  slots->shut = true;
  for (struct sf_own_segment * own = slots->first; own; own = own->next)
    retire_locked (slots, own);
  set_idle_aside_locked (slots);
  pthread_mutex_unlock (&slots->lock);
  sf_slots_tidy (slots);
}

/* The next free slot in cyclic order. The caller knows that there is one. */
static uint32_t
next_free_locked (struct sf_own_segment *own)
{
  while (own->used[own->cursor])
    own->cursor = (own->cursor + 1) % own->n_slots;
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
  own->used[slot->index] = 1;
  own->cursor = (slot->index + 1) % own->n_slots;
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
  bool idle, shut;

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
  idle = set_idle_aside_locked (slots);
  shut = slots->shut;
  pthread_mutex_unlock (&slots->lock);
  if (shut)
    sf_slots_tidy (slots);

  pthread_mutex_lock (&slots->freed_lock);
  if (slots->freed != NULL)
    slots->freed (slots->user, idle);
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
      state->huge_bytes += bytes_of (own);
  }
  if (slots->first != NULL)
    state->slot_size = slots->first->segment->pitch;
  if (slots->n_made > 0)
    state->growths = slots->n_made - 1;
  pthread_mutex_unlock (&slots->lock);
}
