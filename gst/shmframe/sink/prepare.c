/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes in prepare() what need not wait for render(): the base class does the
 * rest of its work about a frame while clients wake up. At 60 fps, where each frame
 * finds all caches cold, render() would publish it 5 us later (docs/internals/benchmarks.md).
 *
 * The base class holds the preroll lock, under which need_preroll changes, from here
 * to the end of render(). */
#include "shared/compiler.h"
#include "sink/gstshmframesink.h"

/* Will the base class neither preroll with this frame, nor wait for its time, nor
 * step over it, before it renders it? It begins to step behind prepare(), and does
 * not say whether it does. */
SF_HOT static gboolean
is_due_at_once (GstShmFrameSink * self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);

  return !sink->need_preroll && !gst_base_sink_get_sync (sink)
      && !g_atomic_int_get (&self->stepped);
}

SF_HOT GstFlowReturn
gst_shm_frame_sink_prepare (GstBaseSink * sink, GstBuffer * buffer)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (sink);

  self->published = !self->is_batch && self->unsent == 0
      && is_due_at_once (self) && gst_shm_frame_sink_publish_now (self, buffer);
  return GST_FLOW_OK;
}
