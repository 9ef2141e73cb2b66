/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/only-meta.h"

#include <string.h>

#include "shared/compiler.h"

#define VIDEO_FIELDS G_STRUCT_OFFSET (GstVideoMeta, flags)

/* Returns the first meta; `n`: how many there are, 2 standing for more. */
SF_HOT static const GstMeta *
first_meta (GstBuffer * buffer, guint * n)
{
  gpointer state = NULL;
  const GstMeta *meta = gst_buffer_iterate_meta (buffer, &state);

  *n = meta == NULL ? 0 : gst_buffer_iterate_meta (buffer, &state) == NULL
      ? 1 : 2;
  return meta;
}

gboolean
gst_shm_frame_only_meta_capture (GstShmFrameOnlyMeta * self, GstBuffer * buffer)
{
  const GstMeta *meta = first_meta (buffer, &self->n);

  if (self->n > 1 || (meta != NULL && meta->info != gst_video_meta_get_info ()))
    return FALSE;
  if (meta != NULL)
    self->meta = *(const GstVideoMeta *) meta;
  return TRUE;
}

SF_HOT gboolean
gst_shm_frame_only_meta_matches (const GstShmFrameOnlyMeta * self,
    GstBuffer * buffer)
{
  guint n;
  const GstMeta *meta = first_meta (buffer, &n);

  return n == self->n && (n == 0 || (meta->info == self->meta.meta.info
          && memcmp ((const guint8 *) meta + VIDEO_FIELDS,
              (const guint8 *) &self->meta + VIDEO_FIELDS,
              sizeof (self->meta) - VIDEO_FIELDS) == 0));
}

void
gst_shm_frame_only_meta_add (const GstShmFrameOnlyMeta * self,
    GstBuffer * buffer)
{
  GstVideoMeta from = self->meta, *to;

  if (self->n == 0)
    return;
  to = gst_buffer_add_video_meta_full (buffer, from.flags, from.format,
      from.width, from.height, from.n_planes, from.offset, from.stride);
  to->id = from.id;
  to->alignment = from.alignment;
}
