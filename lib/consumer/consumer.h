/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer: connects to a producer, again after each end, and hands out
 * records in order. A frame is a lease, which may outlive the connection.
 *
 * A control thread connects and listens to the control socket. The streaming
 * thread calls sf_consumer_next(), which sleeps on a word in shared memory (a
 * futex) and makes no other system call. */
#ifndef SF_CONSUMER_H
#define SF_CONSUMER_H

#include <stdbool.h>

#include "shared/clock.h"
#include "shared/segment.h"

struct sf_consumer;
struct sf_lease;

struct sf_consumer_config
{
  const char *path;
  const char *name;             /* for the producer's logs */
  uint32_t delivery;            /* enum sf_delivery */
  uint32_t max_held;            /* frames to hold at once, 1..SF_MAX_LEASES */
  bool grow;                    /* ask for more when that turns out too few */
  /* ns that frames wait for us, if we are served live; 0: as long as slots
   * last */
  int64_t max_lag;
  int64_t connect_timeout;      /* ns; 0: try once; SF_FOREVER */
  int64_t spin;                 /* ns to spin before sleeping */
  /* Called by the control thread when the producer starts or stops a flush; ask
   * sf_consumer_get_flush() which. Must return soon. Nothing is read until
   * sf_consumer_end_flush(). NULL: a flush only drops what was not read. */
  void (*flush) (void *user);
  void *user;
};

enum sf_received_kind
{
  SF_RECEIVED_CONNECTED = 1,    /* WELCOME came: a stream starts */
  SF_RECEIVED_EVENT,            /* body, body_size */
  SF_RECEIVED_FRAME,            /* parts, body, lease, seq */
  SF_RECEIVED_LATENCY,          /* latency */
  /* no producer is there; with reject: it has no place for us. Reported once
   * each; trying goes on */
  SF_RECEIVED_WAITING,
  /* max_held frames are held, so that no other can be claimed; reported once
   * until a frame comes */
  SF_RECEIVED_HOLDING,
  SF_RECEIVED_DISCONNECTED,     /* reject: why. All that was announced has been
                                   delivered. The next call reconnects. */
  SF_RECEIVED_FAILED,           /* error (-errno), reject: cannot go on */
};

struct sf_memory_ref_mapped
{
  struct sf_segment *segment;   /* referenced by the lease */
  uint32_t slot;
  uint64_t offset, size;
  const uint8_t *data;
};

/* What came; valid until the next call of sf_consumer_next(). */
struct sf_received
{
  enum sf_received_kind kind;
  const uint8_t *body;
  uint32_t body_size;
  bool sticky;                  /* EVENT, FRAME: repeated for a late joiner */
  bool lossless;                /* FRAME: the producer serves us losslessly */
  /* EVENT: came before a flush, so that only what outlives one counts; FRAME:
   * the first after one */
  bool flushed;
  bool discont;                 /* FRAME: frames before it were lost to us */
  uint64_t seq;
  uint64_t producer_id;
  /* CONNECTED: ns by which the producer's CLOCK_MONOTONIC is ahead of ours (it
   * is in another time namespace); 0: it may be the same clock. */
  int64_t clock_offset;
  const struct sf_memory_ref_mapped *parts;
  uint32_t n_parts;
  struct sf_lease *lease;       /* the caller's to sf_lease_unref() */
  struct sf_latency latency;
  struct sf_reject reject;
  uint64_t lost;                /* DISCONNECTED: frames that were revoked */
  int error;
};

/* Starts the control thread, which connects. 0, -ENOMEM, -EMFILE, -EAGAIN (no
 * thread), -EINVAL or -ENAMETOOLONG (path). */
int sf_consumer_open (struct sf_consumer **consumer,
    const struct sf_consumer_config *config);

/* Ends the thread. Leases stay valid, and keep what they need. */
void sf_consumer_close (struct sf_consumer *consumer);

/* Waits at most `timeout` ns (SF_FOREVER) for what comes next. 1; 0: nothing
 * yet; -EINTR: interrupted. One thread at a time. */
int sf_consumer_next (struct sf_consumer *consumer, struct sf_received *in,
    int64_t timeout);

/* While `on`, sf_consumer_next() returns -EINTR at once. */
void sf_consumer_interrupt (struct sf_consumer *consumer, bool on);

/* Says whether we are paused, for a producer that waits for us. At first we are
 * not. */
void sf_consumer_set_paused (struct sf_consumer *consumer, bool paused);

/* Tells observers how long the last frame took from publishing to here (ns).
 * Call it from the thread of sf_consumer_next(). */
void sf_consumer_note_handover (struct sf_consumer *consumer, int64_t ns);

/* Asks the producer to let us hold this many frames, now and after
 * reconnecting. The largest value so far counts. */
void sf_consumer_want (struct sf_consumer *consumer, uint32_t max_held);

/* The state of the last flush, for the `flush` callback. */
struct sf_flush
{
  bool on;                      /* started, and not stopped */
  bool pending;                 /* it, or one before it, was not ended */
  bool reset_time;
  uint32_t seqnum;
  uint32_t count;
  uint64_t connection;
};

void sf_consumer_get_flush (struct sf_consumer *consumer,
    struct sf_flush *flush);

/* Says that downstream has been flushed: reading goes on. */
void sf_consumer_end_flush (struct sf_consumer *consumer,
    const struct sf_flush *flush);

/* Sends an upstream event to the producer. 0, -ENOTCONN, -EAGAIN, -EMSGSIZE. */
int sf_consumer_send_upstream (struct sf_consumer *consumer,
    const uint8_t *data, uint32_t size);

struct sf_consumer_stats
{
  bool connected;
  uint32_t held;                /* not back yet */
  uint32_t max_held;            /* as granted */
  uint32_t n_segments;          /* mapped */
  uint64_t segment_bytes;
  uint64_t frames, connections;
  /* by the numbers of frames that came, or were revoked */
  uint64_t lost;
  uint64_t mapped_late;         /* growths that a frame had to wait for */
};

void sf_consumer_get_stats (struct sf_consumer *consumer,
    struct sf_consumer_stats *stats);

/* The last reference, from any thread, returns the frame. */
struct sf_lease *sf_lease_ref (struct sf_lease *lease);
void sf_lease_unref (struct sf_lease *lease);

#endif
