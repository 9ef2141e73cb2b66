/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_OBSERVERS_H
#define SF_OBSERVERS_H

#include "producer/producer-private.h"

/* How often one is answered in a second; what it asks beyond waits in its
 * socket. */
#define SF_OBSERVER_QUOTA 64u

/* OBSERVE: the first one makes the connection an observer's. False: it is
 * gone. */
bool sf_client_observe (struct sf_client *c, const struct sf_observe *observe);

#endif
