/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the producer's source files only.
 *
 * Locks, in the order they are taken:
 *   1. sf_producer.room_lock (from counting the slots that are needed to having
 *      made them; the one lock held while memory is made)
 *   2. sf_slots' freed_lock (held while it tells us of a freed slot)
 *   3. sf_producer.lock
 *   4. sf_slots' lock       (a leaf)
 * No lock is held over a system call that does I/O, nor over a callback, nor
 * over a frame's release: released frames are gathered in `done` and run after,
 * by whoever drops the lock with sf_producer_unlock() next.
 *
 * Threads: the control thread alone makes, removes, closes and frees clients.
 * Who sends a SEGMENT message, without the lock, holds a reference on the
 * client, which keeps its fd open. Any thread sets pending_disconnect; the
 * control thread acts. */
#ifndef SF_PRODUCER_PRIVATE_H
#define SF_PRODUCER_PRIVATE_H

#include "shared/fork.h"
#include "shared/futex.h"
#include "shared/thread.h"
#include "shared/test-hooks.h"
#include "shared/compiler.h"
#include "producer/client-private.h"
#include "producer/limits.h"
#include "producer/producer.h"

/* A segment under the id that clients know. */
struct sf_known_segment
{
  struct sf_segment *segment;
  uint32_t id;
  uint32_t n_frames;            /* published ones in it */
  uint32_t n_slots_sent;        /* as clients know that were sent it before */
};

struct sf_frame
{
  struct sf_frame *next_done;
  uint32_t refs;                /* leases, the latest frame, the publisher */
  uint64_t seq;
  int64_t published;            /* sf_now(), in ns */
  sf_release release;
  void *user;
  struct sf_slot spill;         /* of its payload; owner NULL: in the record */
  bool foreign;                 /* lies in another producer's memory */
  uint32_t n_parts;
  uint32_t payload_size;
  uint8_t *payload;             /* behind the ids, in the same allocation */
  uint32_t segment_ids[];       /* without repetition, n_parts at most */
};

/* Greater than any key. */
#define SF_NO_KEY UINT64_MAX

struct sf_sticky
{
  struct sf_sticky *next;
  uint64_t key;
  uint32_t size;
  uint8_t body[];
};

/* Times are sf_now() in ns. */
struct sf_producer
{
  /* Constant from sf_producer_open() to sf_producer_close(). */
  uint32_t generation;          /* of its process, see shared/fork.h */
  uint64_t id;
  struct sf_listener listener;
  struct sf_slots *slots;
  struct sf_slots *spill_slots; /* payloads too large for a record */
  pthread_t thread;             /* the control thread */
  int epoll_fd;
  int wake_fd;                  /* eventfd, ours alone */

  struct sf_producer_config settings;   /* its path is not ours to keep */

  /* Held from counting the slots that are needed to having made them: a format
   * with larger slots and a client that wants more must each see the other. */
  pthread_mutex_t room_lock;
  pthread_mutex_t lock;
  pthread_cond_t cond;          /* progress, clients, interruption */

  /* The control thread's, without a lock. */
  struct
  {
    struct sf_client *removed;  /* freed when nobody refers to them any more */
    bool starved_reported;      /* that no client can be accepted */
    int64_t too_large_since;    /* the ring; 0: it is not */
  } control;

  /* The publishing thread's, without a lock: see producer/wake.c. */
  struct
  {
    struct sf_client **clients; /* to be woken, referenced; max_clients fit */
    uint32_t n_clients;
    bool unpaced;               /* the frame came within SF_SPIN_THRESHOLD */
    uint32_t n_served;          /* clients that it was for */
    uint32_t yield_back_off, n_yields_to_skip;
  } waking;

  /* Any thread's, without a lock. */
  struct
  {
    sf_atomic_u64 count;        /* of slots and frames that came back */
    sf_atomic_u32 n_releasing;  /* threads between `done` and released */
    sf_atomic_u32 has_waiters;  /* waiting.n > 0; a hint */
  } progress;

  /* All below: under the lock. The control thread alone changes the list of
   * clients, and walks it without. */
  struct sf_client *clients;    /* the newest first */
  uint32_t n_connections;
  uint64_t last_client_id;
  bool stopping;
  bool need_kick;               /* wake the control thread with the unlocking */
  int tick_ms;                  /* between looks at returns; <= 0: none */

  /* How many slots there are to be. The first two change under both locks. */
  struct
  {
    uint64_t slot_size;         /* 0: no format yet */
    uint32_t slots_per_record;
    uint32_t upstream_slots;    /* more than base slots, for upstream to keep */
    bool slot_missed;           /* upstream wants still more */
    bool grants_pending;        /* slots that were granted are yet to be made */
  } capacity;

  struct
  {
    struct sf_known_segment *known;
    uint32_t n_known, known_room;
    uint32_t last_id;
    int64_t looked_for_hog;     /* as no fds could be sent */
  } segments;

  struct
  {
    struct sf_sticky *first;    /* in the order of keys */
    uint64_t bytes;
  } sticky;

  struct
  {
    uint64_t next_seq;
    struct sf_frame *latest;
    struct sf_frame *done;      /* refs 0: released when the lock is dropped */
    uint32_t n;                 /* published, and still somebody's */
    bool pooled;                /* upstream may wait for what clients return */
    int64_t last_publish;
  } frames;

  struct
  {
    bool live, lossless, known;
    uint64_t latency_min, latency_max;
    bool unsent;                /* LATENCY is to be sent */
  } delivery;

  struct
  {
    bool on;
    uint32_t seqnum;
    bool unsent;                /* FLUSH is to be sent */
  } flush;

  /* Publishers that wait for clients. */
  struct
  {
    uint32_t n;
    bool interrupted, clients_cancelled;
    uint32_t last_want;         /* the last number in want_returns */
    int64_t last;               /* when somebody last waited */
    int64_t last_check;         /* when clients were last checked for that */
  } waiting;

  struct sf_producer_stats stats;
};

#endif
