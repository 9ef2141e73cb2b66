/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_SEGMENT_UPDATES_H
#define SF_SEGMENT_UPDATES_H

#include "producer/producer-private.h"

/* Sends segments that frames will need, and SEGMENT_GROWN, so that no streaming
 * thread has to. Called by the control thread. */
void sf_producer_send_segment_updates (struct sf_producer *p);

#endif
