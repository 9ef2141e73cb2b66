/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Read the frames of one stream of a batch as one array, without a copy. Where
 * contiguous-K is TRUE, frame t begins t * frame-stride-K bytes behind frame 0,
 * in one mapping. Read the array from frame 0's address on: a later frame that
 * is mapped by itself may be at another address (the ring wraps).
 *
 *   GstSecondBatchView view;
 *
 *   if (gst_second_batch_view_map (batch, 0, &view)) {
 *     for (guint t = 0; t < view.frames; t++)
 *       use (gst_second_batch_view_plane (&view, t, 0), view.info.stride[0]);
 *     gst_second_batch_view_unmap (&view);
 *   }
 *
 * Needs gstreamer-video-1.0.
 */
#ifndef GST_SECOND_BATCH_VIEW_H
#define GST_SECOND_BATCH_VIEW_H

#include <gst/video/video.h>

#include "gstsecondbatchmeta.h"

G_BEGIN_DECLS

/*
 * A mapping that holds several memories. `twice`: the same bytes are mapped
 * again right behind it, so that base[size + i] is base[i], and a run of frames
 * that wraps is still one range of addresses.
 */
typedef struct
{
  const guint8 *base;
  gsize size;
  gboolean twice;
} GstSecondBatchRing;

/*
 * An allocator whose memories lie in such rings says where: it has a function
 * of this type as its qdata GST_SECOND_BATCH_RING_QDATA. Returns the address of
 * the memory's first byte, in [base, base + size), which must stay readable as
 * long as the memory lives.
 */
typedef const guint8 *(*GstSecondBatchRingFunc) (GstMemory * memory,
    GstSecondBatchRing * ring);
#define GST_SECOND_BATCH_RING_QDATA "gst-second-batch-ring"

/* Where a memory lies, or NULL. Looks only at memory that costs nothing to map:
 * ordinary memory, and that of an allocator with a function for it. */
static inline const guint8 *
gst_second_batch_locate_ (GstMemory * memory, GstSecondBatchRing * ring)
{
  GstSecondBatchRingFunc func = NULL;
  const guint8 *data;
  GstMapInfo map;

  if (memory->allocator == NULL)
    return NULL;
  func = (GstSecondBatchRingFunc) g_object_get_qdata (G_OBJECT
      (memory->allocator), g_quark_from_string (GST_SECOND_BATCH_RING_QDATA));
  if (func)
    return func (memory, ring);
  if (!gst_memory_is_type (memory, GST_ALLOCATOR_SYSMEM)
      || !gst_memory_map (memory, &map, GST_MAP_READ))
    return NULL;

  /* parts of one allocation begin at the same address without their offset */
  data = map.data;
  ring->base = data - memory->offset;
  ring->size = memory->maxsize;
  ring->twice = FALSE;
  gst_memory_unmap (memory, &map);
  return data;
}

static inline gboolean
gst_second_batch_same_layout_ (GstBuffer * a, GstBuffer * b)
{
  GstVideoMeta *ma = gst_buffer_get_video_meta (a);
  GstVideoMeta *mb = gst_buffer_get_video_meta (b);

  if (ma == NULL || mb == NULL)
    return ma == mb;
  if (ma->format != mb->format || ma->width != mb->width
      || ma->height != mb->height || ma->n_planes != mb->n_planes)
    return FALSE;
  for (guint i = 0; i < ma->n_planes; i++)
    if (ma->offset[i] != mb->offset[i] || ma->stride[i] != mb->stride[i])
      return FALSE;
  return TRUE;
}

/* Finds out from the frames themselves, in this process, whether they are
 * alike, one memory each, and one stride apart in one mapping. @base: the
 * address of the first one; @stride: bytes from one frame to the next */
static inline gboolean
gst_second_batch_find_stride (GstBufferList * frames, const guint8 ** base,
    guint64 * stride)
{
  guint n = gst_buffer_list_length (frames);
  const guint8 *last = NULL;
  gsize size = 0, end = 0;
  GstSecondBatchRing first, ring;

  *base = NULL;
  *stride = 0;
  for (guint i = 0; i < n; i++) {
    GstBuffer *frame = gst_buffer_list_get (frames, i);
    GstMemory *memory;
    const guint8 *data;
    gsize step;

    if (gst_buffer_n_memory (frame) != 1)
      return FALSE;
    memory = gst_buffer_peek_memory (frame, 0);
    data = gst_second_batch_locate_ (memory, &ring);
    if (data == NULL)
      return FALSE;
    if (i == 0) {
      *base = data;
      end = size = memory->size;
      first = ring;
    } else {
      if (ring.base != first.base || memory->size != size
          || !gst_second_batch_same_layout_ (gst_buffer_list_get (frames, 0),
              frame) || (data <= last && !ring.twice))
        return FALSE;
      step = data > last ? (gsize) (data - last)
          : ring.size - (gsize) (last - data);
      if (i == 1)
        *stride = step;
      /* once around is all that the second view has */
      end += step;
      if (step != *stride || step < size || end > ring.size)
        return FALSE;
    }
    last = data;
  }
  if (n == 1)
    *stride = size;
  return n > 0 && size > 0;
}

/* Frames that gst_second_batch_find_stride() found in a row, as one memory; it
 * keeps the frames where they are, and copies nothing. */
static inline GstMemory *
gst_second_batch_span_ (GstBufferList * frames, const guint8 * base,
    guint64 stride)
{
  gsize size = (gst_buffer_list_length (frames) - 1) * (gsize) stride
      + gst_buffer_get_size (gst_buffer_list_get (frames, 0));

  return gst_memory_new_wrapped (GST_MEMORY_FLAG_READONLY, (gpointer) base,
      size, 0, size, gst_buffer_list_ref (frames),
      (GDestroyNotify) gst_buffer_list_unref);
}

/* A mapped stream of a batch. @info has the layout of each frame as it really
 * is, with offsets from the frame's first byte. */
typedef struct
{
  const guint8 *data;           /* frame 0 */
  guint frames;                 /* T */
  guint64 frame_stride;
  GstVideoInfo info;            /* H, W, format, plane offsets, row strides */
  GstBuffer *frame;
  GstMapInfo map;
} GstSecondBatchView;

/* Says how to read the frames of a stream of raw video. The view holds one
 * frame; the others live as long as the batch, which must be kept until
 * gst_second_batch_view_unmap(). FALSE if the frames do not lie one stride
 * apart, or are not what the caps say; read them one by one then, or have
 * secondbatcher's output=memory put them so. */
static inline gboolean
gst_second_batch_view_map (GstBuffer * batch, guint stream,
    GstSecondBatchView * view)
{
  GstBufferList *frames = gst_second_batch_get_buffers (batch, stream);
  GstCaps *caps = gst_second_batch_get_caps (batch, stream);
  GstVideoMeta *meta;

  if (frames == NULL || caps == NULL || !gst_caps_is_fixed (caps)
      || !gst_second_batch_is_contiguous (batch, stream, &view->frame_stride)
      || !gst_video_info_from_caps (&view->info, caps))
    return FALSE;
  view->frame = gst_buffer_list_get (frames, 0);
  if (!gst_buffer_map (view->frame, &view->map, GST_MAP_READ))
    return FALSE;

  /* caps and layout may come from another process, each true or not */
  meta = gst_buffer_get_video_meta (view->frame);
  if (meta ? meta->format != GST_VIDEO_INFO_FORMAT (&view->info)
      || meta->width != (guint) GST_VIDEO_INFO_WIDTH (&view->info)
      || meta->height != (guint) GST_VIDEO_INFO_HEIGHT (&view->info)
      : view->map.size < GST_VIDEO_INFO_SIZE (&view->info)) {
    gst_buffer_unmap (view->frame, &view->map);
    return FALSE;
  }
  for (guint i = 0; meta && i < meta->n_planes; i++) {
    view->info.offset[i] = meta->offset[i];
    view->info.stride[i] = meta->stride[i];
  }
  view->data = view->map.data;
  view->frames = gst_buffer_list_length (frames);
  gst_buffer_ref (view->frame);
  return TRUE;
}

static inline void
gst_second_batch_view_unmap (GstSecondBatchView * view)
{
  gst_buffer_unmap (view->frame, &view->map);
  gst_clear_buffer (&view->frame);
  view->data = NULL;
}

/* The first byte of a plane of frame @t; its rows are view->info.stride[plane]
 * apart. For a packed format (T,H,W,C) has the strides frame_stride,
 * info.stride[0], C, 1; a planar one has such an array per plane. */
static inline const guint8 *
gst_second_batch_view_plane (const GstSecondBatchView * view, guint t,
    guint plane)
{
  return view->data + t * view->frame_stride + view->info.offset[plane];
}

G_END_DECLS

#endif /* GST_SECOND_BATCH_VIEW_H */
