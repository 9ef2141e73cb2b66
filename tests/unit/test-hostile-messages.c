/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that lies over its socket once it is connected. See
 * test-hostile-stream.c. */
#include <fcntl.h>
#include <sys/mman.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "rawproducer.h"

#define LINGER_S 40

static void
out_of_place (struct raw_producer *p)
{
  static const uint32_t types[] = { SF_MESSAGE_HELLO, SF_MESSAGE_WELCOME,
    SF_MESSAGE_WANT, SF_MESSAGE_UPSTREAM, SF_MESSAGE_KICK
  };
  struct sf_message msg = message_of (types[p->lie]);
  const int fds[3] = { STDIN_FILENO, STDIN_FILENO, STDIN_FILENO };

  check_int (sf_send (p->fd, &msg, fds, fds_of (msg.type)), 0);
}

static void
test_out_of_place (void)
{
  rp_run_lies (out_of_place, 5);
}

static void
bad_message (struct raw_producer *p)
{
  static const struct
  {
    uint32_t type;
    size_t at;
    uint32_t value;
    unsigned n_fds;
  } lies[] = {
    {SF_MESSAGE_GRANT, 8, 0, 0}, {SF_MESSAGE_GRANT, 8, SF_MAX_LEASES + 1, 0},
    {SF_MESSAGE_GRANT, 8, UINT32_MAX, 0}, {SF_MESSAGE_GRANT, 4, 11, 0},
    {SF_MESSAGE_GRANT, 0, 0, 0}, {SF_MESSAGE_GRANT, 0, 99, 0},
    {SF_MESSAGE_GRANT, 8, 1, 1}, {SF_MESSAGE_LATENCY, 8, 2, 0},
    {SF_MESSAGE_LATENCY, 12, 2, 0}, {SF_MESSAGE_LATENCY, 8, 1, 3},
    {SF_MESSAGE_SEGMENT_GONE, 8, 1, 2}, {SF_MESSAGE_BYE, 8, 11, 0},
    {SF_MESSAGE_BYE, 28 + SF_TEXT_MAX - 4, 0x01010101, 0},
    {SF_MESSAGE_REJECT, 8, UINT32_MAX, 0}, {SF_MESSAGE_SEGMENT, 8, 9, 0},
    {SF_MESSAGE_SEGMENT, 8, 9, SF_MESSAGE_MAX_FDS + 1}, {SF_MESSAGE_GRANT, 8, 1, RAW_MAX_FDS},
  };
  struct sf_message msg = message_of (lies[p->lie].type);
  uint8_t bytes[SF_MESSAGE_MAX];
  int len = sf_message_encode (&msg, bytes, sizeof bytes);

  memcpy (bytes + lies[p->lie].at, &lies[p->lie].value, 4);
  raw_send (p->fd, bytes, (size_t) len, STDIN_FILENO, lies[p->lie].n_fds);
}

static void
test_bad_messages (void)
{
  unit_skip_emulated_fds ();
  rp_run_lies (bad_message, 17);
}

static void
spoil_info (struct sf_segment_info *info, size_t lie)
{
  const struct sf_segment_info good = *info;
  const struct sf_segment_info lies[] = {
    {RAW_SEGMENT, good.n_slots, good.pitch, good.data_offset, good.size},
    {9, good.n_slots + 1, good.pitch, good.data_offset, good.size},
    {9, SF_MAX_SLOTS, good.pitch, good.data_offset, good.size},
    {9, good.n_slots, good.pitch * 2, good.data_offset, good.size},
    {9, good.n_slots, SF_MAX_SLOT_SIZE, good.data_offset, good.size},
    {9, good.n_slots, good.pitch - 64, good.data_offset, good.size},
    {9, good.n_slots, good.pitch, good.data_offset + 4096, good.size},
    {9, good.n_slots, good.pitch, good.data_offset, good.size + 4096},
    {9, good.n_slots, good.pitch, good.data_offset, UINT64_MAX},
  };

  check_cmp (lie, <, sizeof lies / sizeof lies[0]);
  *info = lies[lie];
}

static void
spoil_header (size_t lie, struct sf_segment_header *header)
{
  if (lie == 9)
    header->magic = 0;
  else if (lie == 10)
    header->version++;
  else if (lie == 11)
    header->n_slots = 1;
  else
    header->size = 1;
}

/* Not the segment at all: another size, another kind of file, no seals. */
static int
other_fd (const struct raw_producer *p, uint64_t size)
{
  int fd;

  if (p->lie < 16)
    return dup (p->lie == 13 ? p->announce.fd : p->lie == 14
        ? p->returns.fd : p->fd);
  fd = memfd_create ("lie", MFD_CLOEXEC);
  check_int (ftruncate (fd, (off_t) size), 0);
  return fd;
}

/* A second segment that is not what its message says. */
static void
bad_segment (struct raw_producer *p)
{
  struct sf_message msg = {.type = SF_MESSAGE_SEGMENT };
  struct sf_segment *s;
  int fd;

  check_int (sf_segment_create (&s, RAW_SLOTS, FRAME_BYTES), 0);
  sf_segment_describe (s, 9, &msg.segment);
  fd = s->shm.fd;
  if (p->lie < 9)
    spoil_info (&msg.segment, p->lie);
  else if (p->lie < 13)
    spoil_header (p->lie, sf_segment_header (s));
  else
    fd = other_fd (p, msg.segment.size);
  rp_send (p, &msg, fd);
  if (fd != s->shm.fd)
    close (fd);
  sf_segment_unref (s);
}

static void
test_bad_segments (void)
{
  rp_run_lies (bad_segment, 17);
}

/* Segments without end would be fds and addresses without end. */
static void
many_segments (struct raw_producer *p)
{
  struct sf_message msg = {.type = SF_MESSAGE_SEGMENT };
  struct sf_consumer_stats stats;
  uint32_t i = 0, n = 0;

  /* Full: it is behind, or does not listen any more. */
  for (int full = 0; full < 300 && i < 5000;) {
    sf_segment_describe (p->segment, 100 + i, &msg.segment);
    if (sf_send (p->fd, &msg, &p->segment->shm.fd, 1) == 0) {
      i++;
      full = 0;
    } else {
      full++;
      usleep (1000);
    }
    sf_consumer_get_stats (p->c, &stats);
    n = stats.n_segments > n ? stats.n_segments : n;
  }
  check_cmp (i, <, 5000);
  check_cmp (n, <=, 256);
}

static void
test_many_segments (void)
{
  rp_run_lies (many_segments, 1);
}

/* Connected to somebody who does not read, and with something to say: close() waits
 * for so long, whoever closes it last. */
static int
lingering_socket (int *other)
{
  const struct linger linger = {.l_onoff = 1,.l_linger = LINGER_S };
  struct sockaddr_in at = {.sin_family = AF_INET,.sin_addr.s_addr =
        htonl (INADDR_LOOPBACK)
  };
  int l = socket (AF_INET, SOCK_STREAM, 0);
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  socklen_t len = sizeof at;
  static const char text[65536];

  check_int (bind (l, (struct sockaddr *) &at, len), 0);
  check_int (listen (l, 1), 0);
  check_int (getsockname (l, (struct sockaddr *) &at, &len), 0);
  check_int (connect (fd, (struct sockaddr *) &at, len), 0);
  *other = accept (l, NULL, NULL);
  check_cmp (*other, >=, 0);
  while (send (fd, text, sizeof text, MSG_DONTWAIT) > 0);
  check_int (setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
  close (l);
  return fd;
}

/* A segment, a guard, and one too many, that closing takes for ever: neither the
 * connection's end nor the consumer's waits for it. */
static void
test_lingering_fds (void)
{
  for (int kind = 0; kind < 3; kind++) {
    struct sf_message grant = message_of (SF_MESSAGE_GRANT), segment;
    uint8_t bytes[SF_MESSAGE_MAX];
    struct raw_producer p;
    struct sf_received in;
    int other, fd = lingering_socket (&other);

    rp_open (&p);
    rp_welcome (&p);
    segment = rp_segment (&p);
    if (kind < 2)
      check_int (sf_send (p.fd, &segment, (int[]) {
              kind == 0 ? fd : p.segment->shm.fd, fd}, kind + 1), 0);
    else
      raw_send (p.fd, bytes, (size_t) sf_message_encode (&grant, bytes,
              sizeof bytes), fd, 1);
    close (fd);
    alarm (LINGER_S / 2);
    check_int (rp_await_end (&p, &in), SF_REASON_VIOLATION);
    rp_close (&p);
    alarm (0);
    close (other);
  }
}

/* What was announced before BYE is delivered; what is said after it is not
 * listened to. */
static void
test_bye_then_more (void)
{
  struct sf_message bye = message_of (SF_MESSAGE_BYE);
  struct sf_message junk = message_of (SF_MESSAGE_HELLO);
  struct raw_producer p;
  struct sf_received in;

  rp_open (&p);
  for (int i = 0; i < 3; i++) {
    rp_good_start (&p);
    rp_good_frame (&p, 2);
    rp_good_frame (&p, 3);
    rp_send (&p, &bye, -1);
    sf_send (p.fd, &junk, NULL, 0);
    for (uint64_t n = 2; n <= 3; n++) {
      take_frame (p.c, n);
    }
    check_int (rp_await_end (&p, &in), bye.reject.reason);
    check_int (in.kind, SF_RECEIVED_DISCONNECTED);
  }
  rp_close (&p);
}

/* What makes no difference: unknown segments gone, known ones gone while in use,
 * grants that shrink. */
static void
test_harmless (void)
{
  struct sf_message gone = message_of (SF_MESSAGE_SEGMENT_GONE);
  struct sf_message grant = message_of (SF_MESSAGE_GRANT);
  struct raw_producer p;
  struct sf_received in;
  struct sf_message msg = {.type = SF_MESSAGE_SEGMENT };

  rp_open (&p);
  rp_good_start (&p);
  rp_good_frame (&p, 2);
  next_of (p.c, &in, SF_RECEIVED_FRAME);
  rp_send (&p, &gone, -1);
  gone.segment_id = RAW_SEGMENT;
  rp_send (&p, &gone, -1);
  rp_send (&p, &gone, -1);
  grant.max_held = 1;
  rp_send (&p, &grant, -1);
  usleep (50000);
  /* Still there, since the frame is held. */
  check_int (check_frame (&in), 2);
  sf_lease_unref (in.lease);
  sf_segment_describe (p.segment, RAW_SEGMENT, &msg.segment);
  rp_send (&p, &msg, p.segment->shm.fd);
  rp_good_frame (&p, 3);
  take_frame (p.c, 3);
  rp_close (&p);
}

/* Gone without a word in the middle of everything, again and again. */
static void
test_hangs_up (void)
{
  struct raw_producer p;
  struct sf_received in;

  rp_open (&p);
  for (int i = 0; i < 20; i++) {
    rp_good_start (&p);
    rp_good_frame (&p, 2);
    rp_hang_up (&p);
    check_int (rp_await_end (&p, &in), SF_REASON_HANGUP);
  }
  rp_close (&p);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_out_of_place), TEST (test_bad_messages),
    TEST (test_bad_segments), TEST (test_many_segments),
    TEST (test_lingering_fds), TEST (test_bye_then_more), TEST (test_harmless), TEST (test_hangs_up),
  };

  return unit_main (tests);
}
