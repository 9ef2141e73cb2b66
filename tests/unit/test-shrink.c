/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring that was made for clients that have left: the stream goes on in a smaller one.
 * Built with little patience. */
#include "transport.h"

#define MANY 200u

static struct sf_slots_state
state_of (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (p, &stats);
  return stats.slots;
}

static void
visit (const char *path)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_AUTO, MANY);
  struct sf_received in;

  next_of (c, &in, SF_RECEIVED_CONNECTED);
  sf_consumer_close (c);
}

/* Frames to one that stays, until the ring is small and the large one gone. `held`: one
 * that was received before. */
static uint64_t
pass_until_small (struct sf_producer *p, struct sf_consumer *c, uint64_t n,
    const struct sf_received *held)
{
  struct sf_slots_state slots;
  struct sf_received in;
  uint32_t segments = held != NULL ? 2 : 1;

  do {
    check (send_frame (p, n, true));
    next_of (c, &in, SF_RECEIVED_FRAME);
    check_int (check_frame (&in), n++);
    sf_lease_unref (in.lease);
    usleep (1000);
    slots = state_of (p);
    check (n < 20000);
  } while (slots.n_slots > MANY || slots.n_segments != segments);
  check (slots.n_slots >= 20);
  return n;
}

static void
run (bool lossless)
{
  struct sf_received in, held;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct place place;
  const uint8_t *data;
  uint64_t large, n = 0;

  place_make (&place);
  p = open_producer (place.path, 0, lossless);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  visit (place.path);
  check (state_of (p).n_slots > MANY);
  large = state_of (p).bytes;
  check (send_frame (p, n++, true));
  next_of (c, &held, SF_RECEIVED_FRAME);
  data = held.parts[0].data;
  n = pass_until_small (p, c, n, &held);
  /* What is held of the large one stays as it is. */
  for (uint32_t i = 0; i < FRAME_WORDS; i++)
    check (((const uint64_t *) data)[i] == word_of (0, i));
  sf_lease_unref (held.lease);
  n = pass_until_small (p, c, n, NULL);
  /* Unmapped by a thread that takes its time. */
  for (int i = 0; i < 10000 && state_of (p).bytes >= large / 4; i++)
    usleep (1000);
  check (state_of (p).bytes < large / 4);
  /* And it grows again. */
  visit (place.path);
  check (state_of (p).n_slots > MANY);
  n = pass_until_small (p, c, n, NULL);
  sf_consumer_close (c);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_live (void)
{
  run (false);
}

static void
test_lossless (void)
{
  run (true);
}

/* Nobody is there and nothing is published. */
static void
test_idle (void)
{
  struct sf_producer *p;
  struct place place;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  visit (place.path);
  for (int i = 0; i < 20000 && state_of (p).n_slots > MANY; i++)
    usleep (1000);
  check (state_of (p).n_slots < MANY / 4);
  check_int (state_of (p).n_segments, 1);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_fixed (void)
{
  struct sf_producer *p;
  struct place place;

  place_make (&place);
  p = open_producer (place.path, MANY, false);
  usleep (300000);
  check_int (state_of (p).n_slots, MANY);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_live), TEST (test_lossless), TEST (test_idle), TEST (test_fixed),
  };

  return unit_main (tests);
}
