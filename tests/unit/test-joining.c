/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which order a producer does what a consumer needs that joins, and what
 * those need that are there. */
#include "rawclient.h"
#include "shared/test-hooks.h"

#define N_CLIENTS 4
#define MAX_STEPS 64

/* Steps of the control thread, in order. */
static char steps[MAX_STEPS + 1];
static sf_atomic_u32 n_steps;

/* The oldest first; and how often each had been woken when the n-th was about
 * to be. */
static struct raw_client client[N_CLIENTS];
static sf_atomic_u32 watching;
static uint32_t n_wakes, woken[N_CLIENTS][N_CLIENTS];

static void
note_step (char step)
{
  uint32_t n = sf_observe_u32 (&n_steps);

  if (n < MAX_STEPS)
    steps[n] = step;
  sf_publish_u32 (&n_steps, n + 1);
}

void
sf_hook (const char *name)
{
  if (strcmp (name, "welcomed") == 0)
    note_step ('w');
  else if (strcmp (name, "grow") == 0)
    note_step ('g');
  else if (strcmp (name, "wake") == 0 && sf_observe_u32 (&watching) != 0
      && n_wakes < N_CLIENTS) {
    for (int i = 0; i < N_CLIENTS; i++)
      woken[n_wakes][i] = sf_observe_u32 (&client[i].page->wake);
    n_wakes++;
  }
}

static uint32_t
slots_of (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (p, &stats);
  return stats.slots.n_slots;
}

static void
await_slots (struct sf_producer *p, uint32_t n)
{
  for (int i = 0; i < 20000 && slots_of (p) < n; i++)
    usleep (500);
  check_cmp (slots_of (p), >=, n);
}

/* The slots that it may hold are there, at the expense of base slots, which are
 * made once it has been answered. */
static void
test_welcome_before_growth (void)
{
  struct sf_producer *p;
  struct raw_client r[3];
  struct place place;
  uint32_t before;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  before = slots_of (p);
  memset (steps, 0, sizeof (steps));
  sf_publish_u32 (&n_steps, 0);
  r[0] = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
  r[1] = raw_join_at (place.path, SF_DELIVERY_LIVE, 8);
  await_slots (p, before + 8);
  check_str (steps, "wwg");
  /* More than the ring has. */
  r[2] = raw_join_at (place.path, SF_DELIVERY_LIVE, 64);
  await_slots (p, before + 8 + 64);
  check_int (sf_producer_wait_clients (p, 3), 0);
  check_str (steps, "wwggw");
  for (int i = 0; i < 3; i++)
    raw_close (&r[i]);
  sf_producer_close (p);
  place_remove (&place);
}

/* A client that is woken may take the processor from the producer. */
static void
test_newest_is_woken_last (void)
{
  struct raw_client last;
  struct sf_producer *p;
  struct place place;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  for (int i = 0; i < N_CLIENTS; i++)
    client[i] = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
  /* Its join is the only one that may not be over yet. */
  last = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
  check_int (sf_producer_wait_clients (p, N_CLIENTS + 1), 0);
  for (int i = 0; i < N_CLIENTS; i++)
    sf_publish_u32 (&client[i].page->sleeping, 1);
  n_wakes = 0;
  sf_publish_u32 (&watching, 1);
  check (send_frame (p, 0, false));
  sf_publish_u32 (&watching, 0);
  check_int (n_wakes, N_CLIENTS);
  for (int n = 0; n < N_CLIENTS; n++)
    for (int i = 0; i < N_CLIENTS; i++)
      check_int (woken[n][i], i < n);
  for (int i = 0; i < N_CLIENTS; i++)
    raw_close (&client[i]);
  raw_close (&last);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_welcome_before_growth), TEST (test_newest_is_woken_last),
  };

  return unit_main (tests);
}
