/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may serve a consumer. Takes two users, and so root. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "transport.h"

#define OTHER 65534u

/* A producer of another user; returns when it serves. */
static pid_t
start_other (const char *path)
{
  int ready[2];
  pid_t child;
  char c;

  check_int (pipe (ready), 0);
  child = fork ();
  if (child == 0) {
    close (ready[0]);
    check_int (setgid (OTHER) | setuid (OTHER), 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    open_producer (path, 0, false);
    check_int (write (ready[1], "r", 1), 1);
    pause ();
  }
  close (ready[1]);
  check_int (read (ready[0], &c, 1), 1);
  close (ready[0]);
  return child;
}

static void
stop (pid_t child)
{
  check_int (kill (child, SIGKILL), 0);
  check_int (waitpid (child, NULL, 0), child);
}

static void
expect_refused (const char *path)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_AUTO, 1);
  struct sf_received in;

  check_int (sf_consumer_next (c, &in, LONG), 1);
  check_int (in.kind, SF_RECEIVED_FAILED);
  check_int (in.error, -EPERM);
  check_int (in.reject.reason, SF_REASON_NOT_ALLOWED);
  check_has (in.reject.text, "user 65534");
  sf_consumer_close (c);
}

static void
expect_served (const char *path)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_AUTO, 1);
  struct sf_received in;

  check_int (sf_consumer_next (c, &in, LONG), 1);
  check_int (in.kind, SF_RECEIVED_CONNECTED);
  sf_consumer_close (c);
}

/* An abstract name is anybody's who comes first. */
static void
test_abstract_name (void)
{
  char name[64];
  pid_t other;

  unit_skip_unless_root ();
  snprintf (name, sizeof name, "@shmframe-unit-trust-%d", getpid ());
  other = start_other (name);
  expect_refused (name);
  stop (other);
}

/* A file is its owner's, in a folder that lets them make it. */
static void
test_path (void)
{
  struct place place;
  pid_t other;

  unit_skip_unless_root ();
  place_make (&place);
  check_int (chmod (place.folder, 0777), 0);
  other = start_other (place.path);
  expect_served (place.path);
  check_int (chown (place.path, OTHER - 1, OTHER - 1), 0);
  expect_refused (place.path);
  check_int (chown (place.path, 0, 0), 0);
  expect_refused (place.path);
  stop (other);
  unlink (place.path);
  place_remove (&place);
}

/* Root serves everybody. */
static void
test_root_serves (void)
{
  struct sf_producer_config config = {.mode = 0666,.max_clients =
        4,.max_memory = 1 << 24
  };
  struct place place;
  struct sf_producer *p;
  pid_t child;

  unit_skip_unless_root ();
  place_make (&place);
  check_int (chmod (place.folder, 0777), 0);
  config.path = place.path;
  check_int (sf_producer_open (&p, &config), 0);
  child = fork ();
  if (child == 0) {
    check_int (setgid (OTHER) | setuid (OTHER), 0);
    expect_served (place.path);
    _exit (0);
  }
  unit_wait_ok (child);
  sf_producer_close (p);
  place_remove (&place);
}

/* The file of a socket is there before its permissions are: who waits for it is
 * not to give up in between. */
static void
test_permission_comes_late (void)
{
  struct place place;
  struct sf_producer *p;
  int ready[2];
  pid_t child;
  char c;

  unit_skip_unless_root ();
  place_make (&place);
  check_int (chmod (place.folder, 0777), 0);
  p = open_producer (place.path, 0, false);
  check_int (pipe2 (ready, O_NONBLOCK), 0);
  child = fork ();
  if (child == 0) {
    struct sf_consumer *consumer;
    struct sf_received in;

    check_int (setgid (OTHER) | setuid (OTHER), 0);
    consumer = open_consumer (place.path, SF_DELIVERY_AUTO, 1);
    do
      check_int (sf_consumer_next (consumer, &in, LONG), 1);
    while (in.kind == SF_RECEIVED_WAITING && write (ready[1], "r", 1) == 1);
    check_int (in.kind, SF_RECEIVED_CONNECTED);
    sf_consumer_close (consumer);
    _exit (0);
  }
  while (read (ready[0], &c, 1) != 1 && waitpid (child, NULL, WNOHANG) == 0) {
    check_int (chmod (place.path, 0600), 0);
    usleep (20000);
  }
  check_int (chmod (place.path, 0666), 0);
  unit_wait_ok (child);
  close (ready[0]);
  close (ready[1]);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_abstract_name), TEST (test_path), TEST (test_root_serves),
    TEST (test_permission_comes_late),
  };

  return unit_main (tests);
}
