/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* fallocate() may undo its work when a signal comes; of this much at a time, a
 * process with a fast timer signal gets to the end as well. */
#define FALLOCATE_STEP (UINT64_C (2) << 20)

/* Sizes whose attempt would harm instead of fail: beyond the file size limit
 * the kernel sends SIGXFSZ, and beyond the machine's memory it looks for a
 * process to kill. */
static int
check_limits (uint64_t size)
{
  struct rlimit limit;
  struct sysinfo info;

  if (size == 0)
    return -EINVAL;
  if (size > INT64_MAX)
    return -EFBIG;
  if (getrlimit (RLIMIT_FSIZE, &limit) == 0
      && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur)
    return -EFBIG;
  if (sysinfo (&info) == 0
      && size / info.mem_unit > (uint64_t) info.totalram + info.totalswap)
    return -ENOMEM;
  return 0;
}

static int
new_memfd (const char *name, bool huge)
{
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
      | (huge ? MFD_HUGETLB : 0);
  int fd = memfd_create (name, flags | MFD_NOEXEC_SEAL);

  /* Linux before 6.3 does not know the flag. */
  if (fd < 0 && errno == EINVAL)
    fd = memfd_create (name, flags);
  return fd < 0 ? -errno : fd;
}

uint64_t
sf_huge_page_size (void)
{
  struct stat st = { 0 };
  int fd = new_memfd ("shmframe-probe", true);

  if (fd < 0)
    return 0;
  if (fstat (fd, &st) < 0)
    st.st_blksize = 0;
  close (fd);
  return (uint64_t) st.st_blksize;
}

/* Huge pages cannot be written to through the fd. */
static int
reserve_huge (int fd, uint64_t size)
{
  for (uint64_t at = 0; at < size;) {
    uint64_t n = size - at < FALLOCATE_STEP ? size - at : FALLOCATE_STEP;

    if (fallocate (fd, 0, (off_t) at, (off_t) n) == 0)
      at += n;
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}

/* Pages that were written to can be mapped many at a time. Those of fallocate()
 * are not filled yet, and take a fault each: half as long again in all. */
static int
reserve (int fd, uint64_t size)
{
  static const uint8_t zeros[UINT64_C (16) << 10];

  for (uint64_t at = 0; at < size;) {
    size_t n = size - at < sizeof zeros ? size - at : sizeof zeros;
    ssize_t done = pwrite (fd, zeros, n, (off_t) at);

    if (done > 0)
      at += (uint64_t) done;
    else if (done == 0)
      return -ENOSPC;
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}

int
sf_memfd_create (const char *name, uint64_t size, bool huge)
{
  int err = check_limits (size);
  int fd;

  if (err < 0)
    return err;
  fd = new_memfd (name, huge);
  if (fd < 0)
    return fd;
  err = ftruncate (fd, (off_t) size) < 0 ? -errno
      : huge ? reserve_huge (fd, size) : reserve (fd, size);
  if (err < 0) {
    close (fd);
    return err;
  }
  return fd;
}
