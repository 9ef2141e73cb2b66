/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_WAKE_H
#define SF_WAKE_H

#include "producer/producer-private.h"

/* Takes the flag of a sleeping client. True: the caller has to wake it. */
bool sf_client_take_sleeping_flag (struct sf_client *c);

void sf_client_wake (struct sf_client *c);

/* Tells whether it fell asleep on our CPU, where it can run only when we let
 * it. */
bool sf_client_is_on_this_cpu (const struct sf_client *c);

/* For the publisher, after announcing: notes a sleeping client for
 * sf_producer_wake_sleepers(), which needs no lock. */
void sf_client_note_sleep_locked (struct sf_client *c);
void sf_producer_wake_sleepers (struct sf_producer *p);

#endif
