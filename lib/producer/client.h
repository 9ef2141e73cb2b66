/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_CLIENT_H
#define SF_CLIENT_H

#include "producer/producer-private.h"

bool sf_client_is_lossless_locked (const struct sf_client *c);

/* Is it told of frames and events? */
bool sf_client_is_served_locked (const struct sf_client *c);

void sf_client_schedule_disconnect_locked (struct sf_client *c,
    uint32_t reason);

/* So many frames are lost to it. */
void sf_client_drop_locked (struct sf_client *c, enum sf_drop why, uint32_t n);

/* Takes back its oldest unclaimed frame. 1; 0: there is none, or its disconnect
 * is pending. */
int sf_client_revoke_locked (struct sf_client *c, enum sf_drop why);

void sf_client_info_locked (struct sf_client *c, struct sf_client_info *info);

/* Takes what the client, or all of them, returned; the number of frames. */
int sf_client_collect_locked (struct sf_client *c);

bool sf_client_is_silent_locked (const struct sf_client *c);

/* Events of one of its fds: which one says the tag, 0..3. 0 or -errno. */
int sf_client_watch (struct sf_client *c, int fd, uint32_t events,
    unsigned tag);

/* Any thread's. The control thread frees it when it is gone. */
struct sf_client *sf_client_ref (struct sf_client *c);

void sf_client_unref (struct sf_client *c);

/* The control thread's: frees those that are gone and that nobody uses any
 * more. */
void sf_producer_free_removed (struct sf_producer *p);

/* How many frames it may hold: for a while more than its grant, where that
 * became less. */
uint32_t sf_client_limit_locked (struct sf_client *c);

/* What revoking gave: 1, 0 (nothing to revoke), or its disconnect is pending:
 * 0. */
int sf_client_count_revoked_locked (struct sf_client *c, enum sf_drop why,
    int r);

#endif
