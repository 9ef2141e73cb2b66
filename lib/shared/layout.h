/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands where in the three kinds of shared memory. Layout only: no code.
 * All sizes are fixed and all offsets asserted, since the two sides may be
 * built by different compilers. Host byte order: both sides share a machine.
 *
 *   segment   (producer writes, sealed: clients read only)  header | slots
 *   announce  (producer writes, sealed: clients read only)  header | byte ring
 *   returns   (one client and the producer write)           one page and words
 */
#ifndef SF_LAYOUT_H
#define SF_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "shared/atomics.h"

#define SF_SEGMENT_MAGIC  UINT64_C (0x31474553464d4853) /* "SHMFSEG1" */
#define SF_ANNOUNCE_MAGIC UINT64_C (0x314e4e41464d4853) /* "SHMFANN1" */
#define SF_RETURNS_MAGIC  UINT64_C (0x31544552464d4853) /* "SHMFRET1" */

#define SF_CACHE_LINE 64u
/* Enough for ten records of SF_MAX_MEMORY_REFS: what a few clients hold. */
#define SF_MAX_SLOTS 262144u
#define SF_MAX_SLOT_SIZE (UINT64_C (1) << 34)

/* Leases of one client: frames that were announced to it and are not back. More
 * than any window of video that fits into memory. */
#define SF_MAX_LEASES 4096u
#define SF_LEASE_WORDS (SF_MAX_LEASES / 64u)

#define SF_ANNOUNCE_RING_SIZE (UINT64_C (1) << 20)
/* A record may fill a quarter of the ring, so that some always fit. */
#define SF_MAX_PAYLOAD (SF_ANNOUNCE_RING_SIZE / 4u - 64u)

/* A segment: slots of `pitch` bytes from `data_offset` to `size`; pitch and
 * data_offset are multiples of the page size. The first `n_slots` of them are
 * there, with all their pages; the rest is a hole, in which the producer makes
 * more. generation[i] is odd while slot i may be written and even when its
 * content is final; n_slots and generation[i] only grow. */
struct sf_segment_header
{
  uint64_t magic;
  uint32_t version;
  sf_atomic_u32 n_slots;
  uint64_t pitch;
  uint64_t data_offset;
  uint64_t size;
  uint64_t reserved[3];
  sf_atomic_u64 generation[];
};
_Static_assert (sizeof (struct sf_segment_header) == 64, "layout");
_Static_assert (offsetof (struct sf_segment_header, generation) == 64,
    "layout");

/* Announce memory of one client. `head` counts all bytes ever written to the
 * ring and never wraps; byte N is at ring[N % ring_size]. */
struct sf_announce_header
{
  uint64_t magic;
  uint32_t version;
  uint32_t n_leases;
  uint64_t ring_size;
  uint8_t pad0[SF_CACHE_LINE - 24];
  sf_atomic_u64 head;
  /* Not 0: the producer wants one KICK for the next return, once for each
   * number that is put here. */
  sf_atomic_u32 want_returns;
  /* 1: the ring was full; the client kicks when it has read it empty. */
  sf_atomic_u32 overflowed;
  uint32_t pad2;
  sf_atomic_u32 cpu;            /* the CPU that announced the last frame */
  /* The last flush: its seqnum in the high half, a count of steps in the low
   * half, odd between start and stop. */
  sf_atomic_u64 flush;
  /* Records before this position are void since the last stop. Low bits:
   * SF_FLUSH_RESETS, running time restarts. Written before `flush`. */
  sf_atomic_u64 flush_end;
  uint8_t pad1[SF_CACHE_LINE - 40];
};
_Static_assert (offsetof (struct sf_announce_header, flush) == 88, "layout");
_Static_assert (sizeof (struct sf_announce_header) == 128, "layout");
_Static_assert (offsetof (struct sf_announce_header, head) == 64, "layout");

#define SF_ANNOUNCE_DATA_OFFSET 4096u

#define SF_FLUSH_RESETS 1u

/* A record of the announce ring: this header, then `payload_size` bytes, then
 * up to the next multiple of 64. A record never wraps: where the ring ends
 * before it would fit, a PAD record fills the rest. */
struct sf_record_header
{
  uint32_t size;                /* of all of it, a multiple of 64 */
  uint16_t type;                /* enum sf_record_type */
  uint16_t flags;               /* enum sf_record_flags */
  uint32_t payload_size;
  uint32_t lease;               /* FRAME: index into the words below */
  uint64_t lease_stamp;         /* FRAME: this use of that lease */
  uint64_t seq;                 /* FRAME: number of the frame at its producer */
};
_Static_assert (sizeof (struct sf_record_header) == 32, "layout");

enum sf_record_type
{
  SF_RECORD_PAD = 1,
  SF_RECORD_EVENT = 2,
  SF_RECORD_FRAME = 3,
};

enum sf_record_flags
{
  /* A copy of what the stream holds, for a client that joined late. */
  SF_RECORD_STICKY = 1 << 0,
  /* FRAME: the producer waits for this client rather than drop a frame. */
  SF_RECORD_LOSSLESS = 1 << 1,
};

/* A FRAME's payload. One that does not fit into a record is spilled to a slot
 * of a segment that holds nothing else, and the record says where: `1,
 * SF_PAYLOAD_SPILLED`, and one reference. */
#define SF_MAX_FRAME_PAYLOAD (UINT32_C (4) << 20)
#define SF_PAYLOAD_SPILLED 1u

/* At the start of a FRAME's payload: `uint32_t n_refs, 0`, then the parts. */
struct sf_memory_ref_wire
{
  uint32_t segment;             /* id as in the SEGMENT message */
  uint32_t slot;
  uint64_t generation;
  uint64_t offset;              /* from the start of the slot */
  uint64_t size;
};
_Static_assert (sizeof (struct sf_memory_ref_wire) == 32, "layout");

/* 100 cameras of 60 fps for 2.7 s. */
#define SF_MAX_MEMORY_REFS 16384u

/* State of a lease, the low two bits of its word; above them its stamp. */
#define SF_LEASE_ANNOUNCED 1u
#define SF_LEASE_CLAIMED 2u
#define SF_LEASE_REVOKED 3u
#define SF_LEASE_WORD(stamp, state) (((uint64_t) (stamp) << 2) | (state))

/* Enough for a p99 that is not the maximum. */
#define SF_HANDOVERS 128u

/* The only memory a client can write. The producer trusts none of it: it reads
 * each word once, checks its range, and compares it with what this client has
 * been given (R3). */
struct sf_returns_page
{
  uint64_t magic;
  uint32_t version;
  uint32_t pad0;
  uint8_t pad1[SF_CACHE_LINE - 16];
  /* Bytes of the ring that the client has read. */
  sf_atomic_u64 read_pos;
  /* Set, for good, before the client passes on its first segment: when its
   * process ends, others may still read its frames. */
  sf_atomic_u32 passed_on;
  uint8_t pad2[SF_CACHE_LINE - 12];
  /* Not 0: the client sleeps, or is about to, on `wake` (futex). */
  sf_atomic_u32 sleeping;
  sf_atomic_u32 wake;
  sf_atomic_u32 cpu;            /* the CPU it fell asleep on */
  uint8_t pad3[SF_CACHE_LINE - 12];
  /* One bit a lease: the client sets it when it is done with the frame. */
  sf_atomic_u64 returned[SF_LEASE_WORDS];
  /* One word a lease: SF_LEASE_WORD (stamp, state). The producer writes
   * ANNOUNCED; the client swaps it to CLAIMED, the producer to REVOKED. */
  sf_atomic_u64 lease[SF_MAX_LEASES];
  /* How long the last frames took from publishing to receiving (ns), in turn;
   * 0: not measured. For observers only. */
  sf_atomic_u32 handover[SF_HANDOVERS];
};
_Static_assert (offsetof (struct sf_returns_page, read_pos) == 64, "layout");
_Static_assert (offsetof (struct sf_returns_page, passed_on) == 72, "layout");
_Static_assert (offsetof (struct sf_returns_page, sleeping) == 128, "layout");
_Static_assert (offsetof (struct sf_returns_page, returned) == 192, "layout");
_Static_assert (offsetof (struct sf_returns_page, lease) == 704, "layout");
_Static_assert (offsetof (struct sf_returns_page, handover) == 704 + 8 * 4096,
    "layout");
_Static_assert (sizeof (struct sf_returns_page) == 704 + 8 * 4096 + 4 * 128,
    "layout");

#define SF_LAYOUT_VERSION 2u

#endif
