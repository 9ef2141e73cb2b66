/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests in a row, TAP on stdout. Each is a child that may crash, hang or lower
 * its rlimits. The fds and mapped memfds it leaves behind are its failure. What
 * a failed check found goes to stderr, which every runner shows. */
#ifndef UNIT_H
#define UNIT_H

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __has_feature
#define UNIT_ASAN __has_feature (address_sanitizer)
#define UNIT_TSAN __has_feature (thread_sanitizer)
#else
#ifdef __SANITIZE_ADDRESS__
#define UNIT_ASAN 1
#else
#define UNIT_ASAN 0
#endif
#ifdef __SANITIZE_THREAD__
#define UNIT_TSAN 1
#else
#define UNIT_TSAN 0
#endif
#endif

#define UNIT_SKIPPED 77
#define UNIT_WHY_MAX 256

struct unit_test
{
  const char *name;
  void (*run) (void);
};

#define TEST(f) { #f, f }

static const char *unit_name = "";
/* Why the test was skipped: shared with its processes */
static char *unit_why;

/* One line, in one piece whoever else writes: also for use before a check. */
__attribute__ ((format (printf, 1, 2)))
static inline void
unit_say (const char *format, ...)
{
  char text[1024];
  va_list args;

  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  dprintf (STDERR_FILENO, "# %s: %s\n", unit_name, text);
}

/* _exit: a failed test is not asked for its leaks as well. */
#define unit_fail(...) \
  do { unit_say (__VA_ARGS__); _exit (1); } while (0)

#define check(cond) \
  do { \
    if (!(cond)) \
      unit_fail ("%s:%d: not true: %s", __FILE__, __LINE__, #cond); \
  } while (0)

/* Says in words what is likely to be a -errno, or a call's -1. */
#define check_int(got, want) \
  do { \
    long long g_ = (got), w_ = (want); \
    if (g_ != w_) \
      unit_fail ("%s:%d: %s is %lld, not %lld%s%s", __FILE__, __LINE__, #got, \
          g_, w_, g_ == -1 ? ", errno: " : g_ < 0 ? ": " : "", \
          g_ == -1 ? strerror (errno) \
          : g_ < 0 && g_ > -4096 ? strerror ((int) -g_) : ""); \
  } while (0)

/* check_cmp (n, >, 3); `want` is evaluated again where it fails. */
#define check_cmp(got, op, want) \
  do { \
    __typeof__ ((got) + 0) g_ = (got); \
    if (!(g_ op (want))) \
      unit_fail ("%s:%d: %s is %lld, not %s %s (%lld)", __FILE__, __LINE__, \
          #got, (long long) g_, #op, #want, (long long) (want)); \
  } while (0)

#define check_str(got, want) \
  do { \
    const char *g_ = (got), *w_ = (want); \
    if (strcmp (g_, w_) != 0) \
      unit_fail ("%s:%d: %s is '%s', not '%s'", __FILE__, __LINE__, #got, g_, \
          w_); \
  } while (0)

#define check_has(text, part) \
  do { \
    const char *t_ = (text), *p_ = (part); \
    if (strstr (t_, p_) == NULL) \
      unit_fail ("%s:%d: %s is '%s', without '%s'", __FILE__, __LINE__, \
          #text, t_, p_); \
  } while (0)

/* Ends a test that cannot be run here. */
static inline void
unit_skip_unless (int can, const char *why)
{
  if (can)
    return;
  snprintf (unit_why, UNIT_WHY_MAX, "%s", why);
  _exit (UNIT_SKIPPED);
}

/* Processes of two users, and what only root may do */
#define unit_skip_unless_root() \
  unit_skip_unless (getuid () == 0, "needs two users: run it as root")

/* A sanitizer maps memory for itself and ends the process where it gets none. */
#define unit_skip_sanitized() \
  unit_skip_unless (!UNIT_ASAN && !UNIT_TSAN, "a sanitizer takes addresses")

/* qemu-user takes any advice for good, and ignores it. */
static inline int
unit_is_emulated (void)
{
  return madvise (unit_why, UNIT_WHY_MAX, 9999) == 0;
}

/* What an emulator does otherwise than Linux */
#define unit_skip_emulated(what) \
  unit_skip_unless (!unit_is_emulated (), "emulated: " what)
#define unit_skip_emulated_fds() \
  unit_skip_emulated ("fds come that the process has no room for")
#define unit_skip_emulated_limit() \
  unit_skip_emulated ("address space has no limit")

static inline void
unit_say_status (const char *who, int status)
{
  if (WIFSIGNALED (status))
    unit_say ("%s was ended by signal %d: %s", who, WTERMSIG (status),
        strsignal (WTERMSIG (status)));
  else
    unit_say ("%s ended with status %d", who, WEXITSTATUS (status));
}

/* The child of a fork() in a test ends with _exit (0), or by check(). */
#define unit_wait_ok(child) \
  do { \
    int status_ = -1; \
    check_int (waitpid ((child), &status_, 0), (child)); \
    if (status_ != 0) { \
      unit_say_status ("its process " #child, status_); \
      unit_fail ("%s:%d: it should have ended well", __FILE__, __LINE__); \
    } \
  } while (0)

static inline int
unit_count_fds (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  int n = 0;

  for (; readdir (dir); n++);
  closedir (dir);
  return n;
}

static inline void
unit_say_fds (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  struct dirent *entry;
  char to[256];

  while ((entry = readdir (dir)) != NULL) {
    ssize_t n = readlinkat (dirfd (dir), entry->d_name, to, sizeof to - 1);

    if (n > 0)
      unit_say ("fd %s is %.*s", entry->d_name, (int) n, to);
  }
  closedir (dir);
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
unit_run (const struct unit_test *test)
{
  int fds = unit_count_fds (), maps = unit_count_maps ();

  alarm (120);                  /* longer: it hangs */
  test->run ();
  if (unit_count_fds () != fds)
    unit_say_fds ();
  check_int (unit_count_fds (), fds);
  check_int (unit_count_maps (), maps);
  exit (0);
}

#define unit_main(tests) unit_run_all (tests, sizeof tests / sizeof tests[0])

/* UNIT_ONLY=test_name runs that one. */
static inline int
unit_run_all (const struct unit_test *tests, size_t n)
{
  const char *only = getenv ("UNIT_ONLY");
  int failed = 0, status = -1;

  unit_why = mmap (NULL, UNIT_WHY_MAX, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  setvbuf (stdout, NULL, _IONBF, 0);
  printf ("1..%zu\n", n);
  for (size_t i = 0; i < n; i++) {
    unit_name = tests[i].name;
    unit_why[0] = '\0';
    if (fork () == 0) {
      unit_skip_unless (only == NULL || strcmp (only, unit_name) == 0,
          "not asked for");
      unit_run (&tests[i]);
    }
    wait (&status);
    if (WIFEXITED (status) && WEXITSTATUS (status) == UNIT_SKIPPED)
      status = 0;
    if (status != 0)
      unit_say_status ("the test", status);
    printf ("%sok %zu - %s%s%s\n", status ? "not " : "", i + 1, unit_name,
        unit_why[0] != '\0' ? " # SKIP " : "", unit_why);
    failed += status != 0;
  }
  return failed ? 1 : 0;
}

#endif
