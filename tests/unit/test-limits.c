/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* No threads left, and a thousand of them; a full disk under the socket; a socket
 * that nobody reads. What is refused is told, and works when it no longer is. */
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "rawproducer.h"

static void
limit_threads (bool on)
{
  struct rlimit limit;

  check_int (getrlimit (RLIMIT_NPROC, &limit), 0);
  limit.rlim_cur = on ? 0 : limit.rlim_max;
  check_int (setrlimit (RLIMIT_NPROC, &limit), 0);
}

/* Root has no such limit. */
static void
be_nobody (void)
{
  if (geteuid () == 0)
    check_int (setresuid (65534, 65534, 65534), 0);
}

static void
test_no_threads (void)
{
  struct sf_producer_config pc = {.mode = 0600,.max_clients = 4,.max_memory =
        1 << 24
  };
  struct sf_consumer_config cc = {.name = "test",.max_held = 2,
    .connect_timeout = SF_FOREVER
  };
  struct sf_producer *p;
  struct sf_consumer *c;
  char path[64];

  be_nobody ();
  snprintf (path, sizeof path, "@shmframe-limits-%d", (int) getpid ());
  pc.path = cc.path = path;
  limit_threads (true);
  check_int (sf_producer_open (&p, &pc), -EAGAIN);
  check_int (sf_consumer_open (&c, &cc), -EAGAIN);
  limit_threads (false);
  check_int (sf_producer_open (&p, &pc), 0);
  check_int (sf_consumer_open (&c, &cc), 0);
  check_int (sf_producer_wait_clients (p, 1), 0);
  sf_consumer_close (c);
  sf_producer_close (p);
}

#define N_THREADS 1000

static void *
take_and_give (void *user)
{
  struct sf_producer *p = user;

  for (int i = 0; i < 20; i++) {
    struct sf_slot slot;
    int r = sf_producer_acquire_slot (p, FRAME_BYTES, 0, &slot);

    check (r == 0 || r == -EAGAIN);
    sched_yield ();
    if (r == 0)
      sf_slots_release (&slot);
  }
  return NULL;
}

static void
test_thousand_threads (void)
{
  static pthread_t threads[N_THREADS];
  struct sf_producer_stats stats;
  pthread_attr_t small;
  struct place place;
  struct sf_producer *p;
  int n = 0;

  place_make (&place);
  p = open_producer (place.path, 8, true);
  check_int (pthread_attr_init (&small), 0);
  check_int (pthread_attr_setstacksize (&small, 1 << 18), 0);
  while (n < N_THREADS
      && pthread_create (&threads[n], &small, take_and_give, p) == 0)
    n++;
  check_cmp (n, >, 100);        /* a container may not allow all */
  while (n > 0)
    check_int (pthread_join (threads[--n], NULL), 0);
  pthread_attr_destroy (&small);
  sf_producer_get_stats (p, &stats);
  check_int (stats.slots.n_free, stats.slots.n_slots);
  sf_producer_close (p);
  place_remove (&place);
}

/* A folder with room for so many files, the folder included; false where that is
 * not for us to make. */
static bool
mount_small (const char *folder, int files)
{
  char options[64];

  snprintf (options, sizeof options, "size=64k,nr_inodes=%d", files);
  return mount ("shmframe-test", folder, "tmpfs", 0, options) == 0;
}

static void
test_disk_full (void)
{
  int failed = 0, opened = 0;
  struct sf_listener l;
  struct place place;

  place_make (&place);
  if (unshare (CLONE_NEWNS) < 0
      || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
      || !mount_small (place.folder, 1)) {
    place_remove (&place);
    unit_skip_unless (false, "no file system may be mounted here");
  }
  check_int (umount (place.folder), 0);
  for (int files = 1; files < 8; files++) {
    int r;

    check (mount_small (place.folder, files));
    r = sf_listener_open (&l, place.path, 0600);
    check (r == 0 || r == -ENOSPC);
    failed += r == -ENOSPC;
    opened += r == 0;
    if (r == 0)
      sf_listener_close (&l);
    /* No file is left to be in the way when there is room again. */
    check_cmp (access (place.path, F_OK), <, 0);
    check_int (umount (place.folder), 0);
  }
  check (failed > 0 && opened > 0);
  place_remove (&place);
}

/* The producer reads nothing, and its socket fills up: nobody waits for that, and
 * frames go on. */
static void
test_socket_full (void)
{
  static const uint8_t event[1024];
  struct raw_producer p;
  int sent = 0, r;

  rp_open (&p);
  rp_good_start (&p);
  while ((r = sf_consumer_send_upstream (p.c, event, sizeof event)) == 0
      && sent < 100000)
    sent++;
  check_int (r, -EAGAIN);
  check_cmp (sent, >, 0);
  rp_good_frame (&p, 2);
  take_frame (p.c, 2);
  rp_close (&p);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_no_threads), TEST (test_thousand_threads),
    TEST (test_disk_full), TEST (test_socket_full),
  };

  return unit_main (tests);
}
