/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a relay and its clients keep mapped of an origin whose ring grows, and whose
 * frames change their size: what is needed, and no more. */
#include "roles.h"

#define GROWTHS 8
#define FORMATS 6

struct row
{
  struct place a, b;
  struct sf_producer *origin, *relay;
  struct sf_consumer *in, *client;
  uint64_t n;
};

static void
row_start (struct row *row)
{
  struct sf_received f;

  memset (row, 0, sizeof *row);
  place_make (&row->a);
  place_make (&row->b);
  row->origin = open_producer (row->a.path, 0, false);
  row->relay = open_producer (row->b.path, 0, false);
  row->in = open_consumer (row->a.path, SF_DELIVERY_LIVE, 4);
  row->client = open_consumer (row->b.path, SF_DELIVERY_LIVE, 4);
  next_of (row->in, &f, SF_RECEIVED_CONNECTED);
  next_of (row->client, &f, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (row->relay, 1), 0);
}

/* One frame through the row. */
static void
row_pass (struct row *row)
{
  struct sf_received f;

  check (send_frame (row->origin, row->n++, true));
  next_of (row->in, &f, SF_RECEIVED_FRAME);
  relay_frame (row->relay, &f);
  next_of (row->client, &f, SF_RECEIVED_FRAME);
  check_int (check_frame (&f), row->n - 1);
  sf_lease_unref (f.lease);
}

static void
row_end (struct row *row)
{
  sf_consumer_close (row->client);
  sf_consumer_close (row->in);
  sf_producer_close (row->relay);
  sf_producer_close (row->origin);
  place_remove (&row->a);
  place_remove (&row->b);
}

/* Without a further frame. */
static void
await_segments (struct sf_consumer *c, uint32_t n)
{
  struct sf_consumer_stats stats;
  int i = 0;

  do {
    usleep (2000);
    sf_consumer_get_stats (c, &stats);
  } while (stats.n_segments > n && i++ < 5000);
  check_int (stats.n_segments, n);
}

static void
test_growth (void)
{
  struct sf_consumer *more[GROWTHS];
  struct sf_received f;
  struct row row;

  row_start (&row);
  row_pass (&row);
  for (int g = 0; g < GROWTHS; g++) {
    more[g] = open_consumer (row.a.path, SF_DELIVERY_LIVE, 16);
    next_of (more[g], &f, SF_RECEIVED_CONNECTED);
    for (int i = 0; i < 40; i++)
      row_pass (&row);
  }
  await_segments (row.in, 1);
  await_segments (row.client, 1);
  for (int g = 0; g < GROWTHS; g++)
    sf_consumer_close (more[g]);
  row_end (&row);
}

static void
test_formats (void)
{
  uint64_t needed;
  struct row row;

  row_start (&row);
  for (uint64_t i = 1; i <= FORMATS; i++) {
    check_int (sf_producer_set_format (row.origin, i * FRAME_BYTES, 1,
            &needed), 0);
    row_pass (&row);
  }
  /* The relay's latest frame lies in the newest. */
  await_segments (row.in, 1);
  await_segments (row.client, 1);
  row_end (&row);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_growth), TEST (test_formats),
  };

  return unit_main (tests);
}
