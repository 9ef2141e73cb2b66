/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets by URI: what they mean, and that what opens URIs opens them. */
#include "shmrig.h"

static GstElement *
element_of (const gchar * uri, GError ** error)
{
  return gst_element_make_from_uri (GST_URI_SRC, uri, NULL, error);
}

static void
check_path (const gchar * uri, const gchar * path, const gchar * canonical)
{
  GError *error = NULL;
  GstElement *e = element_of (uri, &error);
  gchar *got;

  fail_unless (e != NULL, "%s: %s", uri, error != NULL ? error->message : "");
  gst_object_ref_sink (e);
  g_object_get (e, "socket-path", &got, NULL);
  fail_unless_equals_string (got, path);
  g_free (got);
  got = gst_uri_handler_get_uri (GST_URI_HANDLER (e));
  fail_unless_equals_string (got, canonical);
  g_free (got);
  gst_object_unref (e);
}

GST_START_TEST (test_paths)
{
  check_path ("shmframe:///run/camera", "/run/camera",
      "shmframe:///run/camera");
  check_path ("shmframe:/run/camera", "/run/camera", "shmframe:///run/camera");
  check_path ("SHMFRAME:///run/camera", "/run/camera",
      "shmframe:///run/camera");
  check_path ("shmframe:@camera", "@camera", "shmframe:@camera");
  check_path ("shmframe://@camera", "@camera", "shmframe:@camera");
  check_path ("shmframe:///a%20b%3F%25%40", "/a b?%@",
      "shmframe:///a%20b%3F%25@");
  check_path ("shmframe:///%C3%A9", "/\303\251", "shmframe:///%C3%A9");
}

GST_END_TEST;

GST_START_TEST (test_relative_path)
{
  GstElement *e = rig_element ("shmframesrc", "socket-path", "a/../b", NULL);
  gchar *folder = g_get_current_dir ();
  gchar *want = g_strdup_printf ("shmframe://%s/b", folder);
  gchar *uri = gst_uri_handler_get_uri (GST_URI_HANDLER (e));

  fail_unless_equals_string (uri, want);
  g_free (uri);
  g_free (want);
  g_free (folder);
  g_object_set (e, "socket-path", NULL, NULL);
  fail_unless (gst_uri_handler_get_uri (GST_URI_HANDLER (e)) == NULL);
  gst_object_unref (e);
}

GST_END_TEST;

GST_START_TEST (test_wrong_uris)
{
  static const gchar *const wrong[] = { "shmframe:", "shmframe://",
    "shmframe:///", "shmframe:@", "shmframe:run/camera",
    "shmframe://host/camera", "shmframe:///a?b=c", "shmframe:///a#b",
    "shmframe:///a%00b", "shmframe:///a%zz"
  };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    GError *error = NULL;

    fail_unless (element_of (wrong[i], &error) == NULL, "%s", wrong[i]);
    fail_unless (g_error_matches (error, GST_URI_ERROR,
            GST_URI_ERROR_BAD_REFERENCE), "%s: %s", wrong[i], error->message);
    fail_unless (strstr (error->message, "shmframe:///PATH") != NULL, "%s",
        error->message);
    g_error_free (error);
  }
}

GST_END_TEST;

GST_START_TEST (test_not_while_it_runs)
{
  GstElement *pipeline = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "fakesink");
  GstURIHandler *src = GST_URI_HANDLER (rig_child (pipeline, "src"));
  GError *error = NULL;

  rig_play (pipeline);
  fail_if (gst_uri_handler_set_uri (src, "shmframe:///run/camera", &error));
  fail_unless (g_error_matches (error, GST_URI_ERROR,
          GST_URI_ERROR_BAD_STATE));
  g_error_free (error);
  rig_state (pipeline, GST_STATE_READY);
  fail_unless (gst_uri_handler_set_uri (src, "shmframe:///run/camera", NULL));
  rig_stop (pipeline);
}

GST_END_TEST;

/* Frames of the producer come out of what opens URIs. */
static void
check_opens (const gchar * description)
{
  GstElement *producer, *consumer;

  skip_unless (has_element ("uridecodebin") && has_element ("playbin")
      && has_element ("videotestsrc"),
      "no uridecodebin, playbin, videotestsrc");
  producer =
      rig_launch ("videotestsrc is-live=true ! "
      "video/x-raw,format=GRAY8,width=64,height=48,framerate=100/1 ! "
      "shmframesink socket-path=@");
  rig_play (producer);
  consumer = rig_launch (description);
  rig_play (consumer);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = rig_pull (consumer, "out");

    fail_unless_equals_uint64 (gst_buffer_get_size (buffer), 64 * 48);
    gst_buffer_unref (buffer);
  }
  rig_stop (consumer);
  rig_stop (producer);
}

GST_START_TEST (test_uridecodebin)
{
  check_opens ("uridecodebin uri=shmframe://@ ! appsink name=out");
}

GST_END_TEST;

GST_START_TEST (test_uridecodebin3)
{
  check_opens ("uridecodebin3 uri=shmframe://@ ! appsink name=out");
}

GST_END_TEST;

GST_START_TEST (test_playbin)
{
  GstElement *producer, *player, *out;
  gchar *uri = g_strdup_printf ("shmframe://%s", rig_path);
  GstSample *sample = NULL;

  skip_unless (has_element ("playbin") && has_element ("videotestsrc"),
      "no playbin, videotestsrc");
  producer = rig_launch ("videotestsrc is-live=true ! "
      "video/x-raw,format=GRAY8,width=64,height=48,framerate=100/1 ! "
      "shmframesink socket-path=@");
  rig_play (producer);
  player = gst_element_factory_make ("playbin", NULL);
  out = gst_element_factory_make ("appsink", NULL);
  g_object_set (player, "uri", uri, "video-sink", out, NULL);
  rig_play (player);
  g_signal_emit_by_name (out, "try-pull-sample", RIG_DEADLINE, &sample);
  fail_unless (sample != NULL);
  gst_sample_unref (sample);
  rig_stop (player);
  rig_stop (producer);
  g_free (uri);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_paths);
  tcase_add_test (tc, test_relative_path);
  tcase_add_test (tc, test_wrong_uris);
  tcase_add_test (tc, test_not_while_it_runs);
  tcase_add_test (tc, test_uridecodebin);
  tcase_add_test (tc, test_uridecodebin3);
  tcase_add_test (tc, test_playbin);
}

RIG_SUITE (shmframe_uri)
