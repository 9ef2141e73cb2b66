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
    SHM_FRAME_SRC, GstPushSrc)
GST_ELEMENT_REGISTER_DECLARE (shmframesrc);

/* Hand-over latencies, in buckets, four to an octave, from 1 us to about 16 s:
 * quantiles are then within 20 %. */
#define GST_SHM_FRAME_N_BUCKETS 96

typedef struct
{
  guint64 frames;
  guint64 bytes;
  guint64 discont;              /* times that frames were lost in between */
  guint64 before;               /* frames from before the pipeline played */
  guint64 connections;
  guint64 handover_max;         /* ns */
  guint64 fields_dropped, metas_dropped, events_dropped;        /* names too many */
  guint64 buckets[GST_SHM_FRAME_N_BUCKETS];
} GstShmFrameSrcCounts;

/* Locks: the object lock for properties and counts; consumer_lock, so that who
 * reads figures or interrupts has a consumer that is not just being closed. */
struct _GstShmFrameSrc
{
  GstPushSrc parent;

  /* Object lock. */
  gchar *socket_path;
  GstShmFrameDelivery delivery;
  GstShmFrameTimestamps timestamps;
  gint64 connect_timeout;
  GstShmFrameDisconnect on_disconnect;
  GstShmFrameEos on_eos;
  guint max_held;
  guint64 max_lag;              /* ns */
  guint64 spin;
  GstShmFrameSrcCounts counts;
  struct sf_latency latency;    /* the producer's */
  guint64 position;             /* PTS of the last frame */
  gboolean connected;
  GstEvent *requested_eos;      /* by the application, since PAUSED */

  GRWLock consumer_lock;
  struct sf_consumer *consumer;

  /* State lock. */
  gboolean flush_sent;          /* FLUSH_START, and no FLUSH_STOP yet */

  gint flush_scheduled;         /* atomic */

  /* Streaming thread; set before it begins. */
  gchar *path;                  /* socket-path, of this connection */
  gboolean grow;                /* max-held was left to us */
  gboolean keep;                /* timestamps, resolved */
  gboolean discont;
  gboolean lost;                /* frames, before the next one */
  /* With timestamps=clock: */
  GstShmFrameClock clock;
  GstSegment theirs;            /* the producer's; no format: not known (yet) */
  guint64 last_pts;             /* PTS never runs backwards, as long as */
  GstClockTime base_time;       /* this stays */
  gboolean is_before;           /* in force is: */
  GstSegment before;            /* for frames from before its start */
  gboolean pushing_own;         /* an event of ours, not the base class's */
  gboolean has_started, has_caps;       /* those events have come */
  gboolean segment_sent;        /* before the base class did */
  guint64 latency_min, latency_max;     /* as of the last LATENCY message */
  guint32 eos_seqnum;           /* of the EOS that create() asks for */
  guint32 segment_seqnum;       /* of the producer's last SEGMENT */
  guint32 own_segment_seqnum;   /* of the one that went downstream */
  GstShmFrameBufferCache buffer_cache;
  GstShmFrameNames names;       /* that this connection brings */
  gboolean names_told;          /* that it brings too many */
  GHashTable *kept;             /* sticky events downstream: name to bytes, */
  guint64 kept_bytes;           /* in all */
  guint group, own_group;       /* of streams: the producer's, and ours */
  GstShmFrameQuota told, told_ends;     /* element messages, warnings */
  gboolean holding;             /* as many frames are held as may be */
  gint64 held_until;            /* when that was over (us); 0: never so */
  gboolean told_unread;
  gboolean failed;              /* create() has, and an error was posted */
  sf_atomic_u32 pushing;        /* a frame is downstream, that is all there is */

  GstClockID watch_id;          /* from READY to PAUSED, and back */
  /* The watch's. */
  guint64 watched;              /* frames at its last look */
  guint n_stuck;
  GstShmFrameQuota told_stuck;
};

/* src/properties.c */
void gst_shm_frame_src_install_properties (GObjectClass * klass);
void gst_shm_frame_src_init_properties (GstShmFrameSrc * self);

/* src/receive.c */
GstFlowReturn gst_shm_frame_src_create (GstPushSrc * src, GstBuffer ** buffer);

/* src/kept.c */
/* FALSE, and counted: with this event, of so many bytes, pads would keep too much. */
gboolean gst_shm_frame_src_may_keep (GstShmFrameSrc * self, GstEvent * event,
    guint32 size);
void gst_shm_frame_src_forget_kept (GstShmFrameSrc * self);

/* src/downstream.c: what is behind */
/* Of an appsink at the end of it, or NULL. Free it. */
gchar *gst_shm_frame_src_find_appsink (GstShmFrameSrc * self);
/* Who seems to hold frames, for a sentence. Free it. */
gchar *gst_shm_frame_src_find_holders (GstShmFrameSrc * self);
/* (transfer full) for both: instead of the base class's error, that the stream
 * stopped, one that says why, and what to do; NULL where that was posted before.
 * Others as they are. */
GstMessage *gst_shm_frame_src_explain (GstShmFrameSrc * self,
    GstMessage * message);

/* src/messages.c: what is told of the producer; the streaming thread's */
void gst_shm_frame_src_tell_connected (GstShmFrameSrc * self,
    const struct sf_received *in);
/* What was left out since the last time, for want of names. */
void gst_shm_frame_src_tell_names (GstShmFrameSrc * self);
/* What to do now: reconnect (GST_FLOW_CUSTOM_SUCCESS), EOS, or an error that was
 * posted. */
GstFlowReturn gst_shm_frame_src_tell_disconnected (GstShmFrameSrc * self,
    const struct sf_received *in);
/* Posts the error of SF_RECEIVED_FAILED. */
void gst_shm_frame_src_tell_failed (GstShmFrameSrc * self,
    const struct sf_received *in);
void gst_shm_frame_src_tell_waiting (GstShmFrameSrc * self,
    const struct sf_reject *why);
void gst_shm_frame_src_tell_holding (GstShmFrameSrc * self);
/* Of so many frames that came, few may have come back. */
void gst_shm_frame_src_tell_unread (GstShmFrameSrc * self, guint64 frames);
/* Downstream asks for more frames than it may hold. */
void gst_shm_frame_src_tell_asked (GstShmFrameSrc * self, guint asked,
    guint max_held);
/* The element has let go of its producer, if it had one. */
void gst_shm_frame_src_tell_stopped (GstShmFrameSrc * self);

/* src/times.c: the streaming thread's */
/* Past the filter that stops the base class's events of these types. */
void gst_shm_frame_src_push_own (GstShmFrameSrc * self, GstEvent * event);
gboolean gst_shm_frame_src_has_segment (GstShmFrameSrc * self);
/* Gives the frame times of our own. FALSE: it is no part of the stream. */
gboolean gst_shm_frame_src_translate (GstShmFrameSrc * self,
    GstBuffer * buffer, const GstShmFrameStamp * stamp,
    const struct sf_received *in);
/* NULL: nothing of it is of our time. */
GstEvent *gst_shm_frame_src_translate_gap (GstShmFrameSrc * self,
    GstEvent * event, guint64 capture_time);

/* src/uri.c: the GstURIHandler */
void gst_shm_frame_src_init_uri (gpointer iface, gpointer data);

/* src/watch.c */
void gst_shm_frame_src_watch (GstShmFrameSrc * self, gboolean on);

/* src/flush.c */
/* sf_consumer_config.flush */
void gst_shm_frame_src_on_flush (void *user);
gboolean gst_shm_frame_src_send_event (GstElement * element,
    GstEvent * event);

/* src/stats.c */
void gst_shm_frame_src_count_frame (GstShmFrameSrc * self,
    const GstShmFrameStamp * stamp, const struct sf_received *in,
    GstBuffer * buffer);
GstStructure *gst_shm_frame_src_get_stats (GstShmFrameSrc * self);

/* src/query.c */
gboolean gst_shm_frame_src_query (GstBaseSrc * src, GstQuery * query);
gboolean gst_shm_frame_src_event (GstBaseSrc * src, GstEvent * event);
/* No producer is known (yet). */
void gst_shm_frame_src_reset_latency (GstShmFrameSrc * self);
/* The producer's is this now, or, NULL, the caps are others: posts a message if
 * our answer is another one. */
void gst_shm_frame_src_set_latency (GstShmFrameSrc * self,
    const struct sf_latency *latency);

/* src/gstshmframesrc.c: what the base class does */
gboolean gst_shm_frame_src_parent_query (GstBaseSrc * src, GstQuery * query);
gboolean gst_shm_frame_src_parent_event (GstBaseSrc * src, GstEvent * event);
gboolean gst_shm_frame_src_parent_send_event (GstShmFrameSrc * self,
    GstEvent * event);

GST_DEBUG_CATEGORY_EXTERN (gst_shm_frame_src_debug);

G_END_DECLS

#endif
