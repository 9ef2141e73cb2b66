/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client that lies over its socket. See scene.h for what is checked besides. */
#include <signal.h>

#include "scene.h"

struct bytes
{
  uint8_t at[2 * SF_MESSAGE_MAX];
  size_t len;
};

static struct bytes
encoded (const struct sf_message *msg)
{
  struct bytes b = { {0}, 0 };

  b.len = (size_t) sf_message_encode (msg, b.at, sizeof b.at);
  return b;
}

static void
patch (struct bytes *b, size_t at, uint32_t value)
{
  memcpy (b->at + at, &value, sizeof value);
}

/* A lie told instead of HELLO: one refusal, and the end. */
static void
lie_first (struct scene *s, const void *bytes, size_t len, unsigned n_fds)
{
  struct raw_client r = raw_connect (s->place.path);
  uint32_t before = scene_count (s, &s->n_refused);

  raw_send (r.fd, bytes, len, STDIN_FILENO, n_fds);
  check_int (raw_await_end (&r), SF_REASON_NONE);
  raw_close (&r);
  check_int (scene_await (s, &s->n_refused, before), SF_REASON_VIOLATION);
}

/* Where the fields of HELLO stand. */
enum
{
  AT_TYPE = 0, AT_SIZE = 4, AT_MAGIC = 8, AT_MIN = 12, AT_MAX = 16,
  AT_DELIVERY = 20, AT_HELD = 24, AT_NAME = 28
};

static void
test_bad_hello (void)
{
  static const struct
  {
    size_t at;
    uint32_t value;
  } lies[] = {
    {AT_TYPE, 0}, {AT_TYPE, 12}, {AT_TYPE, UINT32_MAX}, {AT_SIZE, 0},
    {AT_SIZE, 91}, {AT_SIZE, UINT32_MAX}, {AT_MAGIC, 0},
    {AT_MAGIC, 0x53484d46}, {AT_MIN, 2}, {AT_MAX, 0},
    {AT_DELIVERY, 3}, {AT_DELIVERY, UINT32_MAX}, {AT_HELD, 0},
    {AT_HELD, SF_MAX_LEASES + 1}, {AT_HELD, UINT32_MAX},
    {AT_NAME + 60, 0x01010101},
  };
  struct scene s;

  scene_start (&s);
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    struct sf_message msg = raw_hello (SF_DELIVERY_LIVE, 1);
    struct bytes b = encoded (&msg);

    patch (&b, lies[i].at, lies[i].value);
    if (lies[i].at == AT_MIN || lies[i].at == AT_MAX)
      patch (&b, AT_MAX, 0);    /* min > max */
    lie_first (&s, b.at, b.len, 0);
  }
  check_int (scene_count (&s, &s.n_disconnected), 0);
  scene_end (&s);
}

static void
test_garbage_first (void)
{
  static const size_t lengths[] = { 0, 1, 7, 8, 9, 19, 20, 91, 93, 4096, 8192 };
  struct sf_message msg = raw_hello (SF_DELIVERY_LIVE, 1);
  struct bytes b = encoded (&msg);
  struct scene s;

  scene_start (&s);
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
    lie_first (&s, b.at, lengths[i], 0);
  memset (b.at, 0xff, sizeof b.at);
  lie_first (&s, b.at, 92, 0);
  scene_end (&s);
}

/* What it asks cannot be: a polite refusal with a reason. */
static void
test_refusals (void)
{
  struct sf_message msg = raw_hello (SF_DELIVERY_LIVE, 1);
  struct raw_client all[SCENE_CLIENTS], r;
  struct scene s;

  scene_start (&s);
  msg.hello.version_min = msg.hello.version_max = 77;
  for (int i = 0; i < 2; i++) {
    r = raw_connect (s.place.path);
    check_int (sf_send (r.fd, &msg, NULL, 0), 0);
    check_int (raw_await_end (&r), SF_REASON_VERSION);
    raw_close (&r);
    check_int (scene_count (&s, &s.n_refused), i + 1);
  }
  for (uint32_t i = 0; i + 1 < SCENE_CLIENTS; i++)
    all[i] = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  r = raw_connect (s.place.path);
  msg = raw_hello (SF_DELIVERY_LIVE, 1);
  check_int (sf_send (r.fd, &msg, NULL, 0), 0);
  check_int (raw_await_end (&r), SF_REASON_FULL);
  raw_close (&r);
  check_int (scene_await (&s, &s.n_refused, 2), SF_REASON_FULL);
  for (uint32_t i = 0; i + 1 < SCENE_CLIENTS; i++)
    raw_close (&all[i]);
  scene_end (&s);
}

/* Every type of message that a welcomed client has no business to send. */
static void
test_out_of_place (void)
{
  static const uint32_t types[] = { SF_MESSAGE_HELLO, SF_MESSAGE_WELCOME,
    SF_MESSAGE_REJECT, SF_MESSAGE_SEGMENT, SF_MESSAGE_SEGMENT_GONE,
    SF_MESSAGE_GRANT, SF_MESSAGE_LATENCY, SF_MESSAGE_SEGMENT_GROWN
  };
  struct scene s;

  scene_start (&s);
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    struct raw_client r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
    struct sf_message msg = message_of (types[i]);
    struct bytes b = encoded (&msg);
    uint32_t before = scene_count (&s, &s.n_disconnected);

    raw_send (r.fd, b.at, b.len, -1, 0);
    check_int (raw_await_end (&r), SF_REASON_VIOLATION);
    check_int (scene_await (&s, &s.n_disconnected, before),
        SF_REASON_VIOLATION);
    raw_close (&r);
  }
  check_int (scene_count (&s, &s.n_refused), 0);
  scene_end (&s);
}

/* All that comes before HELLO but is one of our messages, and no observer's. */
static void
test_not_hello_first (void)
{
  struct scene s;

  scene_start (&s);
  for (uint32_t type = FIRST_TYPE + 1; type <= LAST_TYPE; type++) {
    struct sf_message msg = message_of (type);
    struct bytes b = encoded (&msg);

    if (type == SF_MESSAGE_OBSERVE)
      continue;
    lie_first (&s, b.at, b.len, 0);
  }
  scene_end (&s);
}

static void
test_bad_messages_later (void)
{
  static const struct
  {
    uint32_t type;
    size_t at;
    uint32_t value;
  } lies[] = {
    {SF_MESSAGE_WANT, 8, 0}, {SF_MESSAGE_WANT, 8, SF_MAX_LEASES + 1},
    {SF_MESSAGE_WANT, AT_SIZE, 13}, {SF_MESSAGE_KICK, AT_SIZE, 9},
    {SF_MESSAGE_KICK, AT_TYPE, 99}, {SF_MESSAGE_UPSTREAM, 8, 6},
    {SF_MESSAGE_UPSTREAM, 8, UINT32_MAX}, {SF_MESSAGE_BYE, 8, 11},
    {SF_MESSAGE_BYE, 28 + SF_TEXT_MAX - 4, 0x01010101},
  };
  struct scene s;

  scene_start (&s);
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    struct raw_client r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
    struct sf_message msg = message_of (lies[i].type);
    struct bytes b = encoded (&msg);
    uint32_t before = scene_count (&s, &s.n_disconnected);

    patch (&b, lies[i].at, lies[i].value);
    raw_send (r.fd, b.at, b.len, -1, 0);
    check_int (raw_await_end (&r), SF_REASON_VIOLATION);
    check_int (scene_await (&s, &s.n_disconnected, before),
        SF_REASON_VIOLATION);
    raw_close (&r);
  }
  scene_end (&s);
}

/* After BYE nothing it sends counts any more, and it is not thrown out for it. */
static void
test_bye_then_more (void)
{
  struct sf_message bye = message_of (SF_MESSAGE_BYE);
  struct raw_client r;
  struct scene s;

  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  for (int i = 0; i < 3; i++) {
    struct sf_message more = message_of (SF_MESSAGE_HELLO);

    check_int (sf_send (r.fd, &bye, NULL, 0), 0);
    check_int (sf_send (r.fd, &more, NULL, 0), 0);
  }
  check_int (scene_await (&s, &s.n_disconnected, 0), bye.reject.reason);
  raw_close (&r);
  scene_await_calm (&s);
  check_int (scene_count (&s, &s.n_disconnected), 1);
  scene_end (&s);
}

static void
test_never_hello (void)
{
  int64_t start = sf_now (), took;
  struct raw_client r[3];
  struct scene s;

  scene_start (&s);
  for (int i = 0; i < 3; i++)
    r[i] = raw_connect (s.place.path);
  for (int i = 0; i < 3; i++) {
    raw_await_end (&r[i]);
    raw_close (&r[i]);
  }
  took = sf_now () - start;
  check (took > SF_NS_PER_SECOND && took < 6 * SF_NS_PER_SECOND);
  scene_await_calm (&s);
  check_int (scene_await (&s, &s.n_refused, 2), SF_REASON_VIOLATION);
  check_has (s.text, "HELLO");
  scene_end (&s);
}

static void
test_connects (void)
{
  struct scene s;

  scene_start (&s);
  for (int i = 0; i < 10000; i++) {
    struct raw_client r = raw_connect (s.place.path);

    raw_close (&r);
  }
  scene_end (&s);
}

/* Connects and goes as fast as it can, until it is killed. */
static pid_t
fork_flood (const char *path, bool hello)
{
  pid_t child = fork ();

  check_cmp (child, >=, 0);           /* it will be sent signals */
  while (child == 0) {
    struct sf_message msg = raw_hello (SF_DELIVERY_LIVE, 1);
    int fd = sf_connect (path);

    if (fd >= 0 && hello)
      sf_send (fd, &msg, NULL, 0);
    if (fd >= 0)
      close (fd);
  }
  return child;
}

/* In the middle of a flood, what a client says is still heard at once. */
static void
run_flood (bool hello)
{
  struct sf_message bye = message_of (SF_MESSAGE_BYE);
  pid_t flood[2];
  struct raw_client r;
  struct scene s;

  scene_fork (&s);
  /* Stopped until the clients that matter are there. */
  for (int i = 0; i < 2; i++) {
    flood[i] = fork_flood (s.place.path, hello);
    check_int (kill (flood[i], SIGSTOP), 0);
  }
  scene_open (&s, true);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  for (int i = 0; i < 2; i++)
    check_int (kill (flood[i], SIGCONT), 0);
  usleep (200000);
  for (int i = 0; i < 20; i++) {
    struct sf_message want = message_of (SF_MESSAGE_WANT), answer;
    int fds[SF_MESSAGE_MAX_FDS], type;

    want.max_held = 1;
    check_int (sf_send (r.fd, &want, NULL, 0), 0);
    while ((type = raw_next (&r, &answer, fds, 2000)) == SF_MESSAGE_SEGMENT
        || type == SF_MESSAGE_SEGMENT_GONE || type == SF_MESSAGE_LATENCY
        || type == SF_MESSAGE_SEGMENT_GROWN)
      raw_close_fds (fds);
    check_int (type, SF_MESSAGE_GRANT);
  }
  check_int (sf_send (r.fd, &bye, NULL, 0), 0);
  for (int i = 0; i < 2; i++) {
    kill (flood[i], SIGKILL);
    check_int (waitpid (flood[i], NULL, 0), flood[i]);
  }
  raw_close (&r);
  scene_end (&s);
}

static void
test_connect_flood (void)
{
  run_flood (false);
}

static void
test_hello_flood (void)
{
  run_flood (true);
}

/* One client goes, its socket first and its guard last, and another one comes in
 * between: what is left to be told of the first is not taken for the second. */
static void
test_changing_places (void)
{
  struct scene s;

  scene_start (&s);
  for (int i = 0; i < 500; i++) {
    struct raw_client old = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
    struct raw_client young;
    int fd = old.fd;

    old.fd = -1;
    close (fd);
    young = raw_connect (s.place.path);
    close (old.guard);
    old.guard = -1;
    raw_join (&young, SF_DELIVERY_LIVE, 1);
    raw_close (&young);
    raw_close (&old);
  }
  scene_end (&s);
}

/* An abstract name has no mode: other users are refused by who they are. */
static void
test_other_user (void)
{
  char name[64];
  struct sf_producer_config config = {.path = name,.mode = 0666,.max_clients =
        4,.max_memory = 1 << 24
  };
  struct sf_producer *p;
  struct raw_client own;
  pid_t child;

  unit_skip_unless_root ();
  snprintf (name, sizeof name, "@shmframe-unit-user-%d", getpid ());
  check_int (sf_producer_open (&p, &config), 0);
  child = fork ();
  if (child == 0) {
    struct raw_client r;

    check_int (setgid (65534) | setuid (65534), 0);
    r = raw_connect (name);
    check_int (raw_await_end (&r), SF_REASON_NOT_ALLOWED);
    raw_close (&r);
    _exit (0);
  }
  unit_wait_ok (child);
  own = raw_join_at (name, SF_DELIVERY_LIVE, 1);
  raw_close (&own);
  sf_producer_close (p);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_bad_hello), TEST (test_garbage_first), TEST (test_refusals),
    TEST (test_out_of_place), TEST (test_not_hello_first),
    TEST (test_bad_messages_later), TEST (test_bye_then_more),
    TEST (test_never_hello), TEST (test_connects), TEST (test_connect_flood),
    TEST (test_hello_flood), TEST (test_changing_places),
    TEST (test_other_user),
  };

  return unit_main (tests);
}
