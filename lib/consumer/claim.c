/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims frames, and turns their records into memory that can be read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer-private.h"

/* Finds a segment. SEGMENT was sent before the announcement, so the control
 * thread has it or is about to. 0, -EINTR, or -EPROTO. */
SF_HOT static int
await_segment (struct sf_consumer *c, struct sf_connection_state *conn,
    uint32_t id, struct sf_segment **segment)
{
  struct sf_timeout timeout;
  int r = 0;

  *segment = sf_connection_find_segment (conn, id);
  if (*segment != NULL)
    return 0;
  timeout = sf_timeout_begin (SF_ANSWER_TIMEOUT);
  pthread_mutex_lock (&c->lock);
  while (r == 0 && (*segment = sf_connection_find_segment (conn, id)) == NULL) {
    if (sf_observe_u32 (&conn->over) != 0 || sf_timeout_expired (&timeout))
      r = -EPROTO;
    else if (sf_load_flag (&c->interrupted))
      r = -EINTR;
    else
      sf_cond_wait (&c->cond, &c->lock, timeout.last + SF_TIMEOUT_SLICE);
  }
  pthread_mutex_unlock (&c->lock);
  return r;
}

/* Checks that the memory lies inside the segment and is mapped. The control
 * thread maps what has been added, ahead of frames; a frame that comes earlier
 * is mapped here. */
SF_HOT static int
check_ref (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_segment *segment, const struct sf_memory_ref_wire *ref)
{
  int r = sf_segment_check (segment, ref);

  if (r > 0) {
    sf_add_count (&c->figures.mapped_late, 1);
    r = sf_connection_is_within_bounds (conn) ? 0 : -EPROTO;
  }
  if (r == 0 && sf_segment_has_grown (segment)
      && sf_swap_flag (&conn->grown, 1) == 0)
    sf_consumer_kick (c);
  return r;
}

SF_HOT static bool
parts_room (struct sf_consumer *c, uint32_t n)
{
  struct sf_memory_ref_mapped *parts;

  if (n <= c->stream.parts_room)
    return true;
  parts = realloc (c->stream.parts, n * sizeof (*parts));
  if (parts == NULL)
    return false;
  c->stream.parts = parts;
  c->stream.parts_room = n;
  return true;
}

SF_HOT static struct sf_lease *
lease_new (struct sf_connection_state *conn, uint32_t index, uint32_t n_parts)
{
  struct sf_lease *lease = malloc (sizeof (*lease)
      + n_parts * sizeof (struct sf_segment *));

  if (lease == NULL)
    return NULL;
  lease->refs = 1;
  lease->kept = false;
  lease->index = index;
  lease->conn = sf_connection_ref (conn);
  lease->n_segments = 0;
  sf_ref (&conn->held);
  return lease;
}

/* Adds one part's segment to the lease, once for all parts in it. Returns as
 * await_segment(). */
SF_HOT static int
lease_segment (struct sf_consumer *c, struct sf_connection_state *conn,
    struct sf_lease *lease, uint32_t id, uint32_t *last_id)
{
  int r;

  if (lease->n_segments > 0 && *last_id == id)
    return 0;
  r = await_segment (c, conn, id, &lease->segments[lease->n_segments]);
  if (r == 0) {
    lease->n_segments++;
    *last_id = id;
  }
  return r;
}

/* Reads the payload into c->stream.payload, from the record or where it was
 * spilled. Returns its size, or as await_segment(). */
SF_HOT static int
fetch_payload (struct sf_consumer *c, struct sf_connection_state *conn,
    const struct sf_record_header *record)
{
  struct sf_segment *segment;
  struct sf_memory_ref_wire ref;
  uint32_t head[2];
  int r;

  if (record->payload_size < sizeof (head))
    return -EPROTO;
  memcpy (head, c->stream.payload, sizeof (head));
  if (head[1] != SF_PAYLOAD_SPILLED)
    return (int) record->payload_size;
  if (head[0] != 1 || record->payload_size != sizeof (head) + sizeof (ref))
    return -EPROTO;
  memcpy (&ref, c->stream.payload + sizeof (head), sizeof (ref));
  if (ref.size < sizeof (head) || ref.size > SF_MAX_FRAME_PAYLOAD)
    return -EPROTO;
  r = await_segment (c, conn, ref.segment, &segment);
  if (r < 0)
    return r;
  r = check_ref (c, conn, segment, &ref);
  if (r == 0)
    sf_copy_shared (c->stream.payload, sf_segment_slot (segment, ref.slot)
        + ref.offset, ref.size);
  sf_segment_unref (segment);
  return r < 0 ? r : (int) ref.size;
}

/* Turns a claimed record into parts and a body. 0 or -errno. */
SF_HOT static int
resolve (struct sf_consumer *c, struct sf_connection_state *conn,
    const struct sf_record_header *record, struct sf_received *in)
{
  uint32_t head[2], last_id = 0;
  uint64_t at = sizeof (head);
  int r, size = fetch_payload (c, conn, record);

  if (size < 0)
    return size;
  memcpy (head, c->stream.payload, sizeof (head));
  if (head[0] > SF_MAX_MEMORY_REFS || head[1] != 0
      || (uint64_t) size - at < head[0] * sizeof (struct sf_memory_ref_wire))
    return -EPROTO;
  /* Never NULL: callers compute addresses from it. */
  if (!parts_room (c, head[0] > 0 ? head[0] : 1))
    return -ENOMEM;
  in->lease = lease_new (conn, record->lease, head[0]);
  if (in->lease == NULL)
    return -ENOMEM;
  for (uint32_t i = 0; i < head[0]; i++) {
    struct sf_memory_ref_mapped *part = &c->stream.parts[i];
    struct sf_memory_ref_wire ref;

    memcpy (&ref, c->stream.payload + at, sizeof (ref));
    at += sizeof (ref);
    r = lease_segment (c, conn, in->lease, ref.segment, &last_id);
    if (r < 0)
      return r;
    part->segment = in->lease->segments[in->lease->n_segments - 1];
    r = check_ref (c, conn, part->segment, &ref);
    if (r < 0)
      return r;
    part->slot = ref.slot;
    part->offset = ref.offset;
    part->size = ref.size;
    part->data = sf_segment_slot (part->segment, ref.slot) + ref.offset;
  }
  in->parts = c->stream.parts;
  in->n_parts = head[0];
  in->body = c->stream.payload + at;
  in->body_size = (uint32_t) ((uint64_t) size - at);
  return 0;
}

static bool
is_same_stream (const struct sf_consumer *c,
    const struct sf_connection_state *conn)
{
  return c->stream.have_last && c->stream.last_producer_id == conn->producer_id;
}

/* Notes the frame's number. -1: we had it before the connection broke; else the
 * number of frames that were lost to us since the last one. */
SF_HOT static int64_t
note_seq (struct sf_consumer *c, const struct sf_connection_state *conn,
    uint64_t seq)
{
  int64_t lost = (int64_t) sf_load_hint (&c->figures.revoked);

  if (is_same_stream (c, conn)) {
    if (seq < c->stream.next_seq)
      return -1;
    lost = (int64_t) (seq - c->stream.next_seq);
  }
  sf_store_hint (&c->figures.revoked, 0);
  c->stream.have_last = true;
  c->stream.last_producer_id = conn->producer_id;
  c->stream.next_seq = seq + 1;
  return lost;
}

/* Tells whether we are being evicted: that is why a lossless producer
 * revokes. */
static bool
is_evicted (struct sf_consumer *c, struct sf_connection_state *conn)
{
  bool lossless;

  pthread_mutex_lock (&c->lock);
  lossless = c->notices.latency.lossless != 0;
  pthread_mutex_unlock (&c->lock);
  return lossless || sf_observe_u32 (&conn->over) != 0;
}

/* Notes a frame that was revoked before we claimed it. Usually the next frame's
 * number tells how many were lost; after an eviction there may be none. Frames
 * before the first one count only then. */
static void
note_revoked (struct sf_consumer *c, struct sf_connection_state *conn,
    uint64_t seq)
{
  if (!is_same_stream (c, conn)) {
    if (!is_evicted (c, conn))
      return;
    sf_add_count (&c->figures.lost, sf_load_hint (&c->figures.revoked));
    c->stream.have_last = true;
    c->stream.last_producer_id = conn->producer_id;
    c->stream.next_seq = seq;
  }
  if (seq >= c->stream.next_seq)
    sf_store_hint (&c->figures.revoked, seq - c->stream.next_seq + 1);
}

SF_HOT int
sf_consumer_take_frame (struct sf_consumer *c, struct sf_connection_state *conn,
    const struct sf_record_header *record, struct sf_received *in)
{
  uint64_t seen;
  int64_t lost;
  int r;

  if (record->lease >= SF_MAX_LEASES)
    return -EPROTO;
  if (!conn->reading.claimed
      && !sf_decide_u64 (&conn->ring.page->lease[record->lease],
          SF_LEASE_WORD (record->lease_stamp, SF_LEASE_ANNOUNCED),
          SF_LEASE_WORD (record->lease_stamp, SF_LEASE_CLAIMED), &seen)) {
    note_revoked (c, conn, record->seq);
    return 0;
  }
  SF_HOOK ("claimed");
  r = resolve (c, conn, record, in);
  conn->reading.claimed = r == -EINTR;
  if (r == -EINTR && in->lease != NULL)
    in->lease->kept = true;
  lost = r < 0 ? 0 : note_seq (c, conn, record->seq);
  /* What a flush made void is not lost. */
  if (c->stream.after_flush && lost > 0)
    lost = 0;
  if (r < 0 || lost < 0) {
    if (in->lease != NULL)
      sf_lease_unref (in->lease);
    in->lease = NULL;
    return r;
  }
  in->kind = SF_RECEIVED_FRAME;
  in->seq = record->seq;
  in->discont = lost > 0;
  in->sticky = (record->flags & SF_RECORD_STICKY) != 0;
  in->lossless = (record->flags & SF_RECORD_LOSSLESS) != 0;
  in->flushed = c->stream.after_flush;
  c->stream.after_flush = false;
  sf_add_count (&c->figures.lost, (uint64_t) lost);
  sf_add_count (&c->figures.frames, 1);
  return 1;
}

void
sf_consumer_skip_frame (struct sf_connection_state *conn,
    const struct sf_record_header *record)
{
  /* Claimed already when sf_consumer_next() was interrupted: return it. */
  if (conn->reading.claimed) {
    sf_connection_return (conn, record->lease);
    conn->reading.claimed = false;
  }
  sf_ring_consume (&conn->ring, record);
}

SF_HOT void
sf_consumer_note_handover (struct sf_consumer *c, int64_t ns)
{
  /* Only this thread clears it. */
  struct sf_connection_state *conn = c->conn;

  if (conn == NULL)
    return;
  ns = ns < 1 ? 1 : ns > UINT32_MAX ? UINT32_MAX : ns;
  sf_store_flag (&conn->ring.page->handover[conn->reading.n_handovers++
          % SF_HANDOVERS], (uint32_t) ns);
}
