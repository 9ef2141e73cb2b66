/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork() without exec(): what a child does with the objects it inherits.
 *
 * A child has copies of our objects, but none of our threads, and its mutexes
 * are as they were at that moment, perhaps locked for good. So it neither
 * returns nor keeps anything: its copies of our fds are closed before fork()
 * returns, and closing, releasing and giving back do nothing there
 * (sf_is_inherited()). Frames stay mapped, for as long as the parent holds them
 * they can be read.
 *
 * No handler runs in a child of vfork() or of a bare clone(); there the fds
 * stay open. So both ends watch the other one's process as well
 * (sf_peer_process()), and shut sockets down before they close them. */
#ifndef SF_FORK_H
#define SF_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* Another one in each child. Changes only where there is a single thread. */
extern uint32_t sf_generation;

/* Was the object of this generation made by a parent of this process? */
static inline bool
sf_is_inherited (uint32_t generation)
{
  return generation != sf_generation;
}

/* A child does not keep this fd. Returns it. Errors (negative) are passed
 * on. */
int sf_fd_own (int fd);

/* Closes what sf_fd_own() was told of; less than 0: nothing. */
void sf_fd_close (int fd);

/* The same for a connected socket: the other end hears of it even where a copy
 * of it is left. */
void sf_fd_shut (int fd);

#endif
