/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many clients against a whole producer, with its control thread. The input is a list
 * of steps: connect, say something, nothing or too much, write into the returns page,
 * keep or close what came, hang up; and what the producer does meanwhile: frames,
 * events, flushes, other formats, another delivery. After it nobody is left of them,
 * and an honest client is served. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/messages.h"
#include "fuzz.h"
#include "producer/producer.h"
#include "shared/clock.h"

#define SEATS 64u
#define CLIENTS 12u
#define FRAME_BYTES 4096u
#define PATIENCE (10 * SF_NS_PER_SECOND)
/* Who is waited for goes soon. */
#define TIMEOUT (SF_NS_PER_SECOND / 200)
#define MOST_TRIES 20
#define ANSWER_MS 20

struct input
{
  const uint8_t *at;
  size_t left;
};

struct seat
{
  int fd, guard;
  struct sf_shm returns;
};

static struct sf_producer *producer;
static char name[64];
static struct seat seats[SEATS];
static uint64_t frame_bytes = FRAME_BYTES;
static bool lossless;

static uint64_t
take (struct input *in, size_t n)
{
  uint64_t v = 0;

  n = n < in->left ? n : in->left;
  memcpy (&v, in->at, n);
  in->at += n;
  in->left -= n;
  return v;
}

static void
close_producer (void)
{
  sf_producer_close (producer);
}

static void
open_producer (void)
{
  struct sf_producer_config config = {.path = name,.max_clients =
        CLIENTS,.max_memory = UINT64_C (1) << 24,.client_timeout =
        TIMEOUT,.stall_timeout = TIMEOUT
  };
  uint64_t needed;

  snprintf (name, sizeof (name), "@shmframe-fuzz-session-%d", (int) getpid ());
  require (sf_producer_open (&producer, &config) == 0);
  sf_producer_set_delivery (producer, true, false, 0, UINT64_MAX);
  require (sf_producer_set_format (producer, FRAME_BYTES, 1, &needed) == 0);
  for (unsigned i = 0; i < SEATS; i++)
    seats[i] = (struct seat) { -1, -1, {.fd = -1}};
  atexit (close_producer);
}

static void
leave (struct seat *s)
{
  if (s->fd >= 0)
    close (s->fd);
  if (s->guard >= 0)
    close (s->guard);
  if (s->returns.map != NULL)
    sf_shm_close (&s->returns);
  *s = (struct seat) { -1, -1, {.fd = -1}};
}

/* What has come; true for WELCOME. `keep`: which may take a moment. */
static bool
receive (struct seat *s, bool keep)
{
  struct pollfd p = {.fd = s->fd,.events = POLLIN };
  struct sf_message msg;
  int fds[SF_MESSAGE_MAX_FDS];
  bool welcome = false;

  if (keep)
    poll (&p, s->fd >= 0, ANSWER_MS);
  while (s->fd >= 0 && sf_receive (s->fd, &msg, fds) == 1) {
    if (msg.type == SF_MESSAGE_WELCOME) {
      welcome = true;
      if (keep && s->returns.map == NULL && sf_shm_open (&s->returns, fds[1],
              msg.welcome.returns_size, SF_SHM_SHARED) == 0) {
        s->guard = fds[2];
        fds[1] = fds[2] = -1;
      }
    }
    for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++)
      if (fds[i] >= 0)
        close (fds[i]);
  }
  return welcome;
}

static void
say (struct seat *s, struct input *in)
{
  struct sf_message msg = message_of (FIRST_TYPE + (uint32_t) take (in, 1)
      % LAST_TYPE);
  uint8_t bytes[SF_MESSAGE_MAX];
  int len;

  if (msg.type == SF_MESSAGE_HELLO) {
    uint32_t how = (uint32_t) take (in, 1);

    msg.hello.max_held = 1 + how % 8;
    msg.hello.delivery = how / 8 % 3;
  }
  if (msg.type == SF_MESSAGE_WANT)
    msg.max_held = 1 + (uint32_t) take (in, 1) % 8;
  len = sf_message_encode (&msg, bytes, sizeof (bytes));
  if (len > 0)
    send (s->fd, bytes, (size_t) len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
say_bytes (struct seat *s, struct input *in)
{
  size_t n = take (in, 1);

  n = n < in->left ? n : in->left;
  send (s->fd, in->at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
  in->at += n;
  in->left -= n;
}

static void
flood (struct seat *s, struct input *in)
{
  const struct sf_message kick = {.type = SF_MESSAGE_KICK };

  for (uint64_t n = take (in, 1) * 4; n > 0; n--)
    sf_send (s->fd, &kick, NULL, 0);
}

static void
write_page (struct seat *s, struct input *in)
{
  size_t at = take (in, 2) % (sizeof (struct sf_returns_page) / 8);
  uint64_t word = take (in, 8);

  if (s->returns.map != NULL)
    memcpy ((uint8_t *) s->returns.map + at * 8, &word, sizeof (word));
}

static void
give_slot (void *slot)
{
  sf_slots_release (slot);
  free (slot);
}

/* Takes a slot, or announces what is in it. Lossless, who is waited for goes after a
 * while. */
static int
try (struct sf_slot *slot, const struct sf_publish_args *pub)
{
  int r = -EAGAIN;

  for (int tries = 0; r == -EAGAIN && tries < MOST_TRIES; tries++) {
    uint64_t token = sf_producer_token (producer);

    r = pub != NULL ? sf_producer_publish (producer, pub)
        : sf_producer_acquire_slot (producer, frame_bytes, 0, slot);
    if (r == -EAGAIN && lossless)
      sf_producer_wait (producer, token);
  }
  return r;
}

/* With a body that fits into the record, or not. */
static void
publish (uint32_t body_size)
{
  static const uint8_t body[SF_MAX_PAYLOAD * 2];
  struct sf_slot *slot = malloc (sizeof (*slot));
  struct sf_memory_ref part = {.size = frame_bytes };
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        body,.body_size = body_size,.release = give_slot,.user = slot
  };
  int r = try (slot, NULL);

  if (r == 0) {
    part.segment = slot->segment;
    part.slot = slot->index;
    r = try (slot, &pub);
    require (r == 0 || r == -EAGAIN || r == -ENOBUFS);
    if (r < 0)
      sf_slots_release (slot);
  }
  if (r < 0)
    free (slot);
}

static void
tell (struct input *in)
{
  static const uint8_t body[1024];
  uint32_t size = 4 * (uint32_t) take (in, 1);
  uint8_t flags = take (in, 1) & (SF_EVENT_STICKY | SF_EVENT_DROPS_LATEST);
  int r = sf_producer_event (producer, take (in, 1), body, size, flags);

  require (r == 0 || r == -EAGAIN);
}

static void
set_format (struct input *in)
{
  uint64_t bytes = FRAME_BYTES << take (in, 1) % 6, needed;
  int r = sf_producer_set_format (producer, bytes, 1, &needed);

  require (r == 0 || r == -E2BIG || r == -EAGAIN);
  if (r == 0)
    frame_bytes = bytes;
}

static void
produce (uint8_t what, struct input *in)
{
  struct sf_client_info info[CLIENTS];
  uint32_t count = (uint32_t) take (in, 1);

  switch (what % 8) {
    case 0:
      tell (in);
      break;
    case 1:
      sf_producer_flush_start (producer, count);
      break;
    case 2:
      sf_producer_flush_stop (producer, count, count & 1);
      break;
    case 3:
      set_format (in);
      break;
    case 4:
      lossless = count & 1;
      sf_producer_set_delivery (producer, !lossless, lossless, 0, UINT64_MAX);
      break;
    case 5:
      publish (SF_MAX_PAYLOAD + count);
      break;
    case 6:
      sf_producer_forget (producer, 0, count);
      break;
    case 7:
      sf_producer_get_clients (producer, info, CLIENTS);
      break;
  }
}

static void
step (struct input *in)
{
  uint8_t what = (uint8_t) take (in, 1);
  struct seat *s = &seats[what & 16 ? 0 : take (in, 1) % SEATS];

  if (what & 16) {
    produce (what, in);
    return;
  }
  switch (what % 8) {
    case 0:
      if (s->fd < 0)
        s->fd = sf_connect (name);
      break;
    case 1:
      say (s, in);
      break;
    case 2:
      say_bytes (s, in);
      break;
    case 3:
      leave (s);
      break;
    case 4:
      receive (s, what & 8);
      break;
    case 5:
      write_page (s, in);
      break;
    case 6:
      publish (0);
      break;
    case 7:
      flood (s, in);
      break;
  }
}

static void
expect_nobody (void)
{
  int64_t until = sf_now () + PATIENCE;
  struct sf_producer_stats stats;

  do {
    require (sf_now () < until);
    sf_producer_get_stats (producer, &stats);
    if (stats.n_clients + stats.n_lingering > 0)
      usleep (100);
  } while (stats.n_clients + stats.n_lingering > 0);
}

static void
expect_service (void)
{
  struct sf_message hello = message_of (SF_MESSAGE_HELLO);
  struct seat honest = { -1, -1, {.fd = -1}};
  struct pollfd p = {.events = POLLIN };

  hello.hello.max_held = 1;
  hello.hello.delivery = SF_DELIVERY_LIVE;
  do
    p.fd = honest.fd = sf_connect (name);
  while (honest.fd == -EAGAIN);
  require (honest.fd >= 0);
  require (sf_send (honest.fd, &hello, NULL, 0) == 0);
  require (poll (&p, 1, (int) (PATIENCE / 1000000)) == 1);
  require (receive (&honest, false));
  leave (&honest);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct input in = { data, size };

  if (producer == NULL)
    open_producer ();
  while (in.left > 0)
    step (&in);
  for (unsigned i = 0; i < SEATS; i++)
    leave (&seats[i]);
  sf_producer_end_stream (producer);
  sf_producer_forget (producer, 0, UINT64_MAX);
  lossless = false;
  sf_producer_set_delivery (producer, true, false, 0, UINT64_MAX);
  expect_nobody ();
  expect_service ();
  expect_nobody ();
  return 0;
}
