/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/protocol.h"

#include <errno.h>
#include <string.h>

#include "shared/layout.h"

#define FRAME_SIZE 8u           /* type, size */

_Static_assert (FRAME_SIZE + 4 + SF_UPSTREAM_MAX <= SF_MESSAGE_MAX, "fits");

/* Writes fields to bytes, or reads them from there, so that each message has
 * one list of fields. Remembers the first step out of bounds and does nothing
 * from then on: a list needs one check at its end. */
struct cursor
{
  uint8_t *at;
  size_t left;
  bool reads;
  bool failed;
};

static void
code_bytes (struct cursor *c, void *bytes, size_t len)
{
  if (c->failed || len > c->left) {
    c->failed = true;
    return;
  }
  if (c->reads)
    memcpy (bytes, c->at, len);
  else
    memcpy (c->at, bytes, len);
  c->at += len;
  c->left -= len;
}

static void
code_u32 (struct cursor *c, uint32_t *v)
{
  uint8_t b[4] = { *v, *v >> 8, *v >> 16, *v >> 24 };

  code_bytes (c, b, sizeof b);
  *v = b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16
      | (uint32_t) b[3] << 24;
}

static void
code_u64 (struct cursor *c, uint64_t *v)
{
  uint32_t low = (uint32_t) *v, high = (uint32_t) (*v >> 32);

  code_u32 (c, &low);
  code_u32 (c, &high);
  *v = low | (uint64_t) high << 32;
}

/* A string has one encoding: zeros from its NUL on. What is behind the NUL in
 * the sender's array is not sent. */
static void
code_string (struct cursor *c, char *text, size_t capacity)
{
  size_t len = strnlen (text, capacity);

  if (!c->reads)
    memset (text + len, 0, capacity - len);
  code_bytes (c, text, capacity);
  len = strnlen (text, capacity);
  c->failed = c->failed || len == capacity;
  for (size_t i = len; i < capacity; i++)
    c->failed = c->failed || text[i] != 0;
}

/* The start of HELLO and OBSERVE in every version. False: we cannot know what
 * follows; the sender gets a REJECT, not an error. */
static bool
code_versions (struct cursor *c, uint32_t *magic, uint32_t *min, uint32_t *max)
{
  code_u32 (c, magic);
  code_u32 (c, min);
  code_u32 (c, max);
  c->failed = c->failed || *magic != SF_PROTOCOL_MAGIC || *min > *max;
  if (sf_protocol_is_common (*min, *max))
    return true;
  c->left = 0;
  return false;
}

static bool
max_held_is_valid (uint32_t max_held)
{
  return max_held >= 1 && max_held <= SF_MAX_LEASES;
}

/* From here on each function codes the fields of a message, and tells whether
 * their values are in range. */
static bool
code_hello (struct cursor *c, struct sf_hello *hello)
{
  if (!code_versions (c, &hello->magic, &hello->version_min,
          &hello->version_max))
    return true;
  code_u32 (c, &hello->delivery);
  code_u32 (c, &hello->max_held);
  code_u64 (c, &hello->max_lag);
  code_string (c, hello->name, sizeof hello->name);
  return hello->delivery <= SF_DELIVERY_LOSSLESS
      && max_held_is_valid (hello->max_held) && hello->max_lag <= INT64_MAX;
}

static bool
code_welcome (struct cursor *c, struct sf_welcome *welcome)
{
  code_u32 (c, &welcome->version);
  code_u32 (c, &welcome->n_leases);
  code_u64 (c, &welcome->producer_id);
  code_u64 (c, &welcome->announce_size);
  code_u64 (c, &welcome->returns_size);
  code_u32 (c, &welcome->max_held);
  code_u64 (c, &welcome->clock);
  return welcome->version == SF_PROTOCOL_VERSION
      && welcome->n_leases == SF_MAX_LEASES
      && welcome->announce_size > SF_ANNOUNCE_DATA_OFFSET
      && welcome->returns_size == sizeof (struct sf_returns_page)
      && max_held_is_valid (welcome->max_held) && welcome->clock <= INT64_MAX;
}

static bool
code_reject (struct cursor *c, struct sf_reject *reject)
{
  code_u32 (c, &reject->reason);
  code_u64 (c, &reject->needed);
  code_u64 (c, &reject->limit);
  code_string (c, reject->text, sizeof reject->text);
  return reject->reason <= SF_REASON_LAST;
}

/* Checks ranges only: sf_segment_open() checks how the fields go together. */
static bool
code_segment (struct cursor *c, struct sf_segment_info *segment)
{
  code_u32 (c, &segment->id);
  code_u32 (c, &segment->n_slots);
  code_u64 (c, &segment->pitch);
  code_u64 (c, &segment->data_offset);
  code_u64 (c, &segment->size);
  return segment->n_slots >= 1 && segment->n_slots <= SF_MAX_SLOTS
      && segment->pitch >= 1 && segment->pitch <= SF_MAX_SLOT_SIZE
      && segment->data_offset >= sizeof (struct sf_segment_header)
      && segment->size > segment->data_offset;
}

static bool
code_latency (struct cursor *c, struct sf_latency *latency)
{
  code_u32 (c, &latency->live);
  code_u32 (c, &latency->lossless);
  code_u64 (c, &latency->min);
  code_u64 (c, &latency->max);
  return latency->live <= 1 && latency->lossless <= 1
      && latency->min <= latency->max;
}

static bool
code_upstream (struct cursor *c, struct sf_upstream *upstream)
{
  code_u32 (c, &upstream->size);
  if (upstream->size > sizeof upstream->data)
    return false;
  code_bytes (c, upstream->data, upstream->size);
  return true;
}

static bool
code_observe (struct cursor *c, struct sf_observe *observe)
{
  if (code_versions (c, &observe->magic, &observe->version_min,
          &observe->version_max))
    code_u64 (c, &observe->before);
  return true;
}

static void
code_drops (struct cursor *c, uint64_t dropped[SF_N_DROPS])
{
  for (unsigned i = 0; i < SF_N_DROPS; i++)
    code_u64 (c, &dropped[i]);
}

static bool
code_client (struct cursor *c, struct sf_client_stats *client)
{
  code_u64 (c, &client->id);
  code_u32 (c, &client->pid);
  code_u32 (c, &client->uid);
  code_string (c, client->name, sizeof client->name);
  code_u32 (c, &client->flags);
  code_u32 (c, &client->held);
  code_u32 (c, &client->queued);
  code_u32 (c, &client->max_held);
  code_u64 (c, &client->lag);
  code_u64 (c, &client->frames);
  code_drops (c, client->dropped);
  code_u32 (c, &client->handover_p50);
  code_u32 (c, &client->handover_p99);
  return client->flags <= SF_STATS_ALL_FLAGS
      && client->handover_p50 <= client->handover_p99;
}

static bool
code_stats (struct cursor *c, struct sf_stats *stats)
{
  bool valid;

  code_u32 (c, &stats->version);
  code_u32 (c, &stats->delivery);
  code_u64 (c, &stats->producer_id);
  code_u64 (c, &stats->clock);
  code_u64 (c, &stats->frames);
  code_u64 (c, &stats->bytes);
  code_u64 (c, &stats->copied);
  code_u64 (c, &stats->no_slot);
  code_drops (c, stats->dropped);
  code_u64 (c, &stats->metas_dropped);
  code_u64 (c, &stats->upstream_dropped);
  code_u64 (c, &stats->clients_seen);
  code_u64 (c, &stats->clients_evicted);
  code_u64 (c, &stats->clients_refused);
  code_u32 (c, &stats->n_clients);
  code_u32 (c, &stats->n_lingering);
  code_u32 (c, &stats->max_clients);
  code_u32 (c, &stats->n_observers);
  code_u32 (c, &stats->n_slots);
  code_u32 (c, &stats->n_free);
  code_u32 (c, &stats->n_segments);
  code_u64 (c, &stats->slot_size);
  code_u64 (c, &stats->segment_bytes);
  code_u64 (c, &stats->huge_page_bytes);
  code_u64 (c, &stats->max_memory);
  code_u64 (c, &stats->growths);
  code_string (c, stats->name, sizeof stats->name);
  code_string (c, stats->caps, sizeof stats->caps);
  code_u32 (c, &stats->n_listed);
  valid = stats->version == SF_PROTOCOL_VERSION
      && stats->delivery <= SF_DELIVERY_LOSSLESS && stats->clock <= INT64_MAX
      && stats->n_free <= stats->n_slots && stats->n_listed <= SF_STATS_CLIENTS;
  for (uint32_t i = 0; valid && i < stats->n_listed; i++)
    valid = code_client (c, &stats->clients[i])
        && (i == 0 || stats->clients[i].id < stats->clients[i - 1].id);
  return valid;
}

static bool
code_message (struct cursor *c, struct sf_message *msg)
{
  switch (msg->type) {
    case SF_MESSAGE_HELLO:
      return code_hello (c, &msg->hello);
    case SF_MESSAGE_WELCOME:
      return code_welcome (c, &msg->welcome);
    case SF_MESSAGE_REJECT:
    case SF_MESSAGE_BYE:
      return code_reject (c, &msg->reject);
    case SF_MESSAGE_SEGMENT:
      return code_segment (c, &msg->segment);
    case SF_MESSAGE_SEGMENT_GONE:
    case SF_MESSAGE_SEGMENT_GROWN:
      code_u32 (c, &msg->segment_id);
      return true;
    case SF_MESSAGE_KICK:
    case SF_MESSAGE_PING:
    case SF_MESSAGE_FLUSH:
      return true;
    case SF_MESSAGE_PONG:
      code_u32 (c, &msg->paused);
      return msg->paused <= 1;
    case SF_MESSAGE_WANT:
    case SF_MESSAGE_GRANT:
      code_u32 (c, &msg->max_held);
      return max_held_is_valid (msg->max_held);
    case SF_MESSAGE_LATENCY:
      return code_latency (c, &msg->latency);
    case SF_MESSAGE_UPSTREAM:
      return code_upstream (c, &msg->upstream);
    case SF_MESSAGE_OBSERVE:
      return code_observe (c, &msg->observe);
    case SF_MESSAGE_STATS:
      return code_stats (c, &msg->stats);
    default:
      return false;
  }
}

int
sf_message_encode (const struct sf_message *msg, uint8_t *buf, size_t len)
{
  uint8_t bytes[SF_MESSAGE_MAX];
  struct cursor head = { .at = bytes, .left = FRAME_SIZE };
  struct cursor body = {
    .at = bytes + FRAME_SIZE,
    .left = sizeof bytes - FRAME_SIZE,
  };
  struct sf_message copy = *msg;
  uint32_t size;

  if (!code_message (&body, &copy) || body.failed)
    return -EINVAL;
  size = (uint32_t) (body.at - bytes);
  if (size > len)
    return -EMSGSIZE;
  code_u32 (&head, &copy.type);
  code_u32 (&head, &size);
  memcpy (buf, bytes, size);
  return (int) size;
}

int
sf_message_decode (struct sf_message *msg, const uint8_t *buf, size_t len,
    unsigned n_fds)
{
  struct cursor c = { .at = (uint8_t *) buf, .left = len, .reads = true };
  /* Cleared, so that no byte depends on the stack. */
  struct sf_message decoded;
  uint32_t size = 0;

  memset (&decoded, 0, sizeof decoded);
  code_u32 (&c, &decoded.type);
  code_u32 (&c, &size);
  if (len > SF_MESSAGE_MAX || size != len || !code_message (&c, &decoded)
      || c.failed || c.left != 0 || !sf_message_takes_fds (decoded.type, n_fds))
    return -EPROTO;
  *msg = decoded;
  return 0;
}

bool
sf_message_takes_fds (uint32_t type, unsigned n_fds)
{
  switch (type) {
    case SF_MESSAGE_WELCOME:
      return n_fds == 3;
    case SF_MESSAGE_SEGMENT:
      return n_fds >= 1 && n_fds <= SF_MESSAGE_MAX_FDS;
    default:
      return n_fds == 0;
  }
}

const char *
sf_reason_name (uint32_t reason)
{
  static const char *const names[SF_REASON_LAST + 1] = {
    [SF_REASON_NONE] = "none",
    [SF_REASON_STOPPED] = "stopped",
    [SF_REASON_VERSION] = "version",
    [SF_REASON_FULL] = "full",
    [SF_REASON_MEMORY] = "memory",
    [SF_REASON_DELIVERY] = "delivery",
    [SF_REASON_SLOW] = "slow",
    [SF_REASON_VIOLATION] = "violation",
    [SF_REASON_HANGUP] = "hangup",
    [SF_REASON_RESOURCES] = "resources",
    [SF_REASON_NOT_ALLOWED] = "not-allowed",
  };

  return reason <= SF_REASON_LAST ? names[reason] : "unknown";
}

const char *
sf_drop_name (uint32_t drop)
{
  static const char *const names[SF_N_DROPS] = {
    [SF_DROP_LAG] = "lag",
    [SF_DROP_SLOT] = "slot",
    [SF_DROP_QUEUE] = "queue",
    [SF_DROP_LEFT] = "left",
  };

  return drop < SF_N_DROPS ? names[drop] : "unknown";
}
