/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at a producer from outside, without being one of its clients: nothing
 * is received, held, or kept waiting. Never waits: poll `fd` for POLLIN between
 * the calls. */
#ifndef SF_OBSERVER_H
#define SF_OBSERVER_H

#include "shared/connection.h"

struct sf_observer
{
  int fd;
  struct sf_credentials peer;   /* the producer's process */
  /* What the last look found; of `stats` all but its own list of clients. */
  struct sf_stats stats;
  struct sf_client_stats *clients;      /* the newest first */
  uint32_t n_clients;
  /* Of the look under way. */
  struct sf_client_stats *pending;
  uint32_t n_pending, room;
  bool asked;
};

/* Connects. 0 or as sf_connect() and sf_peer_check_trust(). */
int sf_observer_open (struct sf_observer *observer, const char *path,
    struct sf_reject *reject);

/* Begins a look, unless one is under way. 0 or as sf_send(). */
int sf_observer_ask (struct sf_observer *observer);

/* Takes what has come. 1: the look is complete; 0: more is to come; -EAGAIN:
 * nothing has; -EACCES: refused, and `reject` says why; -EPIPE: the producer is
 * gone; -EPROTO: it said what it may not; -ENOMEM. */
int sf_observer_read (struct sf_observer *observer, struct sf_reject *reject);

void sf_observer_close (struct sf_observer *observer);

#endif
