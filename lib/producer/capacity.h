/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_CAPACITY_H
#define SF_CAPACITY_H

#include "producer/producer-private.h"

uint32_t sf_producer_base_slots (uint64_t slot_size);

/* Sums up the grants of all clients except `but`. */
uint64_t sf_producer_promised_locked (struct sf_producer *p,
    const struct sf_client *but);

/* Returns the slots that are needed if clients hold `promised` frames. */
uint64_t sf_producer_needed_slots_locked (struct sf_producer *p,
    uint64_t promised);

/* Makes slots so that clients can hold `promised` frames. Returns as
 * sf_producer_set_format(). Room lock held. */
int sf_producer_make_room_locked (struct sf_producer *p, uint64_t promised,
    uint64_t *needed);

/* Tells whether an error of sf_producer_make_room_locked() is one of memory, so
 * that fewer slots may do. */
bool sf_capacity_is_short (int error);

/* Revokes unclaimed frames of earlier formats from live clients: they keep
 * slots in use that the new format needs. */
void sf_producer_take_back_locked (struct sf_producer *p);

/* Sums up what clients want to hold, counting `most` for who wants more. */
uint64_t sf_producer_target_held_locked (struct sf_producer *p, uint32_t most);

#endif
