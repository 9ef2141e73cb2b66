/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Either side sends messages without end. */
#include <signal.h>

#include "shared/test-hooks.h"
#include "rawclient.h"
#include "rawproducer.h"

/* --- a producer that floods --- */

/* Whenever a message of it is read, there is another one. */
static _Atomic int flooding = -1;
static _Atomic int n_read;

void
sf_hook (const char *name)
{
  struct sf_message msg = message_of (SF_MESSAGE_LATENCY);

  n_read += strcmp (name, "message") == 0;
  if (flooding >= 0 && strcmp (name, "message") == 0)
    sf_send (flooding, &msg, NULL, 0);
}

/* A consumer hears its user, and can be closed, all the same. */
static void
test_flood_of_producer (void)
{
  struct sf_message msg = message_of (SF_MESSAGE_LATENCY);
  struct raw_producer p;
  struct sf_received in;

  rp_open (&p);
  rp_good_start (&p);
  flooding = p.fd;
  rp_send (&p, &msg, -1);
  next_of (p.c, &in, SF_RECEIVED_LATENCY);
  rp_good_frame (&p, 2);
  take_frame (p.c, 2);
  alarm (20);
  sf_consumer_close (p.c);
  flooding = -1;
  rp_hang_up (&p);
  sf_listener_close (&p.listener);
  place_remove (&p.place);
}

/* In WINDOW; one more may have begun, and one turn goes beyond it. */
#define MOST_READ 600
#define WINDOW (SF_NS_PER_SECOND / 10)

/* It is listened to now and then, and what it says after that is heard. */
static void
test_flood_is_paced (void)
{
  struct sf_message msg = message_of (SF_MESSAGE_LATENCY);
  struct raw_producer p;
  struct sf_received in;
  int64_t began;

  rp_open (&p);
  rp_good_start (&p);
  n_read = 0;
  began = sf_now ();
  for (uint64_t i = 0; sf_now () < began + SF_NS_PER_SECOND; i++) {
    msg.latency.min = i % 2;
    sf_send (p.fd, &msg, NULL, 0);
  }
  check_cmp (n_read, <, MOST_READ * ((sf_now () - began) / WINDOW + 2));
  msg = (struct sf_message) {.type = SF_MESSAGE_BYE,.reject = {.reason =
          SF_REASON_STOPPED}
  };
  while (sf_send (p.fd, &msg, NULL, 0) == -EAGAIN)
    usleep (1000);
  next_of (p.c, &in, SF_RECEIVED_DISCONNECTED);
  check_int (in.reject.reason, SF_REASON_STOPPED);
  rp_close (&p);
}

/* --- a client that floods --- */

/* As many as go in a second. */
static uint32_t
kick_for_a_second (struct raw_client *r)
{
  struct sf_message kick = message_of (SF_MESSAGE_KICK);
  int64_t until = sf_now () + SF_NS_PER_SECOND;
  uint32_t n = 0;

  while (sf_now () < until) {
    int got = sf_send (r->fd, &kick, NULL, 0);

    check (got == 0 || got == -EAGAIN || got == -EPIPE);
    n += got == 0;
  }
  return n;
}

static struct raw_client
join_at (struct place *place, struct sf_producer **p)
{
  place_make (place);
  *p = open_producer (place->path, 0, false);
  return raw_join_at (place->path, SF_DELIVERY_LIVE, 4);
}

/* It is listened to now and then, not each time; and others at once. */
static void
test_flood_of_kicks (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct raw_client r = join_at (&place, &p);
  uint32_t n = kick_for_a_second (&r);

  printf ("# %u messages in a second\n", n);
  check_cmp (n, <, 10000);
  c = open_consumer (place.path, SF_DELIVERY_LIVE, 1);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  sf_consumer_close (c);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* What it says after that is heard, and its end. */
static void
test_heard_after_flood (void)
{
  struct sf_message want = message_of (SF_MESSAGE_WANT), msg;
  struct sf_producer_stats stats;
  struct place place;
  struct sf_producer *p;
  struct raw_client r = join_at (&place, &p);
  int fds[SF_MESSAGE_MAX_FDS], type;

  kick_for_a_second (&r);
  want.max_held = 1;
  while (sf_send (r.fd, &want, NULL, 0) == -EAGAIN)
    usleep (1000);
  do
    type = raw_next (&r, &msg, fds, 5000);
  while (type == SF_MESSAGE_LATENCY);
  check_int (type, SF_MESSAGE_GRANT);
  kick_for_a_second (&r);
  raw_close (&r);
  do {
    usleep (1000);
    sf_producer_get_stats (p, &stats);
  } while (stats.n_clients + stats.n_lingering > 0);
  sf_producer_close (p);
  place_remove (&place);
}

/* A child that goes on sending over its parent's socket keeps nothing of it. */
static void
test_flood_by_child (void)
{
  struct sf_producer_stats stats;
  struct place place;
  struct sf_producer *p;
  pid_t parent, child;
  int from[2];

  place_make (&place);
  check_int (pipe (from), 0);
  parent = fork ();
  if (parent == 0) {
    struct raw_client r;

    usleep (200000);
    r = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
    child = fork ();
    if (child == 0) {
      child = getpid ();
      check_int (write (from[1], &child, sizeof child), sizeof child);
      for (;;)
        kick_for_a_second (&r);
    }
    pause ();
  }
  p = open_producer (place.path, 0, false);
  check_int (read (from[0], &child, sizeof child), sizeof child);
  usleep (200000);
  kill (parent, SIGKILL);
  check_int (waitpid (parent, NULL, 0), parent);
  alarm (30);
  do {
    usleep (1000);
    sf_producer_get_stats (p, &stats);
  } while (stats.n_clients + stats.n_lingering > 0);
  kill (child, SIGKILL);
  close (from[0]);
  close (from[1]);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_flood_of_producer), TEST (test_flood_is_paced), TEST (test_flood_of_kicks),
    TEST (test_heard_after_flood), TEST (test_flood_by_child),
  };

  return unit_main (tests);
}
