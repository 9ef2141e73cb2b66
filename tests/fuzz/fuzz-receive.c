/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A peer that sends what it likes: two bytes of head, then a datagram, again and
 * again, and then it hangs up. Head: the datagram's length (12 bits), and how
 * many fds go with it (4 bits). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/connection.h"
#include "fuzz.h"

#define MAX_FDS 15

static void
send_raw (int fd, const uint8_t * bytes, size_t len, int passed, unsigned n_fds)
{
  _Alignas (struct cmsghdr) char control[CMSG_SPACE (sizeof (int) * MAX_FDS)]
      = { 0 };
  struct iovec iov = { .iov_base = (void *) bytes, .iov_len = len };
  struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

  if (n_fds > 0) {
    struct cmsghdr *c;

    mh.msg_control = control;
    mh.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
    c = CMSG_FIRSTHDR (&mh);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
    for (unsigned i = 0; i < n_fds; i++)
      memcpy (CMSG_DATA (c) + i * sizeof (int), &passed, sizeof (int));
  }
  sendmsg (fd, &mh, MSG_NOSIGNAL);
}

/* One receive for each datagram sent, so that its buffer never fills. */
static void
receive_one (int fd)
{
  int fds[SF_MESSAGE_MAX_FDS];
  struct sf_message m;
  int got = sf_receive (fd, &m, fds);

  require (got == 1 || got == -EPROTO);
  if (got == 1) {
    unsigned n = 0;

    while (n < SF_MESSAGE_MAX_FDS && fds[n] >= 0)
      close (fds[n++]);
    require (sf_message_takes_fds (m.type, n));
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t * data, size_t size)
{
  struct sf_message m;
  int pair[2], fds[SF_MESSAGE_MAX_FDS], lowest = dup (0), memory;

  close (lowest);
  memory = memfd_create ("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  require (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
  while (size >= 2) {
    size_t len = data[0] | (size_t) (data[1] & 15) << 8;
    unsigned n_fds = data[1] >> 4;

    data += 2;
    size -= 2;
    len = len < size ? len : size;
    send_raw (pair[1], data, len, memory, n_fds);
    receive_one (pair[0]);
    data += len;
    size -= len;
  }
  require (sf_receive (pair[0], &m, fds) == -EAGAIN);
  close (pair[1]);
  require (sf_receive (pair[0], &m, fds) == 0);
  close (pair[0]);
  close (memory);
  /* Every fd that came is closed again: the next one is the first again. */
  require (dup (0) == lowest);
  close (lowest);
  return 0;
}
