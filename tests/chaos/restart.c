/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real elements: a shmframesrc goes on while its producer, a process of its
 * own, is killed and started again, each time with other caps. */
#include <gst/gst.h>

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20
/* What it takes on an idle machine is told; this is for a busy one. */
#define RECONNECT_LIMIT (2 * G_USEC_PER_SEC)
/* What is promised, and kept most of the time even by a machine that is busy */
#define PROMPT (G_USEC_PER_SEC / 10)
#define FRAME_LIMIT (20 * G_USEC_PER_SEC)

#define FAIL(...) \
  do { \
    g_printerr (__VA_ARGS__); \
    g_printerr ("\n"); \
    exit (1); \
  } while (0)

/* Under the lock: what the pad probe saw since the last restart. */
struct seen
{
  GMutex lock;
  guint frames;
  gboolean discont;             /* on the first of them */
  gint width;                   /* of the caps then */
  gint caps_width;
};

static GstPadProbeReturn
on_data (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  struct seen *seen = user;

  g_mutex_lock (&seen->lock);
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
    if (seen->frames++ == 0) {
      seen->discont = GST_BUFFER_FLAG_IS_SET (info->data,
          GST_BUFFER_FLAG_DISCONT);
      seen->width = seen->caps_width;
    }
  } else if (GST_EVENT_TYPE (info->data) == GST_EVENT_CAPS) {
    GstCaps *caps;

    gst_event_parse_caps (info->data, &caps);
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "width",
        &seen->caps_width);
  }
  g_mutex_unlock (&seen->lock);
  return GST_PAD_PROBE_OK;
}

static int
width_of (int round)
{
  return 64 + 16 * (round % 4);
}

static pid_t
start_producer (const char *path, int round)
{
  g_autofree gchar *caps =
      g_strdup_printf ("video/x-raw,format=GRAY8,width=%d,height=48,"
      "framerate=100/1", width_of (round));
  g_autofree gchar *socket = g_strdup_printf ("socket-path=%s", path);
  pid_t pid = fork ();

  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    execlp ("gst-launch-1.0", "gst-launch-1.0", "-q", "videotestsrc",
        "is-live=true", "!", caps, "!", "shmframesink", socket, NULL);
    _exit (127);
  }
  return pid;
}

/* When the socket file was made; 0: there is none. (Its inode number may be that
 * of the one before.) */
static gint64
time_of (const char *path)
{
  struct stat st;

  return lstat (path, &st) < 0 ? 0
      : st.st_ctim.tv_sec * G_USEC_PER_SEC + st.st_ctim.tv_nsec / 1000;
}

static guint64
connections_of (GstElement * src)
{
  GstStructure *stats;
  guint64 n = 0;

  g_object_get (src, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "connections", &n);
  gst_structure_free (stats);
  return n;
}

/* From the moment the socket file is a new one, until connected. */
static gint64
time_reconnection (GstElement * src, const char *path, gint64 old, guint64 before)
{
  gint64 until = g_get_monotonic_time () + FRAME_LIMIT, there;

  while (time_of (path) == 0 || time_of (path) == old) {
    if (g_get_monotonic_time () > until)
      FAIL ("there is no socket");
    g_usleep (200);
  }
  there = g_get_monotonic_time ();
  while (connections_of (src) == before) {
    if (g_get_monotonic_time () > until)
      FAIL ("not connected again");
    g_usleep (200);
  }
  return g_get_monotonic_time () - there;
}

static void
await_frames (struct seen *seen, guint n)
{
  gint64 until = g_get_monotonic_time () + FRAME_LIMIT;
  guint frames;

  do {
    if (g_get_monotonic_time () > until)
      FAIL ("no frames");
    g_usleep (1000);
    g_mutex_lock (&seen->lock);
    frames = seen->frames;
    g_mutex_unlock (&seen->lock);
  } while (frames < n);
}

static void
forget (struct seen *seen)
{
  g_mutex_lock (&seen->lock);
  seen->frames = 0;
  g_mutex_unlock (&seen->lock);
}

static void
check_bus (GstElement * pipeline)
{
  GstMessage *message = gst_bus_pop_filtered (GST_ELEMENT_BUS (pipeline),
      GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  GError *error = NULL;

  if (message == NULL)
    return;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    FAIL ("EOS");
  gst_message_parse_error (message, &error, NULL);
  FAIL ("%s", error->message);
}

static gint64
one_round (GstElement * pipeline, struct seen *seen, const char *path,
    pid_t * producer, int round)
{
  g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  guint64 before = connections_of (src);
  gint64 old = time_of (path);
  gint64 took;

  if (*producer > 0) {
    kill (*producer, SIGKILL);
    waitpid (*producer, NULL, 0);
    /* What it had announced is delivered, and belongs to the old stream. */
    g_usleep (50000);
    forget (seen);
  }
  *producer = start_producer (path, round);
  took = time_reconnection (src, path, old, before);
  await_frames (seen, 3 + (guint) round % 7);
  check_bus (pipeline);
  g_mutex_lock (&seen->lock);
  if (!seen->discont)
    FAIL ("round %d: no DISCONT on the first frame", round);
  if (seen->width != width_of (round))
    FAIL ("round %d: %d wide, not %d", round, seen->width, width_of (round));
  g_mutex_unlock (&seen->lock);
  return took;
}

int
main (int argc, char **argv)
{
  struct seen seen = { 0 };
  GstElement *pipeline, *sink;
  GstPad *pad;
  gchar *folder, *path, *line;
  gint64 longest = 0, sum = 0;
  int prompt = 0;
  pid_t producer = 0;

  gst_init (&argc, &argv);
  folder = g_dir_make_tmp ("shmframe-XXXXXX", NULL);
  path = g_build_filename (folder, "s", NULL);
  line = g_strdup_printf ("shmframesrc name=src socket-path=%s ! "
      "fakesink name=sink sync=false", path);
  pipeline = gst_parse_launch (line, NULL);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER
      | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_data, &seen, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (int round = 0; round <= ROUNDS; round++) {
    gint64 took = one_round (pipeline, &seen, path, &producer, round);

    if (took > RECONNECT_LIMIT)
      FAIL ("round %d: reconnected after %" G_GINT64_FORMAT " us", round, took);
    prompt += took <= PROMPT;
    longest = MAX (longest, took);
    sum += took;
  }
  if (prompt <= ROUNDS / 2)
    FAIL ("%d of %d reconnections took less than 100 ms", prompt, ROUNDS + 1);
  kill (producer, SIGINT);
  waitpid (producer, NULL, 0);
  check_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (g_rmdir (folder) < 0)
    FAIL ("a socket file was left behind");
  g_print ("%d restarts; connected after %.1f ms on average, %.1f ms at most\n",
      ROUNDS, (double) sum / (ROUNDS + 1) / 1000, (double) longest / 1000);
  gst_object_unref (pad);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
  g_free (folder);
  g_free (path);
  g_free (line);
  return 0;
}
