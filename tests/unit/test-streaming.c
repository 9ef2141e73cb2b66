/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is left to the threads that frames go through while rings grow, formats change and
 * connections end: nothing is mapped, unmapped or sent by them. */
#include <pthread.h>

#include "shared/test-hooks.h"
#include "transport.h"

/* This thread has frames in its hands. */
static _Thread_local bool streaming;
static sf_atomic_u32 maps, maps_here, unmaps, unmaps_here, sent, sent_here;
/* Nobody reads what the producer sends. */
static sf_atomic_u32 held_up;

static void
count (sf_atomic_u32 *elsewhere, sf_atomic_u32 *here)
{
  sf_ref (streaming ? here : elsewhere);
}

void
sf_hook (const char *name)
{
  if (strcmp (name, "map") == 0)
    count (&maps, &maps_here);
  else if (strcmp (name, "unmap") == 0)
    count (&unmaps, &unmaps_here);
  else if (strcmp (name, "send-segment") == 0)
    count (&sent, &sent_here);
  else if (strcmp (name, "message") == 0)
    while (sf_observe_u32 (&held_up) != 0)
      usleep (500);
}

static void
await_count (const sf_atomic_u32 *counter, uint32_t n)
{
  for (int i = 0; i < 20000 && sf_observe_u32 (counter) < n; i++)
    usleep (500);
  check (sf_observe_u32 (counter) >= n);
}

static void
take (struct sf_consumer *const *c, int n, uint64_t number)
{
  struct sf_received in;

  for (int i = 0; i < n; i++) {
    next_of (c[i], &in, SF_RECEIVED_FRAME);
    /* The latest, to one that has joined. */
    if (in.sticky && check_frame (&in) < number) {
      sf_lease_unref (in.lease);
      next_of (c[i], &in, SF_RECEIVED_FRAME);
    }
    check_int (check_frame (&in), number);
    sf_lease_unref (in.lease);
  }
  streaming = false;
}

/* One frame to all of them. */
static void
pass (struct sf_producer *p, struct sf_consumer *const *c, int n, uint64_t number)
{
  streaming = true;
  check (send_frame (p, number, false));
  take (c, n, number);
}

static struct sf_consumer *
join (const char *path, uint32_t max_held)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_LIVE, max_held);
  struct sf_received in;

  next_of (c, &in, SF_RECEIVED_CONNECTED);
  return c;
}

static uint32_t
slots_of (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (p, &stats);
  return stats.slots.n_slots;
}

static uint64_t
mapped_late (struct sf_consumer *c)
{
  struct sf_consumer_stats stats;

  sf_consumer_get_stats (c, &stats);
  return stats.mapped_late;
}

static void
check_nothing_here (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (p, &stats);
  check_int (stats.segments_sent_late, 0);
  check_int (maps_here, 0);
  check_int (unmaps_here, 0);
  check_int (sent_here, 0);
}

/* Each of those that are there maps what was added, before it needs it. */
static void
test_growth (void)
{
  struct sf_consumer *c[5];
  struct sf_producer *p;
  struct place place;
  uint64_t n = 0;
  uint32_t before, mapped = 0;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  check (send_frame (p, n++, false));
  before = slots_of (p);
  for (int i = 0; i < 5; i++) {
    c[i] = join (place.path, 16);
    mapped += (uint32_t) i + 1;
    await_count (&maps, mapped);
    for (uint32_t k = 0; k < 2 * slots_of (p); k++)
      pass (p, c, i + 1, n++);
  }
  check (slots_of (p) >= before + 48);
  check_nothing_here (p);
  for (int i = 0; i < 5; i++) {
    check_int (mapped_late (c[i]), 0);
    sf_consumer_close (c[i]);
  }
  sf_producer_close (p);
  place_remove (&place);
}

/* The control thread has not come to it: the frame does not wait for that. */
static void
test_frame_before_the_map (void)
{
  struct sf_consumer *c[2];
  struct sf_producer *p;
  struct place place;
  uint64_t n = 0;
  uint32_t before;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  c[0] = join (place.path, 4);
  pass (p, c, 1, n++);
  before = slots_of (p);
  sf_publish_u32 (&held_up, 1);
  c[1] = open_consumer (place.path, SF_DELIVERY_LIVE, 64);
  while (slots_of (p) == before)
    usleep (500);
  for (uint32_t k = 0; k < 2 * slots_of (p); k++)
    pass (p, c, 1, n++);
  check (mapped_late (c[0]) > 0);
  check_int (mapped_late (c[0]), maps_here);
  sf_publish_u32 (&held_up, 0);
  sf_consumer_close (c[0]);
  sf_consumer_close (c[1]);
  sf_producer_close (p);
  place_remove (&place);
}

/* The segment of a format is sent, and mapped, while its first frame is made, and that of
 * the one before goes without a thread that has frames. */
static void
test_formats (void)
{
  struct sf_consumer *c[3];
  struct sf_producer *p;
  struct place place;
  uint64_t needed, n = 0;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  for (int i = 0; i < 3; i++)
    c[i] = join (place.path, 1);        /* for which the ring need not grow */
  for (uint64_t format = 1; format < 8; format++) {
    struct sf_slot *slot;

    check_int (sf_producer_set_format (p, format * FRAME_BYTES, 1, &needed),
        0);
    streaming = true;
    slot = fill_slot (p, n, false);
    await_count (&sent, 3 * (uint32_t) format);
    publish_slot (p, slot, n, false);
    take (c, 3, n++);
    for (int k = 0; k < 50; k++)
      pass (p, c, 3, n++);
  }
  /* The producer's, and three of a consumer. */
  await_count (&unmaps, 6 * 4);
  check_nothing_here (p);
  for (int i = 0; i < 3; i++)
    sf_consumer_close (c[i]);
  sf_producer_close (p);
  place_remove (&place);
}

/* The last frame of a connection that has ended comes back. */
static void
test_end_of_a_connection (void)
{
  struct sf_received in, end;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct place place;
  uint32_t before;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  c = join (place.path, 4);
  check (send_frame (p, 0, false));
  next_of (c, &in, SF_RECEIVED_FRAME);
  sf_producer_close (p);
  streaming = true;
  next_of (c, &end, SF_RECEIVED_DISCONNECTED);
  streaming = false;
  before = unmaps;
  usleep (50000);
  check_int (check_frame (&in), 0);
  streaming = true;
  sf_lease_unref (in.lease);
  streaming = false;
  check_int (unmaps_here, 0);
  await_count (&unmaps, before + 1);
  sf_consumer_close (c);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_growth), TEST (test_frame_before_the_map), TEST (test_formats),
    TEST (test_end_of_a_connection),
  };

  return unit_main (tests);
}
