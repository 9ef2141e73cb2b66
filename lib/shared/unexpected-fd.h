/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fds of kinds that the protocol does not use, sent by a peer. To close one can
 * take as long as the peer likes: a TCP socket that lingers, a file of a FUSE
 * mount whose server does not answer. Memory and pipes, which the protocol does
 * use, close at once. */
#ifndef SF_UNEXPECTED_FD_H
#define SF_UNEXPECTED_FD_H

#include <stdbool.h>
#include <stdint.h>

/* Neither memory nor a pipe. Asks only the kernel. */
bool sf_fd_is_unexpected (int fd);

/* Closes it; an unexpected one in a thread of its own, without waiting. */
void sf_fd_discard (int fd);

/* Returns how many unexpected fds of this process are not closed yet. */
uint32_t sf_fd_count_discarded (void);

#endif
