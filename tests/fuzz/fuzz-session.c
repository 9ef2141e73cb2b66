/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many clients against a whole producer, with its control thread. The input is a list
 * of steps: connect, say something, nothing or too much, write into the returns page,
 * keep or close what came, hang up. After it nobody is left of them, and an honest
 * client is served. */
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
        CLIENTS,.max_memory = UINT64_C (1) << 24
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

/* What has come; true for WELCOME. */
static bool
receive (struct seat *s, bool keep)
{
  struct sf_message msg;
  int fds[SF_MESSAGE_MAX_FDS];
  bool welcome = false;

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

  if (msg.type == SF_MESSAGE_HELLO)
    msg.hello.max_held = 1 + (uint32_t) take (in, 1) % 8;
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
  sf_slots_give (slot);
  free (slot);
}

static void
publish (void)
{
  struct sf_slot *slot = malloc (sizeof (*slot));
  struct sf_part part = {.size = FRAME_BYTES };
  struct sf_publication pub = {.parts = &part,.n_parts = 1,.release =
        give_slot,.user = slot
  };

  if (sf_producer_take_slot (producer, FRAME_BYTES, 0, slot) < 0) {
    free (slot);
    return;
  }
  part.segment = slot->segment;
  part.slot = slot->index;
  require (sf_producer_publish (producer, &pub) == 0);
}

static void
step (struct input *in)
{
  uint8_t what = (uint8_t) take (in, 1);
  struct seat *s = &seats[take (in, 1) % SEATS];

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
      publish ();
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
  expect_nobody ();
  expect_service ();
  expect_nobody ();
  return 0;
}
