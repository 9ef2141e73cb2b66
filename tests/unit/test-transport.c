/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Producer and consumer through real sockets and real processes. */
#include "transport.h"

#include <pthread.h>
#include <signal.h>

#define MANY 10000u

static void
consume_all (const char *path, uint32_t n, uint32_t max_held)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_AUTO, max_held);
  struct sf_received in;

  for (uint64_t i = 0; i < n; i++) {
    take_frame (c, i);
  }
  next_of (c, &in, SF_RECEIVED_DISCONNECTED);
  check_int (in.reject.reason, SF_REASON_STOPPED);
  sf_consumer_close (c);
}

static void
run_lossless (uint32_t n_consumers)
{
  struct place place;
  struct sf_producer *p;
  pid_t child[8];

  place_make (&place);
  for (uint32_t i = 0; i < n_consumers; i++) {
    child[i] = fork ();
    if (child[i] == 0) {
      consume_all (place.path, MANY, 4);
      _exit (0);
    }
  }
  p = open_producer (place.path, 0, true);
  check_int (sf_producer_wait_clients (p, n_consumers), 0);
  for (uint64_t i = 0; i < MANY; i++)
    check (send_frame (p, i, true));
  sf_producer_close (p);
  for (uint32_t i = 0; i < n_consumers; i++)
    unit_wait_ok (child[i]);
  place_remove (&place);
}

static void
test_lossless (void)
{
  run_lossless (1);
}

static void
test_lossless_to_three (void)
{
  run_lossless (3);
}

/* It always holds all it may, and gives one back and takes the next while the
 * producer counts. */
static void
test_full_client (void)
{
  struct place place;
  struct sf_producer *p;
  pid_t child;

  place_make (&place);
  child = fork ();
  if (child == 0) {
    consume_all (place.path, 3 * MANY, 1);
    _exit (0);
  }
  p = open_producer (place.path, 3, true);
  check_int (sf_producer_wait_clients (p, 1), 0);
  for (uint64_t i = 0; i < 3 * MANY; i++)
    check (send_frame (p, i, true));
  sf_producer_close (p);
  unit_wait_ok (child);
  place_remove (&place);
}

/* Never waits for a client that sleeps; the one that does not misses nothing. */
static void
test_live_slow_client (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *slow, *fast;
  struct sf_received in;
  uint64_t last = 0;
  uint32_t n = 0;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  slow = open_consumer (place.path, SF_DELIVERY_AUTO, 2);
  next_of (slow, &in, SF_RECEIVED_CONNECTED);
  fast = open_consumer (place.path, SF_DELIVERY_AUTO, 2);
  next_of (fast, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 2), 0);
  for (uint64_t i = 0; i < MANY; i++) {
    check (send_frame (p, i, false));
    next_of (fast, &in, SF_RECEIVED_FRAME);
    check_int (check_frame (&in), i);
    check (!in.discont);
    sf_lease_unref (in.lease);
  }
  /* What is left for the slow one is the newest, in order, told as a gap. */
  while (last != MANY - 1) {
    next_of (slow, &in, SF_RECEIVED_FRAME);
    check (n == 0 || check_frame (&in) == last + 1);
    last = check_frame (&in);
    n++;
    sf_lease_unref (in.lease);
  }
  check_cmp (n, <, 100);
  sf_consumer_close (slow);
  sf_consumer_close (fast);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_held_past_close (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_memory_ref_mapped part;
  struct sf_lease *lease;
  struct sf_producer_stats stats;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 2);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check (send_frame (p, 7, false));
  next_of (c, &in, SF_RECEIVED_FRAME);
  check_int (check_frame (&in), 7);
  lease = in.lease;
  part = in.parts[0];
  sf_consumer_close (c);
  /* Many times around the ring: the slot that is held is left out. */
  for (uint64_t i = 8; i < 1000; i++)
    check (send_frame (p, i, false));
  for (uint32_t i = 0; i < FRAME_WORDS; i++)
    check_int (((const uint64_t *) part.data)[i], word_of (7, i));
  sf_lease_unref (lease);
  do {
    usleep (1000);
    sf_producer_get_stats (p, &stats);
  } while (stats.n_lingering > 0);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_killed_consumer (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_producer_stats stats;
  pid_t child;
  int ready[2];
  char byte;

  place_make (&place);
  check_int (pipe (ready), 0);
  child = fork ();
  if (child == 0) {
    struct sf_consumer *c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
    struct sf_received in;

    for (int i = 0; i < 4; i++)
      next_of (c, &in, SF_RECEIVED_FRAME);
    check_int (write (ready[1], "r", 1), 1);
    pause ();
  }
  p = open_producer (place.path, 0, true);
  check_int (sf_producer_wait_clients (p, 1), 0);
  for (uint64_t i = 0; i < 4; i++)
    check (send_frame (p, i, true));
  check_int (read (ready[0], &byte, 1), 1);
  check_int (kill (child, SIGKILL), 0);
  /* It held slots and left a queue: lossless would wait for it for good. */
  for (uint64_t i = 4; i < 100; i++)
    if (!send_frame (p, i, false))
      i--;
  check_int (waitpid (child, NULL, 0), child);
  do {
    usleep (1000);
    sf_producer_get_stats (p, &stats);
  } while (stats.n_clients + stats.n_lingering > 0);
  sf_producer_close (p);
  close (ready[0]);
  close (ready[1]);
  place_remove (&place);
}

static void
test_growth (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer_config config = {.name = "test",.max_held =
        2,.grow = true,.connect_timeout = SF_FOREVER
  };
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *leases[100];

  place_make (&place);
  config.path = place.path;
  p = open_producer (place.path, 0, true);
  check_int (sf_consumer_open (&c, &config), 0);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  for (int i = 0; i < 100; i++) {
    check (send_frame (p, (uint64_t) i, true));
    next_of (c, &in, SF_RECEIVED_FRAME);
    check_int (check_frame (&in), i);
    leases[i] = in.lease;
  }
  for (int i = 0; i < 100; i++)
    sf_lease_unref (leases[i]);
  close_all (c, p, &place);
}

/* A larger format and a larger wish at the same time: the ring is right for both
 * in the end. */
static void
test_growth_meets_format (void)
{
  struct place place;

  place_make (&place);
  for (int round = 0; round < 100; round++) {
    struct sf_producer *p = open_producer (place.path, 0, true);
    struct sf_consumer *c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
    struct sf_producer_stats stats;
    struct sf_consumer_stats granted;
    struct sf_received in;
    uint64_t needed;

    next_of (c, &in, SF_RECEIVED_CONNECTED);
    sf_consumer_want (c, 200);
    usleep ((useconds_t) (round % 20) * 50);
    check_int (sf_producer_set_format (p, 2 * FRAME_BYTES, 1, &needed), 0);
    do {
      usleep (100);
      sf_consumer_get_stats (c, &granted);
      sf_producer_get_stats (p, &stats);
    } while (granted.max_held < 200 || stats.slots.n_slots < 200);
    check_cmp (stats.slots.slot_size, >=, 2 * FRAME_BYTES);
    sf_consumer_close (c);
    sf_producer_close (p);
  }
  place_remove (&place);
}

/* As shmframesrc asks when it connects: the ring need not grow. */
static void
test_first_fits (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_producer_stats before, after;
  struct sf_received in;

  place_make (&place);
  p = open_producer (place.path, 0, true);
  sf_producer_get_stats (p, &before);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  sf_producer_get_stats (p, &after);
  check_int (after.slots.n_slots, before.slots.n_slots);
  check_int (after.slots.growths, before.slots.growths);
  close_all (c, p, &place);
}

static void
test_growth_refused (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;

  place_make (&place);
  p = open_producer (place.path, 6, true);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 100);
  next_of (c, &in, SF_RECEIVED_FAILED);
  check_int (in.reject.reason, SF_REASON_MEMORY);
  check_has (in.reject.text, "slots=6");
  close_all (c, p, &place);
}

static void
restart_at (const char *path)
{
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;

  c = open_consumer (path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_WAITING);
  for (uint64_t round = 0; round < 5; round++) {
    p = open_producer (path, 0, true);
    next_of (c, &in, SF_RECEIVED_CONNECTED);
    check_int (sf_producer_wait_clients (p, 1), 0);
    check_int (sf_producer_event (p, 1, "caps", 5, SF_EVENT_STICKY), 0);
    check (send_frame (p, round, true));
    /* It is gone before we look: what it announced is there all the same. */
    sf_producer_close (p);
    next_of (c, &in, SF_RECEIVED_EVENT);
    check_str ((const char *) in.body, "caps");
    take_frame (c, round);
    next_of (c, &in, SF_RECEIVED_DISCONNECTED);
  }
  sf_consumer_close (c);
}

static void
test_restart (void)
{
  struct place place;

  place_make (&place);
  restart_at (place.path);
  place_remove (&place);
}

/* Of which no folder tells that it is there again. */
static void
test_restart_abstract (void)
{
  char name[64];

  snprintf (name, sizeof name, "@shmframe-unit-restart-%d", getpid ());
  restart_at (name);
}

/* The limit is for a producer that needs its slots: after its end all that it
 * announced can be had at once, or whoever collects frames would never see the
 * last ones. */
static void
test_no_limit_after_the_end (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *leases[8];

  place_make (&place);
  p = open_producer (place.path, 0, true);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 2);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  for (uint64_t i = 0; i < 8; i++)
    check (send_frame (p, i, true));
  sf_producer_close (p);
  for (uint64_t i = 0; i < 8; i++) {
    next_of (c, &in, SF_RECEIVED_FRAME);
    check_int (check_frame (&in), i);
    leases[i] = in.lease;
  }
  for (int i = 0; i < 8; i++)
    sf_lease_unref (leases[i]);
  next_of (c, &in, SF_RECEIVED_DISCONNECTED);
  sf_consumer_close (c);
  place_remove (&place);
}

static void *
send_soon (void *producer)
{
  usleep (20000);
  check (send_frame (producer, 1, false));
  return NULL;
}

/* The frame that there is no room for comes while the consumer, having seen
 * none, still looks out for it: it has to say so all the same */
static void
test_full_while_looking_out (void)
{
  struct place place;
  struct sf_consumer_config config = {.path = place.path,.name = "test",
    .max_held = 1,.connect_timeout = SF_FOREVER,.spin = SF_NS_PER_SECOND
  };
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *lease;
  pthread_t thread;
  int64_t start;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  check_int (sf_consumer_open (&c, &config), 0);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check (send_frame (p, 0, false));
  next_of (c, &in, SF_RECEIVED_FRAME);
  lease = in.lease;
  check_int (pthread_create (&thread, NULL, send_soon, p), 0);
  start = sf_now ();
  next_of (c, &in, SF_RECEIVED_HOLDING);
  /* not only when its time was up */
  check_cmp (sf_now () - start, <, LONG / 2);
  check_int (pthread_join (thread, NULL), 0);
  sf_lease_unref (lease);
  take_frame (c, 1);
  close_all (c, p, &place);
}

static void
test_late_joiner (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  check_int (sf_producer_event (p, 2, "B", 2, SF_EVENT_STICKY), 0);
  check_int (sf_producer_event (p, 1, "A", 2, SF_EVENT_STICKY), 0);
  check_int (sf_producer_event (p, 3, "once", 5, 0), 0);
  check (send_frame (p, 1, false));
  check (send_frame (p, 2, false));
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_EVENT);
  check (in.sticky && strcmp ((const char *) in.body, "A") == 0);
  next_of (c, &in, SF_RECEIVED_EVENT);
  check (in.sticky && strcmp ((const char *) in.body, "B") == 0);
  take_frame (c, 2);
  close_all (c, p, &place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_lossless), TEST (test_lossless_to_three),
    TEST (test_full_client), TEST (test_full_while_looking_out),
    TEST (test_live_slow_client), TEST (test_held_past_close),
    TEST (test_killed_consumer), TEST (test_growth), TEST (test_first_fits),
    TEST (test_growth_refused), TEST (test_growth_meets_format),
    TEST (test_restart), TEST (test_restart_abstract), TEST (test_late_joiner),
    TEST (test_no_limit_after_the_end),
  };

  return unit_main (tests);
}
