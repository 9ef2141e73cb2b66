/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Called by the control thread. */
#ifndef SF_GRANTS_H
#define SF_GRANTS_H

#include "producer/producer-private.h"

/* Makes the slots that were granted in a new format, and unmaps segments that
 * nobody needs. */
void sf_producer_fulfil_grants (struct sf_producer *p);

/* Makes room for this client to hold `max_held` frames. 0 or -errno. */
int sf_client_grant (struct sf_client *c, uint32_t max_held, uint64_t *needed);

/* Grants them if the ring holds them at the expense of base slots. The caller
 * answers, which need not wait for slots to be made, and then calls
 * sf_client_grant(). */
bool sf_client_grant_at_once (struct sf_client *c, uint32_t max_held);

/* Fills `reject` from the error of sf_client_grant(). */
void sf_client_explain_grant (const struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed, struct sf_reject *reject);

void sf_client_send_grant (struct sf_client *c);

void sf_client_refuse_grant (struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed);

/* Handles WANT. */
void sf_client_want (struct sf_client *c, uint32_t max_held);

/* `r`, `needed`: of sf_client_grant(). */
void sf_client_answer_want (struct sf_client *c, int r, uint32_t max_held,
    uint64_t needed);

/* Postpones the request if slots that would do are coming back; it is then
 * retried for SF_GRANT_TIMEOUT. False: refuse it. */
bool sf_client_postpone_grant (struct sf_client *c, int error,
    uint32_t max_held, uint64_t needed);

/* Retries it. -EAGAIN: still postponed; else as sf_client_grant(). */
int sf_client_retry_grant (struct sf_client *c, uint32_t *max_held,
    uint64_t *needed);

/* Makes more slots if upstream missed some. */
void sf_producer_grow_for_upstream (struct sf_producer *p);

#endif
