/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control thread's. */
#ifndef SF_GRANTS_H
#define SF_GRANTS_H

#include "producer/producer-private.h"

/* The control thread's: makes what was promised in a new format, unmaps what is
 * not needed any more. */
void sf_producer_fulfil_grants (struct sf_producer *p);

/* Makes room for `max_held` frames in this client's hands. 0 or -errno. */
int sf_client_grant (struct sf_client *c, uint32_t max_held, uint64_t *needed);

/* What to tell a client whose grant ended in this error. */
void sf_client_explain_grant (const struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed, struct sf_reject *reject);

void sf_client_send_grant (struct sf_client *c);

void sf_client_refuse_grant (struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed);

/* It asks for more than it has. */
void sf_client_want (struct sf_client *c, uint32_t max_held);

/* `r`, `needed`: what came of sf_client_grant(). */
void sf_client_answer_want (struct sf_client *c, int r, uint32_t max_held,
    uint64_t needed);

/* It cannot be granted that now, but slots are about to come back with which it
 * can: then it is to be tried again, for SF_GRANT_TIMEOUT. False: it is to be
 * refused. */
bool sf_client_postpone_grant (struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed);

/* Tries again: -EAGAIN as long as there is hope, else as sf_client_grant(). */
int sf_client_retry_grant (struct sf_client *c, uint32_t *max_held,
    uint64_t *needed);

/* More slots for upstream, if it missed some. */
void sf_producer_grow_for_upstream (struct sf_producer *p);

#endif
