/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/ring.h"

#include <errno.h>
#include <string.h>

#include "shared/test-hooks.h"
#include "shared/compiler.h"

#define ALIGN_UP(n) (((n) + 63u) & ~UINT64_C (63))

void
sf_ring_format (void *announce, struct sf_returns_page *page,
    uint64_t ring_size)
{
  struct sf_announce_header *header = announce;

  header->magic = SF_ANNOUNCE_MAGIC;
  header->version = SF_LAYOUT_VERSION;
  header->n_leases = SF_MAX_LEASES;
  header->ring_size = ring_size;
  page->magic = SF_RETURNS_MAGIC;
  page->version = SF_LAYOUT_VERSION;
}

void
sf_ring_writer_init (struct sf_ring_writer *writer, void *announce,
    struct sf_returns_page *page, uint64_t ring_size)
{
  writer->header = announce;
  writer->page = page;
  writer->data = (uint8_t *) announce + SF_ANNOUNCE_DATA_OFFSET;
  writer->size = ring_size;
  writer->head = 0;
  writer->read_pos = 0;
}

int
sf_ring_update_read_pos (struct sf_ring_writer *writer)
{
  /* Acquire: the client has read the bytes before it frees them. */
  uint64_t pos = sf_observe_u64 (&writer->page->read_pos);

  /* Compare distances, since the counters may wrap. */
  if (pos - writer->read_pos > writer->head - writer->read_pos
      || (pos & 63u) != 0)
    return -EPROTO;
  writer->read_pos = pos;
  return 0;
}

/* Returns the bytes that a record of `size` takes at the head, with the padding
 * before it. */
SF_HOT static uint64_t
space_needed (const struct sf_ring_writer *writer, uint64_t size)
{
  uint64_t to_end = writer->size - (writer->head & (writer->size - 1));

  return size <= to_end ? size : to_end + size;
}

SF_HOT int
sf_ring_room (struct sf_ring_writer *writer, uint32_t payload_size)
{
  uint64_t size = ALIGN_UP (sizeof (struct sf_record_header)
      + (uint64_t) payload_size);
  uint64_t need;
  int r;

  if (payload_size > SF_MAX_PAYLOAD || size > writer->size / 2)
    return -EMSGSIZE;
  need = space_needed (writer, size);
  /* Our copy of the position only lags: look again only if it matters. */
  if (writer->head + need - writer->read_pos <= writer->size)
    return 0;
  r = sf_ring_update_read_pos (writer);
  if (r < 0)
    return r;
  return writer->head + need - writer->read_pos <= writer->size ? 0 : -ENOBUFS;
}

SF_HOT int
sf_ring_write (struct sf_ring_writer *writer, struct sf_record_header *record,
    const void *payload, uint32_t payload_size)
{
  uint64_t at = writer->head & (writer->size - 1);
  uint64_t size = ALIGN_UP (sizeof (*record) + (uint64_t) payload_size);
  int r = sf_ring_room (writer, payload_size);

  if (r < 0)
    return r;
  if (size > writer->size - at) {
    struct sf_record_header pad = {
      .size = (uint32_t) (writer->size - at),
      .type = SF_RECORD_PAD,
    };

    memcpy (writer->data + at, &pad, sizeof (pad));
    writer->head += pad.size;
    at = 0;
  }
  record->size = (uint32_t) size;
  record->payload_size = payload_size;
  memcpy (writer->data + at, record, sizeof (*record));
  if (payload_size > 0)
    memcpy (writer->data + at + sizeof (*record), payload, payload_size);
  writer->head += size;
  SF_HOOK ("written");
  sf_publish_u64 (&writer->header->head, writer->head);
  return 0;
}

int
sf_ring_reader_init (struct sf_ring_reader *reader, const void *announce,
    uint64_t announce_size, struct sf_returns_page *page)
{
  struct sf_announce_header h;

  /* The producer may change this memory: check a copy. */
  sf_copy_shared (&h, announce, offsetof (struct sf_announce_header, head));
  if (h.magic != SF_ANNOUNCE_MAGIC || h.version != SF_LAYOUT_VERSION
      || h.n_leases != SF_MAX_LEASES || page->magic != SF_RETURNS_MAGIC
      || page->version != SF_LAYOUT_VERSION || h.ring_size < 4096
      || (h.ring_size & (h.ring_size - 1)) != 0
      || h.ring_size != announce_size - SF_ANNOUNCE_DATA_OFFSET)
    return -EPROTO;
  reader->header = announce;
  reader->page = page;
  reader->data = (const uint8_t *) announce + SF_ANNOUNCE_DATA_OFFSET;
  reader->size = h.ring_size;
  reader->pos = 0;
  return 0;
}

SF_HOT int
sf_ring_peek (struct sf_ring_reader *reader, struct sf_record_header *record,
    void *payload)
{
  for (;;) {
    uint64_t head = sf_observe_u64 (&reader->header->head);
    uint64_t at = reader->pos & (reader->size - 1);
    uint64_t ready = head - reader->pos;

    if (ready == 0)
      return 0;
    if (ready > reader->size || (ready & 63u) != 0)
      return -EPROTO;
    sf_copy_shared (record, reader->data + at, sizeof (*record));
    if (record->size < sizeof (*record) || (record->size & 63u) != 0
        || record->size > ready || record->size > reader->size - at
        || record->payload_size > record->size - sizeof (*record)
        || record->payload_size > SF_MAX_PAYLOAD)
      return -EPROTO;
    if (record->type == SF_RECORD_PAD) {
      /* Padding ends at the end and does not begin at the start, or there could
       * be padding for ever. */
      if (at == 0 || record->size != reader->size - at)
        return -EPROTO;
      sf_ring_consume (reader, record);
      continue;
    }
    sf_copy_shared (payload, reader->data + at + sizeof (*record),
        record->payload_size);
    return 1;
  }
}

SF_HOT void
sf_ring_consume (struct sf_ring_reader *reader,
    const struct sf_record_header *record)
{
  reader->pos += record->size;
  sf_publish_u64 (&reader->page->read_pos, reader->pos);
}
