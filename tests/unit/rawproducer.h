/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that speaks the protocol by hand, so that it can lie, and the real
 * consumer that it lies to. */
#ifndef RAWPRODUCER_H
#define RAWPRODUCER_H

#include <poll.h>

#include "shared/connection.h"
#include "producer/leases.h"
#include "messages.h"
#include "raw.h"
#include "shared/ring.h"
#include "shared/unexpected-fd.h"
#include "transport.h"

#define RAW_SLOTS 4u
#define RAW_SEGMENT 7u

struct raw_producer
{
  struct place place;
  struct sf_listener listener;
  struct sf_consumer *c;
  uint64_t id;
  /* One connection. */
  int fd, guard[2];
  struct sf_shm announce, returns;
  struct sf_ring_writer ring;
  struct sf_leases leases;
  struct sf_segment *segment;
  size_t lie;                   /* number of it, see rp_run_lies() */
};

static inline void
rp_open (struct raw_producer *p)
{
  memset (p, 0, sizeof *p);
  p->fd = p->guard[0] = p->guard[1] = -1;
  place_make (&p->place);
  check_int (sf_listener_open (&p->listener, p->place.path, 0600), 0);
  p->c = open_consumer (p->place.path, SF_DELIVERY_AUTO, 4);
}

static inline void
rp_hang_up (struct raw_producer *p)
{
  if (p->fd >= 0)
    close (p->fd);
  for (int i = 0; i < 2; i++)
    if (p->guard[i] >= 0)
      close (p->guard[i]);
  p->fd = p->guard[0] = p->guard[1] = -1;
  if (p->announce.map != NULL)
    sf_shm_close (&p->announce);
  if (p->returns.map != NULL)
    sf_shm_close (&p->returns);
  sf_segment_unref (p->segment);
  p->segment = NULL;
}

static inline void
rp_close (struct raw_producer *p)
{
  rp_hang_up (p);
  sf_consumer_close (p->c);
  /* Closed elsewhere, and before fds are counted. */
  while (sf_fd_count_discarded () > 0)
    usleep (1000);
  sf_listener_close (&p->listener);
  place_remove (&p->place);
}

/* Within `ms`? */
static inline bool
rp_accept_within (struct raw_producer *p, int ms)
{
  struct pollfd knock = {.fd = p->listener.fd,.events = POLLIN };
  struct sf_credentials peer;

  if (poll (&knock, 1, ms) == 0)
    return false;
  p->fd = sf_listener_accept (&p->listener, &peer);
  check_cmp (p->fd, >=, 0);
  return true;
}

/* The consumer. A shmframe-top that looks for all sockets is sent away. */
static inline void
rp_accept (struct raw_producer *p)
{
  struct pollfd hello = {.events = POLLIN };
  struct sf_message msg = {.type = SF_MESSAGE_OBSERVE };

  while (msg.type == SF_MESSAGE_OBSERVE) {
    if (p->fd >= 0)
      close (p->fd);
    check (rp_accept_within (p, 20000));
    hello.fd = p->fd;
    check_int (poll (&hello, 1, 20000), 1);
    check_int (sf_receive (p->fd, &msg, NULL), 1);
  }
  check_int (msg.type, SF_MESSAGE_HELLO);
}

/* What WELCOME needs, all of it as it must be. */
static inline struct sf_message
rp_prepare (struct raw_producer *p)
{
  struct sf_message msg = message_of (SF_MESSAGE_WELCOME);

  check_int (sf_shm_create (&p->announce, "announce", SF_ANNOUNCE_DATA_OFFSET
          + SF_ANNOUNCE_RING_SIZE, SF_SHM_SEALED), 0);
  check_int (sf_shm_create (&p->returns, "returns",
          sizeof (struct sf_returns_page), SF_SHM_SHARED), 0);
  check_int (pipe (p->guard), 0);
  sf_ring_format (p->announce.map, p->returns.map, SF_ANNOUNCE_RING_SIZE);
  sf_ring_writer_init (&p->ring, p->announce.map, p->returns.map,
      SF_ANNOUNCE_RING_SIZE);
  sf_leases_init (&p->leases, p->returns.map);
  msg.welcome.producer_id = ++p->id;
  msg.welcome.max_held = 4;
  return msg;
}

static inline void
rp_send (struct raw_producer *p, const struct sf_message *msg, int fd)
{
  check_int (sf_send (p->fd, msg, &fd, fd >= 0), 0);
}

static inline void
rp_welcome (struct raw_producer *p)
{
  struct sf_message msg;

  rp_accept (p);
  msg = rp_prepare (p);
  check_int (sf_send (p->fd, &msg, (int[]) {
          p->announce.fd, p->returns.fd, p->guard[1]}, 3), 0);
}

static inline struct sf_message
rp_segment (struct raw_producer *p)
{
  struct sf_message msg = {.type = SF_MESSAGE_SEGMENT };

  check_int (sf_segment_create (&p->segment, RAW_SLOTS, FRAME_BYTES), 0);
  sf_segment_describe (p->segment, RAW_SEGMENT, &msg.segment);
  return msg;
}

/* The payload of a frame with one part. */
struct raw_payload
{
  uint32_t n_refs, zero;
  struct sf_memory_ref_wire ref;
  uint64_t number;
};

static inline struct raw_payload
rp_payload (struct raw_producer *p, uint32_t slot, uint64_t number)
{
  uint64_t *words = (uint64_t *) sf_segment_slot (p->segment, slot);

  for (uint32_t i = 0; i < FRAME_WORDS; i++)
    words[i] = word_of (number, i);
  return (struct raw_payload) {
    1, 0, {RAW_SEGMENT, slot, 2, 0, FRAME_BYTES}, number
  };
}

static inline void
rp_wake (struct raw_producer *p)
{
  sf_bump_u32 (&p->ring.page->wake);
  sf_futex_wake (&p->ring.page->wake);
}

/* Leases and announces it, with a header that the caller may have spoilt. */
static inline void
rp_announce (struct raw_producer *p, struct sf_record_header *record,
    const void *payload, uint32_t size)
{
  check_int (sf_ring_write (&p->ring, record, payload, size), 0);
  rp_wake (p);
}

static inline void
rp_good_frame (struct raw_producer *p, uint64_t number)
{
  struct sf_record_header record = {.type = SF_RECORD_FRAME,.seq = number };
  struct raw_payload payload = rp_payload (p, number % RAW_SLOTS, number);

  check_int (sf_leases_add (&p->leases, p, &record), 0);
  rp_announce (p, &record, &payload, sizeof payload);
}

/* A connection in good order, with a frame that has arrived. */
static inline void
rp_good_start (struct raw_producer *p)
{
  struct sf_received in;
  struct sf_message msg;

  rp_hang_up (p);
  /* Its turn to connect again begins when it is asked for the next thing. */
  check_int (sf_consumer_next (p->c, &in, 0), 0);
  rp_welcome (p);
  msg = rp_segment (p);
  rp_send (p, &msg, p->segment->shm.fd);
  rp_good_frame (p, 1);
  next_of (p->c, &in, SF_RECEIVED_FRAME);
  check_int (check_frame (&in), 1);
  sf_lease_unref (in.lease);
}

/* How it ends: the reason, or -errno if it cannot go on. */
static inline int
rp_await_end (struct raw_producer *p, struct sf_received *in)
{
  do {
    check_int (sf_consumer_next (p->c, in, LONG), 1);
    if (in->kind == SF_RECEIVED_FRAME)
      sf_lease_unref (in->lease);
  } while (in->kind != SF_RECEIVED_DISCONNECTED
      && in->kind != SF_RECEIVED_FAILED);
  return in->kind == SF_RECEIVED_FAILED ? in->error : (int) in->reject.reason;
}

/* Tells the `n` lies, each on a connection of its own that is fine before; then one
 * without any. */
static inline void
rp_run_lies (void (*tell) (struct raw_producer * p), size_t n)
{
  struct raw_producer p;
  struct sf_received in;

  rp_open (&p);
  for (p.lie = 0; p.lie < n; p.lie++) {
    int why;

    rp_good_start (&p);
    tell (&p);
    why = rp_await_end (&p, &in);
    if (why != SF_REASON_VIOLATION)
      unit_say ("lie %zu", p.lie);
    check_int (why, SF_REASON_VIOLATION);
    check_int (in.kind, SF_RECEIVED_DISCONNECTED);
  }
  rp_good_start (&p);
  rp_close (&p);
}

#endif
