/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SHM_FRAME_SRC_H
#define GST_SHM_FRAME_SRC_H

#include <gst/base/gstpushsrc.h>

#include "consumer/consumer.h"
#include "common/clock.h"
#include "common/enums.h"
#include "common/messages.h"
#include "wire/wire.h"

G_BEGIN_DECLS

#define GST_TYPE_SHM_FRAME_SRC (gst_shm_frame_src_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFrameSrc, gst_shm_frame_src, GST,
    SHM_FRAME_SRC, GstPushSrc);
GST_ELEMENT_REGISTER_DECLARE (shmframesrc);

/* Buckets of hand-over latencies, four to an octave, from 1 us to about 16 s:
 * exact to 20 %. */
#define GST_SHM_FRAME_N_BUCKETS 96

/* The properties. Object lock. All but `on_disconnect` and `on_eos` are read
 * once, on the way to PAUSED. */
typedef struct
{
  gchar *socket_path;
  GstShmFrameDelivery delivery;
  GstShmFrameTimestamps timestamps;
  gint64 connect_timeout;       /* ns; -1: for good */
  GstShmFrameDisconnect on_disconnect;
  GstShmFrameEos on_eos;
  guint max_held;               /* 0: what downstream needs */
  guint64 max_lag, spin;        /* ns */
} GstShmFrameSrcSettings;

/* What `stats` counts since the start. Object lock. */
typedef struct
{
  guint64 frames;
  guint64 bytes;
  guint64 discont;              /* times that frames were lost in between */
  guint64 before;               /* frames from before the pipeline played */
  guint64 connections;
  guint64 handover_max;         /* ns */
  guint64 fields_dropped, metas_dropped, events_dropped;        /* names */
  guint64 buckets[GST_SHM_FRAME_N_BUCKETS];
} GstShmFrameSrcCounts;

/* What queries and the application see. Object lock. */
typedef struct
{
  struct sf_latency latency;    /* the producer's */
  guint64 position;             /* PTS of the last frame */
  gboolean connected;
  GstEvent *requested_eos;      /* by the application, since PAUSED */
} GstShmFrameSrcStatus;

/* Resolved from the settings on the way to PAUSED, then constant. */
typedef struct
{
  gchar *path;                  /* socket-path */
  gboolean grow;                /* max-held is 0: ask for more when needed */
  gboolean keep_times;          /* timestamps=keep, given or by is-live */
} GstShmFrameSrcSession;

/* Flushes of the producer, sent downstream by a thread of GStreamer's pool. */
typedef struct
{
  gboolean started;             /* state lock: no FLUSH_STOP yet */
  gint scheduled;               /* atomic: a thread is on its way */
} GstShmFrameSrcFlush;

/* The stream at hand. Streaming thread. */
typedef struct
{
  gboolean discont;             /* the next frame gets DISCONT ... */
  gboolean frames_lost;         /* ... since some before it were lost */
  gboolean has_started, has_caps;       /* those events have come */
  gboolean segment_sent;        /* before the base class did */
  gboolean pushing_own;         /* an event of ours, not the base class's */
  gboolean failed;              /* create() posted an error */
  guint group, own_group;       /* group ids: the producer's, and ours for it */
  guint64 latency_min, latency_max;     /* as of the last LATENCY message */
  GstShmFrameBufferCache buffer_cache;
} GstShmFrameSrcStream;

/* Of which events another one is the consequence. Streaming thread. */
typedef struct
{
  guint32 eos;                  /* for the EOS that create() asks for */
  guint32 segment;              /* the producer's last SEGMENT */
  guint32 own_segment;          /* the one that went downstream */
} GstShmFrameSrcSeqnums;

/* Times with timestamps=clock. Streaming thread. */
typedef struct
{
  GstShmFrameClock clock;
  GstSegment producer_segment;  /* no format: not known (yet) */
  guint64 last_pts;             /* PTS never runs backwards, as long as ... */
  GstClockTime base_time;       /* ... this stays */
  gboolean is_before;           /* downstream has the segment `before` now: */
  GstSegment before;            /* for frames from before the pipeline played */
} GstShmFrameSrcTimes;

/* Sticky events that pads downstream keep. Streaming thread. */
typedef struct
{
  GHashTable *sizes;            /* by name, in bytes */
  guint64 bytes;                /* in all */
} GstShmFrameSrcSticky;

/* What was reported, so that it is not repeated. Streaming thread. */
typedef struct
{
  GstShmFrameQuota messages, warnings;
  gboolean names;               /* this connection brings too many */
  gboolean idle_appsink;        /* one keeps all it gets */
  gboolean at_limit;            /* as many frames are held as may be ... */
  gint64 limit_left;            /* ... and until when before (us); 0: never */
} GstShmFrameSrcReported;

/* Looks for an application that does not pull. The clock's thread, but: */
typedef struct
{
  GstClockID id;                /* set between READY and PAUSED */
  sf_atomic_u32 pushing;        /* streaming thread: is a frame downstream? */
  guint64 frames;               /* received, at the last look */
  guint n_stuck;                /* looks in a row at the same frame */
  GstShmFrameQuota quota;
} GstShmFrameSrcWatch;

/* Lock order: docs/internals/locking.md. consumer_lock keeps the consumer from
 * being closed under whoever reads its figures or interrupts it; the streaming
 * thread uses it without, since it ends before the consumer is closed. */
struct _GstShmFrameSrc
{
  GstPushSrc parent;

  GstShmFrameSrcSettings settings;
  GstShmFrameSrcCounts counts;
  GstShmFrameSrcStatus status;

  GRWLock consumer_lock;
  struct sf_consumer *consumer;

  GstShmFrameSrcSession session;
  GstShmFrameSrcFlush flush;
  GstShmFrameSrcStream stream;
  GstShmFrameSrcSeqnums seqnums;
  GstShmFrameSrcTimes times;
  GstShmFrameNames names;       /* this connection's; streaming thread */
  GstShmFrameSrcSticky sticky;
  GstShmFrameSrcReported reported;
  GstShmFrameSrcWatch watch;
};

/* src/properties.c */
void gst_shm_frame_src_install_properties (GObjectClass * klass);
void gst_shm_frame_src_init_properties (GstShmFrameSrc * self);

/* src/receive.c */
GstFlowReturn gst_shm_frame_src_create (GstPushSrc * src, GstBuffer ** buffer);

/* src/sticky.c */
/* FALSE, and counted, if with this event, of so many bytes, pads would keep too
 * much. */
gboolean gst_shm_frame_src_admit_sticky (GstShmFrameSrc * self,
    GstEvent * event, guint32 size);
void gst_shm_frame_src_forget_sticky (GstShmFrameSrc * self);

/* src/downstream.c: the elements behind */
/* (transfer full): the name of an appsink at their end, or NULL. */
gchar *gst_shm_frame_src_find_appsink (GstShmFrameSrc * self);
/* (transfer full): who seems to hold frames, for a sentence. */
gchar *gst_shm_frame_src_find_holders (GstShmFrameSrc * self);
/* (transfer full) for both: replaces the base class's error, which says that
 * the stream stopped, by one that says why, and what to do; NULL if that was
 * posted before. Returns other messages as they are. */
GstMessage *gst_shm_frame_src_explain_error (GstShmFrameSrc * self,
    GstMessage * message);

/* src/messages.c: reports on the producer; streaming thread */
void gst_shm_frame_src_report_connected (GstShmFrameSrc * self,
    const struct sf_received *in);
/* Counts what was left out since the last time because a name was refused. */
void gst_shm_frame_src_report_names (GstShmFrameSrc * self);
/* Returns what to do now: reconnect (GST_FLOW_CUSTOM_SUCCESS), EOS, or
 * GST_FLOW_ERROR: an error was posted. */
GstFlowReturn gst_shm_frame_src_report_disconnected (GstShmFrameSrc * self,
    const struct sf_received *in);
/* Posts the error of SF_RECEIVED_FAILED. */
void gst_shm_frame_src_report_failed (GstShmFrameSrc * self,
    const struct sf_received *in);
void gst_shm_frame_src_report_waiting (GstShmFrameSrc * self,
    const struct sf_reject *why);
void gst_shm_frame_src_report_at_limit (GstShmFrameSrc * self);
/* Warns if an appsink keeps nearly all of so many frames. */
void gst_shm_frame_src_report_unread (GstShmFrameSrc * self, guint64 frames);
/* Warns that downstream asks for more frames than it may hold. */
void gst_shm_frame_src_report_low_max_held (GstShmFrameSrc * self, guint asked,
    guint max_held);
/* To be called when the element has disconnected, if it was connected. */
void gst_shm_frame_src_report_stopped (GstShmFrameSrc * self);

/* src/times.c: streaming thread */
/* Pushes an event of a type that is dropped if it comes from the base class. */
void gst_shm_frame_src_push_own (GstShmFrameSrc * self, GstEvent * event);
gboolean gst_shm_frame_src_has_segment (GstShmFrameSrc * self);
/* Gives the frame times of our pipeline. FALSE: it lies outside the producer's
 * segment. */
gboolean gst_shm_frame_src_translate (GstShmFrameSrc * self,
    GstBuffer * buffer, const GstShmFrameStamp * stamp,
    const struct sf_received *in);
/* (transfer full): NULL if it is all from before our pipeline played. */
GstEvent *gst_shm_frame_src_translate_gap (GstShmFrameSrc * self,
    GstEvent * event, guint64 capture_time);

/* src/uri.c: the GstURIHandler */
void gst_shm_frame_src_init_uri (gpointer iface, gpointer data);

/* src/watch.c: starts or stops the watch */
void gst_shm_frame_src_watch (GstShmFrameSrc * self, gboolean on);

/* src/flush.c */
/* sf_consumer_config.flush */
void gst_shm_frame_src_on_flush (void *user);
gboolean gst_shm_frame_src_send_event (GstElement * element, GstEvent * event);

/* src/stats.c */
void gst_shm_frame_src_count_frame (GstShmFrameSrc * self,
    const GstShmFrameStamp * stamp, const struct sf_received *in,
    GstBuffer * buffer);
GstStructure *gst_shm_frame_src_get_stats (GstShmFrameSrc * self);

/* src/query.c */
gboolean gst_shm_frame_src_query (GstBaseSrc * src, GstQuery * query);
gboolean gst_shm_frame_src_event (GstBaseSrc * src, GstEvent * event);
/* To be called when no producer is known (yet). */
void gst_shm_frame_src_reset_latency (GstShmFrameSrc * self);
/* Sets the producer's latency; NULL: as before, but the caps changed. Posts a
 * message if our own latency is another one now. */
void gst_shm_frame_src_set_latency (GstShmFrameSrc * self,
    const struct sf_latency *latency);

/* The class above ours, for functions that chain up. */
#define GST_SHM_FRAME_SRC_PARENT_CLASS (g_type_class_peek (GST_TYPE_PUSH_SRC))

GST_DEBUG_CATEGORY_EXTERN (gst_shm_frame_src_debug);

G_END_DECLS

#endif
