/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Payloads that do not fit into a record of the ring: all of it arrives, at every
 * client, memory is bounded, and nothing stays behind. */
#include "transport.h"

#define BODY (SF_MAX_FRAME_PAYLOAD - 8u - 32u)

static uint8_t body[SF_MAX_FRAME_PAYLOAD];

static void
fill_body (uint64_t number, uint32_t size)
{
  for (uint32_t i = 0; i < size; i++)
    body[i] = (uint8_t) (word_of (number, i / 8) >> (i % 8 * 8));
}

/* 0 or as sf_producer_publish(); of `n` parts, all of the same slot. */
static int
publish_large (struct sf_producer *p, uint64_t number, uint32_t size,
    uint32_t n)
{
  static struct sf_memory_ref parts[SF_MAX_MEMORY_REFS + 1];
  struct sf_slot *slot = fill_slot (p, number, true);
  struct sf_publish_args pub = {.parts = parts,.n_parts = n,.body =
        body,.body_size = size,.release = give_slot,.user = slot
  };
  int r;

  for (uint32_t i = 0; i < n; i++)
    parts[i] = (struct sf_memory_ref) {.segment = slot->segment,.slot =
          slot->index,.offset = i % FRAME_BYTES,.size = 1 };
  fill_body (number, size);
  r = sf_producer_publish (p, &pub);
  if (r < 0)
    give_slot (slot);
  return r;
}

static void
check_large (const struct sf_received *in, uint64_t number, uint32_t size,
    uint32_t n)
{
  check_int (in->n_parts, n);
  check_int (in->body_size, size);
  fill_body (number, size);
  check (memcmp (in->body, body, size) == 0);
  for (uint32_t i = 0; i < n; i++)
    check (in->parts[i].data == in->parts[0].data + i % FRAME_BYTES);
}

static void
receive_large (struct sf_consumer *c, uint64_t number, uint32_t size,
    uint32_t n)
{
  struct sf_received in;

  next_of (c, &in, SF_RECEIVED_FRAME);
  check_large (&in, number, size, n);
  sf_lease_unref (in.lease);
}

/* Around where a record ends, and up to what there can be; two clients, and one
 * that comes later */
static void
test_sizes (void)
{
  static const uint32_t sizes[][2] = {
    {SF_MAX_PAYLOAD - 40, 1}, {SF_MAX_PAYLOAD - 39, 1}, {8, 1}, {BODY, 1},
    {1000000, 1}, {8, SF_MAX_MEMORY_REFS}, {BODY - 32 * (SF_MAX_MEMORY_REFS - 1),
        SF_MAX_MEMORY_REFS}, {64, 1},
  };
  const uint32_t n = sizeof sizes / sizeof sizes[0];
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *a, *b, *late;

  place_make (&place);
  p = open_producer (place.path, 0, true);
  a = open_consumer (place.path, SF_DELIVERY_AUTO, 2);
  b = open_consumer (place.path, SF_DELIVERY_AUTO, 2);
  check_int (sf_producer_wait_clients (p, 2), 0);
  for (uint64_t i = 0; i < n; i++) {
    check_int (publish_large (p, i, sizes[i][0], sizes[i][1]), 0);
    late = open_consumer (place.path, SF_DELIVERY_AUTO, 2);
    receive_large (late, i, sizes[i][0], sizes[i][1]);
    receive_large (a, i, sizes[i][0], sizes[i][1]);
    receive_large (b, i, sizes[i][0], sizes[i][1]);
    sf_consumer_close (late);
  }
  check_int (publish_large (p, 99, BODY + 1, 1), -EMSGSIZE);
  check_int (publish_large (p, 99, 8, SF_MAX_MEMORY_REFS + 1), -EMSGSIZE);
  sf_consumer_close (a);
  sf_consumer_close (b);
  sf_producer_close (p);
  place_remove (&place);
}

/* Whoever holds many of them is waited for; and what it returns is used again */
static void
test_bounded (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *held[64];
  uint32_t n = 0;
  int r;

  place_make (&place);
  p = open_producer (place.path, 0, true);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 60);
  check_int (sf_producer_wait_clients (p, 1), 0);
  while ((r = publish_large (p, n, BODY, 1)) == 0) {
    check_cmp (n, <, 64);
    next_of (c, &in, SF_RECEIVED_FRAME);
    held[n++] = in.lease;
  }
  check_int (r, -ENOBUFS);
  /* 64 MiB in all, of which the producer has the latest frame */
  check (n >= 8 && n <= 16);
  for (uint32_t round = 0; round < 5; round++) {
    uint32_t back = 0, out = 0;

    while ((r = publish_large (p, 100 + round, BODY, 1)) == -ENOBUFS) {
      check_cmp (back, <, n);
      sf_lease_unref (held[back++]);
    }
    while (back < n)
      sf_lease_unref (held[back++]);
    while (r == 0) {
      check_cmp (out, <, 64);
      next_of (c, &in, SF_RECEIVED_FRAME);
      check_large (&in, 100 + round, BODY, 1);
      held[out++] = in.lease;
      r = publish_large (p, 100 + round, BODY, 1);
    }
    n = out;
    check (n >= 8 && n <= 16);
  }
  for (uint32_t i = 0; i < n; i++)
    sf_lease_unref (held[i]);
  close_all (c, p, &place);
}

/* A live client that reads nothing loses its oldest, and nobody waits for it */
static void
test_live (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 60);
  check_int (sf_producer_wait_clients (p, 1), 0);
  for (uint64_t i = 0; i < 100; i++)
    check_int (publish_large (p, i, BODY, 1), 0);
  do {
    next_of (c, &in, SF_RECEIVED_FRAME);
    check_large (&in, in.seq, BODY, 1);
    sf_lease_unref (in.lease);
  } while (in.seq < 99);
  close_all (c, p, &place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_sizes), TEST (test_bounded), TEST (test_live),
  };

  return unit_main (tests);
}
