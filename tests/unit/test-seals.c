/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both directions of distrust: what a client that got a segment's fd can do to
 * it (nothing), and which fds from a peer are refused. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "guards.h"
#include "unit.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SEALED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE)
#define SHARED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static uint64_t page;

/* A segment full of 'f', and what its client can know of it. */
struct target
{
  struct sf_segment *made, *opened;
  int fd;
};

static struct target
new_target (void)
{
  struct sf_segment_info info;
  struct target t;

  check_int (sf_segment_create (&t.made, 4, page), 0);
  memset (t.made->slots, 'f', 4 * page);
  sf_segment_describe (t.made, 1, &info);
  check_int (sf_segment_open (&t.opened, dup (t.made->shm.fd), GUARDED_BY (-1),
          &info), 0);
  t.fd = t.opened->shm.fd;
  return t;
}

/* Frames, header and size are what they were. */
static void
check_intact (struct target *t)
{
  check_int (sf_segment_header (t->opened)->magic, SF_SEGMENT_MAGIC);
  for (uint64_t i = 0; i < 8 * page; i++)
    check_int (sf_segment_slot (t->opened, 0)[i], 'f');
  check_int (lseek (t->fd, 0, SEEK_END), t->made->shm.size);
}

static void
free_target (struct target *t)
{
  check_intact (t);
  sf_segment_unref (t->opened);
  sf_segment_unref (t->made);
}

static void
check_cannot_change (int fd, uint64_t size)
{
  static const int modes[] = { FALLOC_FL_ZERO_RANGE, FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
  };
  struct iovec iov = { .iov_base = (void *) "bad", .iov_len = 3 };
  int other = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  off_t at = 0;

  check_int (pwrite (fd, "bad", 3, page), -1);
  check_int (pwritev (fd, &iov, 1, page), -1);
  check_int (lseek (fd, page, SEEK_SET), page);
  check_int (write (fd, "bad", 3), -1);
  check_int (sendfile (fd, other, NULL, 3), -1);
  check_int (copy_file_range (other, NULL, fd, NULL, 3, 0), -1);
  check_int (lseek (fd, page, SEEK_SET), page);
  check_int (ftruncate (fd, 0), -1);
  check_int (ftruncate (fd, size - 1), -1);
  check_int (ftruncate (fd, size + 1), -1);
  check_int (fallocate (fd, 0, size, page), -1);
  check_int (fallocate (fd, FALLOC_FL_KEEP_SIZE, size, page), -1);
  for (int i = 0; i < 3; i++)
    check_int (fallocate (fd, modes[i], page, page), -1);
  check_int (copy_file_range (fd, &at, fd, NULL, 3, 0), -1);
  close (other);
}

static void
test_client_cannot_write (void)
{
  struct target t = new_target ();

  check_cannot_change (t.fd, t.made->shm.size);
  free_target (&t);
}

static void
test_client_cannot_map (void)
{
  struct target t = new_target ();
  uint8_t *p;

  check (mmap (NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, t.fd, page)
      == MAP_FAILED);
  check (mmap (NULL, page, PROT_WRITE, MAP_SHARED, t.fd, 0) == MAP_FAILED);
  check_int (mprotect (sf_segment_slot (t.opened, 0), page, PROT_READ | PROT_WRITE), -1);
  check_int (mprotect (t.opened->shm.map, page, PROT_WRITE), -1);
  if (!unit_is_emulated ())
    check_int (madvise (sf_segment_slot (t.opened, 0), page, MADV_REMOVE), -1);
  /* A private copy is the client's own. */
  p = mmap (NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, t.fd, page);
  check (p != MAP_FAILED);
  p[0] = 'x';
  check_intact (&t);
  munmap (p, page);
  free_target (&t);
}

static void
test_client_cannot_write_by_reopening (void)
{
  static const int flags[] = { O_RDWR, O_WRONLY, O_RDWR | O_TRUNC,
    O_WRONLY | O_APPEND
  };
  struct target t = new_target ();
  char path[64];

  snprintf (path, sizeof path, "/proc/self/fd/%d", t.fd);
  for (int i = 0; i < 4; i++) {
    int fd = open (path, flags[i] | O_CLOEXEC);

    if (fd < 0)
      continue;                 /* so much the better */
    check (mmap (NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        == MAP_FAILED);
    check_cannot_change (fd, t.made->shm.size);
    close (fd);
    check_intact (&t);
  }
  check_int (truncate (path, 0), -1);
  free_target (&t);
}

/* By way of its own address space: the mapping itself may not be written. */
static void
test_client_cannot_write_its_memory (void)
{
  struct target t = new_target ();
  struct iovec from = { .iov_base = (void *) "bad", .iov_len = 3 };
  struct iovec to = { .iov_base = sf_segment_slot (t.opened, 0), .iov_len = 3 };
  int mem = open ("/proc/self/mem", O_RDWR | O_CLOEXEC);
  int random = open ("/dev/urandom", O_RDONLY | O_CLOEXEC);

  check_int (process_vm_writev (getpid (), &from, 1, &to, 1, 0), -1);
  /* Emulated, these are the emulator's own addresses. */
  if (mem >= 0 && !unit_is_emulated ())
    check_int (pwrite (mem, "bad", 3, (off_t) (uintptr_t) sf_segment_slot (t.opened, 0)), -1);
  check_int (read (random, sf_segment_slot (t.opened, 0), 3), -1);
  close (mem);
  close (random);
  free_target (&t);
}

static void
test_client_cannot_change_seals (void)
{
  struct target t = new_target ();

  check_int (fcntl (t.fd, F_GET_SEALS) & SEALED, SEALED);
  check_int (fcntl (t.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
  check_int (errno, EPERM);
  /* The maker goes on writing. */
  t.made->slots[5] = 'm';
  check_int (sf_segment_slot (t.opened, 0)[5], 'm');
  t.made->slots[5] = 'f';
  free_target (&t);
}

/* A memfd as a peer could make it, all its pages there, and written to, unless it has
 * holes. */
static int
peer_memfd (uint64_t size, int seals, bool holes)
{
  int fd = memfd_create ("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  check_int (ftruncate (fd, size), 0);
  for (uint64_t at = 0; at < size && !holes; at += page)
    check_int (pwrite (fd, "", 1, (off_t) at), 1);
  if (seals)
    check_int (fcntl (fd, F_ADD_SEALS, seals), 0);
  return fd;
}

/* Refused, closed, nothing written. */
static void
check_shm_refused (int fd, uint64_t size, enum sf_shm_kind kind)
{
  struct sf_shm shm, before;

  memset (&shm, 0x5a, sizeof shm);
  before = shm;
  check_int (sf_shm_open (&shm, fd, size, kind), -EPROTO);
  check (memcmp (&shm, &before, sizeof shm) == 0);
  check_int (fcntl (fd, F_GETFD), -1);
}

static void
test_missing_seal_is_refused (void)
{
  for (int bit = 1; bit <= F_SEAL_FUTURE_WRITE; bit <<= 1) {
    if (SEALED & bit)
      check_shm_refused (peer_memfd (page, SEALED & ~bit, false), page,
          SF_SHM_SEALED);
    if (SHARED & bit)
      check_shm_refused (peer_memfd (page, SHARED & ~bit, false), page,
          SF_SHM_SHARED);
  }
  check_shm_refused (peer_memfd (page, 0, false), page, SF_SHM_SEALED);
  check_shm_refused (peer_memfd (page, 0, false), page, SF_SHM_SHARED);
}

static void
test_wrong_size_is_refused (void)
{
  static const int64_t off_by[] = { -4096, -1, 1, 4096 };

  for (int i = 0; i < 4; i++) {
    uint64_t size = 4 * page;

    check_shm_refused (peer_memfd (size, SEALED, false), size + off_by[i],
        SF_SHM_SEALED);
    check_shm_refused (peer_memfd (size, SHARED, false), size + off_by[i],
        SF_SHM_SHARED);
  }
  check_shm_refused (peer_memfd (0, SEALED, true), 0, SF_SHM_SEALED);
  check_shm_refused (peer_memfd (page, SEALED, false), UINT64_MAX,
      SF_SHM_SEALED);
}

/* Its pages would be made when we touch them: from our memory, or not at all. */
static void
test_holes_are_refused (void)
{
  check_shm_refused (peer_memfd (64 * page, SEALED, true), 64 * page,
      SF_SHM_SEALED);
  check_shm_refused (peer_memfd (64 * page, SHARED, true), 64 * page,
      SF_SHM_SHARED);
}

/* Blocks that make up for the holes in number. */
static void
test_pages_behind_the_end (void)
{
  for (int kind = 0; kind < 2; kind++) {
    int fd = peer_memfd (64 * page, 0, true);

    check_int (fallocate (fd, FALLOC_FL_KEEP_SIZE, (off_t) (64 * page),
            (off_t) (64 * page)), 0);
    check_int (fcntl (fd, F_ADD_SEALS, kind == 0 ? SEALED : SHARED), 0);
    check_shm_refused (fd, 64 * page, kind == 0 ? SF_SHM_SEALED
        : SF_SHM_SHARED);
  }
}

static void
test_other_files_are_refused (void)
{
  int fds[2], memfd, sealed;
  char path[64];

  check_shm_refused (open ("/proc/self/exe", O_RDONLY | O_CLOEXEC), page,
      SF_SHM_SEALED);
  check_shm_refused (open ("/", O_RDONLY | O_CLOEXEC), page, SF_SHM_SEALED);
  check_shm_refused (open ("/dev/zero", O_RDWR | O_CLOEXEC), page,
      SF_SHM_SHARED);
  check_int (pipe2 (fds, O_CLOEXEC), 0);
  check_shm_refused (fds[0], page, SF_SHM_SEALED);
  check_shm_refused (fds[1], page, SF_SHM_SHARED);
  check_int (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), 0);
  check_shm_refused (fds[0], page, SF_SHM_SEALED);
  close (fds[1]);
  memfd = memfd_create ("peer", MFD_CLOEXEC);   /* can never be sealed */
  check_int (fallocate (memfd, 0, 0, page), 0);
  check_shm_refused (memfd, page, SF_SHM_SEALED);
  sealed = peer_memfd (page, SEALED, false);
  snprintf (path, sizeof path, "/proc/self/fd/%d", sealed);
  check_shm_refused (open (path, O_PATH | O_CLOEXEC), page, SF_SHM_SEALED);
  check_shm_refused (open (path, O_WRONLY | O_CLOEXEC), page, SF_SHM_SEALED);
  close (sealed);
  check_shm_refused (-1, page, SF_SHM_SEALED);
}

/* What both sides are to write can be, or it is refused. */
static void
test_unwritable_shared_is_refused (void)
{
  int fd = peer_memfd (page, SHARED, false);
  char path[64];

  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  check_shm_refused (open (path, O_RDONLY | O_CLOEXEC), page, SF_SHM_SHARED);
  close (fd);
  check_shm_refused (peer_memfd (page, SEALED, false), page, SF_SHM_SHARED);
  check_shm_refused (peer_memfd (page, SHARED | F_SEAL_WRITE, false), page,
      SF_SHM_SHARED);
}

static void
check_segment_refused (int fd, const struct sf_segment_info *info)
{
  struct sf_segment *untouched = (struct sf_segment *) &page, *s = untouched;
  int guard = dup (fd);

  check_int (sf_segment_open (&s, fd, GUARDED_BY (guard), info), -EPROTO);
  check (s == untouched);
  check_int (fcntl (fd, F_GETFD), -1);
  check_int (fcntl (guard, F_GETFD), -1);
}

static void
test_wrong_header_is_refused (void)
{
  struct target t = new_target ();
  struct sf_segment_header *h = sf_segment_header (t.made), good = *h;
  struct sf_segment_info info;

  sf_segment_describe (t.made, 1, &info);
  for (size_t at = 0; at < offsetof (struct sf_segment_header, reserved); at++) {
    ((uint8_t *) h)[at] ^= 0x10;
    check_segment_refused (dup (t.fd), &info);
    memcpy (h, &good, sizeof good);
  }
  free_target (&t);
}

/* Sealed and of the right size, but with nothing in it. */
static void
test_empty_segment_is_refused (void)
{
  struct target t = new_target ();
  struct sf_segment_info info;

  sf_segment_describe (t.made, 1, &info);
  check_segment_refused (peer_memfd (info.size, SEALED, false), &info);
  check_segment_refused (peer_memfd (info.size, 0, false), &info);
  check_segment_refused (peer_memfd (info.size, SHARED, false), &info);
  check_segment_refused (peer_memfd (info.size - 1, SEALED, false), &info);
  free_target (&t);
}

/* The header in the segment repeats each lie of the message, so that the
 * message's own check is what must refuse it. */
static void
check_lie_refused (struct target *t, const struct sf_segment_info *info)
{
  struct sf_segment_header *h = sf_segment_header (t->made), good = *h;

  *h = (struct sf_segment_header) { .magic = good.magic, .version = good.version };
  h->n_slots = info->n_slots;
  h->pitch = info->pitch;
  h->data_offset = info->data_offset;
  h->size = info->size;
  check_segment_refused (dup (t->fd), info);
  memcpy (h, &good, sizeof good);
}

static void
test_wrong_info_is_refused (void)
{
  struct target t = new_target ();
  struct sf_segment_info good;
  uint64_t size = t.made->shm.size;

  sf_segment_describe (t.made, 1, &good);
  check_int (size, 5 * page);
  const struct sf_segment_info lies[] = {
    { 1, 0, page, size, size },
    { 1, 5, page, page, size },
    { 1, 5, page, 0, size },
    { 1, SF_MAX_SLOTS + 1, page, page, size },
    { 1, UINT32_MAX, page, page, size },
    { 1, 4, 0, page, size },
    { 1, 4, page / 2, 3 * page, size },
    { 1, 4, page - 1, page + 4, size },
    { 1, 4, UINT64_C (1) << 62, size, size },
    { 1, 4, SF_MAX_SLOT_SIZE + page, size - 4 * (SF_MAX_SLOT_SIZE + page), size },
    { 1, 4, page, 2 * page, size },
    { 1, 4, page, page, size + page },
    { 1, 4, page, page - 8, size - 8 },
    { 1, 4, page, -4 * page, 0 },
    /* These add up, in 64 bits. */
    { 1, SF_MAX_SLOTS, SF_MAX_SLOT_SIZE,
        size - SF_MAX_SLOTS * SF_MAX_SLOT_SIZE, size },
    { 1, 4, page, page - 4 * page, page },
  };

  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    printf ("# lie %zu\n", i);
    check_lie_refused (&t, &lies[i]);
  }
  free_target (&t);
}

/* Slots that begin inside the generation counters. */
static void
test_slots_over_generations_are_refused (void)
{
  struct sf_segment_info info;
  struct sf_segment *s;
  uint32_t n = (uint32_t) (page / sizeof (uint64_t));

  check_int (sf_segment_create (&s, n, 1), 0);
  sf_segment_describe (s, 1, &info);
  check_int (info.data_offset, 2 * page);
  info.data_offset = page;
  info.n_slots = n + 1;
  sf_segment_header (s)->data_offset = page;
  sf_segment_header (s)->n_slots = n + 1;
  check_segment_refused (dup (s->shm.fd), &info);
  sf_segment_unref (s);
}

static const struct unit_test tests[] = {
  TEST (test_client_cannot_write),
  TEST (test_client_cannot_map),
  TEST (test_client_cannot_write_by_reopening),
  TEST (test_client_cannot_write_its_memory),
  TEST (test_client_cannot_change_seals),
  TEST (test_missing_seal_is_refused),
  TEST (test_wrong_size_is_refused),
  TEST (test_holes_are_refused),
  TEST (test_pages_behind_the_end),
  TEST (test_other_files_are_refused),
  TEST (test_unwritable_shared_is_refused),
  TEST (test_wrong_header_is_refused),
  TEST (test_empty_segment_is_refused),
  TEST (test_wrong_info_is_refused),
  TEST (test_slots_over_generations_are_refused),
};

int
main (void)
{
  page = (uint64_t) sysconf (_SC_PAGESIZE);
  return unit_main (tests);
}
