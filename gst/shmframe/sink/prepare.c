/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishes in prepare() what need not wait for render(), so that clients wake
 * up while the base class does the rest of its work on the frame. At 60 fps,
 * where each frame finds all caches cold, render() would publish it some
 * microseconds later.
 *
 * The base class holds the preroll lock from here to the end of render();
 * need_preroll changes under that lock. */
#include "shared/compiler.h"
#include "sink/gstshmframesink.h"

/* Whether the base class will render this frame at once: it will not preroll
 * with it, wait for its time, or step over it. It starts a step after
 * prepare(), and does not say so: hence `stepped`. */
SF_HOT static gboolean
is_due_at_once (GstShmFrameSink * self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);

  return !sink->need_preroll && !gst_base_sink_get_sync (sink)
      && !g_atomic_int_get (&self->flags.stepped);
}

SF_HOT GstFlowReturn
gst_shm_frame_sink_prepare (GstBaseSink * sink, GstBuffer * buffer)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (sink);

  self->stream.is_published = !self->stream.is_batch && self->end.skipped == 0
      && is_due_at_once (self) && gst_shm_frame_sink_publish_now (self, buffer);
  return GST_FLOW_OK;
}
