/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Getting in: past those who connect and say nothing, and where all places are
 * taken until one of them is free. */
#include <signal.h>
#include <sys/resource.h>

#include "rawclient.h"

static struct sf_producer *
open_small (const char *path, uint32_t max_clients)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        max_clients,.max_memory = UINT64_C (1) << 28
  };
  struct sf_producer *p;

  check_int (sf_producer_open (&p, &config), 0);
  return p;
}

static struct sf_consumer *
open_patient (const char *path, int64_t connect_timeout)
{
  struct sf_consumer_config config = {.path = path,.name = "test",.max_held =
        1,.connect_timeout = connect_timeout
  };
  struct sf_consumer *c;

  check_int (sf_consumer_open (&c, &config), 0);
  return c;
}

/* Any number of silent ones; they take no places. */
static void
test_silent (void)
{
  static struct raw_client silent[200];
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c[3];
  struct sf_received in;

  place_make (&place);
  p = open_small (place.path, 3);
  for (int i = 0; i < 200; i++)
    silent[i] = raw_connect (place.path);
  for (int i = 0; i < 3; i++) {
    c[i] = open_patient (place.path, 0);
    next_of (c[i], &in, SF_RECEIVED_CONNECTED);
  }
  for (int i = 0; i < 200; i++)
    raw_close (&silent[i]);
  for (int i = 0; i < 3; i++)
    sf_consumer_close (c[i]);
  sf_producer_close (p);
  place_remove (&place);
}

/* Nor do they take the fds: the oldest go first, and who has just said HELLO does
 * not. */
static void
test_silent_of_few_fds (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_received in;
  pid_t child;
  int ready[2];

  place_make (&place);
  check_int (pipe (ready), 0);
  child = fork ();
  if (child == 0) {
    char go;

    check_int (read (ready[0], &go, 1), 1);
    for (int n = 0;; n++) {
      raw_connect (place.path);
      if (n == 500)
        pause ();
    }
  }
  check_int (setrlimit (RLIMIT_NOFILE, &(struct rlimit) {100, 1000}), 0);
  p = open_small (place.path, 3);
  check_int (write (ready[1], "g", 1), 1);
  for (int i = 0; i < 20; i++) {
    struct sf_consumer *c = open_patient (place.path, SF_FOREVER);

    next_of (c, &in, SF_RECEIVED_CONNECTED);
    sf_consumer_close (c);
  }
  kill (child, SIGKILL);
  check_int (waitpid (child, NULL, 0), child);
  close (ready[0]);
  close (ready[1]);
  sf_producer_close (p);
  place_remove (&place);
}

/* Told once, and why; then as soon as there is a place. */
static void
test_waits_for_place (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *first, *second;
  struct sf_received in;

  place_make (&place);
  p = open_small (place.path, 1);
  first = open_patient (place.path, SF_FOREVER);
  next_of (first, &in, SF_RECEIVED_CONNECTED);
  second = open_patient (place.path, SF_FOREVER);
  check_int (sf_consumer_next (second, &in, LONG), 1);
  check_int (in.kind, SF_RECEIVED_WAITING);
  check_int (in.reject.reason, SF_REASON_FULL);
  check_int (sf_consumer_next (second, &in, SF_NS_PER_SECOND), 0);
  sf_consumer_close (first);
  check_int (sf_consumer_next (second, &in, LONG), 1);
  check_int (in.kind, SF_RECEIVED_CONNECTED);
  sf_consumer_close (second);
  sf_producer_close (p);
  place_remove (&place);
}

/* As long as connect-timeout lasts; with 0 not at all. */
static void
test_gives_up (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *first, *second;
  struct sf_received in;
  int64_t began;

  place_make (&place);
  p = open_small (place.path, 1);
  first = open_patient (place.path, SF_FOREVER);
  next_of (first, &in, SF_RECEIVED_CONNECTED);
  second = open_patient (place.path, 0);
  check_int (sf_consumer_next (second, &in, LONG), 1);
  check_int (in.kind, SF_RECEIVED_FAILED);
  check_int (in.reject.reason, SF_REASON_FULL);
  sf_consumer_close (second);
  began = sf_now ();
  second = open_patient (place.path, SF_NS_PER_SECOND);
  next_of (second, &in, SF_RECEIVED_FAILED);
  check_int (in.reject.reason, SF_REASON_FULL);
  check_cmp (sf_now () - began, >=, SF_NS_PER_SECOND);
  sf_consumer_close (second);
  sf_consumer_close (first);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_silent), TEST (test_silent_of_few_fds),
    TEST (test_waits_for_place), TEST (test_gives_up),
  };

  return unit_main (tests);
}
