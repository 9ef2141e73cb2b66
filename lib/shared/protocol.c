/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "shared/cursor.h"
#include "shared/layout.h"
#include "shared/protocol-stats.h"

#define FRAME_SIZE 8u           /* type, size */

_Static_assert (FRAME_SIZE + 4 + SF_UPSTREAM_MAX <= SF_MESSAGE_MAX, "fits");

static bool
speaks_our_version (const struct sf_hello *hello)
{
  return hello->version_min <= SF_PROTOCOL_VERSION
      && SF_PROTOCOL_VERSION <= hello->version_max;
}

static void
put_hello (struct sf_writer *w, const struct sf_hello *hello)
{
  sf_put_u32 (w, hello->magic);
  sf_put_u32 (w, hello->version_min);
  sf_put_u32 (w, hello->version_max);
  if (!speaks_our_version (hello))
    return;
  sf_put_u32 (w, hello->delivery);
  sf_put_u32 (w, hello->max_held);
  sf_put_u64 (w, hello->max_lag);
  sf_put_string (w, hello->name, sizeof hello->name);
}

static void
get_hello (struct sf_reader *r, struct sf_hello *hello)
{
  hello->magic = sf_get_u32 (r);
  hello->version_min = sf_get_u32 (r);
  hello->version_max = sf_get_u32 (r);
  if (!speaks_our_version (hello)) {
    /* We cannot know these fields: the sender gets a REJECT, not an error. */
    r->left = 0;
    return;
  }
  hello->delivery = sf_get_u32 (r);
  hello->max_held = sf_get_u32 (r);
  hello->max_lag = sf_get_u64 (r);
  sf_get_string (r, hello->name, sizeof hello->name);
}

static void
put_welcome (struct sf_writer *w, const struct sf_welcome *welcome)
{
  sf_put_u32 (w, welcome->version);
  sf_put_u32 (w, welcome->n_leases);
  sf_put_u64 (w, welcome->producer_id);
  sf_put_u64 (w, welcome->announce_size);
  sf_put_u64 (w, welcome->returns_size);
  sf_put_u32 (w, welcome->max_held);
  sf_put_u64 (w, welcome->clock);
}

static void
get_welcome (struct sf_reader *r, struct sf_welcome *welcome)
{
  welcome->version = sf_get_u32 (r);
  welcome->n_leases = sf_get_u32 (r);
  welcome->producer_id = sf_get_u64 (r);
  welcome->announce_size = sf_get_u64 (r);
  welcome->returns_size = sf_get_u64 (r);
  welcome->max_held = sf_get_u32 (r);
  welcome->clock = sf_get_u64 (r);
}

static void
put_reject (struct sf_writer *w, const struct sf_reject *reject)
{
  sf_put_u32 (w, reject->reason);
  sf_put_u64 (w, reject->needed);
  sf_put_u64 (w, reject->limit);
  sf_put_string (w, reject->text, sizeof reject->text);
}

static void
get_reject (struct sf_reader *r, struct sf_reject *reject)
{
  reject->reason = sf_get_u32 (r);
  reject->needed = sf_get_u64 (r);
  reject->limit = sf_get_u64 (r);
  sf_get_string (r, reject->text, sizeof reject->text);
}

static void
put_segment (struct sf_writer *w, const struct sf_segment_info *segment)
{
  sf_put_u32 (w, segment->id);
  sf_put_u32 (w, segment->n_slots);
  sf_put_u64 (w, segment->pitch);
  sf_put_u64 (w, segment->data_offset);
  sf_put_u64 (w, segment->size);
}

static void
get_segment (struct sf_reader *r, struct sf_segment_info *segment)
{
  segment->id = sf_get_u32 (r);
  segment->n_slots = sf_get_u32 (r);
  segment->pitch = sf_get_u64 (r);
  segment->data_offset = sf_get_u64 (r);
  segment->size = sf_get_u64 (r);
}

static void
put_latency (struct sf_writer *w, const struct sf_latency *latency)
{
  sf_put_u32 (w, latency->live);
  sf_put_u32 (w, latency->lossless);
  sf_put_u64 (w, latency->min);
  sf_put_u64 (w, latency->max);
}

static void
get_latency (struct sf_reader *r, struct sf_latency *latency)
{
  latency->live = sf_get_u32 (r);
  latency->lossless = sf_get_u32 (r);
  latency->min = sf_get_u64 (r);
  latency->max = sf_get_u64 (r);
}

static void
put_upstream (struct sf_writer *w, const struct sf_upstream *upstream)
{
  sf_put_u32 (w, upstream->size);
  sf_put_bytes (w, upstream->data, upstream->size);
}

static void
get_upstream (struct sf_reader *r, struct sf_upstream *upstream)
{
  upstream->size = sf_get_u32 (r);
  if (upstream->size > sizeof upstream->data)
    r->failed = true;
  else
    sf_get_bytes (r, upstream->data, upstream->size);
}

static void
put_message (struct sf_writer *w, const struct sf_message *msg)
{
  switch (msg->type) {
    case SF_MESSAGE_HELLO:
      put_hello (w, &msg->hello);
      break;
    case SF_MESSAGE_WELCOME:
      put_welcome (w, &msg->welcome);
      break;
    case SF_MESSAGE_REJECT:
    case SF_MESSAGE_BYE:
      put_reject (w, &msg->reject);
      break;
    case SF_MESSAGE_SEGMENT:
      put_segment (w, &msg->segment);
      break;
    case SF_MESSAGE_SEGMENT_GONE:
      sf_put_u32 (w, msg->segment_gone);
      break;
    case SF_MESSAGE_SEGMENT_GROWN:
      sf_put_u32 (w, msg->segment_grown);
      break;
    case SF_MESSAGE_WANT:
    case SF_MESSAGE_GRANT:
      sf_put_u32 (w, msg->max_held);
      break;
    case SF_MESSAGE_PONG:
      sf_put_u32 (w, msg->paused);
      break;
    case SF_MESSAGE_LATENCY:
      put_latency (w, &msg->latency);
      break;
    case SF_MESSAGE_UPSTREAM:
      put_upstream (w, &msg->upstream);
      break;
    case SF_MESSAGE_OBSERVE:
      sf_put_observe (w, &msg->observe);
      break;
    case SF_MESSAGE_STATS:
      sf_put_stats (w, &msg->stats);
      break;
  }
}

static void
get_message (struct sf_reader *r, struct sf_message *msg)
{
  switch (msg->type) {
    case SF_MESSAGE_HELLO:
      get_hello (r, &msg->hello);
      break;
    case SF_MESSAGE_WELCOME:
      get_welcome (r, &msg->welcome);
      break;
    case SF_MESSAGE_REJECT:
    case SF_MESSAGE_BYE:
      get_reject (r, &msg->reject);
      break;
    case SF_MESSAGE_SEGMENT:
      get_segment (r, &msg->segment);
      break;
    case SF_MESSAGE_SEGMENT_GONE:
      msg->segment_gone = sf_get_u32 (r);
      break;
    case SF_MESSAGE_SEGMENT_GROWN:
      msg->segment_grown = sf_get_u32 (r);
      break;
    case SF_MESSAGE_WANT:
    case SF_MESSAGE_GRANT:
      msg->max_held = sf_get_u32 (r);
      break;
    case SF_MESSAGE_PONG:
      msg->paused = sf_get_u32 (r);
      break;
    case SF_MESSAGE_LATENCY:
      get_latency (r, &msg->latency);
      break;
    case SF_MESSAGE_UPSTREAM:
      get_upstream (r, &msg->upstream);
      break;
    case SF_MESSAGE_OBSERVE:
      sf_get_observe (r, &msg->observe);
      break;
    case SF_MESSAGE_STATS:
      sf_get_stats (r, &msg->stats);
      break;
  }
}

static bool
max_held_is_valid (uint32_t max_held)
{
  return max_held >= 1 && max_held <= SF_MAX_LEASES;
}

static bool
hello_is_valid (const struct sf_hello *hello)
{
  if (hello->magic != SF_PROTOCOL_MAGIC
      || hello->version_min > hello->version_max)
    return false;
  if (!speaks_our_version (hello))
    return true;
  return hello->delivery <= SF_DELIVERY_LOSSLESS
      && max_held_is_valid (hello->max_held) && hello->max_lag <= INT64_MAX
      && strnlen (hello->name, sizeof hello->name) < sizeof hello->name;
}

static bool
welcome_is_valid (const struct sf_welcome *welcome)
{
  return welcome->version == SF_PROTOCOL_VERSION
      && welcome->n_leases == SF_MAX_LEASES
      && welcome->announce_size > SF_ANNOUNCE_DATA_OFFSET
      && welcome->returns_size >= sizeof (struct sf_returns_page)
      && max_held_is_valid (welcome->max_held) && welcome->clock <= INT64_MAX;
}

static bool
reject_is_valid (const struct sf_reject *reject)
{
  return reject->reason <= SF_REASON_LAST
      && strnlen (reject->text, sizeof reject->text) < sizeof reject->text;
}

/* Checks ranges only: sf_segment_open() checks how the fields go together. */
static bool
segment_is_valid (const struct sf_segment_info *segment)
{
  return segment->n_slots >= 1 && segment->n_slots <= SF_MAX_SLOTS
      && segment->pitch >= 1 && segment->pitch <= SF_MAX_SLOT_SIZE
      && segment->data_offset >= sizeof (struct sf_segment_header)
      && segment->size > segment->data_offset;
}

static bool
latency_is_valid (const struct sf_latency *latency)
{
  return latency->live <= 1 && latency->lossless <= 1
      && latency->min <= latency->max;
}

/* Encoding and decoding refuse the same. */
static bool
message_is_valid (const struct sf_message *msg)
{
  switch (msg->type) {
    case SF_MESSAGE_HELLO:
      return hello_is_valid (&msg->hello);
    case SF_MESSAGE_WELCOME:
      return welcome_is_valid (&msg->welcome);
    case SF_MESSAGE_REJECT:
    case SF_MESSAGE_BYE:
      return reject_is_valid (&msg->reject);
    case SF_MESSAGE_SEGMENT:
      return segment_is_valid (&msg->segment);
    case SF_MESSAGE_SEGMENT_GONE:
    case SF_MESSAGE_SEGMENT_GROWN:
    case SF_MESSAGE_KICK:
    case SF_MESSAGE_PING:
    case SF_MESSAGE_FLUSH:
      return true;
    case SF_MESSAGE_PONG:
      return msg->paused <= 1;
    case SF_MESSAGE_WANT:
    case SF_MESSAGE_GRANT:
      return max_held_is_valid (msg->max_held);
    case SF_MESSAGE_LATENCY:
      return latency_is_valid (&msg->latency);
    case SF_MESSAGE_UPSTREAM:
      return msg->upstream.size <= sizeof msg->upstream.data;
    case SF_MESSAGE_OBSERVE:
      return sf_observe_is_valid (&msg->observe);
    case SF_MESSAGE_STATS:
      return sf_stats_are_valid (&msg->stats);
    default:
      return false;
  }
}

int
sf_message_encode (const struct sf_message *msg, uint8_t *buf, size_t len)
{
  uint8_t bytes[SF_MESSAGE_MAX];
  struct sf_writer head = { bytes, FRAME_SIZE, false };
  struct sf_writer body =
      { bytes + FRAME_SIZE, sizeof bytes - FRAME_SIZE, false };
  size_t size;

  if (!message_is_valid (msg))
    return -EINVAL;
  put_message (&body, msg);
  size = (size_t) (body.at - bytes);
  if (body.failed || size > len)
    return -EMSGSIZE;
  sf_put_u32 (&head, msg->type);
  sf_put_u32 (&head, (uint32_t) size);
  memcpy (buf, bytes, size);
  return (int) size;
}

int
sf_message_decode (struct sf_message *msg, const uint8_t *buf, size_t len,
    unsigned n_fds)
{
  struct sf_reader r = { buf, len, false };
  /* Cleared, so that no byte depends on the stack. */
  struct sf_message decoded;

  if (len > SF_MESSAGE_MAX)
    return -EPROTO;
  memset (&decoded, 0, sizeof decoded);
  decoded.type = sf_get_u32 (&r);
  if (sf_get_u32 (&r) != len)
    return -EPROTO;
  get_message (&r, &decoded);
  if (r.failed || r.left != 0 || !message_is_valid (&decoded)
      || !sf_message_takes_fds (decoded.type, n_fds))
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
