/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wakes sleeping clients, and yields to one on our CPU. */
#include <sched.h>

#include "shared/test-hooks.h"
#include "producer/parts.h"

/* A yield longer than this (ns) ran something other than the client, which
 * needs some 10 us. */
#define MAX_YIELD_NS 1000000
/* After n such yields in a row, skip the next 2^n; n is at most this. */
#define MAX_BACK_OFF 8

SF_HOT bool
sf_client_take_sleeping_flag (struct sf_client *c)
{
  sf_atomic_u32 *sleeping = &c->queue.ring.page->sleeping;

  return sf_load_flag (sleeping) != 0 && sf_take_flag (sleeping) != 0;
}

SF_HOT bool
sf_client_is_on_this_cpu (const struct sf_client *c)
{
  return sf_load_flag (&c->queue.ring.page->cpu) == (uint32_t) sched_getcpu ();
}

SF_HOT void
sf_client_wake (struct sf_client *c)
{
  SF_HOOK ("wake");
  sf_bump_u32 (&c->queue.ring.page->wake);
  sf_futex_wake (&c->queue.ring.page->wake);
}

SF_HOT void
sf_client_note_sleep_locked (struct sf_client *c)
{
  struct sf_producer *p = c->producer;

  p->waking.n_served++;
  /* The head is visible before the flag is read: see shared/atomics.h. */
  sf_fence_store_load ();
  if (p->waking.n_clients < p->settings.max_clients
      && sf_client_take_sleeping_flag (c))
    p->waking.clients[p->waking.n_clients++] = sf_client_ref (c);
}

/* Yields to a client on our CPU. After a yield that something else used up,
 * skips the next ones. */
SF_HOT static void
yield_to_client (struct sf_producer *p)
{
  int64_t before;

  if (p->waking.n_yields_to_skip > 0) {
    p->waking.n_yields_to_skip--;
    return;
  }
  before = sf_now ();
  sched_yield ();
  if (sf_now () - before < MAX_YIELD_NS) {
    p->waking.yield_back_off = 0;
    return;
  }
  p->waking.yield_back_off += p->waking.yield_back_off < MAX_BACK_OFF;
  p->waking.n_yields_to_skip = 1u << p->waking.yield_back_off;
}

SF_HOT void
sf_producer_wake_sleepers (struct sf_producer *p)
{
  bool only_one = p->waking.n_served == 1, on_this_cpu = false;

  p->waking.n_served = 0;
  /* A client that is woken may take our CPU: the newest, which was noted first,
   * has most to do, and comes last. */
  while (p->waking.n_clients > 0) {
    struct sf_client *c = p->waking.clients[--p->waking.n_clients];

    on_this_cpu = only_one && sf_client_is_on_this_cpu (c);
    sf_client_wake (c);
    sf_client_unref (c);
  }
  /* The client is runnable and waits for our CPU. In an unpaced stream it gets
   * it when we run out of slots. Of several, one that reads the frame before
   * would keep it. */
  if (on_this_cpu && !p->waking.unpaced)
    yield_to_client (p);
}
