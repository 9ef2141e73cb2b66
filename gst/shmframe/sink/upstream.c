/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pushes events from clients upstream of the sink. */
#include "sink/gstshmframesink.h"
#include "wire/wire.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* Takes 256 events of a client at once, then one each 4 ms: more than a mouse
 * makes. Queues as many as that makes in a quarter of a second. */
#define QUOTA (4 * G_TIME_SPAN_MILLISECOND), 256
#define MAX_QUEUED 64

/* What a client may still send. */
typedef struct
{
  guint64 id;
  GstShmFrameQuota events;
  GstShmFrameNames names;
} Allowance;

void
gst_shm_frame_upstream_init (GstShmFrameUpstream * self)
{
  g_mutex_init (&self->lock);
  g_queue_init (&self->events);
  self->clients = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL,
      g_free);
}

void
gst_shm_frame_upstream_clear (GstShmFrameUpstream * self)
{
  g_hash_table_unref (self->clients);
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

/* Returns the client's own allowance. It lives until the client is forgotten,
 * which happens in this same thread. */
static Allowance *
allowance_of (GstShmFrameUpstream * self, guint64 client)
{
  Allowance *allowance;

  g_mutex_lock (&self->lock);
  allowance = g_hash_table_lookup (self->clients, &client);
  if (allowance == NULL) {
    allowance = g_new0 (Allowance, 1);
    allowance->id = client;
    g_hash_table_insert (self->clients, &allowance->id, allowance);
  }
  g_mutex_unlock (&self->lock);
  return allowance;
}

void
gst_shm_frame_upstream_forget (GstShmFrameUpstream * self, guint64 client)
{
  g_mutex_lock (&self->lock);
  g_hash_table_remove (self->clients, &client);
  g_mutex_unlock (&self->lock);
}

static void
count_dropped (GstShmFrameUpstream * self)
{
  g_mutex_lock (&self->lock);
  self->dropped++;
  g_mutex_unlock (&self->lock);
}

guint64
gst_shm_frame_upstream_get_dropped (GstShmFrameUpstream * self)
{
  guint64 dropped;

  g_mutex_lock (&self->lock);
  dropped = self->dropped;
  g_mutex_unlock (&self->lock);
  return dropped;
}

/* (transfer full) */
static void
queue_event (GstShmFrameSink * self, GstEvent * event)
{
  GstShmFrameUpstream *upstream = &self->upstream;
  gboolean start = FALSE, taken = FALSE;

  g_mutex_lock (&upstream->lock);
  if (upstream->events.length < MAX_QUEUED) {
    g_queue_push_tail (&upstream->events, event);
    start = !upstream->pushing;
    upstream->pushing = TRUE;
    taken = TRUE;
  } else {
    upstream->dropped++;
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

/* Makes a QOS event with the running time of our pipeline; NULL if it has none.
 * Takes the event. */
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

/* Whether the event would change what upstream does for all clients. */
static gboolean
concerns_all (GstEvent * event)
{
  return GST_EVENT_TYPE (event) == GST_EVENT_QOS
      || GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE;
}

/* NULL: it makes no sense, or its client sends too many. */
static GstEvent *
read_event (GstShmFrameSink * self, guint64 client, const guint8 * data,
    gsize size, guint64 * capture_time)
{
  Allowance *allowance = allowance_of (&self->upstream, client);
  guint64 before = allowance->names.events;
  GstEvent *event;

  /* Before reading it, which costs more than sending it. */
  if (!gst_shm_frame_quota_take (&allowance->events, QUOTA)) {
    count_dropped (&self->upstream);
    return NULL;
  }
  gst_shm_frame_names_use (&allowance->names);
  event = gst_shm_frame_wire_get_upstream (data, size, capture_time);
  gst_shm_frame_names_use (NULL);
  if (allowance->names.events != before)
    count_dropped (&self->upstream);
  if (event == NULL)
    GST_INFO_OBJECT (self, "ignoring an event of client %" G_GUINT64_FORMAT
        " that makes no sense, or brings too many names", client);
  return event;
}

void
gst_shm_frame_sink_on_upstream (void *user, uint64_t client,
    const uint8_t *data, uint32_t size)
{
  GstShmFrameSink *self = user;
  guint64 capture_time = GST_CLOCK_TIME_NONE;
  GstEvent *event = read_event (self, client, data, size, &capture_time);

  if (event == NULL)
    return;
  /* Upstream must not drop frames for all because one client is slow. */
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
