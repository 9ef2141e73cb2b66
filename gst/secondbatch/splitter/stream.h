/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One stream on its way out of secondsplitter. Sink pad's streaming thread. */
#ifndef SPLIT_STREAM_H
#define SPLIT_STREAM_H

#include <gst/base/gstflowcombiner.h>
#include <gst/gst.h>

typedef struct
{
  GstPad *pad;                  /* NULL until the stream's caps are known */
  gchar *stream_id;
  GstCaps *caps;
  GstSegment segment;
  gboolean started, has_segment;        /* those events are out */
  GQueue events;                /* of GstEvent, wrapped by the batcher */
  guint late, dropped;          /* to be told */
  GArray *sent, *sent_before;   /* of SplitFrame: this window, the last one */

  /* during one batch */
  GstBufferList *list;
  GByteArray *again;            /* per frame: an overlapping batch had it */
  guint next;
} SplitStream;

SplitStream *split_stream_new (void);
void split_stream_free (SplitStream * stream);
void split_stream_flush (SplitStream * stream);

/* The next batch is another window, which begins before the last one ended */
void split_stream_next_window (SplitStream * stream, gboolean overlaps);

/* Reads stream k of a batch; FALSE if there is nothing new to be told: it has
 * not said what it is, or an overlapping batch had all of its frames */
gboolean split_stream_read (SplitStream * stream, GstBuffer * batch, guint k);
/* From here on, nothing happens to a stream that has no pad yet */
void split_stream_push_headers (SplitStream * stream, guint group_id);
void split_stream_push_counts (SplitStream * stream);

/* Running time of the next frame that no earlier batch had. FALSE if none. */
gboolean split_stream_peek (SplitStream * stream, gint64 * time);
GstFlowReturn split_stream_push_next (SplitStream * stream);
/* Before the frames of a batch, and after them */
void split_stream_begin (SplitStream * stream, GstBuffer * batch);
void split_stream_finish (SplitStream * stream);
void split_stream_push_gap (SplitStream * stream, GstClockTime running_time,
    GstClockTime duration);

#endif /* SPLIT_STREAM_H */
