/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_FLUSH_H
#define SF_FLUSH_H

#include "producer/producer-private.h"

/* Sends FLUSH to all clients, if one started or stopped. Called by the control
 * thread. */
void sf_producer_send_flush (struct sf_producer *p);

#endif
