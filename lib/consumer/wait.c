/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the threads wait: the streaming thread for the next record, asleep or for
 * a moment awake, the control thread for its fds; and how they wake each
 * other. */
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "consumer/consumer-private.h"

/* A record that comes within SF_SPIN_THRESHOLD is better waited for awake;
 * after SF_SPIN_AFTER of them in a row, or up to MAX_SPIN_AFTER where that was
 * in vain. */
#define MAX_SPIN_AFTER 4096

SF_HOT bool
sf_connection_is_full (const struct sf_connection_state *conn)
{
  if (sf_observe_u32 ((sf_atomic_u32 *) &conn->over) != 0)
    return false;
  return sf_load_flag ((sf_atomic_u32 *) &conn->held)
      >= sf_load_flag ((sf_atomic_u32 *) &conn->max_held);
}

/* A frame for which there is no room is left where it is; one that came since
 * we last looked is not yet known to be one, nor has more room been asked
 * for. */
SF_HOT static bool
has_record (struct sf_connection_state *conn)
{
  return sf_ring_has_record (&conn->ring) && (!sf_connection_is_full (conn)
      || conn->reading.skipped_pos != conn->ring.pos
      || conn->reading.skipped_max_held != sf_load_flag (&conn->max_held));
}

/* Is there anything to do but sleep? */
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

/* Looks for work again and again, for `ns` at most. Where the producer was last
 * seen on our own processor, it needs that to make some. */
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

  /* The producer keeps things back until we have read all. */
  if (sf_observe_u32 (&conn->ring.header->overflowed) != 0
      && !sf_ring_has_record (&conn->ring))
    sf_connection_kick (conn);
  seen = sf_observe_u32 (&page->wake);
  /* What comes back is of interest only where it is what is missing. */
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

/* Where the last records were not long in coming, the next one probably is not
 * either, and falling asleep and being woken takes longer: at full speed no
 * time is lost on that, and at the rate of a camera none on looking. Where
 * looking was in vain - the producer may be waiting for this very processor -
 * it takes twice as many records in a row until it is tried again. */
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
  uint64_t one = 1;

  if (write (c->wake_fd, &one, sizeof (one)) < 0)
    return;                     /* full: it is awake */
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
  uint64_t n;

  if (sf_consumer_free_ended (c) && (ms < 0 || ms > tick_ms))
    ms = tick_ms;
  if (poll (fds, 3, ms) <= 0)
    return false;
  if ((fds[0].revents & POLLIN) && read (c->wake_fd, &n, sizeof (n)) < 0)
    return false;
  return fds[1].revents != 0;
}

int
sf_consumer_timed_wait_locked (struct sf_consumer *c, int64_t until)
{
  struct timespec ts = { until / SF_NS_PER_SECOND, until % SF_NS_PER_SECOND };

  if (until == INT64_MAX)
    return pthread_cond_wait (&c->cond, &c->lock);
  return pthread_cond_timedwait (&c->cond, &c->lock, &ts);
}
