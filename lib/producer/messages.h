/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control thread's. */
#ifndef SF_MESSAGES_H
#define SF_MESSAGES_H

#include "producer/producer-private.h"

void sf_client_readable (struct sf_client *c);

/* Its HELLO, or what an observer asks next, is read, if it is there by now;
 * otherwise its connection ends. */
void sf_client_greet_or_close (struct sf_client *c);

void sf_client_process_ended (struct sf_client *c);

/* Who has sent too much is listened to again from `muted_until` on. */
void sf_client_unmute (struct sf_client *c);

#endif
