/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_CLIENT_QUEUE_H
#define SF_CLIENT_QUEUE_H

#include "producer/producer-private.h"

/* Returns -EAGAIN if a lossless client has no room, else 0. A violation makes a
 * disconnect pending. */
int sf_client_room_locked (struct sf_client *c, uint32_t payload_size,
    bool frame);

/* `flags`: of the record; SF_RECORD_LOSSLESS is added. */
void sf_client_announce_locked (struct sf_client *c, struct sf_frame *frame,
    uint16_t flags);

/* `key`: SF_NO_KEY if the event is not sticky. */
void sf_client_event_locked (struct sf_client *c, uint64_t key,
    const void *body, uint32_t size);

/* Ends an overflow if the client has read all: sends the sticky events that it
 * lacks, and the latest frame, which it need not wait for. */
void sf_client_recover_locked (struct sf_client *c);

/* Sends all sticky events and the latest frame to a client that joins. */
void sf_client_catch_up_locked (struct sf_client *c);

/* Returns the id of a segment that the frame needs and the client lacks; 0:
 * none. */
uint32_t sf_client_missing_segment_locked (const struct sf_client *c,
    const struct sf_frame *frame);

bool sf_client_was_sent_locked (const struct sf_client *c, uint32_t id);

/* Tells whether so many fds are unread that this client gets no more of them,
 * and no frame that needs them. The kernel limits those in flight per user. */
bool sf_client_is_fd_limited_locked (struct sf_client *c);

/* Sends one SEGMENT message. The lock is dropped over the I/O. Returns 1; 0:
 * another thread was sending, or a disconnect is pending: look again;
 * -ETOOMANYREFS: not sent, the user has too many fds in flight, and the client
 * with most of them is disconnected. */
int sf_client_send_segment (struct sf_client *c, uint32_t id);

/* Counts fds in flight, by the result of sf_send(). */
void sf_client_note_fds_locked (struct sf_client *c, unsigned n_fds, int r);

#endif
