/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/guard.h"

#include <stdlib.h>
#include <unistd.h>

#include "shared/atomics.h"
#include "shared/fork.h"

struct sf_guard
{
  sf_atomic_u32 refs;
  int fd;
};

struct sf_guard *
sf_guard_new (int fd)
{
  struct sf_guard *guard = malloc (sizeof (*guard));

  if (guard == NULL) {
    close (fd);
    return NULL;
  }
  guard->refs = 1;
  guard->fd = sf_fd_own (fd);
  return guard;
}

struct sf_guard *
sf_guard_ref (struct sf_guard *guard)
{
  sf_ref (&guard->refs);
  return guard;
}

void
sf_guard_unref (struct sf_guard *guard)
{
  if (guard == NULL || !sf_unref_is_last (&guard->refs))
    return;
  sf_fd_close (guard->fd);
  free (guard);
}

int
sf_guard_fd (const struct sf_guard *guard)
{
  return guard->fd;
}
