/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Called by the control thread. */
#ifndef SF_MESSAGES_H
#define SF_MESSAGES_H

#include "producer/producer-private.h"

void sf_client_readable (struct sf_client *c);

/* Reads the HELLO, or an observer's next question, if it is there; otherwise
 * ends the connection. */
void sf_client_greet_or_close (struct sf_client *c);

void sf_client_process_ended (struct sf_client *c);

/* Reads its messages again. */
void sf_client_unmute (struct sf_client *c);

#endif
