/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another producer's frames, relayed live, several at once: a client that takes
 * them keeps them all, one that does not is waited for once. The library is built
 * in, with a grace of a second. */
#include <pthread.h>

#include "transport.h"

#define BURST 8u
#define GRACE (4 * SF_NS_PER_SECOND)

struct hop
{
  struct place in, out;
  struct sf_producer *origin, *relay;
  struct sf_consumer *source, *client;
};

static void
give_lease (void *lease)
{
  sf_lease_unref (lease);
}

/* An origin, a relay, and one client of that, all here */
static void
hop_start (struct hop *hop)
{
  struct sf_received in;

  place_make (&hop->in);
  place_make (&hop->out);
  hop->origin = open_producer (hop->in.path, 0, false);
  hop->relay = open_producer (hop->out.path, 0, false);
  hop->source = open_consumer (hop->in.path, SF_DELIVERY_LIVE, 2 * BURST);
  hop->client = open_consumer (hop->out.path, SF_DELIVERY_LIVE, BURST);
  next_of (hop->client, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (hop->origin, 1), 0);
  check_int (sf_producer_wait_clients (hop->relay, 1), 0);
}

static void
hop_end (struct hop *hop)
{
  sf_consumer_close (hop->client);
  sf_producer_close (hop->relay);
  sf_consumer_close (hop->source);
  sf_producer_close (hop->origin);
  place_remove (&hop->in);
  place_remove (&hop->out);
}

static uint64_t
revoked (struct hop *hop)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (hop->relay, &stats);
  return stats.revoked;
}

/* The next frame of the origin; returns how long the relay waited. */
static int64_t
pass_on (struct hop *hop, uint64_t number)
{
  struct sf_received in;
  struct sf_memory_ref part;
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        &number,.body_size = sizeof number,.release = give_lease
  };
  int64_t before;

  check (send_frame (hop->origin, number, false));
  next_of (hop->source, &in, SF_RECEIVED_FRAME);
  part = (struct sf_memory_ref) {
  .segment = in.parts[0].segment,.slot = in.parts[0].slot,.size =
        in.parts[0].size};
  pub.user = in.lease;
  before = sf_now ();
  sf_producer_wait_for_live (hop->relay);
  before = sf_now () - before;
  check_int (sf_producer_publish (hop->relay, &pub), 0);
  return before;
}

/* Not as quick as they come */
static void *
take_all (void *client)
{
  for (uint64_t i = 0; i < BURST; i++) {
    usleep (5000);
    take_frame (client, i);
  }
  return NULL;
}

static void
test_taken (void)
{
  pthread_t taker;
  struct hop hop;

  hop_start (&hop);
  check_int (pthread_create (&taker, NULL, take_all, hop.client), 0);
  for (uint64_t i = 0; i < BURST; i++)
    pass_on (&hop, i);
  check_int (pthread_join (taker, NULL), 0);
  check_int (revoked (&hop), 0);
  hop_end (&hop);
}

/* The third frame waits for the first one's grace to end; then there is none
 * left, as all are as old, and it goes on as it would have. */
static void
test_not_taken (void)
{
  struct hop hop;
  int64_t began, waited;

  hop_start (&hop);
  began = sf_now ();
  check_cmp (pass_on (&hop, 0), <, GRACE / 2);
  check_cmp (pass_on (&hop, 1), <, GRACE / 2);
  waited = pass_on (&hop, 2);
  check (waited > 0 && sf_now () - began >= GRACE);
  check_int (revoked (&hop), 1);
  check_cmp (pass_on (&hop, 3), <, GRACE / 2);
  check_int (revoked (&hop), 2);
  hop_end (&hop);
}

static void
test_interrupted (void)
{
  struct hop hop;

  hop_start (&hop);
  sf_producer_interrupt (hop.relay, true);
  for (uint64_t i = 0; i < 4; i++)
    check_cmp (pass_on (&hop, i), <, GRACE / 2);
  check_int (revoked (&hop), 2);
  hop_end (&hop);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_taken), TEST (test_not_taken), TEST (test_interrupted),
  };

  return unit_main (tests);
}
