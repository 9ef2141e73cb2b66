/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients that join and leave: the ring is as large as they need, and what they leave
 * behind does not add up. */
#include "transport.h"

static struct sf_producer_stats
stats_of (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (p, &stats);
  return stats;
}

static struct sf_producer *
open_for_many (const char *path)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        64,.max_memory = UINT64_C (1) << 28
  };

  return open_with_config (&config, false);
}

/* A client that the ring can hold is answered before the ring grows for it. */
static void
await_slots (struct sf_producer *p, uint32_t n)
{
  for (int i = 0; i < 10000 && stats_of (p).slots.n_slots < n; i++)
    usleep (1000);
  check_cmp (stats_of (p).slots.n_slots, >=, n);
}

/* One by one, and no slot is made that is not needed, but for a tenth. */
static void
test_no_more_than_needed (void)
{
  struct sf_consumer *c[48];
  struct sf_received in;
  struct sf_producer *p;
  struct place place;

  place_make (&place);
  p = open_for_many (place.path);
  for (uint32_t i = 0; i < 48; i++) {
    uint32_t needed = 4 * (i + 1) + 16;

    c[i] = open_consumer (place.path, SF_DELIVERY_LIVE, 4);
    next_of (c[i], &in, SF_RECEIVED_CONNECTED);
    await_slots (p, needed);
    if (stats_of (p).slots.n_slots * 10 > needed * 11)
      printf ("# %u slots for %u\n", stats_of (p).slots.n_slots, needed);
    check (stats_of (p).slots.n_slots * 10 <= needed * 11);
  }
  check_int (stats_of (p).slots.n_segments, 1);
  for (int i = 0; i < 48; i++)
    sf_consumer_close (c[i]);
  sf_producer_close (p);
  place_remove (&place);
}

/* Joins, takes a frame, and leaves. */
static void
visit (struct sf_producer *p, const char *path, uint64_t n)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_LIVE, 4);
  struct sf_received in;

  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check (send_frame (p, n, false));
  next_of (c, &in, SF_RECEIVED_FRAME);
  sf_lease_unref (in.lease);
  sf_consumer_close (c);
}

static void
await_alone (struct sf_producer *p)
{
  for (int i = 0; i < 10000; i++) {
    struct sf_producer_stats stats = stats_of (p);

    if (stats.n_clients + stats.n_lingering == 1)
      return;
    usleep (1000);
  }
  check (false);
}

/* Back to what it was; threads of ours open a file for a moment. */
static void
await_same (struct sf_producer *p, int fds, int maps, uint64_t bytes)
{
  for (int i = 0; i < 5000 && (unit_count_fds () > fds
          || unit_count_maps () > maps); i++)
    usleep (1000);
  check_int (unit_count_fds (), fds);
  check_int (unit_count_maps (), maps);
  check_int (stats_of (p).slots.bytes, bytes);
}

static void
test_visits (void)
{
  struct sf_consumer *there;
  struct sf_received in;
  struct sf_producer *p;
  struct place place;
  uint64_t bytes = 0;
  int fds = 0, maps = 0;

  place_make (&place);
  p = open_for_many (place.path);
  there = open_consumer (place.path, SF_DELIVERY_LIVE, 4);
  next_of (there, &in, SF_RECEIVED_CONNECTED);
  for (uint64_t n = 0; n < 100; n++) {
    visit (p, place.path, n);
    take_frame (there, n);
    await_alone (p);
    if (n == 10) {
      usleep (50000);
      fds = unit_count_fds ();
      maps = unit_count_maps ();
      bytes = stats_of (p).slots.bytes;
    }
  }
  await_same (p, fds, maps, bytes);
  sf_consumer_close (there);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_no_more_than_needed), TEST (test_visits),
  };

  return unit_main (tests);
}
