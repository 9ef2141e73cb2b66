/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer's slots: which are free, in which segments, within max-memory.
 *
 * Slots are handed out in cyclic order, so that frames that follow each other
 * lie one pitch apart. The ring is one segment, which grows in place; another
 * one adds what is missing only where it cannot (huge pages, few addresses).
 * Segments of slots that are too small are retired, and go when the last of
 * these is free.
 *
 * Thread-safe. The lock is a leaf: nothing else is taken under it, and memory
 * is made and mapped outside it. */
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
  bool first;                   /* that was ever taken from its segment */
};

/* Called after a slot became free. `freed_lock` is held, so that nobody is
 * called after sf_slots_set_freed() returned; no other lock is. `idle`: a
 * segment can go, call sf_slots_reclaim(). */
typedef void (*sf_slot_freed) (void *user, bool idle);

/* NULL when out of memory. `max_memory` in bytes. */
struct sf_slots *sf_slots_new (uint64_t max_memory);
/* Puts slots on huge pages, as far as there are any. Before the first slots are
 * made. */
void sf_slots_use_huge_pages (struct sf_slots *slots);
/* The number of slots is fixed, so that they can be mapped twice. Before the
 * first slots are made. */
void sf_slots_fix (struct sf_slots *slots);
struct sf_slots *sf_slots_ref (struct sf_slots *slots);
void sf_slots_unref (struct sf_slots *slots);

/* Sets who hears of freed slots (NULL: nobody), after a call under way
 * returned. */
void sf_slots_set_freed (struct sf_slots *slots, sf_slot_freed freed,
    void *user);

/* Makes slots until there are `n` of at least `size` bytes, and retires those
 * that are too small. One thread at a time. Returns 0, or -E2BIG   max-memory
 * is too small: `needed` would do (bytes) -EDQUOT  less memory is left than
 * that (producer/headroom.h): it takes
 *           `needed` bytes more
 * others as sf_segment_create(). */
int sf_slots_ensure (struct sf_slots *slots, uint32_t n, uint64_t size,
    uint64_t *needed);

/* Makes `n` slots of at least `size` bytes in place of all that there are,
 * which go when the last of them is free. By one thread at a time. 0; -E2BIG:
 * max-memory does not hold both; others as sf_slots_ensure(), and all is as it
 * was. */
int sf_slots_replace (struct sf_slots *slots, uint32_t n, uint64_t size);

/* How many slots of this size there could be. */
uint32_t sf_slots_most (struct sf_slots *slots, uint64_t size);

/* Unmaps retired segments whose slots are all back. That takes time, so the
 * control thread does it, not whoever gives a slot back. Their bytes count
 * until then. */
void sf_slots_reclaim (struct sf_slots *slots);

/* Does the segment belong to these slots? If not, it is another producer's, of
 * this process or of another one. */
static inline bool
sf_slots_own (const struct sf_slots *slots, const struct sf_segment *segment)
{
  return segment->owner == slots;
}

/* Hands out no more slots: every segment is retired, and goes with its last
 * slot. */
void sf_slots_shut (struct sf_slots *slots);

/* Takes a free slot of at least `size` bytes, unless that would leave fewer
 * than `keep` free. `slot` NULL: only looks. Returns 0; -EAGAIN: none is free;
 * -EMSGSIZE: none is that large. */
int sf_slots_acquire (struct sf_slots *slots, uint64_t size, uint32_t keep,
    struct sf_slot *slot);

/* Gives a slot back that nobody reads or writes any more. */
void sf_slots_release (struct sf_slot *slot);

/* The segments that slots have been taken from, and are, referenced, the newest
 * first: how many, `max` at most. */
uint32_t sf_slots_get_segments (struct sf_slots *slots,
    struct sf_segment **segments, uint32_t max);

struct sf_slots_state
{
  uint32_t n_slots;             /* that can be taken, used or free */
  uint32_t n_free;
  uint32_t n_segments;          /* retired ones included */
  uint64_t slot_size;           /* pitch of the newest segment */
  uint64_t bytes;               /* reserved in all segments */
  uint64_t huge_bytes;          /* of those on huge pages */
  /* of those that go when their last slot is free */
  uint64_t retired_bytes;
  /* how often slots were made after the first time */
  uint64_t growths;
};

void sf_slots_get_state (struct sf_slots *slots, struct sf_slots_state *state);

#endif
