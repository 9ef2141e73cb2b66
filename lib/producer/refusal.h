/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control thread's. */
#ifndef SF_REFUSAL_H
#define SF_REFUSAL_H

#include "producer/producer-private.h"

/* Tells it why, and the user of this producer. */
void sf_client_refuse (struct sf_producer *p, int fd,
    const struct sf_credentials *peer, const struct sf_reject *reject);

void sf_client_report_refusal (struct sf_producer *p,
    const struct sf_credentials *peer, const struct sf_reject *reject);

void sf_producer_explain_version (uint32_t min, uint32_t max,
    struct sf_reject *reject);

void sf_producer_explain_full (struct sf_producer *p, struct sf_reject *reject);

/* Adds to a refusal for want of room who takes it without being served. */
void sf_producer_name_holder (struct sf_producer *p, struct sf_reject *reject);

#endif
