/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the threads wait and wake each other: the streaming thread for the next
 * record, asleep or spinning, the control thread for its fds. */
#include <poll.h>
#include <sched.h>

#include "consumer/consumer-private.h"

/* After SF_SPIN_AFTER records in a row within SF_SPIN_THRESHOLD, spinning is
 * cheaper than sleeping. Each vain try doubles that number, up to this. */
#define MAX_SPIN_AFTER 4096

SF_HOT bool
sf_connection_is_full (const struct sf_connection_state *conn)
{
  if (sf_observe_u32 ((sf_atomic_u32 *) &conn->over) != 0)
    return false;
  return sf_load_flag ((sf_atomic_u32 *) &conn->held)
      >= sf_load_flag ((sf_atomic_u32 *) &conn->max_held);
}

/* Skip a record that was already seen while max-held was reached. A new one, or
 * the same after max_held changed, is to be looked at. */
SF_HOT static bool
has_record (struct sf_connection_state *conn)
{
  return sf_ring_has_record (&conn->ring) && (!sf_connection_is_full (conn)
      || conn->reading.skipped_pos != conn->ring.pos
      || conn->reading.skipped_max_held != sf_load_flag (&conn->max_held));
}

/* Tells whether there is anything to do but sleep. */
SF_HOT static bool
has_work (struct sf_consumer *c, struct sf_connection_state *conn)
{
  enum sf_flush_phase flush = sf_connection_flush_phase (c, conn);

  if (sf_load_flag (&c->interrupted) || sf_load_flag (&c->notices.pending)
      || flush == SF_FLUSH_ENDED)
    return true;
  return flush == SF_FLUSH_NONE
      && (sf_observe_u32 (&conn->over) != 0 || has_record (conn));
}

/* Looks for work for `ns` at most. Yields if the producer last ran on our CPU,
 * which it needs to make some. */
static void
spin_for_work (struct sf_consumer *c, struct sf_connection_state *conn,
    int64_t now, int64_t ns)
{
  int64_t until = now + ns;

  while (now < until && !has_work (c, conn)) {
    sf_spin_step (sf_load_flag (&conn->ring.header->cpu)
        == (uint32_t) sched_getcpu ());
    now = sf_now ();
  }
}

/* Sleeps until there may be work. See shared/atomics.h for why no wake-up is
 * lost. */
SF_HOT static void
sleep_on_connection (struct sf_consumer *c, struct sf_connection_state *conn,
    int64_t until)
{
  struct sf_returns_page *page = conn->ring.page;
  uint32_t seen;

  /* An overflowed ring gets nothing before it is read empty. */
  if (sf_observe_u32 (&conn->ring.header->overflowed) != 0
      && !sf_ring_has_record (&conn->ring))
    sf_connection_kick (conn);
  seen = sf_observe_u32 (&page->wake);
  /* Wake for a return only if that is what is missing. */
  sf_store_flag (&conn->wants_room, sf_connection_is_full (conn));
  sf_store_flag (&page->sleeping, 1);
  sf_fence_store_load ();
  if (!has_work (c, conn)) {
    int64_t now = sf_now ();

    if (now < until)
      sf_futex_wait (&page->wake, seen,
          until == INT64_MAX ? SF_FOREVER : until - now);
  }
  sf_store_flag (&page->sleeping, 0);
  sf_store_flag (&conn->wants_room, 0);
}

/* Spins while records come at full speed, since falling asleep and being woken
 * takes longer than waiting for the next one; sleeps at the rate of a camera.
 * After spinning in vain (the producer may need this CPU) it takes twice as
 * many records in a row until the next try. */
SF_HOT void
sf_consumer_wait (struct sf_consumer *c, struct sf_connection_state *conn,
    int64_t until)
{
  bool spins = conn->reading.n_unpaced >= conn->reading.spin_after;
  int64_t began = sf_now (), ns = c->settings.spin;

  sf_store_flag (&conn->ring.page->cpu, (uint32_t) sched_getcpu ());
  if (spins && ns < SF_SPIN_THRESHOLD)
    ns = SF_SPIN_THRESHOLD;
  spin_for_work (c, conn, began, ns);
  if (has_work (c, conn)) {
    conn->reading.spin_after = SF_SPIN_AFTER;
    return;
  }
  if (spins && conn->reading.spin_after < MAX_SPIN_AFTER)
    conn->reading.spin_after *= 2;
  sleep_on_connection (c, conn, until);
  if (sf_now () - began < SF_SPIN_THRESHOLD)
    conn->reading.n_unpaced++;
  else
    conn->reading.n_unpaced = 0;
}

bool
sf_consumer_is_stopping (struct sf_consumer *c)
{
  bool stopping;

  pthread_mutex_lock (&c->lock);
  stopping = c->stopping;
  pthread_mutex_unlock (&c->lock);
  return stopping;
}

void
sf_consumer_notify_locked (struct sf_consumer *c)
{
  sf_store_flag (&c->notices.pending, 1);
  pthread_cond_broadcast (&c->cond);
  if (c->conn != NULL)
    sf_connection_wake (c->conn);
}

void
sf_consumer_kick (struct sf_consumer *c)
{
  sf_eventfd_kick (c->wake_fd);
}

bool
sf_consumer_poll (struct sf_consumer *c, int fd, int ms)
{
  struct pollfd fds[3] = {
    { .fd = c->wake_fd, .events = POLLIN },
    { .fd = fd, .events = POLLIN },
    { .fd = c->control.process_fd, .events = POLLIN },
  };
  const int tick_ms = SF_ENDED_TICK / 1000000;

  if (sf_consumer_free_ended (c) && (ms < 0 || ms > tick_ms))
    ms = tick_ms;
  if (poll (fds, 3, ms) <= 0)
    return false;
  sf_eventfd_clear (c->wake_fd);
  return fds[1].revents != 0;
}
