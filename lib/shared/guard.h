/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The write end of a pipe whose read end the producer watches: it hangs up once
 * nobody can read a client's frames any more. A connection has one, and so has
 * each segment that came over it, since a segment may be passed on and outlive
 * the connection. They share one fd. */
#ifndef SF_GUARD_H
#define SF_GUARD_H

struct sf_guard;

/* Takes over `fd`, closed on error. NULL: out of memory. */
struct sf_guard *sf_guard_new (int fd);
struct sf_guard *sf_guard_ref (struct sf_guard *guard);
/* Closes it with the last reference. NULL is allowed. */
void sf_guard_unref (struct sf_guard *guard);
/* Returns the fd, which stays the guard's. */
int sf_guard_fd (const struct sf_guard *guard);

#endif
