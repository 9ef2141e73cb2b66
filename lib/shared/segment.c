/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/fork.h"
#include "shared/compiler.h"
#include "shared/test-hooks.h"

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

/* Returns the bytes of the header and the generations of so many slots. */
static uint64_t
head_size_of (uint32_t n_slots, uint64_t page)
{
  return round_up (sizeof (struct sf_segment_header)
      + n_slots * sizeof (sf_atomic_u64), page);
}

static uint64_t
end_of_slots (const struct sf_segment *segment, uint32_t n_slots)
{
  return segment->data_offset + n_slots * segment->pitch;
}

uint64_t
sf_segment_bytes_of (uint32_t n_slots, uint64_t slot_size, uint64_t huge_page)
{
  uint64_t page = huge_page > 0 ? huge_page : page_size ();

  if (n_slots == 0 || n_slots > SF_MAX_SLOTS
      || slot_size == 0 || round_up (slot_size, page) > SF_MAX_SLOT_SIZE)
    return UINT64_MAX;
  return head_size_of (n_slots, page) + n_slots * round_up (slot_size, page);
}

/* Returns the page size of a memfd: the kernel's word, not the peer's. */
static uint64_t
page_size_of (int fd)
{
  uint64_t page = page_size ();
  struct stat st;

  return fstat (fd, &st) == 0 && (uint64_t) st.st_blksize > page
      ? (uint64_t) st.st_blksize : page;
}

static uint64_t
view_size (const struct sf_segment *s, const struct sf_view *view)
{
  return (view->twice ? 2 : 1) * view->n_slots * s->pitch;
}

static struct sf_view *
newest_view (const struct sf_segment *s)
{
  return (struct sf_view *) sf_observe_pointer (&s->views);
}

/* 0, or an error that says whose fault it is. */
static int
map_view (const struct sf_segment *s, struct sf_view *view)
{
  uint64_t once = view->n_slots * s->pitch, size = view_size (s, view);
  uint8_t *at = sf_shm_addresses (size, page_size_of (s->shm.fd));
  off_t offset = (off_t) end_of_slots (s, view->first);

  SF_HOOK ("map");
  if (at == MAP_FAILED)
    return -ENOMEM;
  for (uint64_t half = 0; half < size; half += once)
    if (mmap (at + half, once, PROT_READ, MAP_SHARED | MAP_FIXED, s->shm.fd,
            offset) == MAP_FAILED) {
      int err = sf_shm_mmap_error ();

      munmap (at, size);
      return err;
    }
  view->slots = at;
  return 0;
}

/* Maps slots; pages come in as they are read. Without a user of runs only the
 * new slots are mapped. */
static int
add_view_locked (struct sf_segment *s, uint32_t before, uint32_t n_slots)
{
  bool whole = before == 0 || sf_load_flag (&s->runs) != 0;
  struct sf_view *view;
  int err;

  /* The first view, one for each growth, and one for a late user of runs. */
  if (s->n_views == SF_MAX_GROWTHS + 2)
    return -EPROTO;
  view = malloc (sizeof (*view));
  if (!view)
    return -ENOMEM;
  *view = (struct sf_view) {
    .older = newest_view (s),
    .first = whole ? 0 : before,
    .n_slots = whole ? n_slots : n_slots - before,
    .twice = whole,
  };
  err = map_view (s, view);
  if (err < 0) {
    free (view);
    return err;
  }
  sf_publish_pointer (&s->views, view);
  s->n_views++;
  if (whole)
    sf_store_flag (&s->run_missing, 0);
  return 0;
}

struct sf_run
sf_segment_run (struct sf_segment *s, const uint8_t *address)
{
  struct sf_run run = { s->slots, sf_observe_u32 (&s->n_slots), s->twice };
  const struct sf_view *view;

  if (s->writable)
    return run;
  sf_store_flag (&s->runs, 1);
  view = newest_view (s);
  if (!view->twice)
    sf_store_flag (&s->run_missing, 1);
  /* As numbers, which may wrap: what is not mapped is at 0. */
  while (view != NULL && (uintptr_t) address - (uintptr_t) view->slots
      >= view->n_slots * s->pitch)
    view = view->older;
  if (view != NULL)
    run = (struct sf_run) { view->slots, view->n_slots, view->twice };
  return run;
}

/* Maps the slots of a segment that will not grow once more behind the last one.
 * What is mapped already moves to where there is room. */
static int
map_slots_again (struct sf_segment *s)
{
  uint64_t half = s->shm.size - s->data_offset;
  uint8_t *base = sf_shm_addresses (s->shm.size + half, s->page);
  int err;

  if (base == MAP_FAILED)
    return -ENOMEM;
  if (mremap (s->shm.map, s->shm.size, s->shm.size,
          MREMAP_MAYMOVE | MREMAP_FIXED, base) == MAP_FAILED) {
    err = -errno;
    munmap (base, s->shm.size + half);
    return err;
  }
  s->shm.map = base;
  s->twice = true;
  s->slots = base + s->data_offset;
  return mmap (base + s->shm.size, half, PROT_READ, MAP_SHARED | MAP_FIXED,
      s->shm.fd, (off_t) s->data_offset) == MAP_FAILED ? -errno : 0;
}

static void
init (struct sf_segment *s, uint64_t pitch, uint64_t data_offset,
    uint32_t capacity)
{
  s->refs = 1;
  s->pitch = pitch;
  s->data_offset = data_offset;
  s->capacity = capacity;
  memset (s->guards, -1, sizeof s->guards);
  pthread_mutex_init (&s->lock, NULL);
}

/* Creates as much of the capacity as addresses and the file size limit
 * allow. */
static int
create_capacity (struct sf_segment *s, uint32_t n_slots, uint32_t capacity,
    uint64_t pitch, uint64_t page)
{
  uint64_t head, size;
  int err;

  for (;;) {
    head = head_size_of (capacity, page);
    size = head + capacity * pitch;
    err =
        sf_shm_create_sparse (&s->shm, "shmframe-segment", size, SF_SHM_SEALED,
        page > page_size ());
    if ((err != -ENOMEM && err != -EFBIG) || capacity <= n_slots)
      break;
    capacity = capacity / 2 > n_slots ? capacity / 2 : n_slots;
  }
  if (err < 0)
    return err;
  init (s, pitch, head, capacity);
  s->page = page;
  s->writable = true;
  /* A core dump would make the pages that are not there. */
  madvise (s->shm.map, size, MADV_DONTDUMP);
  s->slots = (uint8_t *) s->shm.map + head;
  return 0;
}

static void
write_header (struct sf_segment *segment)
{
  struct sf_segment_header *h = sf_segment_header (segment);

  h->magic = SF_SEGMENT_MAGIC;
  h->version = SF_LAYOUT_VERSION;
  h->pitch = segment->pitch;
  h->data_offset = segment->data_offset;
  h->size = segment->shm.size;
}

int
sf_segment_create_of (struct sf_segment **segment, uint32_t n_slots,
    uint32_t capacity, uint64_t slot_size, uint64_t huge_page)
{
  uint64_t page = huge_page > 0 ? huge_page : page_size ();
  struct sf_segment *s;
  int err;

  if (sf_segment_bytes_of (n_slots, slot_size, huge_page) == UINT64_MAX)
    return -EINVAL;
  s = calloc (1, sizeof *s);
  if (!s)
    return -ENOMEM;
  if (capacity > SF_MAX_SLOTS)
    capacity = SF_MAX_SLOTS;
  if (capacity < n_slots || huge_page > 0)
    capacity = n_slots;
  err =
      create_capacity (s, n_slots, capacity, round_up (slot_size, page), page);
  if (err < 0) {
    free (s);
    return err;
  }
  if (s->capacity == n_slots)
    err = map_slots_again (s);
  if (err == 0)
    err = sf_segment_grow (s, n_slots);
  if (err < 0) {
    sf_segment_unref (s);
    return err;
  }
  write_header (s);
  *segment = s;
  return 0;
}

int
sf_segment_grow (struct sf_segment *s, uint32_t n_slots)
{
  uint32_t before = sf_observe_u32 (&s->n_slots);
  uint64_t head = before > 0 ? head_size_of (before, s->page) : 0;
  int err = 0;

  if (n_slots <= before)
    return 0;
  if (n_slots > s->capacity || s->n_growths == SF_MAX_GROWTHS)
    return -ENOSPC;
  if (head_size_of (n_slots, s->page) > head)
    err = sf_shm_reserve (&s->shm, head, head_size_of (n_slots, s->page));
  if (err == 0)
    err = sf_shm_reserve (&s->shm, end_of_slots (s, before), end_of_slots (s,
            n_slots));
  if (err < 0)
    return err;
  s->n_growths += before > 0;
  sf_publish_u32 (&sf_segment_header (s)->n_slots, n_slots);
  sf_publish_u32 (&s->n_slots, n_slots);
  return 0;
}

/* `info` is the peer's: check all of it. */
static int
check_info (const struct sf_segment_info *info, uint32_t *capacity)
{
  uint64_t page = page_size ();
  uint64_t n;

  if (info->n_slots == 0 || info->n_slots > SF_MAX_SLOTS
      || info->pitch == 0 || info->pitch > SF_MAX_SLOT_SIZE
      || info->pitch % page != 0 || info->data_offset % page != 0
      || info->size <= info->data_offset
      || (info->size - info->data_offset) % info->pitch != 0)
    return -EPROTO;
  n = (info->size - info->data_offset) / info->pitch;
  if (n < info->n_slots || n > SF_MAX_SLOTS
      || info->data_offset < head_size_of ((uint32_t) n, page)
      || info->data_offset > SF_MAX_SLOT_SIZE)
    return -EPROTO;
  *capacity = (uint32_t) n;
  return 0;
}

/* Reads the number of slots from the header by a system call, which copies once
 * and needs no mapping. -EPROTO: the header is wrong. */
static int
read_header (const struct sf_segment *s, uint32_t *n_slots)
{
  struct sf_segment_header h;
  ssize_t n;

  do
    n = pread (s->shm.fd, &h, sizeof h, 0);
  while (n < 0 && errno == EINTR);
  *n_slots = h.n_slots;
  return n == (ssize_t) sizeof h && h.magic == SF_SEGMENT_MAGIC
      && h.version == SF_LAYOUT_VERSION && h.pitch == s->pitch
      && h.data_offset == s->data_offset && h.size == s->shm.size
      && *n_slots <= s->capacity ? 0 : -EPROTO;
}

/* Maps the slots that a client's segment has gained. -EPROTO: they are not as
 * the header says. */
static int
follow_locked (struct sf_segment *s)
{
  uint32_t before = sf_observe_u32 (&s->n_slots), n_slots;
  uint64_t head;
  int err = read_header (s, &n_slots);

  if (err < 0)
    return err;
  if (n_slots == before && sf_load_flag (&s->run_missing) == 0)
    return 0;
  if (n_slots < before
      || !sf_shm_has_pages (s->shm.fd, 0, head_size_of (n_slots, page_size ()))
      || !sf_shm_has_pages (s->shm.fd, end_of_slots (s, before),
          end_of_slots (s, n_slots)))
    return -EPROTO;
  head = head_size_of (n_slots, page_size_of (s->shm.fd));
  if (mprotect (s->shm.map, head < s->data_offset ? head : s->data_offset,
          PROT_READ) < 0)
    return sf_shm_mmap_error ();
  err = add_view_locked (s, before, n_slots);
  if (err == 0)
    sf_publish_u32 (&s->n_slots, n_slots);
  return err;
}

int
sf_segment_map_growth (struct sf_segment *s, uint32_t slot)
{
  int err;

  pthread_mutex_lock (&s->lock);
  err = follow_locked (s);
  pthread_mutex_unlock (&s->lock);
  return err < 0 || slot < sf_observe_u32 (&s->n_slots) ? err : -EPROTO;
}

static void
close_guards (const int guards[SF_MAX_GUARDS])
{
  for (unsigned i = 1; i < SF_MAX_GUARDS; i++)
    sf_fd_close (guards[i]);
}

static int
open_checked (struct sf_segment **segment, int fd, uint32_t capacity,
    const struct sf_segment_info *info)
{
  struct sf_segment *s = calloc (1, sizeof *s);
  int err;

  if (!s)
    return -ENOMEM;
  init (s, info->pitch, info->data_offset, capacity);
  s->shm = (struct sf_shm) { .fd = fd, .size = info->size };
  s->shm.map = mmap (NULL, s->data_offset, PROT_NONE, MAP_SHARED, fd, 0);
  if (s->shm.map == MAP_FAILED) {
    s->shm.map = NULL;
    err = sf_shm_mmap_error ();
  } else {
    err = sf_segment_map_growth (s, info->n_slots - 1);
  }
  if (err < 0) {
    s->shm.fd = -1;             /* the caller's */
    sf_segment_unref (s);
    return err;
  }
  *segment = s;
  return 0;
}

int
sf_segment_open (struct sf_segment **segment, int fd, struct sf_guard *guard,
    const int guards[SF_MAX_GUARDS], const struct sf_segment_info *info)
{
  uint32_t capacity;
  int err = check_info (info, &capacity);

  if (err == 0)
    err = sf_shm_check_fd (fd, info->size, SF_SHM_SEALED);
  if (err == 0)
    err = open_checked (segment, fd, capacity, info);
  if (err < 0) {
    close (fd);
    close_guards (guards);
    return err;
  }
  if (guard != NULL) {
    (*segment)->guard = sf_guard_ref (guard);
    (*segment)->guards[0] = sf_guard_fd (guard);
  }
  for (unsigned i = 1; i < SF_MAX_GUARDS; i++)
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
  SF_HOOK ("unmap");
  for (struct sf_view *view = newest_view (segment), *older; view;
      view = older) {
    older = view->older;
    munmap (view->slots, view_size (segment, view));
    free (view);
  }
  /* A client maps the header only. */
  if (!segment->writable)
    segment->shm.size = segment->data_offset;
  else if (segment->twice)
    munmap ((uint8_t *) segment->shm.map + segment->shm.size,
        segment->shm.size - segment->data_offset);
  sf_shm_close (&segment->shm);
  close_guards (segment->guards);
  sf_guard_unref (segment->guard);
  pthread_mutex_destroy (&segment->lock);
  free (segment);
}

void
sf_segment_describe (const struct sf_segment *segment, uint32_t id,
    struct sf_segment_info *info)
{
  *info = (struct sf_segment_info) {
    .id = id,
    .n_slots = sf_observe_u32 (&segment->n_slots),
    .pitch = segment->pitch,
    .data_offset = segment->data_offset,
    .size = segment->shm.size,
  };
}

SF_HOT int
sf_segment_check (struct sf_segment *segment,
    const struct sf_memory_ref_wire *ref)
{
  int err;

  if (ref->offset > segment->pitch || ref->size > segment->pitch - ref->offset)
    return -EPROTO;
  if (ref->slot < sf_observe_u32 (&segment->n_slots))
    return 0;
  err =
      segment->writable ? -EPROTO : sf_segment_map_growth (segment, ref->slot);
  return err < 0 ? err : 1;
}
