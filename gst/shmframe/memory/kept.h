/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers that a pool keeps for the next frames: making a GstBuffer, its
 * GstMemory and its metas anew takes longer than all else that is done for a
 * frame. What is kept has no slot and no lease. Any thread. */
#ifndef GST_SHM_FRAME_KEPT_H
#define GST_SHM_FRAME_KEPT_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;
  GPtrArray *buffers;           /* lock */
  guint32 generation;           /* of its process, see shared/fork.h */
} GstShmFrameKept;

void gst_shm_frame_kept_init (GstShmFrameKept * self);
void gst_shm_frame_kept_clear (GstShmFrameKept * self);

/* NULL: none is kept. */
GstBuffer *gst_shm_frame_kept_take (GstShmFrameKept * self);

/* Keeps the buffer if it has one memory, of ours, that nobody else refers to;
 * returns the slot or lease of that first. FALSE: it is still the caller's. */
gboolean gst_shm_frame_kept_add (GstShmFrameKept * self, GstBuffer * buffer);

G_END_DECLS

#endif
