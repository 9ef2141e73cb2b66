/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that keeps what it tells of its clients, and waiting for it. */
#ifndef TELLING_H
#define TELLING_H

#include <pthread.h>

#include "roles.h"

#define MS (SF_NS_PER_SECOND / 1000)

/* What it told last */
struct last
{
  uint32_t reason, unclaimed, n_clients;
  bool paused, silent;
  char text[SF_TEXT_MAX];
};

/* What the producer told */
struct told
{
  struct sf_producer *p;
  sf_atomic_u32 waiting, disconnected;
  pthread_mutex_t lock;         /* last */
  struct last last;
};

static inline struct last
last_of (struct told *told)
{
  struct last last;

  pthread_mutex_lock (&told->lock);
  last = told->last;
  pthread_mutex_unlock (&told->lock);
  return last;
}

static inline void
on_waiting (void *user, const struct sf_client_info *client)
{
  struct told *told = user;

  pthread_mutex_lock (&told->lock);
  told->last.paused = client->paused;
  told->last.silent = client->silent;
  pthread_mutex_unlock (&told->lock);
  sf_publish_u32 (&told->waiting, sf_observe_u32 (&told->waiting) + 1);
}

static inline void
on_disconnected (void *user, const struct sf_client_info *client,
    uint32_t reason, const char *text)
{
  struct told *told = user;
  struct sf_producer_stats stats;

  sf_producer_get_stats (told->p, &stats);
  pthread_mutex_lock (&told->lock);
  told->last.n_clients = stats.n_clients;
  told->last.reason = reason;
  told->last.unclaimed = client->unclaimed;
  snprintf (told->last.text, sizeof told->last.text, "%s", text);
  pthread_mutex_unlock (&told->lock);
  sf_publish_u32 (&told->disconnected, sf_observe_u32 (&told->disconnected) + 1);
}

static inline struct sf_producer *
open_telling (const char *path, struct told *told, int64_t client_timeout,
    int64_t stall_timeout, uint32_t min_clients)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        16,.max_memory = UINT64_C (1) << 28,.min_clients =
        min_clients,.client_timeout = client_timeout,.stall_timeout =
        stall_timeout,.user = told,.callbacks = {.waiting =
          on_waiting,.disconnected = on_disconnected}
  };
  uint64_t needed;

  memset (told, 0, sizeof *told);
  pthread_mutex_init (&told->lock, NULL);
  check_int (sf_producer_open (&told->p, &config), 0);
  sf_producer_set_delivery (told->p, false, true, 0, UINT64_MAX);
  check_int (sf_producer_set_format (told->p, FRAME_BYTES, 1, &needed), 0);
  return told->p;
}

/* Publishes until a slot would have to be waited for; the number of frames. */
static inline uint64_t
fill_ring (struct sf_producer *p, uint64_t first)
{
  uint64_t n = 0;

  while (sf_producer_poll_slot (p, FRAME_BYTES, 0) == 0)
    check (send_frame (p, first + n++, false));
  return n;
}

/* Waits for room, for so long. */
static inline void
wait_for_room (struct sf_producer *p, int64_t ns)
{
  for (int64_t until = sf_now () + ns; sf_now () < until;)
    wait_for_slot (p, sf_producer_token (p));
}

static inline void
await_count (struct sf_producer *p, sf_atomic_u32 *count, uint32_t n)
{
  for (int64_t until = sf_now () + LONG; sf_observe_u32 (count) < n;) {
    check_cmp (sf_now (), <, until);
    if (p != NULL)
      wait_for_slot (p, sf_producer_token (p));
    else
      usleep (1000);
  }
  check_int (sf_observe_u32 (count), n);
}

#endif
