/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes in a row: an origin, one or two that relay its frames, and one that
 * holds them, while one of the others dies or stops. */
#include "roles.h"

#define CHURN 1500u

static void
churn (struct sf_producer *p, uint64_t *number, uint32_t n)
{
  uint32_t sent = 0;

  for (uint32_t i = 0; i < n; i++) {
    sent += send_frame (p, (*number)++, false);
    usleep (100);
  }
  check_cmp (sent, >, n / 2);
}

static void
churn_until_ready (struct sf_producer *p, uint64_t *number,
    struct role *holder)
{
  while (!readable (holder->from)) {
    send_frame (p, (*number)++, false);
    usleep (500);
  }
  check_int (heard (holder->from), 'r');
}

static uint32_t
free_slots (struct sf_producer *p, uint32_t * all)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (p, &stats);
  *all = stats.slots.n_slots;
  return stats.slots.n_free;
}

/* Nobody is connected any more, and only the latest frame is kept */
static void
expect_all_back (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  do {
    usleep (1000);
    sf_producer_get_stats (p, &stats);
  } while (stats.n_clients + stats.n_lingering > 0
      || stats.slots.n_free + 1 < stats.slots.n_slots);
}

struct chain
{
  struct place in, out;
  struct sf_producer *origin;
  struct role relay, holder;
  uint64_t number;
};

static void
chain_start (struct chain *chain)
{
  place_make (&chain->in);
  place_make (&chain->out);
  chain->number = 1;
  role_start (&chain->relay, run_relay, &chain->in, &chain->out);
  role_start (&chain->holder, run_holder, &chain->out, NULL);
  chain->origin = open_producer (chain->in.path, 0, false);
  churn_until_ready (chain->origin, &chain->number, &chain->holder);
}

static void
chain_end (struct chain *chain)
{
  sf_producer_close (chain->origin);
  /* a relay that was killed leaves its socket file */
  unlink (chain->out.path);
  place_remove (&chain->in);
  place_remove (&chain->out);
}

/* Its frames are not taken back before the fourth process has let go, too */
static void
test_relay_killed (void)
{
  struct sf_producer_stats stats;
  struct chain chain;
  uint32_t all;

  chain_start (&chain);
  role_kill (&chain.relay);
  churn (chain.origin, &chain.number, CHURN);
  sf_producer_get_stats (chain.origin, &stats);
  check_int (stats.n_lingering, 1);
  check_cmp (free_slots (chain.origin, &all) + HELD, <=, all);
  role_finish (&chain.holder);
  expect_all_back (chain.origin);
  chain_end (&chain);
}

static void
test_holder_killed (void)
{
  struct chain chain;

  chain_start (&chain);
  role_kill (&chain.holder);
  churn (chain.origin, &chain.number, CHURN);
  role_finish (&chain.relay);
  expect_all_back (chain.origin);
  chain_end (&chain);
}

/* The fourth process stands still; another one beside it does not */
static void
test_holder_stopped (void)
{
  struct sf_producer_stats before, after;
  struct sf_consumer *beside;
  struct sf_received in;
  struct chain chain;

  chain_start (&chain);
  beside = open_consumer (chain.out.path, SF_DELIVERY_LIVE, 2);
  do
    churn (chain.origin, &chain.number, 4);
  while (sf_consumer_next (beside, &in, 0) == 0);
  check_int (kill (chain.holder.pid, SIGSTOP), 0);
  churn (chain.origin, &chain.number, 100);
  sf_producer_get_stats (chain.origin, &before);
  for (uint32_t got = 0; got < CHURN;) {
    send_frame (chain.origin, chain.number++, false);
    if (sf_consumer_next (beside, &in, SF_NS_PER_SECOND / 100) == 1
        && in.kind == SF_RECEIVED_FRAME) {
      check_frame (&in);
      sf_lease_unref (in.lease);
      got++;
    }
  }
  sf_producer_get_stats (chain.origin, &after);
  check_int (after.slots.bytes, before.slots.bytes);
  check_int (kill (chain.holder.pid, SIGCONT), 0);
  role_finish (&chain.holder);
  sf_consumer_close (beside);
  role_finish (&chain.relay);
  expect_all_back (chain.origin);
  chain_end (&chain);
}

/* An origin, two relays in a row, and a holder; the relays of these numbers are
 * killed, one after the other, and the others go on. */
static void
kill_in_row (const unsigned *victims, unsigned n_victims)
{
  struct place place[3];
  struct role relay[2], holder;
  struct sf_producer *origin;
  bool killed[2] = { false, false };
  uint64_t number = 1;
  uint32_t all;

  for (unsigned i = 0; i < 3; i++)
    place_make (&place[i]);
  for (unsigned i = 0; i < 2; i++)
    role_start (&relay[i], run_relay, &place[i], &place[i + 1]);
  role_start (&holder, run_holder, &place[2], NULL);
  origin = open_producer (place[0].path, 0, false);
  churn_until_ready (origin, &number, &holder);
  for (unsigned i = 0; i < n_victims; i++) {
    role_kill (&relay[victims[i]]);
    killed[victims[i]] = true;
    churn (origin, &number, CHURN);
  }
  check_cmp (free_slots (origin, &all) + HELD, <=, all);
  role_finish (&holder);
  for (unsigned i = 0; i < 2; i++)
    if (!killed[i])
      role_finish (&relay[i]);
  expect_all_back (origin);
  sf_producer_close (origin);
  for (unsigned i = 0; i < 3; i++) {
    unlink (place[i].path);
    place_remove (&place[i]);
  }
}

static void
test_first_of_two_killed (void)
{
  kill_in_row ((unsigned[]) { 0 }, 1);
}

static void
test_second_of_two_killed (void)
{
  kill_in_row ((unsigned[]) { 1 }, 1);
}

static void
test_both_killed (void)
{
  kill_in_row ((unsigned[]) { 0, 1 }, 2);
  kill_in_row ((unsigned[]) { 1, 0 }, 2);
}

static struct sf_client_info
only_client (struct sf_producer *p)
{
  struct sf_client_info info[2];

  check_int (sf_producer_get_clients (p, info, 2), 1);
  return info[0];
}

/* What the clients of a relay that is closed still hold is charged to it, as
 * long as they do: it gets that much less, and is not taken for one that holds
 * too many. It comes back when they let go, or are gone; not with its end. */
static void
stop_publishing (void (*let_go) (struct role *holder))
{
  struct chain chain;
  uint64_t id;

  chain_start (&chain);
  id = only_client (chain.origin).id;
  role_tell (&chain.relay, 'c');
  check_int (heard (chain.relay.from), 'c');
  churn (chain.origin, &chain.number, CHURN);
  check_int (only_client (chain.origin).id, id);
  check_cmp (only_client (chain.origin).held, >=, HELD);
  let_go (&chain.holder);
  churn (chain.origin, &chain.number, CHURN);
  role_tell (&chain.relay, 'g');
  check_int (heard (chain.relay.from), 'g');
  while (only_client (chain.origin).held > 0)
    usleep (1000);
  check_int (only_client (chain.origin).id, id);
  role_finish (&chain.relay);
  expect_all_back (chain.origin);
  chain_end (&chain);
}

static void
test_relay_stops_publishing (void)
{
  stop_publishing (role_finish);
}

static void
test_relay_stops_holder_killed (void)
{
  stop_publishing (role_kill);
}

/* When a relay closes, its clients take all that is there, however few they were
 * to hold. That is no reason not to wait for them. */
static void
test_all_taken_at_the_end (void)
{
  struct place in_place, out_place;
  struct sf_producer *origin, *relay;
  struct sf_consumer *receiver, *client;
  struct sf_received in;
  struct sf_lease *lease[6];
  int fds = unit_count_fds ();

  place_make (&in_place);
  place_make (&out_place);
  origin = open_producer (in_place.path, 0, true);
  relay = open_producer (out_place.path, 0, true);
  receiver = open_consumer (in_place.path, SF_DELIVERY_AUTO, RELAY_HELD);
  client = open_consumer (out_place.path, SF_DELIVERY_AUTO, 2);
  check_int (sf_producer_wait_clients (origin, 1), 0);
  check_int (sf_producer_wait_clients (relay, 1), 0);
  for (uint64_t i = 0; i < 6; i++) {
    check (send_frame (origin, i, true));
    next_of (receiver, &in, SF_RECEIVED_FRAME);
    relay_frame (relay, &in);
  }
  sf_producer_close (relay);
  for (unsigned i = 0; i < 6; i++) {
    next_of (client, &in, SF_RECEIVED_FRAME);
    lease[i] = in.lease;
  }
  for (unsigned i = 0; i < 6; i++) {
    check_int (only_client (origin).held, 6 - i);
    sf_lease_unref (lease[i]);
    while (only_client (origin).held > 5 - i)
      usleep (1000);
  }
  sf_consumer_close (client);
  sf_consumer_close (receiver);
  sf_producer_close (origin);
  place_remove (&in_place);
  place_remove (&out_place);
  /* What the relay left behind ends by itself. */
  while (unit_count_fds () > fds)
    usleep (1000);
}

/* Another producer of this process has the slot, which upstream still had of it after
 * it was linked anew: it is no more ours than one of another process. */
static void
test_slot_of_another_producer (void)
{
  struct place place[2];
  struct sf_producer *other, *p;
  struct sf_consumer *c;
  struct sf_received in;
  int fds = unit_count_fds ();

  place_make (&place[0]);
  place_make (&place[1]);
  other = open_producer (place[0].path, 0, true);
  p = open_producer (place[1].path, 0, true);
  c = open_consumer (place[1].path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  publish_slot (p, fill_slot (other, 7, true), 7, true);
  next_of (c, &in, SF_RECEIVED_FRAME);
  sf_producer_close (p);
  for (uint64_t i = 0; i < 64; i++)
    send_frame (other, 1000 + i, false);
  check_int (check_frame (&in), 7);
  sf_lease_unref (in.lease);
  expect_all_back (other);
  sf_consumer_close (c);
  sf_producer_close (other);
  place_remove (&place[0]);
  place_remove (&place[1]);
  while (unit_count_fds () > fds)
    usleep (1000);
}

static void
next_from (struct sf_consumer *c, struct sf_received *in, uint64_t origin)
{
  for (;;) {
    next_of (c, in, SF_RECEIVED_FRAME);
    if (check_frame (in) >> 32 == origin)
      return;
    sf_lease_unref (in->lease);
  }
}

/* What is held stays as it was, and another origin goes on in its place */
static void
test_origin_killed (void)
{
  struct role origin, relay;
  struct place in_place, out_place;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *lease;
  const uint8_t *data;
  uint64_t number;

  place_make (&in_place);
  place_make (&out_place);
  role_start (&relay, run_relay, &in_place, &out_place);
  role_start (&origin, run_origin, NULL, &in_place);
  role_tell (&origin, 1);
  c = open_consumer (out_place.path, SF_DELIVERY_LIVE, 3);
  next_from (c, &in, 1);
  lease = in.lease;
  data = in.parts[0].data;
  number = check_frame (&in);
  role_kill (&origin);
  role_start (&origin, run_origin, NULL, &in_place);
  role_tell (&origin, 2);
  for (uint32_t i = 0; i < 200; i++) {
    next_from (c, &in, 2);
    sf_lease_unref (in.lease);
    check_words (data, number);
  }
  sf_lease_unref (lease);
  sf_consumer_close (c);
  role_finish (&relay);
  role_finish (&origin);
  place_remove (&in_place);
  place_remove (&out_place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_relay_killed),
    TEST (test_first_of_two_killed),
    TEST (test_second_of_two_killed),
    TEST (test_both_killed),
    TEST (test_holder_killed),
    TEST (test_holder_stopped),
    TEST (test_relay_stops_publishing),
    TEST (test_relay_stops_holder_killed),
    TEST (test_all_taken_at_the_end),
    TEST (test_slot_of_another_producer),
    TEST (test_origin_killed),
  };

  return unit_main (tests);
}
