/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_CONTROL_THREAD_H
#define SF_CONTROL_THREAD_H

#include "producer/producer-private.h"

void *sf_producer_thread (void *producer);

/* Called after the thread has ended. Returns when the last client is gone. */
void sf_producer_linger (struct sf_producer *p);

#endif
