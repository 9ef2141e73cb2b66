/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the consumer's source files only.
 *
 * Locks: sf_consumer.lock, then sf_connection_state.lock (a leaf, the table of
 * segments). Neither is held over I/O. */
#ifndef SF_CONSUMER_PRIVATE_H
#define SF_CONSUMER_PRIVATE_H

#include "shared/connection.h"
#include "consumer/consumer.h"
#include "shared/fork.h"
#include "shared/futex.h"
#include "shared/thread.h"
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
  char path[109], name[SF_NAME_MAX];
  struct sf_consumer_config settings;   /* these two are not ours to keep */

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

/* How long a producer may take for WELCOME, and for the SEGMENT of a segment
 * that it announced already. Tests set less. */
#ifndef SF_ANSWER_TIMEOUT_MS
#define SF_ANSWER_TIMEOUT_MS 5000
#endif
#define SF_ANSWER_TIMEOUT (SF_ANSWER_TIMEOUT_MS * INT64_C (1000000))

/* Report HOLDING when max_held frames have been held for this long without a
 * new one. */
#define SF_HOLDING_TIMEOUT SF_NS_PER_SECOND

/* Counts only time in which this process ran: of the time between two looks,
 * two slices at most. */
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

/* How often ended connections are checked for their last frames (ns). */
#define SF_ENDED_TICK (SF_NS_PER_SECOND / 5)

/* Spin for the next record after so many in a row within SF_SPIN_THRESHOLD. */
#define SF_SPIN_AFTER 8u

/* consumer/connection-memory.c */
struct sf_connection_state *sf_connection_ref (struct sf_connection_state
    *conn);
void sf_connection_unref (struct sf_connection_state *conn);
/* Maps what came with WELCOME. Takes over the fds, closed on error. */
int sf_connection_new (struct sf_connection_state **conn, int fd,
    const struct sf_welcome *welcome, int fds[SF_MESSAGE_MAX_FDS]);
/* Takes over what came with SEGMENT: the segment and its guards. */
int sf_connection_add_segment (struct sf_connection_state *conn,
    const struct sf_segment_info *info, const int fds[SF_MESSAGE_MAX_FDS]);
/* Tells whether it maps no more than fits into memory. Check after it grew. */
bool sf_connection_is_within_bounds (struct sf_connection_state *conn);
void sf_connection_remove_segment (struct sf_connection_state *conn,
    uint32_t id);
/* Maps what has been added to the segments, ahead of frames there. 0 or
 * -EPROTO. Called by the control thread. */
int sf_connection_map_growth (struct sf_connection_state *conn);
/* Unmaps ended connections that nobody uses any more. True: there are others.
 * Called by the control thread. */
bool sf_consumer_free_ended (struct sf_consumer *c);
/* Returns the segment, referenced; NULL: not known (yet). */
struct sf_segment *sf_connection_find_segment (struct sf_connection_state *conn,
    uint32_t id);
/* Ends the connection; its segments will not be filled again. */
void sf_connection_end (struct sf_connection_state *conn,
    const struct sf_reject *bye);
void sf_connection_wake (struct sf_connection_state *conn);
/* Returns the connection that is read, referenced, and its number; NULL: there
 * is none. */
struct sf_connection_state *sf_consumer_ref_connection (struct sf_consumer *c,
    uint64_t *number);
/* Returns the frame of this lease to the producer. */
void sf_connection_return (struct sf_connection_state *conn, uint32_t lease);
/* Asks the producer to look at our returns. Any thread; never waits. */
void sf_connection_kick (struct sf_connection_state *conn);
/* Answers a PING. False: the socket is full, try again. Called by the control
 * thread. */
bool sf_connection_answer (struct sf_connection_state *conn,
    sf_atomic_u32 *paused);

/* consumer/claim.c; called by the streaming thread */
/* Claims the frame of a FRAME record. 1; 0: it was revoked, go on with the next
 * record; or -errno. After -EINTR it is claimed and stays the next record. */
int sf_consumer_take_frame (struct sf_consumer *c,
    struct sf_connection_state *conn, const struct sf_record_header *record,
    struct sf_received *in);
/* Skips a FRAME record that is void. */
void sf_consumer_skip_frame (struct sf_connection_state *conn,
    const struct sf_record_header *record);

/* consumer/flush.c */
enum sf_flush_phase
{
  SF_FLUSH_NONE,                /* none that was not read past */
  SF_FLUSH_UNDER_WAY,           /* wait: it was not stopped, or not ended yet */
  SF_FLUSH_ENDED,
};

/* Called by the streaming thread. */
enum sf_flush_phase sf_connection_flush_phase (const struct sf_consumer *c,
    const struct sf_connection_state *conn);
/* Reads past a flush that has ended. 1: read on; 0: a flush is under way; or
 * -EPROTO. Called by the streaming thread. */
int sf_consumer_pass_flush (struct sf_consumer *c,
    struct sf_connection_state *conn);
/* Calls back if a flush started or stopped. `over`: the connection ended; calls
 * back if a flush was under way. Called by the control thread. */
void sf_consumer_report_flush (struct sf_consumer *c,
    struct sf_connection_state *conn, bool over);

/* consumer/wait.c */
bool sf_consumer_is_stopping (struct sf_consumer *c);
/* Wakes the streaming thread for a notice. */
void sf_consumer_notify_locked (struct sf_consumer *c);
void sf_consumer_kick (struct sf_consumer *c);
/* Sleeps until `fd` (-1: none) is readable, a kick, the end of the producer's
 * process, or `ms`. True: `fd` is readable. Called by the control thread. */
bool sf_consumer_poll (struct sf_consumer *c, int fd, int ms);
/* Called by the streaming thread: */
/* Tells whether max_held frames are held, so that no other can be claimed. */
bool sf_connection_is_full (const struct sf_connection_state *conn);
/* Waits until there may be something to do, or time is up. */
void sf_consumer_wait (struct sf_consumer *c, struct sf_connection_state *conn,
    int64_t until);

/* consumer/connect.c; called by the control thread */
/* Tries to connect for as long as there is time. NULL: try again, or stop, or
 * failed, which is reported. `reached`: somebody was there. */
struct sf_connection_state *sf_consumer_connect (struct sf_consumer *c,
    uint32_t *asked, bool *reached);
void sf_consumer_forget_process (struct sf_consumer *c);

/* consumer/control-thread.c */
void *sf_consumer_thread (void *consumer);

#endif
