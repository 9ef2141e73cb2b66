/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SF_FRAME_H
#define SF_FRAME_H

#include "producer/producer-private.h"

void sf_frame_unref_locked (struct sf_producer *p, struct sf_frame *frame);

/* A sf_lease_done, `producer` being the user. */
void sf_frame_done_locked (void *frame, void *producer);

/* Drops the lock, wakes the control thread if asked to, and releases the frames
 * that are done. */
void sf_producer_unlock (struct sf_producer *p);

void sf_producer_forget_segments_locked (struct sf_producer *p);

struct sf_known_segment *sf_known_find_locked (struct sf_producer *p,
    uint32_t id);

/* Returns the entry of `segment`, made if it is new. NULL: out of memory. */
struct sf_known_segment *sf_known_add_locked (struct sf_producer *p,
    struct sf_segment *segment);

void sf_producer_drop_latest_locked (struct sf_producer *p);

void sf_producer_kick (struct sf_producer *p);

/* Adds the segment to those that the frame lies in. Returns its entry; NULL:
 * out of memory. */
struct sf_known_segment *sf_frame_note_segment_locked (struct sf_producer *p,
    struct sf_frame *frame, struct sf_segment *segment);

#endif
