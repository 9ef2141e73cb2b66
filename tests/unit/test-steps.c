/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold when one side is held up at a named step (lib/shared/test-hooks.h). */
#include "transport.h"

#include <fcntl.h>
#include <pthread.h>

#include "shared/connection.h"
#include "shared/test-hooks.h"

#define MS (SF_NS_PER_SECOND / 1000)

/* The step at which to wait, once, and for how long. */
static const char *_Atomic at_step = "";
static _Atomic int64_t hold_up;
static _Atomic int n_held_up;
/* What becomes a file of no use there, unless 0. */
static _Atomic int spoilt_fd;
/* Who sends a frame there, unless NULL. */
static struct sf_producer *_Atomic feeder;

static void
spoil (int fd)
{
  int file = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  check (file >= 0 && dup3 (file, fd, O_CLOEXEC) == fd);
  close (file);
}

void
sf_hook (const char *name)
{
  if (strcmp (name, at_step) != 0)
    return;
  at_step = "";
  n_held_up++;
  if (spoilt_fd)
    spoil (spoilt_fd);
  if (feeder != NULL)
    check (send_frame (feeder, 1, false));
  usleep ((unsigned) (hold_up / 1000));
}

/* The socket file is there for a while before anybody listens: a consumer that
 * its appearance woke is refused, and must hear once more. */
static void
test_connects_when_listening (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;

  place_make (&place);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_WAITING);
  usleep (20000);               /* it watches the folder by now */
  at_step = "bound";
  hold_up = 30 * MS;
  p = open_producer (place.path, 0, true);
  check_int (n_held_up, 1);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  close_all (c, p, &place);
}

/* A listener that fails once its file is there takes the file away. */
static void
test_failed_listener_leaves_no_file (void)
{
  struct place place;
  struct sf_listener l;

  place_make (&place);
  spoilt_fd = dup (0);
  close (spoilt_fd);            /* the socket's soon */
  at_step = "bound";
  check_int (sf_listener_open (&l, place.path, 0600), -ENOTSOCK);
  check_int (n_held_up, 1);
  check_cmp (access (place.path, F_OK), <, 0);
  place_remove (&place);
}

static struct sf_producer *
open_impatient (const char *path, int64_t timeout)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        16,.max_memory = UINT64_C (1) << 28,.stall_timeout = timeout
  };

  return open_with_config (&config, true);
}

/* Publishes until a slot would have to be waited for; the number of frames. */
static uint64_t
fill_ring (struct sf_producer *p, uint64_t first)
{
  uint64_t n = 0;

  while (sf_producer_poll_slot (p, FRAME_BYTES, 0) == 0)
    check (send_frame (p, first + n++, false));
  return n;
}

static uint64_t
count_evicted (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  usleep (20000);               /* the control thread does it */
  sf_producer_get_stats (p, &stats);
  return stats.clients_evicted;
}

/* A client that keeps the last frame, as a video sink does, while nothing comes,
 * has not been slow when the next burst finds it asleep. */
static void
test_idle_is_not_slow (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *kept;
  uint64_t n;

  place_make (&place);
  p = open_impatient (place.path, 200 * MS);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check (send_frame (p, 0, true));
  next_of (c, &in, SF_RECEIVED_FRAME);
  kept = in.lease;
  usleep (300000);
  n = fill_ring (p, 1);
  check_int (sf_producer_wait (p, sf_producer_token (p)), 0);
  check_int (count_evicted (p), 0);
  for (uint64_t i = 1; i <= n; i++) {
    take_frame (c, i);
  }
  sf_lease_unref (kept);
  close_all (c, p, &place);
}

/* A producer that was stopped, and not its client, has waited for nobody. Then
 * it does wait, in vain. */
static void
test_absence_does_not_count (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  uint64_t n = 0;
  int64_t began;

  place_make (&place);
  p = open_impatient (place.path, 200 * MS);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  at_step = "full";
  hold_up = 300 * MS;
  /* The ring may still be growing for the client, which ends a wait, too. */
  while (n_held_up == 0) {
    n += fill_ring (p, n);
    check_int (sf_producer_wait (p, sf_producer_token (p)), 0);
  }
  check_int (n_held_up, 1);
  check_int (count_evicted (p), 0);
  began = sf_now ();
  while (count_evicted (p) == 0) {
    check_cmp (sf_now () - began, <, LONG);
    sf_producer_wait (p, sf_producer_token (p));
  }
  close_all (c, p, &place);
}

/* A frame that comes when all that may be held are held, just before the client
 * falls asleep, is not slept over: more room is asked for, or its lack told. */
static void
test_full_when_it_comes (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *kept;
  int64_t began;

  place_make (&place);
  p = open_producer (place.path, 0, true);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 1);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check (send_frame (p, 0, true));
  next_of (c, &in, SF_RECEIVED_FRAME);
  kept = in.lease;
  feeder = p;
  at_step = "idle";
  began = sf_now ();
  next_of (c, &in, SF_RECEIVED_HOLDING);
  check_cmp (sf_now () - began, <, LONG / 2);
  check_int (n_held_up, 1);
  sf_lease_unref (kept);
  take_frame (c, 1);
  close_all (c, p, &place);
}

static void
release_lease (void *lease)
{
  sf_lease_unref (lease);
}

static void
pass_on (struct sf_producer *p, const struct sf_received *in)
{
  struct sf_memory_ref part = {.segment = in->parts[0].segment,.slot =
        in->parts[0].slot,.size = in->parts[0].size
  };
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        in->body,.body_size = in->body_size,.release = release_lease,.user =
        in->lease
  };

  check_int (sf_producer_publish (p, &pub), 0);
}

/* Passes the next frame of `c` on to the clients of `p`. False: none came. */
static bool
relay_frame (struct sf_consumer *c, struct sf_producer *p, int64_t timeout)
{
  struct sf_received in;
  int64_t until = sf_now () + timeout;

  do {
    if (sf_now () > until)
      return false;
    if (sf_consumer_next (c, &in, until - sf_now ()) != 1)
      return false;
  } while (in.kind != SF_RECEIVED_FRAME);
  pass_on (p, &in);
  return true;
}

/* A client of a relay that does not read keeps the frames of the relay's origin.
 * The relay gets no more of them, so it never publishes and never waits: it has
 * to give that client up all the same, before it is itself given up. */
static void
test_relay_gives_up_slow_client (void)
{
  struct place origin, hop;
  struct sf_producer *p, *q;
  struct sf_consumer *c, *slow;
  struct sf_received in;

  place_make (&origin);
  place_make (&hop);
  p = open_impatient (origin.path, 0);
  q = open_impatient (hop.path, 200 * MS);
  c = open_consumer (origin.path, SF_DELIVERY_AUTO, 4);
  slow = open_consumer (hop.path, SF_DELIVERY_AUTO, 4);
  next_of (slow, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check_int (sf_producer_wait_clients (q, 1), 0);
  for (uint64_t i = 0; i < 8; i++)
    check (send_frame (p, i, false));
  for (int i = 0; i < 4; i++)
    check (relay_frame (c, q, LONG));
  check (relay_frame (c, q, 1000 * MS));
  check_int (count_evicted (q), 1);
  sf_consumer_close (slow);
  sf_producer_close (q);
  sf_consumer_close (c);
  sf_producer_close (p);
  place_remove (&origin);
  place_remove (&hop);
}

/* A producer that is stopped with its socket open accepts connections, by the
 * kernel, but does not answer. Who has time waits for it all the same. */
static void
test_silent_producer (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;

  place_make (&place);
  at_step = "accepted";
  hold_up = 5500 * MS;          /* longer than a consumer waits for an answer */
  p = open_producer (place.path, 0, true);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  do {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_cmp (in.kind, !=, SF_RECEIVED_FAILED);
  } while (in.kind != SF_RECEIVED_CONNECTED);
  close_all (c, p, &place);
}

static void *
close_soon (void *producer)
{
  while (n_held_up == 0)
    usleep (1000);
  sf_producer_close (producer);
  return NULL;
}

/* A client that says HELLO just when the producer stops is not to blame, and not
 * refused: it waits for the next producer. */
static void
test_hello_to_closing_producer (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  pthread_t thread;

  place_make (&place);
  p = open_producer (place.path, 0, true);
  at_step = "hello";
  hold_up = 200 * MS;
  check_int (pthread_create (&thread, NULL, close_soon, p), 0);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 40);
  check_int (pthread_join (thread, NULL), 0);
  p = open_producer (place.path, 0, true);
  do {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_cmp (in.kind, !=, SF_RECEIVED_FAILED);
  } while (in.kind != SF_RECEIVED_CONNECTED);
  close_all (c, p, &place);
}

/* A producer that is full says so without waiting for HELLO. The reason is heard
 * all the same, at once. */
static void
test_refused_before_hello (void)
{
  struct sf_producer_config config = {.mode = 0600,.max_clients =
        1,.max_memory = UINT64_C (1) << 28
  };
  struct sf_producer_stats stats;
  struct place place;
  struct sf_producer *p;
  struct sf_consumer_config once = {.name = "test",.max_held = 4 };
  struct sf_consumer *first, *second;
  struct sf_received in;

  place_make (&place);
  config.path = once.path = place.path;
  check_int (sf_producer_open (&p, &config), 0);
  first = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (first, &in, SF_RECEIVED_CONNECTED);
  at_step = "connected";
  hold_up = 100 * MS;
  check_int (sf_consumer_open (&second, &once), 0);
  next_of (second, &in, SF_RECEIVED_FAILED);
  check_int (in.reject.reason, SF_REASON_FULL);
  check_int (n_held_up, 1);
  sf_producer_get_stats (p, &stats);
  check_int (stats.clients_refused, 1);
  sf_consumer_close (second);
  sf_consumer_close (first);
  sf_producer_close (p);
  place_remove (&place);
}

static void *
send_one (void *producer)
{
  check (send_frame (producer, 1000, true));
  return NULL;
}

/* A connection that ends is read to the end, whatever may be held. Not so where the
 * producer ends it, and goes on: what is not claimed by then is taken back. */
static void
test_evicted_takes_no_more (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  pthread_t sender;

  place_make (&place);
  p = open_impatient (place.path, 50 * MS);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 1);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check_cmp (fill_ring (p, 0), >, 1);
  at_step = "told";
  hold_up = 300 * MS;
  check_int (pthread_create (&sender, NULL, send_one, p), 0);
  while (n_held_up == 0)
    usleep (1000);
  do {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_cmp (in.kind, !=, SF_RECEIVED_FRAME);
  } while (in.kind != SF_RECEIVED_DISCONNECTED);
  check_int (in.reject.reason, SF_REASON_SLOW);
  pthread_join (sender, NULL);
  close_all (c, p, &place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_connects_when_listening),
    TEST (test_failed_listener_leaves_no_file), TEST (test_idle_is_not_slow),
    TEST (test_absence_does_not_count), TEST (test_full_when_it_comes),
    TEST (test_relay_gives_up_slow_client),
    TEST (test_silent_producer), TEST (test_hello_to_closing_producer),
    TEST (test_refused_before_hello), TEST (test_evicted_takes_no_more),
  };

  return unit_main (tests);
}
