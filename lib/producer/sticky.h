/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_STICKY_H
#define SF_STICKY_H

#include "producer/producer-private.h"

/* Keeps the event for later clients. -ENOMEM, or -E2BIG: more than
 * SF_MAX_STICKY_BYTES in all; nothing changes then. */
int sf_sticky_keep_locked (struct sf_producer *p, uint64_t key,
    const void *body, uint32_t size);

void sf_sticky_forget_locked (struct sf_producer *p, uint64_t from,
    uint64_t to);

#endif
