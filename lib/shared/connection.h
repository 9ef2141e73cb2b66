/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control sockets: listening, connecting, and one message with its fds at a
 * time. Everything is non-blocking and close-on-exec; nothing is retried but
 * EINTR. All functions return 0 or more, or -errno. */
#ifndef SF_CONNECTION_H
#define SF_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/protocol.h"

/* A listening socket and the file it owns. */
struct sf_listener
{
  int fd;
  bool abstract;
  /* The socket file as bound: only this one is unlinked at close. */
  dev_t dev;
  ino_t ino;
  char path[108];
};

struct sf_credentials
{
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

/* Binds and listens at `path` ('@' first: abstract namespace) with permission
 * bits `mode`. Replaces a socket file on which nobody listens.
 *   -EINVAL        empty path
 *   -ENAMETOOLONG  longer than 107 bytes (106 after the '@')
 *   -EADDRINUSE    a process listens there; one that ended does not, even
 *                  if its children have the socket
 *   -ENOTSOCK      a file that is not a socket is there; it stays
 *   -EISDIR        a folder is there
 *   others         as of socket(), bind(), listen(), chmod() */
int sf_listener_open (struct sf_listener *listener, const char *path,
    mode_t mode);

/* Closes; unlinks the socket file if it is still the one that was bound. */
void sf_listener_close (struct sf_listener *listener);

/* Accepts one connection. Returns its fd; -EAGAIN: there is none. */
int sf_listener_accept (struct sf_listener *listener,
    struct sf_credentials *peer);

/* Connects to `path`. Returns the fd, or -errno. -ENOENT and -ECONNREFUSED:
 * nobody is there (yet); -EAGAIN: its queue of connections is full, try
 * again. */
int sf_connect (const char *path);

/* Returns uid, pid and gid of the other end: who connected, or who listens. */
int sf_peer_credentials (int fd, struct sf_credentials *peer);

/* Checks whether we trust the listener at `path`, to which `fd` is connected:
 * it is of our user or root, or, at a path in the file system, of the file's
 * owner, whom the folder's permissions let put it there. 0; -ENOENT: the file
 * is gone; -EPERM, with the reason in `reject`; others as
 * sf_peer_credentials(). */
int sf_peer_check_trust (int fd, const char *path, struct sf_reject *reject);

/* Returns a pidfd of the other end's process, whose children may have copies of
 * its fds. -ESRCH: that process is gone; others: not known. */
int sf_peer_process (int fd);

/* Tells whether the process of this pidfd has ended, reaped or not. False for a
 * negative one. */
bool sf_process_is_gone (int pidfd);

/* Sends `msg` with `n_fds` of the caller's fds, which stay the caller's.
 * -EAGAIN: the socket's buffer is full. -EPIPE: nobody is there any more. */
int sf_send (int fd, const struct sf_message *msg, const int *fds,
    unsigned n_fds);

/* Receives one message. Returns 1 and fills `msg` and `fds`, which become the
 * caller's to close (unused entries are -1); 0 at end of file; -EAGAIN: there
 * is none; -EPROTO: not a message, a truncated one, or one with the wrong
 * number of fds (all that came are closed); -EBADF: fds of a kind that no
 * message has (sf_fd_is_unexpected()); -EMFILE: we have no room for the fds.
 *
 * `fds` NULL: a message with fds is -EPROTO. The kernel drops them before they
 * are this process's, so that a client cannot make close() wait by sending fds
 * of a file system of its own. */
int sf_receive (int fd, struct sf_message *msg, int fds[SF_MESSAGE_MAX_FDS]);

/* Closes the fds that sf_receive() filled in. */
void sf_close_received (const int fds[SF_MESSAGE_MAX_FDS]);

#endif
