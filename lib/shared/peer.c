/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is at the other end of a socket, and whether it is still there. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/connection.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int
sf_peer_credentials (int fd, struct sf_credentials *peer)
{
  struct ucred cred;
  socklen_t len = sizeof cred;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
    return -errno;
  peer->pid = cred.pid;
  peer->uid = cred.uid;
  peer->gid = cred.gid;
  return 0;
}

int
sf_peer_check_trust (int fd, const char *path, struct sf_reject *reject)
{
  bool abstract = path[0] == '@';
  struct sf_credentials peer = { 0 };
  struct stat st;
  int r = sf_peer_credentials (fd, &peer);

  if (r < 0 || peer.uid == geteuid () || peer.uid == 0)
    return r;
  if (!abstract && stat (path, &st) < 0)
    return -ENOENT;
  if (!abstract && st.st_uid == peer.uid)
    return 0;
  *reject = (struct sf_reject) { .reason = SF_REASON_NOT_ALLOWED };
  snprintf (reject->text, sizeof (reject->text), "it is process %d of user %u, "
      "which is neither ours nor root's%s; %s", (int) peer.pid,
      (unsigned) peer.uid,
      abstract ? "" : ", nor that of the socket file's owner",
      abstract ? "stop it, or use a socket-path in the file system for "
      "producers of other users" : "stop it, or remove that file");
  return -EPERM;
}

int
sf_peer_process (int fd)
{
  struct sf_credentials peer = { 0 };
  socklen_t len = sizeof (int);
  int process, err;

  /* Linux 6.5: cannot mean another process of the same number. */
  if (getsockopt (fd, SOL_SOCKET, SO_PEERPIDFD, &process, &len) == 0)
    return process;
  if (errno == EINVAL || errno == ESRCH)
    return -ESRCH;
  if (errno != ENOPROTOOPT)
    return -errno;
  err = sf_peer_credentials (fd, &peer);
  if (err < 0)
    return err;
  /* In a namespace that we do not see. */
  if (peer.pid == 0)
    return -ENOSYS;
  process = (int) syscall (SYS_pidfd_open, peer.pid, 0);
  return process < 0 ? -errno : process;
}

bool
sf_process_is_gone (int pidfd)
{
  struct pollfd p = { .fd = pidfd, .events = POLLIN };

  return pidfd >= 0 && poll (&p, 1, 0) > 0;
}
