/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GST_SHM_FRAME_SINK_H
#define GST_SHM_FRAME_SINK_H

#include <gst/base/gstbasesink.h>

#include "memory/allocator.h"
#include "common/clock.h"
#include "common/enums.h"
#include "common/messages.h"
#include "wire/value.h"
#include "wire/wire.h"

G_BEGIN_DECLS

#define GST_TYPE_SHM_FRAME_SINK (gst_shm_frame_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFrameSink, gst_shm_frame_sink, GST,
    SHM_FRAME_SINK, GstBaseSink);
GST_ELEMENT_REGISTER_DECLARE (shmframesink);

/* The properties. Object lock. All but `delivery` are read once, on the way to
 * READY. */
typedef struct
{
  gchar *socket_path;
  guint socket_mode;
  GstShmFrameDelivery delivery;
  guint min_clients, max_clients;
  guint64 client_timeout, stall_timeout;        /* ns */
  guint slots;
  guint64 max_memory;           /* bytes */
  gboolean huge_pages;
} GstShmFrameSinkSettings;

/* What `stats` counts since the start. Object lock. */
typedef struct
{
  guint64 frames;               /* published */
  guint64 bytes;                /* in them */
  guint64 copied;               /* of the frames: copied into a slot */
  guint64 bytes_copied;
  guint64 dropped_no_slot;      /* live: every slot was in use */
  guint64 metas_dropped;        /* that no serializer knows */
} GstShmFrameSinkCounts;

/* The stream at hand. Streaming thread. */
typedef struct
{
  gboolean is_batch;            /* by its caps */
  guint per_record;             /* most slots of ours that a batch took */
  gboolean is_published;        /* prepare() has published the frame at hand */
  GstShmFrameClock clock;
} GstShmFrameSinkStream;

/* What makes a record; kept for its memory. Streaming thread. */
typedef struct
{
  GArray *parts;                /* of struct sf_memory_ref */
  guint8 *body;                 /* SF_MAX_FRAME_PAYLOAD bytes */
  GstShmFrameRecordTemplate template;
  GstShmFrameUnserializable unserializable;
} GstShmFrameSinkRecord;

/* What was reported in this stream, so that it is not repeated while upstream
 * tries again. Streaming thread. */
typedef struct
{
  gboolean format;              /* caps that cannot be served */
  gboolean sticky_events;       /* too many bytes of them */
  gboolean huge_pages;          /* too few */
  GstShmFrameQuota missing_clients;
} GstShmFrameSinkReported;

/* The end of the stream, where the application asked for it while clients take
 * nothing. Streaming thread. */
typedef struct
{
  guint64 skipped;              /* frames left out */
  guint64 token;                /* as the last wait found it ... */
  gint64 since;                 /* ... and since when (ns); 0: not yet */
} GstShmFrameSinkEnding;

/* What other threads tell the streaming thread. Atomic. */
typedef struct
{
  gint lossless;                /* a LATENCY event may change it */
  gint stepped;                 /* a STEP event came */
  gint ending;                  /* the application asked for EOS */
} GstShmFrameSinkFlags;

/* Events from clients, on their way upstream. The control thread queues them, a
 * thread of GStreamer's pool pushes them: upstream may block on a lock whose
 * holder waits for the control thread. */
typedef struct
{
  GMutex lock;                  /* of all but `clock` */
  GQueue events;
  gboolean pushing;
  guint64 dropped;              /* too many, or of too many names */
  GHashTable *clients;          /* id: what each may still send */
  GstShmFrameClock clock;       /* control thread */
} GstShmFrameUpstream;

/* Warnings and messages about clients. Control thread. */
typedef struct
{
  GstShmFrameQuota clients, ends, refusals;
} GstShmFrameSinkQuotas;

/* Lock order: docs/internals/locking.md. The object lock is never held over a
 * call of another object. producer_lock keeps the producer from being closed
 * under whoever reads its figures; the streaming thread uses the producer
 * without it, since it lives from NULL to READY and back. */
struct _GstShmFrameSink
{
  GstBaseSink parent;

  GstShmFrameSinkSettings settings;
  GstShmFrameSinkCounts counts;

  GRWLock producer_lock;
  struct sf_producer *producer;
  GstShmFrameAllocator *allocator;
  guint clients_needed;         /* min-clients, of this producer */

  GstShmFrameSinkStream stream;
  GstShmFrameSinkRecord record;
  GstShmFrameSinkReported reported;
  GstShmFrameSinkEnding end;
  GstShmFrameSinkFlags flags;
  GstShmFrameUpstream upstream;
  GstShmFrameSinkQuotas quotas;
};

/* sink/properties.c */
void gst_shm_frame_sink_install_properties (GObjectClass * klass);
void gst_shm_frame_sink_init_properties (GstShmFrameSink * self);

/* sink/errors.c */
/* Posts the error of sf_producer_open(). */
void gst_shm_frame_sink_post_open_error (GstShmFrameSink * self,
    const gchar * path, gint error);
/* FALSE, with an error posted, if it is no mode of a file, such as 666 written
 * in decimal (octal 01232). */
gboolean gst_shm_frame_sink_check_mode (GstShmFrameSink * self, guint mode);

/* sink/publish.c */

/* When a frame with this PTS is due, by the clock that all processes share. */
guint64 gst_shm_frame_sink_capture_time (GstShmFrameSink * self,
    GstClockTime pts);
/* Publishes the buffer if that takes neither a wait nor a copy; else FALSE. */
gboolean gst_shm_frame_sink_publish_now (GstShmFrameSink * self,
    GstBuffer * buffer);
GstFlowReturn gst_shm_frame_sink_render (GstBaseSink * sink,
    GstBuffer * buffer);

/* sink/prepare.c */
GstFlowReturn gst_shm_frame_sink_prepare (GstBaseSink * sink,
    GstBuffer * buffer);

/* sink/event.c */
/* Publishes the event, if its type is one that is sent. */
GstFlowReturn gst_shm_frame_sink_publish_event (GstShmFrameSink * self,
    GstEvent * event);
/* Drops the sticky events from this type on: later clients do not get them. */
void gst_shm_frame_sink_forget_stream (GstShmFrameSink * self,
    GstEventType from);
/* FLUSH_START, in any thread, even while the sink stops; or FLUSH_STOP. Voids
 * what clients have not read. Never waits. */
void gst_shm_frame_sink_flush (GstShmFrameSink * self, GstEvent * event);

/* sink/slots.c */
/* Makes slots for frames of `size` bytes, `per_record` to a record.
 * GST_FLOW_ERROR: an error was posted. */
GstFlowReturn gst_shm_frame_sink_make_slots (GstShmFrameSink * self,
    gsize size, guint per_record);

/* sink/wait.c */
guint gst_shm_frame_sink_get_num_clients (GstShmFrameSink * self);
/* A reference; NULL while the sink is stopped. */
GstShmFrameAllocator *gst_shm_frame_sink_ref_allocator (GstShmFrameSink * self);
/* While set, upstream gets ordinary memory instead of waiting for slots. */
void gst_shm_frame_sink_release_upstream (GstShmFrameSink * self,
    gboolean no_wait);
/* Waits until clients return something; `waited` is the result of
 * sf_producer_wait(). GST_FLOW_EOS: give up, since the application asked for
 * the end. */
GstFlowReturn gst_shm_frame_sink_wait_for_room (GstShmFrameSink * self,
    guint64 token, gint * waited);
/* Waits for what publishing lacks, as `error` says. GST_FLOW_OK: try again;
 * GST_FLOW_EOS as above. */
GstFlowReturn gst_shm_frame_sink_wait_to_publish (GstShmFrameSink * self,
    gint error, guint64 token);
/* The application asked for EOS, which may be held up behind a frame that waits
 * for clients. Any thread. */
void gst_shm_frame_sink_set_ending (GstShmFrameSink * self, gboolean ending);
/* The stream has ended, or was flushed: reports what was left out. */
void gst_shm_frame_sink_end_stream (GstShmFrameSink * self);

/* sink/caps.c */
/* A pad probe: posts an error that says what converts caps with other memory,
 * which the pad does not accept anyway. */
GstPadProbeReturn gst_shm_frame_sink_probe_caps (GstPad * pad,
    GstPadProbeInfo * info, gpointer sink);
/* FALSE, with an error posted, if buffers with the event's caps cannot be
 * shared. */
gboolean gst_shm_frame_sink_check_caps (GstShmFrameSink * self,
    GstEvent * event);
/* FALSE, with an error posted, if frames of the batch cannot be shared. */
gboolean gst_shm_frame_sink_check_batch (GstShmFrameSink * self,
    GstBuffer * batch);

/* sink/copy.c */
/* Copies into slots. GST_FLOW_CUSTOM_SUCCESS: no slot is free, drop the
 * buffer. */
GstFlowReturn gst_shm_frame_sink_copy_frame (GstShmFrameSink * self,
    GstBuffer * buffer, GstBuffer ** copy);
GstFlowReturn gst_shm_frame_sink_copy_batch (GstShmFrameSink * self,
    GstBuffer * batch, GstBuffer ** copy);
/* Makes slots for batches like this one, as gst_shm_frame_sink_make_slots(). */
GstFlowReturn gst_shm_frame_sink_make_batch_slots (GstShmFrameSink * self,
    GstBuffer * batch);
/* Whether all frames of the batch lie in slots, ours or another producer's. */
gboolean gst_shm_frame_sink_batch_is_shared (GstBuffer * batch);

/* sink/upstream.c */
void gst_shm_frame_upstream_init (GstShmFrameUpstream * self);
void gst_shm_frame_upstream_clear (GstShmFrameUpstream * self);
/* sf_producer_callbacks.upstream */
void gst_shm_frame_sink_on_upstream (void *user, uint64_t client,
    const uint8_t *data, uint32_t size);
/* To be called when the client is gone. */
void gst_shm_frame_upstream_forget (GstShmFrameUpstream * self, guint64 client);
guint64 gst_shm_frame_upstream_get_dropped (GstShmFrameUpstream * self);

/* sink/stats.c */
GstStructure *gst_shm_frame_sink_get_stats (GstShmFrameSink * self);
/* Logs how many slots there are; warns if they were to lie on huge pages, and
 * do not. */
void gst_shm_frame_sink_report_slots (GstShmFrameSink * self,
    const struct sf_slots_state *slots);
/* Counts a buffer for which no slot is free, and posts a QOS message. */
GstFlowReturn gst_shm_frame_sink_drop (GstShmFrameSink * self,
    GstBuffer * buffer);
void gst_shm_frame_sink_install_signals (GObjectClass * klass);
extern const struct sf_producer_callbacks gst_shm_frame_sink_callbacks;

GST_DEBUG_CATEGORY_EXTERN (gst_shm_frame_sink_debug);

G_END_DECLS

#endif
