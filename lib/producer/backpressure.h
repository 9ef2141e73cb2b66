/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_BACKPRESSURE_H
#define SF_BACKPRESSURE_H

#include "producer/producer-private.h"

/* Revokes the oldest unclaimed frame of all live clients. False: there is
 * none. */
bool sf_producer_revoke_one_locked (struct sf_producer *p);

int sf_producer_collect_locked (struct sf_producer *p);

void sf_producer_set_want_locked (struct sf_producer *p);

void sf_producer_note_progress (struct sf_producer *p);

#endif
