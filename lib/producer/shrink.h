/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_SHRINK_H
#define SF_SHRINK_H

#include "producer/producer-private.h"

/* Goes on with a smaller ring, if clients have needed much less for long.
 * Returns the ms until it is to be called again, or -1. Called by the control
 * thread. */
int sf_producer_shrink (struct sf_producer *p);

#endif
