/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushes between a producer and its consumers, without GStreamer. */
#include "transport.h"

#include <pthread.h>

#define ROUNDS 400u
#define PER_ROUND 1000u

static struct place place;
static struct sf_producer *p;
static struct sf_consumer *c;

/* `slots` 0: as many as it takes */
static void
open_pair (uint32_t slots, bool lossless, void (*flush) (void *))
{
  struct sf_consumer_config config = {.name = "test",.delivery =
        SF_DELIVERY_AUTO,.max_held = 4,.connect_timeout = SF_FOREVER,.flush =
        flush
  };

  place_make (&place);
  config.path = place.path;
  p = open_producer (place.path, slots, lossless);
  /* The callback may come before it returns. */
  check_int (sf_consumer_open (&c, &config), 0);
  check_int (sf_producer_wait_clients (p, 1), 0);
}

static void
close_pair (void)
{
  close_all (c, p, &place);
}

static void
send_event (uint32_t number)
{
  for (;;) {
    uint64_t token = sf_producer_token (p);
    int r = sf_producer_event (p, 0, &number, sizeof number, 0);

    if (r == 0)
      return;
    check_int (r, -EAGAIN);
    wait_for_slot (p, token);
  }
}

static uint32_t
number_of (const struct sf_received *in)
{
  uint32_t number;

  check_int (in->body_size, sizeof number);
  memcpy (&number, in->body, sizeof number);
  return number;
}

static uint64_t
take_any (struct sf_received *in)
{
  uint64_t number;

  next_of (c, in, SF_RECEIVED_FRAME);
  number = check_frame (in);
  sf_lease_unref (in->lease);
  return number;
}

/* All that is unclaimed comes back at the start, in lossless delivery too; what is
 * published between start and stop is as void; none of it counts as lost */
static void
test_taken_back (void)
{
  struct sf_client_info info;
  struct sf_consumer_stats stats;
  struct sf_received in;

  open_pair (0, true, NULL);
  for (uint64_t i = 0; i < 4; i++)
    check (send_frame (p, i, true));
  check_int (take_any (&in), 0);
  send_event (1);
  sf_producer_flush_start (p, 7);
  check_int (sf_producer_get_clients (p, &info, 1), 1);
  check_int (info.queued, 0);
  check (send_frame (p, 8, true));
  while (sf_consumer_next (c, &in, SF_NS_PER_SECOND / 20) == 1)
    check_int (in.kind, SF_RECEIVED_LATENCY);
  sf_producer_flush_stop (p, 7, true);
  check_int (sf_producer_get_clients (p, &info, 1), 1);
  check_int (info.queued, 0);
  send_event (2);
  check (send_frame (p, 9, true));
  next_of (c, &in, SF_RECEIVED_EVENT);
  check (in.flushed && number_of (&in) == 1);
  next_of (c, &in, SF_RECEIVED_EVENT);
  check (!in.flushed && number_of (&in) == 2);
  check_int (take_any (&in), 9);
  check (in.flushed && !in.discont);
  sf_consumer_get_stats (c, &stats);
  check_int (stats.lost, 0);
  close_pair ();
}

/* A ring full of events is no reason to wait */
static void
test_full_ring (void)
{
  static const uint8_t body[4096];
  struct sf_received in;
  uint32_t n = 0;

  open_pair (0, true, NULL);
  while (sf_producer_event (p, 0, body, sizeof body, 0) == 0)
    n++;
  check_cmp (n, >, 200);
  sf_producer_flush_start (p, 1);
  sf_producer_flush_stop (p, 1, true);
  do
    next_of (c, &in, SF_RECEIVED_EVENT);
  while (in.flushed && --n > 0);
  check (in.flushed && n == 0);
  send_event (5);
  next_of (c, &in, SF_RECEIVED_EVENT);
  check (!in.flushed && number_of (&in) == 5);
  close_pair ();
}

/* As an element does, but at once */
static void
end_flush (void *user)
{
  struct sf_flush flush;

  sf_consumer_get_flush (c, &flush);
  if (flush.pending && !flush.on)
    sf_consumer_end_flush (c, &flush);
}

static void *
flush_again_and_again (void *unused)
{
  for (uint32_t round = 1; round <= ROUNDS; round++) {
    sf_producer_flush_start (p, round);
    if (round % 3 == 0)
      check (send_frame (p, 0, true));
    sf_producer_flush_stop (p, round, true);
    send_event (round);
    for (uint32_t i = 0; i < round % 7; i++)
      check (send_frame (p, round * PER_ROUND + i, true));
  }
  send_event (0);
  return NULL;
}

/* What is behind a stop is never taken for what was before it, nor the other way
 * round, wherever the reader is when it comes */
static void
flush_while_reading (void (*flush) (void *))
{
  struct sf_consumer_stats stats;
  struct sf_received in;
  uint32_t round = 0;
  pthread_t thread;
  bool more = true;

  open_pair (0, true, flush);
  check_int (pthread_create (&thread, NULL, flush_again_and_again, NULL), 0);
  while (more) {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_cmp (in.kind, !=, SF_RECEIVED_DISCONNECTED);
    if (in.kind == SF_RECEIVED_EVENT && !in.flushed) {
      check (number_of (&in) > round || number_of (&in) == 0);
      round = number_of (&in);
      more = round != 0;
    } else if (in.kind == SF_RECEIVED_FRAME) {
      check_int (check_frame (&in) / PER_ROUND, round);
      sf_lease_unref (in.lease);
    }
  }
  pthread_join (thread, NULL);
  sf_consumer_get_stats (c, &stats);
  check_int (stats.connections, 1);
  close_pair ();
}

static void
test_while_reading (void)
{
  flush_while_reading (NULL);
}

static void
test_while_reading_called_back (void)
{
  flush_while_reading (end_flush);
}

/* A flush that has no stop is stopped by the end of the stream, or of the
 * producer */
static void
test_no_stop (void)
{
  struct sf_received in;

  open_pair (0, true, end_flush);
  sf_producer_flush_start (p, 1);
  check (send_frame (p, 1, true));
  sf_producer_end_stream (p);
  check (send_frame (p, 2, true));
  check_int (take_any (&in), 2);
  sf_producer_flush_start (p, 2);
  check (send_frame (p, 3, true));
  sf_producer_close (p);
  do {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_cmp (in.kind, !=, SF_RECEIVED_FRAME);
  } while (in.kind != SF_RECEIVED_DISCONNECTED);
  p = open_producer (place.path, 0, true);
  check (send_frame (p, 4, true));
  check_int (take_any (&in), 4);
  close_pair ();
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_taken_back), TEST (test_full_ring), TEST (test_while_reading),
    TEST (test_while_reading_called_back), TEST (test_no_stop),
  };

  return unit_main (tests);
}
