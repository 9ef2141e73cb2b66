/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_CLIENT_H
#define SF_CLIENT_H

#include "producer/producer-private.h"

bool sf_client_is_lossless_locked (const struct sf_client *c);

/* Tells whether frames and events are announced to it. */
bool sf_client_is_served_locked (const struct sf_client *c);

void sf_client_schedule_disconnect_locked (struct sf_client *c,
    uint32_t reason);

/* Counts frames lost to it. */
void sf_client_drop_locked (struct sf_client *c, enum sf_drop why, uint32_t n);

/* Revokes its oldest unclaimed frame. 1; 0: there is none, or a violation made
 * a disconnect pending. */
int sf_client_revoke_locked (struct sf_client *c, enum sf_drop why);

void sf_client_info_locked (struct sf_client *c, struct sf_client_info *info);

/* Takes what it returned. Returns the number of frames. */
int sf_client_collect_locked (struct sf_client *c);

bool sf_client_is_silent_locked (const struct sf_client *c);

/* Adds one of its fds to the epoll set under this tag, 0..3. 0 or -errno. */
int sf_client_watch (struct sf_client *c, int fd, uint32_t events,
    unsigned tag);

/* For any thread. The control thread frees a client that is gone. */
struct sf_client *sf_client_ref (struct sf_client *c);

void sf_client_unref (struct sf_client *c);

/* Frees clients that are gone and unreferenced. Called by the control
 * thread. */
void sf_producer_free_removed (struct sf_producer *p);

/* Returns how many frames it may hold: its grant, or for a while what it had
 * before that became less. */
uint32_t sf_client_limit_locked (struct sf_client *c);

/* Counts the result of revoking, `r`, and returns 1 or 0 as
 * sf_client_revoke_locked(). */
int sf_client_count_revoked_locked (struct sf_client *c, enum sf_drop why,
    int r);

#endif
