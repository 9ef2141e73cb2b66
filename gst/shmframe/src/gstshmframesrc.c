/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-shmframesrc
 * @title: shmframesrc
 * @see_also: shmframesink
 *
 * Receives what a shmframesink in another process publishes, without copying
 * it. Frames are read-only; an element that writes gets a copy of its own.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! shmframesink socket-path=/tmp/camera
 * gst-launch-1.0 shmframesrc socket-path=/tmp/camera ! videoconvert ! autovideosink
 * gst-play-1.0 shmframe:///tmp/camera
 * ]|
 * As a URI a socket is `shmframe:///run/camera`, and at an abstract name
 * `shmframe:@camera` (Since: 0.2).
 */
#include "src/gstshmframesrc.h"

#include <errno.h>
#include <string.h>

#include "gstsecondbatchmeta.h"
#include "common/caps.h"

GST_DEBUG_CATEGORY (gst_shm_frame_src_debug);
#define GST_CAT_DEFAULT gst_shm_frame_src_debug

/* Held before downstream has said what it needs: one being shown, one kept as
 * its last sample, one on the way, one to spare. */
#define INITIAL_MAX_HELD 4
/* Beyond what downstream asks for. */
#define EXTRA_HELD 2
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (GST_SHM_FRAME_CAPS "; " GST_SECOND_BATCH_CAPS_NAME));

#define gst_shm_frame_src_parent_class parent_class
G_DEFINE_TYPE_WITH_CODE (GstShmFrameSrc, gst_shm_frame_src,
    GST_TYPE_PUSH_SRC,
    G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER, gst_shm_frame_src_init_uri)
    GST_DEBUG_CATEGORY_INIT (gst_shm_frame_src_debug, "shmframesrc", 0,
        "shared memory frame source"));
GST_ELEMENT_REGISTER_DEFINE (shmframesrc, "shmframesrc", GST_RANK_NONE,
    GST_TYPE_SHM_FRAME_SRC);

static void
post_open_error (GstShmFrameSrc * self, const gchar * path, gint error)
{
  gchar *text;

  if (error == -EINVAL)
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
        ("No socket-path is set; set it to that of a shmframesink."), (NULL));
  else if (error == -ENAMETOOLONG)
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("socket-path=%s is too long; use one of at most 107 bytes.", path),
        (NULL));
  else {
    text = gst_shm_frame_messages_explain (error);
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("Cannot receive from %s: %s.", path, text), (NULL));
    g_free (text);
  }
}

/* For a new stream. */
static void
begin_stream (GstShmFrameSrc * self)
{
  self->discont = self->lost = self->is_before = FALSE;
  gst_segment_init (&self->theirs, GST_FORMAT_UNDEFINED);
  self->has_started = self->has_caps = FALSE;
  gst_shm_frame_src_reset_latency (self);
  self->segment_sent = FALSE;
  memset (&self->names, 0, sizeof (self->names));
  self->names_told = FALSE;
  gst_shm_frame_src_forget_kept (self);
  self->last_pts = 0;
  self->base_time = GST_CLOCK_TIME_NONE;
  self->holding = FALSE;
  self->held_until = 0;
  self->told_unread = FALSE;
  self->own_group = GST_GROUP_ID_INVALID;
  self->eos_seqnum = GST_SEQNUM_INVALID;
  self->segment_seqnum = self->own_segment_seqnum = GST_SEQNUM_INVALID;
  self->flush_sent = FALSE;
  self->failed = FALSE;
}

static gboolean
open_consumer (GstShmFrameSrc * self)
{
  struct sf_consumer_config config = { 0 };
  gchar *name = gst_object_get_name (GST_OBJECT (self));
  gboolean live = gst_base_src_is_live (GST_BASE_SRC (self));
  struct sf_consumer *consumer;
  gint r;

  g_free (self->path);
  GST_OBJECT_LOCK (self);
  self->path = g_strdup (self->socket_path);
  config.delivery = self->delivery;
  self->grow = self->max_held == 0;
  config.grow = self->grow;
  config.max_held = self->max_held != 0 ? self->max_held : INITIAL_MAX_HELD;
  config.max_lag = (gint64) self->max_lag;
  config.connect_timeout = self->connect_timeout;
  config.spin = (gint64) self->spin;
  self->keep = self->timestamps == GST_SHM_FRAME_TIMESTAMPS_KEEP
      || (self->timestamps == GST_SHM_FRAME_TIMESTAMPS_AUTO && !live);
  memset (&self->counts, 0, sizeof (self->counts));
  self->position = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);
  begin_stream (self);
  config.flush = self->keep ? gst_shm_frame_src_on_flush : NULL;
  config.user = self;
  config.path = self->path != NULL ? self->path : "";
  config.name = name;
  r = sf_consumer_open (&consumer, &config);
  if (r < 0)
    post_open_error (self, self->path, r);
  g_free (name);
  if (r < 0)
    return FALSE;
  g_rw_lock_writer_lock (&self->consumer_lock);
  self->consumer = consumer;
  g_rw_lock_writer_unlock (&self->consumer_lock);
  gst_shm_frame_src_watch (self, TRUE);
  GST_INFO_OBJECT (self, "receiving from %s, %u frames held at most, times are "
      "%s", self->path, config.max_held,
      self->keep ? "kept" : "this pipeline's");
  return TRUE;
}

static void
close_consumer (GstShmFrameSrc * self)
{
  struct sf_consumer *consumer = self->consumer;

  gst_shm_frame_src_watch (self, FALSE);
  g_rw_lock_writer_lock (&self->consumer_lock);
  self->consumer = NULL;
  g_rw_lock_writer_unlock (&self->consumer_lock);
  sf_consumer_close (consumer);
  GST_INFO_OBJECT (self, "receives no more");
  GST_OBJECT_LOCK (self);
  gst_clear_event (&self->requested_eos);
  GST_OBJECT_UNLOCK (self);
  gst_shm_frame_buffer_cache_clear (&self->buffer_cache);
  gst_shm_frame_clock_clear (&self->clock);
  gst_shm_frame_src_tell_stopped (self);
}

/* Not in start(), on whose failure the base class posts a second error that says
 * nothing. */
static GstStateChangeReturn
gst_shm_frame_src_change_state (GstElement * element, GstStateChange transition)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open_consumer (self))
    return GST_STATE_CHANGE_FAILURE;
  /* Whoever waits for us is told why, if it asks. */
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED
      || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    sf_consumer_set_paused (self->consumer, TRUE);
  ret = GST_ELEMENT_CLASS (parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING
      && ret != GST_STATE_CHANGE_FAILURE)
    sf_consumer_set_paused (self->consumer, FALSE);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY
      || (transition == GST_STATE_CHANGE_READY_TO_PAUSED
          && ret == GST_STATE_CHANGE_FAILURE))
    close_consumer (self);
  return ret;
}

static gboolean
gst_shm_frame_src_post_message (GstElement * element, GstMessage * message)
{
  message = gst_shm_frame_src_explain (GST_SHM_FRAME_SRC (element), message);
  return message == NULL
      || GST_ELEMENT_CLASS (parent_class)->post_message (element, message);
}

static void
interrupt (GstShmFrameSrc * self, gboolean on)
{
  g_rw_lock_reader_lock (&self->consumer_lock);
  if (self->consumer != NULL)
    sf_consumer_interrupt (self->consumer, on);
  g_rw_lock_reader_unlock (&self->consumer_lock);
}

static gboolean
gst_shm_frame_src_unlock (GstBaseSrc * src)
{
  interrupt (GST_SHM_FRAME_SRC (src), TRUE);
  return TRUE;
}

static gboolean
gst_shm_frame_src_unlock_stop (GstBaseSrc * src)
{
  interrupt (GST_SHM_FRAME_SRC (src), FALSE);
  return TRUE;
}

/* The caps are the producer's: there is nothing to negotiate. */
static gboolean
gst_shm_frame_src_negotiate (GstBaseSrc * src)
{
  return TRUE;
}

/* Downstream's pools are of no use, but how many buffers it asks for is how many
 * frames it is going to hold. */
static gboolean
gst_shm_frame_src_decide_allocation (GstBaseSrc * src, GstQuery * query)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (src);
  guint most = 0, max_held;

  while (gst_query_get_n_allocation_pools (query) > 0) {
    guint min;

    gst_query_parse_nth_allocation_pool (query, 0, NULL, NULL, &min, NULL);
    most = MAX (most, min);
    gst_query_remove_nth_allocation_pool (query, 0);
  }
  GST_OBJECT_LOCK (self);
  max_held = self->max_held;
  GST_OBJECT_UNLOCK (self);
  if (max_held == 0 && most > 0) {
    GST_INFO_OBJECT (self, "downstream asks for %u frames", most);
    sf_consumer_want (self->consumer, most + EXTRA_HELD);
  } else if (max_held < most) {
    gst_shm_frame_src_tell_asked (self, most, max_held);
  }
  return TRUE;
}

gboolean
gst_shm_frame_src_parent_query (GstBaseSrc * src, GstQuery * query)
{
  return GST_BASE_SRC_CLASS (parent_class)->query (src, query);
}

gboolean
gst_shm_frame_src_parent_event (GstBaseSrc * src, GstEvent * event)
{
  return GST_BASE_SRC_CLASS (parent_class)->event (src, event);
}

gboolean
gst_shm_frame_src_parent_send_event (GstShmFrameSrc * self, GstEvent * event)
{
  return GST_ELEMENT_CLASS (parent_class)->send_event (GST_ELEMENT (self),
      event);
}

static gboolean
gst_shm_frame_src_is_seekable (GstBaseSrc * src)
{
  return FALSE;
}

/* The base class announces a stream of its own; the producer's own STREAM_START
 * is what goes downstream instead. Nor is a segment sent twice. */
static GstPadProbeReturn
filter_events (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstShmFrameSrc *self = user;
  GstEventType type = GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info));
  gboolean drop = FALSE;
  GstEvent *event;

  if (type == GST_EVENT_STREAM_START) {
    /* The producer's is sent again to whoever is linked later. */
    drop = !self->pushing_own && !self->has_started;
  } else if (type == GST_EVENT_SEGMENT && !self->pushing_own
      && self->segment_sent) {
    /* Dropped, it would only be tried again with the next frame. */
    self->segment_sent = FALSE;
    gst_event_unref (GST_PAD_PROBE_INFO_EVENT (info));
    return GST_PAD_PROBE_HANDLED;
  } else if (type == GST_EVENT_SEGMENT) {
    self->own_segment_seqnum =
        gst_event_get_seqnum (GST_PAD_PROBE_INFO_EVENT (info));
  } else if (type == GST_EVENT_FLUSH_STOP) {
    self->segment_sent = FALSE;
  } else if (type == GST_EVENT_EOS && self->eos_seqnum != GST_SEQNUM_INVALID) {
    event = gst_event_make_writable (GST_PAD_PROBE_INFO_EVENT (info));
    gst_event_set_seqnum (event, self->eos_seqnum);
    GST_PAD_PROBE_INFO_DATA (info) = event;
    self->eos_seqnum = GST_SEQNUM_INVALID;
  }
  return drop ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static void
gst_shm_frame_src_finalize (GObject * object)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (object);

  g_free (self->socket_path);
  g_free (self->path);
  g_rw_lock_clear (&self->consumer_lock);
  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
gst_shm_frame_src_class_init (GstShmFrameSrcClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *src_class = GST_BASE_SRC_CLASS (klass);

  object_class->finalize = gst_shm_frame_src_finalize;
  gst_shm_frame_src_install_properties (object_class);

  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class,
      "Shared memory frame source", "Source/Video",
      "Receives raw video from another process through shared memory",
      "The gst-shmframe developers");
  element_class->change_state =
      GST_DEBUG_FUNCPTR (gst_shm_frame_src_change_state);
  element_class->post_message =
      GST_DEBUG_FUNCPTR (gst_shm_frame_src_post_message);
  element_class->send_event = GST_DEBUG_FUNCPTR (gst_shm_frame_src_send_event);

  src_class->unlock = GST_DEBUG_FUNCPTR (gst_shm_frame_src_unlock);
  src_class->unlock_stop = GST_DEBUG_FUNCPTR (gst_shm_frame_src_unlock_stop);
  src_class->negotiate = GST_DEBUG_FUNCPTR (gst_shm_frame_src_negotiate);
  src_class->decide_allocation =
      GST_DEBUG_FUNCPTR (gst_shm_frame_src_decide_allocation);
  src_class->query = GST_DEBUG_FUNCPTR (gst_shm_frame_src_query);
  src_class->event = GST_DEBUG_FUNCPTR (gst_shm_frame_src_event);
  src_class->is_seekable = GST_DEBUG_FUNCPTR (gst_shm_frame_src_is_seekable);
  GST_PUSH_SRC_CLASS (klass)->create =
      GST_DEBUG_FUNCPTR (gst_shm_frame_src_create);

  gst_type_mark_as_plugin_api (GST_TYPE_SHM_FRAME_TIMESTAMPS, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SHM_FRAME_DISCONNECT, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SHM_FRAME_EOS, 0);
}

static void
gst_shm_frame_src_init (GstShmFrameSrc * self)
{
  GstBaseSrc *src = GST_BASE_SRC (self);

  gst_shm_frame_src_init_properties (self);
  g_rw_lock_init (&self->consumer_lock);
  gst_base_src_set_format (src, GST_FORMAT_TIME);
  /* The stop of a segment is not the end: the producer says when that is. */
  gst_base_src_set_automatic_eos (src, FALSE);
  gst_pad_add_probe (GST_BASE_SRC_PAD (src),
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      filter_events, self, NULL);
}
