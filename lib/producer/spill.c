/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Payloads too large for a record of the ring: batches of many frames, frames
 * with many metas. Such a payload is spilled to a slot, once for all
 * clients. */
#include <errno.h>
#include <string.h>

#include "producer/parts.h"

/* Sizes double from here, so that few sizes serve all. */
#define SMALLEST (UINT64_C (512) << 10)
#define AT_FIRST 2u

static int
take_or_grow (struct sf_slots *spill_slots, uint64_t size,
    struct sf_slot *spill)
{
  uint64_t room = SMALLEST, needed;
  struct sf_slots_state state;
  uint32_t n = AT_FIRST;
  int r = sf_slots_acquire (spill_slots, size, 0, spill);

  if (r != -EAGAIN && r != -EMSGSIZE)
    return r;
  while (room < size)
    room *= 2;
  sf_slots_get_state (spill_slots, &state);
  if (r == -EAGAIN) {
    n = 2 * state.n_slots;
    room = state.slot_size > room ? state.slot_size : room;
  }
  /* Slots that were too small count until they are reclaimed. */
  sf_slots_reclaim (spill_slots);
  r = sf_slots_ensure (spill_slots, n, room, &needed);
  if (r == 0)
    r = sf_slots_acquire (spill_slots, size, 0, spill);
  return r == -E2BIG || r == -EAGAIN ? -ENOBUFS : r;
}

int
sf_spill_acquire (struct sf_producer *p, uint64_t size, struct sf_slot *spill)
{
  int r = take_or_grow (p->spill_slots, size, spill);
  unsigned tries = 0;

  while (r == -ENOBUFS && sf_producer_reclaim (p, tries++))
    r = take_or_grow (p->spill_slots, size, spill);
  return r;
}

int
sf_spill_put_reference_locked (struct sf_producer *p, struct sf_frame *frame,
    uint64_t size)
{
  const uint32_t head[2] = { 1, SF_PAYLOAD_SPILLED }, slot = frame->spill.index;
  struct sf_segment *segment = frame->spill.segment;
  struct sf_known_segment *k = sf_frame_note_segment_locked (p, frame, segment);
  struct sf_memory_ref_wire ref = { .slot = slot, .size = size };

  if (k == NULL)
    return -ENOMEM;
  sf_segment_finish_slot (segment, slot);
  ref.segment = k->id;
  ref.generation =
      sf_load_hint (&sf_segment_header (segment)->generation[slot]);
  memcpy (frame->payload, head, sizeof (head));
  memcpy (frame->payload + sizeof (head), &ref, sizeof (ref));
  frame->payload_size = SF_SPILL_REFERENCE_SIZE;
  return 0;
}
