/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The announce ring: one writer, one reader, records of any size in order.
 * Positions only: its users sleep and wake. */
#ifndef SF_RING_H
#define SF_RING_H

#include "shared/layout.h"

/* The producer's end. It trusts its own copy of the head. */
struct sf_ring_writer
{
  struct sf_announce_header *header;
  struct sf_returns_page *page;
  uint8_t *data;
  uint64_t size;
  uint64_t head;
  uint64_t read_pos;            /* the client's, as last checked */
};

/* Writes the headers into fresh memory: announce memory of
 * SF_ANNOUNCE_DATA_OFFSET + `ring_size` bytes, and the returns page.
 * `ring_size` is a power of two. */
void sf_ring_format (void *announce, struct sf_returns_page *page,
    uint64_t ring_size);

void sf_ring_writer_init (struct sf_ring_writer *writer, void *announce,
    struct sf_returns_page *page, uint64_t ring_size);

/* Reads the client's position. 0, or -EPROTO if it is beyond the head, or went
 * backwards. */
int sf_ring_update_read_pos (struct sf_ring_writer *writer);

/* Tells whether a record with this payload fits now. 0; -ENOBUFS: not now;
 * -EMSGSIZE: never; -EPROTO: as above. */
int sf_ring_room (struct sf_ring_writer *writer, uint32_t payload_size);

/* Writes and publishes one record, filling in `record->size` and
 * `payload_size`. Returns as sf_ring_room(). */
int sf_ring_write (struct sf_ring_writer *writer,
    struct sf_record_header *record, const void *payload,
    uint32_t payload_size);

/* The client's end. */
struct sf_ring_reader
{
  const struct sf_announce_header *header;
  struct sf_returns_page *page;
  const uint8_t *data;
  uint64_t size;
  uint64_t pos;
};

/* 0, or -EPROTO if the memory does not hold a ring of this version. */
int sf_ring_reader_init (struct sf_ring_reader *reader, const void *announce,
    uint64_t announce_size, struct sf_returns_page *page);

/* Copies the next record's header, and its payload to SF_MAX_PAYLOAD bytes at
 * `payload`, without consuming it. 1; 0: there is none; -EPROTO: it is none. */
int sf_ring_peek (struct sf_ring_reader *reader,
    struct sf_record_header *record, void *payload);

/* Tells whether there is a record. Cheaper than sf_ring_peek(). */
static inline bool
sf_ring_has_record (const struct sf_ring_reader *reader)
{
  return sf_observe_u64 (&reader->header->head) != reader->pos;
}

/* Consumes the record just peeked: its bytes may be overwritten. */
void sf_ring_consume (struct sf_ring_reader *reader,
    const struct sf_record_header *record);

#endif
