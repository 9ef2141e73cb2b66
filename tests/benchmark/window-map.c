/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What it costs to have 25 received frames of 1080p as one array: mapping them,
 * and for comparison copying them. */
#include <gst/gst.h>
#include <glib/gstdio.h>
#include <string.h>

#include "gstsecondbatchview.h"

#define WINDOWS 20

static GstElement *
launch (const gchar * format, const gchar * path)
{
  gchar *line = g_strdup_printf (format, path);
  GstElement *pipeline = gst_parse_launch (line, NULL);

  g_free (line);
  g_assert (pipeline != NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  return pipeline;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return x < y ? -1 : x > y;
}

static gint64
now_ns (void)
{
  return (gint64) gst_util_get_timestamp ();
}

/* FALSE if the frames are in pieces */
static gboolean
measure (GstBuffer * batch, gint64 * map_ns, gint64 * copy_ns)
{
  gint64 start = now_ns ();
  GstSecondBatchView view;
  gsize size;
  guint8 *copy;

  if (!gst_second_batch_view_map (batch, 0, &view))
    return FALSE;
  *map_ns = now_ns () - start;
  size = view.frames * view.frame_stride;
  copy = g_malloc (size);
  start = now_ns ();
  memcpy (copy, view.data, size);
  *copy_ns = now_ns () - start;
  g_free (copy);
  gst_second_batch_view_unmap (&view);
  return TRUE;
}

int
main (int argc, char **argv)
{
  gint64 map_ns[WINDOWS], copy_ns[WINDOWS];
  GstElement *producer, *consumer, *sink;
  guint n = 0, seen = 0;
  gchar *folder, *path;

  gst_init (&argc, &argv);
  folder = g_dir_make_tmp ("shmframe-XXXXXX", NULL);
  path = g_build_filename (folder, "s", NULL);
  producer = launch ("videotestsrc pattern=black ! video/x-raw,format=I420,"
      "width=1920,height=1080,framerate=25/1 ! shmframesink socket-path=%s",
      path);
  consumer = launch ("shmframesrc is-live=false max-held=80 socket-path=%s !"
      " secondbatcher ! appsink name=out sync=false max-buffers=1", path);
  sink = gst_bin_get_by_name (GST_BIN (consumer), "out");
  while (n < WINDOWS) {
    GstSample *sample;

    g_signal_emit_by_name (sink, "pull-sample", &sample);
    g_assert (sample != NULL);
    seen++;
    n += measure (gst_sample_get_buffer (sample), &map_ns[n], &copy_ns[n]);
    gst_sample_unref (sample);
  }
  qsort (map_ns, n, sizeof (gint64), compare);
  qsort (copy_ns, n, sizeof (gint64), compare);
  g_print ("25 frames of 1080p as one array: %u of %u windows in one piece; "
      "map %.1f us (max %.1f), copy %.0f us\n", n, seen, map_ns[n / 2] / 1e3,
      map_ns[n - 1] / 1e3, copy_ns[n / 2] / 1e3);

  gst_object_unref (sink);
  gst_element_set_state (consumer, GST_STATE_NULL);
  gst_element_set_state (producer, GST_STATE_NULL);
  gst_object_unref (consumer);
  gst_object_unref (producer);
  g_rmdir (folder);
  g_free (path);
  g_free (folder);
  return 0;
}
