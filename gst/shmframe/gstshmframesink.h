/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SHM_FRAME_SINK_H
#define GST_SHM_FRAME_SINK_H

#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>

#include "gstshmframeallocator.h"
#include "gstshmframeclock.h"
#include "gstshmframeenums.h"

G_BEGIN_DECLS

#define GST_TYPE_SHM_FRAME_SINK (gst_shm_frame_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFrameSink, gst_shm_frame_sink, GST,
    SHM_FRAME_SINK, GstBaseSink)
GST_ELEMENT_REGISTER_DECLARE (shmframesink);

typedef struct
{
  guint64 frames;               /* published */
  guint64 bytes;                /* in them */
  guint64 copied;               /* frames copied into a slot, of these */
  guint64 bytes_copied;
  guint64 dropped_no_slot;      /* live: every slot was in use */
} GstShmFrameSinkCounts;

/* Locks: the object lock for properties and counts, never held over a call of
 * another object; producer_lock, so that who reads the figures has a producer
 * that is not just being closed. The streaming thread needs neither to use the
 * producer: it lives from NULL to READY and back. */
struct _GstShmFrameSink
{
  GstBaseSink parent;

  /* Object lock. */
  gchar *socket_path;
  guint socket_mode;
  GstShmFrameDelivery delivery;
  guint min_clients;
  guint64 client_timeout;
  guint max_clients;
  guint slots;
  guint64 max_memory;
  GstShmFrameSinkCounts counts;

  GRWLock producer_lock;
  struct sf_producer *producer;
  GstShmFrameAllocator *allocator;

  /* Streaming thread. */
  GstVideoInfo info;
  gboolean is_batch;
  gboolean lossless;
  gboolean started;             /* the first frame went, or was waited for */
  gboolean slots_failed;        /* told; upstream may try again */
  GstShmFrameClock clock;
  GArray *parts;                /* of struct sf_part, kept for its memory */
  guint8 *body;                 /* SF_MAX_PAYLOAD bytes, likewise */
};

/* gstshmframesinkpublish.c */
GstFlowReturn gst_shm_frame_sink_prepare (GstBaseSink * sink,
    GstBuffer * buffer);
GstFlowReturn gst_shm_frame_sink_render (GstBaseSink * sink,
    GstBuffer * buffer);
/* Publishes the event, if it is one that crosses. Not with the preroll lock. */
GstFlowReturn gst_shm_frame_sink_publish_event (GstShmFrameSink * self,
    GstEvent * event);
/* Slots for frames of `size` bytes, `per_record` to a record. FALSE: an error
 * was posted. */
gboolean gst_shm_frame_sink_make_slots (GstShmFrameSink * self, gsize size,
    guint per_record);

/* gstshmframesinkstats.c */
GstStructure *gst_shm_frame_sink_get_stats (GstShmFrameSink * self);
guint gst_shm_frame_sink_get_num_clients (GstShmFrameSink * self);
void gst_shm_frame_sink_install_signals (GObjectClass * klass);
extern const struct sf_producer_callbacks gst_shm_frame_sink_callbacks;

GST_DEBUG_CATEGORY_EXTERN (gst_shm_frame_sink_debug);

G_END_DECLS

#endif
