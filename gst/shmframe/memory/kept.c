/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/kept.h"

#include "memory/allocator.h"
#include "shared/compiler.h"
#include "shared/fork.h"

void
gst_shm_frame_kept_init (GstShmFrameKept * self)
{
  g_mutex_init (&self->lock);
  self->buffers = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_buffer_unref);
  self->generation = sf_generation;
}

void
gst_shm_frame_kept_clear (GstShmFrameKept * self)
{
  g_ptr_array_unref (self->buffers);
  g_mutex_clear (&self->lock);
}

SF_HOT GstBuffer *
gst_shm_frame_kept_take (GstShmFrameKept * self)
{
  GstBuffer *buffer = NULL;

  g_mutex_lock (&self->lock);
  if (self->buffers->len > 0)
    buffer = g_ptr_array_steal_index_fast (self->buffers,
        self->buffers->len - 1);
  g_mutex_unlock (&self->lock);
  return buffer;
}

SF_HOT gboolean
gst_shm_frame_kept_add (GstShmFrameKept * self, GstBuffer * buffer)
{
  /* In a child process the lock may be taken for good. */
  if (sf_is_inherited (self->generation) || gst_buffer_n_memory (buffer) != 1
      || !gst_shm_frame_memory_vacate (gst_buffer_peek_memory (buffer, 0)))
    return FALSE;
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->buffers, buffer);
  g_mutex_unlock (&self->lock);
  return TRUE;
}
