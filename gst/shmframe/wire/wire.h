/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers and events to the bytes of a record, and back, as drawn in
 * docs/internals/protocol.md. Everything read here comes from another process:
 * each read is checked, and what does not add up makes the whole record
 * invalid. */
#ifndef GST_SHM_FRAME_WIRE_H
#define GST_SHM_FRAME_WIRE_H

#include <gst/video/video.h>

#include "memory/allocator.h"
#include "wire/value.h"

G_BEGIN_DECLS

/* What a FRAME record holds. */
typedef enum
{
  GST_SHM_FRAME_KIND_BUFFER = 1,
  GST_SHM_FRAME_KIND_BATCH = 2,
} GstShmFrameKind;

/* At the start of a FRAME record's body. Times in ns of CLOCK_MONOTONIC. */
typedef struct
{
  guint32 kind;                 /* GstShmFrameKind */
  guint64 capture_time;         /* base time + running time; NONE: unknown */
  guint64 publish_time;
} GstShmFrameStamp;

void gst_shm_frame_wire_put_stamp (GstByteWriter * w,
    const GstShmFrameStamp * stamp);
gboolean gst_shm_frame_wire_get_stamp (GstByteReader * r,
    GstShmFrameStamp * stamp);

/* Bytes that are left for the body of a record with so many parts. */
#define GST_SHM_FRAME_BODY_ROOM(n_parts) \
    (SF_MAX_FRAME_PAYLOAD - 8 - (n_parts) * (guint) sizeof (struct sf_memory_ref_wire))

/* Appends the buffer's fields and metas to `w`, and its memories, which are all
 * on slots, to `parts` (of struct sf_memory_ref). Metas that do not fit, or take more than
 * `room` bytes, are left out. FALSE if the rest does not fit. */
gboolean gst_shm_frame_wire_put_buffer (GstByteWriter * w, GArray * parts,
    GstBuffer * buffer, guint room, GstShmFrameUnserializable * unserializable);

#define GST_SHM_FRAME_CACHED_SIZE 512

/* The body of a FRAME record whose buffer had one memory, and no meta but a video
 * meta: the next one mostly differs in what is written into it here. */
typedef struct
{
  guint body_size;              /* 0: there is none */
  gsize size;                   /* of the memory */
  guint n_metas;                /* 0 or 1 */
  GstVideoMeta meta;            /* if 1; only to compare with */
  guint8 body[GST_SHM_FRAME_CACHED_SIZE];
} GstShmFrameRecordTemplate;

/* From a body that says all of `buffer`; remains empty where it could not be used
 * for another one. */
void gst_shm_frame_record_template_capture (GstShmFrameRecordTemplate * self,
    GstBuffer * buffer, const guint8 * body, guint body_size);
/* `buffer` has one memory, of `size` bytes. FALSE if it differs in something
 * else. */
gboolean gst_shm_frame_record_template_apply (GstShmFrameRecordTemplate * self,
    GstBuffer * buffer, gsize size, const GstShmFrameStamp * stamp);

/* The next buffer but for its place and its times, made before it is needed:
 * size and metas seldom change from one frame to the next, and to make them when
 * the frame is there would make it late. */
typedef struct
{
  GstBuffer *buffer;            /* NULL: to be made */
  gsize size;
  guint8 metas[GST_SHM_FRAME_CACHED_SIZE];
  guint metas_size;
  gboolean alike;               /* the last two were */
} GstShmFrameBufferCache;

/* Before the wait for a frame. */
void gst_shm_frame_buffer_cache_fill (GstShmFrameBufferCache * self);
void gst_shm_frame_buffer_cache_clear (GstShmFrameBufferCache * self);

/* The other way round; takes the parts from `*parts` on and moves it. NULL if
 * the bytes make no sense. */
GstBuffer *gst_shm_frame_wire_get_buffer (GstByteReader * r,
    struct sf_lease *lease, const struct sf_memory_ref_mapped **parts,
    const struct sf_memory_ref_mapped *end, GstShmFrameBufferCache * cache);

/* All memories of the buffer lie on slots, so that it can go without a copy. */
gboolean gst_shm_frame_wire_is_shared (GstBuffer * buffer);

/* wire/batch.c: a batch, i.e. a buffer with GstSecondBatchMeta. Metas that
 * do not fit are left out, fairly over the frames. */
gboolean gst_shm_frame_wire_put_batch (GstByteWriter * w, GArray * parts,
    GstBuffer * batch, GstShmFrameUnserializable * unserializable);
GstBuffer *gst_shm_frame_wire_get_batch (GstByteReader * r,
    struct sf_lease *lease, const struct sf_memory_ref_mapped **parts,
    const struct sf_memory_ref_mapped *end);
/* Calls `func` for every frame in the batch; stops and returns FALSE when it
 * does. */
typedef gboolean (*GstShmFrameBatchFunc) (GstBuffer * frame, gpointer user);
gboolean gst_shm_frame_batch_foreach (GstBuffer * batch,
    GstShmFrameBatchFunc func, gpointer user);
/* How many parts its frames are in a record, when all of them are in slots. */
guint gst_shm_frame_batch_count_parts (GstBuffer * batch);

/* wire/event.c */
/* FALSE if this event does not cross, or does not fit. `capture_time`: when a GAP
 * was due, like a frame. */
gboolean gst_shm_frame_wire_put_event (GstByteWriter * w, GstEvent * event,
    guint64 capture_time, GstShmFrameUnserializable * unserializable);
/* (transfer full) (nullable) */
GstEvent *gst_shm_frame_wire_get_event (const guint8 * data, gsize size);
/* GST_EVENT_UNKNOWN if it does not say. */
GstEventType gst_shm_frame_wire_get_event_type (const guint8 * data,
    gsize size);
/* The capture time, NONE if there is none. */
guint64 gst_shm_frame_wire_get_event_time (const guint8 * data, gsize size);
/* The key under which a sticky event is kept; 0: not sticky. */
guint64 gst_shm_frame_wire_event_key (GstEvent * event);

/* wire/event-upstream.c: events that go the other way. */
/* FALSE if this one does not. `capture_time`: what the timestamp of a QOS event
 * is in terms of the clock all processes share; NONE: running times are the
 * same on both sides. */
gboolean gst_shm_frame_wire_put_upstream (GstByteWriter * w, GstEvent * event,
    guint64 capture_time, GstShmFrameUnserializable * unserializable);
/* (transfer full) (nullable) */
GstEvent *gst_shm_frame_wire_get_upstream (const guint8 * data, gsize size,
    guint64 * capture_time);

G_END_DECLS

#endif
