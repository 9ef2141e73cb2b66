/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots on huge pages, where the machine has some free, and on ordinary ones
 * where it has not. To see the former: sysctl vm.nr_hugepages=64. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guards.h"
#include "shared/memfd.h"
#include "producer/slots.h"
#include "unit.h"

#define SIZE 4096u
#define N_SLOTS 4
/* More is not taken from a machine for a test. */
#define MAX_TAKEN 512

static unsigned
free_huge_pages (void)
{
  FILE *file = fopen ("/proc/meminfo", "r");
  char line[128];
  unsigned n = 0;

  while (file != NULL && fgets (line, sizeof (line), file) != NULL)
    if (sscanf (line, "HugePages_Free: %u", &n) == 1)
      break;
  if (file != NULL)
    fclose (file);
  return n;
}

/* A client's view, by the fd that it gets. */
static void
check_client (struct sf_slot *slot)
{
  struct sf_segment *own = slot->segment, *client;
  struct sf_segment_info info;
  struct sf_run run;
  uint8_t *mine = sf_segment_slot (own, slot->index);

  sf_segment_describe (own, 1, &info);
  check_int (sf_segment_open (&client, dup (own->shm.fd), GUARDED_BY (-1),
          &info), 0);
  memset (mine, 0x5a, SIZE);
  check_int (memcmp (sf_segment_slot (client, slot->index), mine, SIZE), 0);
  check_int (memcmp (sf_segment_slot (client, info.n_slots + slot->index),
          mine, SIZE), 0);
  run = sf_segment_run (own, mine);
  check (!run.twice || memcmp (sf_segment_slot (own, info.n_slots
              + slot->index), mine, SIZE) == 0);
  sf_segment_unref (client);
}

static void
check_slots (bool huge)
{
  struct sf_slots *slots = sf_slots_new (UINT64_C (1) << 40);
  struct sf_slots_state state;
  uint64_t needed, page = sf_huge_page_size ();
  struct sf_slot slot;

  sf_slots_use_huge_pages (slots);
  check_int (sf_slots_ensure (slots, N_SLOTS, SIZE, &needed), 0);
  sf_slots_get_state (slots, &state);
  check_int (state.n_slots, N_SLOTS);
  check_int (state.bytes, sf_segment_bytes_of (N_SLOTS, SIZE, huge ? page : 0));
  check_int (state.huge_bytes, huge ? state.bytes : 0);
  check_int (state.slot_size, huge ? page : SIZE);
  check_int (sf_slots_acquire (slots, SIZE, 0, &slot), 0);
  check_client (&slot);
  sf_slots_release (&slot);
  sf_slots_unref (slots);
}

static void
test_huge_pages (void)
{
  unit_skip_unless (free_huge_pages () > 0, "no huge pages are free");
  check_slots (true);
}

static void
test_none_free (void)
{
  unit_skip_unless (free_huge_pages () == 0, "huge pages are free");
  check_slots (false);
}

/* More pages than there are */
static void
test_too_few (void)
{
  struct sf_slots *slots = sf_slots_new (UINT64_C (1) << 40);
  unsigned n = free_huge_pages ();
  struct sf_slots_state state;
  uint64_t needed;

  sf_slots_use_huge_pages (slots);
  unit_skip_unless (n <= MAX_TAKEN, "many huge pages are free");
  check_int (sf_slots_ensure (slots, 2 * MAX_TAKEN, SIZE, &needed), 0);
  sf_slots_get_state (slots, &state);
  check_int (state.bytes, sf_segment_bytes (2 * MAX_TAKEN, SIZE));
  check_int (state.huge_bytes, 0);
  sf_slots_unref (slots);
}

/* Room for ordinary pages only */
static void
test_within_max_memory (void)
{
  uint64_t limit = sf_segment_bytes (N_SLOTS, SIZE);
  struct sf_slots *slots = sf_slots_new (limit);
  struct sf_slots_state state;
  uint64_t needed;

  sf_slots_use_huge_pages (slots);
  check_int (sf_slots_ensure (slots, N_SLOTS, SIZE, &needed), 0);
  sf_slots_get_state (slots, &state);
  check_int (state.bytes, limit);
  check_int (state.huge_bytes, 0);
  check_int (sf_slots_ensure (slots, N_SLOTS + 1, SIZE, &needed), -E2BIG);
  check_cmp (needed, <=, limit + sf_segment_bytes (1, SIZE));
  sf_slots_unref (slots);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_huge_pages), TEST (test_none_free), TEST (test_too_few),
    TEST (test_within_max_memory),
  };

  return unit_main (tests);
}
