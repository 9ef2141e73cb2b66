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
 * gst-launch-1.0 videotestsrc is-live=true \
 *     ! shmframesink socket-path=/tmp/camera
 * gst-launch-1.0 shmframesrc socket-path=/tmp/camera \
 *     ! videoconvert ! autovideosink
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

/* Frames to hold before downstream says what it needs: one being shown, one
 * kept as its last sample, one on the way, one to spare. */
#define INITIAL_MAX_HELD 4
/* Frames to hold beyond what downstream asks for. */
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

/* Resets what belongs to one stream. */
static void
begin_stream (GstShmFrameSrc * self)
{
  self->stream.discont = self->stream.frames_lost = FALSE;
  self->times.is_before = FALSE;
  gst_segment_init (&self->times.producer_segment, GST_FORMAT_UNDEFINED);
  self->stream.has_started = self->stream.has_caps = FALSE;
  gst_shm_frame_src_reset_latency (self);
  self->stream.segment_sent = FALSE;
  memset (&self->names, 0, sizeof (self->names));
  self->reported.names = FALSE;
  gst_shm_frame_src_forget_sticky (self);
  self->times.last_pts = 0;
  self->times.base_time = GST_CLOCK_TIME_NONE;
  self->reported.at_limit = FALSE;
  self->reported.limit_left = 0;
  self->reported.idle_appsink = FALSE;
  self->stream.own_group = GST_GROUP_ID_INVALID;
  self->seqnums.eos = GST_SEQNUM_INVALID;
  self->seqnums.segment = self->seqnums.own_segment = GST_SEQNUM_INVALID;
  self->flush.started = FALSE;
  self->stream.failed = FALSE;
}

static gboolean
open_consumer (GstShmFrameSrc * self)
{
  struct sf_consumer_config config = { 0 };
  gchar *name = gst_object_get_name (GST_OBJECT (self));
  gboolean live = gst_base_src_is_live (GST_BASE_SRC (self));
  GstShmFrameTimestamps timestamps;
  struct sf_consumer *consumer;
  gint r;

  g_free (self->session.path);
  GST_OBJECT_LOCK (self);
  self->session.path = g_strdup (self->settings.socket_path);
  config.delivery = self->settings.delivery;
  self->session.grow = self->settings.max_held == 0;
  config.grow = self->session.grow;
  config.max_held = self->session.grow ? INITIAL_MAX_HELD
      : self->settings.max_held;
  config.max_lag = (gint64) self->settings.max_lag;
  config.connect_timeout = self->settings.connect_timeout;
  config.spin = (gint64) self->settings.spin;
  timestamps = self->settings.timestamps;
  self->session.keep_times = timestamps == GST_SHM_FRAME_TIMESTAMPS_KEEP
      || (timestamps == GST_SHM_FRAME_TIMESTAMPS_AUTO && !live);
  memset (&self->counts, 0, sizeof (self->counts));
  self->status.position = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);
  begin_stream (self);
  config.flush = self->session.keep_times ? gst_shm_frame_src_on_flush : NULL;
  config.user = self;
  config.path = self->session.path != NULL ? self->session.path : "";
  config.name = name;
  r = sf_consumer_open (&consumer, &config);
  if (r < 0)
    post_open_error (self, self->session.path, r);
  g_free (name);
  if (r < 0)
    return FALSE;
  g_rw_lock_writer_lock (&self->consumer_lock);
  self->consumer = consumer;
  g_rw_lock_writer_unlock (&self->consumer_lock);
  gst_shm_frame_src_watch (self, TRUE);
  GST_INFO_OBJECT (self, "receiving from %s, %u frames held at most, times are "
      "%s", self->session.path, config.max_held,
      self->session.keep_times ? "kept" : "this pipeline's");
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
  GST_INFO_OBJECT (self, "closed");
  GST_OBJECT_LOCK (self);
  gst_clear_event (&self->status.requested_eos);
  GST_OBJECT_UNLOCK (self);
  gst_shm_frame_buffer_cache_clear (&self->stream.buffer_cache);
  gst_shm_frame_clock_clear (&self->times.clock);
  gst_shm_frame_src_report_stopped (self);
}

/* Opens here, not in start(): if that fails, the base class posts a second
 * error, which says nothing. */
static GstStateChangeReturn
gst_shm_frame_src_change_state (GstElement * element, GstStateChange transition)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open_consumer (self))
    return GST_STATE_CHANGE_FAILURE;
  /* A producer that waits for us can say that we are paused. */
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
  message =
      gst_shm_frame_src_explain_error (GST_SHM_FRAME_SRC (element), message);
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

/* There is nothing to negotiate: the producer chose the caps. */
static gboolean
gst_shm_frame_src_negotiate (GstBaseSrc * src)
{
  return TRUE;
}

/* Has no use for downstream's pools, but the number of buffers in them says how
 * many frames downstream is going to hold. */
static gboolean
gst_shm_frame_src_decide_allocation (GstBaseSrc * src, GstQuery * query)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (src);
  guint needed = 0, max_held;

  while (gst_query_get_n_allocation_pools (query) > 0) {
    guint min;

    gst_query_parse_nth_allocation_pool (query, 0, NULL, NULL, &min, NULL);
    needed = MAX (needed, min);
    gst_query_remove_nth_allocation_pool (query, 0);
  }
  GST_OBJECT_LOCK (self);
  max_held = self->settings.max_held;
  GST_OBJECT_UNLOCK (self);
  if (max_held == 0 && needed > 0) {
    GST_INFO_OBJECT (self, "downstream asks for %u frames", needed);
    sf_consumer_want (self->consumer, needed + EXTRA_HELD);
  } else if (max_held < needed) {
    gst_shm_frame_src_report_low_max_held (self, needed, max_held);
  }
  return TRUE;
}

static gboolean
gst_shm_frame_src_is_seekable (GstBaseSrc * src)
{
  return FALSE;
}

/* Drops the STREAM_START of the base class, in favour of the producer's, and a
 * SEGMENT that was sent already; sets the seqnum of EOS. */
static GstPadProbeReturn
filter_events (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstShmFrameSrc *self = user;
  GstEventType type = GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info));
  gboolean drop = FALSE;
  GstEvent *event;

  if (type == GST_EVENT_STREAM_START) {
    /* Once the producer's came, it may pass: an element was linked later. */
    drop = !self->stream.pushing_own && !self->stream.has_started;
  } else if (type == GST_EVENT_SEGMENT && !self->stream.pushing_own
      && self->stream.segment_sent) {
    /* The base class would send it again with the next frame if it was
     * dropped. */
    self->stream.segment_sent = FALSE;
    gst_event_unref (GST_PAD_PROBE_INFO_EVENT (info));
    return GST_PAD_PROBE_HANDLED;
  } else if (type == GST_EVENT_SEGMENT) {
    self->seqnums.own_segment =
        gst_event_get_seqnum (GST_PAD_PROBE_INFO_EVENT (info));
  } else if (type == GST_EVENT_FLUSH_STOP) {
    self->stream.segment_sent = FALSE;
  } else if (type == GST_EVENT_EOS && self->seqnums.eos != GST_SEQNUM_INVALID) {
    event = gst_event_make_writable (GST_PAD_PROBE_INFO_EVENT (info));
    gst_event_set_seqnum (event, self->seqnums.eos);
    GST_PAD_PROBE_INFO_DATA (info) = event;
    self->seqnums.eos = GST_SEQNUM_INVALID;
  }
  return drop ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static void
gst_shm_frame_src_finalize (GObject * object)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (object);

  g_free (self->settings.socket_path);
  g_free (self->session.path);
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
  /* The producer says when the stream ends, not the stop of its segment. */
  gst_base_src_set_automatic_eos (src, FALSE);
  gst_pad_add_probe (GST_BASE_SRC_PAD (src),
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      filter_events, self, NULL);
}
