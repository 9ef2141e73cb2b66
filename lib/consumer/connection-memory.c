/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a connection, and the leases on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "consumer/consumer-private.h"

SF_HOT struct sf_connection_state *
sf_connection_ref (struct sf_connection_state *conn)
{
  sf_ref (&conn->refs);
  return conn;
}

SF_HOT void
sf_connection_unref (struct sf_connection_state *conn)
{
  if (conn == NULL || !sf_unref_is_last (&conn->refs))
    return;
  for (uint32_t i = 0; i < conn->n_segments; i++)
    sf_segment_unref (conn->segments[i].segment);
  free (conn->segments);
  sf_shm_close (&conn->announce);
  sf_shm_close (&conn->returns);
  /* Close the socket before the guard: the producer hears that we leave before
   * it hears that nobody reads any more. */
  sf_fd_shut (conn->fd);
  sf_guard_unref (conn->guard);
  pthread_mutex_destroy (&conn->lock);
  free (conn);
}

int
sf_connection_new (struct sf_connection_state **conn, int fd,
    const struct sf_welcome *welcome, int fds[SF_MESSAGE_MAX_FDS])
{
  struct sf_connection_state *l = calloc (1, sizeof (*l));
  int r, returns;

  if (l == NULL) {
    sf_close_received (fds);
    sf_fd_close (fd);
    return -ENOMEM;
  }
  l->refs = 1;
  l->generation = sf_generation;
  l->reading.spin_after = SF_SPIN_AFTER;
  l->fd = fd;
  l->producer_id = welcome->producer_id;
  l->max_held = welcome->max_held;
  l->announce.fd = l->returns.fd = -1;
  pthread_mutex_init (&l->lock, NULL);
  l->guard = sf_guard_new (fds[2]);
  r = sf_shm_open (&l->announce, fds[0], welcome->announce_size, SF_SHM_SEALED);
  returns = sf_shm_open (&l->returns, fds[1], sizeof (struct sf_returns_page),
      SF_SHM_SHARED);
  if (l->guard == NULL)
    r = -ENOMEM;
  if (r == 0)
    r = returns;
  if (r == 0)
    r = sf_ring_reader_init (&l->ring, l->announce.map, l->announce.size,
        l->returns.map);
  if (r < 0) {
    sf_connection_unref (l);
    return r;
  }
  sf_shm_keep_map (&l->announce);
  sf_shm_keep_map (&l->returns);
  *conn = l;
  return 0;
}

/* More than a producer needs that relays the frames of many others. */
#define MAX_SEGMENTS 256u

/* All slots together fit into memory, twice if a segment of another producer
 * comes in two ways. The limit keeps a producer from mapping the same memory
 * under many ids, which would cost page tables without end. */
bool
sf_connection_is_within_bounds (struct sf_connection_state *conn)
{
  struct sysinfo info;
  uint64_t sum = 0;

  pthread_mutex_lock (&conn->lock);
  for (uint32_t i = 0; i < conn->n_segments; i++)
    sum += sf_observe_u32 (&conn->segments[i].segment->n_slots)
        * conn->segments[i].segment->pitch;
  pthread_mutex_unlock (&conn->lock);
  return sysinfo (&info) < 0 || sum / 2 / info.mem_unit
      <= (uint64_t) info.totalram + info.totalswap;
}

/* Tells whether the id is new and the segment not one too many. Only the
 * control thread adds segments. */
static bool
is_welcome (struct sf_connection_state *conn, uint32_t id)
{
  bool welcome;

  pthread_mutex_lock (&conn->lock);
  welcome = conn->n_segments < MAX_SEGMENTS;
  for (uint32_t i = 0; i < conn->n_segments; i++)
    welcome = welcome && conn->segments[i].id != id;
  pthread_mutex_unlock (&conn->lock);
  return welcome;
}

int
sf_connection_add_segment (struct sf_connection_state *conn,
    const struct sf_segment_info *info, const int fds[SF_MESSAGE_MAX_FDS])
{
  struct sf_connection_segment *table;
  struct sf_segment *segment;
  int guards[SF_MAX_GUARDS];
  int r = is_welcome (conn, info->id) ? 0 : -EPROTO;

  if (r < 0) {
    sf_close_received (fds);
    return r;
  }
  /* Pass on our connection's guard, which tells our producer whether we read,
   * and the guards of those who relayed the segment to it. */
  memcpy (guards, fds, sizeof (guards));
  guards[0] = -1;
  r = sf_segment_open (&segment, fds[0], conn->guard, guards, info);
  if (r < 0)
    return r;
  segment->passed_on = &conn->ring.page->passed_on;
  pthread_mutex_lock (&conn->lock);
  table = realloc (conn->segments, (conn->n_segments + 1) * sizeof (*table));
  if (table != NULL) {
    conn->segments = table;
    table[conn->n_segments++] = (struct sf_connection_segment) {
      info->id, segment
    };
  }
  pthread_mutex_unlock (&conn->lock);
  if (table == NULL) {
    sf_segment_unref (segment);
    return -ENOMEM;
  }
  return sf_connection_is_within_bounds (conn) ? 0 : -EPROTO;
}

void
sf_connection_remove_segment (struct sf_connection_state *conn, uint32_t id)
{
  struct sf_segment *segment = NULL;

  pthread_mutex_lock (&conn->lock);
  for (uint32_t i = 0; i < conn->n_segments; i++) {
    if (conn->segments[i].id == id) {
      segment = conn->segments[i].segment;
      conn->segments[i] = conn->segments[--conn->n_segments];
      break;
    }
  }
  pthread_mutex_unlock (&conn->lock);
  if (segment != NULL) {
    sf_publish_u32 (&segment->retired, 1);
    sf_segment_unref (segment);
  }
}

/* Returns the n-th segment, referenced; NULL: there are fewer. */
static struct sf_segment *
ref_segment (struct sf_connection_state *conn, uint32_t n)
{
  struct sf_segment *segment = NULL;

  pthread_mutex_lock (&conn->lock);
  if (n < conn->n_segments)
    segment = sf_segment_ref (conn->segments[n].segment);
  pthread_mutex_unlock (&conn->lock);
  return segment;
}

int
sf_connection_map_growth (struct sf_connection_state *conn)
{
  struct sf_segment *segment;
  bool mapped = false;
  int r = 0;

  for (uint32_t i = 0; r == 0 && (segment = ref_segment (conn, i)); i++) {
    if (sf_segment_has_grown (segment)) {
      r = sf_segment_map_growth (segment, 0);
      mapped = true;
    }
    sf_segment_unref (segment);
  }
  /* -ENOMEM is no error yet: mapping is tried again when a frame needs it. */
  return r == -EPROTO || (mapped && !sf_connection_is_within_bounds (conn))
      ? -EPROTO : 0;
}

bool
sf_consumer_free_ended (struct sf_consumer *c)
{
  struct sf_connection_state **at = &c->control.ended;

  while (*at != NULL) {
    struct sf_connection_state *conn = *at;

    if (sf_observe_u32 (&conn->refs) == 1) {
      *at = conn->control.next_ended;
      sf_connection_unref (conn);
    } else {
      at = &conn->control.next_ended;
    }
  }
  return c->control.ended != NULL;
}

SF_HOT struct sf_segment *
sf_connection_find_segment (struct sf_connection_state *conn, uint32_t id)
{
  struct sf_segment *found = NULL;

  pthread_mutex_lock (&conn->lock);
  for (uint32_t i = 0; i < conn->n_segments && found == NULL; i++)
    if (conn->segments[i].id == id)
      found = sf_segment_ref (conn->segments[i].segment);
  pthread_mutex_unlock (&conn->lock);
  return found;
}

struct sf_connection_state *
sf_consumer_ref_connection (struct sf_consumer *c, uint64_t *number)
{
  struct sf_connection_state *conn;

  pthread_mutex_lock (&c->lock);
  conn = c->conn != NULL ? sf_connection_ref (c->conn) : NULL;
  *number = c->connections;
  pthread_mutex_unlock (&c->lock);
  return conn;
}

void
sf_connection_wake (struct sf_connection_state *conn)
{
  sf_bump_u32 (&conn->ring.page->wake);
  sf_futex_wake (&conn->ring.page->wake);
}

void
sf_connection_end (struct sf_connection_state *conn,
    const struct sf_reject *bye)
{
  /* Both threads may end it at once: the first reason counts. */
  pthread_mutex_lock (&conn->lock);
  if (sf_observe_u32 (&conn->over) == 0) {
    conn->bye = *bye;
    for (uint32_t i = 0; i < conn->n_segments; i++)
      sf_publish_u32 (&conn->segments[i].segment->retired, 1);
    sf_publish_u32 (&conn->over, 1);
  }
  pthread_mutex_unlock (&conn->lock);
  sf_connection_wake (conn);
}

SF_HOT struct sf_lease *
sf_lease_ref (struct sf_lease *lease)
{
  sf_ref (&lease->refs);
  return lease;
}

void
sf_connection_kick (struct sf_connection_state *conn)
{
  struct sf_message msg = { .type = SF_MESSAGE_KICK };

  /* Use the socket, not an eventfd: the other side can clear its O_NONBLOCK. A
   * full socket is read soon anyway. */
  sf_send (conn->fd, &msg, NULL, 0);
}

bool
sf_connection_answer (struct sf_connection_state *conn, sf_atomic_u32 *paused)
{
  struct sf_message msg = {
    .type = SF_MESSAGE_PONG,
    .paused = sf_load_flag (paused),
  };

  conn->control.pong_due = conn->control.pong_due
      && sf_send (conn->fd, &msg, NULL, 0) == -EAGAIN;
  return !conn->control.pong_due;
}

/* Answers each number in want_returns once: the producer then looks at all
 * returns. */
static void
signal_return (struct sf_connection_state *conn)
{
  uint32_t want = sf_load_flag (&conn->ring.header->want_returns);

  if (want != 0 && sf_swap_flag (&conn->signalled, want) != want)
    sf_connection_kick (conn);
}

SF_HOT void
sf_connection_return (struct sf_connection_state *conn, uint32_t lease)
{
  sf_set_bits (&conn->ring.page->returned[lease / 64],
      UINT64_C (1) << (lease % 64));
  SF_HOOK ("returned");
  /* The producer sees the bit, or we see that it waits. */
  sf_fence_store_load ();
  signal_return (conn);
}

SF_HOT void
sf_lease_unref (struct sf_lease *lease)
{
  struct sf_connection_state *conn = lease->conn;

  /* In a child process the frame stays its parent's. */
  if (sf_is_inherited (conn->generation)
      || !sf_unref_is_last (&lease->refs))
    return;
  for (uint32_t i = 0; i < lease->n_segments; i++)
    sf_segment_unref (lease->segments[i]);
  if (!lease->kept)
    sf_connection_return (conn, lease->index);
  sf_unref_is_last (&conn->held);
  sf_fence_store_load ();
  if (sf_load_flag (&conn->wants_room) != 0)
    sf_connection_wake (conn);
  sf_connection_unref (conn);
  free (lease);
}
