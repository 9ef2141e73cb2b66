/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_SEGMENT_UPDATES_H
#define SF_SEGMENT_UPDATES_H

#include "producer/producer-private.h"

/* The control thread's: sends clients what frames will need, and tells them
 * what has grown, so that neither side's streaming thread has to see to it. */
void sf_producer_send_segment_updates (struct sf_producer *p);

#endif
