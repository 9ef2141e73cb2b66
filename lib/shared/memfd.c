/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/memfd.h"

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

/* fallocate() may undo its work when a signal comes; in steps of this many
 * bytes it gets done even in a process with a fast timer signal. */
#define FALLOCATE_STEP (UINT64_C (64) << 10)

/* Beyond the file size limit the kernel would send SIGXFSZ. */
static int
check_size (uint64_t size)
{
  struct rlimit limit;

  if (size == 0)
    return -EINVAL;
  if (size > INT64_MAX)
    return -EFBIG;
  if (getrlimit (RLIMIT_FSIZE, &limit) == 0
      && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur)
    return -EFBIG;
  return 0;
}

/* Beyond the machine's memory the kernel would pick a process to kill. */
static bool
is_more_than_all (uint64_t size)
{
  struct sysinfo info;

  return sysinfo (&info) == 0
      && size / info.mem_unit > (uint64_t) info.totalram + info.totalswap;
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

int
sf_memfd_create (const char *name, uint64_t size, bool huge)
{
  int err = check_size (size);
  int fd;

  if (err < 0)
    return err;
  fd = new_memfd (name, huge);
  if (fd < 0)
    return fd;
  if (ftruncate (fd, (off_t) size) < 0) {
    err = -errno;
    close (fd);
    return err;
  }
  return fd;
}

int
sf_memfd_reserve (int fd, uint64_t from, uint64_t to)
{
  if (is_more_than_all (to - from))
    return -ENOMEM;
  while (from < to) {
    uint64_t n = to - from < FALLOCATE_STEP ? to - from : FALLOCATE_STEP;

    if (fallocate (fd, FALLOC_FL_KEEP_SIZE, (off_t) from, (off_t) n) == 0)
      from += n;
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}
