/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watches a producer without being its client: receives, holds and delays
 * nothing. No call waits: poll `fd` for POLLIN in between. */
#ifndef SF_OBSERVER_H
#define SF_OBSERVER_H

#include "shared/connection.h"

struct sf_observer
{
  int fd;
  struct sf_credentials peer;   /* the producer's process */
  /* The last complete look; `stats` without its own list of clients. */
  struct sf_stats stats;
  struct sf_client_stats *clients;      /* the newest first */
  uint32_t n_clients;
  /* The look under way. */
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
 * nothing came; -EACCES: refused, for the reason in `reject`; -EPIPE: the
 * producer is gone; -EPROTO: it broke the protocol; -ENOMEM. */
int sf_observer_read (struct sf_observer *observer, struct sf_reject *reject);

void sf_observer_close (struct sf_observer *observer);

#endif
