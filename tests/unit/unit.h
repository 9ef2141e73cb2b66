/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests in a row, TAP on stdout. Each runs in a child of its own, so that it may
 * crash, hang or lower its rlimits without harm to the next. Around each one
 * the open fds and the mapped memfds are counted: what it leaves behind is its
 * failure. */
#ifndef UNIT_H
#define UNIT_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A test that takes longer hangs. Room for sanitizers on a busy machine. */
#define UNIT_SECONDS 120

struct unit_test
{
  const char *name;
  void (*run) (void);
};

#define TEST(f) { #f, f }

/* _exit: a failed test is not asked for its leaks as well. */
#define check(cond) \
  do { \
    if (!(cond)) { \
      printf ("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
      fflush (stdout); \
      _exit (1); \
    } \
  } while (0)

#define check_int(got, want) \
  do { \
    long long g_ = (got), w_ = (want); \
    if (g_ != w_) \
      printf ("# %s is %lld, not %lld\n", #got, g_, w_); \
    check (g_ == w_); \
  } while (0)

/* The child of a fork() in a test ends with _exit (0), or by check(). */
static inline void
unit_wait_ok (pid_t child)
{
  int status = -1;

  check_int (waitpid (child, &status, 0), child);
  check_int (status, 0);
}

static inline int
unit_count_fds (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  int n = 0;

  while (readdir (dir))
    n++;
  closedir (dir);
  return n;
}

static inline int
unit_count_maps (void)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  char line[512];
  int n = 0;

  while (fgets (line, sizeof line, maps))
    n += strstr (line, "/memfd:") != NULL;
  fclose (maps);
  return n;
}

static inline void
unit_run_in_child (const struct unit_test *test)
{
  int fds = unit_count_fds (), maps = unit_count_maps ();

  alarm (UNIT_SECONDS);
  test->run ();
  check_int (unit_count_fds (), fds);
  check_int (unit_count_maps (), maps);
  exit (0);
}

#define unit_main(tests) unit_run_all (tests, sizeof tests / sizeof tests[0])

static inline int
unit_run_all (const struct unit_test *tests, size_t n)
{
  int failed = 0;

  printf ("1..%zu\n", n);
  for (size_t i = 0; i < n; i++) {
    int status = -1;
    pid_t child;

    fflush (stdout);
    child = fork ();
    if (child == 0)
      unit_run_in_child (&tests[i]);
    waitpid (child, &status, 0);
    printf ("%s %zu - %s\n", status == 0 ? "ok" : "not ok", i + 1,
        tests[i].name);
    failed += status != 0;
  }
  return failed ? 1 : 0;
}

#endif
