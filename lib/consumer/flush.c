/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushes of the producer. The control thread hears of them, while the
 * streaming thread may be waiting downstream, and calls back. Once the flush
 * has been ended, the streaming thread reads on and skips what is void. */
#include <errno.h>

#include "consumer/consumer-private.h"

/* The producer may change the words any time: read each once. */
static uint32_t
last_step (const struct sf_connection_state *conn)
{
  return (uint32_t) sf_observe_u64 (&conn->ring.header->flush);
}

static bool
is_over (const struct sf_connection_state *conn)
{
  return sf_observe_u32 (&conn->over) != 0;
}

SF_HOT static enum sf_flush_phase
phase_of (const struct sf_consumer *c, const struct sf_connection_state *conn,
    uint32_t step)
{
  bool ended;

  if (step == conn->reading.flushed)
    return SF_FLUSH_NONE;
  ended =
      c->settings.flush != NULL ? step == sf_observe_u32 (&conn->flush_ended)
      : (step & 1) == 0 || is_over (conn);
  return ended ? SF_FLUSH_ENDED : SF_FLUSH_UNDER_WAY;
}

SF_HOT enum sf_flush_phase
sf_connection_flush_phase (const struct sf_consumer *c,
    const struct sf_connection_state *conn)
{
  return phase_of (c, conn, last_step (conn));
}

SF_HOT int
sf_consumer_pass_flush (struct sf_consumer *c, struct sf_connection_state *conn)
{
  uint32_t step = last_step (conn);
  enum sf_flush_phase phase = phase_of (c, conn, step);
  uint64_t end, head;

  if (phase != SF_FLUSH_ENDED)
    return phase == SF_FLUSH_NONE;
  /* In this order, so that the head is not behind the end. */
  end = sf_observe_u64 (&conn->ring.header->flush_end)
      & ~(uint64_t) SF_FLUSH_RESETS;
  head = sf_observe_u64 (&conn->ring.header->head);
  /* The connection ended before the flush did. */
  if ((step & 1) != 0)
    end = head;
  /* The end may be behind us: padding before it may have been skipped. */
  if ((int64_t) (end - conn->ring.pos) > (int64_t) (head - conn->ring.pos)
      || (end & 63u) != 0)
    return -EPROTO;
  conn->reading.void_until = end;
  conn->reading.flushed = step;
  c->stream.after_flush = true;
  sf_store_hint (&c->figures.revoked, 0);
  return 1;
}

void
sf_consumer_report_flush (struct sf_consumer *c,
    struct sf_connection_state *conn, bool over)
{
  uint32_t now = last_step (conn);

  if (c->settings.flush == NULL || (now == conn->control.flush_reported
          && !over)
      || (over && now == sf_observe_u32 (&conn->flush_ended)))
    return;
  conn->control.flush_reported = now;
  c->settings.flush (c->settings.user);
}

void
sf_consumer_get_flush (struct sf_consumer *c, struct sf_flush *flush)
{
  struct sf_connection_state *conn =
      sf_consumer_ref_connection (c, &flush->connection);
  uint64_t word, end;

  flush->on = flush->pending = false;
  flush->reset_time = true;
  flush->seqnum = flush->count = 0;
  if (conn == NULL)
    return;
  word = sf_observe_u64 (&conn->ring.header->flush);
  end = sf_observe_u64 (&conn->ring.header->flush_end);
  flush->count = (uint32_t) word;
  flush->seqnum = (uint32_t) (word >> 32);
  flush->on = (flush->count & 1) != 0 && !is_over (conn);
  flush->pending = flush->count != sf_observe_u32 (&conn->flush_ended);
  if ((flush->count & 1) == 0)
    flush->reset_time = (end & SF_FLUSH_RESETS) != 0;
  sf_connection_unref (conn);
}

void
sf_consumer_end_flush (struct sf_consumer *c, const struct sf_flush *flush)
{
  uint64_t connection;
  struct sf_connection_state *conn = sf_consumer_ref_connection (c,
      &connection);

  if (conn != NULL && connection == flush->connection) {
    sf_publish_u32 (&conn->flush_ended, flush->count);
    sf_connection_wake (conn);
  }
  sf_connection_unref (conn);
}
