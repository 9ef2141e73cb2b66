/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "shared/layout.h"

#define FRAME_SIZE 8u           /* type, size */
#define HELLO_START_SIZE (FRAME_SIZE + 12u)     /* magic, version range */

_Static_assert (FRAME_SIZE + 4 + SF_UPSTREAM_MAX <= SF_MESSAGE_MAX, "fits");

/* Both cursors remember the first step out of bounds and do nothing from then
 * on, so that a list of fields needs one check at its end. */
struct writer
{
  uint8_t *at;
  size_t left;
  bool failed;
};

struct reader
{
  const uint8_t *at;
  size_t left;
  bool failed;
};

static void
put_bytes (struct writer *w, const void *bytes, size_t len)
{
  if (w->failed || len > w->left) {
    w->failed = true;
    return;
  }
  memcpy (w->at, bytes, len);
  w->at += len;
  w->left -= len;
}

static void
put_u32 (struct writer *w, uint32_t v)
{
  const uint8_t b[4] = { v, v >> 8, v >> 16, v >> 24 };

  put_bytes (w, b, sizeof b);
}

static void
put_u64 (struct writer *w, uint64_t v)
{
  put_u32 (w, (uint32_t) v);
  put_u32 (w, (uint32_t) (v >> 32));
}

/* What stands behind the NUL in the caller's array stays at home. */
static void
put_string (struct writer *w, const char *text, size_t capacity)
{
  static const char zeros[SF_TEXT_MAX];
  size_t len = strnlen (text, capacity);

  put_bytes (w, text, len);
  put_bytes (w, zeros, capacity - len);
}

static void
get_bytes (struct reader *r, void *bytes, size_t len)
{
  if (r->failed || len > r->left) {
    r->failed = true;
    return;
  }
  memcpy (bytes, r->at, len);
  r->at += len;
  r->left -= len;
}

static uint32_t
get_u32 (struct reader *r)
{
  uint8_t b[4] = { 0 };

  get_bytes (r, b, sizeof b);
  return b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16
      | (uint32_t) b[3] << 24;
}

static uint64_t
get_u64 (struct reader *r)
{
  uint64_t low = get_u32 (r);

  return low | (uint64_t) get_u32 (r) << 32;
}

/* One string has one encoding: zeros from its NUL on. That there is a NUL is
 * message_is_valid()'s to check. */
static void
get_string (struct reader *r, char *text, size_t capacity)
{
  size_t len;

  get_bytes (r, text, capacity);
  if (r->failed)
    return;
  len = strnlen (text, capacity);
  for (size_t i = len; i < capacity; i++)
    if (text[i] != 0)
      r->failed = true;
}

static bool
speaks_our_version (const struct sf_hello *hello)
{
  return hello->version_min <= SF_PROTOCOL_VERSION
      && SF_PROTOCOL_VERSION <= hello->version_max;
}

static void
put_hello (struct writer *w, const struct sf_hello *hello)
{
  put_u32 (w, hello->magic);
  put_u32 (w, hello->version_min);
  put_u32 (w, hello->version_max);
  if (!speaks_our_version (hello))
    return;
  put_u32 (w, hello->delivery);
  put_u32 (w, hello->max_held);
  put_u64 (w, hello->max_lag);
  put_string (w, hello->name, sizeof hello->name);
}

static void
get_hello (struct reader *r, struct sf_hello *hello)
{
  hello->magic = get_u32 (r);
  hello->version_min = get_u32 (r);
  hello->version_max = get_u32 (r);
  if (!speaks_our_version (hello)) {
    /* Fields we cannot know: its sender gets a REJECT, not an error. */
    r->left = 0;
    return;
  }
  hello->delivery = get_u32 (r);
  hello->max_held = get_u32 (r);
  hello->max_lag = get_u64 (r);
  get_string (r, hello->name, sizeof hello->name);
}

static void
put_welcome (struct writer *w, const struct sf_welcome *welcome)
{
  put_u32 (w, welcome->version);
  put_u32 (w, welcome->n_leases);
  put_u64 (w, welcome->producer_id);
  put_u64 (w, welcome->announce_size);
  put_u64 (w, welcome->returns_size);
  put_u32 (w, welcome->max_held);
  put_u64 (w, welcome->clock);
}

static void
get_welcome (struct reader *r, struct sf_welcome *welcome)
{
  welcome->version = get_u32 (r);
  welcome->n_leases = get_u32 (r);
  welcome->producer_id = get_u64 (r);
  welcome->announce_size = get_u64 (r);
  welcome->returns_size = get_u64 (r);
  welcome->max_held = get_u32 (r);
  welcome->clock = get_u64 (r);
}

static void
put_reject (struct writer *w, const struct sf_reject *reject)
{
  put_u32 (w, reject->reason);
  put_u64 (w, reject->needed);
  put_u64 (w, reject->limit);
  put_string (w, reject->text, sizeof reject->text);
}

static void
get_reject (struct reader *r, struct sf_reject *reject)
{
  reject->reason = get_u32 (r);
  reject->needed = get_u64 (r);
  reject->limit = get_u64 (r);
  get_string (r, reject->text, sizeof reject->text);
}

static void
put_segment (struct writer *w, const struct sf_segment_info *segment)
{
  put_u32 (w, segment->id);
  put_u32 (w, segment->n_slots);
  put_u64 (w, segment->pitch);
  put_u64 (w, segment->data_offset);
  put_u64 (w, segment->size);
}

static void
get_segment (struct reader *r, struct sf_segment_info *segment)
{
  segment->id = get_u32 (r);
  segment->n_slots = get_u32 (r);
  segment->pitch = get_u64 (r);
  segment->data_offset = get_u64 (r);
  segment->size = get_u64 (r);
}

static void
put_latency (struct writer *w, const struct sf_latency *latency)
{
  put_u32 (w, latency->live);
  put_u32 (w, latency->lossless);
  put_u64 (w, latency->min);
  put_u64 (w, latency->max);
}

static void
get_latency (struct reader *r, struct sf_latency *latency)
{
  latency->live = get_u32 (r);
  latency->lossless = get_u32 (r);
  latency->min = get_u64 (r);
  latency->max = get_u64 (r);
}

static void
put_upstream (struct writer *w, const struct sf_upstream *upstream)
{
  put_u32 (w, upstream->size);
  put_bytes (w, upstream->data, upstream->size);
}

static void
get_upstream (struct reader *r, struct sf_upstream *upstream)
{
  upstream->size = get_u32 (r);
  if (upstream->size > sizeof upstream->data)
    r->failed = true;
  else
    get_bytes (r, upstream->data, upstream->size);
}

static void
put_message (struct writer *w, const struct sf_message *msg)
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
      put_u32 (w, msg->segment_gone);
      break;
    case SF_MESSAGE_WANT:
    case SF_MESSAGE_GRANT:
      put_u32 (w, msg->max_held);
      break;
    case SF_MESSAGE_PONG:
      put_u32 (w, msg->paused);
      break;
    case SF_MESSAGE_LATENCY:
      put_latency (w, &msg->latency);
      break;
    case SF_MESSAGE_UPSTREAM:
      put_upstream (w, &msg->upstream);
      break;
  }
}

static void
get_message (struct reader *r, struct sf_message *msg)
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
      msg->segment_gone = get_u32 (r);
      break;
    case SF_MESSAGE_WANT:
    case SF_MESSAGE_GRANT:
      msg->max_held = get_u32 (r);
      break;
    case SF_MESSAGE_PONG:
      msg->paused = get_u32 (r);
      break;
    case SF_MESSAGE_LATENCY:
      get_latency (r, &msg->latency);
      break;
    case SF_MESSAGE_UPSTREAM:
      get_upstream (r, &msg->upstream);
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

/* Ranges only: sf_segment_open() checks how the fields go together. */
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

/* What encoding refuses and decoding refuses is one thing, said once. */
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
    default:
      return false;
  }
}

int
sf_message_encode (const struct sf_message *msg, uint8_t * buf, size_t len)
{
  uint8_t bytes[SF_MESSAGE_MAX];
  struct writer head = { bytes, FRAME_SIZE, false };
  struct writer body = { bytes + FRAME_SIZE, sizeof bytes - FRAME_SIZE, false };
  size_t size;

  if (!message_is_valid (msg))
    return -EINVAL;
  put_message (&body, msg);
  size = (size_t) (body.at - bytes);
  if (body.failed || size > len)
    return -EMSGSIZE;
  put_u32 (&head, msg->type);
  put_u32 (&head, (uint32_t) size);
  memcpy (buf, bytes, size);
  return (int) size;
}

int
sf_message_decode (struct sf_message *msg, const uint8_t * buf, size_t len,
    unsigned n_fds)
{
  struct reader r = { buf, len, false };
  /* All of it, so that bytes no field covers do not depend on the stack. */
  struct sf_message decoded;

  if (len > SF_MESSAGE_MAX)
    return -EPROTO;
  memset (&decoded, 0, sizeof decoded);
  decoded.type = get_u32 (&r);
  if (get_u32 (&r) != len)
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
