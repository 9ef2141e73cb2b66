/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer that was stopped does not hold that time against its producer. Built
 * with an SF_ANSWER_TIMEOUT that is shorter than the stop. */
#include <signal.h>

#include "rawproducer.h"

#define STOP_US 2000000

/* Tells the number of each frame, and 99 for an end. */
static void
run_consumer (const char *path, int to)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_AUTO, 4);
  struct sf_received in;
  char what;

  for (;;) {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_cmp (in.kind, !=, SF_RECEIVED_FAILED);
    if (in.kind != SF_RECEIVED_FRAME && in.kind != SF_RECEIVED_DISCONNECTED)
      continue;
    what = in.kind == SF_RECEIVED_FRAME ? (char) check_frame (&in) : 99;
    if (in.kind == SF_RECEIVED_FRAME)
      sf_lease_unref (in.lease);
    check_int (write (to, &what, 1), 1);
  }
}

/* It waits by now; while it is stopped nothing comes, and after that at once. */
static void
stop_for_long (pid_t child)
{
  usleep (200000);
  check_int (kill (child, SIGSTOP), 0);
  usleep (STOP_US);
  check_int (kill (child, SIGCONT), 0);
  usleep (50000);
}

static void
run_stop (bool while_greeting)
{
  struct raw_producer p = {.fd = -1,.guard = {-1, -1} };
  struct sf_message msg;
  pid_t child;
  int from[2];
  char what;

  place_make (&p.place);
  check_int (pipe (from), 0);
  child = fork ();
  if (child == 0) {
    alarm (60);
    run_consumer (p.place.path, from[1]);
  }
  check_int (sf_listener_open (&p.listener, p.place.path, 0600), 0);
  rp_accept (&p);
  msg = rp_prepare (&p);
  if (while_greeting)
    stop_for_long (child);
  check_int (sf_send (p.fd, &msg, (int[]) {
          p.announce.fd, p.returns.fd, p.guard[1]}, 3), 0);
  msg = rp_segment (&p);
  rp_good_frame (&p, 1);
  if (!while_greeting)
    stop_for_long (child);
  rp_send (&p, &msg, p.segment->shm.fd);
  check_int (read (from[0], &what, 1), 1);
  check_int (what, 1);
  check_int (kill (child, SIGKILL), 0);
  check_int (waitpid (child, NULL, 0), child);
  close (from[0]);
  close (from[1]);
  rp_hang_up (&p);
  sf_listener_close (&p.listener);
  place_remove (&p.place);
}

/* The SEGMENT of a frame that has been announced is awaited. */
static void
test_stopped_while_mapping (void)
{
  run_stop (false);
}

/* The WELCOME. */
static void
test_stopped_while_greeting (void)
{
  run_stop (true);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_stopped_while_mapping), TEST (test_stopped_while_greeting),
  };

  return unit_main (tests);
}
