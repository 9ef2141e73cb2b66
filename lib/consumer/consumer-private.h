/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the consumer's source files only.
 *
 * Locks: sf_consumer.lock, then sf_connection_state.lock (a leaf, the table of
 * segments). Neither is held over I/O. */
#ifndef SF_CONSUMER_PRIVATE_H
#define SF_CONSUMER_PRIVATE_H

#include <pthread.h>

#include "shared/connection.h"
#include "consumer/consumer.h"
#include "shared/fork.h"
#include "shared/futex.h"
#include "shared/test-hooks.h"
#include "shared/compiler.h"
#include "shared/ring.h"

struct sf_connection_segment
{
  uint32_t id;
  struct sf_segment *segment;
};

/* One connection. Whoever uses it holds a reference: the consumer, and every
 * lease. The last reference closes the socket, since the producer takes a
 * hang-up to mean that nobody reads its frames any more. */
struct sf_connection_state
{
  sf_atomic_u32 refs;

  /* Constant. */
  uint32_t generation;          /* of its process, see shared/fork.h */
  int fd;
  struct sf_guard *guard;
  uint64_t producer_id;
  int64_t clock_offset;         /* as in struct sf_received */
  struct sf_shm announce, returns;

  /* The streaming thread's, without a lock. */
  struct sf_ring_reader ring;
  struct
  {
    bool connected_reported, holding_reported;
    bool claimed;               /* the next record's frame is ours already */
    /* A record that found max_held frames held, and how many that were: it
     * waits until more may be held. */
    uint64_t skipped_pos;
    uint32_t skipped_max_held;
    uint32_t n_handovers;       /* noted for observers */
    uint32_t n_unpaced;         /* records in a row within SF_SPIN_THRESHOLD */
    uint32_t spin_after;        /* so many, and the next is spun for */
    uint32_t flushed;           /* steps of flushes that we have read past */
    uint64_t void_until;        /* position: records before it are void */
  } reading;

  /* The control thread's, without a lock. */
  struct
  {
    struct sf_connection_state *next_ended;
    bool pong_due;
    uint32_t n_messages;        /* read since then: */
    int64_t quota_from;
    uint32_t flush_reported;    /* the last step that was called back for */
  } control;

  /* Any thread's, without a lock. */
  sf_atomic_u32 held;
  sf_atomic_u32 max_held;
  sf_atomic_u32 wants_room;     /* the streaming thread waits for a return */
  sf_atomic_u32 signalled;      /* the last number of want_returns answered */
  sf_atomic_u32 over;           /* the socket is at its end, `bye` is set */
  sf_atomic_u32 flush_ended;    /* the step of sf_consumer_end_flush() */
  sf_atomic_u32 grown;          /* segments may have new slots to map */
  struct sf_reject bye;         /* constant once `over` is set */

  pthread_mutex_t lock;         /* a leaf; the two below */
  struct sf_connection_segment *segments;
  uint32_t n_segments;
};

enum sf_consumer_phase
{
  SF_PHASE_CONNECTING,
  SF_PHASE_CONNECTED,           /* `conn` is there to be read */
  SF_PHASE_OVER,                /* DISCONNECTED: the next call reconnects */
  SF_PHASE_FAILED,
};

struct sf_consumer
{
  /* Constant. */
  uint32_t generation;          /* of its process, see shared/fork.h */
  pthread_t thread;             /* the control thread */
  int wake_fd;                  /* eventfd for it, ours alone */
  struct
  {
    char path[109];
    char name[SF_NAME_MAX];
    uint32_t delivery;          /* enum sf_delivery */
    int64_t connect_timeout, spin, max_lag;     /* ns */
    void (*flush) (void *user);
    void *user;
  } settings;

  /* The streaming thread's, without a lock. */
  struct
  {
    uint64_t last_producer_id, next_seq;
    bool have_last;             /* the two above */
    bool after_flush;           /* no frame since one */
    struct sf_memory_ref_mapped *parts;
    uint32_t parts_room;
    uint8_t payload[SF_MAX_FRAME_PAYLOAD];
  } stream;

  /* The control thread's, without a lock. */
  struct
  {
    int process_fd;             /* of the producer's process, or -1 */
    int64_t deadline;           /* to be connected; 0: not tried yet */
    struct sf_connection_state *ended;  /* their last frames are not back */
    bool absent_reported, full_reported;        /* in this try to connect */
    bool got_unexpected_fds;    /* a producer sent fds that no message has */
  } control;

  /* Any thread's, without a lock. */
  sf_atomic_u32 interrupted;
  sf_atomic_u32 paused;
  struct
  {
    sf_atomic_u64 frames, lost;
    sf_atomic_u64 mapped_late;  /* growths that the streaming thread mapped */
    sf_atomic_u64 revoked;      /* lost, unless they are announced again */
  } figures;

  /* All below: under the lock. */
  pthread_mutex_t lock;
  pthread_cond_t cond;          /* phase, notices, interruption */
  enum sf_consumer_phase phase;
  struct sf_connection_state *conn;
  bool stopping;
  uint64_t connections;

  /* What sf_consumer_next() is to report besides the ring. */
  struct
  {
    sf_atomic_u32 pending;      /* one may be set; read without the lock */
    bool waiting, latency_changed, refused;
    struct sf_reject waiting_reject, refused_reject;
    struct sf_latency latency;
  } notices;

  /* Frames to hold. */
  struct
  {
    bool grow;                  /* ask for more when all are held */
    uint32_t needed;            /* as sf_consumer_want() said */
    uint32_t max_held;          /* asked for, which may have grown */
  } holding;

  /* Of SF_PHASE_FAILED. */
  struct
  {
    int error;
    struct sf_reject reject;
  } failure;
};

struct sf_lease
{
  sf_atomic_u32 refs;
  bool kept;                    /* not to be returned, to be made once more */
  uint32_t index;
  struct sf_connection_state *conn;
  uint32_t n_segments;
  struct sf_segment *segments[];
};

/* How long a producer may take for its WELCOME, and for the SEGMENT message of
 * a segment that it has announced already. Tests have less timeout. */
#ifndef SF_ANSWER_TIMEOUT_MS
#define SF_ANSWER_TIMEOUT_MS 5000
#endif
#define SF_ANSWER_TIMEOUT (SF_ANSWER_TIMEOUT_MS * INT64_C (1000000))

/* How long as many frames are held as may be, and none comes, before it is
 * told. */
#define SF_HOLDING_TIMEOUT SF_NS_PER_SECOND

/* Only time in which we ran counts against the producer, not that in which we
 * were stopped: of what lies between two looks, no more than two slices. */
struct sf_timeout
{
  int64_t left, last;
};

#define SF_TIMEOUT_SLICE (SF_NS_PER_SECOND / 20)

static inline struct sf_timeout
sf_timeout_begin (int64_t ns)
{
  return (struct sf_timeout) {
    ns, sf_now ()
  };
}

static inline bool
sf_timeout_expired (struct sf_timeout *timeout)
{
  int64_t now = sf_now ();
  int64_t passed = now - timeout->last;

  timeout->last = now;
  timeout->left -= passed < 2 * SF_TIMEOUT_SLICE
      ? passed : 2 * SF_TIMEOUT_SLICE;
  return timeout->left <= 0;
}

/* How often connections that have ended are looked at, until their last frames
 * are back. */
#define SF_ENDED_TICK (SF_NS_PER_SECOND / 5)

/* Records that come soon before the next one is waited for awake. */
#define SF_SPIN_AFTER 8u

/* consumer/connection-memory.c */
struct sf_connection_state *sf_connection_ref (struct sf_connection_state
    *conn);
void sf_connection_unref (struct sf_connection_state *conn);
/* Maps what came with WELCOME; the fds are the connection's, or closed on
 * error. */
int sf_connection_new (struct sf_connection_state **conn, int fd,
    const struct sf_welcome *welcome, int fds[SF_MESSAGE_MAX_FDS]);
/* Takes over what came with SEGMENT: the segment, and the guards it had. */
int sf_connection_add_segment (struct sf_connection_state *conn,
    const struct sf_segment_info *info, const int fds[SF_MESSAGE_MAX_FDS]);
/* Does it map no more than there can be? To be asked when it has become
 * more. */
bool sf_connection_is_within_bounds (struct sf_connection_state *conn);
void sf_connection_remove_segment (struct sf_connection_state *conn,
    uint32_t id);
/* The control thread's: makes what has been added to the segments readable,
 * ahead of the frames in it. 0 or -EPROTO. */
int sf_connection_map_growth (struct sf_connection_state *conn);
/* The control thread's: unmaps the connections that have ended and nobody uses
 * any more. True if there are others. */
bool sf_consumer_free_ended (struct sf_consumer *c);
/* Referenced; NULL if it is not known (yet). */
struct sf_segment *sf_connection_find_segment (struct sf_connection_state *conn,
    uint32_t id);
/* The connection brings nothing more: its segments will not be filled again. */
void sf_connection_end (struct sf_connection_state *conn,
    const struct sf_reject *bye);
void sf_connection_wake (struct sf_connection_state *conn);
/* Done with the frame of this lease. */
void sf_connection_return (struct sf_connection_state *conn, uint32_t lease);
/* Asks the producer to look at our returns. Any thread, never waits. */
void sf_connection_kick (struct sf_connection_state *conn);
/* Answers the producer's PING, if there was one. False: try again, since the
 * socket is full. The control thread's. */
bool sf_connection_answer (struct sf_connection_state *conn,
    sf_atomic_u32 *paused);

/* consumer/claim.c: the streaming thread's */
/* One FRAME record: claim it, unless the producer has taken it back. 1, 0 (go
 * on with the next record) or -errno; after -EINTR it is still the next one,
 * and claimed. */
int sf_consumer_take_frame (struct sf_consumer *c,
    struct sf_connection_state *conn, const struct sf_record_header *record,
    struct sf_received *in);
/* Passes over a FRAME record that is void. */
void sf_consumer_skip_frame (struct sf_connection_state *conn,
    const struct sf_record_header *record);

/* consumer/flush.c */
enum sf_flush_phase
{
  SF_FLUSH_NONE,                /* that we have not read past */
  SF_FLUSH_UNDER_WAY,           /* it was not stopped, or not ended yet: wait */
  SF_FLUSH_ENDED,
};

/* The streaming thread's. */
enum sf_flush_phase sf_connection_flush_phase (const struct sf_consumer *c,
    const struct sf_connection_state *conn);
/* 1: read on, past what a flush that has ended left; 0: one is under way; or
 * -EPROTO. */
int sf_consumer_pass_flush (struct sf_consumer *c,
    struct sf_connection_state *conn);
/* The control thread's: calls back if there is news of a flush. `over`: or if
 * one was under way when the connection ended. */
void sf_consumer_report_flush (struct sf_consumer *c,
    struct sf_connection_state *conn, bool over);

/* consumer/wait.c */
/* As pthread_cond_timedwait(), INT64_MAX: without limit. */
int sf_consumer_timed_wait_locked (struct sf_consumer *c, int64_t until);
bool sf_consumer_is_stopping (struct sf_consumer *c);
/* Something for the streaming thread outside the ring. */
void sf_consumer_notify_locked (struct sf_consumer *c);
void sf_consumer_kick (struct sf_consumer *c);
/* The control thread sleeps until `fd` (-1: none) is readable, a kick, the end
 * of the producer that we are connected to, or `ms`. True if `fd` is
 * readable. */
bool sf_consumer_poll (struct sf_consumer *c, int fd, int ms);
/* The streaming thread's: */
/* As many frames are held as may be, so that no other can be taken. */
bool sf_connection_is_full (const struct sf_connection_state *conn);
/* Returns when there may be something to do, or time is up. */
void sf_consumer_wait (struct sf_consumer *c, struct sf_connection_state *conn,
    int64_t until);

/* consumer/connect.c: the control thread's */
/* Tries for as long as there is time. NULL: try again, or stop, or failed
 * (told). `reached`: somebody was there. */
struct sf_connection_state *sf_consumer_connect (struct sf_consumer *c,
    uint32_t *asked, bool *reached);
void sf_consumer_forget_process (struct sf_consumer *c);

/* consumer/control-thread.c */
void *sf_consumer_thread (void *consumer);

#endif
