/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the batcher share.
 *
 * Threads: each sink pad has a streaming thread, which leaves frames and events
 * in the base class's queue and nowhere else. The source pad's task reads them
 * from there in aggregate() and before each wait, closes windows and pushes.
 *
 * Lock order: base class's source lock, element's object lock, base class's pad
 * lock, pad's object lock, then `lock`. `lock` is a leaf: nothing is pushed,
 * queried, posted, freed or asked of the base class while it is held.
 */
#ifndef GST_SECOND_BATCHER_PRIV_H
#define GST_SECOND_BATCHER_PRIV_H

#include <gst/base/gstaggregator.h>
#include "batcher/timeline.h"

GST_DEBUG_CATEGORY_EXTERN (second_batcher_debug);
#define GST_CAT_DEFAULT second_batcher_debug

typedef enum
{
  SECOND_ALIGN_RUNNING_TIME,
  SECOND_ALIGN_CLOCK,
  SECOND_ALIGN_UTC,
  SECOND_ALIGN_REFERENCE_TIMESTAMP,
  SECOND_ALIGN_FIRST_FRAME
} SecondAlign;

typedef enum
{
  SECOND_INCOMPLETE_PUSH,
  SECOND_INCOMPLETE_DROP,
  SECOND_INCOMPLETE_WAIT
} SecondIncomplete;

typedef enum
{
  SECOND_LATE_DROP,
  SECOND_LATE_NEXT
} SecondLate;

typedef enum
{
  SECOND_FILL_REPEAT_LAST,
  SECOND_FILL_DROP_EXCESS,
  SECOND_FILL_ERROR
} SecondFill;

typedef enum
{
  SECOND_OUTPUT_META,
  SECOND_OUTPUT_MEMORY
} SecondOutput;

const gchar *second_align_nick (SecondAlign align);

/* The events that tell a stream's format, in the order in which they come */
typedef enum
{
  SECOND_FORMAT_STREAM_START,
  SECOND_FORMAT_CAPS,
  SECOND_FORMAT_SEGMENT,
  SECOND_FORMAT_EVENTS
} SecondFormatEvent;

/* How to read a frame; shared by the frames of a stream, never changed */
typedef struct
{
  guint number;                 /* of the stream's formats */
  GstEvent *events[SECOND_FORMAT_EVENTS];       /* NULL before they came */
  const gchar *stream_id;       /* of these events */
  GstCaps *caps;
  GstSegment segment;
  SecondRate rate;              /* of buffers */
} SecondFormat;

SecondFormat *second_format_new (const SecondFormat * base);
SecondFormat *second_format_ref (SecondFormat * format);
void second_format_unref (SecondFormat * format);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SecondFormat, second_format_unref);
void second_format_read (SecondFormat * format, GstEvent * event);
gboolean second_format_equal (const SecondFormat * a, const SecondFormat * b);
GstClockTime second_format_frame_duration (const SecondFormat * format);
SecondRate second_caps_get_rate (GstCaps * caps);

/* What is out of one bounded pool because of the batcher: pool-usage.c */
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

/* What a track holds, as the data of a SecondFrame */
typedef struct
{
  GstBuffer *buffer;
  SecondFormat *format;
  SecondPoolUsage *usage;       /* NULL: its pool is not bounded */
  gint64 shift;                 /* alignment's time minus running time */
} SecondHeld;

SecondHeld *second_held_new (GstBuffer * buffer, SecondFormat * format,
    gint64 shift);
void second_held_free (SecondHeld * held);

/* Collects what to free after unlocking: that may run upstream's code */
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
    SECOND_BATCHER_PAD, GstAggregatorPad);

struct _GstSecondBatcherPad
{
  GstAggregatorPad parent;

  /* Atomic. The last event or query in the queue, only to compare with; how
   * many were queued; how many when the task last looked for one, or 0 after
   * one came out */
  gpointer latest;
  gint n_items;
  gint looked_for;

  _Atomic gint64 ts_offset;

  /* Below: under the batcher's lock */
  gconstpointer clipped;        /* buffer at the queue's head; NULL: flushed */

  SecondFormat *format;         /* told last */
  SecondFormat *last_format;    /* as in `track`, or NULL */
  SecondTrack track;
  GQueue events;                /* of SecondEvent */
  SecondHeld *last;             /* for fill=repeat-last only */

  gint64 reference;             /* reference time minus running time */
  gboolean has_reference;

  GstBufferPool *pool;          /* whose usage it is, not a reference */
  SecondPoolUsage *usage;

  guint64 total_copied, total_contiguous, total_gathered;

  /* The source pad's task only */
  gboolean lacks_reference;     /* a frame had none, and none before it */
  gboolean warned_reference;
  GstBufferPool *span_pool;     /* of buffers for a window's frames */
  gsize span_size;
  GPtrArray *sticky;            /* of GstEvent; sent to analytics elements */
};

void second_pad_clear_locked (GstSecondBatcherPad * pad, GPtrArray * trash);
SecondPoolUsage *second_pad_add_usage_locked (GstSecondBatcherPad *
    pad, GstBuffer * buffer, guint granted);
SecondFormat *second_pad_change_format_locked (GstSecondBatcherPad *
    pad, SecondFormat * format);
void second_pad_clear_span (GstSecondBatcherPad * pad);
guint second_pad_number (GstPad * pad);

#define GST_TYPE_SECOND_BATCHER (gst_second_batcher_get_type ())
G_DECLARE_FINAL_TYPE (GstSecondBatcher, gst_second_batcher, GST,
    SECOND_BATCHER, GstAggregator);

#define GST_SECOND_BATCHER_PARENT_CLASS \
    GST_AGGREGATOR_CLASS (g_type_class_peek (GST_TYPE_AGGREGATOR))

struct _GstSecondBatcher
{
  GstAggregator parent;

  GMutex lock;

  /* Properties, under lock */
  GstClockTime batch_duration;
  GstClockTime hop;
  SecondAlign align;
  SecondIncomplete incomplete;
  SecondLate late;
  gint64 boundary_tolerance;    /* -1: auto */
  guint frames;
  SecondFill fill;
  SecondOutput output;
  gboolean post_messages;
  GstClockTime latency;         /* NONE: auto */

  /* State, under lock */
  gboolean running;             /* between start() and stop() */
  SecondTimeline timeline;      /* of `pads`; its grid is set at start */
  gint64 clock_offset;          /* what the alignment adds to running time */
  gboolean has_clock_offset;
  gint64 shift;                 /* that, for the latest window */
  GstClockTime pts;             /* of the latest batch */
  guint64 batches, incomplete_batches, dropped_windows, skipped_windows;
  guint64 gaps, missing_data;

  /* The source pad's task only */
  GPtrArray *pads;              /* of GstSecondBatcherPad, by number */
  guint32 pads_cookie;
  GstCaps *out_caps;            /* also read by negotiation, same thread */
  gboolean caps_changed;        /* of out_caps, since they were negotiated */
  gboolean pushed;              /* stream-start and segment are out */
  GstClockTime live_latency;    /* upstream's and ours; NONE: not live */
  gint64 awaited;               /* deadline that the base class waits for */
  const struct _SecondBatch *selected;  /* during selected_samples() */
};

/* Locks the mutex up to the end of the block */
#define SECOND_LOCK_BLOCK(mutex) G_GNUC_UNUSED g_autoptr (GMutexLocker) \
    locker = g_mutex_locker_new (mutex)

/* What a batch has of one stream */
typedef struct
{
  GstSecondBatcherPad *pad;
  GstBufferList *list;
  SecondFormat *format;
  GQueue events;                /* of SecondEvent; positions in the list */
  guint frames, expected, late, dropped;

  /* Set by second_batcher_span() */
  gboolean contiguous;
  guint64 stride;               /* valid if contiguous */
  GstMemory *memory;            /* all frames; NULL unless output=memory */
  guint gathered;               /* frames copied for that */
} SecondStreamWindow;

typedef struct _SecondBatch
{
  guint64 index;
  guint64 start, end;           /* in the alignment */
  GstClockTime pts, duration;   /* running time */
  SecondAlign align;
  GArray *streams;              /* of SecondStreamWindow, in pad order */
  gint wrong_stream;            /* the one fill=error does not accept, or -1 */
  gboolean post_message;
  SecondOutput output;
} SecondBatch;

static inline SecondStreamWindow *
second_batch_stream (const SecondBatch * batch, guint i)
{
  return &g_array_index (batch->streams, SecondStreamWindow, i);
}

/* batcher/pad.c */
/* A serialized event or query is about to be queued */
void second_pad_note_item (GstSecondBatcherPad * pad, gpointer item);
GPtrArray *second_batcher_pads (GstSecondBatcher * self);
/* Replaces held frames by copies, so that their buffers return to their pool:
 * all frames, or the oldest ones while the pool's usage is high */
void second_batcher_copy_frames (GstSecondBatcher * self,
    GstSecondBatcherPad * pad, gboolean all);

/* batcher/time.c */
typedef struct
{
  gint64 time;                  /* in the alignment */
  guint64 tolerance;
  gint64 shift;                 /* what the alignment adds to running time */
} SecondPlace;

void second_batcher_update_clock (GstSecondBatcher * self);
/* Finds where a frame begins, or a gap ends. FALSE if it lies outside its
 * segment, or is a gap that says nothing. */
gboolean second_batcher_place_locked (GstSecondBatcher * self,
    GstSecondBatcherPad * pad, GstBuffer * buffer, SecondPlace * place);
gint64 second_batcher_deadline_locked (const GstSecondBatcher * self,
    GPtrArray * pads);
gboolean second_is_gap (GstBuffer * buffer);

/* batcher/read.c */
GstBuffer *second_batcher_clip (GstAggregator * agg,
    GstAggregatorPad * pad, GstBuffer * buffer);
GstSecondBatcherPad *second_batcher_read (GstSecondBatcher * self,
    GPtrArray * pads);

/* batcher/batch.c */
/* Closes the open window and adds its batches to `batches`; a dropped window
 * adds none. Returns TRUE if it skipped this window and those behind it, since
 * no stream has a frame in them; `hole` is then their running time. */
gboolean second_batcher_close_locked (GstSecondBatcher * self,
    GPtrArray * pads, GPtrArray * batches, SecondPart * hole,
    GPtrArray * trash);
void second_batch_free (SecondBatch * batch);

/* batcher/span.c */
gboolean second_batcher_span (GstSecondBatcher * self, SecondBatch * batch);

#ifdef HAVE_GST_ANALYTICS
#define SECOND_ANALYTICS_CAPS_NAME "multistream/x-analytics-batch"

/* batcher/analytics.c */
void second_batcher_offer_analytics (GstCaps * caps);
gboolean second_batcher_wants_analytics (GstSecondBatcher * self);
GstCaps *second_batcher_keep_caps (GstSecondBatcher * self, GstCaps * filter);
GstCaps *second_batcher_wanted_caps (GstSecondBatcher * self, GstPad * pad);
void second_batcher_add_analytics (GstBuffer * buffer,
    const SecondBatch * batch);
#endif

/* Each adds its functions to the class */
void second_batcher_init_output (GstAggregatorClass * klass);
void second_batcher_init_events (GstAggregatorClass * klass);
void second_batcher_init_queries (GstAggregatorClass * klass);

/* batcher/query.c */
guint second_batcher_frames_to_hold_locked (GstSecondBatcher * self,
    SecondRate rate);
void second_batcher_update_live (GstSecondBatcher * self);
void second_batcher_ask_live (GstSecondBatcher * self);
void second_batcher_apply_latency (GstSecondBatcher * self);

/* batcher/properties.c */
void second_batcher_install_properties (GObjectClass * klass);

#endif /* GST_SECOND_BATCHER_PRIV_H */
