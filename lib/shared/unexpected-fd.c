/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/unexpected-fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/atomics.h"
#include "shared/thread.h"

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

void
sf_fd_discard (int fd)
{
  pthread_t thread;

  if (!sf_fd_is_unexpected (fd)) {
    close (fd);
    return;
  }
  sf_ref (&n_discarded);
  if (sf_thread_start (&thread, discard, (void *) (intptr_t) fd) == 0)
    pthread_detach (thread);
  else
    discard ((void *) (intptr_t) fd);
}

uint32_t
sf_fd_count_discarded (void)
{
  return sf_observe_u32 (&n_discarded);
}
