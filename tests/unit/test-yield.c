/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the producer gives its processor away: to a client that it woke there, or
 * that it waits for; and no more than once to others who keep it for long. Clock
 * and sched_yield() are the test's: it says how long the others take. */
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "rawclient.h"

#define MS (SF_NS_PER_SECOND / 1000)

static _Atomic int64_t now_ns = SF_NS_PER_SECOND;
static _Atomic int64_t others_take;
static _Atomic unsigned n_yields;

int
sched_yield (void)
{
  n_yields++;
  now_ns += others_take;
  return 0;
}

/* It moves by itself only so much that who waits for it gets to an end. */
int
clock_gettime (clockid_t id, struct timespec *ts)
{
  int64_t now = atomic_fetch_add (&now_ns, 100) + 100;

  (void) id;
  ts->tv_sec = now / SF_NS_PER_SECOND;
  ts->tv_nsec = now % SF_NS_PER_SECOND;
  return 0;
}

struct bed
{
  struct place place;
  struct sf_producer *p;
  struct raw_client r;
  uint64_t n;                   /* frames sent */
};

/* With a client on this processor, where we stay. */
static void
make_bed (struct bed *b, uint32_t slots, bool lossless)
{
  int cpu = sched_getcpu ();
  cpu_set_t set;

  CPU_ZERO (&set);
  CPU_SET ((unsigned) cpu, &set);
  check_int (sched_setaffinity (0, sizeof set, &set), 0);
  *b = (struct bed) { 0 };
  place_make (&b->place);
  b->p = open_producer (b->place.path, slots, lossless);
  b->r = raw_join_at (b->place.path,
      lossless ? SF_DELIVERY_LOSSLESS : SF_DELIVERY_LIVE, 4);
  check_int (sf_producer_wait_clients (b->p, 1), 0);
  sf_store_flag (&b->r.page->cpu, (uint32_t) cpu);
  /* The control thread wakes who joins, once, perhaps after it was counted. */
  sf_publish_u32 (&b->r.page->sleeping, 1);
  for (int i = 0; i < 200 && sf_load_flag (&b->r.page->sleeping) != 0; i++)
    usleep (1000);
}

static void
clear_bed (struct bed *b)
{
  raw_close (&b->r);
  sf_producer_close (b->p);
  place_remove (&b->place);
}

/* Yields for `n` frames, each of which wakes the client. */
static unsigned
send_frames (struct bed *b, int n, int64_t taken)
{
  unsigned before = n_yields;

  others_take = taken;
  for (int i = 0; i < n; i++) {
    now_ns += MS;
    /* Who sleeps has read all: otherwise the control thread may wake it too. */
    sf_publish_u64 (&b->r.page->read_pos,
        sf_observe_u64 (&b->r.ring.header->head));
    sf_publish_u32 (&b->r.page->sleeping, 1);
    check (send_frame (b->p, b->n++, false));
  }
  return n_yields - before;
}

static void
test_client_gets_it (void)
{
  struct bed b;

  make_bed (&b, 0, false);
  check_int (send_frames (&b, 50, MS / 50), 50);
  clear_bed (&b);
}

/* Once, then not for 2 frames, 4, 8, up to 256: so many until it is tried again
 * when they have gone. */
static void
test_others_do_not (void)
{
  struct bed b;

  make_bed (&b, 0, false);
  check_int (send_frames (&b, 100, 5 * MS), 6);
  check_int (send_frames (&b, 10000, 5 * MS), 40);
  send_frames (&b, 257, 0);
  check_int (send_frames (&b, 50, 0), 50);
  clear_bed (&b);
}

/* One of them that has something to do would keep the processor. */
static void
test_several_do_not (void)
{
  struct raw_client other;
  struct bed b;

  make_bed (&b, 0, false);
  other = raw_join_at (b.place.path, SF_DELIVERY_LIVE, 4);
  check_int (sf_producer_wait_clients (b.p, 2), 0);
  for (int i = 0; i < 50; i++) {
    sf_store_flag (&other.page->cpu, sf_load_flag (&b.r.page->cpu));
    sf_publish_u32 (&other.page->sleeping, i % 2);
    check_int (send_frames (&b, 1, MS / 50), 0);
  }
  raw_close (&other);
  clear_bed (&b);
}

static unsigned
wait_once (struct bed *b, int64_t taken)
{
  unsigned before = n_yields;

  others_take = taken;
  wait_for_slot (b->p, sf_producer_token (b->p));
  return n_yields - before;
}

/* Where it waits for room, the time that it yields for is bounded, not how often
 * it does. */
static void
test_wait (void)
{
  struct bed b;

  make_bed (&b, 6, true);
  while (send_frame (b.p, b.n, false) && ++b.n < 4);
  check_cmp (wait_once (&b, MS / 1000), >, 10);
  check_int (wait_once (&b, 20 * MS), 1);
  clear_bed (&b);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_client_gets_it), TEST (test_others_do_not),
    TEST (test_several_do_not), TEST (test_wait),
  };

  return unit_main (tests);
}
