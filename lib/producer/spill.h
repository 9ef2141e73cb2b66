/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_SPILL_H
#define SF_SPILL_H

#include "producer/producer-private.h"

/* Acquires a slot for a spilled payload. 0 or -errno, -ENOBUFS: too many are
 * out. Called without the lock. */
int sf_spill_acquire (struct sf_producer *p, uint64_t size,
    struct sf_slot *spill);

/* Finishes the slot and writes the record's payload, a reference to it. Returns
 * its size. */
uint32_t sf_spill_put_reference (const struct sf_slot *spill, uint32_t id,
    uint64_t size, uint8_t *payload);

#define SF_SPILL_REFERENCE_SIZE (8u + sizeof (struct sf_memory_ref_wire))

#endif
