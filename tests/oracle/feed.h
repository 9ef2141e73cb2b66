/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the feeds of secondbatcher share: from words to frames and events, and from
 * batches to lines. The words are described in batchfeed.c. */
#ifndef FEED_H
#define FEED_H

#include <gst/gst.h>

/* Data of a source pad: its latency in ms and one, if it is live */
#define FEED_LATENCY "feed-latency"

gint64 feed_number (const gchar * text);
gint feed_width (GstCaps * caps);
void feed_print_batch (GstBuffer * batch);
void feed_print_stats (GstElement * batcher);
guint64 feed_get_stat (GstElement * batcher, const gchar * name);

GstBuffer *feed_make_frame (gchar ** step);
GstEvent *feed_make_event (gchar ** step);
void feed_push_flush (GstPad * src, gboolean start, guint32 seqnum);
gboolean feed_answer_query (GstPad * pad, GstObject * parent,
    GstQuery * query);

#endif /* FEED_H */
