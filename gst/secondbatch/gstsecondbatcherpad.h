/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SECOND_BATCHER_PAD_H
#define GST_SECOND_BATCHER_PAD_H

#include <gst/base/gstaggregator.h>
#include "poolguard.h"

G_BEGIN_DECLS

/* What of a stream's format an event tells, in the order in which they come */
enum
{
  SECOND_TOLD_STREAM_START,
  SECOND_TOLD_CAPS,
  SECOND_TOLD_SEGMENT,
  SECOND_TOLD_LAST
};

/* How to read a frame; shared by the frames of a stream, never changed */
typedef struct
{
  GstCaps *caps;                /* NULL before the first CAPS */
  GstSegment segment;
  gchar *stream_id;             /* NULL before STREAM_START */
  gint fps_n, fps_d;            /* 0/1: variable or unknown */
  GstEvent *told[SECOND_TOLD_LAST];     /* for analytics elements */
} SecondFormat;

SecondFormat *second_format_new (const SecondFormat * base);
SecondFormat *second_format_ref (SecondFormat * format);
void second_format_unref (SecondFormat * format);
gboolean second_format_equal (const SecondFormat * a, const SecondFormat * b);
GstClockTime second_format_frame_duration (const SecondFormat * format);

/* A frame of an open window */
typedef struct
{
  GstBuffer *buffer;
  SecondFormat *format;
  SecondPoolGuard *guard;       /* NULL: its pool is not bounded */
  guint64 time;                 /* in the batcher's alignment */
  guint64 pos;                  /* time + tolerance: its place on the grid */
  gboolean delivered;           /* has been in a batch */
} SecondFrame;

/* An event in the middle of a stream */
typedef struct
{
  GstEvent *event;
  guint position;               /* among the held frames: before this one */
} SecondEvent;

void second_event_free (SecondEvent * event);

#define GST_TYPE_SECOND_BATCHER_PAD (gst_second_batcher_pad_get_type ())
G_DECLARE_FINAL_TYPE (GstSecondBatcherPad, gst_second_batcher_pad, GST,
    SECOND_BATCHER_PAD, GstAggregatorPad)

struct _GstSecondBatcherPad
{
  GstAggregatorPad parent;

  GstPadChainFunction queue_chain;      /* the base class's, set once */

  /* All below: the batcher's lock */
  GstClockTimeDiff ts_offset;

  SecondFormat *format;
  GArray *held;                 /* of SecondFrame, sorted by time */
  GstBuffer *last;              /* for fill=repeat-last only */
  GQueue events;                /* of SecondEvent */

  /* Events, queries and buffers inside the base class's queue. A frame may
   * overtake the queue only when there are none. */
  guint queued;
  guint queued_others;          /* of these, events and queries */
  GCond dequeued;               /* queued is 0, or past is set */

  gboolean past;                /* has shown that the open window is over */
  gboolean has_phase;
  guint64 phase;                /* position of some frame of the stream */
  GstClockTimeDiff shift;       /* running time minus time, latest frame */
  gboolean has_shift;
  GstClockTimeDiff reference;   /* reference time minus running time */
  gboolean has_reference;
  gboolean warned_reference;

  GstBufferPool *pool;          /* what guard is for, not a reference */
  SecondPoolGuard *guard;

  guint late, dropped;          /* since the last batch */
  guint64 total_frames, total_late, total_dropped, total_copied;
  guint64 total_contiguous, total_gathered;

  /* The source pad's task only */
  GstBufferPool *span_pool;     /* of rooms for a window's frames */
  gsize span_size;
  GPtrArray *sticky;            /* of GstEvent; what analytics elements got */
};

/* Releases what is held; the caller holds the batcher's lock. The frames are
 * moved to @trash, because freeing one may run code of upstream's pool. */
void second_batcher_pad_clear_locked (GstSecondBatcherPad * pad,
    GPtrArray * trash);
void second_batcher_pad_discard_locked (GstSecondBatcherPad * pad, guint n,
    GPtrArray * trash);
void second_batcher_pad_hold_locked (GstSecondBatcherPad * pad,
    const SecondFrame * frame);
SecondPoolGuard *second_batcher_pad_guard_locked (GstSecondBatcherPad * pad,
    GstBuffer * buffer, guint granted);
void second_batcher_pad_dequeued_locked (GstSecondBatcherPad * pad);
void second_batcher_pad_other_queued_locked (GstSecondBatcherPad * pad);
void second_batcher_pad_other_dequeued_locked (GstSecondBatcherPad * pad);
void second_batcher_pad_clear_span (GstSecondBatcherPad * pad);
guint second_batcher_pad_number (GstPad * pad);

G_END_DECLS

#endif /* GST_SECOND_BATCHER_PAD_H */
