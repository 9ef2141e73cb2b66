/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream's frames as one memory (output=memory); source pad's task */
#include "batcher/batcher.h"
#include "gstsecondbatchview.h"

/* Aligns copied frames for vector instructions */
#define FRAME_ALIGN 64

void
second_pad_clear_span (GstSecondBatcherPad * pad)
{
  if (pad->span_pool)
    gst_buffer_pool_set_active (pad->span_pool, FALSE);
  gst_clear_object (&pad->span_pool);
  pad->span_size = 0;
}

/* Makes room for some frames more: a camera's windows vary in number */
static gboolean
ensure_pool (GstSecondBatcherPad * pad, gsize stride, guint n)
{
  g_autoptr (GstAllocator) sysmem = gst_allocator_find (GST_ALLOCATOR_SYSMEM);
  GstAllocationParams params;
  GstStructure *config;

  if (pad->span_pool && pad->span_size >= n * stride)
    return TRUE;
  second_pad_clear_span (pad);
  n += n / 8 + 1;
  if (stride > G_MAXUINT32 / n)
    return FALSE;

  pad->span_pool = gst_buffer_pool_new ();
  pad->span_size = n * stride;
  gst_allocation_params_init (&params);
  params.align = FRAME_ALIGN - 1;
  config = gst_buffer_pool_get_config (pad->span_pool);
  gst_buffer_pool_config_set_params (config, NULL, (guint) pad->span_size, 0,
      0);
  gst_buffer_pool_config_set_allocator (config, sysmem, &params);
  return gst_buffer_pool_set_config (pad->span_pool, config)
      && gst_buffer_pool_set_active (pad->span_pool, TRUE);
}

/* The batch's frames become parts of the copy, so that what upstream gave us
 * goes back at once and the pixels are in memory once. */
static gboolean
gather (SecondStreamWindow * window)
{
  guint n = gst_buffer_list_length (window->list);
  gsize stride = 1;
  g_autoptr (GstBufferList) copies = gst_buffer_list_new_sized (n);
  GstBuffer *room;
  GstMapInfo map;
  guint8 *data;

  for (guint i = 0; i < n; i++)
    stride = MAX (stride, gst_buffer_get_size (gst_buffer_list_get
            (window->list, i)));
  stride = GST_ROUND_UP_N (stride, FRAME_ALIGN);
  if (!ensure_pool (window->pad, stride, n)
      || gst_buffer_pool_acquire_buffer (window->pad->span_pool, &room,
          NULL) != GST_FLOW_OK)
    return FALSE;
  /* system memory keeps its address after unmapping, as long as room lives:
   * until the last memory in it is freed */
  gst_buffer_map (room, &map, GST_MAP_WRITE);
  data = map.data;              /* GStreamer 1.28 forgets it with the map */
  gst_buffer_unmap (room, &map);
  window->memory = gst_memory_new_wrapped (GST_MEMORY_FLAG_READONLY, data,
      n * stride, 0, n * stride, room, (GDestroyNotify) gst_buffer_unref);
  for (guint i = 0; i < n; i++) {
    GstBuffer *frame = gst_buffer_list_get (window->list, i);
    gsize size = gst_buffer_get_size (frame);
    GstBuffer *copy;

    if (gst_buffer_extract (frame, 0, data + i * stride, size) != size)
      return FALSE;
    copy = gst_buffer_copy (frame);
    gst_buffer_replace_all_memory (copy, gst_memory_share (window->memory,
            (gssize) (i * stride), (gssize) size));
    gst_buffer_list_add (copies, copy);
  }
  gst_buffer_list_unref (window->list);
  window->list = g_steal_pointer (&copies);
  window->gathered = n;
  return TRUE;
}

static gboolean
span_window (SecondStreamWindow * window, SecondOutput output)
{
  const guint8 *base;

  window->contiguous = gst_second_batch_find_stride (window->list, &base,
      &window->stride);
  if (output == SECOND_OUTPUT_META)
    return TRUE;
  if (window->contiguous)
    window->memory =
        gst_second_batch_span_ (window->list, base, window->stride);
  else if (gst_buffer_list_length (window->list) == 0)
    window->memory = gst_allocator_alloc (NULL, 0, NULL);
  else if (!gather (window))
    return FALSE;
  else
    window->contiguous = gst_second_batch_find_stride (window->list, &base,
        &window->stride);
  return TRUE;
}

gboolean
second_batcher_span (GstSecondBatcher * self, SecondBatch * batch)
{
  if (batch->output == SECOND_OUTPUT_MEMORY
      && batch->streams->len > gst_buffer_get_max_memory ()) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("A buffer holds %u memories, and there are %u streams; use "
            "output=meta, or several batchers.", gst_buffer_get_max_memory (),
            batch->streams->len), (NULL));
    return FALSE;
  }
  for (guint i = 0; i < batch->streams->len; i++) {
    SecondStreamWindow *window = second_batch_stream (batch, i);

    if (!span_window (window, batch->output)) {
      GST_ELEMENT_ERROR (self, RESOURCE, FAILED,
          ("Cannot copy the frames of pad %s into one memory; use output=meta, "
              "shorter windows, or download the frames before.",
              GST_PAD_NAME (window->pad)), (NULL));
      return FALSE;
    }
    g_mutex_lock (&self->lock);
    window->pad->total_contiguous += window->contiguous;
    window->pad->total_gathered += window->gathered;
    g_mutex_unlock (&self->lock);
  }
  return TRUE;
}
