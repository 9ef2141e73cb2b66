/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of shmframesrc. */
#include "common/properties.h"
#include "src/gstshmframesrc.h"

enum
{
  PROP_0,
  PROP_SOCKET_PATH,
  PROP_IS_LIVE,
  PROP_DELIVERY,
  PROP_TIMESTAMPS,
  PROP_CONNECT_TIMEOUT,
  PROP_ON_DISCONNECT,
  PROP_ON_EOS,
  PROP_MAX_HELD,
  PROP_MAX_LAG,
  PROP_SPIN,
  PROP_CONNECTED,
  PROP_STATS,
};

#define DEFAULT_IS_LIVE TRUE
#define DEFAULT_CONNECT_TIMEOUT (-1)
/* Longer than a busy machine keeps a thread waiting that only takes frames: see
 * docs/elements.md. */
#define DEFAULT_MAX_LAG (500 * GST_MSECOND)

/* Those that are read on the way to PAUSED. */
static void
warn_if_fixed (GstShmFrameSrc * self, GParamSpec * pspec)
{
  gboolean is_open;

  g_rw_lock_reader_lock (&self->consumer_lock);
  is_open = self->consumer != NULL;
  g_rw_lock_reader_unlock (&self->consumer_lock);
  if (is_open)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("%s does not change while the element runs; set it in READY. It is "
            "used from the next start on.", pspec->name), (NULL));
}

static void
gst_shm_frame_src_set_property (GObject * object, guint id,
    const GValue * value, GParamSpec * pspec)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (object);

  if (id == PROP_IS_LIVE) {
    warn_if_fixed (self, pspec);
    gst_base_src_set_live (GST_BASE_SRC (self), g_value_get_boolean (value));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SOCKET_PATH:
      g_free (self->settings.socket_path);
      self->settings.socket_path = g_value_dup_string (value);
      break;
    case PROP_DELIVERY:
      self->settings.delivery = g_value_get_enum (value);
      break;
    case PROP_TIMESTAMPS:
      self->settings.timestamps = g_value_get_enum (value);
      break;
    case PROP_CONNECT_TIMEOUT:
      self->settings.connect_timeout = g_value_get_int64 (value);
      break;
    case PROP_ON_DISCONNECT:
      self->settings.on_disconnect = g_value_get_enum (value);
      break;
    case PROP_ON_EOS:
      self->settings.on_eos = g_value_get_enum (value);
      break;
    case PROP_MAX_HELD:
      self->settings.max_held = g_value_get_uint (value);
      break;
    case PROP_MAX_LAG:
      self->settings.max_lag = g_value_get_uint64 (value);
      break;
    case PROP_SPIN:
      self->settings.spin = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
  if (id != PROP_ON_DISCONNECT && id != PROP_ON_EOS)
    warn_if_fixed (self, pspec);
}

static void
gst_shm_frame_src_get_property (GObject * object, guint id, GValue * value,
    GParamSpec * pspec)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (object);

  if (id == PROP_IS_LIVE) {
    g_value_set_boolean (value, gst_base_src_is_live (GST_BASE_SRC (self)));
    return;
  }
  if (id == PROP_STATS) {
    g_value_take_boxed (value, gst_shm_frame_src_get_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SOCKET_PATH:
      g_value_set_string (value, self->settings.socket_path);
      break;
    case PROP_DELIVERY:
      g_value_set_enum (value, self->settings.delivery);
      break;
    case PROP_TIMESTAMPS:
      g_value_set_enum (value, self->settings.timestamps);
      break;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_int64 (value, self->settings.connect_timeout);
      break;
    case PROP_ON_DISCONNECT:
      g_value_set_enum (value, self->settings.on_disconnect);
      break;
    case PROP_ON_EOS:
      g_value_set_enum (value, self->settings.on_eos);
      break;
    case PROP_MAX_HELD:
      g_value_set_uint (value, self->settings.max_held);
      break;
    case PROP_MAX_LAG:
      g_value_set_uint64 (value, self->settings.max_lag);
      break;
    case PROP_SPIN:
      g_value_set_uint64 (value, self->settings.spin);
      break;
    case PROP_CONNECTED:
      g_value_set_boolean (value, self->status.connected);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
install_connection (GObjectClass * klass)
{
  /**
   * GstShmFrameSrc:socket-path:
   *
   * Where the producer listens: socket-path of its #shmframesink. Set it before
   * PAUSED.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_SOCKET_PATH,
      g_param_spec_string ("socket-path", "Socket path",
          "The socket-path of the shmframesink to receive from: at most 107 "
          "bytes; a leading @ means the abstract namespace. No default: PAUSED "
          "is an error without it", NULL, GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSrc:connect-timeout:
   *
   * How long to wait for a producer; -1: for ever.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_CONNECT_TIMEOUT,
      g_param_spec_int64 ("connect-timeout", "Connect timeout",
          "Nanoseconds to wait for the producer before it is an error (default "
          "-1 = for good, with an INFO message; 0 = not at all)", -1,
          G_MAXINT64, DEFAULT_CONNECT_TIMEOUT, GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSrc:on-disconnect:
   *
   * What to do when the producer is gone.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_ON_DISCONNECT,
      g_param_spec_enum ("on-disconnect", "On disconnect",
          "What to do when the producer is gone, after all that it announced "
          "was delivered (default reconnect)", GST_TYPE_SHM_FRAME_DISCONNECT,
          GST_SHM_FRAME_DISCONNECT_RECONNECT, GST_SHM_FRAME_PARAM_PLAYING));
}

static void
install_stream (GObjectClass * klass)
{
  /**
   * GstShmFrameSrc:is-live:
   *
   * Whether this is a live source. If not, as for work on files, the pipeline
   * prerolls, and #GstShmFrameSrc:timestamps=auto keeps times.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_IS_LIVE,
      g_param_spec_boolean ("is-live", "Is live",
          "Act as a live source (default true); false for work on files: the "
          "pipeline prerolls, and nothing downstream times out",
          DEFAULT_IS_LIVE, GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSrc:timestamps:
   *
   * Whether frames get running times of this pipeline, or keep those of their
   * producer.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_TIMESTAMPS,
      g_param_spec_enum ("timestamps", "Timestamps",
          "clock: this pipeline's running time when the frame was due at its "
          "producer, so that streams of several producers line up; keep: PTS "
          "and segment of the producer; auto, the default: by is-live",
          GST_TYPE_SHM_FRAME_TIMESTAMPS, GST_SHM_FRAME_TIMESTAMPS_AUTO,
          GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSrc:on-eos:
   *
   * What to do at the end of the producer's stream.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_ON_EOS,
      g_param_spec_enum ("on-eos", "On EOS",
          "What to do when the producer's stream ends (default eos)",
          GST_TYPE_SHM_FRAME_EOS, GST_SHM_FRAME_EOS_EOS,
          GST_SHM_FRAME_PARAM_PLAYING));
}

static void
install_delivery (GObjectClass * klass)
{
  /**
   * GstShmFrameSrc:delivery:
   *
   * Whether the producer waits for this consumer. `auto` does as the producer.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_DELIVERY,
      g_param_spec_enum ("delivery", "Delivery",
          "auto, the default, follows the producer; live lets it drop this "
          "consumer's oldest frames rather than wait; lossless is an error if "
          "the producer is live", GST_TYPE_SHM_FRAME_DELIVERY,
          GST_SHM_FRAME_DELIVERY_AUTO, GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSrc:max-lag:
   *
   * How far behind the producer this client may fall, with live delivery.
   * When a frame is published, this client loses those that have waited longer,
   * except the last two, however many slots there are for other clients.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PROP_MAX_LAG,
      g_param_spec_uint64 ("max-lag", "Maximum lag",
          "Live delivery: nanoseconds that frames wait for this consumer; it "
          "loses older ones, except the last two (at most 2^63-1, default "
          "500 ms; 0 = as long as there are slots)", 0, G_MAXINT64,
          DEFAULT_MAX_LAG, GST_SHM_FRAME_PARAM_READY));
}

static void
install_limits (GObjectClass * klass)
{
  /**
   * GstShmFrameSrc:max-held:
   *
   * How many frames may be held at once; 0: as many as downstream needs.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MAX_HELD,
      g_param_spec_uint ("max-held", "Maximum held",
          "Frames that may be held at once (at most 4096; default 0 = what "
          "downstream's ALLOCATION query asks for plus 2, growing when "
          "downstream holds more). An error if the producer cannot make room "
          "for so many", 0, SF_MAX_LEASES, 0, GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSrc:spin:
   *
   * How long to look for the next frame before sleeping, in ns.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_SPIN,
      g_param_spec_uint64 ("spin", "Spin",
          "Nanoseconds to look for the next frame without sleeping (at most "
          "1 s, default 0): less latency for one busy CPU", 0, GST_SECOND, 0,
          GST_SHM_FRAME_PARAM_READY));
}

static void
install_figures (GObjectClass * klass)
{
  /**
   * GstShmFrameSrc:connected:
   *
   * Whether a producer is connected. Notified after each change, from the
   * streaming thread, or from the one that stops the element: do not change
   * states in the handler.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PROP_CONNECTED,
      g_param_spec_boolean ("connected", "Connected",
          "Whether a producer is connected", FALSE,
          GST_SHM_FRAME_PARAM_READABLE));
  /**
   * GstShmFrameSrc:stats:
   *
   * Counts since the start: see the blurb for their names.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counts since the start: connected (boolean), connections, frames, "
          "bytes, bytes-copied (always 0), frames-lost, frames-before (of a "
          "time before this pipeline played), disconts, fields-dropped, "
          "metas-dropped, events-dropped (of names beyond what a connection "
          "may bring), held, max-held, segments, segment-bytes, and the time "
          "from publishing to receiving, in ns: handover-p50, handover-p99, "
          "handover-max (uint64)",
          GST_TYPE_STRUCTURE, GST_SHM_FRAME_PARAM_READABLE));
}

void
gst_shm_frame_src_install_properties (GObjectClass * klass)
{
  klass->set_property = gst_shm_frame_src_set_property;
  klass->get_property = gst_shm_frame_src_get_property;
  install_connection (klass);
  install_stream (klass);
  install_delivery (klass);
  install_limits (klass);
  install_figures (klass);
}

void
gst_shm_frame_src_init_properties (GstShmFrameSrc * self)
{
  self->settings.connect_timeout = DEFAULT_CONNECT_TIMEOUT;
  self->settings.max_lag = DEFAULT_MAX_LAG;
  gst_base_src_set_live (GST_BASE_SRC (self), DEFAULT_IS_LIVE);
}
