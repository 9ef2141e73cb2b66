/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SECOND_BATCHER_PAD_H
#define GST_SECOND_BATCHER_PAD_H

#include <gst/base/gstaggregator.h>
#include "poolguard.h"
#include "timeline.h"

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
  guint number;                 /* of the stream's formats */
  GstCaps *caps;                /* NULL before the first CAPS */
  GstSegment segment;
  gchar *stream_id;             /* NULL before STREAM_START */
  gint fps_n, fps_d;            /* buffers per second; 0/1: variable, unknown */
  gint run_fps_n, run_fps_d;    /* the same in running time */
  GstEvent *told[SECOND_TOLD_LAST];     /* for analytics elements */
} SecondFormat;

SecondFormat *second_format_new (const SecondFormat * base);
SecondFormat *second_format_ref (SecondFormat * format);
void second_format_unref (SecondFormat * format);
void second_format_read (SecondFormat * format, GstEvent * event);
gboolean second_format_equal (const SecondFormat * a, const SecondFormat * b);
GstClockTime second_format_frame_duration (const SecondFormat * format);
void second_caps_get_rate (GstCaps * caps, gint * fps_n, gint * fps_d);

/* A frame of an open window, as the data of a SecondFrame */
typedef struct
{
  GstBuffer *buffer;
  SecondFormat *format;
  SecondPoolGuard *guard;       /* NULL: its pool is not bounded */
  gint64 shift;                 /* alignment's time minus running time */
} SecondHeld;

void second_held_free (SecondHeld * held);

/* What must not be freed with a lock held, since that may run upstream's code */
GPtrArray *second_trash_new (void);

/* An event in the middle of a stream */
typedef struct
{
  GstEvent *event;
  guint64 seq;                  /* of the frame that follows */
  guint format;
  guint position;               /* in the batch: before this frame */
} SecondEvent;

void second_event_free (SecondEvent * event);

#define GST_TYPE_SECOND_BATCHER_PAD (gst_second_batcher_pad_get_type ())
G_DECLARE_FINAL_TYPE (GstSecondBatcherPad, gst_second_batcher_pad, GST,
    SECOND_BATCHER_PAD, GstAggregatorPad)

struct _GstSecondBatcherPad
{
  GstAggregatorPad parent;

  /* The latest event or query that has not come out of the queue yet, to be
   * compared only; atomic */
  gpointer latest;

  /* All below: the batcher's lock */
  GstClockTimeDiff ts_offset;

  SecondFormat *format;         /* told last */
  SecondFormat *last_format;    /* of the latest frame, or NULL */
  SecondTrack track;
  GQueue events;                /* of SecondEvent */
  SecondHeld *last;             /* for fill=repeat-last only */

  gint64 reference;             /* reference time minus running time */
  gboolean has_reference;
  gboolean lacks_reference;     /* a frame had none, and none before it */
  gboolean warned_reference;

  GstBufferPool *pool;          /* what guard is for, not a reference */
  SecondPoolGuard *guard;

  guint64 total_copied, total_contiguous, total_gathered;

  /* The source pad's task only */
  GstBufferPool *span_pool;     /* of rooms for a window's frames */
  gsize span_size;
  GPtrArray *sticky;            /* of GstEvent; what analytics elements got */
};

void second_batcher_pad_clear_locked (GstSecondBatcherPad * pad,
    GPtrArray * trash);
SecondPoolGuard *second_batcher_pad_guard_locked (GstSecondBatcherPad * pad,
    GstBuffer * buffer, guint granted);
void second_batcher_pad_change_format_locked (GstSecondBatcherPad * pad,
    SecondFormat * format);
void second_batcher_pad_clear_span (GstSecondBatcherPad * pad);
guint second_batcher_pad_number (GstPad * pad);

#endif /* GST_SECOND_BATCHER_PAD_H */
