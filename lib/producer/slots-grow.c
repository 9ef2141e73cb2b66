/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes slots: in the newest segment, or in another one. */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "producer/headroom.h"
#include "shared/test-hooks.h"
#include "producer/slots-private.h"

static void
retire_smaller_locked (struct sf_slots *slots, uint64_t size)
{
  for (struct sf_own_segment *own = slots->first; own; own = own->next)
    if (own->segment->pitch < size)
      sf_slots_retire_locked (slots, own);
}

/* How many slots to make, and in which segment; NULL: a new one. */
struct plan
{
  bool replace;                 /* all that exist */
  struct sf_own_segment *grow;
  uint32_t n;                   /* 0: nothing to do */
  uint64_t bytes;
};

/* Returns a segment that can grow by so many slots. */
static struct sf_own_segment *
growable_locked (struct sf_slots *slots, uint32_t n)
{
  for (struct sf_own_segment *own = slots->first; own; own = own->next)
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
      - sf_own_segment_bytes (own);
}

/* A segment grows a limited number of times. Once half of these are used, grows
 * it by half its size, or as far as max-memory allows. */
static void
take_large_step_locked (const struct sf_slots *slots, struct plan *plan)
{
  const struct sf_segment *segment = plan->grow->segment;
  uint64_t left = slots->max_memory > slots->bytes
      ? (slots->max_memory - slots->bytes) / (segment->pitch + 8) : 0;

  if (left > segment->capacity - plan->grow->n_slots)
    left = segment->capacity - plan->grow->n_slots;
  if (left > plan->grow->n_slots / 2 + 2)
    left = plan->grow->n_slots / 2 + 2;
  if (left > 1 && left - 1 > plan->n)
    plan->n = (uint32_t) left - 1;      /* the generations may take a page */
  plan->bytes = bytes_to_add (plan, segment->pitch, 0);
}

static int
plan_locked (struct sf_slots *slots, uint32_t n, uint64_t size, uint64_t page,
    struct plan *plan, uint64_t *needed)
{
  if (slots->shut)
    return -ESHUTDOWN;
  if (sf_segment_bytes_of (n, size, page) == UINT64_MAX)
    return -EINVAL;
  if (slots->n_active >= n && !plan->replace)
    return 0;
  plan->n = plan->replace ? n : n - slots->n_active;
  plan->grow = plan->replace ? NULL : growable_locked (slots, plan->n);
  plan->bytes = bytes_to_add (plan, size, page);
  if (plan->grow != NULL
      && plan->grow->segment->n_growths >= SF_MAX_GROWTHS / 2)
    take_large_step_locked (slots, plan);
  if (slots->bytes + plan->bytes > slots->max_memory) {
    *needed = slots->bytes + plan->bytes;
    return -E2BIG;
  }
  /* Count the bytes before they are made, so that others do not take them. */
  slots->bytes += plan->bytes;
  if (plan->grow != NULL)
    plan->grow->growing = true;
  return 0;
}

/* Returns for how many slots to reserve addresses: what max-memory holds, but
 * only a part of the address space. */
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
  segment->owner = slots;
  own->huge = page > 0;
  *out = own;
  return 0;
}

static void
add_locked (struct sf_slots *slots, struct sf_own_segment *own, uint32_t n)
{
  /* The cursor wrapped at the old end: the first new slot follows it. */
  if (own->cursor == 0 && own->n_slots > 0)
    own->cursor = own->n_slots;
  own->n_slots += n;
  slots->n_made++;
  if (!own->retired) {
    slots->n_active += n;
    slots->n_free += n;
  }
  if (slots->shut)              /* while they were made */
    sf_slots_retire_locked (slots, own);
}

/* Leaves a sixteenth of the memory to others. */
static uint64_t
bytes_left (void)
{
  struct sf_headroom headroom;

  sf_headroom_get (&headroom);
  return headroom.left / 16 * 15;
}

/* Tries once, on pages of this size. `replace`: in place of all that exist. */
static int
make (struct sf_slots *slots, uint32_t n, uint64_t size, uint64_t page,
    bool replace, uint64_t *needed)
{
  struct sf_own_segment *own = NULL;
  struct plan plan = { .replace = replace };
  int r;

  pthread_mutex_lock (&slots->lock);
  retire_smaller_locked (slots, size);
  sf_slots_set_idle_aside_locked (slots);
  r = plan_locked (slots, n, size, page, &plan, needed);
  pthread_mutex_unlock (&slots->lock);
  if (r < 0 || plan.n == 0)
    return r;

  SF_HOOK ("grow");
  if (page == 0 && plan.bytes > bytes_left ()) {
    *needed = plan.bytes;
    r = -EDQUOT;
  } else if (plan.grow != NULL)
    r = sf_segment_grow (plan.grow->segment, plan.grow->n_slots + plan.n);
  else
    r = own_segment_new (slots, plan.n, size, page, &own);
  pthread_mutex_lock (&slots->lock);
  if (plan.grow != NULL) {
    own = plan.grow;
    own->growing = false;
  } else if (r == 0) {
    if (replace)
      retire_smaller_locked (slots, UINT64_MAX);
    own->next = slots->first;
    slots->first = own;
  }
  if (r == 0)
    add_locked (slots, own, plan.n);
  else
    slots->bytes -= plan.bytes;
  sf_slots_set_idle_aside_locked (slots);
  pthread_mutex_unlock (&slots->lock);
  return r;
}

int
sf_slots_replace (struct sf_slots *slots, uint32_t n, uint64_t size)
{
  uint64_t needed;

  return make (slots, n, size, slots->huge_page, true, &needed);
}

uint32_t
sf_slots_most (struct sf_slots *slots, uint64_t size)
{
  struct plan plan = { .n = SF_MAX_SLOTS };
  uint64_t left = bytes_left ();
  uint32_t n;

  pthread_mutex_lock (&slots->lock);
  if (slots->bytes >= slots->max_memory)
    left = 0;
  else if (left > slots->max_memory - slots->bytes)
    left = slots->max_memory - slots->bytes;
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

/* Falls back to ordinary pages where huge ones are too few, or exceed
 * max_memory. */
int
sf_slots_ensure (struct sf_slots *slots, uint32_t n, uint64_t size,
    uint64_t *needed)
{
  int r = -ENOMEM;

  if (slots->huge_page > 0)
    r = make (slots, n, size, slots->huge_page, false, needed);
  if (r < 0 && r != -ESHUTDOWN)
    r = make (slots, n, size, 0, false, needed);
  if (r == -E2BIG || r == -EDQUOT) {
    sf_slots_reclaim (slots);
    r = make (slots, n, size, 0, false, needed);
  }
  return r;
}
