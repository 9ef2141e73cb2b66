/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests in a row, TAP on stdout. Each is a child that may crash, hang or lower
 * its rlimits. The fds and mapped memfds it leaves behind are its failure. */
#ifndef UNIT_H
#define UNIT_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct unit_test
{
  const char *name;
  void (*run) (void);
};

#define TEST(f) { #f, f }

/* _exit: a failed test is not asked for its leaks as well. */
static inline void
unit_fail (const char *file, int line, const char *what)
{
  printf ("# %s:%d: %s\n", file, line, what);
  fflush (stdout);
  _exit (1);
}

#define check(cond) \
  do { if (!(cond)) unit_fail (__FILE__, __LINE__, #cond); } while (0)

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

  check (waitpid (child, &status, 0) == child && status == 0);
}

static inline int
unit_count_fds (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  int n = 0;

  for (; readdir (dir); n++);
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

#define unit_main(tests) unit_run_all (tests, sizeof tests / sizeof tests[0])

static inline int
unit_run_all (const struct unit_test *tests, size_t n)
{
  int failed = 0, status = -1;

  setvbuf (stdout, NULL, _IONBF, 0);
  printf ("1..%zu\n", n);
  for (size_t i = 0; i < n; i++) {
    if (fork () == 0) {
      int fds = unit_count_fds (), maps = unit_count_maps ();

      alarm (120);              /* longer: it hangs */
      tests[i].run ();
      check_int (unit_count_fds (), fds);
      check_int (unit_count_maps (), maps);
      exit (0);
    }
    wait (&status);
    printf ("%sok %zu - %s\n", status ? "not " : "", i + 1, tests[i].name);
    failed += status != 0;
  }
  return failed ? 1 : 0;
}

#endif
