/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is woken when: for a frame that is there, or already for one to come. The
 * test is a client that sleeps by setting its flags only. */
#include <sched.h>

#include "rawclient.h"

/* No processor has this number. */
#define FAR UINT32_MAX

struct bed
{
  struct place place;
  struct sf_producer *p;
  struct raw_client r;
  uint64_t n;                   /* frames sent */
};

/* Stays where it runs, so that it knows which clients are near. */
static uint32_t
stay (void)
{
  int cpu = sched_getcpu ();
  cpu_set_t set;

  CPU_ZERO (&set);
  CPU_SET ((unsigned) cpu, &set);
  check_int (sched_setaffinity (0, sizeof set, &set), 0);
  return (uint32_t) cpu;
}

static void
sleep_at (struct bed *b, uint32_t cpu, uint32_t how)
{
  sf_store_flag (&b->r.page->cpu, cpu);
  sf_publish_u32 (&b->r.page->sleeping, how);
}

/* What one call does to the sleeper. */
static void
check_woken (struct bed *b, uint32_t before, bool woken)
{
  check_int (sf_observe_u32 (&b->r.page->wake) - before, woken);
  if (woken)
    check_int (sf_observe_u32 (&b->r.page->sleeping), 0);
}

static void
check_expect (struct bed *b, bool woken, bool coming)
{
  uint32_t before = sf_observe_u32 (&b->r.page->wake);

  sf_producer_expect (b->p, true);
  check_woken (b, before, woken);
  check_int (sf_observe_u32 (&b->r.ring.header->coming), coming);
}

static void
check_send (struct bed *b, bool woken)
{
  uint32_t before = sf_observe_u32 (&b->r.page->wake);

  check (send_frame (b->p, b->n++, false));
  check_woken (b, before, woken);
  check_int (sf_observe_u32 (&b->r.ring.header->coming), 0);
}

/* With a client that has been woken once, from `cpu`. */
static void
make_bed (struct bed *b, uint32_t cpu)
{
  *b = (struct bed) { 0 };
  place_make (&b->place);
  b->p = open_producer (b->place.path, 0, false);
  b->r = raw_join_at (b->place.path, SF_DELIVERY_LIVE, 4);
  check_int (sf_producer_wait_clients (b->p, 1), 0);
  sleep_at (b, cpu, SF_ASLEEP_TILL_COMING);
  check_send (b, true);
}

static void
clear_bed (struct bed *b)
{
  raw_close (&b->r);
  sf_producer_close (b->p);
  place_remove (&b->place);
}

static void
test_woken_ahead (void)
{
  struct bed b;

  stay ();
  make_bed (&b, FAR);
  sleep_at (&b, FAR, SF_ASLEEP_TILL_COMING);
  check_expect (&b, true, true);
  check_send (&b, false);       /* it is awake */
  sleep_at (&b, FAR, SF_ASLEEP_TILL_COMING);
  check_send (&b, true);        /* no announcement of the announcement */
  clear_bed (&b);
}

/* One that has looked out in vain wants to know only of what is there. */
static void
test_not_ahead (void)
{
  struct bed b;

  stay ();
  make_bed (&b, FAR);
  sleep_at (&b, FAR, SF_ASLEEP_TILL_THERE);
  check_expect (&b, false, true);
  check_send (&b, true);
  clear_bed (&b);
}

/* It could not look out for anything while we run. */
static void
test_near_is_left_asleep (void)
{
  uint32_t here = stay ();
  struct bed b;

  make_bed (&b, here);
  sleep_at (&b, here, SF_ASLEEP_TILL_COMING);
  check_expect (&b, false, false);
  check_send (&b, true);
  clear_bed (&b);
}

/* What was to come after all does not. */
static void
test_nothing_comes (void)
{
  struct bed b;

  stay ();
  make_bed (&b, FAR);
  sleep_at (&b, FAR, SF_ASLEEP_TILL_COMING);
  check_expect (&b, true, true);
  sf_producer_expect (b.p, false);
  check_int (sf_observe_u32 (&b.r.ring.header->coming), 0);
  clear_bed (&b);
}

/* A consumer that is told of frames that do not come, for good, still gets those
 * that do. */
static void
test_told_in_vain (void)
{
  struct bed b;
  struct sf_consumer *c;
  struct sf_incoming in;

  stay ();
  make_bed (&b, FAR);
  c = open_consumer (b.place.path, SF_DELIVERY_LIVE, 4);
  next_of (c, &in, SF_INCOMING_CONNECTED);
  check_int (sf_producer_wait_clients (b.p, 2), 0);
  next_of (c, &in, SF_INCOMING_FRAME);  /* the latest */
  sf_lease_unref (in.lease);
  for (int i = 0; i < 20; i++) {
    sf_producer_expect (b.p, true);
    while (sf_consumer_next (c, &in, SF_NS_PER_SECOND / 1000) == 1)
      check_cmp (in.kind, !=, SF_INCOMING_FRAME);
    check_send (&b, false);
    take_frame (c, b.n - 1);
  }
  sf_consumer_close (c);
  clear_bed (&b);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_woken_ahead), TEST (test_not_ahead),
    TEST (test_near_is_left_asleep), TEST (test_nothing_comes),
    TEST (test_told_in_vain),
  };

  return unit_main (tests);
}
