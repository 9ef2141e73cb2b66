/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The announce ring from both ends, on plain memory. */
#include <errno.h>
#include <pthread.h>

#include "shared/ring.h"
#include "unit.h"

#define RING 4096u

struct ends
{
  uint8_t *announce;
  struct sf_returns_page *page;
  struct sf_ring_writer writer;
  struct sf_ring_reader reader;
};

static uint8_t payload[SF_MAX_PAYLOAD];

static struct ends
new_ends (uint64_t size)
{
  struct ends e;

  e.announce = calloc (1, SF_ANNOUNCE_DATA_OFFSET + size);
  e.page = calloc (1, sizeof *e.page);
  check (e.announce && e.page);
  sf_ring_format (e.announce, e.page, size);
  sf_ring_writer_init (&e.writer, e.announce, e.page, size);
  check_int (sf_ring_reader_init (&e.reader, e.announce,
          SF_ANNOUNCE_DATA_OFFSET + size, e.page), 0);
  return e;
}

static void
free_ends (struct ends *e)
{
  free (e->announce);
  free (e->page);
}

/* Both ends stand at `at`, with nothing in between. */
static void
stand_at (struct ends *e, uint64_t at)
{
  e->writer.head = e->writer.read_pos = e->reader.pos = at;
  sf_publish_u64 (&e->writer.header->head, at);
  sf_publish_u64 (&e->page->read_pos, at);
}

static int
put (struct ends *e, uint32_t size)
{
  struct sf_record_header record = {.type = SF_RECORD_EVENT,.seq = size };

  memset (payload, (int) size * 7 + 1, size);
  return sf_ring_write (&e->writer, &record, payload, size);
}

static void
get (struct ends *e, uint32_t size)
{
  struct sf_record_header record;

  memset (payload, 0, sizeof payload);
  check_int (sf_ring_peek (&e->reader, &record, payload), 1);
  check_int (record.type, SF_RECORD_EVENT);
  check_int (record.payload_size, size);
  check_int (record.seq, size);
  check_int (record.size % 64, 0);
  for (uint32_t i = 0; i < size; i++)
    check_int (payload[i], (uint8_t) (size * 7 + 1));
  sf_ring_consume (&e->reader, &record);
}

static void
check_empty (struct ends *e)
{
  struct sf_record_header record;

  check_int (sf_ring_peek (&e->reader, &record, payload), 0);
  check (!sf_ring_has_record (&e->reader));
  check_int (e->reader.pos, e->writer.head);
}

static void
test_wraps_everywhere (void)
{
  struct ends e = new_ends (RING);

  for (uint64_t at = 0; at < RING; at += 64) {
    for (uint32_t size = 0; size <= RING / 2 - 32; size += 29) {
      stand_at (&e, at);
      check_int (put (&e, size), 0);
      get (&e, size);
      check_empty (&e);
    }
  }
  free_ends (&e);
}

/* As many as fit and not one more; with one read, one of that size fits again
 * where no padding is in the way. */
static void
test_full (void)
{
  struct ends e = new_ends (RING);

  for (uint64_t at = 0; at < RING; at += 64) {
    uint32_t n = 0;

    stand_at (&e, at);
    while (put (&e, 10) == 0)
      n++;
    check_int (n, RING / 64);
    check_int (put (&e, 0), -ENOBUFS);
    check_int (sf_ring_room (&e.writer, 0), -ENOBUFS);
    get (&e, 10);
    check_int (sf_ring_room (&e.writer, 32), 0);
    check_int (sf_ring_room (&e.writer, 33), -ENOBUFS);
    for (uint32_t i = 1; i < n; i++)
      get (&e, 10);
    check_empty (&e);
  }
  free_ends (&e);
}

static void
test_too_large (void)
{
  struct ends e = new_ends (RING), big = new_ends (SF_ANNOUNCE_RING_SIZE);

  check_int (put (&e, RING / 2 - 31), -EMSGSIZE);
  check_int (sf_ring_room (&e.writer, UINT32_MAX), -EMSGSIZE);
  check_int (sf_ring_room (&big.writer, SF_MAX_PAYLOAD + 1), -EMSGSIZE);
  for (int i = 0; i < 10; i++) {
    check_int (put (&big, SF_MAX_PAYLOAD), 0);
    get (&big, SF_MAX_PAYLOAD);
  }
  free_ends (&e);
  free_ends (&big);
}

/* Not that anybody will write so many bytes. */
static void
test_positions_wrap (void)
{
  struct ends e = new_ends (RING);

  for (uint64_t before = 64; before <= RING; before += 64) {
    stand_at (&e, -before);
    for (int i = 0; i < 100; i++) {
      check_int (put (&e, (uint32_t) i * 5), 0);
      if (i & 1) {
        get (&e, (uint32_t) (i - 1) * 5);
        get (&e, (uint32_t) i * 5);
      }
    }
    check_empty (&e);
  }
  free_ends (&e);
}

static void
test_read_pos (void)
{
  static const int64_t lies[] = { -64, 1, 63, 65, 192, INT64_MAX, INT64_MIN };
  struct ends e = new_ends (RING);

  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    stand_at (&e, 1024);
    check_int (put (&e, 10), 0);
    check_int (put (&e, 10), 0);
    sf_publish_u64 (&e.page->read_pos, 1024 + (uint64_t) lies[i]);
    check_int (sf_ring_update_read_pos (&e.writer), -EPROTO);
    check_int (e.writer.read_pos, 1024);
    sf_publish_u64 (&e.page->read_pos, 1024 + 64);
    check_int (sf_ring_update_read_pos (&e.writer), 0);
    check_int (e.writer.read_pos, 1024 + 64);
  }
  free_ends (&e);
}

static void
check_refused (struct ends *e, struct sf_record_header record, uint64_t at,
    uint64_t head)
{
  struct sf_record_header out;

  stand_at (e, at);
  memcpy (e->writer.data + (at & (RING - 1)), &record, sizeof record);
  sf_publish_u64 (&e->writer.header->head, head);
  check_int (sf_ring_peek (&e->reader, &out, payload), -EPROTO);
  check_int (e->reader.pos, at);
}

static void
test_padding (void)
{
  struct sf_record_header pad = {.size = 64,.type = SF_RECORD_PAD };
  struct ends e = new_ends (RING);

  check_refused (&e, pad, 0, 64);
  check_refused (&e, pad, 64, 128);
  check_refused (&e, pad, RING - 128, RING);
  pad.size = RING;
  check_refused (&e, pad, 0, RING);
  check_refused (&e, pad, RING, 2 * RING);
  pad.size = 0;
  check_refused (&e, pad, RING - 64, RING);
  free_ends (&e);
}

static void *
read_all (void *user)
{
  struct ends *e = user;
  struct sf_record_header record;
  static uint8_t bytes[SF_MAX_PAYLOAD];

  for (uint64_t i = 0; i < 100000;) {
    int r = sf_ring_peek (&e->reader, &record, bytes);

    check_cmp (r, >=, 0);
    if (r == 0)
      continue;
    check_int (record.seq, i);
    for (uint32_t b = 0; b < record.payload_size; b++)
      check_int (bytes[b], (uint8_t) i);
    sf_ring_consume (&e->reader, &record);
    i++;
  }
  return NULL;
}

static void
test_two_threads (void)
{
  struct ends e = new_ends (RING);
  pthread_t thread;
  static uint8_t bytes[512];

  check_int (pthread_create (&thread, NULL, read_all, &e), 0);
  for (uint64_t i = 0; i < 100000;) {
    struct sf_record_header record = {.type = SF_RECORD_EVENT,.seq = i };
    uint32_t size = (uint32_t) (i * 37 % sizeof bytes);
    int r;

    memset (bytes, (int) i, size);
    r = sf_ring_write (&e.writer, &record, bytes, size);
    check (r == 0 || r == -ENOBUFS);
    i += r == 0;
  }
  pthread_join (thread, NULL);
  check_empty (&e);
  free_ends (&e);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_wraps_everywhere), TEST (test_full), TEST (test_too_large),
    TEST (test_positions_wrap), TEST (test_read_pos), TEST (test_padding),
    TEST (test_two_threads),
  };

  return unit_main (tests);
}
