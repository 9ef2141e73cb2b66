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
  /* Of the socket file as bound: unlinked at close only if it is still it. */
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
 * bits `mode`. A socket file nobody listens on is replaced.
 *  -EINVAL        empty path
 *  -ENAMETOOLONG  longer than 107 bytes (106 after the '@')
 *  -EADDRINUSE    somebody listens there (who ended does not, whatever is left
 *                 of its children)
 *  -ENOTSOCK      a file that is not a socket is there; it is left alone
 *  -EISDIR        a folder is there
 *  others         as of socket(), bind(), listen(), chmod() */
int sf_listener_open (struct sf_listener *listener, const char *path,
    mode_t mode);

/* Closes; unlinks the socket file if it is still the one that was bound. */
void sf_listener_close (struct sf_listener *listener);

/* Accepts one connection: its fd, -EAGAIN when there is none. */
int sf_listener_accept (struct sf_listener *listener,
    struct sf_credentials *peer);

/* Connects to `path`: the fd, or -errno. -ENOENT and -ECONNREFUSED: nobody
 * there (yet); -EAGAIN: its queue of connections is full, try again. */
int sf_connect (const char *path);

/* Uid, pid, gid of the other end: who connected, or who listens. */
int sf_peer_credentials (int fd, struct sf_credentials *peer);

/* May the listener at `path`, to which `fd` is connected, serve us? By the rule
 * of the producer's side, that is who we are, and root; at a path besides the
 * owner of the file, whom the folder's rights let put it there. 0; -ENOENT:
 * that is gone; -EPERM, and `reject` says why; others as
 * sf_peer_credentials(). */
int sf_peer_check_trust (int fd, const char *path, struct sf_reject *reject);

/* A pidfd of the other end's process, which may have children with copies of
 * its fds. -ESRCH: that process is gone; others: there is no telling. */
int sf_peer_process (int fd);

/* Has the process of this pidfd ended (though nobody may have waited for it
 * yet)? False for less than 0. */
bool sf_process_is_gone (int pidfd);

/* Sends `msg` with `n_fds` of the caller's fds (they stay the caller's).
 * -EAGAIN: the socket's buffer is full. -EPIPE: nobody there any more. */
int sf_send (int fd, const struct sf_message *msg, const int *fds,
    unsigned n_fds);

/* Receives one message. Returns 1 and fills `msg` and `fds`, which become the
 * caller's to close (unused entries are -1); 0 at end of file; -EAGAIN if there
 * is none; -EPROTO for bytes that are no message, a truncated one, or fds that
 * do not belong (every fd that came is closed then); -EBADF for fds that no
 * message has (sf_fd_is_unexpected()); -EMFILE when we have no room for the fds
 * that came.
 *
 * `fds` NULL: a message with fds is -EPROTO. The kernel drops them before they
 * are this process's, so a client that sends the producer fds of a file system
 * of its own cannot make close() wait for it. */
int sf_receive (int fd, struct sf_message *msg, int fds[SF_MESSAGE_MAX_FDS]);

#endif
