/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Called by the control thread. */
#ifndef SF_REFUSAL_H
#define SF_REFUSAL_H

#include "producer/producer-private.h"

/* Sends REJECT, and reports the refusal. */
void sf_client_refuse (struct sf_producer *p, int fd,
    const struct sf_credentials *peer, const struct sf_reject *reject);

void sf_client_report_refusal (struct sf_producer *p,
    const struct sf_credentials *peer, const struct sf_reject *reject);

void sf_producer_explain_version (uint32_t min, uint32_t max,
    struct sf_reject *reject);

void sf_producer_explain_full (struct sf_producer *p, struct sf_reject *reject);

/* Adds to the text who holds frames without being served. */
void sf_producer_name_holder (struct sf_producer *p, struct sf_reject *reject);

#endif
