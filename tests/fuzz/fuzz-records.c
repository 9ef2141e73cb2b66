/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hostile producer writes into its ring, through all of sf_consumer_next().
 * The input is a list of steps: one byte says which, the rest are its bytes.
 * Built with SF_ANSWER_TIMEOUT_MS=0: a segment that is not there never comes. */
#include <string.h>
#include <unistd.h>

#include "consumer/consumer-private.h"
#include "fuzz.h"

#define RING_SIZE 16384u
#define N_SLOTS 3u
#define PITCH 4096u
#define MAX_LEASES_OUT 8u

struct input
{
  const uint8_t *at;
  size_t left;
};

static struct sf_consumer *c;
static struct sf_connection_state *conn_;
static struct sf_announce_header *header;
static uint8_t *ring;
static struct sf_returns_page *page;
static struct sf_segment segment;
static struct sf_segment_header segment_header = {.n_slots = N_SLOTS };
static struct sf_view view = {.n_slots = N_SLOTS };
static struct sf_lease *out[MAX_LEASES_OUT];
static uint64_t head;
static volatile uint64_t sink;

static uint64_t
take (struct input *in, size_t n)
{
  uint64_t v = 0;

  n = n < in->left ? n : in->left;
  memcpy (&v, in->at, n);
  in->at += n;
  in->left -= n;
  return v;
}

/* No connection, no thread: memory of exactly the right size, so that a
 * sanitizer sees each byte behind its end. */
static void
set_up (void)
{
  c = calloc (1, sizeof *c);
  conn_ = calloc (1, sizeof *conn_);
  header = calloc (1, SF_ANNOUNCE_DATA_OFFSET);
  ring = malloc (RING_SIZE);
  page = calloc (1, sizeof *page);
  segment.shm.map = &segment_header;
  segment.n_slots = N_SLOTS;
  segment.pitch = PITCH;
  view.slots = malloc (N_SLOTS * PITCH);
  require (c && conn_ && header && ring && page && view.slots);
  memset (view.slots, 1, N_SLOTS * PITCH);
  segment.views = &view;
  pthread_mutex_init (&c->lock, NULL);
  pthread_mutex_init (&conn_->lock, NULL);
  pthread_cond_init (&c->cond, NULL);
  c->wake_fd = conn_->fd = -1;
  conn_->segments = calloc (1, sizeof *conn_->segments);
  conn_->segments[0] = (struct sf_connection_segment) { 7, &segment };
  conn_->n_segments = 1;
}

static void
start_over (void)
{
  memset (page, 0, sizeof *page);
  memset (ring, 0, RING_SIZE);
  head = 0;
  sf_publish_u64 (&header->head, 0);
  segment.refs = conn_->refs = 1000;
  conn_->ring = (struct sf_ring_reader) {
    header, page, ring, RING_SIZE, 0
  };
  conn_->reading.connected_reported = true;
  conn_->reading.holding_reported = conn_->reading.claimed = false;
  conn_->held = 0;
  conn_->max_held = MAX_LEASES_OUT;
  conn_->over = 0;
  conn_->reading.flushed = 0;
  conn_->reading.void_until = 0;
  sf_publish_u64 (&header->flush, 0);
  sf_publish_u64 (&header->flush_end, 0);
  conn_->producer_id++;
  c->conn = conn_;
  c->phase = SF_PHASE_CONNECTED;
  c->notices.pending = c->interrupted = 0;
}

static void
put_bytes (struct input *in)
{
  size_t n = take (in, 1), at = head % RING_SIZE;

  n = n < in->left ? n : in->left;
  n = n < RING_SIZE - at ? n : RING_SIZE - at;
  memcpy (ring + at, in->at, n);
  in->at += n;
  in->left -= n;
}

static void
move_head (struct input *in, uint64_t unit)
{
  head += (uint64_t) (int64_t) (int8_t) take (in, 1) * unit;
  sf_publish_u64 (&header->head, head);
}

/* What a frame whose payload lies elsewhere may find there. */
static void
put_letter (struct input *in)
{
  uint64_t slot = take (in, 1) % N_SLOTS, n = take (in, 1);

  n = n < in->left ? n : in->left;
  memcpy (view.slots + slot * PITCH, in->at, n);
  in->at += n;
  in->left -= n;
}

/* A frame that is in order but for its parts; with the payload elsewhere, if bit 7
 * says so. */
static void
put_frame (struct input *in)
{
  uint8_t kind = (uint8_t) take (in, 1);
  uint32_t elsewhere = kind >> 7;
  uint64_t n = (kind & 127) % 5, at = head % RING_SIZE;
  struct sf_record_header record = {.type = SF_RECORD_FRAME,.lease =
        (uint32_t) take (in, 1),.lease_stamp = take (in, 1),.payload_size =
        (uint32_t) (8 + n * sizeof (struct sf_memory_ref_wire) + 5 * !elsewhere),.seq = take (in, 2)
  };
  uint32_t parts[2] = { (uint32_t) n, elsewhere };

  record.size = (sizeof record + record.payload_size + 63) & ~63u;
  if (record.size > RING_SIZE - at)
    return;
  memcpy (ring + at, &record, sizeof record);
  memcpy (ring + at + sizeof record, parts, sizeof parts);
  for (uint64_t i = 0; i < n; i++) {
    uint8_t how = (uint8_t) take (in, 1);
    struct sf_memory_ref_wire ref = {.segment = 7,.slot = how & 3,.size = PITCH };

    if (how & 4)
      ref.segment = (uint32_t) take (in, 4);
    if (how & 8)
      ref.slot = (uint32_t) take (in, 4);
    if (how & 16)
      ref.offset = take (in, 8);
    if (how & 32)
      ref.size = take (in, 8);
    memcpy (ring + at + sizeof record + sizeof parts + i * sizeof ref, &ref,
        sizeof ref);
  }
  sf_publish_u64 (&page->lease[record.lease],
      SF_LEASE_WORD (record.lease_stamp, SF_LEASE_ANNOUNCED));
  head += record.size;
  sf_publish_u64 (&header->head, head);
}

/* A step of a flush, which ends at the head, near it, or anywhere. */
static void
put_flush (struct input *in)
{
  uint64_t count = take (in, 1), how = take (in, 1);
  uint64_t end = how % 3 == 2 ? take (in, 8)
      : head + (uint64_t) (int64_t) (int8_t) take (in, 1) * (how % 3 ? 64 : 0);

  sf_publish_u64 (&header->flush_end, end);
  sf_publish_u64 (&header->flush, count);
}

static void
give_back (unsigned i)
{
  if (out[i] != NULL)
    sf_lease_unref (out[i]);
  out[i] = NULL;
}

static uint64_t
sum (const uint8_t * bytes, uint64_t n)
{
  uint64_t s = 0;

  for (uint64_t i = 0; i < n; i++)
    s += bytes[i];
  return s;
}

static void
next (void)
{
  struct sf_received in;
  int r = sf_consumer_next (c, &in, 0);

  require (r == 0 || r == 1 || (r == -EINTR && c->interrupted));
  if (r != 1)
    return;
  sink += sum (in.body, in.body_size);
  for (uint32_t i = 0; i < in.n_parts; i++) {
    const struct sf_memory_ref_mapped *part = &in.parts[i];

    require (part->segment == &segment && part->slot < N_SLOTS);
    require (part->size <= PITCH && part->offset <= PITCH - part->size);
    sink += sum (part->data, part->size);
  }
  require ((in.kind == SF_RECEIVED_FRAME) == (in.lease != NULL));
  if (in.lease != NULL) {
    unsigned i = 0;

    while (i < MAX_LEASES_OUT && out[i] != NULL)
      i++;
    require (i < MAX_LEASES_OUT);
    out[i] = in.lease;
  }
  require (in.kind != SF_RECEIVED_DISCONNECTED
      || (conn_->over && conn_->bye.reason == SF_REASON_VIOLATION));
}

static void
step (struct input *in)
{
  uint8_t what = (uint8_t) take (in, 1);

  if (what >= 240) {
    put_flush (in);
    return;
  }
  switch (what % 10) {
    case 0:
      put_bytes (in);
      break;
    case 1:
      move_head (in, 64);
      break;
    case 2:
      move_head (in, 1);
      break;
    case 3:
      put_frame (in);
      break;
    case 4:
      give_back (take (in, 1) % MAX_LEASES_OUT);
      break;
    case 5:
      sf_publish_u64 (&page->lease[take (in, 1)], take (in, 8));
      break;
    case 6:
      sf_consumer_interrupt (c, take (in, 1) & 1);
      break;
    case 7:
      /* Elsewhere, with an empty ring. */
      head = conn_->ring.pos = take (in, 8) & ~UINT64_C (63);
      sf_publish_u64 (&header->head, head);
      break;
    case 9:
      put_letter (in);
      break;
    default:
      next ();
      break;
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t * data, size_t size)
{
  struct input in = { data, size };

  if (c == NULL)
    set_up ();
  start_over ();
  while (in.left > 0 && c->phase == SF_PHASE_CONNECTED)
    step (&in);
  for (unsigned i = 0; i < MAX_LEASES_OUT; i++)
    give_back (i);
  require (conn_->held == 0);
  /* Ours, the consumer's if it still has it, and nobody else's. */
  require (segment.refs == 1000);
  require (conn_->refs == (c->phase == SF_PHASE_CONNECTED ? 1000 : 999));
  return 0;
}
