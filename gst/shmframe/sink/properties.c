/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of shmframesink. */
#include "common/properties.h"
#include "sink/gstshmframesink.h"

enum
{
  PROP_0,
  PROP_SOCKET_PATH,
  PROP_SOCKET_MODE,
  PROP_DELIVERY,
  PROP_MIN_CLIENTS,
  PROP_CLIENT_TIMEOUT,
  PROP_STALL_TIMEOUT,
  PROP_MAX_CLIENTS,
  PROP_SLOTS,
  PROP_MAX_MEMORY,
  PROP_HUGE_PAGES,
  PROP_NUM_CLIENTS,
  PROP_STATS,
};

#define DEFAULT_SOCKET_MODE 0600
#define DEFAULT_MIN_CLIENTS 1
#define DEFAULT_CLIENT_TIMEOUT (5 * GST_SECOND)
#define DEFAULT_MAX_CLIENTS 64
#define DEFAULT_MAX_MEMORY (G_GUINT64_CONSTANT (1) << 30)

/* All but delivery are read on the way to READY. */
static void
warn_if_fixed (GstShmFrameSink * self, GParamSpec * pspec)
{
  gboolean is_open;

  g_rw_lock_reader_lock (&self->producer_lock);
  is_open = self->producer != NULL;
  g_rw_lock_reader_unlock (&self->producer_lock);
  if (is_open)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("%s does not change while the element runs; set it in NULL. It is "
            "used from the next start on.", pspec->name), (NULL));
}

static void
gst_shm_frame_sink_set_property (GObject * object, guint id,
    const GValue * value, GParamSpec * pspec)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SOCKET_PATH:
      g_free (self->settings.socket_path);
      self->settings.socket_path = g_value_dup_string (value);
      break;
    case PROP_SOCKET_MODE:
      self->settings.socket_mode = g_value_get_uint (value);
      break;
    case PROP_DELIVERY:
      self->settings.delivery = g_value_get_enum (value);
      break;
    case PROP_MIN_CLIENTS:
      self->settings.min_clients = g_value_get_uint (value);
      break;
    case PROP_CLIENT_TIMEOUT:
      self->settings.client_timeout = g_value_get_uint64 (value);
      break;
    case PROP_STALL_TIMEOUT:
      self->settings.stall_timeout = g_value_get_uint64 (value);
      break;
    case PROP_MAX_CLIENTS:
      self->settings.max_clients = g_value_get_uint (value);
      break;
    case PROP_SLOTS:
      self->settings.slots = g_value_get_uint (value);
      break;
    case PROP_MAX_MEMORY:
      self->settings.max_memory = g_value_get_uint64 (value);
      break;
    case PROP_HUGE_PAGES:
      self->settings.huge_pages = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
  if (id != PROP_DELIVERY)
    warn_if_fixed (self, pspec);
}

static void
gst_shm_frame_sink_get_property (GObject * object, guint id, GValue * value,
    GParamSpec * pspec)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (object);

  if (id == PROP_NUM_CLIENTS) {
    g_value_set_uint (value, gst_shm_frame_sink_get_num_clients (self));
    return;
  }
  if (id == PROP_STATS) {
    g_value_take_boxed (value, gst_shm_frame_sink_get_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SOCKET_PATH:
      g_value_set_string (value, self->settings.socket_path);
      break;
    case PROP_SOCKET_MODE:
      g_value_set_uint (value, self->settings.socket_mode);
      break;
    case PROP_DELIVERY:
      g_value_set_enum (value, self->settings.delivery);
      break;
    case PROP_MIN_CLIENTS:
      g_value_set_uint (value, self->settings.min_clients);
      break;
    case PROP_CLIENT_TIMEOUT:
      g_value_set_uint64 (value, self->settings.client_timeout);
      break;
    case PROP_STALL_TIMEOUT:
      g_value_set_uint64 (value, self->settings.stall_timeout);
      break;
    case PROP_MAX_CLIENTS:
      g_value_set_uint (value, self->settings.max_clients);
      break;
    case PROP_SLOTS:
      g_value_set_uint (value, self->settings.slots);
      break;
    case PROP_MAX_MEMORY:
      g_value_set_uint64 (value, self->settings.max_memory);
      break;
    case PROP_HUGE_PAGES:
      g_value_set_boolean (value, self->settings.huge_pages);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
install_transport (GObjectClass * klass)
{
  /**
   * GstShmFrameSink:socket-path:
   *
   * Where consumers connect: the path of a socket, or, with a leading `@`, a
   * name in the abstract namespace. Set it before READY.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_SOCKET_PATH,
      g_param_spec_string ("socket-path", "Socket path",
          "Where consumers connect: a path of at most 107 bytes, or with a "
          "leading @ a name in the abstract namespace, which serves the same "
          "user and root only. No default: READY is an error without it, and "
          "where another producer serves it", NULL, GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSink:socket-mode:
   *
   * Permission bits of the socket file.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_SOCKET_MODE,
      g_param_spec_uint ("socket-mode", "Socket mode",
          "Permission bits of the socket file, written in octal (0 to 0777, "
          "READY is an error with more; default 384 = octal 0600: the same "
          "user); processes that may not write to it get an error instead of a "
          "connection", 0, G_MAXUINT, DEFAULT_SOCKET_MODE,
          GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSink:max-clients:
   *
   * How many consumers are served at a time.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MAX_CLIENTS,
      g_param_spec_uint ("max-clients", "Maximum clients",
          "Connections served at a time (1 to 1024, default 64); further "
          "consumers are refused, which is an error there", 1, 1024,
          DEFAULT_MAX_CLIENTS, GST_SHM_FRAME_PARAM_READY));
}

static void
install_delivery (GObjectClass * klass)
{
  /**
   * GstShmFrameSink:delivery:
   *
   * Whether the producer waits for its consumers. `auto` is lossless where
   * upstream is not live, and live where it is.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_DELIVERY,
      g_param_spec_enum ("delivery", "Delivery",
          "Whether the producer waits for its consumers (default auto); if it "
          "does not, a consumer with delivery=lossless gets an error",
          GST_TYPE_SHM_FRAME_DELIVERY, GST_SHM_FRAME_DELIVERY_AUTO,
          GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSink:min-clients:
   *
   * Lossless delivery: how many consumers have to be connected before frames
   * are published.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MIN_CLIENTS,
      g_param_spec_uint ("min-clients", "Minimum clients",
          "Lossless delivery: while fewer consumers than this are connected, "
          "each frame after preroll waits for them, for as long as it takes, "
          "and a message says so (0 to 1024, default 1)", 0, 1024,
          DEFAULT_MIN_CLIENTS, GST_SHM_FRAME_PARAM_READY));
}

static void
install_timeouts (GObjectClass * klass)
{
  /**
   * GstShmFrameSink:client-timeout:
   *
   * Lossless delivery: how long a consumer that the producer waits for may show
   * no sign of life.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_CLIENT_TIMEOUT,
      g_param_spec_uint64 ("client-timeout", "Client timeout",
          "Lossless delivery: nanoseconds without a sign of life after which "
          "the producer disconnects a consumer that it waits for, with a "
          "warning; it waits for one that lives, however slow or paused "
          "(default 5 s, 0 = never)", 0, G_MAXINT64, DEFAULT_CLIENT_TIMEOUT,
          GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSink:stall-timeout:
   *
   * Lossless delivery: how long a consumer that lives may hold up the producer
   * without taking a frame.
   *
   * Since: 0.2
   */
  g_object_class_install_property (klass, PROP_STALL_TIMEOUT,
      g_param_spec_uint64 ("stall-timeout", "Stall timeout",
          "Lossless delivery: nanoseconds after which the producer disconnects "
          "a consumer that it waits for, and that takes no frame although it "
          "lives, with a warning (default 0 = never)", 0, G_MAXINT64, 0,
          GST_SHM_FRAME_PARAM_READY));
}

static void
install_memory (GObjectClass * klass)
{
  /**
   * GstShmFrameSink:slots:
   *
   * How many frames the shared memory holds; 0: as many as consumers need.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_SLOTS,
      g_param_spec_uint ("slots", "Slots",
          "Frames that the shared memory holds (at most 65536; default 0 = as "
          "many as the consumers need, growing within max-memory). A consumer "
          "that needs more gets an error that says how many", 0, 65536, 0,
          GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSink:max-memory:
   *
   * Upper limit of the shared memory for frames, in bytes.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MAX_MEMORY,
      g_param_spec_uint64 ("max-memory", "Maximum memory",
          "Upper limit of the shared memory for frames, in bytes (default 1 "
          "GiB). Caps or consumers that need more get an error that says how "
          "much", 1, G_MAXINT64, DEFAULT_MAX_MEMORY,
          GST_SHM_FRAME_PARAM_READY));
  /**
   * GstShmFrameSink:huge-pages:
   *
   * Whether slots lie on huge pages, as far as there are any.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_HUGE_PAGES,
      g_param_spec_boolean ("huge-pages", "Huge pages",
          "Whether the shared memory for frames lies on huge pages; each frame "
          "then takes whole ones (mostly 2 MiB). If too few are free (sysctl "
          "vm.nr_hugepages), a warning says so, and ordinary ones are used "
          "(default false)", FALSE, GST_SHM_FRAME_PARAM_READY));
}

static void
install_figures (GObjectClass * klass)
{
  /**
   * GstShmFrameSink:num-clients:
   *
   * Consumers connected now. Notified from the control thread.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_NUM_CLIENTS,
      g_param_spec_uint ("num-clients", "Number of clients",
          "Consumers connected now (0 to max-clients)", 0, G_MAXUINT, 0,
          GST_SHM_FRAME_PARAM_READABLE));
  /**
   * GstShmFrameSink:stats:
   *
   * Counts since the start, and a structure for each client: see the blurb for
   * their names.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counts since the start: frames, bytes, frames-copied, "
          "bytes-copied, frames-copied-upstream, frames-dropped, "
          "metas-dropped, upstream-dropped (events from clients), "
          "frames-revoked, clients-seen, clients-evicted, clients-refused, "
          "slots, slots-free, segments, segment-bytes, huge-page-bytes, "
          "growths (uint64), and clients, an array of structures with id, "
          "pid, uid, name, lossless, lingering (disconnected, but it has not "
          "returned all frames), held, queued, lag (ns that it is behind), "
          "max-held, frames, dropped",
          GST_TYPE_STRUCTURE, GST_SHM_FRAME_PARAM_READABLE));
}

void
gst_shm_frame_sink_install_properties (GObjectClass * klass)
{
  klass->set_property = gst_shm_frame_sink_set_property;
  klass->get_property = gst_shm_frame_sink_get_property;
  install_transport (klass);
  install_delivery (klass);
  install_timeouts (klass);
  install_memory (klass);
  install_figures (klass);
}

void
gst_shm_frame_sink_init_properties (GstShmFrameSink * self)
{
  self->settings.socket_mode = DEFAULT_SOCKET_MODE;
  self->settings.min_clients = DEFAULT_MIN_CLIENTS;
  self->settings.client_timeout = DEFAULT_CLIENT_TIMEOUT;
  self->settings.max_clients = DEFAULT_MAX_CLIENTS;
  self->settings.max_memory = DEFAULT_MAX_MEMORY;
}
