/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstMemory on a slot: a producer's own, writable until it is published, or one
 * of another process, read-only, which goes back when the memory is freed. */
#ifndef GST_SHM_FRAME_ALLOCATOR_H
#define GST_SHM_FRAME_ALLOCATOR_H

#include <gst/gst.h>

#include "consumer/consumer.h"
#include "producer/producer.h"

G_BEGIN_DECLS

#define GST_SHM_FRAME_MEMORY_TYPE "ShmFrame"

#define GST_TYPE_SHM_FRAME_ALLOCATOR (gst_shm_frame_allocator_get_type ())
G_DECLARE_FINAL_TYPE (GstShmFrameAllocator, gst_shm_frame_allocator, GST,
    SHM_FRAME_ALLOCATOR, GstAllocator)

/* Slots that upstream cannot take, so that one is left to copy into: for the
 * sink, and one more for GStreamer, where a decoder keeps what it gives out. */
#define GST_SHM_FRAME_KEEP_SLOTS 2
#define GST_SHM_FRAME_KEEP_SLOTS_OF_COPY 1

/* An allocator that hands out slots of `producer`, and ordinary memory when
 * there is none. It never waits. */
GstShmFrameAllocator *gst_shm_frame_allocator_new (struct sf_producer *producer);

/* How many frames were copied from slot to slot, because who made them keeps
 * them mapped. */
guint64 gst_shm_frame_allocator_get_copies (GstShmFrameAllocator * self);

/* The producer is about to be closed: ordinary memory from now on. */
void gst_shm_frame_allocator_detach (GstShmFrameAllocator * self);

/* While `off`, nobody waits in gst_shm_frame_allocator_poll(): the sink takes
 * nothing, and its clients may keep what they have for as long as they like. */
void gst_shm_frame_allocator_set_off (GstShmFrameAllocator * self,
    gboolean off);

/* Would a slot of `size` bytes be had now? 0, -EAGAIN, -EMSGSIZE, or -ESHUTDOWN.
 * With -EAGAIN, `wait` TRUE waits a while for one, or until interrupted. */
gint gst_shm_frame_allocator_poll (GstShmFrameAllocator * self, gsize size,
    gboolean wait);

/* Sees to it that slots have at least `size` bytes. */
void gst_shm_frame_allocator_want_size (GstShmFrameAllocator * self,
    gsize size);

/* Memory on a slot that the caller took; it becomes the memory's. */
GstMemory *gst_shm_frame_memory_new_slot (const struct sf_slot *slot,
    gsize size);

/* Read-only memory for a part of a received frame of this size. */
GstMemory *gst_shm_frame_memory_new_part (gsize size);
/* On which part it lies, before anybody else sees it; takes a reference on the
 * lease. */
void gst_shm_frame_memory_set_part (GstMemory * memory,
    const struct sf_memory_ref_mapped *part, struct sf_lease *lease);

/* Where it lies, if it is memory of this kind that can be passed on. */
gboolean gst_shm_frame_memory_get_part (GstMemory * memory,
    struct sf_memory_ref *part);

G_END_DECLS

#endif
