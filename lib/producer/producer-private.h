/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the producer's source files only.
 *
 * Locks, in the order they are taken:
 *   1. sf_producer.room_lock (from counting the slots that are needed to having
 *      made them; the one lock held while memory is made)
 *   2. sf_slots' freed_lock (held while it tells us of a freed slot)
 *   3. sf_producer.lock     (all fields below that do not say otherwise)
 *   4. sf_slots' lock       (a leaf)
 * No lock is held over a system call that does I/O, nor over a callback, nor
 * over a frame's release: released frames are gathered in `done` and run after,
 * by whoever drops the lock with sf_producer_unlock() next.
 *
 * Threads: the control thread alone makes, removes, closes and frees clients.
 * Who sends SEGMENT messages, outside the lock, holds a reference on the
 * client, so that its fd stays what it is. Anybody can set pending_disconnect;
 * the control thread acts. */
#ifndef SF_PRODUCER_PRIVATE_H
#define SF_PRODUCER_PRIVATE_H

#include <pthread.h>

#include "shared/fork.h"
#include "shared/futex.h"
#include "shared/test-hooks.h"
#include "shared/compiler.h"
#include "producer/leases.h"
#include "producer/producer.h"
#include "shared/ring.h"

/* A segment under the id that clients know. */
struct sf_known_segment
{
  struct sf_segment *segment;
  uint32_t id;
  uint32_t n_frames;            /* that lie in it, and are out */
  uint32_t n_slots_sent;        /* to clients that were sent it before */
};

struct sf_frame
{
  struct sf_frame *next_done;
  uint32_t refs;                /* leases, the latest frame, the publisher */
  uint64_t seq;
  int64_t published;            /* when */
  sf_release release;
  void *user;
  /* what does not fit into a record; owner NULL */
  struct sf_slot spill;
  bool foreign;                 /* another producer's memory: do not hoard */
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

enum sf_client_state
{
  SF_CLIENT_GREETING,           /* accepted, HELLO or OBSERVE awaited */
  SF_CLIENT_OBSERVING,          /* it asks for figures, and is no client */
  SF_CLIENT_WAITING,            /* it said HELLO, there is no room for it yet */
  SF_CLIENT_JOINING,            /* welcomed, not yet announced to */
  SF_CLIENT_ACTIVE,
  SF_CLIENT_LEAVING,            /* it said BYE: gets no more, may hold frames */
  SF_CLIENT_LINGERING,          /* evicted or crashed, its frames may be read */
  SF_CLIENT_GONE,
};

struct sf_client
{
  struct sf_client *next;
  sf_atomic_u32 refs;
  /* Set before the client is in the list, then constant. */
  struct sf_producer *producer;
  int fd;
  /* readable at hang-up: nobody can read its frames */
  int guard_fd;
  int process_fd;               /* readable when its process has ended; or -1 */
  uint64_t id;
  struct sf_credentials peer;
  /* The control thread's. */
  /* for HELLO, or the next OBSERVE; after BYE, for its end */
  int64_t deadline;
  bool reported;                /* connected() was called */
  bool has_place;               /* it counts for max-clients */
  bool hung_up;                 /* its socket is at its end */
  bool process_gone;
  int64_t quota_from;           /* since when messages are counted */
  uint32_t n_messages;
  uint64_t n_returned_before;   /* n_returned when they last were */
  int64_t muted_until;          /* 0: it is listened to */
  /* Under the producer's lock. */
  uint32_t state;               /* enum sf_client_state */
  uint32_t pending_disconnect;  /* enum sf_reason: to be ended by the thread */
  char name[SF_NAME_MAX];
  uint32_t delivery;            /* enum sf_delivery */
  uint32_t max_held;            /* what it is granted */
  /* what it was before max-memory held less, and is to be again, or hears in
   * the end that it cannot */
  uint32_t target_held;
  int64_t restore_until;        /* that is then; 0: nothing is owed */
  uint32_t grace_held;          /* and until when it may hold as much as then */
  int64_t grace_until;
  bool grant_changed;           /* of a new max_held */
  /* frames that it asked for, and is to be answered; 0 */
  uint32_t requested_held;
  int64_t request_until;
  int64_t max_lag;              /* ns; 0: none. Constant from HELLO on */
  bool overflowed;
  uint64_t sticky_from;         /* it lacks sticky events from this key on;
                                   SF_NO_KEY: none */
  int64_t last_progress;
  uint64_t n_returned;          /* frames, taken back so far */
  int64_t last_alive;           /* of life, other than progress */
  int64_t wait_reported_at;     /* when it was last waited for for long */
  int64_t ping_sent_at;         /* when, if it has not answered, or 0 */
  bool paused;                  /* so it said */
  uint32_t unclaimed;           /* frames it never claimed, at its end */
  const char *evict_text;       /* why it is evicted */
  uint64_t frames;
  uint64_t dropped[SF_N_DROPS];
  uint64_t last_seq;            /* of the frame announced last */
  uint32_t n_flushes;           /* as in its announce header */
  uint64_t *sent_segments;      /* a bit for each segment id it was sent */
  uint32_t sent_size;           /* ids the bits reach to */
  bool sending;                 /* somebody sends it one */
  uint32_t unread_fds;          /* sent since it had read all */
  struct sf_shm announce, returns;
  struct sf_ring_writer ring;
  struct sf_leases *leases;
};

struct sf_producer
{
  /* of the process that made it, see shared/fork.h */
  uint32_t generation;
  struct sf_listener listener;
  struct sf_producer_callbacks callbacks;
  void *user;
  uint32_t max_clients;
  uint64_t max_memory;
  uint32_t fixed_slots;
  uint32_t min_clients;
  int64_t client_timeout, stall_timeout;
  uint64_t id;
  struct sf_slots *slots;
  struct sf_slots *spill_slots; /* payloads too large for a record */
  pthread_t thread;
  int epoll_fd;
  int wake_fd;                  /* eventfd, ours alone */

  /* A format that asks for larger slots and a client that asks for more of
   * them: whoever is second must count what the first one changed. */
  pthread_mutex_t room_lock;
  pthread_mutex_t lock;
  pthread_cond_t cond;          /* progress, clients, interruption */
  struct sf_client *clients;
  /* the thread's: to be freed when nobody uses them */
  struct sf_client *removed;
  uint32_t n_connections, n_active;
  uint64_t last_client_id;
  struct sf_known_segment *known;
  uint32_t n_known, known_room;
  uint32_t last_segment_id;
  struct sf_sticky *sticky;     /* in the order of keys */
  uint64_t sticky_bytes;        /* in them */
  struct sf_frame *latest;
  struct sf_frame *done;        /* refs 0: released when the lock is dropped */
  uint64_t seq;
  uint64_t slot_size;           /* 0: no format yet */
  uint32_t n_frames;            /* published, and still somebody's */
  uint32_t upstream_slots;      /* more than base slots, for upstream to keep */
  bool slot_missed;             /* it wants still more */
  uint32_t slots_per_record;
  bool grants_pending;          /* slots are to be made for what was promised */
  bool live, lossless, delivery_known;
  uint64_t latency_min, latency_max;
  bool delivery_changed;
  bool flushing;
  uint32_t flush_seqnum;
  bool flush_unsent;            /* the thread is to tell the clients */
  struct sf_known_segment *gone;        /* segments the clients may forget */
  uint32_t n_gone;
  bool need_kick;               /* wake the thread when the lock is dropped */
  bool stopping, interrupted, client_wait_cancelled;
  uint32_t n_waiting;
  sf_atomic_u32 waiting_hint;   /* n_waiting > 0, for looks without the lock */
  /* Grows with each slot or frame that has come back, wherever. Without
   * lock. */
  sf_atomic_u64 progress;
  sf_atomic_u32 n_releasing;    /* threads between "done" and released */
  uint32_t last_want;           /* number of the last wish for returns */
  bool pooled;                  /* upstream may wait for what clients return */
  int64_t last_publish;
  int64_t last_wait;            /* when somebody last waited for clients */
  int64_t last_liveness_check;  /* when clients were looked at for that */
  /* the thread's: that no client can be accepted */
  bool starved_reported;
  bool ticking;                 /* the thread looks at returns now and then */
  int64_t too_large_since;      /* the thread's: the ring; 0: it is not */
  /* The publisher's, see producer/wake.c. */
  struct sf_client **to_wake;   /* room for max_clients */
  uint32_t n_to_wake;
  bool unpaced;                 /* this frame was not waited for */
  uint32_t yield_back_off, n_yields_to_skip;
  struct sf_producer_stats stats;
};

/* How long a new connection may take to say HELLO, and one that said BYE and
 * holds nothing to close. */
#define SF_GREETING_TIMEOUT (2 * SF_NS_PER_SECOND)
/* How long to sleep at most while waiting for a client, to judge its
 * progress. */
#define SF_WAIT_SLICE (SF_NS_PER_SECOND / 20)
/* Slots beyond what clients may hold: with upstream, in flight, the latest, and
 * what a client that needs many may hold while the ring still grows for it. As
 * many as fit in the bytes, between the limits. */
#define SF_BASE_BYTES (UINT64_C (64) << 20)
#define SF_MIN_BASE_SLOTS 6u
#define SF_MAX_BASE_SLOTS 16u
/* How long slots on their way back are waited for before a client hears that
 * there are not enough. Less than it waits for an answer. */
#ifndef SF_GRANT_TIMEOUT_MS
#define SF_GRANT_TIMEOUT_MS 3000
#endif
#define SF_GRANT_TIMEOUT (SF_GRANT_TIMEOUT_MS * INT64_C (1000000))
/* Of these, what is needed to keep a stream going at all. */
#define SF_SPARE_SLOTS 2u
/* What a consumer asks for when it connects. There is room for one from the
 * start, so that the ring need not grow for the first one. */
#define SF_USUAL_HELD 4u
/* What upstream may keep beyond the base slots: the references of a decoder,
 * and the frames that its threads work on. */
#define SF_MAX_UPSTREAM_SLOTS 64u
/* What a live client keeps of its queue however old it is, the newest included:
 * a batch is as old as the window is long before the next one comes. */
#define SF_KEPT_QUEUED 2u
/* Payloads that do not fit into a record, in all. */
#define SF_MAX_SPILL_BYTES (UINT64_C (64) << 20)
/* Frames of another producer that a live client may leave unclaimed. */
#define SF_MAX_FOREIGN_QUEUED 2u
/* And how long it may take for one, where they come in a burst. Tests are on
 * busy machines. */
#ifndef SF_GRACE_MS
#define SF_GRACE_MS 20
#endif
#define SF_GRACE (SF_GRACE_MS * INT64_C (1000000))

#endif
