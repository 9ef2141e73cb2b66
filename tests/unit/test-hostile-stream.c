/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that lies once it is connected, in its ring or over its socket: that
 * is the end of the connection, once, with a reason; nothing is left behind, and
 * the consumer connects again and gets frames. Built with a short
 * SF_ANSWER_TIMEOUT_MS. */
#include <fcntl.h>
#include <pthread.h>

#include "rawproducer.h"

/* A record with this header, and head moved by `move`. */
static void
put_record (struct raw_producer *p, const struct sf_record_header *record,
    uint64_t move)
{
  memcpy (p->ring.data + p->ring.head, record, sizeof *record);
  sf_publish_u64 (&p->ring.header->head, p->ring.head + move);
  rp_wake (p);
}

static void
bad_header (struct raw_producer *p)
{
  static const struct
  {
    struct sf_record_header record;
    uint64_t move;
  } lies[] = {
    {{.size = 0,.type = SF_RECORD_EVENT}, 64},
    {{.size = 32,.type = SF_RECORD_EVENT}, 64},
    {{.size = 63,.type = SF_RECORD_EVENT}, 64},
    {{.size = 96,.type = SF_RECORD_EVENT}, 128},
    {{.size = 128,.type = SF_RECORD_EVENT}, 64},
    {{.size = UINT32_MAX & ~63u,.type = SF_RECORD_EVENT}, 64},
    {{.size = UINT32_MAX,.type = SF_RECORD_EVENT}, 64},
    {{.size = 64,.type = SF_RECORD_EVENT,.payload_size = 33}, 64},
    {{.size = 64,.type = SF_RECORD_EVENT,.payload_size = UINT32_MAX}, 64},
    {{.size = 1 << 19,.type = SF_RECORD_EVENT,.payload_size = 300000}, 1 << 19},
    {{.size = 64,.type = 0}, 64},
    {{.size = 64,.type = 4}, 64},
    {{.size = 64,.type = UINT16_MAX}, 64},
    {{.size = 64,.type = SF_RECORD_PAD}, 64},
    {{.size = 64,.type = SF_RECORD_EVENT}, 1},
    {{.size = 64,.type = SF_RECORD_EVENT}, 63},
    {{.size = 64,.type = SF_RECORD_EVENT}, SF_ANNOUNCE_RING_SIZE + 64},
    {{.size = 64,.type = SF_RECORD_EVENT}, UINT64_MAX & ~UINT64_C (63)},
    {{.size = 64,.type = SF_RECORD_EVENT}, UINT64_C (1) << 63},
    {{.size = 64,.type = SF_RECORD_FRAME,.lease = SF_MAX_LEASES}, 64},
    {{.size = 64,.type = SF_RECORD_FRAME,.lease = UINT32_MAX}, 64},
  };

  check_cmp (p->lie, <, sizeof lies / sizeof lies[0]);
  put_record (p, &lies[p->lie].record, lies[p->lie].move);
}

static void
test_record_header (void)
{
  rp_run_lies (bad_header, 21);
}

static void
test_head_runs_back (void)
{
  struct raw_producer p;
  struct sf_received in;

  rp_open (&p);
  rp_good_start (&p);
  sf_publish_u64 (&p.ring.header->head, 0);
  rp_wake (&p);
  check_int (rp_await_end (&p, &in), SF_REASON_VIOLATION);
  rp_good_start (&p);
  rp_close (&p);
}

/* A frame that is in order but for what it says of its parts. */
static void
bad_parts (struct raw_producer *p)
{
  struct sf_record_header record = {.type = SF_RECORD_FRAME,.seq = 9 };
  struct raw_payload all = rp_payload (p, 1, 9);
  const struct sf_memory_ref_wire good = all.ref;
  const uint64_t pitch = p->segment->pitch;
  const struct
  {
    uint32_t size, n_refs, zero;
    struct sf_memory_ref_wire ref;
  } lies[] = {
    {0, 1, 0, good}, {7, 1, 0, good}, {39, 1, 0, good},
    {sizeof all, SF_MAX_MEMORY_REFS + 1, 0, good}, {sizeof all, UINT32_MAX, 0, good},
    {sizeof all, 2, 0, good}, {sizeof all, 1, 2, good},
    /* elsewhere: what is there says nothing; too small, too large, out of the
     * slot, in a segment that is not there, and more than that */
    {sizeof all, 1, 1, good}, {sizeof all, 1, 1, {RAW_SEGMENT, 1, 2, 0, 7}},
    {sizeof all, 1, 1, {RAW_SEGMENT, 1, 2, 0, SF_MAX_FRAME_PAYLOAD + 1}},
    {sizeof all, 1, 1, {RAW_SEGMENT, 1, 2, 8, pitch}},
    {sizeof all, 1, 1, {8, 1, 2, 0, FRAME_BYTES}},
    {sizeof all, 2, 1, good}, {sizeof all, 0, 1, good}, {8, 0, 1, good},
    {sizeof all, 1, 0, {8, 1, 2, 0, FRAME_BYTES}},
    {sizeof all, 1, 0, {UINT32_MAX, 1, 2, 0, FRAME_BYTES}},
    {sizeof all, 1, 0, {RAW_SEGMENT, RAW_SLOTS, 2, 0, FRAME_BYTES}},
    {sizeof all, 1, 0, {RAW_SEGMENT, UINT32_MAX, 2, 0, FRAME_BYTES}},
    {sizeof all, 1, 0, {RAW_SEGMENT, 1, 2, pitch + 1, 0}},
    {sizeof all, 1, 0, {RAW_SEGMENT, 1, 2, UINT64_MAX, 2}},
    {sizeof all, 1, 0, {RAW_SEGMENT, 1, 2, 0, pitch + 1}},
    {sizeof all, 1, 0, {RAW_SEGMENT, 1, 2, 1, pitch}},
    {sizeof all, 1, 0, {RAW_SEGMENT, 1, 2, 0, UINT64_MAX}},
    {sizeof all, 1, 0, {RAW_SEGMENT, 1, 2, 64, UINT64_MAX - 63}},
  };

  check_cmp (p->lie, <, sizeof lies / sizeof lies[0]);
  all.n_refs = lies[p->lie].n_refs;
  all.zero = lies[p->lie].zero;
  all.ref = lies[p->lie].ref;
  check_int (sf_leases_add (&p->leases, p, &record), 0);
  rp_announce (p, &record, &all, lies[p->lie].size);
}

static void
test_parts (void)
{
  rp_run_lies (bad_parts, 25);
}

/* As many parts as go into a record, none of a segment that is there: waited for
 * once. */
static void
test_many_unknown_segments (void)
{
  enum { N = (SF_MAX_PAYLOAD - 8) / sizeof (struct sf_memory_ref_wire) };
  static uint8_t payload[8 + N * sizeof (struct sf_memory_ref_wire)];
  struct sf_record_header record = {.type = SF_RECORD_FRAME,.seq = 9 };
  uint32_t n = N;
  struct raw_producer p;
  struct sf_received in;
  int64_t start;

  memset (payload + 8, 0x55, sizeof payload - 8);
  memcpy (payload, &n, sizeof n);
  rp_open (&p);
  rp_good_start (&p);
  check_int (sf_leases_add (&p.leases, &p, &record), 0);
  rp_announce (&p, &record, payload, sizeof payload);
  start = sf_now ();
  check_int (rp_await_end (&p, &in), SF_REASON_VIOLATION);
  check_cmp (sf_now () - start, <, 5 * SF_NS_PER_SECOND);
  rp_good_start (&p);
  rp_close (&p);
}

static void *
interrupt_soon (void *c)
{
  usleep (50000);
  sf_consumer_interrupt (c, true);
  return NULL;
}

/* While it waits for a segment it can be interrupted, and that is not taken for
 * the producer's fault: the frame comes when the segment does. */
static void
test_interrupted_wait (void)
{
  struct raw_producer p;
  struct sf_received in;
  struct sf_message msg;
  pthread_t thread;

  rp_open (&p);
  rp_welcome (&p);
  next_of (p.c, &in, SF_RECEIVED_CONNECTED);
  msg = rp_segment (&p);
  rp_good_frame (&p, 1);
  for (int i = 0; i < 3; i++) {
    check_int (pthread_create (&thread, NULL, interrupt_soon, p.c), 0);
    check_int (sf_consumer_next (p.c, &in, LONG), -EINTR);
    pthread_join (thread, NULL);
    sf_consumer_interrupt (p.c, false);
  }
  rp_send (&p, &msg, p.segment->shm.fd);
  next_of (p.c, &in, SF_RECEIVED_FRAME);
  check_int (check_frame (&in), 1);
  check (!in.discont);
  sf_lease_unref (in.lease);
  check_int (sf_load_hint (&p.ring.page->returned[0]), 1);
  rp_close (&p);
}

struct feeder
{
  struct raw_producer *p;
  uint16_t type;
  sf_atomic_u32 stop;
};

/* Records without end, as fast as they are read. */
static void *
feed (void *user)
{
  struct feeder *f = user;
  struct sf_record_header record = {.type = f->type,.lease = 5,.lease_stamp =
        77
  };

  while (sf_observe_u32 (&f->stop) == 0)
    if (sf_ring_write (&f->p->ring, &record, NULL, 0) == 0)
      rp_wake (f->p);
  return NULL;
}

/* Frames that are all revoked keep it busy, and nothing more. */
static void
test_revoked_for_ever (void)
{
  struct raw_producer p;
  struct feeder f = {.p = &p,.type = SF_RECORD_FRAME };
  pthread_t thread;
  struct sf_received in;
  int64_t start;

  rp_open (&p);
  rp_good_start (&p);
  check_int (pthread_create (&thread, NULL, feed, &f), 0);
  start = sf_now ();
  for (int i = 0; i < 5; i++)
    check_int (sf_consumer_next (p.c, &in, SF_NS_PER_SECOND / 50), 0);
  check_cmp (sf_now () - start, <, 3 * SF_NS_PER_SECOND);
  sf_consumer_interrupt (p.c, true);
  check_int (sf_consumer_next (p.c, &in, SF_FOREVER), -EINTR);
  sf_consumer_interrupt (p.c, false);
  sf_publish_u32 (&f.stop, 1);
  pthread_join (thread, NULL);
  rp_close (&p);
}

static void *
pad (void *user)
{
  struct feeder *f = user;
  struct sf_record_header record = {.size = 64,.type = SF_RECORD_PAD };
  uint64_t head = f->p->ring.head;

  for (uint64_t at = 0; at < SF_ANNOUNCE_RING_SIZE; at += 64)
    memcpy (f->p->ring.data + at, &record, sizeof record);
  while (sf_observe_u32 (&f->stop) == 0) {
    head += 64;
    while (sf_observe_u64 (&f->p->ring.page->read_pos) + 4096 < head
        && sf_observe_u32 (&f->stop) == 0);
    sf_publish_u64 (&f->p->ring.header->head, head);
    rp_wake (f->p);
  }
  return NULL;
}

static void
test_padding_for_ever (void)
{
  struct raw_producer p;
  struct feeder f = {.p = &p };
  pthread_t thread;
  struct sf_received in;

  rp_open (&p);
  rp_good_start (&p);
  check_int (pthread_create (&thread, NULL, pad, &f), 0);
  check_int (rp_await_end (&p, &in), SF_REASON_VIOLATION);
  sf_publish_u32 (&f.stop, 1);
  pthread_join (thread, NULL);
  rp_good_start (&p);
  rp_close (&p);
}

/* A flush that ends where nothing is, or in the middle of a record */
static void
bad_flush (struct raw_producer *p)
{
  const uint64_t ends[] = { p->ring.head + 64, p->ring.head + (UINT64_C (1) << 40),
    p->ring.head - 2, p->ring.head - 32
  };

  sf_publish_u64 (&p->ring.header->flush_end, ends[p->lie]);
  sf_publish_u64 (&p->ring.header->flush, 2);
  rp_wake (p);
}

static void
test_bad_flush (void)
{
  rp_run_lies (bad_flush, 4);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_record_header), TEST (test_head_runs_back), TEST (test_parts),
    TEST (test_bad_flush),
    TEST (test_many_unknown_segments), TEST (test_interrupted_wait),
    TEST (test_revoked_for_ever), TEST (test_padding_for_ever),
  };

  return unit_main (tests);
}
