/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared memory: any sealed memfd and its mapping, made or checked. */
#ifndef SF_SHM_H
#define SF_SHM_H

#include <stdbool.h>
#include <stdint.h>

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
 * the pages present, and seals it. Errors: -ENOMEM, -ENOSPC, -EFBIG (an
 * rlimit), -EMFILE, -EINVAL (size 0). Nothing is left behind on error. */
int sf_shm_create (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind);

/* Takes over `fd` (closed on error) as it came from a peer: refuses with
 * -EPROTO anything but a memfd of exactly `size` bytes with the seals of
 * `kind`, so that no access can raise SIGBUS; maps it, read-only if SEALED. */
int sf_shm_open (struct sf_shm *shm, int fd, uint64_t size,
    enum sf_shm_kind kind);

/* Nobody else is to be given it: closes the fd; children do not get the map. */
void sf_shm_keep_map (struct sf_shm *shm);

void sf_shm_close (struct sf_shm *shm);

/* As sf_shm_create(), but without pages, and mapped without access: so that it
 * takes no memory, not even where all mappings are locked (mlockall). */
int sf_shm_create_sparse (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind, bool huge);

/* Reserves a part of it, between multiples of the page size, and makes it there
 * to be read and written. Errors: as sf_memfd_reserve(). */
int sf_shm_reserve (const struct sf_shm *shm, uint64_t from, uint64_t to);

/* For who maps a peer's fd himself. Is it sealed memory of that size? 0 or
 * -EPROTO. Has this part all its pages? Sealed, it keeps them; where there are
 * none, reading would make them, or raise SIGBUS. What does errno mean after
 * mmap()? */
int sf_shm_check_fd (int fd, uint64_t size, enum sf_shm_kind kind);
bool sf_shm_has_pages (int fd, uint64_t from, uint64_t to);
int sf_shm_mmap_error (void);

/* Addresses in one piece, so that mappings laid over them cannot hit anybody
 * else's; they begin at a multiple of `page`, as huge pages have to.
 * MAP_FAILED, and errno. */
uint8_t *sf_shm_addresses (uint64_t size, uint64_t page);

#endif
