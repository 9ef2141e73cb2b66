/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Called by the control thread. */
#ifndef SF_ACCEPT_H
#define SF_ACCEPT_H

#include "producer/producer-private.h"

void sf_client_accept (struct sf_producer *p, int fd,
    const struct sf_credentials *peer);

#endif
