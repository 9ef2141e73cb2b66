/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared memory: a sealed memfd and its mapping, made or checked. */
#ifndef SF_SHM_H
#define SF_SHM_H

#include <stdbool.h>
#include <stdint.h>

enum sf_shm_kind
{
  /* No writable mapping can be added to the maker's
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
 * rlimit), -EMFILE, -EINVAL (size 0). On error nothing is left behind. */
int sf_shm_create (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind);

/* Takes over `fd` (closed on error) from a peer and maps it, read-only if
 * SEALED. -EPROTO: anything but a memfd of exactly `size` bytes with the seals
 * of `kind`, so that no access can raise SIGBUS. */
int sf_shm_open (struct sf_shm *shm, int fd, uint64_t size,
    enum sf_shm_kind kind);

/* Keeps only the mapping: closes the fd, which nobody else will be given.
 * Children do not get the mapping. */
void sf_shm_keep_map (struct sf_shm *shm);

void sf_shm_close (struct sf_shm *shm);

/* As sf_shm_create(), but without pages and mapped without access, so that it
 * takes no memory even where all mappings are locked (mlockall). */
int sf_shm_create_sparse (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind, bool huge);

/* Reserves a part, between multiples of the page size, and makes it readable
 * and writable. Errors: as sf_memfd_reserve(). */
int sf_shm_reserve (const struct sf_shm *shm, uint64_t from, uint64_t to);

/* For those who map a peer's fd themselves. Is it sealed memory of that size? 0
 * or -EPROTO. Does this part have all its pages? Sealed, it keeps them; where
 * there are none, reading would make them, or raise SIGBUS. What does errno
 * after mmap() mean? */
int sf_shm_check_fd (int fd, uint64_t size, enum sf_shm_kind kind);
bool sf_shm_has_pages (int fd, uint64_t from, uint64_t to);
int sf_shm_mmap_error (void);

/* Reserves addresses in one piece, from a multiple of `page` on, as huge pages
 * need, so that mappings over them hit nobody else's. MAP_FAILED, and errno. */
uint8_t *sf_shm_addresses (uint64_t size, uint64_t page);

#endif
