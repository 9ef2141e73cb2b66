/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared memory that holds slots. Reference-counted, since frames may outlive
 * the connection that brought them.
 *
 * A segment has addresses for more slots than it has pages: the rest of the
 * sealed memfd is a hole. To grow, its maker reserves pages there; fd, mapping
 * and id stay. */
#ifndef SF_SEGMENT_H
#define SF_SEGMENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/guard.h"
#include "shared/layout.h"
#include "shared/protocol.h"
#include "shared/shm.h"

/* The producer's own, and as many of producers before it as fit into a
 * message. */
#define SF_MAX_GUARDS SF_MESSAGE_MAX_FDS

/* How often a segment may grow: each time costs its clients a mapping. */
#define SF_MAX_GROWTHS 64u

/* Slots from `first` on as a client has mapped them. `twice`: all slots, mapped
 * twice end to end: slot n_slots + i is slot i, and a run that wraps is one
 * range of addresses. */
struct sf_view
{
  struct sf_view *older;
  uint32_t first, n_slots;
  bool twice;
  uint8_t *slots;
};

struct sf_segment
{
  sf_atomic_u32 refs;
  /* The maker's: all of it, of which reserved pages are accessible; if that is
   * all, the slots once more behind it. A client's: the header only. */
  struct sf_shm shm;
  sf_atomic_u32 n_slots;        /* that have pages */
  uint32_t capacity;            /* for which there are addresses */
  uint32_t n_growths;           /* the maker's */
  uint64_t page;                /* likewise */
  bool twice;                   /* likewise: it cannot grow */
  uint64_t pitch;
  uint64_t data_offset;
  bool writable;
  /* whose slots these are; NULL: of another process */
  const void *owner;
  uint8_t *slots;               /* the maker's */
  /* A client's: */
  pthread_mutex_t lock;         /* held while a view is made */
  sf_atomic_pointer views;      /* struct sf_view, the newest first; all stay */
  uint32_t n_views;
  sf_atomic_u32 runs;           /* somebody asks for runs */
  sf_atomic_u32 run_missing;    /* and some slots are not in one */
  /* A client's: the guards to pass on with the segment when its frames are
   * relayed (-1: no more). The first is that of our connection, the others of
   * those who relayed the segment before. A producer takes back a crashed
   * client's frames when the last copy of its guard is closed. */
  int guards[SF_MAX_GUARDS];
  struct sf_guard *guard;
  /* A client's: its producer's word to set before passing the segment on. Valid
   * while a frame in it is leased. */
  sf_atomic_u32 *passed_on;
  /* Set when its owner will not fill it again (gone, disconnected). */
  sf_atomic_u32 retired;
};

/* Makes a segment of `n_slots` slots of at least `slot_size` bytes that can
 * grow to `capacity` slots, or fewer if addresses are short. The pitch is
 * rounded up to pages; `huge_page` not 0: to those, sf_huge_page_size(), and it
 * cannot grow. Errors as sf_shm_create(), and others where huge pages are too
 * few; -EINVAL: 0 or more than SF_MAX_SLOTS slots, or a size of 0 or above
 * SF_MAX_SLOT_SIZE. */
int sf_segment_create_of (struct sf_segment **segment, uint32_t n_slots,
    uint32_t capacity, uint64_t slot_size, uint64_t huge_page);

static inline int
sf_segment_create (struct sf_segment **segment, uint32_t n_slots,
    uint64_t slot_size)
{
  return sf_segment_create_of (segment, n_slots, n_slots, slot_size, 0);
}

/* Returns the bytes that `n_slots` slots reserve; UINT64_MAX: out of range. */
uint64_t sf_segment_bytes_of (uint32_t n_slots, uint64_t slot_size,
    uint64_t huge_page);

static inline uint64_t
sf_segment_bytes (uint32_t n_slots, uint64_t slot_size)
{
  return sf_segment_bytes_of (n_slots, slot_size, 0);
}

/* For the maker: grows to `n_slots` slots, if there are fewer. One thread at a
 * time. -ENOSPC: beyond its capacity, or it has grown too often; -ENOMEM. On
 * error nothing changes. */
int sf_segment_grow (struct sf_segment *segment, uint32_t n_slots);

/* For a client, any thread: maps what the maker has added. 0; -EPROTO: it is
 * not as it must be, or `slot` is not in it; -ENOMEM. */
int sf_segment_map_growth (struct sf_segment *segment, uint32_t slot);

/* Slots in cyclic order. `twice`: they are mapped once more behind the last
 * one. That is so in a segment that cannot grow, and in a client's soon after a
 * run was asked for: see sf_segment_has_grown(). */
struct sf_run
{
  uint8_t *slots;
  uint32_t n_slots;
  bool twice;
};

/* Returns the run that a frame at `address` lies in. */
struct sf_run sf_segment_run (struct sf_segment *segment,
    const uint8_t *address);

/* Takes over `fd` and `guards` (all closed on error; the first one is not used)
 * and maps the segment read-only. -EPROTO: seals, size or header do not agree
 * with `info`. `guard`: the connection's, or NULL. */
int sf_segment_open (struct sf_segment **segment, int fd,
    struct sf_guard *guard, const int guards[SF_MAX_GUARDS],
    const struct sf_segment_info *info);

/* Tells whether it came by so many relays that its guards and one more do not
 * fit into a message. Its frames must be copied to be passed on. */
static inline bool
sf_segment_relay_depth_exceeded (const struct sf_segment *segment)
{
  return segment->guards[SF_MAX_GUARDS - 1] >= 0;
}

struct sf_segment *sf_segment_ref (struct sf_segment *segment);
/* The last reference unmaps and closes. NULL is allowed. */
void sf_segment_unref (struct sf_segment *segment);

/* Fills in the SEGMENT message, with the given id. */
void sf_segment_describe (const struct sf_segment *segment, uint32_t id,
    struct sf_segment_info *info);

static inline struct sf_segment_header *
sf_segment_header (const struct sf_segment *segment)
{
  return (struct sf_segment_header *) segment->shm.map;
}

static inline uint8_t *
sf_segment_slot (const struct sf_segment *segment, uint32_t slot)
{
  const struct sf_view *view;

  if (segment->writable)
    return segment->slots + (uint64_t) slot *segment->pitch;
  view = (const struct sf_view *) sf_observe_pointer (&segment->views);
  while (slot < view->first)
    view = view->older;
  return view->slots + (uint64_t) (slot - view->first) * segment->pitch;
}

/* Marks a slot's content final: its generation becomes even. Several may do so,
 * for a slot that several publish. */
static inline void
sf_segment_finish_slot (const struct sf_segment *segment, uint32_t slot)
{
  sf_atomic_u64 *generation = &sf_segment_header (segment)->generation[slot];
  uint64_t odd = sf_load_own (generation);
  uint64_t seen;

  if (odd & 1)
    sf_decide_u64 (generation, odd, odd + 1, &seen);
}

/* Checks that `ref` lies inside one slot, and of a client's segment, that it is
 * mapped. 0; 1: it was mapped just now, as sf_segment_map_growth() does ahead
 * of frames; -EPROTO or -ENOMEM. */
int sf_segment_check (struct sf_segment *segment,
    const struct sf_memory_ref_wire *ref);

/* For a client: tells whether sf_segment_map_growth() has anything to do. */
static inline bool
sf_segment_has_grown (const struct sf_segment *segment)
{
  return !segment->writable
      && (sf_observe_u32 (&sf_segment_header (segment)->n_slots)
      != sf_observe_u32 (&segment->n_slots)
      || sf_load_flag (&segment->run_missing) != 0);
}

#endif
