/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An observer, and a producer to look at. */
#ifndef OBSERVERS_H
#define OBSERVERS_H

#include "observer/observer.h"
#include "scene.h"

static inline struct sf_observer
open_observer (const char *path)
{
  struct sf_observer o;
  struct sf_reject reject;
  int r;

  do
    r = sf_observer_open (&o, path, &reject);
  while (r == -EAGAIN);
  check_int (r, 0);
  check_int (o.peer.pid, getpid ());
  return o;
}

/* As sf_observer_read(), once there is something to read. */
static inline int
await_answer (struct sf_observer *o, struct sf_reject *reject)
{
  int r;

  do {
    struct pollfd p = {.fd = o->fd,.events = POLLIN };

    check_int (poll (&p, 1, 20000), 1);
    r = sf_observer_read (o, reject);
  } while (r == 0 || r == -EAGAIN);
  return r;
}

static inline int
look (struct sf_observer *o, struct sf_reject *reject)
{
  int r = sf_observer_ask (o);

  return r < 0 ? r : await_answer (o, reject);
}

static inline void
look_well (struct sf_observer *o)
{
  struct sf_reject reject;

  check_int (look (o, &reject), 1);
}

static inline void
observed (void *user, struct sf_stats *stats)
{
  strcpy (stats->name, user);
  strcpy (stats->caps, "video/x-raw");
  stats->no_slot = 7;
}

static inline struct sf_producer *
open_with (const char *path, uint32_t max_clients)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        max_clients,.max_memory = UINT64_C (1) << 28,.user = (void *) "the sink",
    .callbacks = {.observed = observed}
  };

  return open_with_config (&config, false);
}

#endif
