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
 * other politely. */
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
  SF_MESSAGE_FLUSH = 14,        /* producer -> client: look at the flush words */
};

enum sf_delivery
{
  SF_DELIVERY_AUTO = 0,
  SF_DELIVERY_LIVE = 1,
  SF_DELIVERY_LOSSLESS = 2,
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
  SF_REASON_HANGUP = 8,         /* closed without a word (crash) */
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
  uint64_t max_lag;             /* ns that it may be behind where it is served
                                   live; 0: as far as the ring reaches */
  char name[SF_NAME_MAX];       /* of the element, for logs and stats */
};

struct sf_welcome
{
  uint32_t version;
  uint32_t n_leases;            /* of the returns page, == SF_MAX_LEASES in v1 */
  uint64_t producer_id;         /* random, another one after each start */
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
  uint32_t id;                  /* never used twice by one producer */
  uint32_t n_slots;             /* there are more by and by: see shared/layout.h */
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

struct sf_message
{
  uint32_t type;                /* enum sf_message_type */
  union
  {
    struct sf_hello hello;
    struct sf_welcome welcome;
    struct sf_reject reject;    /* REJECT, BYE */
    struct sf_segment_info segment;
    uint32_t segment_gone;      /* id */
    uint32_t max_held;          /* WANT, GRANT */
    uint32_t paused;            /* PONG: 0 or 1 */
    struct sf_latency latency;
    struct sf_upstream upstream;
  };
};

/* Writes `msg` to `buf` of `len` bytes. Returns the bytes written, -EMSGSIZE if
 * they do not fit, -EINVAL if `msg` holds what sf_message_decode() would
 * refuse. */
int sf_message_encode (const struct sf_message *msg, uint8_t * buf, size_t len);

/* Reads one datagram. Returns 0, or -EPROTO if any byte of it is not as it
 * must be (type, size, range, NUL); `msg` is untouched then. A HELLO of another
 * version decodes as far as its version range, the rest is zero: the caller
 * compares versions first. `n_fds` is how many fds came along; a number that
 * does not belong to the type is -EPROTO too. */
int sf_message_decode (struct sf_message *msg, const uint8_t * buf, size_t len,
    unsigned n_fds);

/* May this many fds go with a message of this type? WELCOME takes 3, SEGMENT 1
 * (or more: a relayed one), the others none. */
bool sf_message_takes_fds (uint32_t type, unsigned n_fds);

/* "slow", "hangup" ...: for stats and messages; "unknown" out of range. */
const char *sf_reason_name (uint32_t reason);

#endif
