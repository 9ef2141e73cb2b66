/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One good message of each type, no field of it zero where it can be helped. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include <string.h>

#include "shared/layout.h"
#include "shared/protocol.h"

#define FIRST_TYPE SF_MESSAGE_HELLO
#define LAST_TYPE SF_MESSAGE_SEGMENT_GROWN

/* The fewest fds that go with a message of this type. */
static inline unsigned
fds_of (uint32_t type)
{
  return type == SF_MESSAGE_WELCOME ? 3 : type == SF_MESSAGE_SEGMENT;
}

static inline void
fill_reject (struct sf_reject *reject)
{
  reject->reason = SF_REASON_MEMORY;
  reject->needed = UINT64_C (0x1122334455667788);
  reject->limit = UINT64_C (0x99aabbccddeeff00);
  strcpy (reject->text, "Raise max-memory.");
}

static inline void
fill_hello (struct sf_hello *hello)
{
  hello->magic = SF_PROTOCOL_MAGIC;
  hello->version_min = hello->version_max = SF_PROTOCOL_VERSION;
  hello->delivery = SF_DELIVERY_LOSSLESS;
  hello->max_held = 27;
  hello->max_lag = UINT64_C (500000000);
  strcpy (hello->name, "shmframesrc0");
}

static inline void
fill_welcome (struct sf_welcome *welcome)
{
  welcome->version = SF_PROTOCOL_VERSION;
  welcome->n_leases = SF_MAX_LEASES;
  welcome->producer_id = UINT64_C (0x0123456789abcdef);
  welcome->announce_size = SF_ANNOUNCE_DATA_OFFSET + SF_ANNOUNCE_RING_SIZE;
  welcome->returns_size = sizeof (struct sf_returns_page);
  welcome->max_held = SF_MAX_LEASES;
  welcome->clock = UINT64_C (0x0011223344556677);
}

static inline void
fill_segment (struct sf_segment_info *segment)
{
  segment->id = 0x80000001u;
  segment->n_slots = 16;
  segment->pitch = 3112960;
  segment->data_offset = 4096;
  segment->size = 4096 + UINT64_C (16) * 3112960;
}

static inline void
fill_client_stats (struct sf_client_stats *client, uint64_t id)
{
  client->id = id;
  client->pid = 4711;
  client->uid = 1000;
  strcpy (client->name, "shmframesrc0");
  client->flags = SF_STATS_ALL_FLAGS;
  client->held = 2;
  client->queued = 3;
  client->max_held = 4;
  client->lag = UINT64_C (0x1122334455667788);
  client->frames = UINT64_C (0x8877665544332211);
  for (unsigned i = 0; i < SF_N_DROPS; i++)
    client->dropped[i] = i + 1;
  client->handover_p50 = 60000;
  client->handover_p99 = UINT32_MAX;
}

static inline void
fill_stats (struct sf_stats *stats)
{
  stats->version = SF_PROTOCOL_VERSION;
  stats->delivery = SF_DELIVERY_LOSSLESS;
  stats->producer_id = UINT64_C (0x0123456789abcdef);
  stats->clock = UINT64_C (0x0011223344556677);
  stats->frames = stats->bytes = stats->copied = stats->no_slot = UINT64_MAX;
  for (unsigned i = 0; i < SF_N_DROPS; i++)
    stats->dropped[i] = i + 5;
  stats->metas_dropped = stats->upstream_dropped = 1;
  stats->clients_seen = stats->clients_evicted = stats->clients_refused = 2;
  stats->n_clients = stats->n_lingering = 3;
  stats->max_clients = 64;
  stats->n_observers = 4;
  stats->n_slots = stats->n_free = 16;
  stats->n_segments = 1;
  stats->slot_size = 3112960;
  stats->segment_bytes = stats->huge_page_bytes = UINT64_C (16) * 3112960;
  stats->max_memory = UINT64_C (1) << 30;
  stats->growths = 2;
  strcpy (stats->name, "shmframesink0");
  strcpy (stats->caps, "video/x-raw, format=(string)I420");
  stats->n_listed = 2;
  fill_client_stats (&stats->clients[0], 9);
  fill_client_stats (&stats->clients[1], 7);
}

static inline struct sf_message
message_of (uint32_t type)
{
  struct sf_message m;

  memset (&m, 0, sizeof m);
  m.type = type;
  switch (type) {
    case SF_MESSAGE_HELLO:
      fill_hello (&m.hello);
      break;
    case SF_MESSAGE_WELCOME:
      fill_welcome (&m.welcome);
      break;
    case SF_MESSAGE_REJECT:
    case SF_MESSAGE_BYE:
      fill_reject (&m.reject);
      break;
    case SF_MESSAGE_SEGMENT:
      fill_segment (&m.segment);
      break;
    case SF_MESSAGE_SEGMENT_GONE:
      m.segment_id = 0x80000001u;
      break;
    case SF_MESSAGE_SEGMENT_GROWN:
      m.segment_id = 0x80000002u;
      break;
    case SF_MESSAGE_WANT:
    case SF_MESSAGE_GRANT:
      m.max_held = 52;
      break;
    case SF_MESSAGE_PONG:
      m.paused = 1;
      break;
    case SF_MESSAGE_LATENCY:
      m.latency = (struct sf_latency) { 1, 1, 40000000, UINT64_MAX };
      break;
    case SF_MESSAGE_UPSTREAM:
      m.upstream.size = 5;
      memcpy (m.upstream.data, "event", 5);
      break;
    case SF_MESSAGE_OBSERVE:
      m.observe = (struct sf_observe) { SF_PROTOCOL_MAGIC, SF_PROTOCOL_VERSION,
        SF_PROTOCOL_VERSION, UINT64_MAX
      };
      break;
    case SF_MESSAGE_STATS:
      fill_stats (&m.stats);
      break;
  }
  return m;
}

#endif
