/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One producer of frames and its clients.
 *
 * A control thread accepts clients, exchanges messages, and collects what they
 * return. The streaming thread publishes by writing memory, and wakes a
 * sleeping client by one futex call. Only the functions named
 * sf_producer_wait*() block.
 *
 * Locks: see producer/producer-private.h. Callbacks and releases are called
 * without locks, by the control thread or the caller's thread. */
#ifndef SF_PRODUCER_H
#define SF_PRODUCER_H

#include <stdbool.h>
#include <sys/types.h>

#include "shared/connection.h"
#include "producer/slots.h"

struct sf_producer;

struct sf_client_info
{
  uint64_t id;                  /* 1, 2, ... in the order of connecting */
  struct sf_credentials peer;
  char name[SF_NAME_MAX];
  bool lossless;
  bool lingering;               /* no longer served; its frames are not back */
  uint32_t held;                /* frames it holds */
  uint32_t queued;              /* frames announced that it has not claimed */
  int64_t lag;                  /* ns since the oldest of these was published */
  uint32_t max_held;
  uint64_t frames;              /* announced to it */
  uint64_t dropped;             /* frames lost to it, */
  uint64_t drops[SF_N_DROPS];   /* by reason */
  uint32_t unclaimed;           /* frames it never claimed, at its end */
  bool paused;                  /* as it last said */
  bool silent;                  /* it has not answered a PING */
};

struct sf_producer_callbacks
{
  /* A client has been welcomed. */
  void (*connected) (void *user, const struct sf_client_info *client);
  /* Called once for each connected client, when it left or was disconnected.
   * `reason` is an enum sf_reason; `text` says more, or is "". */
  void (*disconnected) (void *user, const struct sf_client_info *client,
      uint32_t reason, const char *text);
  /* A client was refused, or got less than it asked for. */
  void (*refused) (void *user, const struct sf_credentials *peer,
      const struct sf_reject *reject);
  /* A client will be refused like this unless others return slots in time. */
  void (*postponed) (void *user, const struct sf_credentials *peer,
      const struct sf_reject *reject);
  /* No client can be accepted, for lack of fds or memory (-errno). Called again
   * only after one was. */
  void (*starved) (void *user, int error);
  /* Publishing has waited for this client for a second. Called again only after
   * a time without such waits. */
  void (*waiting) (void *user, const struct sf_client_info *client);
  /* An upstream event arrived from the client of this id. */
  void (*upstream) (void *user, uint64_t client, const uint8_t *data,
      uint32_t size);
  /* The ring has grown: because this client wants to hold `max_held` frames,
   * or, `client` being NULL, because upstream keeps so many slots. */
  void (*grown) (void *user, const struct sf_slots_state *slots,
      const struct sf_client_info *client, uint32_t max_held);
  /* An observer asks: fill in what the producer does not know (bytes, copied,
   * no_slot, metas_dropped, upstream_dropped, name, caps). */
  void (*observed) (void *user, struct sf_stats *stats);
};

struct sf_producer_config
{
  const char *path;
  mode_t mode;
  uint32_t max_clients;
  uint64_t max_memory;          /* bytes */
  bool huge_pages;              /* as far as there are any */
  uint32_t slots;               /* 0: as many as the clients need */
  /* Lossless delivery: clients that must be connected before a frame is
   * published, and when a client that is waited for is evicted (ns; 0:
   * never). */
  uint32_t min_clients;
  int64_t client_timeout;       /* without a sign of life */
  int64_t stall_timeout;        /* without progress, though it lives */
  struct sf_producer_callbacks callbacks;
  void *user;
};

/* Listens and starts the control thread. Errors as sf_listener_open(), and
 * -ENOMEM, -EMFILE, -EAGAIN (no thread). */
int sf_producer_open (struct sf_producer **producer,
    const struct sf_producer_config *config);

/* Says BYE to the clients and ends the thread. Clients can still read what was
 * announced. Slots in use stay valid until they are released. If clients have
 * frames of another producer (relay), a thread stays behind: it releases each
 * when no client can read it any more, and ends with the last. */
void sf_producer_close (struct sf_producer *producer);

/* Makes the ring for frames of up to `slot_size` bytes. `per_record` slots
 * count as one frame held: 1, or the frames of a batch. Errors and `needed` as
 * sf_slots_ensure(); also -ENOSPC: the fixed number of slots is too small for
 * the clients, `needed` slots would do. */
int sf_producer_set_format (struct sf_producer *producer, uint64_t slot_size,
    uint32_t per_record, uint64_t *needed);

/* Makes larger slots than sf_producer_set_format() asked for: frames have
 * padding. */
int sf_producer_want_slot_size (struct sf_producer *producer,
    uint64_t slot_size, uint64_t *needed);

struct sf_slots *sf_producer_slots (struct sf_producer *producer);

/* Sets how clients are served that asked for no delivery. Latency in ns. */
void sf_producer_set_delivery (struct sf_producer *producer, bool live,
    bool lossless, uint64_t latency_min, uint64_t latency_max);

/* Acquires a slot. If none is free, collects what clients returned, then
 * revokes what live clients have not claimed. `keep` as in sf_slots_acquire().
 * Returns 0, -EAGAIN or -EMSGSIZE. Never waits. */
int sf_producer_acquire_slot (struct sf_producer *producer, uint64_t size,
    uint32_t keep, struct sf_slot *slot);

/* Reports that upstream went without a slot. If upstream itself keeps that
 * many, as a decoder does, the control thread makes more. False: it already
 * keeps as many as it may, and waiting may be in vain. */
bool sf_producer_miss_slot (struct sf_producer *producer);

/* Would sf_producer_acquire_slot() succeed now? 0, -EAGAIN, -EMSGSIZE. */
int sf_producer_poll_slot (struct sf_producer *producer, uint64_t size,
    uint32_t keep);

/* To wait: get a token, try, and on -EAGAIN wait with the token. */
uint64_t sf_producer_token (struct sf_producer *producer);

/* Waits until something comes back that was out when the token was taken, or it
 * is time to look again: 0. -EINTR: interrupted. -ENODATA, at once: no client
 * has any frame, so waiting cannot help; try once more, since the last frame
 * may just have come back. Meanwhile lossless clients are asked for a sign of
 * life, and evicted without one. */
int sf_producer_wait (struct sf_producer *producer, uint64_t token);

/* Call before publishing another producer's frames, which may come in a burst.
 * Waits up to SF_GRACE_MS for live clients with a full queue of such frames to
 * claim the oldest, which is revoked then. Does not wait while interrupted. */
void sf_producer_wait_for_live (struct sf_producer *producer);

/* Waits until `n` clients are connected. 0, -EINTR, or -ECANCELED during
 * sf_producer_cancel_wait_clients(). */
int sf_producer_wait_clients (struct sf_producer *producer, uint32_t n);

/* While `on`, sf_producer_wait_clients() does not wait. */
void sf_producer_cancel_wait_clients (struct sf_producer *producer, bool on);

/* While `on`, waiting functions return -EINTR at once. */
void sf_producer_interrupt (struct sf_producer *producer, bool on);

/* Memory that a frame lies in: in a segment of this producer, or of another one
 * (relay). */
struct sf_memory_ref
{
  struct sf_segment *segment;
  uint32_t slot;
  uint64_t offset, size;
};

/* Called by any thread, also after sf_producer_close(). */
typedef void (*sf_release) (void *user);

struct sf_publish_args
{
  const struct sf_memory_ref *parts;
  uint32_t n_parts;
  const void *body;             /* for the consumer, besides the memory */
  uint32_t body_size;
  /* Called once no client can read the frame any more; not if publishing
   * fails. */
  sf_release release;
  void *user;
  /* The memory is out of a pool that may be waiting for it. */
  bool pooled;
};

/* Announces a frame to every client. Returns 0, or
 *   -EAGAIN    a lossless client has no room: wait and try again
 *   -ENOTCONN  lossless, and fewer than min-clients are there: wait for them
 *   -ENOBUFS   the body and the parts do not fit into a record of the ring, and
 *              too many such frames are out
 *   -EMSGSIZE  they are larger than a frame's payload can be
 *   -ELOOP     sf_segment_relay_depth_exceeded() for a part's segment
 *   -ENOMEM */
int sf_producer_publish (struct sf_producer *producer,
    const struct sf_publish_args *args);

enum sf_event_flags
{
  /* Kept for clients that join later, one for each key, in the order of
   * keys. */
  SF_EVENT_STICKY = 1 << 0,
  /* The latest frame does not belong to what follows. */
  SF_EVENT_DROPS_LATEST = 1 << 1,
  /* Not repeated: waits for min-clients, as a frame does. */
  SF_EVENT_NEEDS_CLIENTS = 1 << 2,
};

/* Bytes of all sticky events: each client that joins gets all of them. */
#define SF_MAX_STICKY_BYTES (UINT64_C (8) << 20)

/* Announces an event, in order with the frames. Errors as
 * sf_producer_publish(), and -E2BIG: more than SF_MAX_STICKY_BYTES. */
int sf_producer_event (struct sf_producer *producer, uint64_t key,
    const void *body, uint32_t size, uint32_t flags);

/* Forgets the sticky events with keys from..to. */
void sf_producer_forget (struct sf_producer *producer, uint64_t from,
    uint64_t to);

/* Revokes what clients have not claimed. They hear of it before they read on.
 * Any thread; never waits. */
void sf_producer_flush_start (struct sf_producer *producer, uint32_t seqnum);

/* Begins a new stream: what clients have not read yet is void. `reset_time`:
 * running time restarts, too. Never waits. */
void sf_producer_flush_stop (struct sf_producer *producer, uint32_t seqnum,
    bool reset_time);

/* Ends the stream: clients that join from now on get nothing of it. */
void sf_producer_end_stream (struct sf_producer *producer);

struct sf_producer_stats
{
  uint64_t frames, events;
  uint64_t clients_seen, clients_evicted, clients_refused;
  uint64_t revoked;             /* frames taken from slow live clients */
  /* frames lost to clients, also to former ones */
  uint64_t dropped[SF_N_DROPS];
  uint64_t segments_sent_late;  /* only with the first frame in one */
  uint32_t n_clients;           /* connected, and served */
  uint32_t n_lingering;
  struct sf_slots_state slots;
};

void sf_producer_get_stats (struct sf_producer *producer,
    struct sf_producer_stats *stats);

/* Fills up to `n`; returns how many. */
uint32_t sf_producer_get_clients (struct sf_producer *producer,
    struct sf_client_info *info, uint32_t n);

#endif
