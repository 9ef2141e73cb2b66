/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control thread's. */
#ifndef SF_ACCEPT_H
#define SF_ACCEPT_H

#include "producer/producer-private.h"

void sf_client_accept (struct sf_producer *p, int fd,
    const struct sf_credentials *peer);

#endif
