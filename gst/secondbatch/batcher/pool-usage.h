/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts what is out of one bounded pool because of the batcher: held in open
 * windows, or in lists of batches that are still alive. An upstream pool with
 * fewer buffers than a window has would wait for ever for one to come back, so
 * that frames are copied, and their buffers go home, while the usage is high.
 *
 * Reference counted and lock-free, because lists are freed in any thread.
 */
#ifndef SECOND_POOL_USAGE_H
#define SECOND_POOL_USAGE_H

#include <gst/gst.h>

typedef struct _SecondPoolUsage SecondPoolUsage;

/* NULL for an unbounded pool. granted: frames that the batcher had asked for */
SecondPoolUsage *second_pool_usage_new (GstBufferPool * pool, guint granted);
void second_pool_usage_unref (SecondPoolUsage * usage);

gboolean second_pool_usage_is_high (SecondPoolUsage * usage);

/* One frame more or less is out; with a reference */
SecondPoolUsage *second_pool_usage_add (SecondPoolUsage * usage);
void second_pool_usage_remove (SecondPoolUsage * usage);
/* One frame more is out for as long as this list lives */
void second_pool_usage_follow_list (SecondPoolUsage * usage,
    GstBufferList * list);

#endif /* SECOND_POOL_USAGE_H */
