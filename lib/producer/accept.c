/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection from accept() to its first message. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shared/explain.h"
#include "producer/parts.h"

/* Connections that have not said HELLO. More than one turn accepts. */
#define MAX_GREETING 40u

/* Closes the oldest connection that has not said HELLO, if there are too
 * many. */
static void
make_place (struct sf_producer *p)
{
  struct sf_client *oldest = NULL;
  uint32_t n = 0;

  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    if (c->state == SF_CLIENT_GREETING) {
      oldest = c;
      n++;
    }
  }
  if (n >= MAX_GREETING)
    sf_client_greet_or_close (oldest);
}

/* Refuses other users on an abstract socket, which has no permissions. Where
 * all places are taken, the connection is let in all the same: it may be an
 * observer's. */
static bool
is_refused (struct sf_producer *p, const struct sf_credentials *peer,
    struct sf_reject *reject)
{
  if (p->listener.abstract && peer->uid != 0 && peer->uid != geteuid ())
    *reject = (struct sf_reject) {
    .reason = SF_REASON_NOT_ALLOWED,
    .text = "an abstract socket serves its own user and root only; use a "
        "socket-path in the file system and socket-mode for others",
    };
  return reject->reason != SF_REASON_NONE;
}

void
sf_client_accept (struct sf_producer *p, int fd,
    const struct sf_credentials *peer)
{
  struct sf_reject reject = { .reason = SF_REASON_NONE };
  struct sf_client *c = NULL;
  int r = 0;

  if (!is_refused (p, peer, &reject)) {
    make_place (p);
    c = calloc (1, sizeof (*c));
    if (c != NULL)
      *c = (struct sf_client) {
      .refs = 1,
      .producer = p,
      .fd = fd,
      .peer = *peer,
      .session = {
            .guard_fd = -1,
            .process_fd = -1,
            .deadline = sf_now () + SF_GREETING_TIMEOUT,
          },
      .queue = {
            .announce = { .fd = -1 },
            .returns = { .fd = -1 },
          },
      };
    r = c == NULL ? -ENOMEM : sf_client_watch (c, fd, EPOLLIN | EPOLLRDHUP, 0);
  }
  if (r < 0) {
    reject.reason = SF_REASON_RESOURCES;
    sf_explain (reject.text, sizeof (reject.text), r);
  }
  if (reject.reason != SF_REASON_NONE) {
    sf_client_refuse (p, fd, peer, &reject);
    close (fd);
    free (c);
    return;
  }
  sf_fd_own (fd);
  pthread_mutex_lock (&p->lock);
  c->id = ++p->last_client_id;
  c->next = p->clients;
  p->clients = c;
  pthread_mutex_unlock (&p->lock);
  SF_HOOK ("accepted");
}
