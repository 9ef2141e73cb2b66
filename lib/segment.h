/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared memory made, sealed, checked and mapped.
 *
 * sf_shm: any sealed memfd and its mapping. sf_segment: one that holds slots,
 * counted by reference, since frames in the application's hands may outlive the
 * connection that brought them. */
#ifndef SF_SEGMENT_H
#define SF_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "protocol.h"

enum sf_shm_kind
{
  /* The maker's mapping is the last writable one there will ever be
   * (F_SEAL_SHRINK|GROW|FUTURE_WRITE|SEAL). */
  SF_SHM_SEALED,
  /* Both sides write (F_SEAL_SHRINK|GROW|SEAL). */
  SF_SHM_SHARED,
};

struct sf_shm
{
  int fd;
  void *map;
  uint64_t size;
};

/* Makes a memfd called `name`, reserves all its pages, maps it for writing with
 * the pages present, and seals it. Errors: -ENOMEM, -ENOSPC, -EFBIG (an rlimit),
 * -EMFILE, -EINVAL (size 0). Nothing is left behind on error. */
int sf_shm_create (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind);

/* Takes over `fd` (closed on error) as it came from a peer: refuses with -EPROTO
 * anything but a memfd of exactly `size` bytes with the seals of `kind`, so that
 * no access can raise SIGBUS; maps it, read-only if SEALED. */
int sf_shm_open (struct sf_shm *shm, int fd, uint64_t size,
    enum sf_shm_kind kind);

/* Nobody else is to be given it: closes the fd; children do not get the map. */
void sf_shm_keep_map (struct sf_shm *shm);

void sf_shm_close (struct sf_shm *shm);

/* Of the producer itself, and of as many before it as go into a message. */
#define SF_MAX_GUARDS SF_MESSAGE_MAX_FDS

struct sf_segment
{
  sf_atomic_u32 refs;
  struct sf_shm shm;
  uint32_t n_slots;
  uint64_t pitch;
  uint64_t data_offset;
  bool writable;
  /* Slots are mapped a second time behind the last one, for reading, so that a run
   * of slots that wraps is still one range of addresses: slot n_slots + i is
   * slot i. */
  uint8_t *slots;
  /* A client's: proof to its producer that somebody may still read, and to each
   * that relayed the segment before (-1: no more). They pass on with the segment
   * when frames are relayed; a producer takes the frames of a crashed client back
   * when the last copy of that one's guard is closed. */
  int guards[SF_MAX_GUARDS];
  /* A client's: set, for its producer, before it passes the segment on. There as
   * long as a lease of a frame in it is. */
  sf_atomic_u32 *passed_on;
  /* Set when its owner will not fill it again (grown, gone, disconnected). */
  sf_atomic_u32 retired;
};

/* Makes a segment of `n_slots` slots of at least `slot_size` bytes; the pitch is
 * rounded up to pages: huge ones of that size, sf_huge_page_size(), if it is not 0.
 * Errors as sf_shm_create(), and others where there are too few huge pages; -EINVAL
 * for 0 or more than SF_MAX_SLOTS slots, or a size of 0 or above
 * SF_MAX_SLOT_SIZE. */
int sf_segment_create_of (struct sf_segment **segment, uint32_t n_slots,
    uint64_t slot_size, uint64_t huge_page);

static inline int
sf_segment_create (struct sf_segment **segment, uint32_t n_slots,
    uint64_t slot_size)
{
  return sf_segment_create_of (segment, n_slots, slot_size, 0);
}

/* The bytes it would reserve; UINT64_MAX if out of range. */
uint64_t sf_segment_bytes_of (uint32_t n_slots, uint64_t slot_size,
    uint64_t huge_page);

static inline uint64_t
sf_segment_bytes (uint32_t n_slots, uint64_t slot_size)
{
  return sf_segment_bytes_of (n_slots, slot_size, 0);
}

/* Takes over `fd` and `guards` (all closed on error) and maps the segment
 * read-only, if seals, size, and the header in it agree with `info`; -EPROTO
 * otherwise. */
int sf_segment_open (struct sf_segment **segment, int fd,
    const int guards[SF_MAX_GUARDS], const struct sf_segment_info *info);

/* Did it come by so many relays that its guards, with one more, are more than a
 * message holds? Then its frames have to be copied to be passed on. */
static inline bool
sf_segment_is_far (const struct sf_segment *segment)
{
  return segment->guards[SF_MAX_GUARDS - 1] >= 0;
}

struct sf_segment *sf_segment_ref (struct sf_segment *segment);
/* Unmaps and closes with the last reference. NULL is allowed. */
void sf_segment_unref (struct sf_segment *segment);

/* What the SEGMENT message says of it, under the given id. */
void sf_segment_describe (const struct sf_segment *segment, uint32_t id,
    struct sf_segment_info *info);

static inline struct sf_segment_header *
sf_segment_header (const struct sf_segment *segment)
{
  return (struct sf_segment_header *) segment->shm.map;
}

static inline uint8_t *
sf_segment_slot (const struct sf_segment *segment, uint32_t slot)
{
  return segment->slots + (uint64_t) slot * segment->pitch;
}

/* The slot's content is final: its generation becomes even. More than one may say
 * so of a slot that several publish. */
static inline void
sf_segment_finish_slot (const struct sf_segment *segment, uint32_t slot)
{
  sf_atomic_u64 *generation = &sf_segment_header (segment)->generation[slot];
  uint64_t odd = sf_load_own (generation);
  uint64_t seen;

  if (odd & 1)
    sf_decide_u64 (generation, odd, odd + 1, &seen);
}

/* Checks that `ref` lies inside one slot of the segment: 0 or -EPROTO. */
int sf_segment_check (const struct sf_segment *segment,
    const struct sf_mem_ref *ref);

#endif
