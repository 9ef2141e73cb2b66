/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever connects, until it says HELLO; and whoever is refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shared/explain.h"
#include "producer/producer-private.h"

/* Connections that have not said HELLO. More than are accepted in one turn. */
#define MAX_GREETING 40u

void
sf_client_report_refusal (struct sf_producer *p,
    const struct sf_credentials *peer, const struct sf_reject *reject)
{
  pthread_mutex_lock (&p->lock);
  p->stats.clients_refused++;
  pthread_mutex_unlock (&p->lock);
  if (p->callbacks.refused != NULL)
    p->callbacks.refused (p->user, peer, reject);
}

void
sf_client_refuse (struct sf_producer *p, int fd,
    const struct sf_credentials *peer, const struct sf_reject *reject)
{
  struct sf_message msg = {.type = SF_MESSAGE_REJECT,.reject = *reject };

  /* Whoever is told finds it counted. */
  sf_client_report_refusal (p, peer, reject);
  sf_send (fd, &msg, NULL, 0);
}

static uint32_t
outstanding (const struct sf_client *c)
{
  return c->leases != NULL ? sf_leases_outstanding (c->leases) : 0;
}

void
sf_producer_name_holder (struct sf_producer *p, struct sf_reject *reject)
{
  size_t len = strlen (reject->text);
  const struct sf_client *most = NULL;

  pthread_mutex_lock (&p->lock);
  for (struct sf_client * c = p->clients; c != NULL; c = c->next)
    if (c->state >= SF_CLIENT_LEAVING && outstanding (c) > 0
        && (most == NULL || outstanding (c) > outstanding (most)))
      most = c;
  if (most != NULL)
    snprintf (reject->text + len, sizeof (reject->text) - len,
        "; process %d (%s), which %s, still holds %u frame(s)",
        (int) most->peer.pid, most->name, most->process_gone
        ? "has ended but had passed them on"
        : most->state == SF_CLIENT_LEAVING ? "has left" : "was disconnected",
        outstanding (most));
  pthread_mutex_unlock (&p->lock);
}

void
sf_producer_explain_full (struct sf_producer *p, struct sf_reject *reject)
{
  *reject = (struct sf_reject) {
  .reason = SF_REASON_FULL,.limit = p->max_clients,.text =
        "all places are taken; raise max-clients of shmframesink"};
  sf_producer_name_holder (p, reject);
}

int
sf_client_watch (struct sf_client *c, int fd, uint32_t events, unsigned tag)
{
  /* The low bits of the pointer say which of its fds it is. */
  struct epoll_event ev = {.events = events,.data.u64 =
        (uint64_t) (uintptr_t) c | tag
  };

  return epoll_ctl (c->producer->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0
      ? -errno : 0;
}

/* Places are for those who talk: of too many who do not, the oldest goes. */
static void
make_place (struct sf_producer *p)
{
  struct sf_client *oldest = NULL;
  uint32_t n = 0;

  for (struct sf_client * c = p->clients; c != NULL; c = c->next) {
    if (c->state == SF_CLIENT_GREETING) {
      oldest = c;
      n++;
    }
  }
  if (n >= MAX_GREETING)
    sf_client_greet_or_go (oldest);
}

/* What to tell who cannot be served, whatever it is going to say. */
static bool
is_refused (struct sf_producer *p, const struct sf_credentials *peer,
    struct sf_reject *reject)
{
  if (p->listener.abstract && peer->uid != 0 && peer->uid != geteuid ())
    *reject = (struct sf_reject) {
    .reason = SF_REASON_NOT_ALLOWED,.text =
          "an abstract socket serves its own user and root only; use a "
          "socket-path in the file system and socket-mode for others"};
  else if (p->n_connections >= p->max_clients)
    sf_producer_explain_full (p, reject);
  return reject->reason != SF_REASON_NONE;
}

void
sf_client_accept (struct sf_producer *p, int fd,
    const struct sf_credentials *peer)
{
  struct sf_reject reject = {.reason = SF_REASON_NONE };
  struct sf_client *c = NULL;
  int r = 0;

  if (!is_refused (p, peer, &reject)) {
    make_place (p);
    c = calloc (1, sizeof (*c));
    if (c != NULL)
      *c = (struct sf_client) {
      .refs = 1,.producer = p,.fd = fd,.guard_fd = -1,.process_fd =
            -1,.peer = *peer,.patience_until =
            sf_now () + SF_GREETING_TIMEOUT,.announce = {.fd =
              -1},.returns = {.fd = -1}};
    r = c == NULL ? -ENOMEM
        : sf_client_watch (c, fd, EPOLLIN | EPOLLRDHUP, 0);
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
