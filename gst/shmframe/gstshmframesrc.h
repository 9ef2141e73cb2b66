/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SHM_FRAME_SRC_H
#define GST_SHM_FRAME_SRC_H

#include <gst/base/gstpushsrc.h>

#include "consumer.h"
#include "gstshmframeclock.h"
#include "gstshmframeenums.h"
#include "gstshmframemessages.h"
#include "gstshmframewire.h"

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
  guint64 connections;
  guint64 handover_max;         /* ns */
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
  struct sf_latency latency;
  guint64 position;             /* PTS of the last frame */
  gboolean connected;

  GRWLock consumer_lock;
  struct sf_consumer *consumer;

  /* Streaming thread; set before it begins. */
  gchar *path;                  /* socket-path, of this connection */
  gboolean grow;                /* max-held was left to us */
  gboolean keep;                /* timestamps, resolved */
  gboolean discont;
  guint64 last_pts;             /* clock: PTS never runs backwards */
  GstShmFrameClock clock;
  gboolean pushing_own;         /* an event of ours, not the base class's */
  gboolean has_started, has_caps;       /* those events have come */
  gboolean segment_sent;        /* before the base class did */
  guint32 eos_seqnum;           /* of the producer's last EOS */
  GstShmFramePrepared prepared;
  guint group, own_group;       /* of streams: the producer's, and ours */
  GstShmFrameQuota told, told_ends;     /* element messages, warnings */
  gboolean holding;             /* as many frames are held as may be */
  gint64 held_until;            /* when that was over (us); 0: never so */
};

/* gstshmframesrcprops.c */
void gst_shm_frame_src_install_properties (GObjectClass * klass);
void gst_shm_frame_src_init_properties (GstShmFrameSrc * self);

/* gstshmframesrcreceive.c */
GstFlowReturn gst_shm_frame_src_create (GstPushSrc * src, GstBuffer ** buffer);

/* gstshmframesrcdownstream.c: what is behind */
/* Who seems to hold frames, for a sentence. Free it. */
gchar *gst_shm_frame_src_find_holders (GstShmFrameSrc * self);
/* (transfer full) for both: instead of the base class's error, that the stream
 * stopped, one that says why, and what to do. Others as they are. */
GstMessage *gst_shm_frame_src_explain (GstShmFrameSrc * self,
    GstMessage * message);

/* gstshmframesrcmessages.c: what is told of the producer; the streaming thread's */
void gst_shm_frame_src_tell_connected (GstShmFrameSrc * self);
/* What to do now: reconnect (GST_FLOW_CUSTOM_SUCCESS), EOS, or an error that was
 * posted. */
GstFlowReturn gst_shm_frame_src_tell_disconnected (GstShmFrameSrc * self,
    const struct sf_reject *why);
/* Posts the error of SF_INCOMING_FAILED. */
void gst_shm_frame_src_tell_failed (GstShmFrameSrc * self,
    const struct sf_incoming *in);
void gst_shm_frame_src_tell_holding (GstShmFrameSrc * self);
/* Downstream asks for more frames than it may hold. */
void gst_shm_frame_src_tell_asked (GstShmFrameSrc * self, guint asked,
    guint max_held);
/* The element has let go of its producer, if it had one. */
void gst_shm_frame_src_tell_stopped (GstShmFrameSrc * self);

/* gstshmframesrcstats.c */
void gst_shm_frame_src_count_frame (GstShmFrameSrc * self,
    const GstShmFrameStamp * stamp, const struct sf_incoming *in,
    GstBuffer * buffer);
GstStructure *gst_shm_frame_src_get_stats (GstShmFrameSrc * self);

/* gstshmframesrcquery.c */
gboolean gst_shm_frame_src_query (GstBaseSrc * src, GstQuery * query);
gboolean gst_shm_frame_src_event (GstBaseSrc * src, GstEvent * event);

/* gstshmframesrc.c: what the base class does */
gboolean gst_shm_frame_src_parent_query (GstBaseSrc * src, GstQuery * query);
gboolean gst_shm_frame_src_parent_event (GstBaseSrc * src, GstEvent * event);

GST_DEBUG_CATEGORY_EXTERN (gst_shm_frame_src_debug);

G_END_DECLS

#endif
