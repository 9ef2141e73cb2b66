/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sticky events of more than the ring holds: who joins gets each of them once, and
 * then frames; and there is an end to how many there may be. */
#include <pthread.h>

#include "transport.h"

#define SIZE 60000u
#define N 40u                   /* 2.4 MB; the ring has 1 MiB */

static uint8_t body[SF_MAX_PAYLOAD];

static int
send_event (struct sf_producer *p, uint64_t key, uint8_t version,
    uint32_t size)
{
  memset (body, version, size);
  memcpy (body, &key, sizeof key);
  return sf_producer_event (p, key, body, size, SF_EVENT_STICKY);
}

static struct sf_producer *
open_with_events (const char *path, bool lossless)
{
  struct sf_producer *p = open_producer (path, 0, lossless);

  for (uint64_t i = 1; i <= N; i++)
    check_int (send_event (p, i * 10, 1, SIZE), 0);
  return p;
}

static uint64_t
check_event (const struct sf_received *in, uint8_t *version)
{
  uint64_t key;

  check_cmp (in->body_size, >, 8);
  memcpy (&key, in->body, sizeof key);
  *version = in->body[8];
  for (uint32_t i = 8; i < in->body_size; i++)
    check_int (in->body[i], *version);
  return key;
}

struct publisher
{
  struct sf_producer *p;
  sf_atomic_u32 stop;
  uint64_t n;
};

static void *
publish_on (void *user)
{
  struct publisher *self = user;

  while (sf_observe_u32 (&self->stop) == 0) {
    send_frame (self->p, self->n++, true);
    usleep (1000);
  }
  return NULL;
}

/* Frames come all the time; the joiner gets what it needs, and then these */
static void
join_while_frames_come (bool lossless)
{
  struct place place;
  struct publisher publisher = {.p = NULL };
  struct sf_consumer *c;
  struct sf_received in;
  pthread_t thread;
  uint64_t last = 0, first_frame = 0;
  uint32_t frames = 0, events = 0;
  uint8_t version;

  place_make (&place);
  publisher.p = open_with_events (place.path, lossless);
  check_int (pthread_create (&thread, NULL, publish_on, &publisher), 0);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  while (frames < 100) {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    if (in.kind == SF_RECEIVED_EVENT) {
      uint64_t key = check_event (&in, &version);

      check_int (frames, 0);
      check_int (key, last + 10);
      last = key;
      events++;
    } else if (in.kind == SF_RECEIVED_FRAME) {
      if (frames == 0)
        first_frame = in.seq;
      if (lossless)
        check_int (in.seq, first_frame + frames);
      check_int (check_frame (&in), in.seq);
      sf_lease_unref (in.lease);
      frames++;
    }
  }
  check_int (events, N);
  sf_publish_u32 (&publisher.stop, 1);
  if (lossless)
    /* It may be waiting for us. */
    sf_consumer_close (c);
  pthread_join (thread, NULL);
  if (!lossless)
    sf_consumer_close (c);
  sf_producer_close (publisher.p);
  place_remove (&place);
}

static void
test_join_live (void)
{
  join_while_frames_come (false);
}

static void
test_join_lossless (void)
{
  join_while_frames_come (true);
}

/* Nobody publishes: the latest frame comes all the same, also if it is the first */
static void
test_join_idle (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  uint32_t events = 0;

  place_make (&place);
  p = open_with_events (place.path, false);
  check (send_frame (p, 0, false));
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  do {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    events += in.kind == SF_RECEIVED_EVENT;
  } while (in.kind != SF_RECEIVED_FRAME);
  check_int (events, N);
  check_int (check_frame (&in), 0);
  sf_lease_unref (in.lease);
  close_all (c, p, &place);
}

/* What changes while it has read a part only: it has the newest of each at the end */
static void
test_changed_meanwhile (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  uint8_t newest[N + 1] = { 0 };

  place_make (&place);
  p = open_with_events (place.path, false);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  check_int (sf_producer_wait_clients (p, 1), 0);
  /* The ring is full with a part of them. */
  check_int (send_event (p, 20, 2, SIZE), 0);
  check_int (send_event (p, N * 10, 3, SIZE), 0);
  while (newest[2] != 2 || newest[N] != 3) {
    uint8_t version;
    uint64_t key;

    next_of (c, &in, SF_RECEIVED_EVENT);
    key = check_event (&in, &version);
    newest[key / 10] = version;
  }
  for (uint32_t i = 1; i < N; i++)
    check_int (newest[i], i == 2 ? 2 : 1);
  close_all (c, p, &place);
}

/* As many as just fill the ring, so that the frames behind them do not fit */
static void
test_just_full (void)
{
  for (uint32_t more = 0; more < 4096; more += 512) {
    struct publisher publisher = {.p = NULL };
    struct place place;
    struct sf_consumer *c;
    struct sf_received in;
    pthread_t thread;
    uint32_t frames = 0, events = 0;

    place_make (&place);
    publisher.p = open_producer (place.path, 0, false);
    for (uint64_t i = 1; i <= 16; i++)
      check_int (send_event (publisher.p, i, 1, 65000), 0);
    check_int (send_event (publisher.p, 17, 1, 4096 + more), 0);
    check_int (pthread_create (&thread, NULL, publish_on, &publisher), 0);
    c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
    while (frames < 20) {
      check_int (sf_consumer_next (c, &in, LONG), 1);
      events += in.kind == SF_RECEIVED_EVENT;
      if (in.kind == SF_RECEIVED_FRAME) {
        frames++;
        sf_lease_unref (in.lease);
      }
    }
    check_int (events, 17);
    sf_publish_u32 (&publisher.stop, 1);
    pthread_join (thread, NULL);
    sf_consumer_close (c);
    sf_producer_close (publisher.p);
    place_remove (&place);
  }
}

/* In all; a new one in place of an old one counts for the difference */
static void
test_bounded (void)
{
  struct place place;
  struct sf_producer *p;
  uint64_t n = 0;
  int r;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  while ((r = send_event (p, n, 1, 200000)) == 0)
    n++;
  check_int (r, -E2BIG);
  check_int (n, SF_MAX_STICKY_BYTES / 200000);
  for (uint64_t i = 0; i < 100; i++)
    check_int (send_event (p, 3, 1, 200000), 0);
  check_int (send_event (p, 3, 1, 100), 0);
  check_int (send_event (p, n, 1, 200000), 0);
  sf_producer_forget (p, 0, 9);
  for (uint64_t i = 0; i < 9; i++)
    check_int (send_event (p, i, 1, 200000), 0);
  check_int (send_event (p, 9, 1, 250000), -E2BIG);
  sf_producer_end_stream (p);
  check_int (send_event (p, 9, 1, 250000), 0);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_join_live), TEST (test_join_lossless), TEST (test_join_idle),
    TEST (test_changed_meanwhile), TEST (test_just_full), TEST (test_bounded),
  };

  return unit_main (tests);
}
