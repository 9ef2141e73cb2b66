/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frame-digest.h"

#include <string.h>

/* FNV-1a, eight bytes a step: a checksum that keeps up with raw video. */
#define DIGEST_START G_GUINT64_CONSTANT (0xcbf29ce484222325)
#define DIGEST_PRIME G_GUINT64_CONSTANT (0x00000100000001b3)

static guint64
digest_row (guint64 digest, const guint8 * row, gsize length)
{
  guint64 word;

  for (; length >= sizeof word; row += sizeof word, length -= sizeof word) {
    memcpy (&word, row, sizeof word);
    digest = (digest ^ word) * DIGEST_PRIME;
    /* The product carries upwards only; bring the high half back down. */
    digest ^= digest >> 32;
  }
  for (; length > 0; row++, length--)
    digest = (digest ^ *row) * DIGEST_PRIME;
  return digest;
}

/* Row by row over the visible part, because strides and padding differ
 * between a decoder's own memory and a shared slot. */
static guint64
digest_component (guint64 digest, const GstVideoFrame * frame, guint component)
{
  const guint8 *row = GST_VIDEO_FRAME_COMP_DATA (frame, component);
  gint stride = GST_VIDEO_FRAME_COMP_STRIDE (frame, component);
  gsize pixels = GST_VIDEO_FRAME_COMP_WIDTH (frame, component);
  gsize length = (pixels - 1) * GST_VIDEO_FRAME_COMP_PSTRIDE (frame, component)
      + (GST_VIDEO_FRAME_COMP_DEPTH (frame, component) + 7) / 8;

  for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (frame, component); y++)
    digest = digest_row (digest, row + (gssize) y * stride, length);
  return digest;
}

gboolean
frame_digest_write (FILE * file, guint stream, GstBuffer * frame,
    const GstVideoInfo * info)
{
  GstVideoFrame mapped;
  guint64 digest = DIGEST_START;

  if (!gst_video_frame_map (&mapped, info, frame, GST_MAP_READ))
    return FALSE;
  for (guint i = 0; i < GST_VIDEO_FRAME_N_COMPONENTS (&mapped); i++)
    digest = digest_component (digest, &mapped, i);
  gst_video_frame_unmap (&mapped);
  return fprintf (file, "%u %016" G_GINT64_MODIFIER "x\n", stream, digest) > 0;
}
