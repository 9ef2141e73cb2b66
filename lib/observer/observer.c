/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "observer/observer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* max-clients at most are served, and as many linger. */
#define MAX_LISTED 4096u

int
sf_observer_open (struct sf_observer *o, const char *path,
    struct sf_reject *reject)
{
  int r;

  memset (o, 0, sizeof (*o));
  o->fd = sf_connect (path);
  if (o->fd < 0)
    return o->fd;
  r = sf_peer_check_trust (o->fd, path, reject);
  if (r == 0)
    r = sf_peer_credentials (o->fd, &o->peer);
  if (r < 0)
    sf_observer_close (o);
  return r;
}

void
sf_observer_close (struct sf_observer *o)
{
  if (o->fd >= 0)
    close (o->fd);
  free (o->clients);
  free (o->pending);
  memset (o, 0, sizeof (*o));
  o->fd = -1;
}

static int
ask (struct sf_observer *o, uint64_t before)
{
  struct sf_message msg = {
    .type = SF_MESSAGE_OBSERVE,
    .observe = {
          .magic = SF_PROTOCOL_MAGIC,
          .version_min = SF_PROTOCOL_VERSION,
          .version_max = SF_PROTOCOL_VERSION,
          .before = before,
        },
  };
  int r;

  r = sf_send (o->fd, &msg, NULL, 0);
  /* The reason for closing may be there to be read. */
  return r == -EPIPE ? 0 : r;
}

int
sf_observer_ask (struct sf_observer *o)
{
  int r;

  if (o->asked)
    return 0;
  o->n_pending = 0;
  r = ask (o, UINT64_MAX);
  o->asked = r == 0;
  return r;
}

static int
keep_clients (struct sf_observer *o, const struct sf_stats *stats)
{
  uint32_t n = o->n_pending + stats->n_listed;

  /* Ids must fall over all messages, or it would never end. */
  if (n > MAX_LISTED || (o->n_pending > 0 && stats->n_listed > 0
          && stats->clients[0].id >= o->pending[o->n_pending - 1].id))
    return -EPROTO;
  if (n > o->room) {
    struct sf_client_stats *more = realloc (o->pending, n * sizeof (*more));

    if (more == NULL)
      return -ENOMEM;
    o->pending = more;
    o->room = n;
  }
  if (stats->n_listed > 0)
    memcpy (o->pending + o->n_pending, stats->clients,
        stats->n_listed * sizeof (stats->clients[0]));
  o->n_pending = n;
  return 0;
}

/* Takes one STATS message. */
static int
handle_stats (struct sf_observer *o, const struct sf_stats *stats)
{
  int r;

  if (!o->asked)
    return -EPROTO;
  r = keep_clients (o, stats);
  if (r < 0)
    return r;
  if (stats->n_listed == SF_STATS_CLIENTS)
    return ask (o, o->pending[o->n_pending - 1].id);
  free (o->clients);
  o->stats = *stats;
  o->clients = o->pending;
  o->n_clients = o->n_pending;
  o->pending = NULL;
  o->n_pending = o->room = 0;
  o->asked = false;
  return 1;
}

int
sf_observer_read (struct sf_observer *o, struct sf_reject *reject)
{
  struct sf_message msg;
  int r = sf_receive (o->fd, &msg, NULL);

  if (r == 0)
    return -EPIPE;
  if (r < 0)
    return r;
  if (msg.type == SF_MESSAGE_REJECT) {
    *reject = msg.reject;
    return -EACCES;
  }
  return msg.type == SF_MESSAGE_STATS ? handle_stats (o, &msg.stats) : -EPROTO;
}
