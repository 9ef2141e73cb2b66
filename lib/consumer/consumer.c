/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The streaming thread's side: records in order. */
#include "consumer/consumer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "consumer/consumer-private.h"

/* Records skipped before the clock and interruptions are looked at. */
#define RECORDS_PER_TURN 256

static void
free_consumer (struct sf_consumer *c)
{
  sf_fd_close (c->wake_fd);
  sf_fd_close (c->control.process_fd);
  pthread_mutex_destroy (&c->lock);
  pthread_cond_destroy (&c->cond);
  free (c->stream.parts);
  free (c);
}

int
sf_consumer_open (struct sf_consumer **consumer,
    const struct sf_consumer_config *config)
{
  struct sf_consumer *c;
  int r;

  if (config->path == NULL || config->path[0] == '\0')
    return -EINVAL;
  if (strlen (config->path) >= sizeof (c->path) - 1)
    return -ENAMETOOLONG;
  if (config->max_held < 1 || config->max_held > SF_MAX_LEASES
      || config->max_lag < 0)
    return -EINVAL;
  c = calloc (1, sizeof (*c));
  if (c == NULL)
    return -ENOMEM;
  c->generation = sf_generation;
  c->control.process_fd = -1;
  strcpy (c->path, config->path);
  strncpy (c->name, config->name, sizeof (c->name) - 1);
  c->settings = *config;
  c->holding.grow = config->grow;
  c->holding.needed = c->holding.max_held = config->max_held;
  pthread_mutex_init (&c->lock, NULL);
  sf_cond_init (&c->cond);
  c->wake_fd = sf_fd_own (eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK));
  r = c->wake_fd < 0 ? -errno
      : sf_thread_start (&c->thread, sf_consumer_thread, c);
  if (r < 0) {
    free_consumer (c);
    return r;
  }
  *consumer = c;
  return 0;
}

/* Says BYE. Frames that are out keep the connection until they are back. */
static void
leave (struct sf_connection_state *conn)
{
  struct sf_message msg = {
    .type = SF_MESSAGE_BYE,
    .reject = { .reason = SF_REASON_STOPPED },
  };

  sf_send (conn->fd, &msg, NULL, 0);
  sf_connection_unref (conn);
}

void
sf_consumer_close (struct sf_consumer *c)
{
  if (sf_is_inherited (c->generation))
    return;
  pthread_mutex_lock (&c->lock);
  c->stopping = true;
  pthread_cond_broadcast (&c->cond);
  pthread_mutex_unlock (&c->lock);
  sf_consumer_kick (c);
  pthread_join (c->thread, NULL);
  if (c->conn != NULL)
    leave (c->conn);
  free_consumer (c);
}

/* Fills `in` from a notice. 1; 0: there is none. */
static int
take_notice_locked (struct sf_consumer *c, struct sf_received *in)
{
  sf_store_flag (&c->notices.pending, 0);
  if (c->notices.refused) {
    c->notices.refused = false;
    in->kind = SF_RECEIVED_FAILED;
    in->error = -ENOBUFS;
    in->reject = c->notices.refused_reject;
  } else if (c->notices.latency_changed) {
    c->notices.latency_changed = false;
    in->kind = SF_RECEIVED_LATENCY;
    in->latency = c->notices.latency;
  } else if (c->notices.waiting) {
    c->notices.waiting = false;
    in->kind = SF_RECEIVED_WAITING;
    in->reject = c->notices.waiting_reject;
  } else {
    return 0;
  }
  /* There may be another one. */
  sf_store_flag (&c->notices.pending, 1);
  return 1;
}

/* Waits for a connection. 1: `in` is filled; 0: `conn` is set, referenced, or
 * time is up and it is NULL; -EINTR. */
SF_HOT static int
await_connection (struct sf_consumer *c, struct sf_received *in,
    struct sf_connection_state **conn, int64_t until)
{
  int r = 0;

  *conn = NULL;
  pthread_mutex_lock (&c->lock);
  if (c->phase == SF_PHASE_OVER) {
    c->phase = SF_PHASE_CONNECTING;
    pthread_cond_broadcast (&c->cond);
  }
  for (;;) {
    if (sf_load_flag (&c->interrupted)) {
      r = -EINTR;
    } else if (c->phase == SF_PHASE_CONNECTED) {
      *conn = sf_connection_ref (c->conn);
    } else if (take_notice_locked (c, in)) {
      r = 1;
    } else if (c->phase == SF_PHASE_FAILED) {
      in->kind = SF_RECEIVED_FAILED;
      in->error = c->failure.error;
      in->reject = c->failure.reject;
      r = 1;
    } else if (sf_now () < until
        && sf_cond_wait (&c->cond, &c->lock, until) == 0) {
      continue;
    }
    break;
  }
  pthread_mutex_unlock (&c->lock);
  return r;
}

/* Lets go of a connection that is over and read to its end. */
static void
drop_connection (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_received *in)
{
  in->kind = SF_RECEIVED_DISCONNECTED;
  in->reject = conn->bye;
  in->lost = sf_load_hint (&c->figures.revoked);
  pthread_mutex_lock (&c->lock);
  c->conn = NULL;
  c->phase = SF_PHASE_OVER;
  pthread_mutex_unlock (&c->lock);
  sf_connection_unref (conn);
}

/* Ends a connection on which nothing can be read any more. The control thread
 * then connects again. */
static void
fail_connection (struct sf_consumer *c, struct sf_connection_state *conn,
    int error)
{
  struct sf_reject why = {
    .reason = SF_REASON_VIOLATION,
    .text = "the producer announced what cannot be",
  };

  if (error == -ENOMEM)
    why = (struct sf_reject) {
    .reason = SF_REASON_RESOURCES,
    .text = "there is no memory to receive a frame with",
    };
  sf_connection_end (conn, &why);
  sf_consumer_kick (c);
}

/* Asks for twice as many frames. False: the producer refused, or there are no
 * more. */
static bool
grow (struct sf_consumer *c, uint32_t max_held)
{
  uint32_t more = max_held * 2 < SF_MAX_LEASES ? max_held * 2 : SF_MAX_LEASES;
  bool growing;

  pthread_mutex_lock (&c->lock);
  growing = c->holding.grow && max_held < SF_MAX_LEASES;
  if (growing && more > c->holding.max_held)
    c->holding.max_held = more;
  else
    more = 0;
  pthread_mutex_unlock (&c->lock);
  if (more > 0)
    sf_consumer_kick (c);
  return growing;
}

/* Asks for more when max_held frames are held. 1: report HOLDING; 0: wait. */
static int
ask_for_more (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_received *in)
{
  uint32_t max_held = sf_load_flag (&conn->max_held);

  SF_HOOK ("full");
  conn->reading.skipped_pos = conn->ring.pos;
  conn->reading.skipped_max_held = max_held;
  if (grow (c, max_held) || conn->reading.holding_reported)
    return 0;
  conn->reading.holding_reported = true;
  in->kind = SF_RECEIVED_HOLDING;
  return 1;
}

/* Tells whether as many frames are held as ever can be, unreported. */
static bool
is_at_its_limit (struct sf_consumer *c, struct sf_connection_state *conn)
{
  bool grows;

  if (conn->reading.holding_reported || !sf_connection_is_full (conn))
    return false;
  pthread_mutex_lock (&c->lock);
  grows = c->holding.grow && sf_load_flag (&conn->max_held) < SF_MAX_LEASES;
  pthread_mutex_unlock (&c->lock);
  return !grows;
}

/* Waits for a record. While max_held frames are held, a producer that needs one
 * back announces none: that is reported after a while. 1: report HOLDING; 0. */
SF_HOT static int
wait_for_record (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_received *in, int64_t until)
{
  int64_t timeout;

  if (!is_at_its_limit (c, conn)) {
    sf_consumer_wait (c, conn, until);
    return 0;
  }
  timeout = sf_now () + SF_HOLDING_TIMEOUT;
  sf_consumer_wait (c, conn, until < timeout ? until : timeout);
  if (sf_now () < timeout || !is_at_its_limit (c, conn))
    return 0;
  conn->reading.holding_reported = true;
  in->kind = SF_RECEIVED_HOLDING;
  return 1;
}

/* Takes the next record. 1: `in` is filled; 0: there is none, or no room to
 * take it; -errno. */
SF_HOT static int
take_record (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_received *in)
{
  /* A limit, since all of them may have been revoked. */
  for (int i = 0; i < RECORDS_PER_TURN; i++) {
    bool is_void = (int64_t) (conn->reading.void_until - conn->ring.pos) > 0;
    struct sf_record_header record;
    int r = sf_ring_peek (&conn->ring, &record, c->stream.payload);

    /* A record behind a flush makes the flush visible, too: that comes
     * first. */
    if (r <= 0 || sf_connection_flush_phase (c, conn) != SF_FLUSH_NONE)
      return r < 0 ? r : 0;
    if (record.type == SF_RECORD_EVENT) {
      in->flushed = is_void;
      sf_ring_consume (&conn->ring, &record);
      in->kind = SF_RECEIVED_EVENT;
      in->body = c->stream.payload;
      in->body_size = record.payload_size;
      in->sticky = (record.flags & SF_RECORD_STICKY) != 0;
      return 1;
    }
    if (record.type != SF_RECORD_FRAME)
      return -EPROTO;
    if (is_void) {
      sf_consumer_skip_frame (conn, &record);
      continue;
    }
    if (sf_connection_is_full (conn))
      return ask_for_more (c, conn, in);
    conn->reading.holding_reported = false;
    r = sf_consumer_take_frame (c, conn, &record, in);
    if (r == -EINTR)
      return r;
    sf_ring_consume (&conn->ring, &record);
    if (r != 0)
      return r;
  }
  return 0;
}

/* 1, 0 (time is up) or -EINTR. */
SF_HOT static int
next_on_connection (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_received *in, int64_t until)
{
  for (;;) {
    /* Look at this before the ring: what was announced before the end is then
     * in the ring, and is delivered first. */
    bool over = sf_observe_u32 (&conn->over) != 0;
    bool flushing;
    int r;

    if (sf_load_flag (&c->interrupted))
      return -EINTR;
    if (!conn->reading.connected_reported) {
      conn->reading.connected_reported = true;
      in->kind = SF_RECEIVED_CONNECTED;
      in->clock_offset = conn->clock_offset;
      return 1;
    }
    if (sf_load_flag (&c->notices.pending)) {
      pthread_mutex_lock (&c->lock);
      r = take_notice_locked (c, in);
      pthread_mutex_unlock (&c->lock);
      if (r > 0)
        return 1;
    }
    r = sf_consumer_pass_flush (c, conn);
    flushing = r == 0;
    if (r > 0)
      r = take_record (c, conn, in);
    if (r > 0)
      return 1;
    if (r == -EINTR)
      return r;
    if (r < 0)
      fail_connection (c, conn, r);
    if (r < 0 || (over && !flushing && !sf_ring_has_record (&conn->ring))) {
      drop_connection (c, conn, in);
      return 1;
    }
    if (sf_now () >= until)
      return 0;
    SF_HOOK ("idle");
    if (wait_for_record (c, conn, in, until) > 0)
      return 1;
  }
}

SF_HOT int
sf_consumer_next (struct sf_consumer *c, struct sf_received *in,
    int64_t timeout)
{
  int64_t until = timeout < 0 ? INT64_MAX : sf_now () + timeout;
  struct sf_connection_state *conn;
  int r;

  memset (in, 0, sizeof (*in));
  r = await_connection (c, in, &conn, until);
  if (conn == NULL)
    return r;
  in->producer_id = conn->producer_id;
  r = next_on_connection (c, conn, in, until);
  sf_connection_unref (conn);
  return r;
}

void
sf_consumer_interrupt (struct sf_consumer *c, bool on)
{
  pthread_mutex_lock (&c->lock);
  sf_publish_u32 (&c->interrupted, on);
  pthread_cond_broadcast (&c->cond);
  if (c->conn != NULL)
    sf_connection_wake (c->conn);
  pthread_mutex_unlock (&c->lock);
}

void
sf_consumer_set_paused (struct sf_consumer *c, bool paused)
{
  sf_store_flag (&c->paused, paused);
}

void
sf_consumer_want (struct sf_consumer *c, uint32_t max_held)
{
  bool more;

  pthread_mutex_lock (&c->lock);
  if (max_held > SF_MAX_LEASES)
    max_held = SF_MAX_LEASES;
  more = max_held > c->holding.max_held;
  if (more)
    c->holding.max_held = max_held;
  if (max_held > c->holding.needed)
    c->holding.needed = max_held;
  pthread_mutex_unlock (&c->lock);
  if (more)
    sf_consumer_kick (c);
}

int
sf_consumer_send_upstream (struct sf_consumer *c, const uint8_t *data,
    uint32_t size)
{
  struct sf_message msg = { .type = SF_MESSAGE_UPSTREAM };
  struct sf_connection_state *conn;
  uint64_t number;
  int r;

  if (size > SF_UPSTREAM_MAX)
    return -EMSGSIZE;
  conn = sf_consumer_ref_connection (c, &number);
  if (conn == NULL)
    return -ENOTCONN;
  msg.upstream.size = size;
  memcpy (msg.upstream.data, data, size);
  r = sf_send (conn->fd, &msg, NULL, 0);
  sf_connection_unref (conn);
  return r;
}

void
sf_consumer_get_stats (struct sf_consumer *c, struct sf_consumer_stats *stats)
{
  struct sf_connection_state *conn;

  memset (stats, 0, sizeof (*stats));
  conn = sf_consumer_ref_connection (c, &stats->connections);
  stats->frames = sf_load_hint (&c->figures.frames);
  stats->mapped_late = sf_load_hint (&c->figures.mapped_late);
  stats->lost =
      sf_load_hint (&c->figures.lost) + sf_load_hint (&c->figures.revoked);
  if (conn == NULL)
    return;
  stats->connected = true;
  stats->held = sf_load_flag (&conn->held);
  stats->max_held = sf_load_flag (&conn->max_held);
  pthread_mutex_lock (&conn->lock);
  stats->n_segments = conn->n_segments;
  for (uint32_t i = 0; i < conn->n_segments; i++)
    stats->segment_bytes += conn->segments[i].segment->shm.size;
  pthread_mutex_unlock (&conn->lock);
  sf_connection_unref (conn);
}
