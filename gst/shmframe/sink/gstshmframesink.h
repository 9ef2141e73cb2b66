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
    SHM_FRAME_SINK, GstBaseSink)
GST_ELEMENT_REGISTER_DECLARE (shmframesink);

typedef struct
{
  guint64 frames;               /* published */
  guint64 bytes;                /* in them */
  guint64 copied;               /* frames copied into a slot, of these */
  guint64 bytes_copied;
  guint64 dropped_no_slot;      /* live: every slot was in use */
  guint64 metas_dropped;        /* that no serializer knows */
} GstShmFrameSinkCounts;

/* Events from clients, on their way to upstream. The control thread queues them,
 * and a thread of GStreamer's pool pushes them: upstream may make that wait, for
 * locks held by a thread that waits for the control thread. */
typedef struct
{
  GMutex lock;
  GQueue events;
  gboolean pushing;
  guint64 dropped;              /* too many, or of too many names */
  GHashTable *clients;          /* id: what each may send still */
  GstShmFrameClock clock;       /* the control thread's */
} GstShmFrameUpstream;

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
  guint64 client_timeout, stall_timeout;
  guint max_clients;
  guint slots;
  guint64 max_memory;
  gboolean huge_pages;
  GstShmFrameSinkCounts counts;

  guint clients_needed;         /* constant while there is a producer */

  GRWLock producer_lock;
  struct sf_producer *producer;
  GstShmFrameAllocator *allocator;

  /* Streaming thread. */
  gboolean is_batch;
  guint per_record;             /* frames in slots that the largest batch had */
  gboolean format_failed;       /* told; upstream may try again */
  gboolean events_failed;       /* likewise: there are too many sticky ones */
  gboolean pages_told;          /* that there are too few huge ones */
  gboolean published;           /* the frame at hand, by prepare() */
  guint64 unsent;               /* frames left out at the end of the stream */
  guint64 end_token;            /* as the last wait before the end found it */
  gint64 end_since;             /* and since when; 0: not yet */
  GstShmFrameQuota told_waits;
  GstShmFrameClock clock;
  GArray *parts;                /* of struct sf_memory_ref, kept for its memory */
  guint8 *body;                 /* SF_MAX_FRAME_PAYLOAD bytes, likewise */
  GstShmFrameRecordTemplate record_template;
  GstShmFrameUnserializable unserializable;

  gint lossless;                /* atomic: a LATENCY event may change it */
  gint stepped;                 /* atomic: a STEP event came */
  gint ending;                  /* atomic: the application wants EOS */
  GstShmFrameUpstream upstream; /* its own lock */

  /* The control thread's, which calls back. */
  GstShmFrameQuota told_clients, told_ends, told_refusals;
};

/* sink/properties.c */
void gst_shm_frame_sink_install_properties (GObjectClass * klass);
void gst_shm_frame_sink_init_properties (GstShmFrameSink * self);

/* sink/errors.c */
/* Posts the error of sf_producer_open(). */
void gst_shm_frame_sink_post_open_error (GstShmFrameSink * self,
    const gchar * path, gint error);
/* FALSE, with an error posted: decimal by mistake, for one. The permission bits of
 * 666 (octal 01232) would be a surprise. */
gboolean gst_shm_frame_sink_check_mode (GstShmFrameSink * self, guint mode);

/* sink/publish.c */

/* When what has this PTS is, or was, due, by the clock that all processes share. */
guint64 gst_shm_frame_sink_capture_time (GstShmFrameSink * self,
    GstClockTime pts);
/* FALSE: something is to be waited for, or copied. */
gboolean gst_shm_frame_sink_publish_now (GstShmFrameSink * self,
    GstBuffer * buffer);
GstFlowReturn gst_shm_frame_sink_render (GstBaseSink * sink,
    GstBuffer * buffer);

/* sink/prepare.c */
GstFlowReturn gst_shm_frame_sink_prepare (GstBaseSink * sink,
    GstBuffer * buffer);

/* sink/event.c */
/* Publishes the event, if it is one that crosses. */
GstFlowReturn gst_shm_frame_sink_publish_event (GstShmFrameSink * self,
    GstEvent * event);
/* Takes back the sticky events from this type on: who joins later gets none. */
void gst_shm_frame_sink_forget_stream (GstShmFrameSink * self,
    GstEventType from);
/* FLUSH_START, in any thread, even while the sink stops; or FLUSH_STOP. What
 * clients have not read is void. Never waits. */
void gst_shm_frame_sink_flush (GstShmFrameSink * self, GstEvent * event);

/* sink/room.c */
/* Slots for frames of `size` bytes, `per_record` to a record. GST_FLOW_ERROR: an
 * error was posted. */
GstFlowReturn gst_shm_frame_sink_make_slots (GstShmFrameSink * self,
    gsize size, guint per_record);

/* sink/wait.c */
guint gst_shm_frame_sink_get_num_clients (GstShmFrameSink * self);
/* A reference; NULL while the sink is stopped. */
GstShmFrameAllocator *gst_shm_frame_sink_ref_allocator (GstShmFrameSink *
    self);
/* Whether upstream gets ordinary memory instead of waiting for slots. */
void gst_shm_frame_sink_release_upstream (GstShmFrameSink * self,
    gboolean off);
/* Waits for clients to make room; `waited` is what sf_producer_wait() said.
 * GST_FLOW_EOS: the application wants the end more. */
GstFlowReturn gst_shm_frame_sink_wait_for_room (GstShmFrameSink * self,
    guint64 token, gint * waited);
/* Waits for what publishing lacks, which `error` says. GST_FLOW_OK: it may work
 * now; GST_FLOW_EOS as above. */
GstFlowReturn gst_shm_frame_sink_wait_to_publish (GstShmFrameSink * self,
    gint error, guint64 token);
/* Whether the application wants the stream to end, though EOS is held up behind what
 * waits for clients. Any thread. */
void gst_shm_frame_sink_set_ending (GstShmFrameSink * self, gboolean ending);
/* It has ended, or been flushed. */
void gst_shm_frame_sink_end (GstShmFrameSink * self);

/* sink/caps.c */
/* A probe on the pad: caps with other memory, which are not accepted anyway, become
 * an error that says what converts it. */
GstPadProbeReturn gst_shm_frame_sink_look_at_caps (GstPad * pad,
    GstPadProbeInfo * info, gpointer sink);
/* FALSE, and an error: what has the caps in this event cannot be shared. */
gboolean gst_shm_frame_sink_can_tell_caps (GstShmFrameSink * self,
    GstEvent * event);
/* FALSE, and an error: frames of the batch cannot be shared. */
gboolean gst_shm_frame_sink_check_batch (GstShmFrameSink * self,
    GstBuffer * batch);

/* sink/copy.c */
/* A copy in slots. GST_FLOW_CUSTOM_SUCCESS: there is no slot, drop it. */
GstFlowReturn gst_shm_frame_sink_copy_frame (GstShmFrameSink * self,
    GstBuffer * buffer, GstBuffer ** copy);
GstFlowReturn gst_shm_frame_sink_copy_batch (GstShmFrameSink * self,
    GstBuffer * batch, GstBuffer ** copy);
/* Slots for batches like this one; as gst_shm_frame_sink_make_slots(). */
GstFlowReturn gst_shm_frame_sink_make_batch_slots (GstShmFrameSink * self,
    GstBuffer * batch);
/* Whether all frames of the batch are in slots, ours or another producer's */
gboolean gst_shm_frame_sink_batch_is_shared (GstBuffer * batch);

/* sink/upstream.c */
void gst_shm_frame_upstream_init (GstShmFrameUpstream * self);
void gst_shm_frame_upstream_clear (GstShmFrameUpstream * self);
/* sf_producer_callbacks.upstream */
void gst_shm_frame_sink_on_upstream (void *user, uint64_t client,
    const uint8_t * data, uint32_t size);
/* The client is gone. */
void gst_shm_frame_upstream_forget (GstShmFrameUpstream * self, guint64 client);
guint64 gst_shm_frame_upstream_get_dropped (GstShmFrameUpstream * self);

/* sink/stats.c */
GstStructure *gst_shm_frame_sink_get_stats (GstShmFrameSink * self);
/* How many slots there are now, and on which pages. */
void gst_shm_frame_sink_tell_slots (GstShmFrameSink * self,
    const struct sf_slots_state *slots);
/* Counts a buffer that there is no slot for, and tells the application. */
GstFlowReturn gst_shm_frame_sink_drop (GstShmFrameSink * self,
    GstBuffer * buffer);
void gst_shm_frame_sink_install_signals (GObjectClass * klass);
extern const struct sf_producer_callbacks gst_shm_frame_sink_callbacks;

GST_DEBUG_CATEGORY_EXTERN (gst_shm_frame_sink_debug);

G_END_DECLS

#endif
