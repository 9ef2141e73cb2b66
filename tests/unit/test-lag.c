/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far behind a live client may fall is its own, whatever others make the ring
 * hold. */
#include "transport.h"

#define LAG_MS 100
#define LAG (LAG_MS * INT64_C (1000000))
/* Beside us, so that the ring has room for far more than is left unread here. */
#define NEIGHBOUR_HELD 60u

struct side
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c, *neighbour;
  uint64_t n;                   /* published */
};

static void
side_open (struct side *s, bool lossless, int64_t max_lag)
{
  struct sf_consumer_config config = {.name = "test",.max_held =
        16,.connect_timeout = SF_FOREVER,.max_lag = max_lag
  };
  struct sf_received in;

  memset (s, 0, sizeof *s);
  place_make (&s->place);
  s->p = open_producer (s->place.path, 0, lossless);
  s->neighbour = open_consumer (s->place.path, SF_DELIVERY_LIVE,
      NEIGHBOUR_HELD);
  check_int (sf_producer_wait_clients (s->p, 1), 0);
  config.path = s->place.path;
  check_int (sf_consumer_open (&s->c, &config), 0);
  next_of (s->c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (s->p, 2), 0);
}

static void
side_close (struct side *s)
{
  sf_consumer_close (s->c);
  sf_consumer_close (s->neighbour);
  sf_producer_close (s->p);
  place_remove (&s->place);
}

static void
publish (struct side *s, uint32_t n)
{
  while (n-- > 0)
    check (send_frame (s->p, s->n++, false));
}

static void
grow_old (void)
{
  usleep (LAG_MS * 2000);
}

/* What is there to read: the numbers from `first` to the last one published. */
static void
expect_from (struct side *s, uint64_t first)
{
  struct sf_consumer_stats stats;
  struct sf_received in;

  for (uint64_t i = first; i < s->n; i++) {
    next_of (s->c, &in, SF_RECEIVED_FRAME);
    check_int (check_frame (&in), i);
    sf_lease_unref (in.lease);
  }
  while (sf_consumer_next (s->c, &in, 0) > 0)
    check_int (in.kind, SF_RECEIVED_LATENCY);
  sf_consumer_get_stats (s->c, &stats);
  check_int (stats.frames + stats.lost, s->n);
}

static uint64_t
dropped (struct side *s)
{
  struct sf_client_info info[2];
  uint64_t n = 0;

  check_int (sf_producer_get_clients (s->p, info, 2), 2);
  for (int i = 0; i < 2; i++)
    if (info[i].max_held != NEIGHBOUR_HELD)
      n = info[i].dropped;
  return n;
}

/* A first frame is read, so that what is lost later lies between two. */
static void
start (struct side *s)
{
  publish (s, 1);
  expect_from (s, 0);
}

static void
test_old_ones_go (void)
{
  struct side s;

  side_open (&s, false, LAG);
  start (&s);
  publish (&s, 8);
  grow_old ();
  publish (&s, 1);
  check_int (dropped (&s), 7);
  /* The one before the newest stays. */
  expect_from (&s, 8);
  side_close (&s);
}

/* Young ones are not touched, however many, beside old ones */
static void
test_young_ones_stay (void)
{
  struct side s;

  side_open (&s, false, 100 * SF_NS_PER_SECOND);
  start (&s);
  publish (&s, 12);
  grow_old ();
  publish (&s, 2);
  check_int (dropped (&s), 0);
  expect_from (&s, 1);
  side_close (&s);
}

/* What it has claimed is its own, and what comes after that is judged by itself */
static void
test_claimed_ones_stay (void)
{
  struct sf_received in;
  struct sf_lease *lease;
  struct side s;

  side_open (&s, false, LAG);
  start (&s);
  publish (&s, 1);
  grow_old ();
  publish (&s, 1);
  next_of (s.c, &in, SF_RECEIVED_FRAME);
  check_int (check_frame (&in), 1);
  lease = in.lease;
  publish (&s, 1);
  check_int (dropped (&s), 0);
  grow_old ();
  publish (&s, 1);
  check_int (dropped (&s), 1);
  expect_from (&s, 3);
  sf_lease_unref (lease);
  side_close (&s);
}

static void
test_no_limit (void)
{
  struct side s;

  side_open (&s, false, 0);
  start (&s);
  publish (&s, 8);
  grow_old ();
  publish (&s, 1);
  expect_from (&s, 1);
  side_close (&s);
}

static void
test_lossless (void)
{
  struct side s;

  side_open (&s, true, LAG);
  start (&s);
  publish (&s, 8);
  grow_old ();
  publish (&s, 1);
  check_int (dropped (&s), 0);
  expect_from (&s, 1);
  side_close (&s);
}

/* Of frames that come less often than it may lag, too, one waits for a client
 * that is not quite as quick. */
static void
test_seldom (void)
{
  struct side s;

  side_open (&s, false, LAG);
  start (&s);
  for (int i = 0; i < 3; i++) {
    publish (&s, 2);
    expect_from (&s, s.n - 2);
    grow_old ();
    publish (&s, 1);
    grow_old ();
    publish (&s, 1);
    expect_from (&s, s.n - 2);
  }
  check_int (dropped (&s), 0);
  side_close (&s);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_old_ones_go), TEST (test_young_ones_stay),
    TEST (test_claimed_ones_stay), TEST (test_no_limit), TEST (test_lossless),
    TEST (test_seldom),
  };

  return unit_main (tests);
}
