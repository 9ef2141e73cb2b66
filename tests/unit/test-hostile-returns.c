/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client that lies in the page that it shares with the producer, and with the
 * fds that it was given. See scene.h for what is checked besides. */
#include <linux/falloc.h>
#include <sys/mman.h>

#include "scene.h"

#define GRANTED 2u

typedef void (*lie) (struct raw_client * r);

/* One that has joined tells the lie, and is thrown out for it once. */
static void
tell (struct scene *s, lie tell_it, uint32_t delivery)
{
  struct raw_client r = raw_join_at (s->place.path, delivery, GRANTED);
  uint32_t before = scene_count (s, &s->n_disconnected);

  tell_it (&r);
  check_int (raw_await_end (&r), SF_REASON_VIOLATION);
  check_int (scene_await (s, &s->n_disconnected, before), SF_REASON_VIOLATION);
  check (s->text[0] != '\0');
  raw_close (&r);
  scene_await_calm (s);
}

static void
run_lie (lie tell_it)
{
  struct scene s;

  scene_start (&s);
  for (int i = 0; i < 5; i++) {
    tell (&s, tell_it, SF_DELIVERY_LIVE);
    tell (&s, tell_it, SF_DELIVERY_LOSSLESS);
  }
  scene_end (&s);
}

/* Gives it back, and waits until the producer has taken notice; false once it
 * has none any more. */
static bool
return_and_wait (struct raw_client *r, uint32_t lease)
{
  struct pollfd p = {.fd = r->fd,.events = POLLRDHUP };

  raw_return (r, lease);
  while (sf_observe_u64 (&r->page->returned[lease / 64]) != 0)
    if (poll (&p, 1, 1) > 0)
      return false;
  return true;
}

/* Of the word that the first leases are in: the producer looks at no other. */
static void
return_free (struct raw_client *r)
{
  raw_return (r, 63);
}

static void
return_unclaimed (struct raw_client *r)
{
  struct sf_record_header record;

  check (raw_peek (r, &record));
  raw_return (r, record.lease);
}

static void
return_twice (struct raw_client *r)
{
  struct sf_record_header record;

  check (raw_take (r, &record));
  while (return_and_wait (r, record.lease));
}

static void
return_all (struct raw_client *r)
{
  for (uint32_t i = 0; i < SF_LEASE_WORDS; i++)
    sf_set_bits (&r->page->returned[i], UINT64_MAX);
}

/* Until it is noticed: while this goes on, the frames that it hits may be taken
 * back, and others be announced in words that it has passed. */
static void
write_words (struct raw_client *r, uint64_t word)
{
  struct pollfd p = {.fd = r->fd,.events = POLLRDHUP };

  do
    for (uint32_t i = 0; i < SF_MAX_LEASES; i++)
      sf_publish_u64 (&r->page->lease[i], word);
  while (poll (&p, 1, 1) == 0);
}

static void
write_nonsense (struct raw_client *r)
{
  write_words (r, UINT64_C (0xdeadbeefdeadbeef));
}

static void
write_zeros (struct raw_client *r)
{
  write_words (r, 0);
}

/* Into the word of a frame that is announced: what is written where nobody has
 * a frame any more is not looked at. */
static void
write_word (struct raw_client *r, uint64_t ahead, uint32_t state)
{
  struct sf_record_header record;
  bool written = false;
  uint64_t seen;

  while (!written && raw_peek (r, &record)) {
    written = sf_decide_u64 (&r->page->lease[record.lease],
        SF_LEASE_WORD (record.lease_stamp, SF_LEASE_ANNOUNCED),
        SF_LEASE_WORD (record.lease_stamp + ahead, state), &seen);
    if (!written)
      sf_ring_consume (&r->ring, &record);
  }
}

static void
write_revoked (struct raw_client *r)
{
  write_word (r, 0, SF_LEASE_REVOKED);
}

static void
write_stale_claim (struct raw_client *r)
{
  write_word (r, UINT64_MAX, SF_LEASE_CLAIMED);
}

static void
write_future_claim (struct raw_client *r)
{
  write_word (r, 1, SF_LEASE_CLAIMED);
}

/* The producer looks at returns, then at how far was read: by the second return
 * that it takes, it has seen that the first record was read. */
static void
read_back (struct raw_client *r)
{
  struct sf_record_header record;

  for (int i = 0; i < 2; i++) {
    check (raw_take (r, &record));
    check (return_and_wait (r, record.lease));
  }
  sf_publish_u64 (&r->page->read_pos, 0);
}

static void
read_ahead (struct raw_client *r)
{
  sf_publish_u64 (&r->page->read_pos, UINT64_C (1) << 40);
}

static void
read_ahead_of_all (struct raw_client *r)
{
  sf_publish_u64 (&r->page->read_pos, UINT64_MAX - 63);
}

static void
read_unaligned (struct raw_client *r)
{
  struct sf_record_header record;

  check (raw_peek (r, &record));
  sf_publish_u64 (&r->page->read_pos, 1);
}

static void
hold_too_much (struct raw_client *r)
{
  struct sf_record_header record;

  for (uint32_t i = 0; i <= GRANTED && raw_take (r, &record); i++);
}

static void
punch_hole (struct raw_client *r)
{
  struct sf_record_header record;

  check (raw_take (r, &record));
  for (int i = 0; i < 100; i++) {
    check_int (fallocate (r->returns.fd, FALLOC_FL_PUNCH_HOLE
            | FALLOC_FL_KEEP_SIZE, 0, (off_t) r->returns.size), 0);
    usleep (100);
  }
}

#define LIE(name) \
  static void \
  test_##name (void) \
  { \
    run_lie (name); \
  }

/* *INDENT-OFF* */
LIE (return_free)
LIE (return_unclaimed)
LIE (return_twice)
LIE (return_all)
LIE (write_nonsense)
LIE (write_zeros)
LIE (write_revoked)
LIE (write_stale_claim)
LIE (write_future_claim)
LIE (read_back)
LIE (read_ahead)
LIE (read_ahead_of_all)
LIE (read_unaligned)
LIE (hold_too_much)
LIE (punch_hole)
/* *INDENT-ON* */

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_return_free), TEST (test_return_unclaimed),
    TEST (test_return_twice), TEST (test_return_all),
    TEST (test_write_nonsense), TEST (test_write_zeros),
    TEST (test_write_revoked), TEST (test_write_stale_claim),
    TEST (test_write_future_claim), TEST (test_read_back),
    TEST (test_read_ahead), TEST (test_read_ahead_of_all),
    TEST (test_read_unaligned), TEST (test_hold_too_much),
    TEST (test_punch_hole),
  };

  return unit_main (tests);
}
