/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hostile producer against a whole consumer, with its control thread. The input is
 * a list of steps: WELCOME, other messages, any bytes, with fds of all kinds; segments
 * and frames; words of the shared memory; hang-ups. And what the consumer's own thread
 * does meanwhile. After it nothing is left, and the consumer could be closed. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/messages.h"
#include "consumer/consumer.h"
#include "fuzz.h"
#include "producer/leases.h"
#include "shared/connection.h"
#include "shared/futex.h"
#include "shared/ring.h"
#include "shared/unexpected-fd.h"

#define N_SLOTS 4u
#define SLOT_BYTES 4096u
#define MAX_KEPT 8u
#define N_SEGMENTS 3u
#define KNOCK_MS 2000
#define LOOK (SF_NS_PER_SECOND / 500)

struct input
{
  const uint8_t *at;
  size_t left;
};

static struct sf_listener listener;
static char name[64];
static struct sf_consumer *consumer;
/* So that every byte is read. */
static volatile uint64_t sink;
static struct sf_lease *kept[MAX_KEPT];

/* One connection; less than 0, NULL: there is none. */
static int fd, guard[2];
static struct sf_shm announce, returns;
static struct sf_ring_writer ring;
static struct sf_leases *leases;
static struct sf_segment *segments[N_SEGMENTS];

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
hang_up (void)
{
  if (fd >= 0) {
    close (fd);
    close (guard[0]);
    close (guard[1]);
    sf_shm_close (&announce);
    sf_shm_close (&returns);
  }
  fd = -1;
  for (unsigned i = 0; i < N_SEGMENTS; i++) {
    sf_segment_unref (segments[i]);
    segments[i] = NULL;
  }
}

/* Somebody knocks and says HELLO, or nobody does for some time. */
static void
accept_one (int ms)
{
  struct pollfd p = {.fd = listener.fd,.events = POLLIN };
  struct sf_credentials peer;
  struct sf_message msg;

  hang_up ();
  if (poll (&p, 1, ms) != 1)
    return;
  p.fd = sf_listener_accept (&listener, &peer);
  require (p.fd >= 0);
  if (poll (&p, 1, KNOCK_MS) != 1 || sf_receive (p.fd, &msg, NULL) != 1) {
    close (p.fd);
    return;
  }
  /* shmframe-top finds us, like any producer. */
  if (msg.type == SF_MESSAGE_OBSERVE) {
    close (p.fd);
    accept_one (ms);
    return;
  }
  require (msg.type == SF_MESSAGE_HELLO);
  fd = p.fd;
  require (sf_shm_create (&announce, "announce", SF_ANNOUNCE_DATA_OFFSET
          + SF_ANNOUNCE_RING_SIZE, SF_SHM_SEALED) == 0);
  require (sf_shm_create (&returns, "returns",
          sizeof (struct sf_returns_page), SF_SHM_SHARED) == 0);
  require (pipe (guard) == 0);
  sf_ring_format (announce.map, returns.map, SF_ANNOUNCE_RING_SIZE);
  sf_ring_writer_init (&ring, announce.map, returns.map,
      SF_ANNOUNCE_RING_SIZE);
  sf_leases_init (leases, returns.map);
}

/* An fd of one kind or another; the caller closes it. */
static int
some_fd (uint8_t kind)
{
  int pair[2], f = -1;

  switch (kind % 8) {
    case 0:
      return dup (announce.fd);
    case 1:
      return dup (returns.fd);
    case 2:
      return dup (guard[1]);
    case 3:
      return dup (segments[0] != NULL ? segments[0]->shm.fd : fd);
    case 4:
      f = memfd_create ("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
      require (f >= 0 && ftruncate (f, 1 << 16) == 0);
      return f;
    case 5:
      require (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
      close (pair[1]);
      return pair[0];
    case 6:
      return dup (listener.fd);
    default:
      return dup (0);
  }
}

static void
send_bytes (const uint8_t *bytes, size_t len, const int *fds, unsigned n_fds)
{
  _Alignas (struct cmsghdr) char control[CMSG_SPACE (sizeof (int) * 8)]
      = { 0 };
  struct iovec iov = {.iov_base = (void *) bytes,.iov_len = len };
  struct msghdr mh = {.msg_iov = &iov,.msg_iovlen = 1 };

  if (n_fds > 0) {
    struct cmsghdr *c;

    mh.msg_control = control;
    mh.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
    c = CMSG_FIRSTHDR (&mh);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
    memcpy (CMSG_DATA (c), fds, sizeof (int) * n_fds);
  }
  sendmsg (fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A message of any type, one field of it spoilt or none, with the right number of
 * fds, which may be the wrong ones. */
static void
say (struct input *in)
{
  struct sf_message msg = message_of (FIRST_TYPE + (uint32_t) take (in, 1)
      % LAST_TYPE);
  unsigned how = (unsigned) take (in, 1), n_fds = fds_of (msg.type);
  uint8_t bytes[SF_MESSAGE_MAX];
  int fds[3], len;

  if (msg.type == SF_MESSAGE_GRANT)
    msg.max_held = 1 + how % 8;
  len = sf_message_encode (&msg, bytes, sizeof (bytes));
  require (len > 0);
  for (unsigned i = 0; i < n_fds; i++)
    fds[i] = how & 1 ? some_fd ((uint8_t) take (in, 1)) : some_fd ((uint8_t) i);
  if (how & 2)
    bytes[8 + take (in, 2) % ((unsigned) len - 7)] ^= 1 + take (in, 1) % 255;
  send_bytes (bytes, (size_t) len, fds, n_fds);
  for (unsigned i = 0; i < n_fds; i++)
    close (fds[i]);
}

static void
say_bytes (struct input *in)
{
  unsigned n_fds = (unsigned) take (in, 1) % 8;
  size_t n = take (in, 1);
  int fds[8];

  n = n < in->left ? n : in->left;
  for (unsigned i = 0; i < n_fds; i++)
    fds[i] = some_fd ((uint8_t) (i + n));
  send_bytes (in->at, n, fds, n_fds);
  for (unsigned i = 0; i < n_fds; i++)
    close (fds[i]);
  in->at += n;
  in->left -= n;
}

/* In order, but perhaps not the first of its id, or not as it says. */
static void
send_segment (struct input *in)
{
  uint32_t id = (uint32_t) take (in, 1), how = (uint32_t) take (in, 1);
  struct sf_segment **s = &segments[id % N_SEGMENTS];
  struct sf_message msg = {.type = SF_MESSAGE_SEGMENT };
  int fds[3];

  if (*s == NULL && sf_segment_create (s, N_SLOTS, SLOT_BYTES) < 0)
    return;
  sf_segment_describe (*s, id, &msg.segment);
  if (how & 2)
    msg.segment.n_slots = 1 + (uint32_t) take (in, 1);
  if (how & 4)
    msg.segment.pitch = take (in, 4);
  if (how & 8)
    msg.segment.size += 1 + take (in, 2);
  fds[0] = dup ((*s)->shm.fd);
  fds[1] = fds[2] = guard[1];
  sf_send (fd, &msg, fds, 1 + how / 16 % 3);
  close (fds[0]);
}

static void
wake (void)
{
  sf_bump_u32 (&ring.page->wake);
  sf_futex_wake (&ring.page->wake);
}

static void
announce_frame (struct input *in)
{
  struct sf_record_header record = {.type = SF_RECORD_FRAME,.seq =
        take (in, 1) };
  uint32_t how = (uint32_t) take (in, 1);
  struct
  {
    uint32_t n, zero;
    struct sf_memory_ref_wire ref;
  } payload = { 1, how >> 7, {how & 15, how >> 4 & 3, 2, 0, SLOT_BYTES} };

  if (how & 64)
    payload.ref.offset = take (in, 8);
  if (sf_leases_add (leases, &record, &record) == 0)
    sf_ring_write (&ring, &record, &payload, sizeof (payload));
  wake ();
}

static void
forget_frame (void *frame, void *user)
{
  (void) frame;
  (void) user;
}

static void
write_words (struct input *in)
{
  uint8_t where = (uint8_t) take (in, 1);
  uint64_t word = take (in, 8);

  if (where & 128)
    memcpy ((uint8_t *) announce.map + where % 16 * 8, &word, sizeof (word));
  else if (where & 64)
    memcpy ((uint8_t *) returns.map + take (in, 2) % (sizeof
            (struct sf_returns_page) / 8) * 8, &word, sizeof (word));
  else if (segments[where % N_SEGMENTS] != NULL)
    memcpy ((uint8_t *) segments[where % N_SEGMENTS]->shm.map + where / 3 % 12
        * 8, &word, sizeof (word));
  wake ();
}

static void
give_back (unsigned i)
{
  if (kept[i] != NULL)
    sf_lease_unref (kept[i]);
  kept[i] = NULL;
}

static uint64_t
sum (const uint8_t *bytes, uint64_t n)
{
  uint64_t s = 0;

  for (uint64_t i = 0; i < n; i++)
    s += bytes[i];
  return s;
}

/* What the streaming thread would do; all that is handed out can be read. */
static void
look (struct input *in)
{
  struct sf_received incoming;
  unsigned at = (unsigned) take (in, 1) % MAX_KEPT;
  int r = sf_consumer_next (consumer, &incoming, LOOK);

  require (r == 0 || r == 1 || r == -EINTR);
  if (r != 1)
    return;
  require ((incoming.kind == SF_RECEIVED_FRAME) == (incoming.lease != NULL));
  if (incoming.kind == SF_RECEIVED_EVENT
      || incoming.kind == SF_RECEIVED_FRAME)
    sink += sum (incoming.body, incoming.body_size);
  for (uint32_t i = 0; i < incoming.n_parts; i++)
    sink += sum (incoming.parts[i].data, incoming.parts[i].size);
  if (incoming.lease == NULL)
    return;
  give_back (at);
  kept[at] = incoming.lease;
}

static void
consume (struct input *in)
{
  uint32_t n = (uint32_t) take (in, 1);
  struct sf_consumer_stats stats;
  struct sf_flush flush;

  switch (n % 6) {
    case 0:
      sf_consumer_want (consumer, 1 + n / 6);
      break;
    case 1:
      sf_consumer_set_paused (consumer, n & 8);
      break;
    case 2:
      sf_consumer_interrupt (consumer, n & 8);
      break;
    case 3:
      sf_consumer_get_flush (consumer, &flush);
      sf_consumer_end_flush (consumer, &flush);
      break;
    case 4:
      sf_consumer_get_stats (consumer, &stats);
      break;
    default:
      sf_consumer_send_upstream (consumer, in->at, n < in->left ? n
          : (uint32_t) in->left);
      break;
  }
}

static void
connected_step (uint8_t what, struct input *in)
{
  switch (what) {
    case 0:
      say (in);
      break;
    case 1:
      say_bytes (in);
      break;
    case 2:
      send_segment (in);
      break;
    case 3:
      announce_frame (in);
      break;
    case 4:
      write_words (in);
      break;
    case 5:
      sf_leases_collect (leases, forget_frame, NULL);
      break;
    default:
      hang_up ();
      break;
  }
}

static void
step (struct input *in)
{
  uint8_t what = (uint8_t) take (in, 1) % 12;

  if (what == 7)
    accept_one ((int) take (in, 1) % 32);
  else if (what == 8)
    consume (in);
  else if (what > 8)
    look (in);
  else if (fd >= 0)
    connected_step (what, in);
}

static void
set_up (void)
{
  fd = -1;
  leases = malloc (sizeof (*leases));
  snprintf (name, sizeof (name), "@shmframe-fuzz-service-%d", (int) getpid ());
  require (leases != NULL && sf_listener_open (&listener, name, 0600) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct sf_consumer_config config = {.path = name,.name = "fuzz",.max_held =
        4,.connect_timeout = SF_FOREVER
  };
  struct input in = { data, size };
  int lowest;

  if (leases == NULL)
    set_up ();
  lowest = dup (0);
  close (lowest);
  config.grow = take (&in, 1) & 1;
  require (sf_consumer_open (&consumer, &config) == 0);
  accept_one (KNOCK_MS);
  require (fd >= 0);
  while (in.left > 0)
    step (&in);
  for (unsigned i = 0; i < MAX_KEPT; i++)
    give_back (i);
  sf_consumer_close (consumer);
  /* Who knocked last may still be in the queue. */
  accept_one (0);
  hang_up ();
  /* What is closed in a thread of its own. */
  while (sf_fd_count_discarded () > 0)
    usleep (10);
  require (dup (0) == lowest);
  close (lowest);
  return 0;
}
