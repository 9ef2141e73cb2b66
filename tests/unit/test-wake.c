/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is woken: each client that sleeps, by frames and events, and nobody else. A
 * client sleeps here by setting its flag only. */
#include "rawclient.h"

#define N_CLIENTS 3

struct bed
{
  struct place place;
  struct sf_producer *p;
  struct raw_client r[N_CLIENTS];
  uint64_t n;                   /* frames sent */
};

static void
make_bed (struct bed *b, bool lossless)
{
  *b = (struct bed) { 0 };
  place_make (&b->place);
  b->p = open_producer (b->place.path, 0, lossless);
  for (int i = 0; i < N_CLIENTS; i++)
    b->r[i] = raw_join_at (b->place.path, SF_DELIVERY_AUTO, 4);
  check_int (sf_producer_wait_clients (b->p, N_CLIENTS), 0);
}

static void
clear_bed (struct bed *b)
{
  for (int i = 0; i < N_CLIENTS; i++)
    raw_close (&b->r[i]);
  sf_producer_close (b->p);
  place_remove (&b->place);
}

static void
fall_asleep (struct raw_client *r)
{
  sf_publish_u32 (&r->page->sleeping, 1);
}

static void
send_either (struct bed *b, bool event)
{
  if (event)
    check_int (sf_producer_event (b->p, 0, "gap", 3, 0), 0);
  else
    check (send_frame (b->p, b->n++, false));
}

/* Those in `asleep`, a bit each, sleep: they are woken, once, and only they. */
static void
check_woken (struct bed *b, unsigned asleep, bool event)
{
  uint32_t before[N_CLIENTS];

  for (int i = 0; i < N_CLIENTS; i++) {
    before[i] = sf_observe_u32 (&b->r[i].page->wake);
    if (asleep >> i & 1)
      fall_asleep (&b->r[i]);
  }
  send_either (b, event);
  for (int i = 0; i < N_CLIENTS; i++) {
    check_int (sf_observe_u32 (&b->r[i].page->wake) - before[i],
        asleep >> i & 1);
    check_int (sf_observe_u32 (&b->r[i].page->sleeping), 0);
  }
}

static void
check_all_sleepers (bool lossless)
{
  struct bed b;

  make_bed (&b, lossless);
  for (unsigned asleep = 0; asleep < 1u << N_CLIENTS; asleep++)
    check_woken (&b, asleep, asleep % 2 == 0 || lossless);
  clear_bed (&b);
}

static void
test_live (void)
{
  check_all_sleepers (false);
}

static void
test_lossless (void)
{
  check_all_sleepers (true);
}

static void
read_all (struct raw_client *r)
{
  sf_publish_u64 (&r->page->read_pos,
      sf_observe_u64 (&r->ring.header->head));
}

/* Where one has no room nobody is told, or woken; when all have, each is, once */
static void
test_all_or_none (void)
{
  static const uint8_t body[SF_MAX_PAYLOAD];
  struct bed b;
  uint64_t head;
  int n = 0;

  make_bed (&b, true);
  while (sf_producer_event (b.p, 0, body, sizeof (body), 0) == 0)
    check (++n < 1000);
  read_all (&b.r[0]);
  head = sf_observe_u64 (&b.r[0].ring.header->head);
  fall_asleep (&b.r[0]);
  check_int (sf_producer_event (b.p, 0, body, sizeof (body), 0), -EAGAIN);
  check (sf_observe_u64 (&b.r[0].ring.header->head) == head);
  check_int (sf_observe_u32 (&b.r[0].page->sleeping), 1);
  for (int i = 1; i < N_CLIENTS; i++)
    read_all (&b.r[i]);
  check_woken (&b, (1u << N_CLIENTS) - 1, true);
  check (sf_observe_u64 (&b.r[0].ring.header->head) > head);
  clear_bed (&b);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_live), TEST (test_lossless), TEST (test_all_or_none),
  };

  return unit_main (tests);
}
