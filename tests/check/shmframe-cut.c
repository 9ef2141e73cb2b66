/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pipeline that is cut in two processes with shmframesink and shmframesrc
 * behaves like the uncut one: all that a probe behind the cut sees is compared,
 * text against text, for each of a table of cases. */
#include <stdio.h>
#include <sys/wait.h>

#include "cutcases.h"
#include "cutrecord.h"
#include "shmrig.h"


/* What differs by design: such lines are not expected behind the cut. */
static const struct
{
  const gchar *line, *why;
} by_design[] = {
  {"instant-rate-change ", "the pipeline that has the clock acts upon it"},
  {"sink-message ", "a message is of an element of that process"},
  {"buffersize ", "nobody uses it, and it says nothing of frames"},
  {"custom-downstream-oob ", "it has no place among the frames"},
};

/* Except in the cases that end with it: on-eos=reconnect, so that a stream can
 * follow. */
#define PASSED_OVER "eos "

/* Apart from these, not whole lines:
 * - a group-id and a seqnum are numbers of one process, so that their order of
 *   coming is compared (cutrecord.c);
 * - TAG_MEMORY is about memory (cutrecord.c);
 * - the video meta of one field (interlace-mode=alternate) claims twice the
 *   rows that are there, which a meta alone does not show: it is left out, and
 *   counted (cutcases.c);
 * - GstBaseSrc sets DISCONT on each frame of a segment that goes backwards, and
 *   on the first of all (cutcases.c). */

static gchar *
without_by_design (const gchar * record, gboolean ends)
{
  gchar **lines = g_strsplit (record, "\n", -1);
  GString *left = g_string_new (NULL);

  for (guint i = 0; lines[i] != NULL; i++) {
    gboolean expected = lines[i][0] != '\0'
        && (ends || !g_str_has_prefix (lines[i], PASSED_OVER));

    for (guint k = 0; k < G_N_ELEMENTS (by_design); k++)
      expected &= !g_str_has_prefix (lines[i], by_design[k].line);
    if (expected)
      g_string_append_printf (left, "%s\n", lines[i]);
  }
  g_strfreev (lines);
  return g_string_free (left, FALSE);
}

/* The process behind the cut: prints what came, until CUT_END, or EOS */
static int
consume (const gchar * path, gboolean ends)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *src = gst_element_factory_make ("shmframesrc", NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000;
  CutRecord record;
  gchar *text;

  g_object_set (src, "socket-path", path, "is-live", FALSE, NULL);
  gst_util_set_object_arg (G_OBJECT (src), "timestamps", "keep");
  gst_util_set_object_arg (G_OBJECT (src), "on-eos", ends ? "eos"
      : "reconnect");
  /* The last sample would never be let go of: see cut_event(). */
  g_object_set (sink, "async", FALSE, "enable-last-sample", FALSE, NULL);
  gst_bin_add_many (GST_BIN (pipeline), src, sink, NULL);
  gst_element_link (src, sink);
  cut_record_start (&record, sink, ends);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!cut_record_has_ended (&record) && g_get_monotonic_time () < end)
    g_usleep (1000);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  text = cut_record_stop (&record);
  fputs (text, stdout);
  g_free (text);
  return 0;
}

static gchar *
run_uncut (const CutCase * c)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstHarness *h;
  CutRecord record;

  g_object_set (sink, "async", FALSE, NULL);
  cut_record_start (&record, sink, cut_case_ends (c));
  h = rig_harness (gst_object_ref_sink (sink));
  c->feed (h, c->argument);
  gst_harness_teardown (h);
  return cut_record_stop (&record);
}

static gchar *
read_all (int fd)
{
  GString *text = g_string_new (NULL);
  gchar part[4096];
  gssize n;

  while ((n = read (fd, part, sizeof (part))) > 0)
    g_string_append_len (text, part, n);
  close (fd);
  return g_string_free (text, FALSE);
}

static gchar *
run_cut (const CutCase * c)
{
  gchar self[] = "/proc/self/exe", option[] = "--consume";
  gchar option_ends[] = "--consume-to-eos";
  gchar *argv[] =
      { self, cut_case_ends (c) ? option_ends : option, rig_path, NULL };
  GstHarness *h = rig_harness (rig_element ("shmframesink", "delivery",
          "lossless", "async", FALSE, NULL));
  GError *error = NULL;
  int status, out;
  gchar *text;
  GPid pid;

  fail_unless (g_spawn_async_with_pipes (NULL, argv, NULL,
          G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, &out, NULL,
          &error), "%s", error != NULL ? error->message : "");
  rig_until (rig_num_clients (h->element) == 1);
  c->feed (h, c->argument);
  text = read_all (out);
  fail_unless (waitpid (pid, &status, 0) == pid && WIFEXITED (status)
      && WEXITSTATUS (status) == 0, "the consumer failed");
  fail_unless_equals_uint64 (rig_stat (h->element, "metas-dropped"), 0);
  gst_harness_teardown (h);
  return text;
}

GST_START_TEST (test_case)
{
  const CutCase *c = &cut_cases[__i__];
  gchar *uncut = run_uncut (c), *cut = run_cut (c);
  gchar *expected = without_by_design (uncut, cut_case_ends (c));
  gchar **a, **b;
  guint i;

  fail_unless (strstr (uncut,
          cut_case_ends (c) ? PASSED_OVER : CUT_END) != NULL);
  a = g_strsplit (expected, "\n", -1);
  b = g_strsplit (cut, "\n", -1);
  for (i = 0; a[i] != NULL && b[i] != NULL; i++)
    fail_unless (strcmp (a[i], b[i]) == 0, "%s, line %u:\n   uncut: %s\n"
        "     cut: %s", c->name, i, a[i], b[i]);
  fail_unless (a[i] == NULL && b[i] == NULL, "%s: %s came %s", c->name,
      a[i] != NULL ? a[i] : b[i], a[i] != NULL ? "uncut only" : "cut only");
  g_strfreev (a);
  g_strfreev (b);
  g_free (uncut);
  g_free (cut);
  g_free (expected);
}

GST_END_TEST;

int
main (int argc, char **argv)
{
  TCase *tc;

  if (argc == 3 && g_str_has_prefix (argv[1], "--consume")) {
    gst_init (NULL, NULL);
    return consume (argv[2], strcmp (argv[1], "--consume-to-eos") == 0);
  }
  gst_check_init (&argc, &argv);
  tc = tcase_create ("all");
  tcase_add_checked_fixture (tc, rig_setup, rig_teardown);
  tcase_add_loop_test (tc, test_case, 0, (int) cut_n_cases);
  return fdcheck_main (suite_create ("shmframe_cut"), tc, "shmframe_cut",
      __FILE__);
}
