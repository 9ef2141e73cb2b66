/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A leak of file descriptors fails the test that made it: add fdcheck_setup and
 * fdcheck_teardown as a checked fixture to each test case.
 */
#ifndef FDCHECK_H
#define FDCHECK_H

#include <gst/check/gstcheck.h>

static guint fdcheck_before;

static inline guint
fdcheck_count (void)
{
  GDir *dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  fail_unless (dir != NULL, "cannot list /proc/self/fd");
  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

static inline void
fdcheck_setup (void)
{
  fdcheck_before = fdcheck_count ();
}

/* GStreamer's threads let go of a pipeline, and with it of its bus, a moment after
 * it stopped. */
static inline void
fdcheck_teardown (void)
{
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  guint after;

  while ((after = fdcheck_count ()) > fdcheck_before
      && g_get_monotonic_time () < end)
    g_usleep (1000);
  fail_unless (after == fdcheck_before, "%u file descriptors before the test, "
      "%u after it", fdcheck_before, after);
}

/* A program of the tests that its add_tests() adds, each between the two. */
#define FDCHECK_SUITE(name, setup, teardown)                                \
static Suite *                                                              \
name##_suite (void)                                                         \
{                                                                           \
  Suite *s = suite_create (#name);                                          \
  TCase *tc = tcase_create ("all");                                         \
                                                                            \
  suite_add_tcase (s, tc);                                                  \
  tcase_add_checked_fixture (tc, setup, teardown);                          \
  add_tests (tc);                                                           \
  return s;                                                                 \
}                                                                           \
GST_CHECK_MAIN (name)

#endif /* FDCHECK_H */
