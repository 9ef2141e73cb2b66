/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Called by the control thread. */
#ifndef SF_LIVENESS_H
#define SF_LIVENESS_H

#include "producer/producer-private.h"

/* Tells whether a publisher waits for clients, or did until just now. */
bool sf_producer_is_waiting_locked (const struct sf_producer *p);

/* Asks clients that are waited for whether they live, and disconnects those
 * that do not. */
void sf_producer_check_liveness (struct sf_producer *p);

/* Tells whether it may still read frames of another producer. Those of our own
 * need no watching any more: after closing, nobody writes into their slots
 * again. */
bool sf_client_holds_foreign_locked (const struct sf_client *c);

/* Any message is a sign of life. */
void sf_client_note_alive (struct sf_client *c);

/* False: it was not asked. */
bool sf_client_pong (struct sf_client *c, bool paused);

#endif
