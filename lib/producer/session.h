/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Called by the control thread. */
#ifndef SF_SESSION_H
#define SF_SESSION_H

#include "producer/producer-private.h"

void sf_client_hello (struct sf_client *c, const struct sf_hello *hello);

/* Sends WELCOME or REJECT; `r`, `needed`: of sf_client_grant(). The client may
 * be gone after it. */
void sf_client_answer_hello (struct sf_client *c, int r, uint32_t max_held,
    uint64_t needed);

/* Handles BYE. */
void sf_client_leave (struct sf_client *c);

void sf_client_report_end (struct sf_client *c, uint32_t reason,
    const char *text);

void sf_client_guard_hangup (struct sf_client *c);

/* Sends BYE as the producer closes. The client is gone then, unless it may read
 * frames of another producer. */
void sf_client_send_bye (struct sf_client *c);

void sf_client_end (struct sf_client *c, uint32_t reason, const char *text);

void sf_client_send_latency (struct sf_client *c);

#endif
