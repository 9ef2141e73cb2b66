/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_OBSERVERS_H
#define SF_OBSERVERS_H

#include "producer/producer-private.h"

/* Answers for one observer in a second. Further questions wait in its
 * socket. */
#define SF_OBSERVER_QUOTA 64u

/* Handles OBSERVE; the first one makes this connection an observer's. It may be
 * gone after it. */
void sf_client_observe (struct sf_client *c, const struct sf_observe *observe);

#endif
