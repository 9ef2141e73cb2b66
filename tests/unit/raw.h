/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a peer can send that sf_send() would not. */
#ifndef RAW_H
#define RAW_H

#include <fcntl.h>
#include <sys/socket.h>

#include "unit.h"

#define RAW_MAX_FDS 253

struct pair
{
  int ours, theirs;
};

static inline struct pair
new_pair (void)
{
  int fds[2];

  check_int (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC
          | SOCK_NONBLOCK, 0, fds), 0);
  return (struct pair) { fds[0], fds[1] };
}

static inline void
close_pair (struct pair *p)
{
  close (p->ours);
  close (p->theirs);
}

/* Sends `len` bytes and `n_fds` times the same fd. */
static inline void
raw_send (int fd, const void *bytes, size_t len, int passed, unsigned n_fds)
{
  static char control[CMSG_SPACE (sizeof (int) * RAW_MAX_FDS)]
      __attribute__ ((aligned (sizeof (size_t))));
  struct iovec iov = { .iov_base = (void *) bytes, .iov_len = len };
  struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

  if (n_fds > 0) {
    struct cmsghdr *c = (struct cmsghdr *) control;

    mh.msg_control = control;
    mh.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
    for (unsigned i = 0; i < n_fds; i++)
      memcpy (CMSG_DATA (c) + i * sizeof (int), &passed, sizeof (int));
  }
  check_int (sendmsg (fd, &mh, MSG_NOSIGNAL), len);
}

#endif
