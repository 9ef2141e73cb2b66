/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection as the producer's source files see it. Locks and threads: see
 * producer/producer-private.h. */
#ifndef SF_CLIENT_PRIVATE_H
#define SF_CLIENT_PRIVATE_H

#include "producer/leases.h"
#include "shared/connection.h"
#include "shared/ring.h"
#include "shared/shm.h"

struct sf_producer;

enum sf_client_state
{
  SF_CLIENT_GREETING,           /* accepted, HELLO or OBSERVE awaited */
  SF_CLIENT_OBSERVING,          /* it asks for figures, and is no client */
  SF_CLIENT_WAITING,            /* it said HELLO, there is no room for it yet */
  SF_CLIENT_ACTIVE,
  SF_CLIENT_LEAVING,            /* it said BYE: gets no more, may hold frames */
  SF_CLIENT_LINGERING,          /* evicted or crashed, its frames may be read */
  SF_CLIENT_GONE,
};

/* Times are sf_now() in ns. */
struct sf_client
{
  struct sf_client *next;       /* in sf_producer.clients */
  sf_atomic_u32 refs;           /* any thread's */

  /* Constant once the client is in the list. */
  struct sf_producer *producer;
  int fd;
  uint64_t id;
  struct sf_credentials peer;

  /* The control thread's, without a lock. */
  struct
  {
    struct sf_client *next_removed;     /* in sf_producer.control.removed */
    int guard_fd;               /* hangs up when nobody can read its frames */
    int process_fd;             /* readable when its process has ended; or -1 */
    int64_t deadline;           /* for HELLO, the next OBSERVE, or after BYE */
    bool reported;              /* connected() was called */
    bool has_place;             /* it counts for max-clients */
    bool hung_up;               /* its socket is at its end */
    bool process_gone;
  } session;

  /* The control thread's, without a lock: how many of its messages are read. */
  struct
  {
    int64_t since;
    uint32_t n_messages;
    uint64_t n_returned;        /* figures.n_returned at `since` */
    int64_t muted_until;        /* 0: its messages are read */
  } quota;

  /* All below: under sf_producer.lock. The control thread alone writes the
   * state, and reads it without. */
  uint32_t state;               /* enum sf_client_state */
  uint32_t pending_disconnect;  /* enum sf_reason; 0: none */
  const char *evict_text;       /* why, for SF_REASON_SLOW */

  /* As in its HELLO. */
  struct
  {
    char name[SF_NAME_MAX];
    uint32_t delivery;          /* enum sf_delivery */
    int64_t max_lag;            /* ns; 0: none */
  } hello;

  /* Frames that it may hold. */
  struct
  {
    uint32_t max_held;
    /* More than max_held while max-memory does not hold so many. At the
     * deadline, unless 0, the client is told that it does not get them. */
    uint32_t target;
    int64_t target_deadline;
    /* It may still hold so many, where max_held became less, until then. */
    uint32_t grace;
    int64_t grace_until;
    /* It has asked for so many and is to be answered by then; 0: nothing. */
    uint32_t requested;
    int64_t request_deadline;
    bool unsent;                /* max_held changed: GRANT is to be sent */
  } grant;

  /* Its announce ring, and the page that it writes. NULL before WELCOME. */
  struct
  {
    struct sf_shm announce, returns;
    struct sf_ring_writer ring;
    bool overflowed;            /* gets nothing until it has read all */
    bool lacks_segment;         /* of the last frame, which it did not get */
    uint64_t sticky_from;       /* lacks sticky events from this key on;
                                   SF_NO_KEY: none */
    uint64_t last_seq;          /* of the frame announced last */
    uint32_t n_flushes;         /* as in its announce header */
  } queue;
  struct sf_leases *leases;     /* NULL before WELCOME */

  /* Segments that it was sent. */
  struct
  {
    uint64_t *sent;             /* a bit for each id */
    uint32_t sent_size;         /* ids that the bits reach to */
    bool sending;               /* a thread is sending one, without the lock */
    uint32_t n_unread_fds;      /* sent since it had read all */
    int unread_bytes;           /* when a hog was last looked for */
  } segments;

  struct
  {
    int64_t last_progress;      /* it returned or read something */
    int64_t last_sign;          /* it showed otherwise that it lives */
    int64_t wait_reported;      /* waiting() was called */
    int64_t ping_sent;          /* 0: none, or it has answered */
    bool paused;                /* so it said */
  } liveness;

  struct
  {
    uint64_t frames;            /* announced to it */
    uint64_t dropped[SF_N_DROPS];
    uint64_t n_returned;        /* frames */
    uint32_t unclaimed;         /* frames that it never claimed, at its end */
  } figures;
};

#endif
