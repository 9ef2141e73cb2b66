/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that have children without exec(): by fork(), and by a bare clone(), of
 * which the library does not hear. */
#ifndef FAMILY_H
#define FAMILY_H

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "unit.h"

typedef pid_t (*maker) (void);

static inline pid_t
make_fork (void)
{
  return fork ();
}

static inline pid_t
make_clone (void)
{
  return (pid_t) syscall (SYS_clone, (long) SIGCHLD, 0L, 0L, 0L, 0L);
}

/* Ends a child of a process with threads, exit handlers included. LeakSanitizer's
 * would wait for locks that the threads held at the fork(). */
static inline void
leave_as_child (void)
{
  if (UNIT_ASAN)
    _exit (0);
  exit (0);
}

/* A child that does nothing until its `parent` (of the test, not its own) is. */
static inline void
leave_child (maker make, pid_t *pid)
{
  *pid = make ();
  check_cmp (*pid, >=, 0);
  while (*pid == 0) {
    prctl (PR_SET_NAME, "shmframe-child");
    alarm (60);                 /* whatever becomes of the test */
    pause ();
  }
}

/* A process of the test's, which tells when it is ready, and of its child. */
struct family
{
  pid_t pid, child;
  int from;
};

static inline void
family_start (struct family *f, void (*run) (const char *path, maker make,
        int to), const char *path, maker make)
{
  int from[2];

  check_int (pipe2 (from, O_CLOEXEC), 0);
  f->pid = fork ();
  if (f->pid == 0) {
    alarm (60);
    close (from[0]);
    run (path, make, from[1]);
    _exit (0);
  }
  close (from[1]);
  f->from = from[0];
}

static inline void
family_await (struct family *f)
{
  check_int (read (f->from, &f->child, sizeof f->child), sizeof f->child);
  check_cmp (f->child, >, 0);
}

static inline void
family_kill (struct family *f)
{
  check_int (kill (f->pid, SIGKILL), 0);
  check_int (waitpid (f->pid, NULL, 0), f->pid);
}

/* Its child is nobody's of ours; init's, or a subreaper's. */
static inline void
family_end (struct family *f)
{
  check_int (kill (f->child, SIGKILL), 0);
  close (f->from);
}

#endif
