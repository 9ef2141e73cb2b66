/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "guards.h"
#include "unit.h"

static uint64_t page;

static struct sf_segment *
open_of (const struct sf_segment *made)
{
  struct sf_segment_info info;
  struct sf_segment *opened;

  sf_segment_describe (made, 7, &info);
  check_int (sf_segment_open (&opened, dup (made->shm.fd), GUARDED_BY (-1),
          &info), 0);
  return opened;
}

static void
test_shm_both_kinds (void)
{
  static const uint64_t sizes[] = { 1, 704 + 8 * 4096, 1 << 20 };

  for (int i = 0; i < 6; i++) {
    enum sf_shm_kind kind = i % 2 ? SF_SHM_SHARED : SF_SHM_SEALED;
    struct sf_shm made, opened;
    struct stat st;

    check_int (sf_shm_create (&made, "unit", sizes[i / 2], kind), 0);
    check_int (fcntl (made.fd, F_GETFD), FD_CLOEXEC);
    check_int (fstat (made.fd, &st), 0);
    check_int (st.st_size, sizes[i / 2]);
    check_cmp (st.st_blocks * UINT64_C (512), >=, sizes[i / 2]);
    check_int (sf_shm_open (&opened, dup (made.fd), made.size, kind), 0);
    memset (made.map, 'm', made.size);
    check_int (((uint8_t *) opened.map)[made.size - 1], 'm');
    if (kind == SF_SHM_SHARED) {
      *(uint8_t *) opened.map = 'o';
      check_int (*(uint8_t *) made.map, 'o');
    }
    sf_shm_close (&opened);
    sf_shm_close (&opened);
    sf_shm_close (&made);
  }
}

/* Should the library try what it must refuse, the memory that runs out is
 * everybody's: the kernel is to end this test then, and nothing else. */
static void
be_first_to_go (void)
{
  int fd = open ("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

  check_int (write (fd, "1000", 4), 4);
  close (fd);
}

static void
test_sizes (void)
{
  struct sf_segment *s, *untouched = (struct sf_segment *) &page;
  struct sf_shm shm = { .fd = -7 };

  be_first_to_go ();
  s = untouched;
  check_int (sf_segment_create (&s, 0, 1), -EINVAL);
  check_int (sf_segment_create (&s, SF_MAX_SLOTS + 1, 1), -EINVAL);
  check_int (sf_segment_create (&s, 1, 0), -EINVAL);
  check_int (sf_segment_create (&s, 1, SF_MAX_SLOT_SIZE + 1), -EINVAL);
  /* More than any machine has: refused before it is tried. */
  check_int (sf_segment_create (&s, SF_MAX_SLOTS, SF_MAX_SLOT_SIZE), -ENOMEM);
  check (s == untouched);
  check_int (sf_shm_create (&shm, "unit", 0, SF_SHM_SEALED), -EINVAL);
  check_int (sf_shm_create (&shm, "unit", UINT64_MAX, SF_SHM_SEALED), -EFBIG);
  check_int (sf_shm_create (&shm, "unit", INT64_MAX, SF_SHM_SEALED), -ENOMEM);
  check_int (shm.fd, -7);
  check_int (sf_segment_bytes (0, 1), UINT64_MAX);
  check_int (sf_segment_bytes (1, 0), UINT64_MAX);
  check_cmp (sf_segment_bytes (SF_MAX_SLOTS, SF_MAX_SLOT_SIZE), <, INT64_MAX);
  check_int (sf_segment_bytes (1, 1), 2 * page);
  check_int (sf_segment_bytes (8, page + 1), 17 * page);
  check_int (sf_segment_bytes (page / 8, 1), 2 * page + page / 8 * page);
}

static void
test_describe (void)
{
  struct sf_segment_info info;
  struct sf_segment *s;

  check_int (sf_segment_create (&s, 5, page + 1), 0);
  sf_segment_describe (s, 42, &info);
  check_int (info.id, 42);
  check_int (info.n_slots, 5);
  check_int (info.pitch, 2 * page);
  check_int (info.data_offset, page);
  check_int (info.size, 11 * page);
  check_int (info.size, sf_segment_bytes (5, page + 1));
  check (s->writable);
  check_int (sf_observe_u64 (&sf_segment_header (s)->generation[4]), 0);
  sf_segment_unref (s);
}

static void
test_wrapping_view (void)
{
  struct sf_segment *made, *opened;

  check_int (sf_segment_create (&made, 3, 5000), 0);
  opened = open_of (made);
  check (!opened->writable);
  for (uint32_t i = 0; i < 3; i++)
    memset (sf_segment_slot (made, i), 'a' + i, made->pitch);
  for (uint32_t i = 0; i < 6; i++)
    for (uint64_t at = 0; at < made->pitch; at++)
      check_int (sf_segment_slot (opened, i)[at], 'a' + i % 3);
  /* Live, not a copy; and one run of bytes over the end. */
  sf_segment_slot (made, 0)[17] = 'z';
  check_int (sf_segment_slot (opened, 3)[17], 'z');
  sf_segment_unref (opened);
  sf_segment_unref (made);
}

/* Frames may outlive whoever made the segment. */
static void
test_maker_goes_first (void)
{
  struct sf_segment *made, *opened;

  check_int (sf_segment_create (&made, 2, 10), 0);
  memset (sf_segment_slot (made, 1), 'k', 10);
  opened = open_of (made);
  sf_segment_unref (made);
  check_int (sf_segment_slot (opened, 1)[9], 'k');
  sf_segment_unref (opened);
  sf_segment_unref (NULL);
}

/* The other end hears of it when the last reference goes. */
static void
test_guard_is_held (void)
{
  struct sf_segment *made, *opened;
  struct sf_segment_info info;
  int fds[2];
  char end;

  check_int (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), 0);
  check_int (sf_segment_create (&made, 1, 1), 0);
  sf_segment_describe (made, 1, &info);
  check_int (sf_segment_open (&opened, dup (made->shm.fd),
          GUARDED_BY (fds[1]), &info), 0);
  check_int (read (fds[0], &end, 1), -1);
  sf_segment_unref (sf_segment_ref (opened));
  check_int (read (fds[0], &end, 1), -1);
  sf_segment_unref (opened);
  check_int (read (fds[0], &end, 1), 0);
  close (fds[0]);
  sf_segment_unref (made);
}

static void
test_check_ref (void)
{
  struct sf_segment *s;
  struct sf_memory_ref_wire r = { .slot = 1, .offset = 100, .size = 200 };

  check_int (sf_segment_create (&s, 2, page), 0);
  check_int (sf_segment_check (s, &r), 0);
  r.slot = 2;
  check_int (sf_segment_check (s, &r), -EPROTO);
  r.slot = UINT32_MAX;
  check_int (sf_segment_check (s, &r), -EPROTO);
  r = (struct sf_memory_ref_wire) { .size = page };
  check_int (sf_segment_check (s, &r), 0);
  r.size = page + 1;
  check_int (sf_segment_check (s, &r), -EPROTO);
  r = (struct sf_memory_ref_wire) { .offset = 1, .size = page };
  check_int (sf_segment_check (s, &r), -EPROTO);
  r = (struct sf_memory_ref_wire) { .offset = page + 1 };
  check_int (sf_segment_check (s, &r), -EPROTO);
  r = (struct sf_memory_ref_wire) { .offset = 8, .size = UINT64_MAX - 7 };
  check_int (sf_segment_check (s, &r), -EPROTO);
  r = (struct sf_memory_ref_wire) { .offset = UINT64_MAX - 7, .size = 16 };
  check_int (sf_segment_check (s, &r), -EPROTO);
  sf_segment_unref (s);
}

static void *
ref_and_unref (void *data)
{
  struct sf_segment *s = data;

  for (int i = 0; i < 20000; i++)
    sf_segment_unref (sf_segment_ref (s));
  sf_segment_unref (s);
  return NULL;
}

/* The last of four threads to let go frees it, whichever that is. */
static void
test_refs_of_threads (void)
{
  pthread_t threads[4];
  struct sf_segment *s;
  int maps = unit_count_maps ();

  check_int (sf_segment_create (&s, 2, 10), 0);
  check_cmp (unit_count_maps (), >, maps);
  for (int i = 0; i < 4; i++)
    check_int (pthread_create (&threads[i], NULL, ref_and_unref,
            sf_segment_ref (s)), 0);
  sf_segment_unref (s);
  for (int i = 0; i < 4; i++)
    pthread_join (threads[i], NULL);
  check_int (unit_count_maps (), maps);
}

static void
limit_to (int resource, uint64_t n)
{
  struct rlimit limit;

  check_int (getrlimit (resource, &limit), 0);
  limit.rlim_cur = n == UINT64_MAX ? limit.rlim_max : n;
  check_int (setrlimit (resource, &limit), 0);
}

/* The kernel would end the process (SIGXFSZ) that oversteps it. */
static void
test_file_size_limit (void)
{
  struct sf_segment *s;
  struct sf_shm shm;

  limit_to (RLIMIT_FSIZE, 8 * page);
  check_int (sf_shm_create (&shm, "unit", 8 * page + 1, SF_SHM_SHARED), -EFBIG);
  check_int (sf_segment_create (&s, 8, page), -EFBIG);
  check_int (sf_segment_create (&s, 7, page), 0);
  sf_segment_unref (s);
}

static void
test_out_of_fds (void)
{
  struct sf_segment *s;
  int spare = dup (0);

  close (spare);
  limit_to (RLIMIT_NOFILE, (uint64_t) spare);
  check_int (sf_segment_create (&s, 1, 1), -EMFILE);
  limit_to (RLIMIT_NOFILE, UINT64_MAX);
  check_int (sf_segment_create (&s, 1, 1), 0);
  sf_segment_unref (s);
}

static volatile sig_atomic_t ticks;

static void
count_tick (int signal)
{
  ticks++;
}

/* A profiler's timer interrupts the reservation over and over. */
static void
test_fast_timer (void)
{
  const struct itimerval fast = { {0, 500}, {0, 500} }, off = { {0, 0}, {0, 0} };
  const struct sigaction act = { .sa_handler = count_tick };
  struct sf_shm shm;

  check_int (sigaction (SIGALRM, &act, NULL), 0);
  check_int (setitimer (ITIMER_REAL, &fast, NULL), 0);
  do {
    check_int (sf_shm_create (&shm, "unit", 24 << 20, SF_SHM_SEALED), 0);
    sf_shm_close (&shm);
  } while (ticks < 3);
  check_int (setitimer (ITIMER_REAL, &off, NULL), 0);
}

static uint64_t
vm_size (void)
{
  FILE *f = fopen ("/proc/self/statm", "re");
  unsigned long long pages = 0;

  check_int (fscanf (f, "%llu", &pages), 1);
  fclose (f);
  return pages * page;
}

static void
test_out_of_address_space (void)
{
  struct sf_segment *made, *s;
  struct sf_segment_info info;
  uint64_t before;

  unit_skip_sanitized ();
  unit_skip_emulated_limit ();
  check_int (sf_segment_create (&made, 8, 1 << 20), 0);
  sf_segment_describe (made, 1, &info);
  before = vm_size ();
  /* Enough for one view, not for two. */
  limit_to (RLIMIT_AS, before + (12 << 20));
  check_int (sf_segment_open (&s, dup (made->shm.fd), GUARDED_BY (-1),
          &info), -ENOMEM);
  check_int (sf_segment_create (&s, 16, 1 << 20), -ENOMEM);
  limit_to (RLIMIT_AS, UINT64_MAX);
  check_int (vm_size (), before);
  sf_segment_unref (open_of (made));
  check_int (vm_size (), before);
  sf_segment_unref (made);
}

/* With few mappings left, the open fails at each of its steps in turn. */
static void
test_out_of_mappings (void)
{
  const uint64_t n = 1 << 18;
  struct sf_segment *made, *s;
  struct sf_segment_info info;
  uint8_t *holes;
  uint64_t used = 1, before;
  int opened = 0, failed = 0;

  unit_skip_sanitized ();
  check_int (sf_segment_create (&made, 2, page), 0);
  sf_segment_describe (made, 1, &info);
  holes = mmap (NULL, n * page, PROT_NONE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check (holes != MAP_FAILED);
  while (used < n && mprotect (holes + used * page, page, PROT_READ) == 0)
    used += 2;
  unit_skip_unless (used < n, "this system limits no mappings");
  for (int left = 0; left < 4 && opened == 0; left++) {
    int err;

    before = vm_size ();
    err = sf_segment_open (&s, dup (made->shm.fd), GUARDED_BY (-1),
        &info);
    check (err == 0 || err == -ENOMEM);
    if (err == 0)
      sf_segment_unref (s);
    check_int (vm_size (), before);
    opened += err == 0;
    failed += err != 0;
    used -= 2;
    check_int (mprotect (holes + used * page, page, PROT_NONE), 0);
  }
  munmap (holes, n * page);
  check_int (opened, 1);
  check_cmp (failed, >=, 1);
  sf_segment_unref (made);
}

static const struct unit_test tests[] = {
  TEST (test_shm_both_kinds),
  TEST (test_sizes),
  TEST (test_describe),
  TEST (test_wrapping_view),
  TEST (test_maker_goes_first),
  TEST (test_guard_is_held),
  TEST (test_check_ref),
  TEST (test_refs_of_threads),
  TEST (test_file_size_limit),
  TEST (test_out_of_fds),
  TEST (test_fast_timer),
  TEST (test_out_of_address_space),
  TEST (test_out_of_mappings),
};

int
main (void)
{
  page = (uint64_t) sysconf (_SC_PAGESIZE);
  return unit_main (tests);
}
