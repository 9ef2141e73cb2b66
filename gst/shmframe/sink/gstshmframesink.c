/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-shmframesink
 * @title: shmframesink
 * @see_also: shmframesrc
 *
 * Publishes raw video, or the batches of secondbatcher, to any number of
 * shmframesrc in other processes. Frames lie in shared memory and are not
 * copied; upstream elements that take the offered buffer pool write straight
 * into it.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc is-live=true \
 *     ! shmframesink socket-path=/tmp/camera
 * gst-launch-1.0 shmframesrc socket-path=/tmp/camera \
 *     ! videoconvert ! autovideosink
 * ]|
 */
#include "sink/gstshmframesink.h"

#include <errno.h>
#include <string.h>

#include "gstsecondbatchmeta.h"
#include "common/caps.h"
#include "memory/pool.h"

GST_DEBUG_CATEGORY (gst_shm_frame_sink_debug);
#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (GST_SHM_FRAME_CAPS "; " GST_SECOND_BATCH_CAPS_NAME));

#define gst_shm_frame_sink_parent_class parent_class
G_DEFINE_TYPE_WITH_CODE (GstShmFrameSink, gst_shm_frame_sink,
    GST_TYPE_BASE_SINK,
    GST_DEBUG_CATEGORY_INIT (gst_shm_frame_sink_debug, "shmframesink", 0,
        "shared memory frame sink"));
GST_ELEMENT_REGISTER_DEFINE (shmframesink, "shmframesink", GST_RANK_NONE,
    GST_TYPE_SHM_FRAME_SINK);

static gboolean
open_producer (GstShmFrameSink * self)
{
  struct sf_producer_config config = {
    .callbacks = gst_shm_frame_sink_callbacks,
    .user = self,
  };
  struct sf_producer *producer;
  gchar *path;
  gint r;

  GST_OBJECT_LOCK (self);
  path = g_strdup (self->settings.socket_path);
  config.mode = self->settings.socket_mode;
  config.max_clients = self->settings.max_clients;
  config.max_memory = self->settings.max_memory;
  config.slots = self->settings.slots;
  config.huge_pages = self->settings.huge_pages;
  config.min_clients = self->clients_needed = self->settings.min_clients;
  config.client_timeout = self->settings.client_timeout;
  config.stall_timeout = self->settings.stall_timeout;
  memset (&self->counts, 0, sizeof (self->counts));
  GST_OBJECT_UNLOCK (self);

  if (!gst_shm_frame_sink_check_mode (self, config.mode)) {
    g_free (path);
    return FALSE;
  }
  config.path = path != NULL ? path : "";
  r = sf_producer_open (&producer, &config);
  if (r < 0) {
    gst_shm_frame_sink_post_open_error (self, path, r);
    g_free (path);
    return FALSE;
  }
  GST_INFO_OBJECT (self, "serving %s, %" G_GUINT64_FORMAT
      " bytes of frames at most", path, config.max_memory);
  g_free (path);
  g_rw_lock_writer_lock (&self->producer_lock);
  self->allocator = gst_shm_frame_allocator_new (producer);
  self->producer = producer;
  g_rw_lock_writer_unlock (&self->producer_lock);
  return TRUE;
}

/* Pools that upstream has had before wait, or do not, from now on. */
static void
set_lossless (GstShmFrameSink * self, gboolean lossless)
{
  GstShmFrameAllocator *allocator = gst_shm_frame_sink_ref_allocator (self);

  g_atomic_int_set (&self->flags.lossless, lossless);
  if (allocator == NULL)
    return;
  gst_shm_frame_allocator_set_lossless (allocator, lossless);
  gst_object_unref (allocator);
}

/* Resets what belongs to one stream. */
static void
begin_stream (GstShmFrameSink * self)
{
  self->stream.is_batch = FALSE;
  self->reported.format = FALSE;
  self->reported.sticky_events = FALSE;
  self->stream.per_record = 0;
  self->reported.huge_pages = FALSE;
  self->stream.is_published = FALSE;
  self->end.skipped = 0;
  self->end.since = 0;
  gst_shm_frame_sink_set_ending (self, FALSE);
  set_lossless (self, FALSE);
  g_atomic_int_set (&self->flags.stepped, FALSE);
  gst_shm_frame_sink_release_upstream (self, FALSE);
}

static void
close_producer (GstShmFrameSink * self)
{
  struct sf_producer *producer = self->producer;

  /* Wake those who wait in the pool, and give them ordinary memory. */
  sf_producer_interrupt (producer, TRUE);
  gst_shm_frame_allocator_detach (self->allocator);
  g_rw_lock_writer_lock (&self->producer_lock);
  gst_clear_object (&self->allocator);
  self->producer = NULL;
  g_rw_lock_writer_unlock (&self->producer_lock);
  sf_producer_close (producer);
  GST_INFO_OBJECT (self, "closed");
  gst_shm_frame_clock_clear (&self->stream.clock);
  gst_shm_frame_clock_clear (&self->upstream.clock);
}

/* Bins hand an application's EOS to elements that have the SOURCE flag, and to
 * bins that have it. Set both, so that send_event() learns of it. Not before
 * the sink is in its bin: that would take it for a source of data. */
static void
mark_as_source (GstShmFrameSink * self)
{
  GstObject *object = gst_object_ref (GST_OBJECT (self));
  GstObject *parent;

  for (; object != NULL; object = parent) {
    parent = gst_object_get_parent (object);
    if (!GST_IS_BIN (object) || !(gst_bin_get_suppressed_flags (GST_BIN
                (object)) & GST_ELEMENT_FLAG_SOURCE)) {
      GST_OBJECT_LOCK (object);
      GST_OBJECT_FLAG_SET (object, GST_ELEMENT_FLAG_SOURCE);
      GST_OBJECT_UNLOCK (object);
    }
    gst_object_unref (object);
  }
}

/* Opens here, not in start(): if that fails, the base class posts a second
 * error, which says nothing. */
static GstStateChangeReturn
gst_shm_frame_sink_change_state (GstElement * element,
    GstStateChange transition)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY) {
    if (!open_producer (self))
      return GST_STATE_CHANGE_FAILURE;
    if (GST_OBJECT_PARENT (self) != NULL)
      mark_as_source (self);
  }
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    begin_stream (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    gst_shm_frame_sink_release_upstream (self, TRUE);
  ret = GST_ELEMENT_CLASS (parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    sf_producer_end_stream (self->producer);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL
      || (transition == GST_STATE_CHANGE_NULL_TO_READY
          && ret == GST_STATE_CHANGE_FAILURE))
    close_producer (self);
  return ret;
}

static gboolean
gst_shm_frame_sink_unlock (GstBaseSink * sink)
{
  sf_producer_interrupt (GST_SHM_FRAME_SINK (sink)->producer, TRUE);
  return TRUE;
}

static gboolean
gst_shm_frame_sink_unlock_stop (GstBaseSink * sink)
{
  sf_producer_interrupt (GST_SHM_FRAME_SINK (sink)->producer, FALSE);
  return TRUE;
}

/* With delivery=auto, lossless if upstream can wait, which a live source
 * cannot. */
static void
update_delivery (GstShmFrameSink * self)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min = 0, max = GST_CLOCK_TIME_NONE;
  gboolean live = FALSE, lossless;

  if (gst_pad_peer_query (GST_BASE_SINK_PAD (self), query))
    gst_query_parse_latency (query, &live, &min, &max);
  gst_query_unref (query);
  if (!live) {
    min = 0;
    max = GST_CLOCK_TIME_NONE;
  }
  GST_OBJECT_LOCK (self);
  lossless = self->settings.delivery == GST_SHM_FRAME_DELIVERY_LOSSLESS
      || (self->settings.delivery == GST_SHM_FRAME_DELIVERY_AUTO && !live);
  GST_OBJECT_UNLOCK (self);
  set_lossless (self, lossless);
  GST_DEBUG_OBJECT (self, "upstream is %slive, latency %" GST_TIME_FORMAT
      ", delivery is %s", live ? "" : "not ", GST_TIME_ARGS (min),
      lossless ? "lossless" : "live");
  sf_producer_set_delivery (self->producer, live, lossless, min,
      MAX (min, max));
}

static gboolean
gst_shm_frame_sink_set_caps (GstBaseSink * sink, GstCaps * caps)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (sink);
  gsize size;

  GST_DEBUG_OBJECT (self, "caps %" GST_PTR_FORMAT, caps);
  self->stream.is_batch =
      gst_structure_has_name (gst_caps_get_structure (caps, 0),
      GST_SECOND_BATCH_CAPS_NAME);
  update_delivery (self);
  /* Frames of batches mostly are relayed: make slots when one has to be
   * copied. */
  if (self->stream.is_batch) {
    self->reported.format = FALSE;
    return TRUE;
  }
  size = gst_shm_frame_caps_frame_size (caps);
  if (size == 0) {
    if (!self->reported.format)
      GST_ELEMENT_ERROR (self, STREAM, FORMAT,
          ("These caps do not describe raw video of any size; check width, "
              "height and format."), ("caps %" GST_PTR_FORMAT, caps));
    self->reported.format = TRUE;
    return FALSE;
  }
  return gst_shm_frame_sink_make_slots (self, size, 1) == GST_FLOW_OK;
}

static gboolean
propose_pool (GstShmFrameSink * self, GstShmFrameAllocator * allocator,
    GstQuery * query, GstCaps * caps, guint size)
{
  GstBufferPool *pool = gst_shm_frame_pool_new (allocator);
  GstStructure *config = gst_buffer_pool_get_config (pool);
  gboolean ok;

  gst_buffer_pool_config_set_params (config, caps, size, 0, 0);
  gst_buffer_pool_config_set_allocator (config, GST_ALLOCATOR (allocator),
      NULL);
  gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  ok = gst_buffer_pool_set_config (pool, config);
  if (ok)
    gst_query_add_allocation_pool (query, pool, size, 0, 0);
  gst_object_unref (pool);
  return ok;
}

static gboolean
gst_shm_frame_sink_propose_allocation (GstBaseSink * sink, GstQuery * query)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (sink);
  GstShmFrameAllocator *allocator;
  gboolean need_pool, ok;
  GstCaps *caps;
  gsize size;

  gst_query_parse_allocation (query, &caps, &need_pool);
  size = caps != NULL ? gst_shm_frame_caps_frame_size (caps) : 0;
  if (size == 0)
    return FALSE;
  allocator = gst_shm_frame_sink_ref_allocator (self);
  if (allocator == NULL)
    return FALSE;
  ok = !need_pool || propose_pool (self, allocator, query, caps, size);
  if (ok) {
    gst_query_add_allocation_param (query, GST_ALLOCATOR (allocator), NULL);
    gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  }
  gst_object_unref (allocator);
  return ok;
}

static gboolean
gst_shm_frame_sink_event (GstBaseSink * sink, GstEvent * event)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (sink);
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean sent = FALSE;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      /* Publish only caps that we can serve. */
      gst_event_ref (event);
      if (!gst_shm_frame_sink_check_caps (self, event))
        gst_event_unref (event);
      else if (GST_BASE_SINK_CLASS (parent_class)->event (sink, event))
        sent = gst_shm_frame_sink_publish_event (self, event) == GST_FLOW_OK;
      gst_event_unref (event);
      return sent;
    case GST_EVENT_STREAM_START:
      /* As on a pad, caps hold until others come: upstream need not send them
       * again. */
      gst_shm_frame_sink_forget_stream (self, GST_EVENT_STREAM_GROUP_DONE);
      break;
    case GST_EVENT_FLUSH_START:
      gst_shm_frame_sink_release_upstream (self, TRUE);
      gst_shm_frame_sink_flush (self, event);
      break;
    case GST_EVENT_FLUSH_STOP:
      gst_shm_frame_sink_release_upstream (self, FALSE);
      gst_shm_frame_sink_flush (self, event);
      gst_shm_frame_sink_end_stream (self);
      break;
    case GST_EVENT_EOS:
      gst_shm_frame_sink_end_stream (self);
      break;
    case GST_EVENT_SEGMENT:
      update_delivery (self);
      break;
    default:
      break;
  }
  if (GST_EVENT_IS_SERIALIZED (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP)
    ret = gst_shm_frame_sink_publish_event (self, event);
  if (ret != GST_FLOW_OK) {
    gst_event_unref (event);
    return FALSE;
  }
  return GST_BASE_SINK_CLASS (parent_class)->event (sink, event);
}

/* Events that go downstream come here because of mark_as_source(). Sources push
 * them; the sink needs only know that the application wants EOS, since the
 * thread that brings it may be waiting here for clients.
 *
 * A LATENCY event says that upstream's latency may have changed. */
static gboolean
gst_shm_frame_sink_send_event (GstElement * element, GstEvent * event)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (element);
  gboolean is_latency = GST_EVENT_TYPE (event) == GST_EVENT_LATENCY;
  gboolean ret;

  if (GST_EVENT_IS_DOWNSTREAM (event)) {
    if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
      gst_shm_frame_sink_set_ending (self, TRUE);
      gst_shm_frame_sink_release_upstream (self, TRUE);
    }
    gst_event_unref (event);
    return TRUE;
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_STEP)
    g_atomic_int_set (&self->flags.stepped, TRUE);
  ret = GST_ELEMENT_CLASS (parent_class)->send_event (element, event);
  if (is_latency) {
    g_rw_lock_reader_lock (&self->producer_lock);
    if (self->producer != NULL && gst_pad_has_current_caps
        (GST_BASE_SINK_PAD (self)))
      update_delivery (self);
    g_rw_lock_reader_unlock (&self->producer_lock);
  }
  return ret;
}

static void
gst_shm_frame_sink_finalize (GObject * object)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (object);

  g_free (self->settings.socket_path);
  g_free (self->record.body);
  g_array_unref (self->record.parts);
  gst_shm_frame_unserializable_clear (&self->record.unserializable);
  gst_shm_frame_upstream_clear (&self->upstream);
  g_rw_lock_clear (&self->producer_lock);
  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
gst_shm_frame_sink_class_init (GstShmFrameSinkClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  object_class->finalize = gst_shm_frame_sink_finalize;
  gst_shm_frame_sink_install_properties (object_class);
  gst_shm_frame_sink_install_signals (object_class);

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class,
      "Shared memory frame sink", "Sink/Video",
      "Publishes raw video to other processes through shared memory",
      "The gst-shmframe developers");
  element_class->change_state =
      GST_DEBUG_FUNCPTR (gst_shm_frame_sink_change_state);
  element_class->send_event = GST_DEBUG_FUNCPTR (gst_shm_frame_sink_send_event);

  sink_class->unlock = GST_DEBUG_FUNCPTR (gst_shm_frame_sink_unlock);
  sink_class->unlock_stop = GST_DEBUG_FUNCPTR (gst_shm_frame_sink_unlock_stop);
  sink_class->set_caps = GST_DEBUG_FUNCPTR (gst_shm_frame_sink_set_caps);
  sink_class->propose_allocation =
      GST_DEBUG_FUNCPTR (gst_shm_frame_sink_propose_allocation);
  sink_class->event = GST_DEBUG_FUNCPTR (gst_shm_frame_sink_event);
  sink_class->prepare = GST_DEBUG_FUNCPTR (gst_shm_frame_sink_prepare);
  sink_class->render = GST_DEBUG_FUNCPTR (gst_shm_frame_sink_render);

  gst_type_mark_as_plugin_api (GST_TYPE_SHM_FRAME_DELIVERY, 0);
}

static void
gst_shm_frame_sink_init (GstShmFrameSink * self)
{
  gst_shm_frame_sink_init_properties (self);
  g_rw_lock_init (&self->producer_lock);
  self->record.parts =
      g_array_new (FALSE, FALSE, sizeof (struct sf_memory_ref));
  self->record.body = g_malloc (SF_MAX_FRAME_PAYLOAD);
  gst_shm_frame_unserializable_init (&self->record.unserializable,
      GST_OBJECT (self));
  gst_shm_frame_upstream_init (&self->upstream);
  gst_pad_add_probe (GST_BASE_SINK_PAD (self),
      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, gst_shm_frame_sink_probe_caps,
      self, NULL);
  /* Consumers decide what to do with frames outside the segment. */
  gst_base_sink_set_drop_out_of_segment (GST_BASE_SINK (self), FALSE);
  /* Hand live frames over when they arrive, not when they are due. */
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
  /* The last sample would keep a slot. */
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}
