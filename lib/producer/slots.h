/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer's slots: which are free, in which segments, within max-memory.
 *
 * Slots are handed out in cyclic order, so that frames that follow each other
 * lie one pitch apart. The ring is one segment, which grows in place; another one
 * adds what is missing only where it cannot (huge pages, few addresses). Segments of
 * slots that are too small are retired, and go when the last of these is free.
 *
 * Thread-safe. The lock is a leaf: nothing else is taken under it, and memory is
 * made and mapped outside it. */
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

/* Called after a slot became free, without locks. `idle`: a segment can go, see
 * sf_slots_tidy(). */
typedef void (*sf_slot_freed) (void *user, bool idle);

/* NULL when out of memory. `max_memory` in bytes. */
struct sf_slots *sf_slots_new (uint64_t max_memory);
/* On huge pages, as far as there are any. Before the first slots are made. */
void sf_slots_use_huge_pages (struct sf_slots *slots);
/* There will never be more slots of one size than at first: likewise. */
void sf_slots_fix (struct sf_slots *slots);
struct sf_slots *sf_slots_ref (struct sf_slots *slots);
void sf_slots_unref (struct sf_slots *slots);

/* Who hears of freed slots; NULL: nobody. Returns after a call under way. */
void sf_slots_set_freed (struct sf_slots *slots, sf_slot_freed freed,
    void *user);

/* Sees to it that there are `n` slots of at least `size` bytes; slots that are
 * too small are retired. By one thread at a time. 0, or
 *  -E2BIG  max-memory does not allow it; `needed` is what would
 *  -EDQUOT it is more than is left (producer/headroom.h); `needed` is how much more it takes
 *  others as sf_segment_create(). */
int sf_slots_ensure (struct sf_slots *slots, uint32_t n, uint64_t size,
    uint64_t * needed);

/* How many slots of this size there could be. */
uint32_t sf_slots_most (struct sf_slots *slots, uint64_t size);

/* Unmaps segments that are not needed any more, which takes time: whoever gives a
 * slot back does not do it. They count until then. */
void sf_slots_tidy (struct sf_slots *slots);

/* Are those of the segment among them? Otherwise they are another producer's, of this
 * process or of another one, who writes there again once they are given back. */
static inline bool
sf_slots_own (const struct sf_slots *slots, const struct sf_segment *segment)
{
  return segment->owner == slots;
}

/* Hands out no more slots: every segment is retired, and goes with its last slot. */
void sf_slots_shut (struct sf_slots *slots);

/* Takes a free slot of at least `size` bytes, as long as more than `keep` stay
 * free. `slot` NULL: only looks. 0; -EAGAIN: none is free; -EMSGSIZE: none is
 * that large. */
int sf_slots_take (struct sf_slots *slots, uint64_t size, uint32_t keep,
    struct sf_slot *slot);

/* Nobody reads or writes it any more. */
void sf_slots_give (struct sf_slot *slot);

/* The segments that slots have been taken from, and are, referenced, the newest first: how
 * many, `max` at most. */
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
  uint64_t growths;             /* how often slots were made after the first time */
};

void sf_slots_get_state (struct sf_slots *slots, struct sf_slots_state *state);

#endif
