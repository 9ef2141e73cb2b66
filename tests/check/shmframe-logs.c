/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the log tells of a stream, and what the bus tells of properties that are
 * set too late. */
#include "busrig.h"

static GMutex lock;
static GString *logged;         /* lines of "category level text" */

static void
on_log (GstDebugCategory * category, GstDebugLevel level, const gchar * file,
    const gchar * function, gint line, GObject * object,
    GstDebugMessage * message, gpointer unused)
{
  if (!g_str_has_prefix (gst_debug_category_get_name (category), "shmframe"))
    return;
  g_mutex_lock (&lock);
  g_string_append_printf (logged, "%s %s %s\n",
      gst_debug_category_get_name (category),
      gst_debug_level_get_name (level), gst_debug_message_get (message));
  g_mutex_unlock (&lock);
}

static guint
count_lines (const gchar * pattern)
{
  guint n = 0;
  gchar **lines;

  g_mutex_lock (&lock);
  lines = g_strsplit (logged->str, "\n", -1);
  g_mutex_unlock (&lock);
  for (guint i = 0; lines[i] != NULL; i++)
    n += g_pattern_match_simple (pattern, lines[i]);
  g_strfreev (lines);
  return n;
}

static void
start_log (void)
{
  logged = g_string_new (NULL);
  gst_debug_remove_log_function (NULL);
  gst_debug_add_log_function (on_log, NULL, NULL);
  gst_debug_set_threshold_from_string ("shmframe*:LOG", FALSE);
}

static void
stop_log (void)
{
  gst_debug_remove_log_function (on_log);
  gst_debug_set_threshold_from_string ("shmframe*:NONE", FALSE);
  g_string_free (logged, TRUE);
}

/* A pointer means nothing to others */
static void
add_pointer (GstBuffer * buffer)
{
  static const gchar *tags[] = { NULL };
  GstCustomMeta *meta;

  if (gst_meta_get_info ("LogsTestPointer") == NULL)
    gst_meta_register_custom ("LogsTestPointer", tags, NULL, NULL, NULL);
  meta = gst_buffer_add_custom_meta (buffer, "LogsTestPointer");
  gst_structure_set (gst_custom_meta_get_structure (meta), "p", G_TYPE_POINTER,
      buffer, NULL);
}

GST_START_TEST (test_story)
{
  GstHarness *in, *out;

  start_log ();
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  out = rig_harness (rig_element ("shmframesrc", "timestamps", "keep", NULL));
  rig_until (rig_num_clients (in->element) == 1);
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 64, 48));
  for (guint i = 0; i < 3; i++) {
    GstBuffer *sent = rig_frame (i, 64 * 48), *received;

    if (i > 0)
      add_pointer (sent);
    fail_unless_equals_int (gst_harness_push (in, sent), GST_FLOW_OK);
    received = gst_harness_pull (out);
    fail_unless (received != NULL);
    gst_buffer_unref (received);
  }
  gst_harness_teardown (out);
  rig_until (rig_num_clients (in->element) == 0);
  gst_harness_teardown (in);

  fail_unless_equals_int (count_lines ("shmframesink INFO *serving *"), 1);
  fail_unless_equals_int (count_lines ("shmframesink INFO *closed*"), 1);
  fail_unless_equals_int (count_lines ("shmframesink INFO *client * connected"),
      1);
  fail_unless_equals_int (count_lines ("shmframesink DEBUG*caps video/x-raw*"),
      1);
  fail_unless_equals_int (count_lines ("shmframesink LOG*published*"), 3);
  fail_unless_equals_int (count_lines ("shmframesrc INFO *receiving from*"), 1);
  fail_unless_equals_int (count_lines ("shmframesrc LOG*received*buffer*"), 3);
  fail_unless_equals_int (count_lines ("shmframesrc INFO *closed*"), 1);
  fail_unless_equals_int (count_lines ("shmframewire WARN*LogsTestPointer*"),
      1);
  fail_unless_equals_int (count_lines ("shmframewire LOG*LogsTestPointer*"), 1);
  stop_log ();
}

GST_END_TEST;

static void
check_warned (GstElement * element, const gchar * name)
{
  GstBus *bus = gst_element_get_bus (element);
  GstMessage *m = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING);
  GError *error;

  if (name == NULL) {
    fail_unless (m == NULL, "a warning too many");
  } else {
    fail_unless (m != NULL, "no warning");
    gst_message_parse_warning (m, &error, NULL);
    fail_unless (g_str_has_prefix (error->message, name), "%s", error->message);
    g_error_free (error);
    gst_message_unref (m);
  }
  gst_object_unref (bus);
}

/* What is set too late is not ignored without a word */
GST_START_TEST (test_set_too_late)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *sink = rig_element ("shmframesink", NULL);
  GstElement *src = rig_element ("shmframesrc", NULL);

  gst_bin_add_many (GST_BIN (pipeline), sink, src, NULL);
  g_object_set (sink, "slots", 8, NULL);
  g_object_set (src, "max-held", 3, NULL);
  check_warned (pipeline, NULL);
  rig_state (sink, GST_STATE_READY);
  rig_state (src, GST_STATE_READY);
  g_object_set (src, "max-held", 4, NULL);
  g_object_set (sink, "delivery", 1, NULL);
  check_warned (pipeline, NULL);
  g_object_set (sink, "slots", 9, NULL);
  check_warned (pipeline, "slots does not change");
  gst_element_set_state (src, GST_STATE_PAUSED);
  g_object_set (src, "max-held", 5, NULL);
  check_warned (pipeline, "max-held does not change");
  g_object_set (src, "on-eos", 1, "on-disconnect", 1, NULL);
  check_warned (pipeline, NULL);
  rig_stop (pipeline);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_story);
  tcase_add_test (tc, test_set_too_late);
}

RIG_SUITE (shmframe_logs)
