/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork() without exec(): what a child does with the objects it inherits.
 *
 * A child has copies of our objects, but none of our threads, and its mutexes
 * may be locked for good. So it returns nothing and keeps nothing: its copies
 * of our fds are closed before fork() returns, and closing and releasing do
 * nothing there (sf_is_inherited()). Frames stay mapped, and readable while the
 * parent holds them.
 *
 * No handler runs in a child of vfork() or of a bare clone(); there the fds
 * stay open. So each end also watches the other's process (sf_peer_process()),
 * and shuts sockets down before closing them. */
#ifndef SF_FORK_H
#define SF_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* Differs in each child. Changes only while there is a single thread. */
extern uint32_t sf_generation;

/* Tells whether a parent of this process made the object of this generation. */
static inline bool
sf_is_inherited (uint32_t generation)
{
  return generation != sf_generation;
}

/* Has children close this fd. Returns it, and passes errors (negative) on. */
int sf_fd_own (int fd);

/* Closes an fd of sf_fd_own(); negative: nothing. */
void sf_fd_close (int fd);

/* Closes a connected socket so that the other end hears of it even where a copy
 * is left. */
void sf_fd_shut (int fd);

#endif
