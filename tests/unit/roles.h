/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the processes of a row do: an origin, relays that pass its frames on
 * without a copy, one that holds them and checks every word of each all the time.
 * Each is a child with a pipe to it and one from it. */
#ifndef ROLES_H
#define ROLES_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "transport.h"

#define HELD 4u
#define RELAY_HELD 16u

/* A child with one pipe to it and one from it */
struct role
{
  pid_t pid;
  int to, from;
};

static inline void
role_start (struct role *role, void (*run) (struct place * in,
        struct place * out, int from, int to), struct place *in,
    struct place *out)
{
  int to[2], from[2];

  check_int (pipe2 (to, O_CLOEXEC), 0);
  check_int (pipe2 (from, O_CLOEXEC), 0);
  role->pid = fork ();
  if (role->pid == 0) {
    alarm (100);
    close (to[1]);
    close (from[0]);
    run (in, out, to[0], from[1]);
    _exit (0);
  }
  close (to[0]);
  close (from[1]);
  role->to = to[1];
  role->from = from[0];
}

static inline void
role_close (struct role *role)
{
  close (role->to);
  close (role->from);
}

static inline void
role_tell (struct role *role, char what)
{
  check_int (write (role->to, &what, 1), 1);
}

static inline void
role_kill (struct role *role)
{
  check_int (kill (role->pid, SIGKILL), 0);
  check_int (waitpid (role->pid, NULL, 0), role->pid);
  role_close (role);
}

static inline void
role_finish (struct role *role)
{
  role_tell (role, 'q');
  unit_wait_ok (role->pid);
  role_close (role);
}

static inline bool
readable (int fd)
{
  struct pollfd p = {.fd = fd,.events = POLLIN };

  return poll (&p, 1, 0) > 0;
}

static inline char
heard (int fd)
{
  char what = 'q';

  check_cmp (read (fd, &what, 1), >=, 0);
  return what;
}

/* --- the roles --- */

static inline void
give_lease (void *lease)
{
  sf_lease_unref (lease);
}

static inline void
relay_frame (struct sf_producer *p, const struct sf_received *in)
{
  struct sf_memory_ref part = {.segment = in->parts[0].segment,.slot =
        in->parts[0].slot,.offset = in->parts[0].offset,.size =
        in->parts[0].size
  };
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        in->body,.body_size = in->body_size,.release = give_lease,.user =
        in->lease,.pooled = true
  };

  check_int (sf_producer_publish (p, &pub), 0);
}

/* What somebody keeps who keeps all it can get */
struct hoard
{
  struct sf_lease *lease[RELAY_HELD];
  uint32_t n;
};

static inline void
hoard_give (struct hoard *h)
{
  while (h->n > 0)
    sf_lease_unref (h->lease[--h->n]);
}

static inline void
hoard_take (struct hoard *h, const struct sf_received *in)
{
  if (in->kind == SF_RECEIVED_FRAME)
    h->lease[h->n++] = in->lease;
  if (h->n == RELAY_HELD || in->kind == SF_RECEIVED_HOLDING)
    hoard_give (h);
}

/* Relays; 'c' closes what it publishes with, and it receives from then on, and
 * keeps what it can; 'g' gives that back, and it receives nothing more */
static inline void
run_relay (struct place *in_place, struct place *out_place, int from, int to)
{
  struct sf_consumer *c = open_consumer (in_place->path, SF_DELIVERY_AUTO,
      RELAY_HELD);
  struct sf_producer *p = open_producer (out_place->path, 0, false);
  struct hoard hoard = { 0 };
  struct sf_received in;
  char what = 0;

  while (what != 'q') {
    if (what != 'g'
        && sf_consumer_next (c, &in, SF_NS_PER_SECOND / 100) == 1) {
      if (p == NULL)
        hoard_take (&hoard, &in);
      else if (in.kind == SF_RECEIVED_FRAME)
        relay_frame (p, &in);
    }
    if (what != 'g' && !readable (from))
      continue;
    what = heard (from);
    if (p != NULL)
      sf_producer_close (p);
    p = NULL;
    if (what == 'g')
      hoard_give (&hoard);
    check_int (write (to, &what, 1), 1);
  }
  hoard_give (&hoard);
  sf_consumer_close (c);
}

static inline void
check_words (const uint8_t *data, uint64_t number)
{
  for (uint32_t i = 0; i < FRAME_WORDS; i++)
    check_int (((const uint64_t *) data)[i], word_of (number, i));
}

/* Takes HELD frames, says so, and looks at them until it is told something */
static inline void
run_holder (struct place *in_place, struct place *out_place, int from, int to)
{
  struct sf_consumer *c = open_consumer (in_place->path, SF_DELIVERY_LIVE,
      HELD);
  struct sf_lease *lease[HELD];
  const uint8_t *data[HELD];
  uint64_t number[HELD];
  struct sf_received in;

  for (uint32_t i = 0; i < HELD; i++) {
    next_of (c, &in, SF_RECEIVED_FRAME);
    number[i] = check_frame (&in);
    data[i] = in.parts[0].data;
    lease[i] = in.lease;
  }
  check_int (write (to, "r", 1), 1);
  while (!readable (from))
    for (uint32_t i = 0; i < HELD; i++)
      check_words (data[i], number[i]);
  for (uint32_t i = 0; i < HELD; i++) {
    check_words (data[i], number[i]);
    sf_lease_unref (lease[i]);
  }
  sf_consumer_close (c);
}

/* Publishes from a number on that the other side tells first */
static inline void
run_origin (struct place *in_place, struct place *out_place, int from, int to)
{
  struct sf_producer *p = open_producer (out_place->path, 0, false);
  uint64_t number = (uint64_t) heard (from) << 32;

  while (!readable (from)) {
    send_frame (p, number++, false);
    usleep (200);
  }
  sf_producer_close (p);
}

#endif
