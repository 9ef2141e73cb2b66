/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "benchpair.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchtools.h"

#define MAX_SIDES 4

gpointer
bench_pair_new (gsize size)
{
  BenchPair *pair = mmap (NULL, size, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  if (pair == MAP_FAILED)
    g_error ("no memory for a run");
  g_snprintf (pair->path, sizeof (pair->path), "%s/shmframe-pair-%d",
      g_get_tmp_dir (), (gint) getpid ());
  return pair;
}

void
bench_pair_free (gpointer shared, gsize size)
{
  munmap (shared, size);
}

static pid_t
start (BenchPair * pair, BenchProcess side, guint timeout)
{
  pid_t pid = fork ();
  gboolean ok;

  if (pid != 0)
    return pid;
  alarm (timeout);
  gst_init (NULL, NULL);
  ok = side (pair);
  g_atomic_int_set (&pair->stop, TRUE);
  _exit (ok ? 0 : 1);
}

gboolean
bench_pair_run (gpointer shared, const BenchProcess * sides, guint timeout)
{
  pid_t pids[MAX_SIDES];
  BenchPair *pair = shared;
  gboolean ok = TRUE;
  guint n = 0;

  pair->stop = FALSE;
  for (; n < MAX_SIDES && sides[n] != NULL; n++)
    pids[n] = start (pair, sides[n], timeout);
  for (guint i = 0; i < n; i++) {
    int status;

    ok &= pids[i] > 0 && waitpid (pids[i], &status, 0) == pids[i]
        && status == 0;
  }
  unlink (pair->path);
  return ok;
}

/* FALSE: an error, which it says. */
static gboolean
handle_message (GstElement * pipeline, GstMessage * message)
{
  GError *error;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_LATENCY)
    gst_bin_recalculate_latency (GST_BIN (pipeline));
  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR)
    return TRUE;
  gst_message_parse_error (message, &error, NULL);
  g_printerr ("%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
  g_error_free (error);
  return FALSE;
}

gboolean
bench_pair_play (gpointer shared, const gchar * description, GstClock * clock,
    void (*prepare) (GstElement * pipeline, gpointer shared))
{
  BenchPair *pair = shared;
  gchar **parts = g_strsplit (description, "@", -1);
  gchar *line = g_strjoinv (pair->path, parts);
  GstElement *pipeline = gst_parse_launch (line, NULL);
  GstBus *bus = gst_element_get_bus (pipeline);
  gboolean ok = TRUE;

  if (clock != NULL)
    gst_pipeline_use_clock (GST_PIPELINE (pipeline), clock);
  prepare (pipeline, shared);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (ok && !g_atomic_int_get (&pair->stop)) {
    GstMessage *message = gst_bus_timed_pop (bus, BENCH_LOOK_AGAIN);

    ok = message == NULL || handle_message (pipeline, message);
    g_clear_pointer (&message, gst_message_unref);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  g_strfreev (parts);
  g_free (line);
  return ok;
}

void
bench_pair_probe (GstElement * pipeline, const gchar * element,
    const gchar * pad, GstPadProbeType type, GstPadProbeCallback probe,
    gpointer shared)
{
  GstElement *child = gst_bin_get_by_name (GST_BIN (pipeline), element);
  GstPad *of = gst_element_get_static_pad (child, pad);

  gst_pad_add_probe (of, type, probe, shared, NULL);
  gst_object_unref (of);
  gst_object_unref (child);
}
