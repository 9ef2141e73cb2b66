/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits for clients to connect, and for them to return frames. */
#include <errno.h>

#include "shared/clock.h"
#include "sink/gstshmframesink.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* How long clients that take nothing may hold up the end that the application
 * asked for. */
#define END_TIMEOUT GST_SECOND

guint
gst_shm_frame_sink_get_num_clients (GstShmFrameSink * self)
{
  struct sf_producer_stats p = { 0 };

  g_rw_lock_reader_lock (&self->producer_lock);
  if (self->producer != NULL)
    sf_producer_get_stats (self->producer, &p);
  g_rw_lock_reader_unlock (&self->producer_lock);
  return p.n_clients;
}

/* Queries also reach pads that are not active: while the sink stops, or
 * after. */
GstShmFrameAllocator *
gst_shm_frame_sink_ref_allocator (GstShmFrameSink * self)
{
  GstShmFrameAllocator *allocator = NULL;

  g_rw_lock_reader_lock (&self->producer_lock);
  if (self->allocator != NULL)
    allocator = gst_object_ref (self->allocator);
  g_rw_lock_reader_unlock (&self->producer_lock);
  return allocator;
}

/* unlock() wakes a thread that waits in the pool, but it would wait again, and
 * upstream cannot stop, flush or end while it does. */
void
gst_shm_frame_sink_release_upstream (GstShmFrameSink * self, gboolean no_wait)
{
  GstShmFrameAllocator *allocator = gst_shm_frame_sink_ref_allocator (self);

  if (allocator == NULL)
    return;
  gst_shm_frame_allocator_set_no_wait (allocator, no_wait);
  gst_object_unref (allocator);
}

/* Whether nothing was returned for too long since the application asked for the
 * end. */
static gboolean
is_end_overdue (GstShmFrameSink * self, guint64 token)
{
  if (!g_atomic_int_get (&self->flags.ending))
    return FALSE;
  if (self->end.token != token || self->end.since == 0) {
    self->end.token = token;
    self->end.since = sf_now ();
  }
  return sf_now () - self->end.since > (gint64) END_TIMEOUT;
}

/* Called with the preroll lock, as gst_base_sink_wait_preroll() needs it: the
 * base class holds it over frames, and over all serialized events except
 * FLUSH_STOP, which does not wait. */
GstFlowReturn
gst_shm_frame_sink_wait_for_room (GstShmFrameSink * self, guint64 token,
    gint * waited)
{
  *waited = sf_producer_wait (self->producer, token);
  if (*waited != -EINTR)
    return is_end_overdue (self, token) ? GST_FLOW_EOS : GST_FLOW_OK;
  /* unlock() was called: paused until further notice, or flushing. */
  return gst_base_sink_wait_preroll (GST_BASE_SINK (self));
}

/* Says how many clients are missing, unless they have come meanwhile. */
static void
report_missing_clients (GstShmFrameSink * self)
{
  guint n = gst_shm_frame_sink_get_num_clients (self);
  guint missing = self->clients_needed - MIN (n, self->clients_needed);
  gchar *path, *text;

  GST_OBJECT_LOCK (self);
  path = g_strdup (self->settings.socket_path);
  GST_OBJECT_UNLOCK (self);
  if (missing > 0) {
    text = g_strdup_printf ("Waiting for %u %sconsumer%s at %s; set "
        "min-clients=%u not to.", missing, n > 0 ? "more " : "",
        missing > 1 ? "s" : "", path, n);
    if (gst_shm_frame_quota_take (&self->reported.missing_clients,
            GST_SHM_FRAME_WARNING_QUOTA))
      GST_ELEMENT_INFO (self, RESOURCE, NOT_FOUND, ("%s", text), ("%s", text));
    else
      GST_INFO_OBJECT (self, "%s", text);
    g_free (text);
  }
  g_free (path);
}

static GstFlowReturn
wait_for_clients (GstShmFrameSink * self)
{
  gint r;

  report_missing_clients (self);
  while ((r = sf_producer_wait_clients (self->producer,
              self->clients_needed)) < 0) {
    GstFlowReturn ret;

    if (r == -ECANCELED)
      return GST_FLOW_EOS;
    /* unlock() was called: paused until further notice, or flushing. */
    ret = gst_base_sink_wait_preroll (GST_BASE_SINK (self));
    if (ret != GST_FLOW_OK)
      return ret;
  }
  return GST_FLOW_OK;
}

GstFlowReturn
gst_shm_frame_sink_wait_to_publish (GstShmFrameSink * self, gint error,
    guint64 token)
{
  GstFlowReturn ret;
  gint waited;

  GST_LOG_OBJECT (self, "waiting for %s", error == -ENOTCONN ? "clients"
      : "a client to make room");
  if (error == -ENOTCONN)
    return wait_for_clients (self);
  ret = gst_shm_frame_sink_wait_for_room (self, token, &waited);
  /* No frame is out: a client does not read its events. Try again soon. */
  if (waited == -ENODATA)
    g_usleep (1000);
  return ret;
}

void
gst_shm_frame_sink_set_ending (GstShmFrameSink * self, gboolean ending)
{
  g_rw_lock_reader_lock (&self->producer_lock);
  g_atomic_int_set (&self->flags.ending, ending);
  if (self->producer != NULL)
    sf_producer_cancel_wait_clients (self->producer, ending);
  g_rw_lock_reader_unlock (&self->producer_lock);
}

void
gst_shm_frame_sink_end_stream (GstShmFrameSink * self)
{
  if (self->end.skipped > 0)
    GST_ELEMENT_WARNING (self, RESOURCE, WRITE,
        ("%" G_GUINT64_FORMAT " frames were left out when the application "
            "ended the stream, since no consumer took them.",
            self->end.skipped), (NULL));
  self->end.skipped = 0;
  self->end.since = 0;
  if (g_atomic_int_get (&self->flags.ending)) {
    gst_shm_frame_sink_set_ending (self, FALSE);
    gst_shm_frame_sink_release_upstream (self, FALSE);
  }
}
