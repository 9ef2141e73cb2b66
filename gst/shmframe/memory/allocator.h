/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstMemory in a slot: one of our producer, writable until it is published, or
 * a received one, read-only, which is returned when the memory is freed. */
#ifndef GST_SHM_FRAME_ALLOCATOR_H
#define GST_SHM_FRAME_ALLOCATOR_H

#include <gst/gst.h>

#include "consumer/consumer.h"
#include "producer/producer.h"

G_BEGIN_DECLS

#define GST_SHM_FRAME_MEMORY_TYPE "ShmFrame"

#define GST_TYPE_SHM_FRAME_ALLOCATOR (gst_shm_frame_allocator_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFrameAllocator, gst_shm_frame_allocator, GST,
    SHM_FRAME_ALLOCATOR, GstAllocator);

/* Slots that upstream cannot allocate, so that one is left to copy into: one
 * for the sink, and one for GStreamer, which copies what a decoder keeps. */
#define GST_SHM_FRAME_KEEP_SLOTS 2
#define GST_SHM_FRAME_KEEP_SLOTS_OF_COPY 1

/* Allocates slots of `producer`, and ordinary memory when none is free. Never
 * waits. */
GstShmFrameAllocator *gst_shm_frame_allocator_new (struct sf_producer
    *producer);

/* How many frames GStreamer copied from slot to slot, because the element that
 * made them keeps them mapped. */
guint64 gst_shm_frame_allocator_get_copies (GstShmFrameAllocator * self);

/* To be called before the producer is closed: allocates ordinary memory from
 * now on. */
void gst_shm_frame_allocator_detach (GstShmFrameAllocator * self);

/* Whether gst_shm_frame_allocator_wait() waits at all: where frames may be
 * dropped, the sink takes slots back. The delivery can change while a pool is
 * in use. */
void gst_shm_frame_allocator_set_lossless (GstShmFrameAllocator * self,
    gboolean lossless);

/* While set, gst_shm_frame_allocator_wait() does not wait: the sink publishes
 * nothing, and clients may keep what they have for as long as they like. */
void gst_shm_frame_allocator_set_no_wait (GstShmFrameAllocator * self,
    gboolean no_wait);

/* Waits for a slot of `size` bytes, a while or until interrupted. FALSE: one is
 * free, or none will be returned; TRUE: wait again. */
gboolean gst_shm_frame_allocator_wait (GstShmFrameAllocator * self, gsize size);

/* Makes slots of at least `size` bytes, if there can be. */
void gst_shm_frame_allocator_want_size (GstShmFrameAllocator * self,
    gsize size);

/* Memory in a slot that the caller acquired. Takes the slot. */
GstMemory *gst_shm_frame_memory_new_slot (const struct sf_slot *slot,
    gsize size);

/* Puts vacated memory of the allocator into a slot. FALSE: none is free. */
gboolean gst_shm_frame_allocator_occupy (GstShmFrameAllocator * self,
    GstMemory * memory, gsize size, const GstAllocationParams * params);
/* Returns slot or lease of memory that is to be used again. FALSE: somebody
 * else refers to it, or it is not ours. */
gboolean gst_shm_frame_memory_vacate (GstMemory * memory);

/* Read-only memory for a part, of this size, of a frame to come. */
GstMemory *gst_shm_frame_memory_new_part (gsize size);
/* Sets the part, before anybody else sees the memory. References the lease. */
void gst_shm_frame_memory_set_part (GstMemory * memory,
    const struct sf_memory_ref_mapped *part, struct sf_lease *lease);

/* Where the memory lies. FALSE: not in a slot, or in one that cannot be passed
 * on, after too many relays. */
gboolean gst_shm_frame_memory_get_part (GstMemory * memory,
    struct sf_memory_ref *part);

G_END_DECLS

#endif
