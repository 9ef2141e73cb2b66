/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the batcher share.
 *
 * Threads: each sink pad has a streaming thread; the source pad's task calls
 * aggregate(). A frame of the open window goes from its streaming thread
 * straight into the pad's list (gstsecondbatchertake.c) without waking anybody;
 * only a frame past the window, or one behind a queued event, goes through the
 * base class's queue and wakes the task, whose next stop is get_next_time().
 *
 * Lock order: base class's source lock, element's object lock, base class's pad
 * lock, pad's object lock, then `lock`. `lock` is a leaf: nothing is pushed,
 * queried, posted, freed or asked of the base class while it is held.
 */
#ifndef GST_SECOND_BATCHER_PRIV_H
#define GST_SECOND_BATCHER_PRIV_H

#include "gstsecondbatcher.h"
#include "gstsecondbatcherpad.h"
#include "window.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (second_batcher_debug);

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

GType second_align_get_type (void);
GType second_incomplete_get_type (void);
GType second_late_get_type (void);
GType second_fill_get_type (void);
GType second_output_get_type (void);

struct _GstSecondBatcher
{
  GstAggregator parent;

  GMutex lock;

  /* Properties, under lock */
  SecondGrid grid;              /* in use; set from the next two at start */
  GstClockTime batch_duration;
  GstClockTime hop;
  SecondAlign align;
  SecondIncomplete incomplete;
  SecondLate late;
  GstClockTime boundary_tolerance;
  guint frames;
  SecondFill fill;
  SecondOutput output;
  gboolean post_messages;
  GstClockTime latency;

  /* State, under lock */
  gboolean running;             /* between start() and stop() */
  gboolean open;                /* window `index` is open */
  gboolean started;             /* a batch was cut: windows only go forward */
  guint64 index;
  guint64 cut;                  /* start of what is left of the window */
  gboolean lacking;             /* some stream has no frame in the window */
  gboolean anchored;            /* align=first-frame has its zero */
  GstClockTimeDiff clock_offset;        /* time = running time + this */
  gboolean live;
  GstFlowReturn flow;           /* last result of aggregate() */
  guint64 batches, incomplete_batches, dropped_windows, skipped_windows;
  guint64 gaps, missing_data;

  /* The source pad's task only */
  GPtrArray *pads;              /* of GstSecondBatcherPad, by number */
  guint32 pads_cookie;
  GstCaps *out_caps;            /* also read by negotiation, same thread */
  gboolean caps_changed;        /* of out_caps, since they were negotiated */
  gboolean need_segment;
  gboolean pushed;              /* stream-start and segment are out */
  const struct _SecondBatch *selected;  /* during selected_samples() */
};

/* One stream's share of one batch */
typedef struct
{
  GstSecondBatcherPad *pad;
  GstBufferList *list;
  SecondFormat *format;         /* NULL: nothing known of the stream yet */
  GQueue events;                /* of SecondEvent; positions in the list */
  guint frames, expected, late, dropped;

  /* Set by second_batcher_span() */
  gboolean contiguous;
  guint64 stride;               /* valid if contiguous */
  GstMemory *memory;            /* all frames; NULL unless output=memory */
  guint gathered;               /* frames copied for that */
} SecondShare;

typedef struct _SecondBatch
{
  guint64 index;
  guint64 start, end;           /* in the alignment */
  GstClockTime pts, duration;   /* running time */
  SecondAlign align;
  GArray *shares;               /* of SecondShare, in pad order */
  gint wrong_share;             /* fill=error does not accept this one, or -1 */
  gboolean post_message;
  SecondOutput output;
} SecondBatch;

/* gstsecondbatcher.c */
GPtrArray *second_batcher_pads (GstSecondBatcher * self);

/* gstsecondbatchertime.c */
void second_batcher_update_clock (GstSecondBatcher * self);
gboolean second_batcher_map_time_locked (GstSecondBatcher * self,
    GstSecondBatcherPad * pad, GstBuffer * buffer, gint64 * time);
GstClockTime second_batcher_running_time_locked (GstSecondBatcher * self,
    guint64 time);
GstClockTime second_batcher_get_next_time (GstAggregator * agg);
gboolean second_batcher_is_clipped (const SecondFormat * format,
    GstBuffer * buffer);
gboolean second_batcher_is_gap (GstBuffer * buffer);

/* gstsecondbatchertake.c */
typedef enum
{
  SECOND_TAKE_DONE,             /* held, or counted and to be dropped */
  SECOND_TAKE_COPY,             /* the pool is low: offer a copy instead */
  SECOND_TAKE_PAST,             /* belongs to a later window */
  SECOND_TAKE_NO_TIME           /* cannot be placed in time */
} SecondTake;

GstFlowReturn second_batcher_pad_chain (GstPad * pad, GstObject * parent,
    GstBuffer * buffer);
GstFlowReturn second_batcher_take_queued (GstSecondBatcher * self,
    GPtrArray * pads);
void second_batcher_open (GstSecondBatcher * self, guint64 pos, gint64 time);
gboolean second_batcher_is_open (GstSecondBatcher * self);
void second_batcher_drain (GstSecondBatcher * self, GPtrArray * pads);
gboolean second_batcher_first_position (GstSecondBatcher * self,
    GPtrArray * pads, guint64 * pos, gint64 * first_time);

/* gstsecondbatcherwindow.c */
GstFlowReturn second_batcher_aggregate (GstAggregator * agg, gboolean timeout);

/* gstsecondbatchercut.c */
SecondBatch *second_batcher_cut_locked (GstSecondBatcher * self,
    GPtrArray * pads, GPtrArray * trash);
void second_batch_free (SecondBatch * batch);

/* gstsecondbatcherspan.c */
gboolean second_batcher_span (GstSecondBatcher * self, SecondBatch * batch);

#ifdef HAVE_GST_ANALYTICS
#define SECOND_ANALYTICS_CAPS_NAME "multistream/x-analytics-batch"

/* gstsecondbatcheranalytics.c */
void second_batcher_offer_analytics (GstCaps * caps);
gboolean second_batcher_wants_analytics (GstSecondBatcher * self);
GstCaps *second_batcher_keep_caps (GstSecondBatcher * self, GstCaps * filter);
GstCaps *second_batcher_wanted_caps (GstSecondBatcher * self, GstPad * pad);
void second_batcher_add_analytics (GstBuffer * buffer,
    const SecondBatch * batch);
#endif

/* gstsecondbatcheroutput.c */
GstFlowReturn second_batcher_push (GstSecondBatcher * self,
    SecondBatch * batch);
void second_batcher_push_gap (GstSecondBatcher * self, GstClockTime pts,
    GstClockTime duration);
GstFlowReturn second_batcher_update_src_caps (GstAggregator * agg,
    GstCaps * filter, GstCaps ** caps);
GstSample *second_batcher_peek_next_sample (GstAggregator * agg,
    GstAggregatorPad * pad);

/* gstsecondbatcherevent.c */
GstFlowReturn second_batcher_sink_event_pre_queue (GstAggregator * agg,
    GstAggregatorPad * pad, GstEvent * event);
gboolean second_batcher_sink_event (GstAggregator * agg,
    GstAggregatorPad * pad, GstEvent * event);
gboolean second_batcher_src_event (GstAggregator * agg, GstEvent * event);
void second_batcher_wake_later (GstSecondBatcher * self,
    GstSecondBatcherPad * pad);

/* gstsecondbatcherquery.c */
gboolean second_batcher_sink_query_pre_queue (GstAggregator * agg,
    GstAggregatorPad * pad, GstQuery * query);
gboolean second_batcher_sink_query (GstAggregator * agg,
    GstAggregatorPad * pad, GstQuery * query);
gboolean second_batcher_propose_allocation (GstAggregator * agg,
    GstAggregatorPad * pad, GstQuery * decide, GstQuery * query);
gboolean second_batcher_decide_allocation (GstAggregator * agg,
    GstQuery * query);
void second_batcher_update_latency (GstSecondBatcher * self);
void second_batcher_apply_latency (GstSecondBatcher * self);

/* gstsecondbatcherprops.c */
void second_batcher_install_properties (GObjectClass * klass);
void second_batcher_init_properties (GstSecondBatcher * self);
GstStructure *second_batcher_get_stats (GstSecondBatcher * self);

GstAggregatorClass *second_batcher_parent_class (void);

G_END_DECLS

#endif /* GST_SECOND_BATCHER_PRIV_H */
