/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A folder for sockets around each test, pipelines and harnesses around
 * shmframesink and shmframesrc, frames that say which they are. After a test no
 * socket file and no file descriptor may be left.
 */
#ifndef SHMRIG_H
#define SHMRIG_H

#include <glib/gstdio.h>
#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fdcheck.h"
#include "properties.h"

/* How long anything may take before it counts as not happening */
#define RIG_DEADLINE (30 * GST_SECOND)

static gchar *rig_dir;
static gchar *rig_path;         /* of the socket */

static inline void
rig_setup (void)
{
  rig_dir = g_dir_make_tmp ("shmframe-XXXXXX", NULL);
  fail_unless (rig_dir != NULL);
  rig_path = g_build_filename (rig_dir, "s", NULL);
  fdcheck_setup ();
}

static inline void
rig_teardown (void)
{
  fail_unless (g_rmdir (rig_dir) == 0, "a file was left in %s", rig_dir);
  fdcheck_teardown ();
  g_clear_pointer (&rig_path, g_free);
  g_clear_pointer (&rig_dir, g_free);
}

#define RIG_SUITE(name) FDCHECK_SUITE (name, rig_setup, rig_teardown)

/* Polls until `condition`; fails with its text */
#define rig_until(condition)                                                \
  G_STMT_START {                                                            \
    gint64 rig_end_ = g_get_monotonic_time () + RIG_DEADLINE / 1000;        \
    while (!(condition)) {                                                  \
      fail_unless (g_get_monotonic_time () < rig_end_,                      \
          "never came true: " #condition);                                  \
      g_usleep (1000);                                                      \
    }                                                                       \
  } G_STMT_END

/* An element with the test's socket-path; properties as in g_object_set(), but
 * the nicks of enums */
static inline GstElement *
rig_element (const gchar * factory, const gchar * property, ...)
{
  GstElement *e = gst_element_factory_make (factory, NULL);
  va_list args;

  fail_unless (e != NULL, "no %s; see GST_PLUGIN_PATH", factory);
  g_object_set (e, "socket-path", rig_path, NULL);
  va_start (args, property);
  set_properties (e, property, args);
  va_end (args);
  return gst_object_ref_sink (e);
}

/* The sink behind, or the source before, a harness. Drops `element`. */
static inline GstHarness *
rig_harness (GstElement * element)
{
  gboolean is_src = !GST_OBJECT_FLAG_IS_SET (element, GST_ELEMENT_FLAG_SINK);
  GstHarness *h = gst_harness_new_with_element (element,
      is_src ? NULL : "sink", is_src ? "src" : NULL);

  gst_object_unref (element);
  gst_harness_play (h);
  return h;
}

/* A pipeline; every `@` in the description stands for the socket's path */
static inline GstElement *
rig_launch (const gchar * description)
{
  gchar **parts = g_strsplit (description, "@", -1);
  gchar *line = g_strjoinv (rig_path, parts);
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);

  fail_unless (error == NULL, "%s: %s", line, error ? error->message : "");
  g_strfreev (parts);
  g_free (line);
  return pipeline;
}

/* A borrowed child */
static inline GstElement *
rig_child (GstElement * pipeline, const gchar * name)
{
  GstElement *e = gst_bin_get_by_name (GST_BIN (pipeline), name);

  fail_unless (e != NULL, "no %s in the pipeline", name);
  gst_object_unref (e);
  return e;
}

static inline void
rig_state (GstElement * element, GstState state)
{
  fail_if (gst_element_set_state (element,
          state) == GST_STATE_CHANGE_FAILURE, "%s does not go to %s",
      GST_ELEMENT_NAME (element), gst_element_state_get_name (state));
}

static inline void
rig_play (GstElement * pipeline)
{
  rig_state (pipeline, GST_STATE_PLAYING);
}

static inline void
rig_stop (GstElement * pipeline)
{
  rig_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* The next message of these types; an error among what comes before fails */
static inline GstMessage *
rig_message (GstElement * pipeline, GstMessageType types)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE,
      types | GST_MESSAGE_ERROR);
  GError *error = NULL;

  gst_object_unref (bus);
  fail_unless (m != NULL, "no %s message came",
      gst_message_type_get_name (types));
  if (!(GST_MESSAGE_TYPE (m) & types)) {
    gst_message_parse_error (m, &error, NULL);
    fail ("error of %s: %s", GST_MESSAGE_SRC_NAME (m), error->message);
  }
  return m;
}

static inline void
rig_await (GstElement * pipeline, GstMessageType types)
{
  gst_message_unref (rig_message (pipeline, types));
}

static inline void
rig_await_eos (GstElement * pipeline)
{
  rig_await (pipeline, GST_MESSAGE_EOS);
}

/* Waits for the one error that the child posts, and some time for a second one
 * of it. `text`: what it says. Errors of elements that cannot go on because of
 * it do not count. */
static inline void
rig_expect_error (GstElement * pipeline, const gchar * child, gchar ** text)
{
  GstObject *expected = GST_OBJECT (rig_child (pipeline, child));
  GstBus *bus = gst_element_get_bus (pipeline);
  GstClockTime patience = RIG_DEADLINE;
  GstMessage *m;

  *text = NULL;
  while ((m = gst_bus_timed_pop_filtered (bus, patience,
              GST_MESSAGE_ERROR)) != NULL) {
    if (GST_MESSAGE_SRC (m) == expected) {
      GError *error = NULL;

      gst_message_parse_error (m, &error, NULL);
      fail_unless (*text == NULL, "two errors: '%s' and '%s'", *text,
          error->message);
      *text = g_strdup (error->message);
      g_error_free (error);
      patience = 100 * GST_MSECOND;
    }
    gst_message_unref (m);
  }
  gst_object_unref (bus);
  fail_unless (*text != NULL, "no error came from %s", child);
}

/* The next sample of the appsink of this name; NULL at EOS */
static inline GstSample *
rig_try_sample (GstElement * pipeline, const gchar * name)
{
  GstElement *appsink = rig_child (pipeline, name);
  GstSample *sample = NULL;
  gboolean eos = FALSE;

  g_signal_emit_by_name (appsink, "try-pull-sample", RIG_DEADLINE, &sample);
  if (sample == NULL) {
    g_object_get (appsink, "eos", &eos, NULL);
    fail_unless (eos, "neither frame nor EOS came");
  }
  return sample;
}

/* There is to be one; EOS may be an error's */
static inline GstSample *
rig_sample (GstElement * pipeline, const gchar * name)
{
  GstSample *sample = rig_try_sample (pipeline, name);

  if (sample == NULL) {
    GstBus *bus = gst_element_get_bus (pipeline);
    GstMessage *m = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    GError *error = NULL;

    if (m != NULL)
      gst_message_parse_error (m, &error, NULL);
    fail ("EOS instead of a frame%s%s", m != NULL ? ": " : "",
        m != NULL ? error->message : "");
  }
  return sample;
}

static inline GstBuffer *
rig_pull (GstElement * pipeline, const gchar * name)
{
  GstSample *sample = rig_sample (pipeline, name);
  GstBuffer *buffer;

  buffer = gst_buffer_ref (gst_sample_get_buffer (sample));
  gst_sample_unref (sample);
  return buffer;
}

/* Of shmframesink or shmframesrc */
static inline guint64
rig_stat (GstElement * element, const gchar * field)
{
  GstStructure *stats;
  guint64 value = G_MAXUINT64;

  g_object_get (element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, field, &value),
      "no %s in the statistics", field);
  gst_structure_free (stats);
  return value;
}

static inline guint
rig_num_clients (GstElement * sink)
{
  guint n;

  g_object_get (sink, "num-clients", &n, NULL);
  return n;
}

static inline GstCaps *
rig_caps (const gchar * format, gint width, gint height)
{
  return gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, format,
      "width", G_TYPE_INT, width, "height", G_TYPE_INT, height, "framerate",
      GST_TYPE_FRACTION, 25, 1, NULL);
}

/* Byte i of frame `number` */
static inline guint8
rig_byte (guint number, gsize i)
{
  return (guint8) ((number * 2654435761u + i * 40503u + (i >> 8)) >> 5);
}

static inline void
rig_fill (GstBuffer * buffer, guint number)
{
  GstMapInfo map;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = rig_byte (number, i);
  gst_buffer_unmap (buffer, &map);
}

/* Is it all of frame `number`? */
static inline gboolean
rig_is_frame (GstBuffer * buffer, guint number)
{
  GstMapInfo map;
  gboolean is_frame;
  gsize i = 0;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  while (i < map.size && map.data[i] == rig_byte (number, i))
    i++;
  is_frame = i == map.size;
  gst_buffer_unmap (buffer, &map);
  return is_frame;
}

/* Frame `number` of 25 a second, in ordinary memory */
static inline GstBuffer *
rig_frame (guint number, gsize size)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);

  rig_fill (buffer, number);
  GST_BUFFER_PTS (buffer) = number * 40 * GST_MSECOND;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  GST_BUFFER_OFFSET (buffer) = number;
  GST_BUFFER_OFFSET_END (buffer) = number + 1;
  return buffer;
}

/* Into the appsrc of this name. Blocks like the appsrc does. */
static inline void
rig_feed (GstElement * pipeline, const gchar * name, GstBuffer * buffer)
{
  GstFlowReturn ret;

  g_signal_emit_by_name (rig_child (pipeline, name), "push-buffer", buffer,
      &ret);
  fail_unless_equals_int (ret, GST_FLOW_OK);
  gst_buffer_unref (buffer);
}

static inline void
rig_feed_eos (GstElement * pipeline, const gchar * name)
{
  GstFlowReturn ret;

  g_signal_emit_by_name (rig_child (pipeline, name), "end-of-stream", &ret);
}

/* The pool that the sink behind the harness offers for its caps, active */
static inline GstBufferPool *
rig_pool_for (GstHarness * h, GstCaps * caps)
{
  GstQuery *query = gst_query_new_allocation (caps, TRUE);
  GstBufferPool *pool = NULL;

  fail_unless (gst_pad_peer_query (h->srcpad, query));
  fail_unless (gst_query_get_n_allocation_pools (query) > 0);
  gst_query_parse_nth_allocation_pool (query, 0, &pool, NULL, NULL, NULL);
  fail_unless (gst_buffer_pool_set_active (pool, TRUE));
  gst_query_unref (query);
  gst_caps_unref (caps);
  return pool;
}

static inline GstBufferPool *
rig_pool (GstHarness * h)
{
  return rig_pool_for (h, gst_pad_get_current_caps (h->srcpad));
}

static inline GstBuffer *
rig_acquire (GstBufferPool * pool)
{
  GstBuffer *buffer = NULL;

  fail_unless_equals_int (gst_buffer_pool_acquire_buffer (pool, &buffer,
          NULL), GST_FLOW_OK);
  return buffer;
}

static inline void
rig_drop_pool (GstBufferPool * pool)
{
  fail_unless (gst_buffer_pool_set_active (pool, FALSE));
  gst_object_unref (pool);
}

#define RIG_GRAY(w, h) \
    "video/x-raw,format=GRAY8,width=" #w ",height=" #h ",framerate=25/1"
/* GRAY8 rows of this width need no padding: a frame is w * h bytes */
#define RIG_APPSRC(w, h) \
    "appsrc name=in format=time block=true max-buffers=4 caps=" RIG_GRAY (w, h)

/* A peer of one's own on the socket's path: listening, or connected */
static inline int
rig_socket (int type, gboolean listening)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, type | SOCK_CLOEXEC, 0);

  fail_unless (fd >= 0);
  g_strlcpy (address.sun_path, rig_path, sizeof (address.sun_path));
  if (listening)
    fail_unless (bind (fd, (struct sockaddr *) &address,
            sizeof (address)) == 0 && listen (fd, 16) == 0);
  else
    fail_unless (connect (fd, (struct sockaddr *) &address,
            sizeof (address)) == 0);
  return fd;
}

static inline void
rig_close_listener (int fd)
{
  close (fd);
  g_unlink (rig_path);
}

/* What crosses a pad, as one line of text: "stream-start(x) caps(8) frame(0)".
 * `log` is locked by itself. */
typedef struct
{
  GMutex lock;
  GString *text;
} RigLog;

static inline GstPadProbeReturn
rig_log_probe (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  RigLog *log = (RigLog *) user;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  const gchar *id;
  const GstSegment *segment;
  GstCaps *caps;
  gint width = 0;

  g_mutex_lock (&log->lock);
  if (log->text->len > 0)
    g_string_append_c (log->text, ' ');
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    g_string_append_printf (log->text, "frame(%" G_GUINT64_FORMAT ")",
        GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info)));
  } else {
    g_string_append (log->text, GST_EVENT_TYPE_NAME (event));
    if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
      gst_event_parse_stream_start (event, &id);
      g_string_append_printf (log->text, "(%s)", id);
    } else if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
      gst_event_parse_caps (event, &caps);
      gst_structure_get_int (gst_caps_get_structure (caps, 0), "width",
          &width);
      g_string_append_printf (log->text, "(%d)", width);
    } else if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
      gst_event_parse_segment (event, &segment);
      g_string_append_printf (log->text, "(%" G_GUINT64_FORMAT ")",
          segment->start / GST_SECOND);
    }
  }
  g_mutex_unlock (&log->lock);
  return GST_PAD_PROBE_OK;
}

/* Logs what leaves the element's source pad */
static inline void
rig_log_start (RigLog * log, GstElement * element)
{
  GstPad *pad = gst_element_get_static_pad (element, "src");

  g_mutex_init (&log->lock);
  log->text = g_string_new (NULL);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
      | GST_PAD_PROBE_TYPE_BUFFER, rig_log_probe, log, NULL);
  gst_object_unref (pad);
}

static inline gboolean
rig_log_is (RigLog * log, const gchar * expected)
{
  gboolean is;

  g_mutex_lock (&log->lock);
  is = strcmp (log->text->str, expected) == 0;
  g_mutex_unlock (&log->lock);
  return is;
}

/* Waits until it is all there, then for nothing: what is too much differs */
static inline void
rig_log_expect (RigLog * log, const gchar * expected)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000 / 3;

  while (!rig_log_is (log, expected) && g_get_monotonic_time () < end)
    g_usleep (1000);
  fail_unless_equals_string (log->text->str, expected);
}

static inline void
rig_log_stop (RigLog * log)
{
  g_string_free (log->text, TRUE);
  g_mutex_clear (&log->lock);
}

#endif /* SHMRIG_H */
