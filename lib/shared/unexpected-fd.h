/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fds that a peer sent. To close one can take as long as the peer likes: a TCP
 * socket that lingers, a file of a FUSE mount whose server does not answer. Of
 * memory and pipes, which are all that this protocol has, it cannot. */
#ifndef SF_UNEXPECTED_FD_H
#define SF_UNEXPECTED_FD_H

#include <stdbool.h>
#include <stdint.h>

/* Neither memory nor a pipe. Asks nobody but the kernel. */
bool sf_fd_is_unexpected (int fd);

/* Closes it; an unexpected one in a thread of its own, which is not waited
 * for. */
void sf_fd_discard (int fd);

/* Unexpected fds of this process that are not closed yet. */
uint32_t sf_fd_count_discarded (void);

#endif
