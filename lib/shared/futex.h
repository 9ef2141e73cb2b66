/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sleeps on a 32-bit word in shared memory, and wakes its sleeper.
 *
 * Not an eventfd: its O_NONBLOCK flag belongs to the open file description,
 * which both processes share. A client could clear it and fill the counter, and
 * the producer's next write() would block for good. FUTEX_WAKE cannot block,
 * needs no fd, and is faster (tests/benchmark/wake.c). */
#ifndef SF_FUTEX_H
#define SF_FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shared/atomics.h"
#include "shared/clock.h"

/* Sleeps while *word == seen, at most `timeout` ns (SF_FOREVER: no limit). 0:
 * woken, or the word changed; -ETIMEDOUT; -EINTR. */
static inline int
sf_futex_wait (sf_atomic_u32 *word, uint32_t seen, int64_t timeout)
{
  struct timespec ts = { timeout / SF_NS_PER_SECOND,
    timeout % SF_NS_PER_SECOND
  };

  if (syscall (SYS_futex, (uint32_t *) word, FUTEX_WAIT, seen,
          timeout < 0 ? NULL : &ts, NULL, 0) == 0 || errno == EAGAIN)
    return 0;
  return -errno;
}

/* Wakes the one thread that may sleep there. */
static inline void
sf_futex_wake (sf_atomic_u32 *word)
{
  syscall (SYS_futex, (uint32_t *) word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Spin for what is likely to come within this time (ns). */
#define SF_SPIN_THRESHOLD 50000

/* One step of spinning. `yielding`: yield to the other side, which is on our
 * CPU. */
static inline void
sf_spin_step (bool yielding)
{
  if (yielding)
    sched_yield ();
  else
    sf_spin_pause ();
}

#endif
