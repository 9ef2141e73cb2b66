/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events from clients go on upstream of the sink. */
#include "gstshmframesink.h"
#include "gstshmframewire.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* More events in a second than a mouse makes are not passed on; nor do more wait
 * for upstream than that makes in the blink of an eye. */
#define MAX_PER_SECOND 256
#define MAX_QUEUED 64

void
gst_shm_frame_upstream_init (GstShmFrameUpstream * self)
{
  g_mutex_init (&self->lock);
  g_queue_init (&self->events);
}

void
gst_shm_frame_upstream_clear (GstShmFrameUpstream * self)
{
  g_queue_clear_full (&self->events, (GDestroyNotify) gst_event_unref);
  g_mutex_clear (&self->lock);
}

static GstEvent *
take_event (GstShmFrameUpstream * upstream)
{
  GstEvent *event;

  g_mutex_lock (&upstream->lock);
  event = g_queue_pop_head (&upstream->events);
  if (event == NULL)
    upstream->pushing = FALSE;
  g_mutex_unlock (&upstream->lock);
  return event;
}

static void
push_events (GstElement * element, gpointer unused)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (element);
  GstEvent *event;

  while ((event = take_event (&self->upstream)) != NULL) {
    GST_LOG_OBJECT (self, "from a client: %" GST_PTR_FORMAT, event);
    gst_pad_push_event (GST_BASE_SINK_PAD (self), event);
  }
}

/* (transfer full) */
static void
queue_event (GstShmFrameSink * self, GstEvent * event)
{
  GstShmFrameUpstream *upstream = &self->upstream;
  gint64 now = g_get_monotonic_time ();
  gboolean start = FALSE, taken = FALSE;

  g_mutex_lock (&upstream->lock);
  if (now - upstream->window >= G_USEC_PER_SEC) {
    upstream->window = now;
    upstream->n = 0;
  }
  if (upstream->n < MAX_PER_SECOND && upstream->events.length < MAX_QUEUED) {
    upstream->n++;
    g_queue_push_tail (&upstream->events, event);
    start = !upstream->pushing;
    upstream->pushing = TRUE;
    taken = TRUE;
  }
  g_mutex_unlock (&upstream->lock);
  if (!taken) {
    GST_DEBUG_OBJECT (self, "too many events from clients, dropping %"
        GST_PTR_FORMAT, event);
    gst_event_unref (event);
  }
  if (start)
    gst_element_call_async (GST_ELEMENT (self), push_events, NULL, NULL);
}

/* A QOS event with the time as our pipeline has it; NULL if it has not. Takes
 * the event. */
static GstEvent *
translate_qos (GstShmFrameSink * self, GstEvent * event, guint64 capture_time)
{
  GstEvent *own = NULL;
  GstQOSType type;
  gdouble proportion;
  GstClockTimeDiff diff;
  gint64 base, running_time;

  gst_event_parse_qos (event, &type, &proportion, &diff, NULL);
  if (gst_shm_frame_clock_get_base (&self->upstream.clock, GST_ELEMENT (self),
          &base)) {
    running_time = (gint64) (capture_time - base);
    if (running_time >= 0 && diff >= -running_time)
      own = gst_event_new_qos (type, proportion, diff, running_time);
  }
  if (own != NULL)
    gst_event_set_seqnum (own, gst_event_get_seqnum (event));
  gst_event_unref (event);
  return own;
}

/* What tells upstream to do less, or something else, for everybody. */
static gboolean
concerns_all (GstEvent * event)
{
  return GST_EVENT_TYPE (event) == GST_EVENT_QOS
      || GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE;
}

void
gst_shm_frame_sink_on_upstream (void *user, const uint8_t * data,
    uint32_t size)
{
  GstShmFrameSink *self = user;
  guint64 capture_time;
  GstEvent *event = gst_shm_frame_wire_get_upstream (data, size,
      &capture_time);

  if (event == NULL) {
    GST_INFO_OBJECT (self, "passing over a client's event that makes no "
        "sense");
    return;
  }
  /* Upstream of several clients must not drop frames because one is slow. */
  if (concerns_all (event) && gst_shm_frame_sink_get_num_clients (self) != 1) {
    gst_event_unref (event);
    return;
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS
      && capture_time != GST_CLOCK_TIME_NONE)
    event = translate_qos (self, event, capture_time);
  if (event != NULL)
    queue_event (self, event);
}
