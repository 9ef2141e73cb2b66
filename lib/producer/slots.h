/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer's slots: which are free, in which segments, within max-memory.
 *
 * Slots are handed out in cyclic order, so that consecutive frames lie one
 * pitch apart. The ring is one segment, which grows in place; a second one is
 * made only where it cannot (huge pages, few addresses). A segment with too
 * small slots is retired, and goes when its last slot is free.
 *
 * Thread-safe. Memory is made and mapped without `lock`, which is a leaf. */
#ifndef SF_SLOTS_H
#define SF_SLOTS_H

#include "shared/segment.h"

struct sf_slots;
struct sf_own_segment;

struct sf_slot
{
  struct sf_own_segment *owner;
  struct sf_segment *segment;
  uint32_t index;
  bool first;                   /* the first one ever taken from its segment */
};

/* Called after a slot became free, with freed_lock held and no other: nobody is
 * called after sf_slots_set_freed() returned. `idle`: a segment can go, call
 * sf_slots_reclaim(). */
typedef void (*sf_slot_freed) (void *user, bool idle);

/* NULL: out of memory. `max_memory` in bytes. */
struct sf_slots *sf_slots_new (uint64_t max_memory);
/* Puts slots on huge pages, as far as there are any. Call before any slot is
 * made. */
void sf_slots_use_huge_pages (struct sf_slots *slots);
/* Fixes the number of slots, so that they can be mapped twice. Call before any
 * slot is made. */
void sf_slots_fix (struct sf_slots *slots);
struct sf_slots *sf_slots_ref (struct sf_slots *slots);
void sf_slots_unref (struct sf_slots *slots);

/* Sets who hears of freed slots (NULL: nobody), after a call in progress
 * returned. */
void sf_slots_set_freed (struct sf_slots *slots, sf_slot_freed freed,
    void *user);

/* Makes slots until there are `n` of at least `size` bytes, and retires those
 * that are too small. One thread at a time. Returns 0, or
 *   -E2BIG   max-memory is too small: `needed` bytes would do
 *   -EDQUOT  less memory is left than that (producer/headroom.h): it takes
 *            `needed` bytes more
 *   others as sf_segment_create(). */
int sf_slots_ensure (struct sf_slots *slots, uint32_t n, uint64_t size,
    uint64_t *needed);

/* Makes `n` slots of at least `size` bytes in place of all that exist, which go
 * when the last of them is free. One thread at a time. 0; -E2BIG: max-memory
 * does not hold both; others as sf_slots_ensure(). On error nothing changes. */
int sf_slots_replace (struct sf_slots *slots, uint32_t n, uint64_t size);

/* Returns how many slots of this size there could be. */
uint32_t sf_slots_most (struct sf_slots *slots, uint64_t size);

/* Unmaps retired segments whose slots are all back. That takes time, so the
 * control thread does it, not whoever releases a slot. Their bytes count until
 * then. */
void sf_slots_reclaim (struct sf_slots *slots);

/* Tells whether the segment belongs to these slots; if not, it is another
 * producer's, of this process or another. */
static inline bool
sf_slots_own (const struct sf_slots *slots, const struct sf_segment *segment)
{
  return segment->owner == slots;
}

/* Retires every segment: no more slots are handed out. */
void sf_slots_shut (struct sf_slots *slots);

/* Takes a free slot of at least `size` bytes, unless fewer than `keep` would be
 * left. `slot` NULL: only looks. 0; -EAGAIN: none is free; -EMSGSIZE: none is
 * that large. */
int sf_slots_acquire (struct sf_slots *slots, uint64_t size, uint32_t keep,
    struct sf_slot *slot);

/* Releases a slot that nobody reads or writes any more. */
void sf_slots_release (struct sf_slot *slot);

/* Fills up to `max` active segments from which slots have been taken,
 * referenced, the newest first. Returns how many. */
uint32_t sf_slots_get_segments (struct sf_slots *slots,
    struct sf_segment **segments, uint32_t max);

struct sf_slots_state
{
  uint32_t n_slots;             /* not retired, used or free */
  uint32_t n_free;
  uint32_t n_segments;          /* including retired ones */
  uint64_t slot_size;           /* pitch of the newest segment */
  uint64_t bytes;               /* reserved in all segments */
  uint64_t huge_bytes;          /* on huge pages */
  uint64_t retired_bytes;       /* of retired segments */
  /* how often slots were made after the first time */
  uint64_t growths;
};

void sf_slots_get_state (struct sf_slots *slots, struct sf_slots_state *state);

#endif
