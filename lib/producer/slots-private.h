/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by producer/slots.c (acquire, release) and producer/slots-grow.c
 * (making). */
#ifndef SF_SLOTS_PRIVATE_H
#define SF_SLOTS_PRIVATE_H

#include <pthread.h>

#include "producer/slots.h"

struct sf_own_segment
{
  struct sf_own_segment *next;
  struct sf_slots *slots;
  struct sf_segment *segment;
  uint32_t n_slots;             /* made so far */
  uint32_t n_used;
  uint32_t cursor;
  bool retired, huge;
  bool taken_from;              /* at least once */
  /* not to be freed, though the lock is dropped */
  bool growing;
  uint8_t used[];               /* one for each that it can grow to */
};

struct sf_slots
{
  sf_atomic_u32 refs;
  uint32_t generation;          /* of its process, see shared/fork.h */
  uint64_t max_memory;
  uint64_t huge_page;           /* bytes; 0: not wanted, or there are none */
  bool fixed;                   /* reserve no addresses for more slots */
  pthread_mutex_t lock;         /* a leaf; the fields below */
  struct sf_own_segment *first; /* the newest first */
  struct sf_own_segment *last;  /* where the last slot was taken */
  struct sf_own_segment *idle;  /* to be unmapped */
  uint32_t n_active, n_free;
  uint64_t bytes;
  uint64_t n_made;
  bool shut;
  pthread_mutex_t freed_lock;   /* the two below; held over the call */
  sf_slot_freed freed;
  void *user;
};

/* Returns the bytes that its slots reserve. */
uint64_t sf_own_segment_bytes (const struct sf_own_segment *own);
/* Hands out no more of its slots. */
void sf_slots_retire_locked (struct sf_slots *slots,
    struct sf_own_segment *own);
/* Sets aside retired segments without a used slot. True: there is one. */
bool sf_slots_set_idle_aside_locked (struct sf_slots *slots);

#endif
