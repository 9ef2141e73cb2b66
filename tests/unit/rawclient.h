/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client that speaks the protocol by hand, so that it can lie. */
#ifndef RAWCLIENT_H
#define RAWCLIENT_H

#include <poll.h>

#include "shared/connection.h"
#include "messages.h"
#include "raw.h"
#include "shared/ring.h"
#include "shared/segment.h"
#include "transport.h"

struct raw_client
{
  int fd, guard;
  struct sf_shm announce, returns;
  struct sf_ring_reader ring;
  struct sf_returns_page *page;
};

static inline struct sf_message
raw_hello (uint32_t delivery, uint32_t max_held)
{
  struct sf_message msg = message_of (SF_MESSAGE_HELLO);

  msg.hello.delivery = delivery;
  msg.hello.max_held = max_held;
  return msg;
}

/* Connected and silent. */
static inline struct raw_client
raw_connect (const char *path)
{
  struct raw_client r = {.guard = -1,.announce = {.fd = -1},.returns = {.fd =
            -1}
  };

  do
    r.fd = sf_connect (path);
  while (r.fd == -EAGAIN);
  check_cmp (r.fd, >=, 0);
  return r;
}

/* The next message: its type; 0 at the end, -1 after `ms` without any. */
static inline int
raw_next (struct raw_client *r, struct sf_message *msg,
    int fds[SF_MESSAGE_MAX_FDS], int ms)
{
  struct pollfd p = {.fd = r->fd,.events = POLLIN };
  int got;

  if (poll (&p, 1, ms) == 0)
    return -1;
  got = sf_receive (r->fd, msg, fds);
  check (got == 1 || got == 0);
  return got == 0 ? 0 : (int) msg->type;
}

static inline void
raw_close_fds (const int fds[SF_MESSAGE_MAX_FDS])
{
  for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

/* Reads to the end of the connection; the reason that was given for it, or
 * NONE. */
static inline uint32_t
raw_await_end (struct raw_client *r)
{
  struct sf_message msg;
  int fds[SF_MESSAGE_MAX_FDS];
  uint32_t reason = SF_REASON_NONE;
  int type;

  while ((type = raw_next (r, &msg, fds, 10000)) > 0) {
    raw_close_fds (fds);
    if (type == SF_MESSAGE_BYE || type == SF_MESSAGE_REJECT)
      reason = msg.reject.reason;
  }
  check_int (type, 0);
  return reason;
}

/* HELLO, WELCOME, maps. */
static inline void
raw_join (struct raw_client *r, uint32_t delivery, uint32_t max_held)
{
  struct sf_message msg = raw_hello (delivery, max_held);
  int fds[SF_MESSAGE_MAX_FDS];

  check_int (sf_send (r->fd, &msg, NULL, 0), 0);
  check_int (raw_next (r, &msg, fds, 10000), SF_MESSAGE_WELCOME);
  check_int (sf_shm_open (&r->announce, fds[0], msg.welcome.announce_size,
          SF_SHM_SEALED), 0);
  check_int (sf_shm_open (&r->returns, fds[1], msg.welcome.returns_size,
          SF_SHM_SHARED), 0);
  r->guard = fds[2];
  r->page = r->returns.map;
  check_int (sf_ring_reader_init (&r->ring, r->announce.map, r->announce.size,
          r->page), 0);
}

static inline struct raw_client
raw_join_at (const char *path, uint32_t delivery, uint32_t max_held)
{
  struct raw_client r = raw_connect (path);

  raw_join (&r, delivery, max_held);
  return r;
}

static inline void
raw_close (struct raw_client *r)
{
  if (r->announce.map != NULL)
    sf_shm_close (&r->announce);
  if (r->returns.map != NULL)
    sf_shm_close (&r->returns);
  if (r->fd >= 0)
    close (r->fd);
  if (r->guard >= 0)
    close (r->guard);
  r->fd = r->guard = -1;
}

/* The next FRAME record, looked at and left alone; false once the connection
 * has ended. */
static inline bool
raw_peek (struct raw_client *r, struct sf_record_header *record)
{
  static uint8_t payload[SF_MAX_PAYLOAD];
  struct pollfd p = {.fd = r->fd,.events = POLLRDHUP };
  int got;

  while ((got = sf_ring_peek (&r->ring, record, payload)) == 0)
    if (poll (&p, 1, 1) > 0)
      return false;
  check_int (got, 1);
  check_int (record->type, SF_RECORD_FRAME);
  return true;
}

static inline bool
raw_claim (struct raw_client *r, const struct sf_record_header *record)
{
  uint64_t seen;

  return sf_decide_u64 (&r->page->lease[record->lease],
      SF_LEASE_WORD (record->lease_stamp, SF_LEASE_ANNOUNCED),
      SF_LEASE_WORD (record->lease_stamp, SF_LEASE_CLAIMED), &seen);
}

/* Claims the next frame that was not taken back; false: the connection ended. */
static inline bool
raw_take (struct raw_client *r, struct sf_record_header *record)
{
  bool mine = false;

  while (!mine && raw_peek (r, record)) {
    mine = raw_claim (r, record);
    sf_ring_consume (&r->ring, record);
  }
  return mine;
}

static inline void
raw_return (struct raw_client *r, uint32_t lease)
{
  sf_set_bits (&r->page->returned[lease / 64], UINT64_C (1) << (lease % 64));
}

#endif
