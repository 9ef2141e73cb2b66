/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by producer/slots.c (taken and given back) and producer/slots-grow.c
 * (made) only. */
#ifndef SF_SLOTS_PRIVATE_H
#define SF_SLOTS_PRIVATE_H

#include <pthread.h>

#include "producer/slots.h"

struct sf_own_segment
{
  struct sf_own_segment *next;
  struct sf_slots *slots;
  struct sf_segment *segment;
  uint32_t n_slots;             /* that are handed out */
  uint32_t n_used;
  uint32_t cursor;
  bool retired, huge;
  bool taken_from;              /* once */
  bool growing;                 /* stays, with the lock dropped */
  uint8_t used[];               /* for as many as it can grow to */
};

struct sf_slots
{
  sf_atomic_u32 refs;
  /* of the process that made it, see shared/fork.h */
  uint32_t generation;
  uint64_t max_memory;
  uint64_t huge_page;           /* 0: not wanted, or the machine has none */
  bool fixed;                   /* addresses for no more slots than there are */
  pthread_mutex_t lock;         /* the fields below; a leaf */
  /* newest first; those not retired are taken from */
  struct sf_own_segment *first;
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

/* What its slots reserve. */
uint64_t sf_own_segment_bytes (const struct sf_own_segment *own);
/* No slot of it is taken any more. */
void sf_slots_retire_locked (struct sf_slots *slots,
    struct sf_own_segment *own);
/* Retired segments without a used slot are set aside. True if there is one. */
bool sf_slots_set_idle_aside_locked (struct sf_slots *slots);

#endif
