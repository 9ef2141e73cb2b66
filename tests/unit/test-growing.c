/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A segment that grows in place: what its maker adds, what a client makes of it, and
 * of what only seems to be there. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "guards.h"
#include "unit.h"

static uint64_t page;

static struct sf_segment *
make (uint32_t n_slots, uint32_t capacity)
{
  struct sf_segment *s;

  check_int (sf_segment_create_of (&s, n_slots, capacity, page, 0), 0);
  check_int (s->n_slots, n_slots);
  check_int (s->capacity, capacity);
  return s;
}

static int
try_to_open (const struct sf_segment *made, uint32_t n_slots,
    struct sf_segment **opened)
{
  struct sf_segment_info info;

  sf_segment_describe (made, 7, &info);
  info.n_slots = n_slots;
  return sf_segment_open (opened, dup (made->shm.fd), GUARDED_BY (-1), &info);
}

static struct sf_segment *
open_of (const struct sf_segment *made)
{
  struct sf_segment *opened;

  check_int (try_to_open (made, made->n_slots, &opened), 0);
  return opened;
}

static uint64_t
pages_of (const struct sf_segment *s)
{
  struct stat st;

  check_int (fstat (s->shm.fd, &st), 0);
  return (uint64_t) st.st_blocks * 512 / page;
}

static struct sf_memory_ref_wire
slot_ref (uint32_t slot)
{
  return (struct sf_memory_ref_wire) { .slot = slot, .size = page };
}

/* Only what is there takes memory; growing moves nothing. */
static void
test_in_place (void)
{
  struct sf_segment *s = make (4, 1000);
  uint8_t *first = sf_segment_slot (s, 0);

  check_int (pages_of (s), sf_segment_bytes (4, page) / page);
  first[0] = 'a';
  check_int (sf_segment_grow (s, 9), 0);
  check_int (s->n_slots, 9);
  check (sf_segment_slot (s, 0) == first);
  memset (sf_segment_slot (s, 4), 'b', 5 * page);
  check_int (first[0], 'a');
  check_int (pages_of (s), sf_segment_bytes (9, page) / page);
  /* The generations of so many take a page more. */
  check_int (sf_segment_grow (s, 900), 0);
  check_int (pages_of (s), sf_segment_bytes (900, page) / page);
  check_int (sf_observe_u64 (&sf_segment_header (s)->generation[899]), 0);
  check_int (sf_segment_grow (s, 5), 0);
  check_int (s->n_slots, 900);
  check_int (sf_segment_grow (s, 1001), -ENOSPC);
  sf_segment_unref (s);
}

static void
test_client_follows (void)
{
  struct sf_segment *made = make (3, 50), *opened = open_of (made);
  int maps = unit_count_maps (), fds = unit_count_fds ();
  uint8_t *before = sf_segment_slot (opened, 2);
  struct sf_memory_ref_wire ref = slot_ref (3);

  memset (sf_segment_slot (made, 2), 'x', page);
  check_int (sf_segment_check (opened, &ref), -EPROTO);
  check_int (sf_segment_grow (made, 10), 0);
  check_int (sf_segment_check (opened, &ref), 1);
  check_int (sf_segment_check (opened, &ref), 0);
  check_int (opened->n_slots, 10);
  for (uint32_t i = 0; i < 10; i++)
    memset (sf_segment_slot (made, i), 'a' + (int) i, page);
  for (uint32_t i = 0; i < 10; i++)
    check_int (sf_segment_slot (opened, i)[page - 1], 'a' + i);
  /* What there was stays where it is. */
  check_int (before[0], 'c');
  check (sf_segment_slot (opened, 2) == before);
  check_int (unit_count_fds (), fds);
  if (!unit_is_emulated ())     /* it lists some as one */
    check_cmp (unit_count_maps (), >, maps);
  ref = slot_ref (10);
  check_int (sf_segment_check (opened, &ref), -EPROTO);
  sf_segment_unref (opened);
  sf_segment_unref (made);
}

/* One that joins late sees what there is by then. */
static void
test_opened_late (void)
{
  struct sf_segment *made = make (3, 50), *opened;

  check_int (sf_segment_grow (made, 20), 0);
  check_int (try_to_open (made, 3, &opened), 0);
  check_int (opened->n_slots, 20);
  sf_segment_unref (opened);
  check_int (try_to_open (made, 21, &opened), -EPROTO);
  check_int (try_to_open (made, 51, &opened), -EPROTO);
  sf_segment_unref (made);
}

/* The ring is there twice, as it was when the frame came, for who asks. */
static void
test_runs (void)
{
  struct sf_segment *made = make (3, 50), *opened = open_of (made);
  struct sf_memory_ref_wire ref = slot_ref (3);
  struct sf_run run;
  uint8_t *at[2];

  for (uint32_t i = 0; i < 3; i++)
    sf_segment_slot (made, i)[0] = 'a' + (uint8_t) i;
  at[0] = sf_segment_slot (opened, 2);
  check_int (sf_segment_grow (made, 4), 0);
  check_int (sf_segment_map_growth (opened, 3), 0);
  sf_segment_slot (made, 3)[0] = 'd';
  run = sf_segment_run (opened, sf_segment_slot (opened, 3));
  check_int (run.n_slots, 1);
  check (!run.twice);
  check_int (run.slots[0], 'd');
  check (sf_segment_slot (opened, 2) == at[0]);
  check_int (sf_segment_check (opened, &ref), 0);
  check (sf_segment_has_grown (opened));
  check_int (sf_segment_map_growth (opened, 3), 0);
  check (!sf_segment_has_grown (opened));
  at[1] = sf_segment_slot (opened, 2);
  check (at[1] != at[0]);
  for (uint32_t k = 0; k < 2; k++) {
    run = sf_segment_run (opened, at[k] + page - 1);
    check_int (run.n_slots, 3 + k);
    check (run.twice);
    check (run.slots + 2 * page == at[k]);
    for (uint32_t i = 0; i < 2 * (3 + k); i++)
      check_int (run.slots[i * page], 'a' + i % (3 + k));
  }
  run = sf_segment_run (made, sf_segment_slot (made, 2));
  check_int (run.n_slots, 4);
  check (!run.twice);
  sf_segment_unref (opened);
  sf_segment_unref (made);
  made = make (3, 3);
  run = sf_segment_run (made, sf_segment_slot (made, 2));
  check (run.twice);
  sf_segment_slot (made, 1)[0] = 'z';
  check_int (run.slots[4 * page], 'z');
  sf_segment_unref (made);
}

/* Its number of slots is the maker's word, the pages are the kernel's. */
static void
test_holes_are_refused (void)
{
  struct sf_segment *made = make (4, 50), *opened = open_of (made), *other;
  uint64_t pages = pages_of (made);

  sf_segment_header (made)->n_slots = 5;
  check_int (sf_segment_map_growth (opened, 4), -EPROTO);
  check_int (try_to_open (made, 5, &other), -EPROTO);
  sf_segment_header (made)->n_slots = 51;
  check_int (sf_segment_map_growth (opened, 4), -EPROTO);
  sf_segment_header (made)->n_slots = 0;
  check_int (sf_segment_map_growth (opened, 4), -EPROTO);
  /* Pages further on do not make up for the missing ones. */
  check_int (sf_shm_reserve (&made->shm, made->data_offset + 20 * page,
          made->data_offset + 40 * page), 0);
  sf_segment_header (made)->n_slots = 5;
  check_int (sf_segment_map_growth (opened, 4), -EPROTO);
  check_int (opened->n_slots, 4);
  check_int (pages_of (made), pages + 20);
  sf_segment_unref (opened);
  sf_segment_unref (made);
}

/* A generation of a slot that is there is there, too. */
static void
test_hole_in_head_is_refused (void)
{
  struct sf_segment *made = make (4, 2000), *other;

  check_int (sf_shm_reserve (&made->shm, made->data_offset,
          made->data_offset + 1000 * page), 0);
  sf_segment_header (made)->n_slots = 1000;
  check_int (try_to_open (made, 1000, &other), -EPROTO);
  sf_segment_unref (made);
}

/* Sealed as it is, nobody takes the pages away, nor adds any by size. */
static void
test_seals_hold (void)
{
  struct sf_segment *s = make (4, 50);
  int fd = s->shm.fd;

  check_int (sf_segment_grow (s, 8), 0);
  check_int (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
          (off_t) s->data_offset, (off_t) page), -1);
  check_int (ftruncate (fd, 0), -1);
  check_int (ftruncate (fd, (off_t) s->shm.size + 1), -1);
  check (mmap (NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
          (off_t) s->data_offset) == MAP_FAILED);
  if (!unit_is_emulated ())
    check_int (madvise (sf_segment_slot (s, 0), page, MADV_REMOVE), -1);
  sf_segment_unref (s);
}

/* A process that locks all its memory does not make what is not there. */
static void
test_locked_memory (void)
{
  struct sf_segment *made, *opened;

  unit_skip_unless (mlockall (MCL_CURRENT | MCL_FUTURE) == 0,
      "this process may not lock memory");
  made = make (4, 4000);
  opened = open_of (made);
  check_int (mlockall (MCL_CURRENT | MCL_FUTURE), 0);
  check_int (pages_of (made), sf_segment_bytes (4, page) / page);
  munlockall ();
  sf_segment_unref (opened);
  sf_segment_unref (made);
}

/* Each view is a mapping of the client: no maker can ask for any number. */
static void
test_not_for_ever (void)
{
  struct sf_segment *made = make (1, 1000), *opened = open_of (made);
  uint32_t n = 1;

  while (sf_segment_grow (made, n + 1) == 0) {
    n++;
    check_int (sf_segment_map_growth (opened, n - 1), 0);
  }
  check_int (n, 1 + SF_MAX_GROWTHS);
  check_int (sf_segment_grow (made, n + 1), -ENOSPC);
  /* One that does all the same */
  made->n_growths = 0;
  check_int (sf_segment_grow (made, ++n), 0);
  check_int (sf_segment_map_growth (opened, n - 1), 0);
  check_int (sf_segment_grow (made, ++n), 0);
  check_int (sf_segment_map_growth (opened, n - 1), -EPROTO);
  sf_segment_unref (opened);
  sf_segment_unref (made);
}

static void *
grow (void *user)
{
  struct sf_segment *s = user;

  for (uint32_t n = 10; n <= 400; n += 10)
    check_int (sf_segment_grow (s, n), 0);
  return NULL;
}

static void *
follow (void *user)
{
  struct sf_segment *s = user;
  uint32_t slot = 0;

  while (slot < 399) {
    struct sf_memory_ref_wire ref = slot_ref (slot);
    int r = sf_segment_check (s, &ref);

    if (r >= 0) {
      check_int (*sf_segment_slot (s, slot), 0);
      check_cmp (sf_segment_run (s, sf_segment_slot (s, slot)).n_slots, >,
          slot);
      slot++;
    } else {
      check_int (r, -EPROTO);   /* not yet */
    }
  }
  return NULL;
}

static void
test_threads (void)
{
  struct sf_segment *made = make (1, 400), *opened = open_of (made);
  pthread_t threads[3];

  check_int (pthread_create (&threads[0], NULL, follow, opened), 0);
  check_int (pthread_create (&threads[1], NULL, follow, opened), 0);
  check_int (pthread_create (&threads[2], NULL, grow, made), 0);
  for (int i = 0; i < 3; i++)
    pthread_join (threads[i], NULL);
  sf_segment_unref (opened);
  sf_segment_unref (made);
}

static const struct unit_test tests[] = {
  TEST (test_in_place), TEST (test_client_follows), TEST (test_opened_late),
  TEST (test_runs), TEST (test_holes_are_refused),
  TEST (test_hole_in_head_is_refused), TEST (test_seals_hold),
  TEST (test_locked_memory), TEST (test_not_for_ever), TEST (test_threads),
};

int
main (void)
{
  page = (uint64_t) sysconf (_SC_PAGESIZE);
  return unit_main (tests);
}
