/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads of ours, and what wakes them. */
#ifndef SF_THREAD_H
#define SF_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "shared/clock.h"

/* Blocks all signals in the thread: they are for the application's. 0 or
 * -errno. */
static inline int
sf_thread_start (pthread_t *thread, void *(*run) (void *), void *user)
{
  sigset_t all, before;
  int r;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  r = pthread_create (thread, NULL, run, user);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return -r;
}

/* A condition that goes by sf_now(). */
static inline void
sf_cond_init (pthread_cond_t * cond)
{
  pthread_condattr_t attr;

  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (cond, &attr);
  pthread_condattr_destroy (&attr);
}

/* As pthread_cond_timedwait(); INT64_MAX: no limit. */
static inline int
sf_cond_wait (pthread_cond_t * cond, pthread_mutex_t * lock, int64_t until)
{
  struct timespec ts = { until / SF_NS_PER_SECOND, until % SF_NS_PER_SECOND };

  return until == INT64_MAX ? pthread_cond_wait (cond, lock)
      : pthread_cond_timedwait (cond, lock, &ts);
}

/* Wakes the thread that polls this eventfd. */
static inline void
sf_eventfd_kick (int fd)
{
  uint64_t one = 1;

  if (write (fd, &one, sizeof (one)) < 0)
    return;                     /* full: it is awake already */
}

static inline void
sf_eventfd_clear (int fd)
{
  uint64_t n;

  if (read (fd, &n, sizeof (n)) < 0)
    return;
}

#endif
