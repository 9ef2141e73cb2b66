/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/unexpected-fd.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/atomics.h"

static sf_atomic_u32 n_discarded;

bool
sf_fd_is_unexpected (int fd)
{
  /* Only pipes have a size, and only shared memory has seals. */
  return fcntl (fd, F_GET_SEALS) < 0 && fcntl (fd, F_GETPIPE_SZ) < 0;
}

static void *
discard (void *fd)
{
  const struct linger at_once = { .l_onoff = 1 };
  int f = (int) (intptr_t) fd;

  setsockopt (f, SOL_SOCKET, SO_LINGER, &at_once, sizeof (at_once));
  close (f);
  sf_unref_is_last (&n_discarded);
  return NULL;
}

/* Blocks all signals in the thread: they are for the application's. */
static bool
start (int fd)
{
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t all, before;
  bool ok = pthread_attr_init (&attr) == 0;

  if (!ok)
    return false;
  pthread_attr_setdetachstate (&attr, PTHREAD_CREATE_DETACHED);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  ok = pthread_create (&thread, &attr, discard, (void *) (intptr_t) fd) == 0;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attr);
  return ok;
}

void
sf_fd_discard (int fd)
{
  if (!sf_fd_is_unexpected (fd)) {
    close (fd);
    return;
  }
  sf_ref (&n_discarded);
  if (!start (fd))
    discard ((void *) (intptr_t) fd);
}

uint32_t
sf_fd_count_discarded (void)
{
  return sf_observe_u32 (&n_discarded);
}
