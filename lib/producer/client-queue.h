/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_CLIENT_QUEUE_H
#define SF_CLIENT_QUEUE_H

#include "producer/producer-private.h"

/* 0, -EAGAIN (no room: only a lossless client), or its disconnect is
 * pending. */
int sf_client_room_locked (struct sf_client *c, uint32_t payload_size,
    bool frame);

/* `flags` as of its record; SF_RECORD_LOSSLESS is set here. */
void sf_client_announce_locked (struct sf_client *c, struct sf_frame *frame,
    uint16_t flags);

/* `key`: SF_NO_KEY if it is not sticky. */
void sf_client_event_locked (struct sf_client *c, uint64_t key,
    const void *body, uint32_t size);

/* A client that had overflowed has kicked: if it has read all, it gets the
 * sticky events that it lacks and the latest frame without waiting for the next
 * one. */
void sf_client_recover_locked (struct sf_client *c);

/* Sticky events and the latest frame. */
void sf_client_catch_up_locked (struct sf_client *c);

/* The id of a segment that the frame needs and the client lacks; 0: none. */
uint32_t sf_client_missing_segment_locked (const struct sf_client *c,
    const struct sf_frame *frame);

/* Was it sent this segment? */
bool sf_client_was_sent_locked (const struct sf_client *c, uint32_t id);

/* Has it left so many fds unread that it gets no more of them, and no frame
 * that needs them? Those on their way count for the user, who may have only so
 * many. */
bool sf_client_is_fd_limited_locked (struct sf_client *c);

/* Sends one SEGMENT message. Lock held; dropped over the I/O. 1; 0: another
 * thread was at it, look again, or its disconnect is pending; -ETOOMANYREFS:
 * not sent, since the user has too many fds on their way. Who leaves most of
 * them unread is disconnected. */
int sf_client_send_segment (struct sf_client *c, uint32_t id);

/* To be called with what sf_send() of fds came to: as above. */
void sf_client_note_fds_locked (struct sf_client *c, unsigned n_fds, int r);

#endif
