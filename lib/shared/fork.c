/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/fork.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/atomics.h"

/* One bit for each fd that is ours. Higher ones stay open in children. */
#define WORDS (UINT32_C (1) << 14)

static sf_atomic_u64 owned[WORDS];

uint32_t sf_generation;

/* Closes the parent's fds. Each number leaves the table before it is closed,
 * since it may be somebody else's right after: so the table may lack an fd for
 * a moment, and never has one too many. */
static void
forget_parent (void)
{
  sf_generation++;
  for (uint32_t i = 0; i < WORDS; i++) {
    uint64_t bits =
        sf_load_hint (&owned[i]) != 0 ? sf_take_bits (&owned[i]) : 0;

    for (; bits != 0; bits &= bits - 1)
      close ((int) (i * 64) + __builtin_ctzll (bits));
  }
}

__attribute__ ((constructor))
static void
hear_of_forks (void)
{
  pthread_atfork (NULL, NULL, forget_parent);
}

int
sf_fd_own (int fd)
{
  if (fd >= 0 && (uint32_t) fd / 64 < WORDS)
    sf_set_bits (&owned[fd / 64], UINT64_C (1) << (fd % 64));
  return fd;
}

void
sf_fd_close (int fd)
{
  if (fd < 0)
    return;
  if ((uint32_t) fd / 64 < WORDS)
    sf_clear_bits (&owned[fd / 64], UINT64_C (1) << (fd % 64));
  close (fd);
}

void
sf_fd_shut (int fd)
{
  if (fd >= 0)
    shutdown (fd, SHUT_RDWR);
  sf_fd_close (fd);
}
