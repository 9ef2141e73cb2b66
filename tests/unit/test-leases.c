/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The account of leases against everything its page can hold. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "producer/leases.h"
#include "shared/clock.h"
#include "unit.h"

/* Fewer where they take longer: with a sanitizer, on a busy machine */
#define ROUNDS 2000000u
#define ROUNDS_TIME (20 * SF_NS_PER_SECOND)

static struct sf_returns_page *page;
static struct sf_leases *leases;
static struct sf_record_header records[SF_MAX_LEASES];
static uint32_t n_done[SF_MAX_LEASES];
static uint32_t total_done;

static void
set_up (void)
{
  page = calloc (1, sizeof *page);
  leases = malloc (sizeof *leases);
  check (page && leases);
  sf_leases_init (leases, page);
  memset (n_done, 0, sizeof n_done);
  total_done = 0;
}

static void
tear_down (void)
{
  free (page);
  free (leases);
}

/* The frames are the places of n_done. */
static void
done (void *frame, void *user)
{
  (void) user;
  ++*(uint32_t *) frame;
  total_done++;
}

static void
give (uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    check_int (sf_leases_add (leases, &n_done[i], &records[i]), 0);
}

static uint64_t
word (uint32_t i, uint64_t state)
{
  return SF_LEASE_WORD (records[i].lease_stamp, state);
}

static void
set_word (uint32_t i, uint64_t value)
{
  sf_publish_u64 (&page->lease[records[i].lease], value);
}

static void
claim (uint32_t i)
{
  set_word (i, word (i, SF_LEASE_CLAIMED));
}

static void
give_back (uint32_t i)
{
  uint32_t lease = records[i].lease;

  sf_set_bits (&page->returned[lease / 64], UINT64_C (1) << (lease % 64));
}

static void
test_all_of_them (void)
{
  struct sf_record_header more;

  set_up ();
  for (int round = 0; round < 3; round++) {
    give (SF_MAX_LEASES);
    check_int (sf_leases_add (leases, page, &more), -EAGAIN);
    check_int (sf_leases_outstanding (leases), SF_MAX_LEASES);
    for (uint32_t i = 0; i < SF_MAX_LEASES; i++)
      claim (i);
    check_int (sf_leases_count_held (leases), SF_MAX_LEASES);
    for (uint32_t i = 0; i < SF_MAX_LEASES; i++)
      give_back (i);
    check_int (sf_leases_collect (leases, done, NULL), SF_MAX_LEASES);
    check_int (sf_leases_outstanding (leases), 0);
    check_int (total_done, (round + 1) * SF_MAX_LEASES);
  }
  for (uint32_t i = 0; i < SF_MAX_LEASES; i++)
    check_int (n_done[i], 3);
  tear_down ();
}

/* Every pattern of bits over leases that are free, unclaimed, claimed and known
 * to be held: the claimed ones come back, and the rest is a violation. */
static void
test_every_bit_pattern (void)
{
  for (uint32_t bits = 0; bits < 256; bits++) {
    uint32_t claimed, back = 0;
    int r;

    set_up ();
    give (6);                   /* leases 0 to 5; 6 and 7 are free */
    claim (0);
    claim (1);
    check_int (sf_leases_count_held (leases), 2);
    claim (2);
    claim (4);
    claimed = 1 | 2 | 4 | 16;
    for (uint32_t i = 0; i < 6; i++)
      check_int (records[i].lease, i);
    sf_set_bits (&page->returned[0], bits);
    for (uint32_t i = 0; i < 8; i++)
      back += (bits & claimed) >> i & 1;
    r = sf_leases_collect (leases, done, NULL);
    check_int (r, bits & ~claimed ? -EPROTO : (int) back);
    check_int (total_done, back);
    for (uint32_t i = 0; i < 6; i++)
      check_int (n_done[i], (bits & claimed) >> i & 1);
    check_int (sf_leases_outstanding (leases), 6 - back);
    sf_leases_clear (leases, done, NULL);
    for (uint32_t i = 0; i < 6; i++)
      check_int (n_done[i], 1);
    check_int (leases->n_free, SF_MAX_LEASES);
    tear_down ();
  }
}

static void
test_all_bits (void)
{
  set_up ();
  give (100);
  for (uint32_t i = 0; i < 50; i++)
    claim (i);
  for (uint32_t i = 0; i < SF_LEASE_WORDS; i++)
    sf_set_bits (&page->returned[i], UINT64_MAX);
  check_int (sf_leases_collect (leases, done, NULL), -EPROTO);
  check_int (total_done, 50);
  check_int (sf_leases_collect (leases, done, NULL), 0);
  sf_leases_clear (leases, done, NULL);
  check_int (total_done, 100);
  tear_down ();
}

static void
test_nonsense_in_words (void)
{
  set_up ();
  give (1);
  for (uint32_t i = 0; i < 9; i++) {
    const uint64_t lies[9] = { 0, 1, UINT64_MAX, word (0, 0),
      word (0, SF_LEASE_REVOKED), word (0, SF_LEASE_CLAIMED) + 4,
      word (0, SF_LEASE_CLAIMED) - 4, word (0, SF_LEASE_ANNOUNCED) + 4,
      ~word (0, SF_LEASE_CLAIMED)
    };

    set_word (0, lies[i]);
    check_int (sf_leases_revoke_oldest (leases, done, NULL), -EPROTO);
    check_int (sf_leases_count_held (leases), -EPROTO);
    give_back (0);
    check_int (sf_leases_collect (leases, done, NULL), -EPROTO);
    check_int (sf_leases_outstanding (leases), 1);
  }
  check_int (total_done, 0);
  sf_leases_clear (leases, done, NULL);
  tear_down ();
}

static void
test_revokes_in_order (void)
{
  set_up ();
  give (10);
  claim (0);
  claim (3);
  for (uint32_t n = 0; n < 8; n++)
    check_int (sf_leases_revoke_oldest (leases, done, NULL), 1);
  check_int (sf_leases_revoke_oldest (leases, done, NULL), 0);
  for (uint32_t i = 0; i < 10; i++)
    check_int (n_done[i], i != 0 && i != 3);
  check_int (sf_leases_count_held (leases), 2);
  /* Too late to claim what was taken, or to give it back. */
  check_int (sf_observe_u64 (&page->lease[records[1].lease]),
      word (1, SF_LEASE_REVOKED));
  give_back (1);
  check_int (sf_leases_collect (leases, done, NULL), -EPROTO);
  sf_leases_clear (leases, done, NULL);
  tear_down ();
}

/* A claim with the stamp of the lease's use before has no effect. */
static void
test_stale_stamp (void)
{
  uint64_t stale, seen;

  set_up ();
  give (1);
  stale = records[0].lease_stamp;
  check_int (sf_leases_revoke_oldest (leases, done, NULL), 1);
  give (1);
  check_int (records[0].lease, 0);
  check_cmp (records[0].lease_stamp, >, stale);
  check (!sf_decide_u64 (&page->lease[0],
          SF_LEASE_WORD (stale, SF_LEASE_ANNOUNCED),
          SF_LEASE_WORD (stale, SF_LEASE_CLAIMED), &seen));
  check_int (seen, word (0, SF_LEASE_ANNOUNCED));
  check_int (sf_leases_count_held (leases), 0);
  check_int (sf_leases_revoke_oldest (leases, done, NULL), 1);
  check_int (sf_leases_outstanding (leases), 0);
  tear_down ();
}

/* One lease at a time, claimed by a thread and revoked by another at once: never
 * both, never neither. */
static sf_atomic_u64 offered, answered;
static sf_atomic_u32 claimer_won;

#define NO_MORE UINT64_MAX

/* Awake, but for a busy machine: there the other one may want our processor.
 * False: no more comes. */
static bool
await (const sf_atomic_u64 * word, uint64_t value)
{
  uint64_t is;

  for (uint32_t i = 0; (is = sf_observe_u64 (word)) != value && is != NO_MORE;
      i++)
    if (i < 100)
      sf_spin_pause ();
    else
      sched_yield ();
  return is == value;
}

static void *
claimer (void *user)
{
  (void) user;
  for (uint64_t round = 1; await (&offered, round); round++) {
    uint64_t seen;

    for (uint64_t i = round % 17; i > 0; i--)
      sf_spin_pause ();
    sf_store_flag (&claimer_won, sf_decide_u64 (&page->lease[0],
            SF_LEASE_WORD (round, SF_LEASE_ANNOUNCED),
            SF_LEASE_WORD (round, SF_LEASE_CLAIMED), &seen));
    sf_publish_u64 (&answered, round);
  }
  return NULL;
}

static void
test_claim_against_revoke (void)
{
  int64_t until = sf_now () + ROUNDS_TIME;
  uint64_t n_claimed = 0, round;
  pthread_t thread;

  set_up ();
  check_int (pthread_create (&thread, NULL, claimer, NULL), 0);
  for (round = 1; round <= ROUNDS && sf_now () < until; round++) {
    int revoked;

    give (1);
    check (records[0].lease == 0 && records[0].lease_stamp == round);
    sf_publish_u64 (&offered, round);
    for (uint64_t i = round % 19; i > 0; i--)
      sf_spin_pause ();
    revoked = sf_leases_revoke_oldest (leases, done, NULL);
    await (&answered, round);
    check (revoked >= 0 && (uint32_t) revoked + sf_load_flag (&claimer_won)
        == 1);
    if (revoked == 0) {
      n_claimed++;
      give_back (0);
      check_int (sf_leases_collect (leases, done, NULL), 1);
    }
    check_int (total_done, round);
  }
  sf_publish_u64 (&offered, NO_MORE);
  pthread_join (thread, NULL);
  printf ("# %llu of %llu claimed\n", (unsigned long long) n_claimed,
      (unsigned long long) round - 1);
  tear_down ();
}

#define QUEUED 8u

/* A client that has looked at so many of them in order, and missed some. */
static uint32_t n_looked, n_missed, n_claimed;

/* It claims another one each time that one is revoked. */
static void
done_and_claim (void *frame, void *user)
{
  bool claimed = false;

  done (frame, user);
  while (!claimed && n_looked < QUEUED) {
    uint32_t i = n_looked++;

    claimed = sf_observe_u64 (&page->lease[records[i].lease])
        == word (i, SF_LEASE_ANNOUNCED);
    if (claimed) {
      check_int (n_missed, 0);
      claim (i);
      n_claimed++;
    } else {
      n_missed++;
    }
  }
}

/* Who claims while all is taken back has what is before, without a gap. */
static void
test_revokes_the_newest_first (void)
{
  uint32_t n_revoked = 0;

  set_up ();
  give (QUEUED);
  while (sf_leases_revoke_newest (leases, done_and_claim, NULL) > 0)
    n_revoked++;
  check_int (n_revoked, QUEUED / 2);
  check_int (n_claimed, QUEUED / 2);
  check_int (sf_leases_count_held (leases), QUEUED / 2);
  check_int (total_done, QUEUED / 2);
  tear_down ();
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_all_of_them), TEST (test_every_bit_pattern),
    TEST (test_all_bits), TEST (test_nonsense_in_words),
    TEST (test_revokes_in_order), TEST (test_stale_stamp),
    TEST (test_revokes_the_newest_first), TEST (test_claim_against_revoke),
  };

  return unit_main (tests);
}
