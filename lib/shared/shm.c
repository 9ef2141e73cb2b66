/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shared/memfd.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC 0x958458f6
#endif

#define FILL_STEP (UINT64_C (1) << 20)

static int
seals_of (enum sf_shm_kind kind)
{
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

  return kind == SF_SHM_SEALED ? seals | F_SEAL_FUTURE_WRITE : seals;
}

static void
touch (uint8_t *at, uint64_t size)
{
  for (uint64_t i = 0; i < size; i += (uint64_t) sysconf (_SC_PAGESIZE))
    ((volatile uint8_t *) at)[i] = 0;
}

/* Makes the pages of the one who writes them present: cleared, and data, not a
 * hole, for the peer that checks. */
static int
fill_step (uint8_t *at, uint64_t size)
{
  while (madvise (at, size, MADV_POPULATE_WRITE) < 0) {
    if (errno == EINVAL) {      /* Linux before 5.14 */
      touch (at, size);
      return 0;
    }
    if (errno != EINTR && errno != EAGAIN)
      return errno == ENOMEM ? -ENOMEM : -ENOSPC;
  }
  return 0;
}

/* In steps, since nobody else in this process can map or unmap meanwhile, as a
 * large malloc() does. */
static int
fill (uint8_t *at, uint64_t size)
{
  int err = 0;

  for (uint64_t done = 0; done < size && err == 0; done += FILL_STEP)
    err = fill_step (at + done, size - done < FILL_STEP ? size - done
        : FILL_STEP);
  return err;
}

int
sf_shm_reserve (const struct sf_shm *shm, uint64_t from, uint64_t to)
{
  uint8_t *at = (uint8_t *) shm->map + from;
  int err = sf_memfd_reserve (shm->fd, from, to);

  if (err < 0)
    return err;
  if (mprotect (at, to - from, PROT_READ | PROT_WRITE) < 0)
    return -errno;
  err = fill (at, to - from);
  /* qemu-user ignores advice without an error. */
  if (err == 0 && !sf_shm_has_pages (shm->fd, from, to))
    touch (at, to - from);
  return err;
}

int
sf_shm_create_sparse (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind, bool huge)
{
  int fd = sf_memfd_create (name, size, huge);
  int err;
  void *map;

  if (fd < 0)
    return fd;
  map = size > SIZE_MAX ? MAP_FAILED
      : mmap (NULL, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (map == MAP_FAILED) {
    err = size > SIZE_MAX ? -ENOMEM : -errno;
    goto fail_fd;
  }
  if (fcntl (fd, F_ADD_SEALS, seals_of (kind)) < 0) {
    err = -errno;
    goto fail_map;
  }
  *shm = (struct sf_shm) { .fd = fd, .map = map, .size = size };
  return 0;

fail_map:
  munmap (map, size);
fail_fd:
  close (fd);
  return err;
}

int
sf_shm_create (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind)
{
  struct sf_shm made;
  int err = sf_shm_create_sparse (&made, name, size, kind, false);

  if (err < 0)
    return err;
  err = sf_shm_reserve (&made, 0, size);
  if (err < 0)
    sf_shm_close (&made);
  else
    *shm = made;
  return err;
}

/* Check the seals first: only shared memory has any, so no later call can block
 * on a file system of the peer's own (FUSE). */
int
sf_shm_check_fd (int fd, uint64_t size, enum sf_shm_kind kind)
{
  struct stat st;
  int seals = fcntl (fd, F_GET_SEALS);

  if (seals < 0 || (seals & seals_of (kind)) != seals_of (kind))
    return -EPROTO;
  if (fstat (fd, &st) < 0 || size == 0 || size > INT64_MAX
      || (uint64_t) st.st_size != size)
    return -EPROTO;
  return 0;
}

/* The kernel does not tell where a file has no huge pages. Make them, in a
 * mapping for this check, which fails without SIGBUS where there are none; they
 * stay. */
static bool
has_huge_pages (int fd, uint64_t from, uint64_t to, uint64_t page)
{
  uint64_t begin = from / page * page, end = (to + page - 1) / page * page;
  size_t n = (end - begin) / (uint64_t) sysconf (_SC_PAGESIZE);
  unsigned char *present = malloc (n);
  bool all = false;
  void *map;

  if (present == NULL)
    return false;
  map = mmap (NULL, end - begin, PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
      (off_t) begin);
  if (map != MAP_FAILED) {
    all = mincore (map, end - begin, present) == 0;
    for (size_t i = 0; i < n && all; i++)
      all = (present[i] & 1) != 0;
    munmap (map, end - begin);
  }
  free (present);
  return all;
}

/* Blocks would not do: those behind the end of the file count as well. */
bool
sf_shm_has_pages (int fd, uint64_t from, uint64_t to)
{
  struct statfs fs;
  off_t hole;

  if (from >= to)
    return true;
  if (fstatfs (fd, &fs) < 0)
    return false;
  if ((uint32_t) fs.f_type == HUGETLBFS_MAGIC)
    return has_huge_pages (fd, from, to, (uint64_t) fs.f_bsize);
  hole = lseek (fd, (off_t) from, SEEK_HOLE);
  return hole >= 0 && (uint64_t) hole >= to;
}

uint8_t *
sf_shm_addresses (uint64_t size, uint64_t page)
{
  uint64_t spare = page - (uint64_t) sysconf (_SC_PAGESIZE);
  uint64_t head;
  uint8_t *at;

  if (size > SIZE_MAX - spare) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  at = mmap (NULL, size + spare, PROT_NONE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED || spare == 0)
    return at;
  head = (page - (uintptr_t) at % page) % page;
  if (head > 0)
    munmap (at, head);
  if (spare > head)
    munmap (at + head + size, spare - head);
  return at + head;
}

/* An fd without access, or an offset without pages, is the peer's fault; too
 * little memory is not. */
int
sf_shm_mmap_error (void)
{
  return errno == ENOMEM || errno == EAGAIN ? -errno : -EPROTO;
}

int
sf_shm_open (struct sf_shm *shm, int fd, uint64_t size, enum sf_shm_kind kind)
{
  const int prot = kind == SF_SHM_SEALED ? PROT_READ : PROT_READ | PROT_WRITE;
  int err = sf_shm_check_fd (fd, size, kind);
  void *map = MAP_FAILED;

  if (err == 0 && !sf_shm_has_pages (fd, 0, size))
    err = -EPROTO;
  if (err == 0) {
    map = mmap (NULL, size, prot, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED)
      err = sf_shm_mmap_error ();
  }
  if (err < 0) {
    close (fd);
    return err;
  }
  *shm = (struct sf_shm) { .fd = fd, .map = map, .size = size };
  return 0;
}

void
sf_shm_keep_map (struct sf_shm *shm)
{
  close (shm->fd);
  shm->fd = -1;
  madvise (shm->map, shm->size, MADV_DONTFORK);
}

void
sf_shm_close (struct sf_shm *shm)
{
  if (shm->map)
    munmap (shm->map, shm->size);
  if (shm->fd >= 0)
    close (shm->fd);
  *shm = (struct sf_shm) { .fd = -1 };
}
