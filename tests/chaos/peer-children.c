/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children without exec() of a peer, as an application may have them at any moment.
 * They outlive it when it is killed, and must be nothing to anybody. */
#include "peer.h"

#include <signal.h>
#include <sys/syscall.h>

#define LEAST_PAUSE (200 * MS)
#define MOST_PAUSE_MS 1800u
#define MOST_LIFE_US 1500000u

static int64_t next_child;

/* Of one that no handler is told of: it only keeps what it has got. */
static pid_t
bare_clone (void)
{
  return (pid_t) syscall (SYS_clone, (long) SIGCHLD, 0L, 0L, 0L, 0L);
}

void
children_ignore (void)
{
  signal (SIGCHLD, SIG_IGN);
}

void
children_have (void (*let_go) (void *user), void *user)
{
  uint32_t life = random_below (&seed, MOST_LIFE_US);
  bool bare = random_below (&seed, 2) == 0;
  pid_t child;

  if (sf_now () < next_child)
    return;
  next_child = sf_now () + LEAST_PAUSE + random_below (&seed,
      MOST_PAUSE_MS) * MS;
  child = bare ? bare_clone () : fork ();
  if (child != 0) {
    if (child > 0)
      atomic_fetch_add (&me->figures.children, 1);
    return;
  }
  if (!bare)
    let_go (user);
  usleep (life);
  _exit (0);
}
