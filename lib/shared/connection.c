/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shared/fork.h"
#include "shared/unexpected-fd.h"
#include "shared/test-hooks.h"

/* Connections that wait between two looks of the producer; more must retry. */
#define BACKLOG 128

/* Room for the fds of a message. The kernel drops what exceeds it, and says so
 * (MSG_CTRUNC), so that a peer cannot fill our table of fds. */
#define CONTROL_SIZE CMSG_SPACE (sizeof (int) * SF_MESSAGE_MAX_FDS)

/* The room is rounded up, so one more may fit. */
#define CONTROL_MAX_FDS ((CONTROL_SIZE - CMSG_LEN (0)) / sizeof (int))

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

_Static_assert (sizeof ((struct sockaddr_un *) 0)->sun_path
    == sizeof ((struct sf_listener *) 0)->path, "a path fits both or neither");

static int
address_of (const char *path, struct sockaddr_un *address, socklen_t * len)
{
  size_t n = strnlen (path, sizeof address->sun_path);

  if (n == 0 || (path[0] == '@' && n == 1))
    return -EINVAL;
  if (n == sizeof address->sun_path)
    return -ENAMETOOLONG;
  memset (address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy (address->sun_path, path, n);
  *len = offsetof (struct sockaddr_un, sun_path) + n;
  if (path[0] == '@')
    address->sun_path[0] = 0;
  else
    *len += 1;
  return 0;
}

static int
new_socket (void)
{
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  return fd < 0 ? -errno : fd;
}

static int
connect_address (const struct sockaddr_un *address, socklen_t len)
{
  int fd = new_socket ();
  int err;

  if (fd < 0)
    return fd;
  while (connect (fd, (const struct sockaddr *) address, len) < 0) {
    if (errno == EINTR)
      continue;
    err = -errno;
    close (fd);
    return err;
  }
  return fd;
}

/* Serializes producers that replace a stale socket file. Without a lock:
 *
 *   1  A: connect() refused: stale          B: connect() refused: stale
 *   2  A: unlink, bind, listen: A serves
 *   3                                       B: unlink (that was A's), bind
 *
 * and A listens where nobody finds it. To bind another name and rename() it
 * over the stale one, or to swap the two, only moves the race: no system call
 * replaces a file on condition that it is still the same. link() does not
 * replace at all, and a freshly bound socket refuses connections until
 * listen(), so that it looks stale as well.
 *
 * The lock is on the folder, from bind() to listen(): nothing has to be created
 * for it, and it ends with its holder. Anybody who may read the folder can take
 * it, so we wait for a limited time and then go on without: somebody who holds
 * it gains no more than the race above. The same where a folder cannot be read,
 * or locked (NFS). */
static int
lock_folder_of (const char *path)
{
  const struct timespec pause = { .tv_nsec = 1000000 };
  const char *slash = strrchr (path, '/');
  char folder[sizeof ((struct sf_listener *) 0)->path] = ".";
  int fd;

  if (slash) {
    memcpy (folder, path, (size_t) (slash - path) + 1);
    folder[slash - path + 1] = 0;
  }
  fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  for (int tries = 0; flock (fd, LOCK_EX | LOCK_NB) < 0; tries++) {
    if (tries == 100 || (errno != EWOULDBLOCK && errno != EINTR))
      break;
    nanosleep (&pause, NULL);
  }
  return fd;
}

static void
unlock_folder (int fd)
{
  if (fd < 0)
    return;
  /* close() would not do: a child forked meanwhile shares the lock. */
  flock (fd, LOCK_UN);
  close (fd);
}

/* Tells whether the listener's process is gone and only a child has its socket,
 * where nobody accepts. */
static bool
is_orphan (int fd)
{
  int process = sf_peer_process (fd);
  bool gone = process == -ESRCH || sf_process_is_gone (process);

  if (process >= 0)
    close (process);
  return gone;
}

/* 1; or why not: -ECONNREFUSED: nobody listens; others as connect(). */
static int
is_served (const struct sockaddr_un *address, socklen_t len)
{
  int fd = connect_address (address, len);
  bool orphan;

  if (fd < 0)
    return fd;
  orphan = is_orphan (fd);
  close (fd);
  return orphan ? -ECONNREFUSED : 1;
}

/* Removes a stale socket from the path. 0; or an error if something else is
 * there. */
static int
remove_stale (const struct sockaddr_un *address, socklen_t len)
{
  struct stat st;
  int r;

  if (lstat (address->sun_path, &st) < 0)
    return errno == ENOENT ? 0 : -errno;
  if (S_ISDIR (st.st_mode))
    return -EISDIR;
  if (!S_ISSOCK (st.st_mode))
    return -ENOTSOCK;
  r = is_served (address, len);
  switch (r) {
    case -ECONNREFUSED:
      return unlink (address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
    case -ENOENT:
      return 0;
    case -EAGAIN:              /* its queue is full: alive */
    case -EPROTOTYPE:          /* another kind of socket: alive */
      return -EADDRINUSE;
    default:
      return r < 0 ? r : -EADDRINUSE;
  }
}

static int
bind_path (int fd, const struct sockaddr_un *address, socklen_t len)
{
  const struct sockaddr *sa = (const struct sockaddr *) address;
  int err;

  if (bind (fd, sa, len) == 0)
    return 0;
  if (errno != EADDRINUSE)
    return -errno;
  err = remove_stale (address, len);
  if (err < 0)
    return err;
  return bind (fd, sa, len) < 0 ? -errno : 0;
}

/* Sets the file's permission bits before listen(): nobody can connect earlier,
 * so the umask's bits never count. */
static int
set_up_file (struct sf_listener *l, mode_t mode)
{
  struct stat st;

  if (fchmodat (AT_FDCWD, l->path, mode, AT_SYMLINK_NOFOLLOW) < 0
      || lstat (l->path, &st) < 0)
    return -errno;
  l->dev = st.st_dev;
  l->ino = st.st_ino;
  SF_HOOK ("bound");
  if (listen (l->fd, BACKLOG) < 0)
    return -errno;
  /* Change the attributes once more: a consumer that watches the folder was
   * woken by the file, and refused. Otherwise it would try again later. */
  utimensat (AT_FDCWD, l->path, NULL, AT_SYMLINK_NOFOLLOW);
  return 0;
}

static int
listen_at_path (struct sf_listener *l, const struct sockaddr_un *address,
    socklen_t len, mode_t mode)
{
  int folder = lock_folder_of (l->path);
  int err = bind_path (l->fd, address, len);

  if (err == 0) {
    err = set_up_file (l, mode);
    if (err < 0)
      unlink (l->path);
  }
  unlock_folder (folder);
  return err;
}

static int
listen_at_name (struct sf_listener *l, const struct sockaddr_un *address,
    socklen_t len)
{
  const struct timespec pause = { .tv_nsec = 5000000 };
  int tries = 0;

  /* A child of a process that just ended may be about to close it. */
  while (bind (l->fd, (const struct sockaddr *) address, len) < 0) {
    if (errno != EADDRINUSE || tries++ == 20)
      return -errno;
    nanosleep (&pause, NULL);
  }
  return listen (l->fd, BACKLOG) < 0 ? -errno : 0;
}

/* Refuses fds: clients have none to send, and to close one can take for ever (a
 * TCP socket that lingers, a file of a FUSE mount). Linux 6.16 can refuse them,
 * and accepted sockets inherit that; before, sf_receive() without room for fds
 * avoids at least what close() flushes. */
static void
refuse_fds (int fd)
{
  const int off = 0;

  setsockopt (fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
}

int
sf_listener_open (struct sf_listener *listener, const char *path, mode_t mode)
{
  struct sf_listener l = { .fd = -1 };
  struct sockaddr_un address;
  socklen_t len;
  int err = address_of (path, &address, &len);

  if (err < 0)
    return err;
  l.abstract = path[0] == '@';
  strcpy (l.path, path);
  l.fd = sf_fd_own (new_socket ());
  if (l.fd < 0)
    return l.fd;
  refuse_fds (l.fd);
  err = l.abstract ? listen_at_name (&l, &address, len)
      : listen_at_path (&l, &address, len, mode);
  if (err < 0) {
    sf_fd_close (l.fd);
    return err;
  }
  *listener = l;
  return 0;
}

void
sf_listener_close (struct sf_listener *listener)
{
  struct stat st;

  if (listener->fd < 0)
    return;
  /* Unlink while we still listen: otherwise another producer could take the
   * file for stale and put its own there between these two calls. */
  if (!listener->abstract && lstat (listener->path, &st) == 0
      && st.st_dev == listener->dev && st.st_ino == listener->ino)
    unlink (listener->path);
  sf_fd_shut (listener->fd);
  listener->fd = -1;
}

int
sf_listener_accept (struct sf_listener *listener, struct sf_credentials *peer)
{
  int fd, err;

  do
    fd = accept4 (listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0)
    return -errno;
  err = sf_peer_credentials (fd, peer);
  if (err < 0) {
    close (fd);
    return err;
  }
  return fd;
}

int
sf_connect (const char *path)
{
  struct sockaddr_un address;
  socklen_t len;
  int err = address_of (path, &address, &len);

  return err < 0 ? err : connect_address (&address, len);
}

int
sf_send (int fd, const struct sf_message *msg, const int *fds, unsigned n_fds)
{
  _Alignas (struct cmsghdr) char control[CONTROL_SIZE] = { 0 };
  uint8_t bytes[SF_MESSAGE_MAX];
  struct iovec iov = { .iov_base = bytes };
  struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
  ssize_t n;
  int size = sf_message_encode (msg, bytes, sizeof bytes);

  if (size < 0)
    return size;
  if (!sf_message_takes_fds (msg->type, n_fds))
    return -EINVAL;
  iov.iov_len = (size_t) size;
  if (n_fds > 0) {
    struct cmsghdr *c;

    mh.msg_control = control;
    mh.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
    c = CMSG_FIRSTHDR (&mh);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
    memcpy (CMSG_DATA (c), fds, sizeof (int) * n_fds);
  }
  do
    n = sendmsg (fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n >= 0)
    return 0;
  /* Reset: the other end closed with messages of ours unread. */
  return errno == ECONNRESET ? -EPIPE : -errno;
}

struct received_fds
{
  unsigned n;
  int fds[CONTROL_MAX_FDS];
};

static void
take_fds (struct msghdr *mh, struct received_fds *got)
{
  struct cmsghdr *c;

  got->n = 0;
  for (c = CMSG_FIRSTHDR (mh); c; c = CMSG_NXTHDR (mh, c)) {
    size_t n = (c->cmsg_len - CMSG_LEN (0)) / sizeof (int);

    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS
        || n > CONTROL_MAX_FDS - got->n)
      continue;
    memcpy (got->fds + got->n, CMSG_DATA (c), n * sizeof (int));
    got->n += n;
  }
}

static void
close_fds (const struct received_fds *got)
{
  for (unsigned i = 0; i < got->n; i++)
    sf_fd_discard (got->fds[i]);
}

static bool
has_unexpected (const struct received_fds *got)
{
  unsigned i = 0;

  while (i < got->n && !sf_fd_is_unexpected (got->fds[i]))
    i++;
  return i < got->n;
}

/* Nothing was read: the end, or a datagram without bytes. */
static bool
is_hung_up (int fd)
{
  struct pollfd p = { .fd = fd, .events = POLLRDHUP };

  return poll (&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP));
}

static ssize_t
receive_bytes (int fd, struct msghdr *mh)
{
  const size_t room = mh->msg_controllen;
  ssize_t n;

  do {
    mh->msg_controllen = room;
    n = recvmsg (fd, mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    /* Reset: the other end closed with messages of ours unread. The kernel says
     * so once, before it hands out what that end had sent, which may be the
     * reason (REJECT, BYE). */
  } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  return n < 0 ? -errno : n;
}

int
sf_receive (int fd, struct sf_message *msg, int fds[SF_MESSAGE_MAX_FDS])
{
  _Alignas (struct cmsghdr) char control[CONTROL_SIZE];
  uint8_t bytes[SF_MESSAGE_MAX];
  struct iovec iov = { .iov_base = bytes, .iov_len = sizeof bytes };
  struct msghdr mh = {
    .msg_iov = &iov,
    .msg_iovlen = 1,
    .msg_control = control,
    .msg_controllen = fds ? sizeof control : 0,
  };
  struct received_fds got;
  ssize_t n = receive_bytes (fd, &mh);
  int r = 1;

  if (n < 0)
    return (int) n;
  take_fds (&mh, &got);
  if (n == 0 && got.n == 0 && is_hung_up (fd))
    return 0;
  /* Fewer fds than there was room for: we are out of fds, which is not the
   * peer's fault. */
  if (has_unexpected (&got))
    r = -EBADF;
  else if (fds && (mh.msg_flags & MSG_CTRUNC) && got.n < SF_MESSAGE_MAX_FDS)
    r = -EMFILE;
  else if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
      || sf_message_decode (msg, bytes, (size_t) n, got.n) < 0)
    r = -EPROTO;
  if (r < 0)
    close_fds (&got);
  for (unsigned i = 0; r > 0 && fds && i < SF_MESSAGE_MAX_FDS; i++)
    fds[i] = i < got.n ? got.fds[i] : -1;
  return r;
}

void
sf_close_received (const int fds[SF_MESSAGE_MAX_FDS])
{
  for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++)
    if (fds[i] >= 0)
      close (fds[i]);
}
