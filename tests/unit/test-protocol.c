/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "messages.h"
#include "unit.h"

struct wire
{
  uint8_t bytes[SF_MESSAGE_MAX + 1];
  size_t len;
};

static struct wire
wire_of (uint32_t type)
{
  struct sf_message m = message_of (type);
  struct wire w;
  int n = sf_message_encode (&m, w.bytes, SF_MESSAGE_MAX);

  check_cmp (n, >, 0);
  w.len = (size_t) n;
  return w;
}

static void
put (struct wire *w, size_t at, unsigned size, uint64_t v)
{
  check_cmp (at + size, <=, w->len);
  for (unsigned i = 0; i < size; i++)
    w->bytes[at + i] = (uint8_t) (v >> 8 * i);
}

static void
set_len (struct wire *w, size_t len)
{
  w->len = len;
  for (unsigned i = 0; i < 4; i++)
    w->bytes[4 + i] = (uint8_t) (len >> 8 * i);
}

/* -EPROTO, and nothing written. */
static void
check_refused_with_fds (const struct wire *w, unsigned n_fds)
{
  struct sf_message m, before;

  memset (&m, 0x5a, sizeof m);
  before = m;
  check_int (sf_message_decode (&m, w->bytes, w->len, n_fds), -EPROTO);
  check (memcmp (&m, &before, sizeof m) == 0);
}

static void
check_refused (const struct wire *w)
{
  check_refused_with_fds (w, fds_of (w->bytes[0]));
}

static void
test_round_trip (void)
{
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct sf_message m = message_of (type), back;
    struct wire w = wire_of (type);

    memset (&back, 0xff, sizeof back);
    check_int (sf_message_decode (&back, w.bytes, w.len, fds_of (type)), 0);
    check (memcmp (&m, &back, sizeof m) == 0);
  }
}

/* The wire is a promise to other builds: bytes, not what this compiler does. */
static void
test_bytes_of_latency (void)
{
  static const uint8_t want[] = {
    8, 0, 0, 0, 32, 0, 0, 0,
    1, 0, 0, 0, 1, 0, 0, 0,
    0x00, 0x5a, 0x62, 0x02, 0, 0, 0, 0,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
  };
  struct wire w = wire_of (SF_MESSAGE_LATENCY);

  check_int (w.len, sizeof want);
  check (memcmp (w.bytes, want, sizeof want) == 0);
}

static void
test_largest (void)
{
  struct sf_message m = message_of (SF_MESSAGE_UPSTREAM), back;
  struct wire w;
  int n;

  m.upstream.size = SF_UPSTREAM_MAX;
  memset (m.upstream.data, 0xee, SF_UPSTREAM_MAX);
  n = sf_message_encode (&m, w.bytes, SF_MESSAGE_MAX);
  check_int (n, 8 + 4 + SF_UPSTREAM_MAX);
  check_int (sf_message_decode (&back, w.bytes, (size_t) n, 0), 0);
  check (memcmp (&m, &back, sizeof m) == 0);
}

static void
test_truncated_at_every_byte (void)
{
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct wire whole = wire_of (type);

    for (size_t len = 0; len < whole.len; len++) {
      struct wire w = whole;

      w.len = len;
      check_refused (&w);
      /* The same with a size that admits it. */
      set_len (&w, len);
      check_refused (&w);
    }
  }
}

static void
test_surplus_bytes (void)
{
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++)
    for (size_t extra = 1; extra < 70; extra++) {
      struct wire w = wire_of (type);

      memset (w.bytes + w.len, 0, extra);
      w.len += extra;
      check_refused (&w);
      set_len (&w, w.len);
      check_refused (&w);
    }
}

static void
test_size_field (void)
{
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct wire w = wire_of (type);
    size_t len = w.len;

    put (&w, 4, 4, len - 1);
    check_refused (&w);
    put (&w, 4, 4, len + 1);
    check_refused (&w);
    put (&w, 4, 4, UINT32_MAX);
    check_refused (&w);
  }
}

static void
test_number_of_fds (void)
{
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct wire w = wire_of (type);

    for (unsigned n = 0; n < 300; n++) {
      struct sf_message m;

      /* A relayed segment comes with the guards it had. */
      if (n == fds_of (type) || (type == SF_MESSAGE_SEGMENT && n > 1
              && n <= SF_MESSAGE_MAX_FDS))
        check_int (sf_message_decode (&m, w.bytes, w.len, n), 0);
      else
        check_refused_with_fds (&w, n);
    }
  }
}

static void
test_unknown_type (void)
{
  static const uint32_t types[] = { 0, LAST_TYPE + 1, 0x101, UINT32_MAX };

  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    struct wire w = wire_of (SF_MESSAGE_WANT);

    put (&w, 0, 4, types[i]);
    check_refused_with_fds (&w, 0);
    set_len (&w, 8);
    check_refused_with_fds (&w, 0);
  }
}

/* Where these are in STATS. */
#define STATS_SLOTS (16 + 15 * 8 + 4 * 4)
#define STATS_NAME (STATS_SLOTS + 3 * 4 + 5 * 8)
#define STATS_CAPS (STATS_NAME + SF_NAME_MAX)
#define STATS_LIST (STATS_CAPS + SF_CAPS_TEXT_MAX + 4)
#define STATS_CLIENT (16 + SF_NAME_MAX + 4 * 4 + 6 * 8 + 2 * 4)

/* What no message may hold: `size` bytes at `at`. */
static const struct
{
  uint32_t type;
  size_t at;
  unsigned size;
  uint64_t value;
} out_of_range[] = {
  {SF_MESSAGE_HELLO, 8, 4, SF_PROTOCOL_MAGIC + 1},
  {SF_MESSAGE_HELLO, 12, 4, SF_PROTOCOL_VERSION + 1},
  {SF_MESSAGE_HELLO, 16, 4, 0},
  {SF_MESSAGE_HELLO, 20, 4, SF_DELIVERY_LOSSLESS + 1},
  {SF_MESSAGE_HELLO, 20, 4, UINT32_MAX},
  {SF_MESSAGE_HELLO, 24, 4, 0},
  {SF_MESSAGE_HELLO, 24, 4, SF_MAX_LEASES + 1},
  {SF_MESSAGE_HELLO, 28, 8, UINT64_C (1) << 63},
  {SF_MESSAGE_HELLO, 28, 8, UINT64_MAX},
  {SF_MESSAGE_HELLO, 8 + 28 + SF_NAME_MAX - 1, 1, 'x'},
  {SF_MESSAGE_WELCOME, 8, 4, 0},
  {SF_MESSAGE_WELCOME, 8, 4, SF_PROTOCOL_VERSION + 1},
  {SF_MESSAGE_WELCOME, 12, 4, SF_MAX_LEASES - 1},
  {SF_MESSAGE_WELCOME, 12, 4, SF_MAX_LEASES + 1},
  {SF_MESSAGE_WELCOME, 24, 8, SF_ANNOUNCE_DATA_OFFSET},
  {SF_MESSAGE_WELCOME, 32, 8, sizeof (struct sf_returns_page) - 1},
  {SF_MESSAGE_WELCOME, 40, 4, 0},
  {SF_MESSAGE_WELCOME, 40, 4, SF_MAX_LEASES + 1},
  {SF_MESSAGE_WELCOME, 44, 8, UINT64_C (1) << 63},
  {SF_MESSAGE_REJECT, 8, 4, SF_REASON_LAST + 1},
  {SF_MESSAGE_REJECT, 8 + 20 + SF_TEXT_MAX - 1, 1, 'x'},
  {SF_MESSAGE_BYE, 8, 4, UINT32_MAX},
  {SF_MESSAGE_BYE, 8 + 20 + SF_TEXT_MAX - 1, 1, 'x'},
  {SF_MESSAGE_SEGMENT, 12, 4, 0},
  {SF_MESSAGE_SEGMENT, 12, 4, SF_MAX_SLOTS + 1},
  {SF_MESSAGE_SEGMENT, 16, 8, 0},
  {SF_MESSAGE_SEGMENT, 16, 8, SF_MAX_SLOT_SIZE + 1},
  {SF_MESSAGE_SEGMENT, 24, 8, sizeof (struct sf_segment_header) - 1},
  {SF_MESSAGE_SEGMENT, 32, 8, 4096},
  {SF_MESSAGE_WANT, 8, 4, 0},
  {SF_MESSAGE_WANT, 8, 4, SF_MAX_LEASES + 1},
  {SF_MESSAGE_GRANT, 8, 4, 0},
  {SF_MESSAGE_GRANT, 8, 4, SF_MAX_LEASES + 1},
  {SF_MESSAGE_LATENCY, 8, 4, 2},
  {SF_MESSAGE_LATENCY, 12, 4, 2},
  {SF_MESSAGE_LATENCY, 24, 8, 39999999},
  {SF_MESSAGE_UPSTREAM, 8, 4, 4},
  {SF_MESSAGE_UPSTREAM, 8, 4, 6},
  {SF_MESSAGE_UPSTREAM, 8, 4, SF_UPSTREAM_MAX + 1},
  {SF_MESSAGE_UPSTREAM, 8, 4, UINT32_MAX},
  {SF_MESSAGE_OBSERVE, 8, 4, SF_PROTOCOL_MAGIC + 1},
  {SF_MESSAGE_OBSERVE, 12, 4, SF_PROTOCOL_VERSION + 1},
  {SF_MESSAGE_STATS, 8, 4, SF_PROTOCOL_VERSION + 1},
  {SF_MESSAGE_STATS, 12, 4, SF_DELIVERY_LOSSLESS + 1},
  {SF_MESSAGE_STATS, 24, 8, UINT64_C (1) << 63},
  {SF_MESSAGE_STATS, STATS_SLOTS, 4, 15},
  {SF_MESSAGE_STATS, STATS_NAME + SF_NAME_MAX - 1, 1, 'x'},
  {SF_MESSAGE_STATS, STATS_CAPS + SF_CAPS_TEXT_MAX - 1, 1, 'x'},
  {SF_MESSAGE_STATS, STATS_LIST - 4, 4, 1},
  {SF_MESSAGE_STATS, STATS_LIST - 4, 4, 3},
  {SF_MESSAGE_STATS, STATS_LIST - 4, 4, SF_STATS_CLIENTS + 1},
  {SF_MESSAGE_STATS, STATS_LIST - 4, 4, UINT32_MAX},
  {SF_MESSAGE_STATS, STATS_LIST, 8, 7},
  {SF_MESSAGE_STATS, STATS_LIST + 16 + SF_NAME_MAX - 1, 1, 'x'},
  {SF_MESSAGE_STATS, STATS_LIST + 16 + SF_NAME_MAX, 4, SF_STATS_ALL_FLAGS + 1},
  {SF_MESSAGE_STATS, STATS_LIST + STATS_CLIENT - 4, 4, 59999},
};

static void
test_fields_out_of_range (void)
{
  for (size_t i = 0; i < sizeof out_of_range / sizeof out_of_range[0]; i++) {
    struct wire w = wire_of (out_of_range[i].type);

    printf ("# type %u, offset %zu\n", out_of_range[i].type,
        out_of_range[i].at);
    put (&w, out_of_range[i].at, out_of_range[i].size, out_of_range[i].value);
    check_refused (&w);
  }
}

/* A name without an end, and bytes hidden behind its end. */
static void
test_strings (void)
{
  struct wire w = wire_of (SF_MESSAGE_HELLO);

  memset (w.bytes + 36, 'x', SF_NAME_MAX);
  check_refused (&w);
  w = wire_of (SF_MESSAGE_HELLO);
  w.bytes[36 + strlen ("shmframesrc0") + 2] = 'x';
  check_refused (&w);
}

/* As long as it says, and longer than there is room for. */
static void
test_surplus_upstream_size (void)
{
  for (size_t len = 8 + 4 + SF_UPSTREAM_MAX + 1; len <= SF_MESSAGE_MAX; len++) {
    struct wire w = wire_of (SF_MESSAGE_UPSTREAM);

    put (&w, 8, 4, len - 12);
    memset (w.bytes + w.len, 0, sizeof w.bytes - w.len);
    set_len (&w, len);
    check_refused (&w);
  }
}

static void
test_hello_of_another_version (void)
{
  static const uint32_t ranges[][2] = {
    {0, 0}, {SF_PROTOCOL_VERSION + 1, 9}, {UINT32_MAX, UINT32_MAX}
  };

  for (size_t i = 0; i < 3; i++)
    for (size_t len = 20; len <= SF_MESSAGE_MAX; len += len < 120 ? 1 : 997) {
      struct wire w = wire_of (SF_MESSAGE_HELLO);
      struct sf_message m, want;

      memset (&want, 0, sizeof want);
      want.type = SF_MESSAGE_HELLO;
      want.hello.magic = SF_PROTOCOL_MAGIC;
      want.hello.version_min = ranges[i][0];
      want.hello.version_max = ranges[i][1];
      memset (w.bytes + 20, 0xc3, sizeof w.bytes - 20);
      put (&w, 12, 4, ranges[i][0]);
      put (&w, 16, 4, ranges[i][1]);
      set_len (&w, len);
      check_int (sf_message_decode (&m, w.bytes, w.len, 0), 0);
      check (memcmp (&m, &want, sizeof m) == 0);
      check_int (sf_message_encode (&m, w.bytes, 20), 20);
    }
}

static void
test_hello_of_another_version_refused (void)
{
  struct wire w = wire_of (SF_MESSAGE_HELLO);

  put (&w, 12, 4, SF_PROTOCOL_VERSION + 1);
  put (&w, 16, 4, SF_PROTOCOL_VERSION + 1);
  set_len (&w, SF_MESSAGE_MAX + 1);
  check_refused (&w);
  set_len (&w, 19);
  check_refused (&w);
  set_len (&w, 20);
  check_refused_with_fds (&w, 1);
  put (&w, 8, 4, 0);
  check_refused (&w);
}

static void
test_hello_of_a_wider_range (void)
{
  struct wire w = wire_of (SF_MESSAGE_HELLO);
  struct sf_message m;

  put (&w, 12, 4, 0);
  put (&w, 16, 4, 7);
  check_int (sf_message_decode (&m, w.bytes, w.len, 0), 0);
  check_int (m.hello.max_held, 27);
  check_str (m.hello.name, "shmframesrc0");
}

static void
test_encode_does_not_fit (void)
{
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct sf_message m = message_of (type);
    struct wire w = wire_of (type);

    for (size_t len = 0; len < w.len; len++) {
      uint8_t buf[SF_MESSAGE_MAX];

      memset (buf, 0x5a, sizeof buf);
      check_int (sf_message_encode (&m, buf, len), -EMSGSIZE);
      for (size_t i = 0; i < sizeof buf; i++)
        check_int (buf[i], 0x5a);
    }
  }
}

static void
test_encode_refuses_what_decode_would (void)
{
  struct sf_message m = message_of (SF_MESSAGE_HELLO);
  uint8_t buf[SF_MESSAGE_MAX];

  memset (m.hello.name, 'x', sizeof m.hello.name);
  check_int (sf_message_encode (&m, buf, sizeof buf), -EINVAL);
  m = message_of (SF_MESSAGE_REJECT);
  memset (m.reject.text, 'x', sizeof m.reject.text);
  check_int (sf_message_encode (&m, buf, sizeof buf), -EINVAL);
  m = message_of (SF_MESSAGE_UPSTREAM);
  m.upstream.size = SF_UPSTREAM_MAX + 1;
  check_int (sf_message_encode (&m, buf, sizeof buf), -EINVAL);
  m = message_of (SF_MESSAGE_GRANT);
  m.max_held = 0;
  check_int (sf_message_encode (&m, buf, sizeof buf), -EINVAL);
  m = message_of (LAST_TYPE + 1);
  check_int (sf_message_encode (&m, buf, sizeof buf), -EINVAL);
}

/* What the caller's array holds behind the NUL is nobody else's business. */
static void
test_encode_sends_no_stale_bytes (void)
{
  struct sf_message m = message_of (SF_MESSAGE_REJECT);
  struct wire w = wire_of (SF_MESSAGE_REJECT), dirty;
  size_t n = strlen (m.reject.text) + 1;

  memset (m.reject.text + n, 's', sizeof m.reject.text - n);
  check_int (sf_message_encode (&m, dirty.bytes, SF_MESSAGE_MAX), w.len);
  check (memcmp (dirty.bytes, w.bytes, w.len) == 0);
}

static void
test_reason_names (void)
{
  check_str (sf_reason_name (SF_REASON_SLOW), "slow");
  check_str (sf_reason_name (SF_REASON_LAST + 1), "unknown");
  check_str (sf_reason_name (UINT32_MAX), "unknown");
  for (uint32_t i = 0; i <= SF_REASON_LAST; i++)
    for (uint32_t j = 0; j < i; j++)
      check (strcmp (sf_reason_name (i), sf_reason_name (j)) != 0);
}

static const struct unit_test tests[] = {
  TEST (test_round_trip),
  TEST (test_bytes_of_latency),
  TEST (test_largest),
  TEST (test_truncated_at_every_byte),
  TEST (test_surplus_bytes),
  TEST (test_size_field),
  TEST (test_number_of_fds),
  TEST (test_unknown_type),
  TEST (test_fields_out_of_range),
  TEST (test_strings),
  TEST (test_surplus_upstream_size),
  TEST (test_hello_of_another_version),
  TEST (test_hello_of_another_version_refused),
  TEST (test_hello_of_a_wider_range),
  TEST (test_encode_does_not_fit),
  TEST (test_encode_refuses_what_decode_would),
  TEST (test_encode_sends_no_stale_bytes),
  TEST (test_reason_names),
};

int
main (void)
{
  return unit_main (tests);
}
