/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control thread's. */
#ifndef SF_LIVENESS_H
#define SF_LIVENESS_H

#include "producer/producer-private.h"

/* Has somebody been waiting for clients just now? */
bool sf_producer_is_waiting_locked (const struct sf_producer *p);

/* Asks those that are waited for whether they live, and disconnects those that
 * do not. */
void sf_producer_check_liveness (struct sf_producer *p);

/* May it read frames of another producer, now or later? Our own are safe from
 * here on, nobody writes there again. */
bool sf_client_holds_foreign_locked (const struct sf_client *c);

/* It sent something, which shows that it lives. */
void sf_client_note_alive (struct sf_client *c);

/* False: it was not asked. */
bool sf_client_pong (struct sf_client *c, bool paused);

#endif
