/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/allocator.h"

#include <errno.h>
#include <string.h>

#include "gstsecondbatchview.h"
#include "shared/compiler.h"

typedef struct
{
  GstMemory mem;
  guint8 *data;
  struct sf_segment *segment;
  guint32 slot_index;
  gsize slot_offset;            /* of data, in the slot */
  struct sf_slot slot;          /* owner NULL: not ours to release */
  struct sf_lease *lease;       /* NULL: not received */
} GstShmFrameMemory;

struct _GstShmFrameAllocator
{
  GstAllocator parent;
  /* Held for reading while the producer is used, for writing to detach it. The
   * producer's own locks come after it, and no others. */
  GRWLock lock;
  struct sf_producer *producer;
  gint lossless, no_wait;       /* atomic */
  guint64 copies;               /* object lock */
};

G_DEFINE_TYPE (GstShmFrameAllocator, gst_shm_frame_allocator,
    GST_TYPE_ALLOCATOR);

/* The allocator of memory that was not allocated: received parts, and slots
 * that the sink copies into. GstMemory needs one. */
static GstAllocator *
default_allocator (void)
{
  static gsize allocator = 0;

  if (g_once_init_enter (&allocator)) {
    GstAllocator *a = g_object_new (GST_TYPE_SHM_FRAME_ALLOCATOR, NULL);

    gst_object_ref_sink (a);
    GST_OBJECT_FLAG_SET (a, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    g_once_init_leave (&allocator, (gsize) a);
  }
  return (GstAllocator *) allocator;
}

static GstShmFrameMemory *
memory_new (GstAllocator * allocator, GstMemoryFlags flags,
    GstMemory * parent, gsize maxsize, gsize offset, gsize size)
{
  GstShmFrameMemory *self = g_new0 (GstShmFrameMemory, 1);

  gst_memory_init (GST_MEMORY_CAST (self), flags, allocator, parent, maxsize,
      0, offset, size);
  return self;
}

SF_HOT static void
set_slot (GstShmFrameMemory * self, const struct sf_slot *slot)
{
  self->slot = *slot;
  self->segment = slot->segment;
  self->slot_index = slot->index;
  self->data = sf_segment_slot (slot->segment, slot->index);
  self->mem.maxsize = slot->segment->pitch;
}

GstMemory *
gst_shm_frame_memory_new_slot (const struct sf_slot *slot, gsize size)
{
  GstShmFrameMemory *self = memory_new (default_allocator (), 0, NULL,
      slot->segment->pitch, 0, size);

  set_slot (self, slot);
  return GST_MEMORY_CAST (self);
}

GstMemory *
gst_shm_frame_memory_new_part (gsize size)
{
  return GST_MEMORY_CAST (memory_new (default_allocator (),
          GST_MEMORY_FLAG_READONLY, NULL, size, 0, size));
}

SF_HOT void
gst_shm_frame_memory_set_part (GstMemory * memory,
    const struct sf_memory_ref_mapped *part, struct sf_lease *lease)
{
  GstShmFrameMemory *self = (GstShmFrameMemory *) memory;

  self->lease = sf_lease_ref (lease);
  self->segment = part->segment;
  self->slot_index = part->slot;
  self->slot_offset = part->offset;
  self->data = (guint8 *) part->data;
}

SF_HOT static gboolean
is_shm_frame_memory (GstMemory * memory)
{
  return memory->allocator != NULL
      && GST_IS_SHM_FRAME_ALLOCATOR (memory->allocator);
}

SF_HOT gboolean
gst_shm_frame_memory_get_part (GstMemory * memory, struct sf_memory_ref *part)
{
  GstShmFrameMemory *self = (GstShmFrameMemory *) memory;

  if (!is_shm_frame_memory (memory)
      || sf_segment_relay_depth_exceeded (self->segment))
    return FALSE;
  part->segment = self->segment;
  part->slot = self->slot_index;
  part->offset = self->slot_offset + memory->offset;
  part->size = memory->size;
  return TRUE;
}

/* Takes a slot for `total` bytes, and makes larger ones first if need be. */
SF_HOT static gboolean
take_slot_unlocked (GstShmFrameAllocator * self, gsize total, guint keep,
    struct sf_slot *slot)
{
  guint64 needed;
  gint r = sf_producer_acquire_slot (self->producer, total, keep, slot);

  if (r == -EMSGSIZE
      && sf_producer_want_slot_size (self->producer, total, &needed) == 0)
    r = sf_producer_acquire_slot (self->producer, total, keep, slot);
  if (r == -EAGAIN)
    sf_producer_miss_slot (self->producer);
  return r == 0;
}

/* FALSE: no slot is free. */
SF_HOT static gboolean
take_slot (GstShmFrameAllocator * self, gsize size,
    const GstAllocationParams * params, guint keep, struct sf_slot *slot)
{
  gsize total = size + params->prefix + params->padding;
  gboolean taken;

  g_rw_lock_reader_lock (&self->lock);
  taken = self->producer != NULL && total >= size
      && take_slot_unlocked (self, total, keep, slot);
  g_rw_lock_reader_unlock (&self->lock);
  return taken;
}

/* Clears what lies around the frame, if that is asked for. */
SF_HOT static void
clear_margins (GstShmFrameMemory * self, gsize size,
    const GstAllocationParams * params)
{
  if (params->flags & GST_MEMORY_FLAG_ZERO_PREFIXED)
    memset (self->data, 0, params->prefix);
  if (params->flags & GST_MEMORY_FLAG_ZERO_PADDED)
    memset (self->data + params->prefix + size, 0, params->padding);
}

/* NULL: no slot is free. */
static GstMemory *
alloc_slot (GstShmFrameAllocator * self, gsize size,
    const GstAllocationParams * params, guint keep)
{
  GstShmFrameMemory *memory;
  struct sf_slot slot;

  if (!take_slot (self, size, params, keep, &slot))
    return NULL;
  memory = memory_new (GST_ALLOCATOR_CAST (self), params->flags, NULL,
      slot.segment->pitch, params->prefix, size);
  set_slot (memory, &slot);
  clear_margins (memory, size, params);
  return GST_MEMORY_CAST (memory);
}

SF_HOT gboolean
gst_shm_frame_allocator_occupy (GstShmFrameAllocator * self,
    GstMemory * memory, gsize size, const GstAllocationParams * params)
{
  struct sf_slot slot;

  if (!take_slot (self, size, params, GST_SHM_FRAME_KEEP_SLOTS, &slot))
    return FALSE;
  set_slot ((GstShmFrameMemory *) memory, &slot);
  memory->offset = params->prefix;
  memory->size = size;
  clear_margins ((GstShmFrameMemory *) memory, size, params);
  return TRUE;
}

/* Returns the slot or the lease. */
SF_HOT static void
let_go (GstShmFrameMemory * self)
{
  if (self->slot.owner != NULL)
    sf_slots_release (&self->slot);
  if (self->lease != NULL)
    sf_lease_unref (self->lease);
}

SF_HOT gboolean
gst_shm_frame_memory_vacate (GstMemory * memory)
{
  GstShmFrameMemory *self = (GstShmFrameMemory *) memory;

  if (!is_shm_frame_memory (memory) || memory->parent != NULL
      || GST_MINI_OBJECT_REFCOUNT_VALUE (memory) != 1)
    return FALSE;
  let_go (self);
  self->slot.owner = NULL;
  self->lease = NULL;
  self->segment = NULL;
  self->data = NULL;
  return TRUE;
}

static gpointer
mem_map (GstMemory * memory, gsize maxsize, GstMapFlags flags)
{
  return ((GstShmFrameMemory *) memory)->data;
}

static void
mem_unmap (GstMemory * memory)
{
  /* Slots stay mapped. */
}

static GstMemory *
mem_share (GstMemory * memory, gssize offset, gssize size)
{
  GstShmFrameMemory *self = (GstShmFrameMemory *) memory;
  GstMemory *parent = memory->parent != NULL ? memory->parent : memory;
  GstShmFrameMemory *sub;

  if (size == -1)
    size = memory->size - offset;
  sub = memory_new (memory->allocator, GST_MINI_OBJECT_FLAGS (parent)
      | GST_MINI_OBJECT_FLAG_LOCK_READONLY, parent, memory->maxsize,
      memory->offset + offset, size);
  sub->data = self->data;
  sub->segment = self->segment;
  sub->slot_index = self->slot_index;
  sub->slot_offset = self->slot_offset;
  return GST_MEMORY_CAST (sub);
}

/* Copies received memory to ordinary memory: somebody downstream who copies in
 * order to write must not use up slots. Copies a slot of ours to another one,
 * if there is: GStreamer copies what video decoders keep mapped for writing,
 * and the sink then need not. */
static GstMemory *
mem_copy (GstMemory * memory, gssize offset, gssize size)
{
  GstShmFrameMemory *self = (GstShmFrameMemory *) memory;
  GstShmFrameAllocator *allocator = GST_SHM_FRAME_ALLOCATOR (memory->allocator);
  GstAllocationParams params;
  GstMemory *copy;
  GstMapInfo map;

  if (size == -1)
    size = (gssize) memory->size > offset ? memory->size - offset : 0;
  gst_allocation_params_init (&params);
  copy = alloc_slot (allocator, size, &params,
      GST_SHM_FRAME_KEEP_SLOTS_OF_COPY);
  if (copy != NULL) {
    GST_OBJECT_LOCK (allocator);
    allocator->copies++;
    GST_OBJECT_UNLOCK (allocator);
  } else {
    copy = gst_allocator_alloc (NULL, size, &params);
  }
  if (copy == NULL)
    return NULL;
  if (!gst_memory_map (copy, &map, GST_MAP_WRITE)) {
    gst_memory_unref (copy);
    return NULL;
  }
  memcpy (map.data, self->data + memory->offset + offset, size);
  gst_memory_unmap (copy, &map);
  return copy;
}

/* Whether one part of a frame begins where the other ends. */
static gboolean
mem_is_span (GstMemory * a, GstMemory * b, gsize * offset)
{
  GstShmFrameMemory *first = (GstShmFrameMemory *) a;
  GstShmFrameMemory *second = (GstShmFrameMemory *) b;

  if (offset != NULL && a->parent != NULL)
    *offset = a->offset - a->parent->offset;
  return first->data + a->offset + a->size == second->data + b->offset;
}

/* Says where the memory lies in the ring of slots. Slots are filled in cyclic
 * order, and the ring is mapped twice, end to end: so a batcher finds a whole
 * window in one piece. */
static const guint8 *
locate_in_ring (GstMemory * memory, GstSecondBatchRing * ring)
{
  GstShmFrameMemory *self = (GstShmFrameMemory *) memory;
  struct sf_run run = sf_segment_run (self->segment, self->data);

  ring->base = run.slots;
  ring->size = run.n_slots * self->segment->pitch;
  ring->twice = run.twice;
  return self->data + memory->offset;
}

static void
alloc_free (GstAllocator * allocator, GstMemory * memory)
{
  GstShmFrameMemory *self = (GstShmFrameMemory *) memory;

  let_go (self);
  g_free (self);
}

static GstMemory *
alloc_alloc (GstAllocator * allocator, gsize size, GstAllocationParams * params)
{
  GstMemory *memory = alloc_slot (GST_SHM_FRAME_ALLOCATOR (allocator), size,
      params, GST_SHM_FRAME_KEEP_SLOTS);

  return memory != NULL ? memory : gst_allocator_alloc (NULL, size, params);
}

guint64
gst_shm_frame_allocator_get_copies (GstShmFrameAllocator * self)
{
  guint64 copies;

  GST_OBJECT_LOCK (self);
  copies = self->copies;
  GST_OBJECT_UNLOCK (self);
  return copies;
}

void
gst_shm_frame_allocator_set_lossless (GstShmFrameAllocator * self,
    gboolean lossless)
{
  g_atomic_int_set (&self->lossless, lossless);
}

void
gst_shm_frame_allocator_set_no_wait (GstShmFrameAllocator * self,
    gboolean no_wait)
{
  g_atomic_int_set (&self->no_wait, no_wait);
}

gboolean
gst_shm_frame_allocator_wait (GstShmFrameAllocator * self, gsize size)
{
  gint r = -ESHUTDOWN;
  gint waited = 0;

  g_rw_lock_reader_lock (&self->lock);
  if (self->producer != NULL) {
    guint64 token = sf_producer_token (self->producer);

    r = g_atomic_int_get (&self->no_wait)
        || !g_atomic_int_get (&self->lossless) ? -ESHUTDOWN
        : sf_producer_poll_slot (self->producer, size,
        GST_SHM_FRAME_KEEP_SLOTS);
    /* Upstream may need more slots than there are: a decoder that plays
     * backwards keeps a whole group of pictures. Then let the ring grow. */
    if (r == -EAGAIN)
      waited = sf_producer_miss_slot (self->producer)
          ? sf_producer_wait (self->producer, token) : -ENODATA;
  }
  g_rw_lock_reader_unlock (&self->lock);
  /* The sink is being paused or stopped, and upstream soon learns of it. */
  if (waited == -EINTR)
    g_usleep (1000);
  /* -ENODATA: no client has a slot to return, waiting would never end. */
  return r == -EAGAIN && waited != -ENODATA;
}

void
gst_shm_frame_allocator_want_size (GstShmFrameAllocator * self, gsize size)
{
  guint64 needed;

  g_rw_lock_reader_lock (&self->lock);
  if (self->producer != NULL
      && sf_producer_want_slot_size (self->producer, size, &needed) < 0)
    GST_INFO_OBJECT (self, "cannot make slots of %" G_GSIZE_FORMAT " bytes",
        size);
  g_rw_lock_reader_unlock (&self->lock);
}

GstShmFrameAllocator *
gst_shm_frame_allocator_new (struct sf_producer *producer)
{
  GstShmFrameAllocator *self = g_object_new (GST_TYPE_SHM_FRAME_ALLOCATOR,
      NULL);

  gst_object_ref_sink (self);
  self->producer = producer;
  return self;
}

void
gst_shm_frame_allocator_detach (GstShmFrameAllocator * self)
{
  g_rw_lock_writer_lock (&self->lock);
  self->producer = NULL;
  g_rw_lock_writer_unlock (&self->lock);
}

static void
gst_shm_frame_allocator_finalize (GObject * object)
{
  g_rw_lock_clear (&GST_SHM_FRAME_ALLOCATOR (object)->lock);
  G_OBJECT_CLASS (gst_shm_frame_allocator_parent_class)->finalize (object);
}

static void
gst_shm_frame_allocator_class_init (GstShmFrameAllocatorClass * klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_shm_frame_allocator_finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = alloc_alloc;
  GST_ALLOCATOR_CLASS (klass)->free = alloc_free;
}

static void
gst_shm_frame_allocator_init (GstShmFrameAllocator * self)
{
  GstAllocator *allocator = GST_ALLOCATOR_CAST (self);

  g_rw_lock_init (&self->lock);
  allocator->mem_type = GST_SHM_FRAME_MEMORY_TYPE;
  allocator->mem_map = mem_map;
  allocator->mem_unmap = mem_unmap;
  allocator->mem_share = mem_share;
  allocator->mem_copy = mem_copy;
  allocator->mem_is_span = mem_is_span;
  g_object_set_qdata (G_OBJECT (self),
      g_quark_from_static_string (GST_SECOND_BATCH_RING_QDATA),
      (gpointer) locate_in_ring);
}
