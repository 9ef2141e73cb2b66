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
  GstClockTime last;            /* running time of the last frame out */
  GQueue events;                /* of GstEvent, wrapped by the batcher */

  /* during one batch */
  GstBufferList *list;
  guint next;
} SplitStream;

SplitStream *split_stream_new (void);
void split_stream_free (SplitStream * stream);
void split_stream_flush (SplitStream * stream);

/* Reads stream k of a batch; FALSE if it has not said what it is */
gboolean split_stream_read (SplitStream * stream, GstBuffer * batch, guint k);
void split_stream_push_headers (SplitStream * stream, guint group_id);

/* Running time of the next frame, or NONE. With skip, frames that an earlier,
 * overlapping batch had are left out. */
GstClockTime split_stream_peek (SplitStream * stream, gboolean skip);
GstFlowReturn split_stream_push_next (SplitStream * stream);
/* Before the frames of a batch, and after them */
void split_stream_begin (SplitStream * stream, GstBuffer * batch);
void split_stream_finish (SplitStream * stream);
void split_stream_push_gap (SplitStream * stream, GstClockTime running_time,
    GstClockTime duration);

#endif /* SPLIT_STREAM_H */
