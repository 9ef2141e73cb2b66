/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_FLUSH_H
#define SF_FLUSH_H

#include "producer/producer-private.h"

/* The control thread's: sends what the clients are to hear at once. */
void sf_producer_send_flush (struct sf_producer *p);

#endif
