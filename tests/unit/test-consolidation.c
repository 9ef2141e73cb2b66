/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In what order slots are handed out. */
#include "producer/slots.h"

#include <errno.h>

#include "unit.h"

#define SIZE 4096u
#define WINDOW 8u
#define TAKES 800u

/* Slots that are held, the oldest first */
struct held
{
  struct sf_slot slot[64];
  uint32_t n;
};

static void
take (struct sf_slots *slots, struct held *held)
{
  check_int (sf_slots_acquire (slots, SIZE, 0, &held->slot[held->n]), 0);
  held->n++;
}

static void
give_first (struct held *held, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    sf_slots_release (&held->slot[i]);
  held->n -= n;
  memmove (held->slot, held->slot + n, held->n * sizeof (held->slot[0]));
}

/* Do the last slots follow each other in one segment? */
static bool
is_window (const struct held *held)
{
  const struct sf_slot *first = &held->slot[held->n - WINDOW];

  for (uint32_t i = 1; i < WINDOW; i++)
    if (first[i].segment != first->segment
        || first[i].index != (first->index + i) % first->segment->n_slots)
      return false;
  return true;
}

/* Windows in one piece, of TAKES / WINDOW, while up to `most` slots are held and
 * given back by windows */
static uint32_t
run_windows (struct sf_slots *slots, uint32_t most)
{
  struct held held = { .n = 0 };
  uint32_t whole = 0;

  for (uint32_t i = 1; i <= TAKES; i++) {
    if (held.n == most)
      give_first (&held, WINDOW);
    take (slots, &held);
    if (i % WINDOW == 0)
      whole += is_window (&held);
  }
  give_first (&held, held.n);
  return whole;
}

static void
test_one_segment (void)
{
  struct sf_slots *slots = sf_slots_new (UINT64_C (1) << 30);
  uint64_t needed;

  check_int (sf_slots_ensure (slots, 30, SIZE, &needed), 0);
  check_int (run_windows (slots, 3 * WINDOW), TAKES / WINDOW);
  sf_slots_unref (slots);
}

/* It grows in the middle of a window, of which the rest follows: only a window that
 * has wrapped by then is in two pieces. */
static void
test_growing (void)
{
  struct sf_slots *slots = sf_slots_new (UINT64_C (1) << 30);
  struct held held = { .n = 0 };
  uint32_t whole = 0, wrapped = 0;
  uint64_t needed;

  check_int (sf_slots_ensure (slots, 30, SIZE, &needed), 0);
  for (uint32_t i = 1; i <= TAKES; i++) {
    if (held.n == 24)
      give_first (&held, WINDOW);
    if (i % 50 == 0)
      check_int (sf_slots_ensure (slots, 30 + i / 10, SIZE, &needed), 0);
    take (slots, &held);
    if (i % WINDOW == 0)
      whole += is_window (&held);
  }
  wrapped = TAKES / WINDOW - whole;
  printf ("# %u of %u windows in one piece\n", whole, TAKES / WINDOW);
  check_cmp (wrapped, <=, 3);
  give_first (&held, held.n);
  sf_slots_unref (slots);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_one_segment), TEST (test_growing),
  };

  return unit_main (tests);
}
