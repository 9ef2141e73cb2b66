/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fork.h"
#include "hot.h"
#include "memfd.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static uint64_t
page_size (void)
{
  return (uint64_t) sysconf (_SC_PAGESIZE);
}

static uint64_t
round_up (uint64_t n, uint64_t page)
{
  return (n + page - 1) / page * page;
}

static int
seals_of (enum sf_shm_kind kind)
{
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

  return kind == SF_SHM_SEALED ? seals | F_SEAL_FUTURE_WRITE : seals;
}

static int
create (struct sf_shm *shm, const char *name, uint64_t size,
    enum sf_shm_kind kind, bool huge)
{
  int fd = sf_memfd_create (name, size, huge);
  int err;
  void *map;

  if (fd < 0)
    return fd;
  map = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
      fd, 0);
  if (map == MAP_FAILED) {
    err = -errno;
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
  return create (shm, name, size, kind, false);
}

/* The seals are looked at first: only shared memory has any, so no later call
 * can block on a file system of the peer's own (FUSE). Sealed and without
 * holes (st_blocks), every page is there and stays. */
static int
check_peer_fd (int fd, uint64_t size, enum sf_shm_kind kind)
{
  struct stat st;
  int seals = fcntl (fd, F_GET_SEALS);

  if (seals < 0 || (seals & seals_of (kind)) != seals_of (kind))
    return -EPROTO;
  if (fstat (fd, &st) < 0 || size == 0 || size > INT64_MAX
      || (uint64_t) st.st_size != size
      || (uint64_t) st.st_blocks < (size + 511) / 512)
    return -EPROTO;
  return 0;
}

/* No access to what the peer sent is the peer's fault, and so is an offset that
 * its pages do not have; no memory is not. */
static int
error_of_peer_mmap (void)
{
  return errno == ENOMEM || errno == EAGAIN ? -errno : -EPROTO;
}

int
sf_shm_open (struct sf_shm *shm, int fd, uint64_t size, enum sf_shm_kind kind)
{
  const int prot = kind == SF_SHM_SEALED ? PROT_READ : PROT_READ | PROT_WRITE;
  int err = check_peer_fd (fd, size, kind);
  void *map = MAP_FAILED;

  if (err == 0) {
    map = mmap (NULL, size, prot, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED)
      err = error_of_peer_mmap ();
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

static uint64_t
data_offset_of (uint32_t n_slots, uint64_t page)
{
  return round_up (sizeof (struct sf_segment_header)
      + n_slots * sizeof (sf_atomic_u64), page);
}

static uint64_t
slots_size (const struct sf_segment *segment)
{
  return segment->n_slots * segment->pitch;
}

uint64_t
sf_segment_bytes_of (uint32_t n_slots, uint64_t slot_size, uint64_t huge_page)
{
  uint64_t page = huge_page > 0 ? huge_page : page_size ();

  if (n_slots == 0 || n_slots > SF_MAX_SLOTS
      || slot_size == 0 || round_up (slot_size, page) > SF_MAX_SLOT_SIZE)
    return UINT64_MAX;
  return data_offset_of (n_slots, page) + n_slots * round_up (slot_size, page);
}

static void
write_header (struct sf_segment *segment)
{
  struct sf_segment_header *h = sf_segment_header (segment);

  h->magic = SF_SEGMENT_MAGIC;
  h->version = SF_LAYOUT_VERSION;
  h->n_slots = segment->n_slots;
  h->pitch = segment->pitch;
  h->data_offset = segment->data_offset;
  h->size = segment->shm.size;
}

/* Addresses in one piece, so that mappings laid over them cannot hit anybody
 * else's; they begin at a multiple of `page`, as huge pages have to. */
static uint8_t *
reserve_addresses (uint64_t size, uint64_t page)
{
  uint64_t spare = page - page_size ();
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
  head = round_up ((uintptr_t) at, page) - (uintptr_t) at;
  if (head > 0)
    munmap (at, head);
  if (spare > head)
    munmap (at + head + size, spare - head);
  return at + head;
}

/* header | slots | slots again, for windows that wrap. What is mapped already is
 * moved to where there is room behind it. */
static int
map_slots_again (struct sf_segment *s, uint64_t page)
{
  uint64_t total = s->shm.size + slots_size (s);
  uint8_t *base = reserve_addresses (total, page);

  if (base == MAP_FAILED)
    return -errno;
  if (mremap (s->shm.map, s->shm.size, s->shm.size,
          MREMAP_MAYMOVE | MREMAP_FIXED, base) == MAP_FAILED) {
    int err = -errno;

    munmap (base, total);
    return err;
  }
  s->shm.map = base;
  if (mmap (base + s->shm.size, slots_size (s), PROT_READ,
          MAP_SHARED | MAP_FIXED, s->shm.fd, (off_t) s->data_offset)
      == MAP_FAILED) {
    int err = -errno;

    munmap (base + s->shm.size, slots_size (s));
    return err;
  }
  return 0;
}

int
sf_segment_create_of (struct sf_segment **segment, uint32_t n_slots,
    uint64_t slot_size, uint64_t huge_page)
{
  uint64_t page = huge_page > 0 ? huge_page : page_size ();
  uint64_t size = sf_segment_bytes_of (n_slots, slot_size, huge_page);
  struct sf_segment *s;
  int err;

  if (size == UINT64_MAX)
    return -EINVAL;
  s = calloc (1, sizeof *s);
  if (!s)
    return -ENOMEM;
  err = create (&s->shm, "shmframe-segment", size, SF_SHM_SEALED,
      huge_page > 0);
  if (err < 0) {
    free (s);
    return err;
  }
  sf_store_flag (&s->refs, 1);
  s->n_slots = n_slots;
  s->pitch = round_up (slot_size, page);
  s->data_offset = data_offset_of (n_slots, page);
  s->writable = true;
  memset (s->guards, -1, sizeof s->guards);
  err = map_slots_again (s, page);
  if (err < 0) {
    sf_shm_close (&s->shm);
    free (s);
    return err;
  }
  s->slots = (uint8_t *) s->shm.map + s->data_offset;
  write_header (s);
  *segment = s;
  return 0;
}

/* `info` is the peer's: none of it is believed before it adds up. */
static int
check_info (const struct sf_segment_info *info)
{
  uint64_t page = page_size ();
  uint64_t size;

  if (info->n_slots == 0 || info->n_slots > SF_MAX_SLOTS
      || info->pitch == 0 || info->pitch > SF_MAX_SLOT_SIZE
      || info->pitch % page != 0 || info->data_offset % page != 0
      || info->data_offset < data_offset_of (info->n_slots, page))
    return -EPROTO;
  if (__builtin_add_overflow (info->data_offset, info->n_slots * info->pitch,
          &size) || size != info->size)
    return -EPROTO;
  return 0;
}

/* Read with a system call: it copies once, and nothing is mapped yet. */
static int
check_header (int fd, const struct sf_segment_info *info)
{
  struct sf_segment_header h;
  ssize_t n;

  do
    n = pread (fd, &h, sizeof h, 0);
  while (n < 0 && errno == EINTR);
  if (n != (ssize_t) sizeof h || h.magic != SF_SEGMENT_MAGIC
      || h.version != SF_LAYOUT_VERSION || h.n_slots != info->n_slots
      || h.pitch != info->pitch || h.data_offset != info->data_offset
      || h.size != info->size)
    return -EPROTO;
  return 0;
}

/* Of the memory behind a memfd; the kernel's word, not the peer's. */
static uint64_t
page_size_of (int fd)
{
  uint64_t page = page_size ();
  struct stat st;

  return fstat (fd, &st) == 0 && (uint64_t) st.st_blksize > page
      ? (uint64_t) st.st_blksize : page;
}

/* header | slots | slots again. The second view is for runs that wrap only, its
 * page tables may fill as they are used. */
static int
map_twice (struct sf_segment *s, int fd, uint64_t size)
{
  uint64_t total;
  uint8_t *base;
  int err;

  if (__builtin_add_overflow (size, slots_size (s), &total)
      || total > SIZE_MAX)
    return -ENOMEM;
  base = reserve_addresses (total, page_size_of (fd));
  if (base == MAP_FAILED)
    return -errno;
  if (mmap (base, size, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
          0) == MAP_FAILED
      || mmap (base + size, slots_size (s), PROT_READ, MAP_SHARED | MAP_FIXED,
          fd, (off_t) s->data_offset) == MAP_FAILED) {
    err = error_of_peer_mmap ();
    munmap (base, total);
    return err;
  }
  s->shm = (struct sf_shm) { .fd = fd, .map = base, .size = size };
  s->slots = base + s->data_offset;
  return 0;
}

static void
close_guards (const int guards[SF_MAX_GUARDS])
{
  for (unsigned i = 0; i < SF_MAX_GUARDS; i++)
    sf_fd_close (guards[i]);
}

static int
open_checked (struct sf_segment **segment, int fd,
    const struct sf_segment_info *info)
{
  struct sf_segment *s = calloc (1, sizeof *s);
  int err;

  if (!s)
    return -ENOMEM;
  sf_store_flag (&s->refs, 1);
  s->n_slots = info->n_slots;
  s->pitch = info->pitch;
  s->data_offset = info->data_offset;
  err = map_twice (s, fd, info->size);
  if (err < 0) {
    free (s);
    return err;
  }
  *segment = s;
  return 0;
}

int
sf_segment_open (struct sf_segment **segment, int fd,
    const int guards[SF_MAX_GUARDS], const struct sf_segment_info *info)
{
  int err = check_info (info);

  if (err == 0)
    err = check_peer_fd (fd, info->size, SF_SHM_SEALED);
  if (err == 0)
    err = check_header (fd, info);
  if (err == 0)
    err = open_checked (segment, fd, info);
  if (err < 0) {
    close (fd);
    close_guards (guards);
    return err;
  }
  for (unsigned i = 0; i < SF_MAX_GUARDS; i++)
    (*segment)->guards[i] = sf_fd_own (guards[i]);
  return 0;
}

SF_HOT struct sf_segment *
sf_segment_ref (struct sf_segment *segment)
{
  sf_ref (&segment->refs);
  return segment;
}

SF_HOT void
sf_segment_unref (struct sf_segment *segment)
{
  if (!segment || !sf_unref_is_last (&segment->refs))
    return;
  munmap ((uint8_t *) segment->shm.map + segment->shm.size,
      slots_size (segment));
  sf_shm_close (&segment->shm);
  close_guards (segment->guards);
  free (segment);
}

void
sf_segment_describe (const struct sf_segment *segment, uint32_t id,
    struct sf_segment_info *info)
{
  *info = (struct sf_segment_info) {
    .id = id,
    .n_slots = segment->n_slots,
    .pitch = segment->pitch,
    .data_offset = segment->data_offset,
    .size = segment->shm.size,
  };
}

SF_HOT int
sf_segment_check (const struct sf_segment *segment,
    const struct sf_mem_ref *ref)
{
  if (ref->slot >= segment->n_slots || ref->offset > segment->pitch
      || ref->size > segment->pitch - ref->offset)
    return -EPROTO;
  return 0;
}
