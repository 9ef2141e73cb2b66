/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converts buffers and events to the bytes of a record, and back:
 * docs/internals/protocol.md. All that is read here comes from another process:
 * each read is checked, and one that fails makes the whole record invalid. */
#ifndef GST_SHM_FRAME_WIRE_H
#define GST_SHM_FRAME_WIRE_H

#include <gst/video/video.h>

#include "memory/allocator.h"
#include "memory/only-meta.h"
#include "wire/value.h"

G_BEGIN_DECLS

/* What a FRAME record holds. */
typedef enum
{
  GST_SHM_FRAME_KIND_BUFFER = 1,
  GST_SHM_FRAME_KIND_BATCH = 2,
} GstShmFrameKind;

/* The start of a FRAME record's body. Times in ns of CLOCK_MONOTONIC. */
typedef struct
{
  guint32 kind;                 /* GstShmFrameKind */
  guint64 capture_time;         /* when it was due at the producer, or NONE */
  guint64 publish_time;
} GstShmFrameStamp;

void gst_shm_frame_wire_put_stamp (GstByteWriter * w,
    const GstShmFrameStamp * stamp);
gboolean gst_shm_frame_wire_get_stamp (GstByteReader * r,
    GstShmFrameStamp * stamp);

/* The most bytes of a record's body, with so many parts. */
#define GST_SHM_FRAME_MAX_BODY_SIZE(n_parts) \
    (SF_MAX_FRAME_PAYLOAD - 8 \
    - (n_parts) * (guint) sizeof (struct sf_memory_ref_wire))

/* Appends the buffer's fields and metas to `w`, and its memories, which all lie
 * in slots, to `parts` (of struct sf_memory_ref). Leaves out metas that do not
 * fit, or that take more than `meta_budget` bytes. FALSE if the rest does not
 * fit. */
gboolean gst_shm_frame_wire_put_buffer (GstByteWriter * w, GArray * parts,
    GstBuffer * buffer, guint meta_budget,
    GstShmFrameUnserializable * unserializable);

#define GST_SHM_FRAME_CACHED_SIZE 512

/* The body of the last FRAME record, of a buffer with one memory and at most a
 * video meta. Mostly the next one differs in stamp and head alone: writing over
 * these takes less time than writing it all. */
typedef struct
{
  guint body_size;              /* 0: there is none */
  gsize size;                   /* of the memory */
  GstShmFrameOnlyMeta meta;
  guint8 body[GST_SHM_FRAME_CACHED_SIZE];
} GstShmFrameRecordTemplate;

/* Takes the body written for `buffer`; leaves the template empty if the buffer
 * has more memories or metas than that. */
void gst_shm_frame_record_template_capture (GstShmFrameRecordTemplate * self,
    GstBuffer * buffer, const guint8 * body, guint body_size);
/* Makes the body for `buffer`, which has one memory, of `size` bytes. FALSE if
 * it differs from the captured one in size or metas. */
gboolean gst_shm_frame_record_template_apply (GstShmFrameRecordTemplate * self,
    GstBuffer * buffer, gsize size, const GstShmFrameStamp * stamp);

/* A buffer with the size and the metas of the last frame, made while waiting
 * for the next: these seldom change, and making them takes time that the frame
 * would be late by. */
typedef struct
{
  GstBuffer *buffer;            /* NULL: to be made */
  GstBufferPool *pool;          /* of such buffers; NULL: other metas, or none
                                 * was made yet */
  gsize size;
  guint8 metas[GST_SHM_FRAME_CACHED_SIZE];
  guint metas_size;
  gboolean alike;               /* the last two frames were */
} GstShmFrameBufferCache;

/* To be called before waiting for a frame. */
void gst_shm_frame_buffer_cache_fill (GstShmFrameBufferCache * self);
void gst_shm_frame_buffer_cache_clear (GstShmFrameBufferCache * self);

/* Makes a buffer of the bytes and of the parts from `*parts` on, and moves
 * that. NULL if the bytes make no sense. */
GstBuffer *gst_shm_frame_wire_get_buffer (GstByteReader * r,
    struct sf_lease *lease, const struct sf_memory_ref_mapped **parts,
    const struct sf_memory_ref_mapped *end, GstShmFrameBufferCache * cache);

/* Whether all memories of the buffer lie in slots: it can be sent without a
 * copy. */
gboolean gst_shm_frame_wire_is_shared (GstBuffer * buffer);

/* wire/batch.c: a batch is a buffer with GstSecondBatchMeta. If not all metas
 * fit, each frame may have the same share of the space. */
gboolean gst_shm_frame_wire_put_batch (GstByteWriter * w, GArray * parts,
    GstBuffer * batch, GstShmFrameUnserializable * unserializable);
GstBuffer *gst_shm_frame_wire_get_batch (GstByteReader * r,
    struct sf_lease *lease, const struct sf_memory_ref_mapped **parts,
    const struct sf_memory_ref_mapped *end);
/* Calls `func` for every frame of the batch, until it returns FALSE, and
 * returns that. */
typedef gboolean (*GstShmFrameBatchFunc) (GstBuffer * frame, gpointer user);
gboolean gst_shm_frame_batch_foreach (GstBuffer * batch,
    GstShmFrameBatchFunc func, gpointer user);
/* How many parts of a record its frames are, once all of them lie in slots. */
guint gst_shm_frame_batch_count_parts (GstBuffer * batch);

/* wire/event.c */
/* FALSE if this event cannot be serialized, or does not fit. `capture_time`:
 * when a GAP was due, as for a frame. */
gboolean gst_shm_frame_wire_put_event (GstByteWriter * w, GstEvent * event,
    guint64 capture_time, GstShmFrameUnserializable * unserializable);
/* (transfer full) (nullable) */
GstEvent *gst_shm_frame_wire_get_event (const guint8 * data, gsize size);
/* GST_EVENT_UNKNOWN if the bytes are too few. */
GstEventType gst_shm_frame_wire_get_event_type (const guint8 * data,
    gsize size);
/* The capture time, NONE if there is none. */
guint64 gst_shm_frame_wire_get_event_time (const guint8 * data, gsize size);
/* The key under which a sticky event is kept; 0: not sticky. */
guint64 gst_shm_frame_wire_event_key (GstEvent * event);

/* wire/event-upstream.c: events that go the other way. */
/* FALSE if this one does not. `capture_time`: the timestamp of a QOS event by
 * the clock that all processes share; NONE: running times are the same on both
 * sides. */
gboolean gst_shm_frame_wire_put_upstream (GstByteWriter * w, GstEvent * event,
    guint64 capture_time, GstShmFrameUnserializable * unserializable);
/* (transfer full) (nullable) */
GstEvent *gst_shm_frame_wire_get_upstream (const guint8 * data, gsize size,
    guint64 * capture_time);

G_END_DECLS

#endif
