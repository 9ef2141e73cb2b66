/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the control socket: bytes to structs and back. No I/O here.
 *
 * Each message is one SOCK_SEQPACKET datagram of at most SF_MESSAGE_MAX bytes,
 * little-endian, without padding:
 *
 *   0        4        8                                            size
 *   +--------+--------+---------------------------------------------+
 *   |  type  |  size  | fields of the type, in the order of its struct
 *   +--------+--------+---------------------------------------------+
 *
 * HELLO starts with the magic and the range of versions its sender speaks, and
 * keeps that start in every version, so that any two versions can refuse each
 * other politely. So does OBSERVE. */
#ifndef SF_PROTOCOL_H
#define SF_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_PROTOCOL_MAGIC 0x464d4853u   /* "SHMF" */
#define SF_PROTOCOL_VERSION 2u
#define SF_MESSAGE_MAX 4096u
#define SF_MESSAGE_MAX_FDS 8u
#define SF_NAME_MAX 64u         /* bytes with the NUL */
#define SF_TEXT_MAX 512u        /* bytes with the NUL */
#define SF_UPSTREAM_MAX 3072u
#define SF_CAPS_TEXT_MAX 1024u  /* bytes with the NUL */
#define SF_STATS_CLIENTS 16u    /* in one message */

enum sf_message_type
{
  SF_MESSAGE_HELLO = 1,         /* client -> producer */
  SF_MESSAGE_WELCOME = 2,       /* producer -> client; fds: announce, returns,
                                   guard (write end of a pipe) */
  SF_MESSAGE_REJECT = 3,        /* producer -> client, then it closes */
  SF_MESSAGE_SEGMENT = 4,       /* producer -> client; fds: segment, and for
                                   a relayed one the guards it came with */
  SF_MESSAGE_SEGMENT_GONE = 5,  /* producer -> client */
  SF_MESSAGE_WANT = 6,          /* client -> producer */
  SF_MESSAGE_GRANT = 7,         /* producer -> client */
  SF_MESSAGE_LATENCY = 8,       /* producer -> client */
  SF_MESSAGE_BYE = 9,           /* either way */
  SF_MESSAGE_UPSTREAM = 10,     /* client -> producer: an upstream event */
  SF_MESSAGE_KICK = 11,         /* client -> producer: look at my returns */
  SF_MESSAGE_PING = 12,         /* producer -> client: are you alive? */
  SF_MESSAGE_PONG = 13,         /* client -> producer: once for each PING */
  /* producer -> client: look at the flush words */
  SF_MESSAGE_FLUSH = 14,
  SF_MESSAGE_OBSERVE = 15,      /* observer -> producer: how are you? */
  /* producer -> observer: once for each OBSERVE */
  SF_MESSAGE_STATS = 16,
  /* producer -> client: look at its n_slots */
  SF_MESSAGE_SEGMENT_GROWN = 17,
};

enum sf_delivery
{
  SF_DELIVERY_AUTO = 0,
  SF_DELIVERY_LIVE = 1,
  SF_DELIVERY_LOSSLESS = 2,
};

/* Why a client lost frames that were meant for it. */
enum sf_drop
{
  SF_DROP_LAG,                  /* unclaimed for longer than its max-lag */
  /* unclaimed, and the producer needed the slot */
  SF_DROP_SLOT,
  SF_DROP_QUEUE,                /* its queue was full */
  SF_DROP_LEFT,                 /* unclaimed when its connection ended */
  SF_N_DROPS,
};

/* Why a client is refused or a connection ends. */
enum sf_reason
{
  SF_REASON_NONE = 0,
  SF_REASON_STOPPED = 1,        /* the sender goes to NULL, in good order */
  SF_REASON_VERSION = 2,        /* no common version */
  SF_REASON_FULL = 3,           /* max-clients */
  SF_REASON_MEMORY = 4,         /* max-memory cannot hold what is asked */
  SF_REASON_DELIVERY = 5,       /* lossless asked of a live producer */
  SF_REASON_SLOW = 6,           /* evicted: it was waited for too long */
  SF_REASON_VIOLATION = 7,      /* broke the protocol */
  SF_REASON_HANGUP = 8,         /* closed without BYE (crash) */
  SF_REASON_RESOURCES = 9,      /* out of fds or memory on the sender's side */
  SF_REASON_NOT_ALLOWED = 10,   /* another user on an abstract socket */
  SF_REASON_LAST = SF_REASON_NOT_ALLOWED,
};

struct sf_hello
{
  uint32_t magic;
  uint32_t version_min;
  uint32_t version_max;
  uint32_t delivery;            /* enum sf_delivery */
  uint32_t max_held;            /* frames it wants to hold at once; >= 1 */
  /* ns that it may be behind if served live; 0: as far as the ring reaches */
  uint64_t max_lag;
  char name[SF_NAME_MAX];       /* of the element, for logs and stats */
};

struct sf_welcome
{
  uint32_t version;
  uint32_t n_leases;            /* of the returns page, == SF_MAX_LEASES */
  uint64_t producer_id;         /* random, differs after each start */
  uint64_t announce_size;       /* bytes of the announce memfd */
  uint64_t returns_size;        /* bytes of the returns memfd */
  uint32_t max_held;            /* granted */
  uint64_t clock;               /* CLOCK_MONOTONIC of the producer, ns */
};

struct sf_reject
{
  uint32_t reason;              /* enum sf_reason */
  uint64_t needed;              /* MEMORY: bytes that would do */
  uint64_t limit;               /* MEMORY: max-memory; FULL: max-clients */
  char text[SF_TEXT_MAX];       /* one sentence that says what to do */
};

struct sf_segment_info
{
  uint32_t id;                  /* never used twice in one connection */
  uint32_t n_slots;             /* may grow: see shared/layout.h */
  uint64_t pitch;
  uint64_t data_offset;
  uint64_t size;
};

struct sf_latency
{
  uint32_t live;                /* 0 or 1 */
  uint32_t lossless;            /* 0 or 1: how this client is served */
  uint64_t min;                 /* ns */
  uint64_t max;                 /* ns; UINT64_MAX: no limit */
};

struct sf_upstream
{
  uint32_t size;
  uint8_t data[SF_UPSTREAM_MAX];
};

/* Starts as HELLO does, in every version. */
struct sf_observe
{
  uint32_t magic;
  uint32_t version_min;
  uint32_t version_max;
  uint64_t before;              /* clients with lower ids; UINT64_MAX: from the
                                   newest on */
};

enum sf_client_flags
{
  SF_STATS_LOSSLESS = 1 << 0,   /* it is waited for */
  SF_STATS_LINGERS = 1 << 1,    /* no longer served, its frames are not back */
  SF_STATS_PAUSED = 1 << 2,
  SF_STATS_SILENT = 1 << 3,     /* it has not answered a PING */
  SF_STATS_ALL_FLAGS = (1 << 4) - 1,
};

struct sf_client_stats
{
  uint64_t id;
  uint32_t pid;
  uint32_t uid;
  char name[SF_NAME_MAX];
  uint32_t flags;               /* enum sf_client_flags */
  uint32_t held;                /* frames */
  uint32_t queued;              /* announced and not claimed */
  uint32_t max_held;
  uint64_t lag;                 /* ns since the oldest of these was announced */
  uint64_t frames;              /* announced to it */
  uint64_t dropped[SF_N_DROPS];
  /* From announcing a frame to its arrival, as the client measured it over the
   * last SF_HANDOVERS frames (ns); 0: not measured. */
  uint32_t handover_p50;
  uint32_t handover_p99;
};

struct sf_stats
{
  uint32_t version;
  uint32_t delivery;            /* LIVE, LOSSLESS, or AUTO: not decided yet */
  uint64_t producer_id;
  uint64_t clock;               /* CLOCK_MONOTONIC of the producer, ns */
  uint64_t frames;              /* published */
  uint64_t bytes;               /* in them */
  uint64_t copied;              /* of these frames, not made in a slot */
  uint64_t no_slot;             /* frames dropped for want of a slot */
  uint64_t dropped[SF_N_DROPS]; /* of all clients, also former ones */
  uint64_t metas_dropped;
  uint64_t upstream_dropped;    /* events of clients */
  uint64_t clients_seen;
  uint64_t clients_evicted;
  uint64_t clients_refused;
  uint32_t n_clients;           /* served now */
  uint32_t n_lingering;
  uint32_t max_clients;
  uint32_t n_observers;
  uint32_t n_slots;
  uint32_t n_free;
  uint32_t n_segments;
  uint64_t slot_size;           /* bytes */
  uint64_t segment_bytes;       /* in all */
  uint64_t huge_page_bytes;     /* of those */
  uint64_t max_memory;
  uint64_t growths;
  char name[SF_NAME_MAX];       /* of the element */
  char caps[SF_CAPS_TEXT_MAX];  /* as text, as far as it fits */
  uint32_t n_listed;            /* clients that follow: all there is room for */
  struct sf_client_stats clients[SF_STATS_CLIENTS];     /* ids fall */
};

struct sf_message
{
  uint32_t type;                /* enum sf_message_type */
  union
  {
    struct sf_hello hello;
    struct sf_welcome welcome;
    struct sf_reject reject;    /* REJECT, BYE */
    struct sf_segment_info segment;
    uint32_t segment_id;        /* SEGMENT_GONE, SEGMENT_GROWN */
    uint32_t max_held;          /* WANT, GRANT */
    uint32_t paused;            /* PONG: 0 or 1 */
    struct sf_latency latency;
    struct sf_upstream upstream;
    struct sf_observe observe;
    struct sf_stats stats;
  };
};

/* Writes `msg` to `buf` of `len` bytes. Returns the bytes written; -EMSGSIZE:
 * they do not fit; -EINVAL: sf_message_decode() would refuse it. */
int sf_message_encode (const struct sf_message *msg, uint8_t *buf, size_t len);

/* Reads one datagram. 0, or -EPROTO if any byte is wrong (type, size, range,
 * NUL); `msg` is not touched then. Of a HELLO or OBSERVE in another version
 * only the range of versions is read, the rest is zero: compare versions first.
 * `n_fds`: fds that came along; a wrong number is -EPROTO, too. */
int sf_message_decode (struct sf_message *msg, const uint8_t *buf, size_t len,
    unsigned n_fds);

/* Tells whether this many fds go with a message of this type: WELCOME has 3,
 * SEGMENT 1 or more (relayed), others none. */
bool sf_message_takes_fds (uint32_t type, unsigned n_fds);

/* Tells whether we speak a version of this range. */
static inline bool
sf_protocol_is_common (uint32_t min, uint32_t max)
{
  return min <= SF_PROTOCOL_VERSION && SF_PROTOCOL_VERSION <= max;
}

/* "lag", "slot" ...; "unknown" out of range. */
const char *sf_drop_name (uint32_t drop);

/* "slow", "hangup" ...: for stats and messages; "unknown" out of range. */
const char *sf_reason_name (uint32_t reason);

#endif
