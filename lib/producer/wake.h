/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_WAKE_H
#define SF_WAKE_H

#include "producer/producer-private.h"

/* True if the client sleeps and the caller is the one to wake it. */
bool sf_client_take_sleeping_flag (struct sf_client *c);

void sf_client_wake (struct sf_client *c);

/* Did it fall asleep on the processor that we run on? There it wakes up only
 * when we let it. */
bool sf_client_is_on_this_cpu (const struct sf_client *c);

/* The publisher's, when the client has been told something: if it sleeps,
 * sf_producer_wake_sleepers() wakes it, which needs no lock. */
void sf_client_note_sleep_locked (struct sf_client *c);
void sf_producer_wake_sleepers (struct sf_producer *p);

#endif
