/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots: what is free and what is not, through growth and change of size, and
 * never more memory than allowed. */
#include <errno.h>
#include <pthread.h>

#include "producer/slots.h"
#include "unit.h"

#define SIZE 4096u
#define MANY (UINT64_C (1) << 40)

static struct sf_slots_state
state_of (struct sf_slots *slots)
{
  struct sf_slots_state state;

  sf_slots_get_state (slots, &state);
  return state;
}

static void
check_state (struct sf_slots *slots, uint32_t n_slots, uint32_t n_free,
    uint32_t n_segments)
{
  struct sf_slots_state state = state_of (slots);

  check_int (state.n_slots, n_slots);
  check_int (state.n_free, n_free);
  check_int (state.n_segments, n_segments);
}

static void
test_cyclic (void)
{
  struct sf_slots *slots = sf_slots_new (MANY);
  struct sf_slot slot[6];
  uint64_t needed;

  check_int (sf_slots_acquire (slots, SIZE, 0, &slot[0]), -EMSGSIZE);
  check_int (sf_slots_ensure (slots, 6, SIZE, &needed), 0);
  for (uint32_t round = 0; round < 13; round++) {
    check_int (sf_slots_acquire (slots, SIZE, 0, &slot[0]), 0);
    check_int (slot[0].index, round % 6);
    sf_slots_release (&slot[0]);
  }
  for (uint32_t i = 0; i < 6; i++)
    check_int (sf_slots_acquire (slots, SIZE, 0, &slot[i]), 0);
  check_state (slots, 6, 0, 1);
  check_int (sf_slots_acquire (slots, SIZE, 0, NULL), -EAGAIN);
  check_int (sf_slots_acquire (slots, SIZE + 1, 0, NULL), -EMSGSIZE);
  sf_slots_release (&slot[3]);
  check_int (sf_slots_acquire (slots, SIZE, 1, NULL), -EAGAIN);
  check_int (sf_slots_acquire (slots, SIZE, 0, NULL), 0);
  for (uint32_t i = 0; i < 6; i++)
    if (i != 3)
      sf_slots_release (&slot[i]);
  check_state (slots, 6, 6, 1);
  sf_slots_unref (slots);
}

/* Odd while it may be written, even else, and never the same twice. */
static void
test_generations (void)
{
  struct sf_slots *slots = sf_slots_new (MANY);
  struct sf_slot slot;
  uint64_t needed, last = 0;

  check_int (sf_slots_ensure (slots, 1, SIZE, &needed), 0);
  for (int i = 0; i < 10; i++) {
    sf_atomic_u64 *generation;

    check_int (sf_slots_acquire (slots, SIZE, 0, &slot), 0);
    generation = &sf_segment_header (slot.segment)->generation[0];
    check_cmp (sf_load_own (generation), >, last);
    last = sf_load_own (generation);
    check_int (last & 1, 1);
    if (i & 1)
      sf_segment_finish_slot (slot.segment, 0);
    sf_segment_finish_slot (slot.segment, 0);
    check_int (sf_load_own (generation), last + 1);
    sf_slots_release (&slot);
    check_int (sf_load_own (generation), last + 1);
  }
  sf_slots_unref (slots);
}

/* In place: what is there stays where it is, and free ones follow. */
static void
test_growth (void)
{
  struct sf_slots *slots = sf_slots_new (MANY);
  struct sf_slot old[3], young;
  uint64_t needed;
  uint8_t *at;

  check_int (sf_slots_ensure (slots, 3, SIZE, &needed), 0);
  for (int i = 0; i < 3; i++)
    check_int (sf_slots_acquire (slots, SIZE, 0, &old[i]), 0);
  at = sf_segment_slot (old[0].segment, 0);
  *at = 17;
  check_int (sf_slots_ensure (slots, 5, SIZE, &needed), 0);
  check_state (slots, 5, 2, 1);
  check_int (state_of (slots).bytes, sf_segment_bytes (5, SIZE));
  check_int (sf_observe_u32 (&old[0].segment->retired), 0);
  check_int (sf_slots_acquire (slots, SIZE, 0, &young), 0);
  check (young.segment == old[0].segment);
  check_int (young.index, 3);
  check (sf_segment_slot (young.segment, 0) == at);
  check_int (*at, 17);
  for (int i = 0; i < 3; i++)
    sf_slots_release (&old[i]);
  check_state (slots, 5, 4, 1);
  check_int (state_of (slots).growths, 1);
  /* Fewer, or smaller: nothing to do. */
  check_int (sf_slots_ensure (slots, 2, SIZE / 2, &needed), 0);
  check_state (slots, 5, 4, 1);
  sf_slots_release (&young);
  sf_slots_unref (slots);
}

/* Slots that are too small go with the last of them, and count until then. */
static void
test_larger_slots (void)
{
  struct sf_slots *slots = sf_slots_new (MANY);
  struct sf_slot old[3], young;
  uint64_t needed;

  check_int (sf_slots_ensure (slots, 3, SIZE, &needed), 0);
  for (int i = 0; i < 3; i++)
    check_int (sf_slots_acquire (slots, SIZE, 0, &old[i]), 0);
  check_int (sf_slots_ensure (slots, 5, SIZE + 1, &needed), 0);
  check_state (slots, 5, 5, 2);
  check_int (state_of (slots).bytes, sf_segment_bytes (3, SIZE)
      + sf_segment_bytes (5, SIZE + 1));
  check_int (sf_observe_u32 (&old[0].segment->retired), 1);
  check_int (sf_slots_acquire (slots, SIZE, 0, &young), 0);
  check (young.segment != old[0].segment);
  for (int i = 0; i < 3; i++) {
    check_int (state_of (slots).n_segments, 2);
    sf_slots_release (&old[i]);
  }
  check_state (slots, 5, 4, 1);
  sf_slots_reclaim (slots);
  check_int (state_of (slots).bytes, sf_segment_bytes (5, SIZE + 1));
  sf_slots_release (&young);
  sf_slots_unref (slots);
}

/* What no client needs any more is unmapped before memory is said to be short. */
static void
test_idle_is_no_obstacle (void)
{
  struct sf_slots *slots = sf_slots_new (sf_segment_bytes (6, 2 * SIZE));
  struct sf_slot slot;
  uint64_t needed;

  check_int (sf_slots_ensure (slots, 6, SIZE, &needed), 0);
  check_int (sf_slots_acquire (slots, SIZE, 0, &slot), 0);
  check_int (sf_slots_ensure (slots, 6, 2 * SIZE, &needed), -E2BIG);
  sf_slots_release (&slot);
  check_int (sf_slots_ensure (slots, 6, 2 * SIZE, &needed), 0);
  check_state (slots, 6, 6, 1);
  sf_slots_unref (slots);
}

/* A client that asks for one more at a time does not wear the ring out. */
static void
test_small_steps (void)
{
  struct sf_slots *slots = sf_slots_new (sf_segment_bytes (1000, SIZE));
  uint64_t needed;

  for (uint32_t n = 1; n <= 990; n++)
    check_int (sf_slots_ensure (slots, n, SIZE, &needed), 0);
  check_int (state_of (slots).n_segments, 1);
  check_cmp (state_of (slots).growths, <=, SF_MAX_GROWTHS);
  check_cmp (state_of (slots).bytes, <=, sf_segment_bytes (1000, SIZE));
  check_int (sf_slots_ensure (slots, 1001, SIZE, &needed), -E2BIG);
  sf_slots_unref (slots);
}

/* Nor does it take all memory for the last of many small steps. */
static void
test_many_small_steps (void)
{
  struct sf_slots *slots = sf_slots_new (sf_segment_bytes (10000, SIZE));
  uint64_t needed;

  for (uint32_t n = 1; n <= 100; n++)
    check_int (sf_slots_ensure (slots, n, SIZE, &needed), 0);
  check (state_of (slots).n_slots <= 150);
  sf_slots_unref (slots);
}

/* What it says would do is enough, to the byte. */
static void
test_needed_is_enough (void)
{
  for (uint32_t n = 1; n < 40; n += 3) {
    for (uint64_t size = 1; size < 5 * SIZE; size += 3001) {
      struct sf_slots *slots = sf_slots_new (1);
      uint64_t needed = 0, more = 0;

      check_int (sf_slots_ensure (slots, n, size, &needed), -E2BIG);
      sf_slots_unref (slots);
      slots = sf_slots_new (needed - 1);
      check_int (sf_slots_ensure (slots, n, size, &more), -E2BIG);
      check_int (more, needed);
      sf_slots_unref (slots);
      slots = sf_slots_new (needed);
      check_int (sf_slots_ensure (slots, n, size, &more), 0);
      check_state (slots, n, n, 1);
      check_int (state_of (slots).bytes, needed);
      sf_slots_unref (slots);
    }
  }
}

/* With slots in use, too. */
static void
test_needed_while_used (void)
{
  uint64_t first = sf_segment_bytes (4, SIZE), needed = 0, more = 0;

  for (uint32_t n = 5; n < 12; n++) {
    struct sf_slots *slots = sf_slots_new (first);
    struct sf_slot slot;

    check_int (sf_slots_ensure (slots, 4, SIZE, &more), 0);
    check_int (sf_slots_acquire (slots, SIZE, 0, &slot), 0);
    check_int (sf_slots_ensure (slots, n, SIZE, &needed), -E2BIG);
    sf_slots_release (&slot);
    sf_slots_unref (slots);
    slots = sf_slots_new (needed);
    check_int (sf_slots_ensure (slots, 4, SIZE, &more), 0);
    check_int (sf_slots_acquire (slots, SIZE, 0, &slot), 0);
    check_int (sf_slots_ensure (slots, n, SIZE, &more), 0);
    check_cmp (state_of (slots).n_slots, >=, n);
    check_cmp (state_of (slots).bytes, <=, needed);
    sf_slots_release (&slot);
    sf_slots_unref (slots);
  }
}

static void
test_impossible (void)
{
  struct sf_slots *slots = sf_slots_new (UINT64_MAX);
  uint64_t needed = 0;

  check_int (sf_slots_ensure (slots, 1, 0, &needed), -EINVAL);
  check_int (sf_slots_ensure (slots, 0, SIZE, &needed), -EINVAL);
  check_int (sf_slots_ensure (slots, SF_MAX_SLOTS + 1, SIZE, &needed), -EINVAL);
  check_int (sf_slots_ensure (slots, 1, SF_MAX_SLOT_SIZE + 1, &needed),
      -EINVAL);
  check_cmp (sf_slots_ensure (slots, SF_MAX_SLOTS, SF_MAX_SLOT_SIZE, &needed),
      <, 0);
  check_state (slots, 0, 0, 0);
  check_int (state_of (slots).bytes, 0);
  sf_slots_unref (slots);
}

static void
test_outlives_its_owner (void)
{
  struct sf_slots *slots = sf_slots_new (MANY);
  struct sf_slot slot[3];
  uint64_t needed;

  check_int (sf_slots_ensure (slots, 3, SIZE, &needed), 0);
  for (int i = 0; i < 3; i++)
    check_int (sf_slots_acquire (slots, SIZE, 0, &slot[i]), 0);
  sf_slots_shut (slots);
  check_int (sf_slots_ensure (slots, 3, SIZE, &needed), -ESHUTDOWN);
  check_int (sf_slots_acquire (slots, SIZE, 0, NULL), -EMSGSIZE);
  sf_slots_unref (slots);
  for (int i = 0; i < 3; i++) {
    memset (sf_segment_slot (slot[i].segment, slot[i].index), 1, SIZE);
    sf_slots_release (&slot[i]);
  }
}

/* Takers and givers in threads while it grows and shrinks in slot size. */
static void *
take_and_give (void *user)
{
  struct sf_slots *slots = user;
  uint32_t got = 0;

  /* While the ring is made anew there are none. */
  for (int i = 0; i < 20000 || got == 0; i++) {
    struct sf_slot slot[4];
    int n = 0;

    while (n < 4 && sf_slots_acquire (slots, SIZE, 0, &slot[n]) == 0)
      n++;
    for (int k = 0; k < n; k++)
      *sf_segment_slot (slot[k].segment, slot[k].index) = (uint8_t) i;
    while (n > 0) {
      sf_slots_release (&slot[--n]);
      got++;
    }
  }
  return NULL;
}

static void
test_threads (void)
{
  uint64_t limit = UINT64_C (1) << 22, needed;
  struct sf_slots *slots = sf_slots_new (limit);
  struct sf_slots_state state;
  pthread_t thread[3];

  check_int (sf_slots_ensure (slots, 4, SIZE, &needed), 0);
  for (int i = 0; i < 3; i++)
    check_int (pthread_create (&thread[i], NULL, take_and_give, slots), 0);
  for (uint32_t i = 0; i < 200; i++) {
    int r = sf_slots_ensure (slots, 4 + i % 50, SIZE + (i / 50) * SIZE,
        &needed);

    check (r == 0 || r == -E2BIG);
    state = state_of (slots);
    check_cmp (state.bytes, <=, limit);
    check_cmp (state.n_free, <=, state.n_slots);
  }
  for (int i = 0; i < 3; i++)
    pthread_join (thread[i], NULL);
  state = state_of (slots);
  check_int (state.n_free, state.n_slots);
  sf_slots_unref (slots);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_cyclic), TEST (test_generations), TEST (test_growth),
    TEST (test_larger_slots), TEST (test_idle_is_no_obstacle),
    TEST (test_small_steps), TEST (test_many_small_steps), TEST (test_needed_is_enough),
    TEST (test_needed_while_used), TEST (test_impossible),
    TEST (test_outlives_its_owner), TEST (test_threads),
  };

  return unit_main (tests);
}
