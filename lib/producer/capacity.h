/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_CAPACITY_H
#define SF_CAPACITY_H

#include "producer/producer-private.h"

uint32_t sf_producer_base_slots (uint64_t slot_size);

/* How many frames all clients (but one) together may hold. */
uint64_t sf_producer_promised_locked (struct sf_producer *p,
    const struct sf_client *but);

/* The slots with which clients can hold so many frames, and the others have
 * theirs. */
uint64_t sf_producer_needed_slots_locked (struct sf_producer *p,
    uint64_t promised);

/* Sees to it that clients can hold so many frames. As sf_producer_set_format().
 * With the room lock. */
int sf_producer_make_room_locked (struct sf_producer *p, uint64_t promised,
    uint64_t *needed);

/* Are there fewer slots to be had? `error` as of
 * sf_producer_make_room_locked(). */
bool sf_capacity_is_short (int error);

/* Takes back what live clients have not claimed of the formats before, which is
 * only in the way. */
void sf_producer_take_back_locked (struct sf_producer *p);

/* How many frames clients want in all, if none holds more than `most`. */
uint64_t sf_producer_target_held_locked (struct sf_producer *p, uint32_t most);

#endif
