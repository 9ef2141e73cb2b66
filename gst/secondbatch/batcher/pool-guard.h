/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy guard. A batcher holds a whole window of frames; an upstream pool
 * with fewer buffers than that would wait for ever for one to come back. A
 * guard counts what is out of one bounded pool because of the batcher - held in
 * open windows, or in lists of batches that are still alive - and says when the
 * next frame must be copied so that its buffer can go home.
 *
 * Reference counted and lock-free, because lists are freed in any thread.
 */
#ifndef SECOND_POOL_GUARD_H
#define SECOND_POOL_GUARD_H

#include <gst/gst.h>

typedef struct _SecondPoolGuard SecondPoolGuard;

/* NULL for an unbounded pool. granted: frames that the batcher had asked for */
SecondPoolGuard *second_pool_guard_new (GstBufferPool * pool, guint granted);
void second_pool_guard_unref (SecondPoolGuard * guard);

gboolean second_pool_guard_is_low (SecondPoolGuard * guard);

/* So many frames more or less are out, each time with a reference */
SecondPoolGuard *second_pool_guard_hold (SecondPoolGuard * guard, gint count);
void second_pool_guard_release (SecondPoolGuard * guard, gint count);

/* count frames are in this list for as long as it lives */
void second_pool_guard_follow_list (SecondPoolGuard * guard,
    GstBufferList * list, gint count);

#endif /* SECOND_POOL_GUARD_H */
