/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_LETTER_H
#define SF_LETTER_H

#include "producer/producer-private.h"

/* Makes room, for the payload of a frame, outside of the ring. 0 or -errno, -ENOBUFS:
 * too many such frames are out. Without lock. */
int sf_letter_take (struct sf_producer *p, uint64_t size,
    struct sf_slot *letter);

/* The payload is in the letter: what remains for the record. */
uint32_t sf_letter_refer (const struct sf_slot *letter, uint32_t id,
    uint64_t size, uint8_t *payload);

#define SF_LETTER_REFERENCE (8u + sizeof (struct sf_mem_ref))

#endif
