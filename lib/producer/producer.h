/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One producer of frames and its clients.
 *
 * A control thread accepts, shakes hands, collects and hangs up; the streaming
 * thread publishes with memory writes and, for a client that sleeps, one futex
 * wake. Nothing here blocks but the functions called sf_producer_wait*().
 *
 * Locks: see producer/producer-private.h. Callbacks and releases are called without
 * locks, from the control thread or from the caller's thread. */
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
  bool lingering;               /* evicted or crashed, its frames still out */
  uint32_t held;                /* frames it holds */
  uint32_t queued;              /* frames announced that it has not claimed */
  int64_t lag;                  /* ns since the oldest of these was published */
  uint32_t max_held;
  uint64_t frames;              /* announced to it */
  uint64_t dropped;             /* meant for it, and lost to it, */
  uint64_t drops[SF_N_DROPS];   /* for these reasons */
  uint32_t unread;              /* announced, and never to be claimed: at its end */
  bool paused;                  /* as it said when it was asked last */
  bool silent;                  /* it was asked, and has not answered yet */
};

struct sf_producer_callbacks
{
  /* A client has been welcomed. */
  void (*connected) (void *user, const struct sf_client_info *client);
  /* It is gone, or its connection was ended; once a client. `reason` is an enum
   * sf_reason, `text` says more, or is "". */
  void (*disconnected) (void *user, const struct sf_client_info *client,
      uint32_t reason, const char *text);
  /* A client was refused before it was welcomed, or what it asked for since. */
  void (*refused) (void *user, const struct sf_credentials *peer,
      const struct sf_reject *reject);
  /* Clients cannot be accepted, for want of fds or memory (-errno). Told once,
   * until one could be. */
  void (*starved) (void *user, int error);
  /* The publisher has waited for this client, more than for a moment. Told again
   * only when it has not had to for some time. */
  void (*waiting) (void *user, const struct sf_client_info *client);
  /* An upstream event arrived from the client of this id. */
  void (*upstream) (void *user, uint64_t client, const uint8_t *data,
      uint32_t size);
  /* The ring was made larger: for this client, which wants to hold `max_held`
   * frames, or, `client` being NULL, because upstream keeps so many slots. */
  void (*grown) (void *user, const struct sf_slots_state *slots,
      const struct sf_client_info *client, uint32_t max_held);
  /* An observer asks: fills in what the producer does not know itself (bytes, copied,
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
  /* Lossless delivery: clients that have to be there for a frame to be published,
   * and when one that is waited for is evicted, in ns, 0: never. */
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

/* Says goodbye to the clients and ends the thread. Clients can still read what
 * was announced. Slots in other hands stay valid until given back. Frames of
 * another producer (relay) are released when no client can read them any more: a
 * thread of its own sees to that, for as long as it takes. */
void sf_producer_close (struct sf_producer *producer);

/* Frames of up to `slot_size` bytes follow, and `per_record` slots make up what
 * a client counts as one (1, or the frames of a batch): makes the ring. `needed`
 * as in sf_slots_ensure(), whose errors these are, and -ENOSPC: the fixed number
 * of slots is too small for the clients, `needed` slots would do. */
int sf_producer_set_format (struct sf_producer *producer, uint64_t slot_size,
    uint32_t per_record, uint64_t * needed);

/* A larger slot than set so far turns out to be needed (padding). */
int sf_producer_want_slot_size (struct sf_producer *producer,
    uint64_t slot_size, uint64_t * needed);

struct sf_slots *sf_producer_slots (struct sf_producer *producer);

/* How everybody is served who did not ask otherwise. Latency in ns. */
void sf_producer_set_delivery (struct sf_producer *producer, bool live,
    bool lossless, uint64_t latency_min, uint64_t latency_max);

/* Takes a slot, if need be by collecting what clients returned and by revoking
 * what live clients have not claimed. `keep` as in sf_slots_take().
 * 0, -EAGAIN, -EMSGSIZE. Never waits. */
int sf_producer_take_slot (struct sf_producer *producer, uint64_t size,
    uint32_t keep, struct sf_slot *slot);

/* Upstream had to do without a slot. If that is because it keeps so many itself,
 * a decoder for instance, the control thread makes some more. False: it keeps as
 * many as it may, to wait for another one may be in vain. */
bool sf_producer_miss_slot (struct sf_producer *producer);

/* Would sf_producer_take_slot() give one now? 0, -EAGAIN, -EMSGSIZE. */
int sf_producer_poll_slot (struct sf_producer *producer, uint64_t size,
    uint32_t keep);

/* Waiting: take a token, try; if that gave -EAGAIN, wait with the token. */
uint64_t sf_producer_token (struct sf_producer *producer);

/* Returns 0 as soon as something came back since the token was taken, or to
 * look again after a while; -EINTR when interrupted. While somebody waits here,
 * lossless clients are asked whether they live, and evicted if not. Does not wait
 * at all where waiting could not help: -ENODATA when no client has any frame
 * (though the last one may be on its way back: try once more). */
int sf_producer_wait (struct sf_producer *producer, uint64_t token);

/* Before a record of another producer's frames that may be one of a burst: a live
 * client whose queue of such is full keeps the oldest, unless it has had it for
 * SF_GRACE_MS. Waits no longer than that, and not while interrupted. */
void sf_producer_wait_for_live (struct sf_producer *producer);

/* Waits until `n` clients are there: 0, -EINTR, or -ECANCELED: it was given up. */
int sf_producer_wait_clients (struct sf_producer *producer, uint32_t n);

/* While `on`, nobody waits for clients to come. */
void sf_producer_give_up (struct sf_producer *producer, bool on);

/* While `on`, waiting functions return -EINTR at once. */
void sf_producer_interrupt (struct sf_producer *producer, bool on);

/* One part of a frame: memory of this producer's own segments, or of a segment
 * that came from another producer (relay). */
struct sf_part
{
  struct sf_segment *segment;
  uint32_t slot;
  uint64_t offset, size;
};

/* Any thread's, also after sf_producer_close(): see there. */
typedef void (*sf_release) (void *user);

struct sf_publication
{
  const struct sf_part *parts;
  uint32_t n_parts;
  const void *body;             /* what the client is told besides */
  uint32_t body_size;
  /* Called once no client can read the frame any more; not if publish fails. */
  sf_release release;
  void *user;
  /* The memory comes out of a pool that may be waiting for it. */
  bool pooled;
};

/* A frame will be announced within microseconds, or after all not: clients that
 * sleep are woken meanwhile, and wait for it awake, for a moment. Announcing it
 * ends that. */
void sf_producer_expect (struct sf_producer *producer, bool coming);

/* Announces a frame to every client. 0;
 *  -EAGAIN    a lossless client has no room: wait and try again
 *  -ENOTCONN  lossless, and fewer than min-clients are there: wait for them
 *  -ENOBUFS   the body and the parts do not fit into a record of the ring, and too
 *             many such frames are out
 *  -EMSGSIZE  they are larger than a frame's payload can be
 *  -ELOOP     a part's segment came by too many relays: sf_segment_is_far()
 *  -ENOMEM */
int sf_producer_publish (struct sf_producer *producer,
    const struct sf_publication *publication);

enum sf_event_flags
{
  /* Kept for clients that join later, one for each key, in the order of keys. */
  SF_EVENT_STICKY = 1 << 0,
  /* The latest frame does not belong to what follows. */
  SF_EVENT_DROPS_LATEST = 1 << 1,
  /* Whoever is not there misses it: min-clients, as for a frame. */
  SF_EVENT_NEEDS_CLIENTS = 1 << 2,
};

/* What sticky events may take in all: each client that joins gets all of it. */
#define SF_MAX_STICKY_BYTES (UINT64_C (8) << 20)

/* Announces an event, in order with the frames. Errors as sf_producer_publish(), and
 * -E2BIG: more than SF_MAX_STICKY_BYTES. */
int sf_producer_event (struct sf_producer *producer, uint64_t key,
    const void *body, uint32_t size, uint32_t flags);

/* Forgets the sticky events with keys from..to. */
void sf_producer_forget (struct sf_producer *producer, uint64_t from,
    uint64_t to);

/* What clients have not claimed is void, and taken back from all of them; they hear
 * of it ahead of what they have not read. Any thread, never waits. */
void sf_producer_flush_start (struct sf_producer *producer, uint32_t seqnum);

/* A new stream begins behind what was announced so far, which is void for who has
 * not read it. `reset_time`: so does running time. Never waits. */
void sf_producer_flush_stop (struct sf_producer *producer, uint32_t seqnum,
    bool reset_time);

/* The stream is over: who joins from now on gets nothing of it. */
void sf_producer_end_stream (struct sf_producer *producer);

struct sf_producer_stats
{
  uint64_t frames, events;
  uint64_t clients_seen, clients_evicted, clients_refused;
  uint64_t revoked;             /* frames taken from slow live clients */
  uint64_t dropped[SF_N_DROPS]; /* frames lost to clients, of all there were */
  uint64_t segments_sent_late;  /* to a client, with the first frame in one */
  uint32_t n_clients;           /* welcomed, and still served */
  uint32_t n_lingering;
  struct sf_slots_state slots;
};

void sf_producer_get_stats (struct sf_producer *producer,
    struct sf_producer_stats *stats);

/* Up to `n` clients; returns how many. */
uint32_t sf_producer_get_clients (struct sf_producer *producer,
    struct sf_client_info *info, uint32_t n);

#endif
