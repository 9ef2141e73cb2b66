/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A leak of file descriptors fails the test that made it: add fdcheck_setup and
 * fdcheck_teardown as a checked fixture to each test case. Also skips tests,
 * which check cannot do.
 */
#ifndef FDCHECK_H
#define FDCHECK_H

#include <gst/check/gstcheck.h>
#include <sys/mman.h>

static guint fdcheck_before;

/* Of the tests, which are processes */
typedef struct
{
  gint started, skipped;        /* atomic */
} FdcheckCounts;

static FdcheckCounts *fdcheck_counts;

/* Leaves a test that cannot be run here. scripts/test counts these lines. */
#define skip_unless(can, ...)                                               \
  G_STMT_START {                                                            \
    if (!(can)) {                                                           \
      gchar *why_ = g_strdup_printf (__VA_ARGS__);                          \
      g_print ("# SKIP %s: %s\n", G_STRFUNC, why_);                         \
      g_free (why_);                                                        \
      g_atomic_int_inc (&fdcheck_counts->skipped);                          \
      return;                                                               \
    }                                                                       \
  } G_STMT_END

static inline gboolean
has_element (const gchar * name)
{
  GstElementFactory *factory = gst_element_factory_find (name);
  gboolean has = factory != NULL;

  gst_clear_object (&factory);
  return has;
}

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
  g_atomic_int_inc (&fdcheck_counts->started);
  fdcheck_before = fdcheck_count ();
}

/* GStreamer's threads let go of a pipeline, and with it of its bus, a moment
 * after it stopped. */
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

/* 77: skipped, as all of its tests were */
static inline int
fdcheck_main (Suite * s, TCase * tc, const gchar * name, const gchar * file)
{
  int failed;

  fdcheck_counts = mmap (NULL, sizeof (*fdcheck_counts), PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  suite_add_tcase (s, tc);
  failed = gst_check_run_suite (s, name, file);
  if (failed == 0 && fdcheck_counts->started > 0
      && fdcheck_counts->skipped == fdcheck_counts->started)
    return 77;
  return failed;
}

/* A program of the tests that its add_tests() adds, each between the two. */
#define FDCHECK_SUITE(name, setup, teardown)                                \
int                                                                         \
main (int argc, char **argv)                                                \
{                                                                           \
  TCase *tc = tcase_create ("all");                                         \
                                                                            \
  gst_check_init (&argc, &argv);                                            \
  tcase_add_checked_fixture (tc, setup, teardown);                          \
  add_tests (tc);                                                           \
  return fdcheck_main (suite_create (#name), tc, #name, __FILE__);          \
}

#endif /* FDCHECK_H */
