/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that publishes without a pause to an honest client in a process of
 * its own, while the test is another, dishonest one. At the end the honest one
 * must have seen every frame, nobody may have been kept waiting, and nothing may
 * be left of the dishonest one. */
#ifndef SCENE_H
#define SCENE_H

#include <pthread.h>

#include "rawclient.h"

#define SCENE_TIMEOUT (3 * SF_NS_PER_SECOND)
/* client-timeout, and room for a busy machine and sanitizers. */
#define SCENE_STALL (7 * SF_NS_PER_SECOND)
#ifndef SCENE_CLIENTS
#define SCENE_CLIENTS 8u
#endif

struct scene
{
  struct place place;
  struct sf_producer *p;
  pid_t honest;
  int seen[2];                  /* pipe: how many frames the honest one got */
  pthread_t publisher;
  sf_atomic_u32 stop, started, pause, paused;
  uint64_t published;
  int64_t longest;              /* that one frame took to be published */
  pthread_mutex_t lock;
  uint32_t n_disconnected, n_refused;
  uint32_t reason;              /* the last one */
  char text[SF_TEXT_MAX];
};

static inline void
scene_note (struct scene *s, uint32_t * count, uint32_t reason,
    const char *text)
{
  pthread_mutex_lock (&s->lock);
  (*count)++;
  s->reason = reason;
  snprintf (s->text, sizeof s->text, "%s", text);
  pthread_mutex_unlock (&s->lock);
}

static inline void
scene_disconnected (void *user, const struct sf_client_info *client,
    uint32_t reason, const char *text)
{
  struct scene *s = user;

  (void) client;
  scene_note (s, &s->n_disconnected, reason, text);
}

static inline void
scene_refused (void *user, const struct sf_credentials *peer,
    const struct sf_reject *reject)
{
  struct scene *s = user;

  (void) peer;
  scene_note (s, &s->n_refused, reject->reason, reject->text);
}

static inline void
scene_be_honest (const char *path, int out)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_LOSSLESS, 4);
  struct sf_received in;
  uint64_t n = 0;

  do {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_cmp (in.kind, !=, SF_RECEIVED_FAILED);
    if (in.kind == SF_RECEIVED_FRAME) {
      check_int (check_frame (&in), n);
      n++;
      sf_lease_unref (in.lease);
    }
  } while (in.kind != SF_RECEIVED_DISCONNECTED);
  check_int (in.reject.reason, SF_REASON_STOPPED);
  check_int (write (out, &n, sizeof n), sizeof n);
  sf_consumer_close (c);
}

static inline void *
scene_publish (void *user)
{
  struct scene *s = user;

  while (sf_observe_u32 (&s->stop) == 0) {
    int64_t start = sf_now (), took;

    sf_publish_u32 (&s->paused, sf_observe_u32 (&s->pause));
    if (sf_observe_u32 (&s->pause) != 0) {
      usleep (200);
      continue;
    }
    check (send_frame (s->p, s->published, true));
    s->published++;
    sf_publish_u32 (&s->started, 1);
    took = sf_now () - start;
    if (took > s->longest)
      s->longest = took;
    usleep (200);
  }
  return NULL;
}

static inline void
scene_pause (struct scene *s, bool on)
{
  sf_publish_u32 (&s->pause, on);
  while (sf_observe_u32 (&s->paused) != on)
    usleep (200);
}

/* Forks the honest client: before anything that has threads. */
static inline void
scene_fork (struct scene *s)
{
  memset (s, 0, sizeof *s);
  place_make (&s->place);
  check_int (pipe (s->seen), 0);
  s->honest = fork ();
  if (s->honest == 0) {
    scene_be_honest (s->place.path, s->seen[1]);
    _exit (0);
  }
}

static inline void
scene_open (struct scene *s, bool lossless)
{
  struct sf_producer_config config = {.path = s->place.path,.mode =
        0600,.max_clients = SCENE_CLIENTS,.max_memory =
        UINT64_C (1) << 28,.client_timeout = SCENE_TIMEOUT,.user = s,
    .callbacks = {.disconnected = scene_disconnected,.refused =
          scene_refused}
  };

  pthread_mutex_init (&s->lock, NULL);
  s->p = open_with_config (&config, lossless);
  check_int (sf_producer_wait_clients (s->p, 1), 0);
  check_int (pthread_create (&s->publisher, NULL, scene_publish, s), 0);
  /* Lies told and ended before the first frame would show nothing. */
  while (sf_observe_u32 (&s->started) == 0)
    usleep (200);
}

static inline void
scene_start (struct scene *s)
{
  scene_fork (s);
  scene_open (s, true);
}

static inline uint32_t
scene_count (struct scene *s, const uint32_t * count)
{
  uint32_t n;

  pthread_mutex_lock (&s->lock);
  n = *count;
  pthread_mutex_unlock (&s->lock);
  return n;
}

/* Waits until the producer has told of the next end since `before` of them. */
static inline uint32_t
scene_await (struct scene *s, uint32_t * count, uint32_t before)
{
  uint32_t reason = SF_REASON_NONE;
  uint32_t n = before;

  for (int64_t until = sf_now () + LONG / 6; n == before && sf_now () < until;) {
    pthread_mutex_lock (&s->lock);
    n = *count;
    reason = s->reason;
    pthread_mutex_unlock (&s->lock);
    if (n == before)
      usleep (500);
  }
  check_int (n, before + 1);
  return reason;
}

/* Nobody but the honest one is there, and no slot is held for anybody else. */
static inline void
scene_await_calm (struct scene *s)
{
  struct sf_producer_stats stats;
  int64_t until = sf_now () + LONG / 6;

  do {
    usleep (500);
    sf_producer_get_stats (s->p, &stats);
    if (sf_now () > until)
      unit_say ("%u clients, %u lingering, last: %u %s", stats.n_clients,
          stats.n_lingering, s->reason, s->text);
    check_cmp (sf_now (), <, until);
  } while (stats.n_clients != 1 || stats.n_lingering != 0);
}

/* Slots come back as the last thing, from whichever thread. */
static inline void
scene_check_slots (struct scene *s)
{
  struct sf_producer_stats stats;
  int64_t until = sf_now () + LONG / 6;

  do {
    usleep (500);
    sf_producer_get_stats (s->p, &stats);
    if (sf_now () > until)
      unit_say ("%u of %u slots free, %u segments", stats.slots.n_free,
          stats.slots.n_slots, stats.slots.n_segments);
    check_cmp (sf_now (), <, until);
    /* The latest frame is kept for those who join, perhaps in a segment that
     * has been replaced since. */
  } while (stats.slots.n_free + 2 != stats.slots.n_slots
      + stats.slots.n_segments);
}

static inline void
scene_end (struct scene *s)
{
  uint64_t seen = 0;

  scene_await_calm (s);
  sf_publish_u32 (&s->stop, 1);
  check_int (pthread_join (s->publisher, NULL), 0);
  scene_check_slots (s);
  sf_producer_close (s->p);
  check_int (read (s->seen[0], &seen, sizeof seen), sizeof seen);
  check_int (seen, s->published);
  check_cmp (s->published, >, 0);
  check_cmp (s->longest, <=, SCENE_STALL);
  unit_wait_ok (s->honest);
  close (s->seen[0]);
  close (s->seen[1]);
  pthread_mutex_destroy (&s->lock);
  place_remove (&s->place);
}

#endif
