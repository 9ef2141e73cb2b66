/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shmframe-top beside a pair: it says what the element's stats say, in JSON and
 * in a table, and the pair does not notice. */
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shmrig.h"

#define NOBODY 65534

static GstHarness *in, *out;

static void
open_pair (void)
{
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless",
          "max-clients", 1, NULL));
  out = rig_harness (rig_element ("shmframesrc", "timestamps", "keep", NULL));
  rig_until (rig_num_clients (in->element) == 1);
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 64, 48));
}

static void
cross_frames (guint n)
{
  for (guint i = 0; i < n; i++) {
    fail_unless_equals_int (gst_harness_push (in, rig_frame (i, 64 * 48)),
        GST_FLOW_OK);
    gst_buffer_unref (gst_harness_pull (out));
  }
}

static void
close_pair (void)
{
  gst_harness_teardown (in);
  gst_harness_teardown (out);
}

/* Its exit status; arguments up to NULL. `user`: a function for the child, or
 * NULL. */
static gint
run_as (GSpawnChildSetupFunc user, gchar ** text, gchar ** errors,
    const gchar * argument, ...)
{
  GPtrArray *argv = g_ptr_array_new ();
  GError *error = NULL;
  gint status = -1;
  va_list args;

  g_ptr_array_add (argv, (gpointer) SHMFRAME_TOP);
  va_start (args, argument);
  for (; argument != NULL; argument = va_arg (args, const gchar *))
    g_ptr_array_add (argv, (gpointer) argument);
  va_end (args);
  g_ptr_array_add (argv, NULL);
  fail_unless (g_spawn_sync (NULL, (gchar **) argv->pdata, NULL,
          G_SPAWN_DEFAULT, user, NULL, text, errors, &status, &error), "%s",
      error != NULL ? error->message : "");
  g_ptr_array_unref (argv);
  fail_unless (WIFEXITED (status), "it crashed: %d", status);
  return WEXITSTATUS (status);
}

#define run(text, errors, ...) run_as (NULL, text, errors, __VA_ARGS__, NULL)

static gchar *
look (void)
{
  gchar *json;

  fail_unless_equals_int (run (&json, NULL, "--once", "--json", "-i", "0.1",
          rig_path), 0);
  fail_unless (strchr (json, '\n') == json + strlen (json) - 1,
      "not one line: %s", json);
  return json;
}

/* The first of this name */
static guint64
number_of (const gchar * json, const gchar * name)
{
  gchar *key = g_strdup_printf ("\"%s\":", name);
  const gchar *at = strstr (json, key);

  fail_unless (at != NULL && g_ascii_isdigit (at[strlen (key)]),
      "no number %s in %s", name, json);
  at += strlen (key);
  g_free (key);
  return g_ascii_strtoull (at, NULL, 10);
}

static void
expect (const gchar * json, const gchar * part)
{
  fail_unless (strstr (json, part) != NULL, "no %s in %s", part, json);
}

GST_START_TEST (test_fields_are_those_of_stats)
{
  static const gchar *const same[] = { "frames", "bytes", "frames-copied",
    "frames-dropped", "metas-dropped", "upstream-dropped", "slots",
    "slots-free", "segments", "segment-bytes", "huge-page-bytes", "growths",
    "clients-seen", "clients-evicted", "clients-refused"
  };
  gchar *json, *part;

  open_pair ();
  cross_frames (8);
  /* Slots come back on their own. */
  rig_until (rig_stat (in->element, "slots-free") + 1
      == rig_stat (in->element, "slots"));
  json = look ();
  for (guint i = 0; i < G_N_ELEMENTS (same); i++) {
    gchar *name = g_strdelimit (g_strdup (same[i]), "-", '_');

    fail_unless_equals_uint64 (number_of (json, name), rig_stat (in->element,
            same[i]));
    g_free (name);
  }
  fail_unless_equals_uint64 (number_of (json, "frames"), 8);
  fail_unless_equals_uint64 (number_of (json, "pid"), getpid ());
  fail_unless_equals_uint64 (number_of (json, "uid"), getuid ());
  fail_unless_equals_uint64 (number_of (json, "num_clients"), 1);
  fail_unless_equals_uint64 (number_of (json, "observers"), 1);
  part = g_strdup_printf ("\"name\":\"%s\",\"caps\":\"video/x-raw, format=",
      GST_ELEMENT_NAME (in->element));
  expect (json, part);
  g_free (part);
  expect (json, "\"delivery\":\"lossless\",\"fps\":0.000,");
  expect (json, "\"clients\":[{\"id\":");
  part = strstr (json, "\"clients\":[");
  fail_unless_equals_uint64 (number_of (part, "frames"), 8);
  fail_unless_equals_uint64 (number_of (part, "pid"), getpid ());
  fail_unless_equals_uint64 (number_of (part, "held"), 0);
  expect (part, "\"lossless\":true");
  fail_unless (number_of (part, "handover_p50") > 0);
  fail_unless (number_of (part, "handover_p99") >= number_of (part,
          "handover_p50"));
  g_free (json);
  close_pair ();
}

GST_END_TEST;

/* Whatever looks is no client, and the stream goes on. */
GST_START_TEST (test_is_no_client)
{
  gchar *json;

  open_pair ();
  for (guint i = 0; i < 3; i++) {
    json = look ();
    fail_unless_equals_uint64 (number_of (json, "observers"), 1);
    g_free (json);
    cross_frames (2);
  }
  fail_unless_equals_int (rig_num_clients (in->element), 1);
  fail_unless_equals_uint64 (rig_stat (in->element, "clients-seen"), 1);
  fail_unless_equals_uint64 (rig_stat (in->element, "clients-refused"), 0);
  close_pair ();
}

GST_END_TEST;

GST_START_TEST (test_table)
{
  gchar *text, *head;

  open_pair ();
  cross_frames (3);
  fail_unless_equals_int (run (&text, NULL, "--once", "-i", "0.1", rig_path),
      0);
  head = g_strdup_printf ("%s  %s  pid %d  lossless  0.0 fps  3 frames\n"
      "  video/x-raw, format=GRAY8, width=64, height=48", rig_path,
      GST_ELEMENT_NAME (in->element), getpid ());
  fail_unless (g_str_has_prefix (text, head), "%s", text);
  expect (text, "\n  slots  [");
  expect (text, "  no-slot 0  lag 0  slot 0  queue 0  left 0  clients 1 of 1");
  /* No terminal, no codes for one. */
  fail_unless (strchr (text, '\033') == NULL);
  g_free (head);
  g_free (text);
  close_pair ();
}

GST_END_TEST;

/* Names that would move the cursor, and end the string. */
GST_START_TEST (test_hostile_names)
{
  gchar *json, *text;

  in = rig_harness (rig_element ("shmframesink", "min-clients", 0, "name",
          "a\033[2J\"b\\\n", NULL));
  json = look ();
  expect (json, "\"name\":\"a\357\277\275[2J\\\"b\\\\\357\277\275\"");
  run (&text, NULL, "--once", "-i", "0.1", rig_path);
  expect (text, "  a\357\277\275[2J\"b\\\357\277\275  pid");
  g_free (text);
  g_free (json);
  gst_harness_teardown (in);
}

GST_END_TEST;

GST_START_TEST (test_no_producer)
{
  gchar *text;

  fail_unless_equals_int (run (&text, NULL, "--once", "-i", "0.1", rig_path),
      1);
  expect (text, "no producer is there");
  g_free (text);
  fail_unless (g_file_set_contents (rig_path, "", 0, NULL));
  fail_unless_equals_int (run (&text, NULL, "--once", "-i", "0.1", rig_path),
      1);
  expect (text, "that is a file, and no socket");
  g_free (text);
  g_unlink (rig_path);
}

GST_END_TEST;

GST_START_TEST (test_wrong_usage)
{
  static const gchar *const wrong[] = { "--interval=0", "--interval=nan",
    "--interval=x", "--bogus"
  };
  gchar *errors;

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    fail_unless_equals_int (run (NULL, &errors, wrong[i]), 2);
    fail_unless (g_str_has_prefix (errors, "shmframe-top: "), "%s", errors);
    g_free (errors);
  }
}

GST_END_TEST;

/* Lines come for as long as it runs, whatever becomes of the producer. */
GST_START_TEST (test_producer_comes_and_goes)
{
  const gchar *argv[] = { SHMFRAME_TOP, "--json", "--interval=0.1", rig_path,
    NULL
  };
  static const gchar *const wants[] = { "\"problem\":", "\"frames\":",
    "\"problem\":", "\"frames\":"
  };
  gchar line[4096];
  gint output, status;
  GPid pid;
  FILE *lines;

  fail_unless (g_spawn_async_with_pipes (NULL, (gchar **) argv, NULL,
          G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, &output, NULL,
          NULL));
  lines = fdopen (output, "r");
  for (guint i = 0; i < G_N_ELEMENTS (wants); i++) {
    if (i % 2 == 1)
      in = rig_harness (rig_element ("shmframesink", "min-clients", 0, NULL));
    else if (i > 0)
      gst_harness_teardown (in);
    do
      fail_unless (fgets (line, sizeof (line), lines) != NULL);
    while (strstr (line, wants[i]) == NULL);
  }
  kill (pid, SIGINT);
  fail_unless_equals_int (waitpid (pid, &status, 0), pid);
  fail_unless (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  fclose (lines);
  gst_harness_teardown (in);
}

GST_END_TEST;

/* The sockets of this test are all that shmframe-top finds, which would also
 * ask those of tests that run beside this one. Not for everybody. */
static void
hide_other_sockets (void)
{
  if (unshare (CLONE_NEWNET) < 0)
    g_printerr ("sockets of others are found, too: %s\n", g_strerror (errno));
}

/* Without arguments: a path and an abstract name. */
GST_START_TEST (test_finds_sockets)
{
  gchar *name = g_strdup_printf ("@shmframe-top-test-%d", getpid ());
  GstHarness *other;
  gchar *json, *part;

  hide_other_sockets ();
  in = rig_harness (rig_element ("shmframesink", "min-clients", 0, NULL));
  other = rig_harness (rig_element ("shmframesink", "min-clients", 0,
          "socket-path", name, NULL));
  run (&json, NULL, "--once", "--json", "-i", "0.1");
  part = g_strdup_printf ("\"socket\":\"%s\",\"pid\":%d", rig_path, getpid ());
  expect (json, part);
  g_free (part);
  part = g_strdup_printf ("\"socket\":\"%s\",\"pid\":%d", name, getpid ());
  expect (json, part);
  g_free (part);
  g_free (json);
  g_free (name);
  gst_harness_teardown (other);
  gst_harness_teardown (in);
}

GST_END_TEST;

static gboolean
can_take_pictures (void)
{
  gchar *launch = g_find_program_in_path ("gst-launch-1.0");
  gboolean can = launch != NULL && has_element ("pngenc")
      && has_element ("videoconvert");

  g_free (launch);
  return can;
}

/* Of a frame that was published before, of however strange a path */
GST_START_TEST (test_snapshot)
{
  gchar *file, *errors, *bytes;
  gsize size;

#ifdef SANITIZED
  skip_unless (FALSE, "gst-launch-1.0 loads no plugin with sanitizers");
#endif
  skip_unless (can_take_pictures (), "no gst-launch-1.0, pngenc, videoconvert");
  file = g_build_filename (rig_dir, "a \"b\".png", NULL);
  in = rig_harness (rig_element ("shmframesink", "min-clients", 0, NULL));
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 64, 48));
  fail_unless_equals_int (gst_harness_push (in, rig_frame (0, 64 * 48)),
      GST_FLOW_OK);
  fail_unless_equals_int (run (NULL, &errors, "--snapshot", file, rig_path), 0);
  fail_unless_equals_string (errors, "");
  fail_unless (g_file_get_contents (file, &bytes, &size, NULL));
  fail_unless (size > 16 && memcmp (bytes, "\211PNG", 4) == 0);
  fail_unless (g_unlink (file) == 0);
  gst_harness_teardown (in);
  g_free (bytes);
  g_free (errors);
  g_free (file);
}

GST_END_TEST;

static void
be_nobody (gpointer user)
{
  if (setgid (NOBODY) != 0 || setuid (NOBODY) != 0)
    _exit (99);
}

/* The program, in all of its folders */
static gboolean
others_may_run (void)
{
  gchar *path = g_strdup (SHMFRAME_TOP);
  gboolean may = TRUE;

  while (may && strcmp (path, "/") != 0) {
    gchar *folder = g_path_get_dirname (path);
    struct stat st;

    may = stat (path, &st) == 0 && (st.st_mode & S_IXOTH) != 0;
    g_free (path);
    path = folder;
  }
  g_free (path);
  return may;
}

/* Another user, whom socket-mode does not let in, and at an abstract name */
GST_START_TEST (test_trust)
{
  gchar *name, *json;
  GstHarness *other;

  skip_unless (getuid () == 0 && others_may_run (), "it takes two users");
  hide_other_sockets ();
  name = g_strdup_printf ("@shmframe-top-test-%d", getpid ());
  fail_unless (g_chmod (rig_dir, 0755) == 0);
  in = rig_harness (rig_element ("shmframesink", "min-clients", 0, NULL));
  other = rig_harness (rig_element ("shmframesink", "min-clients", 0,
          "socket-path", name, NULL));
  fail_unless_equals_int (run_as (be_nobody, &json, NULL, "--once", "--json",
          "-i", "0.1", rig_path, name, NULL), 1);
  expect (json, "\"problem\":\"not allowed; ");
  expect (json, "\"problem\":\"an abstract socket serves its own user");
  fail_unless (strstr (json, "\"pid\"") == NULL, "%s", json);
  g_free (json);
  /* Nor does it find what is not its own. */
  run_as (be_nobody, &json, NULL, "--once", "--json", "-i", "0.1", NULL);
  fail_unless (strstr (json, name) == NULL, "%s", json);
  fail_unless (strstr (json, rig_path) == NULL, "%s", json);
  g_free (json);
  g_free (name);
  gst_harness_teardown (other);
  gst_harness_teardown (in);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_fields_are_those_of_stats);
  tcase_add_test (tc, test_is_no_client);
  tcase_add_test (tc, test_table);
  tcase_add_test (tc, test_hostile_names);
  tcase_add_test (tc, test_no_producer);
  tcase_add_test (tc, test_wrong_usage);
  tcase_add_test (tc, test_producer_comes_and_goes);
  tcase_add_test (tc, test_finds_sockets);
  tcase_add_test (tc, test_snapshot);
  tcase_add_test (tc, test_trust);
}

RIG_SUITE (shmframe_top)
