/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that lies in the handshake: the consumer fails, once, with a reason,
 * and leaves nothing behind. Built with a short SF_ANSWER_TIMEOUT_MS. */
#include <fcntl.h>
#include <sys/mman.h>

#include "rawproducer.h"

#define SEALED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

typedef void (*lie) (struct raw_producer * p);

static void
run_lie (lie tell)
{
  struct raw_producer p;
  struct sf_received in;

  rp_open (&p);
  rp_accept (&p);
  tell (&p);
  check_int (rp_await_end (&p, &in), -EPROTO);
  check_int (in.kind, SF_RECEIVED_FAILED);
  /* And so it stays. */
  check_int (sf_consumer_next (p.c, &in, 0), 1);
  check_int (in.kind, SF_RECEIVED_FAILED);
  rp_close (&p);
}

static void
patch (uint8_t * bytes, size_t at, uint64_t value, size_t size)
{
  memcpy (bytes + at, &value, size);
}

/* WELCOME with one field spoilt. */
enum
{
  AT_TYPE = 0, AT_SIZE = 4, AT_VERSION = 8, AT_LEASES = 12, AT_ANNOUNCE = 24,
  AT_RETURNS = 32, AT_HELD = 40, AT_CLOCK = 44
};

static const struct
{
  size_t at;
  uint64_t value;
  size_t size;
} fields[] = {
  {AT_TYPE, 0, 4}, {AT_TYPE, 99, 4}, {AT_SIZE, 51, 4}, {AT_SIZE, 53, 4},
  {AT_VERSION, 0, 4}, {AT_VERSION, SF_PROTOCOL_VERSION + 1, 4}, {AT_LEASES, 0, 4},
  {AT_LEASES, SF_MAX_LEASES + 1, 4}, {AT_ANNOUNCE, 0, 8},
  {AT_ANNOUNCE, SF_ANNOUNCE_DATA_OFFSET, 8},
  {AT_ANNOUNCE, SF_ANNOUNCE_DATA_OFFSET + SF_ANNOUNCE_RING_SIZE / 2, 8},
  {AT_ANNOUNCE, SF_ANNOUNCE_DATA_OFFSET + 2 * SF_ANNOUNCE_RING_SIZE, 8},
  {AT_ANNOUNCE, UINT64_MAX, 8}, {AT_RETURNS, 0, 8}, {AT_RETURNS, 4096, 8},
  {AT_RETURNS, sizeof (struct sf_returns_page) + 1, 8},
  {AT_RETURNS, UINT64_MAX, 8}, {AT_HELD, 0, 4},
  {AT_HELD, SF_MAX_LEASES + 1, 4}, {AT_HELD, UINT32_MAX, 4},
  {AT_CLOCK, UINT64_MAX, 8},
};

static size_t current;

static void
send_welcome (struct raw_producer *p, const uint8_t * bytes, size_t len,
    const int *fds, unsigned n)
{
  _Alignas (struct cmsghdr) char control[CMSG_SPACE (3 * sizeof (int))];
  struct iovec iov = {.iov_base = (void *) bytes,.iov_len = len };
  struct msghdr mh = {.msg_iov = &iov,.msg_iovlen = 1,.msg_control =
        control,.msg_controllen = CMSG_SPACE (n * sizeof (int))
  };
  struct cmsghdr *c = (struct cmsghdr *) control;

  memset (control, 0, sizeof control);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN (n * sizeof (int));
  memcpy (CMSG_DATA (c), fds, n * sizeof (int));
  if (n == 0)
    mh.msg_controllen = 0;
  check_int (sendmsg (p->fd, &mh, MSG_NOSIGNAL), len);
}

static void
welcome_with (struct raw_producer *p, int announce, int returns, unsigned n)
{
  struct sf_message msg = message_of (SF_MESSAGE_WELCOME);
  uint8_t bytes[SF_MESSAGE_MAX];
  int len = sf_message_encode (&msg, bytes, sizeof bytes);

  send_welcome (p, bytes, (size_t) len, (int[]) {
      announce, returns, p->guard[1]}, n);
}

static void
spoil_field (struct raw_producer *p)
{
  struct sf_message msg = rp_prepare (p);
  uint8_t bytes[SF_MESSAGE_MAX];
  int len = sf_message_encode (&msg, bytes, sizeof bytes);

  patch (bytes, fields[current].at, fields[current].value,
      fields[current].size);
  send_welcome (p, bytes, (size_t) len, (int[]) {
      p->announce.fd, p->returns.fd, p->guard[1]}, 3);
}

static void
test_welcome_fields (void)
{
  for (current = 0; current < sizeof fields / sizeof fields[0]; current++)
    run_lie (spoil_field);
}

static void
few_fds (struct raw_producer *p)
{
  rp_prepare (p);
  welcome_with (p, p->announce.fd, p->returns.fd, (unsigned) current);
}

static void
test_welcome_fds (void)
{
  for (current = 0; current < 3; current++)
    run_lie (few_fds);
}

/* A memfd of this size with these seals; `whole`: without holes. */
static int
memfd (uint64_t size, int seals, bool whole)
{
  int fd = memfd_create ("lie", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  check_int (ftruncate (fd, (off_t) size), 0);
  if (whole)
    check_int (fallocate (fd, 0, 0, (off_t) size), 0);
  check_int (fcntl (fd, F_ADD_SEALS, seals), 0);
  return fd;
}

static const uint64_t announce_size =
    SF_ANNOUNCE_DATA_OFFSET + SF_ANNOUNCE_RING_SIZE;
static const uint64_t returns_size = sizeof (struct sf_returns_page);

/* The fd that comes as announce or returns memory is another one. */
static int
bad_memory (size_t which, bool announce)
{
  uint64_t size = announce ? announce_size : returns_size;
  int seals = announce ? SEALED | F_SEAL_FUTURE_WRITE : SEALED;

  switch (which) {
    case 0:
      return memfd (size, 0, true);
    case 1:
      return memfd (size, seals & ~F_SEAL_SHRINK, true);
    case 2:
      return memfd (size, seals & ~F_SEAL_GROW, true);
    case 3:
      return memfd (size, seals & ~F_SEAL_SEAL, true);
    case 4:
      return memfd (size, announce ? SEALED : seals | F_SEAL_FUTURE_WRITE,
          true);
    case 5:
      return memfd (size - 1, seals, true);
    case 6:
      return memfd (size + 4096, seals, true);
    case 7:
      return memfd (size, seals, false);
    case 8:
      return memfd (0, seals, false);
    case 9:
      return memfd (size, seals, true); /* no header in it */
    case 10:
      return open ("/dev/null", O_RDWR | O_CLOEXEC);
    case 11:
      return open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    default:
      return open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
}

static void
bad_announce (struct raw_producer *p)
{
  int fd = bad_memory (current, true);

  rp_prepare (p);
  welcome_with (p, fd, p->returns.fd, 3);
  close (fd);
}

static void
bad_returns (struct raw_producer *p)
{
  int fd = bad_memory (current, false);

  rp_prepare (p);
  welcome_with (p, p->announce.fd, fd, 3);
  close (fd);
}

static void
test_announce_memory (void)
{
  for (current = 0; current <= 12; current++)
    run_lie (bad_announce);
}

static void
test_returns_memory (void)
{
  for (current = 0; current <= 12; current++)
    run_lie (bad_returns);
}

static void
bad_ring_header (struct raw_producer *p)
{
  static const uint64_t sizes[] = { 0, 1, 4095, 4096,
    SF_ANNOUNCE_RING_SIZE - 64, 2 * SF_ANNOUNCE_RING_SIZE, UINT64_MAX
  };
  struct sf_announce_header *h;
  struct sf_returns_page *page;
  struct sf_message msg = rp_prepare (p);

  h = p->announce.map;
  page = p->returns.map;
  switch (current) {
    case 0:
      h->magic++;
      break;
    case 1:
      h->version++;
      break;
    case 2:
      h->n_leases--;
      break;
    case 3:
      page->magic = 0;
      break;
    case 4:
      page->version = 0;
      break;
    default:
      h->ring_size = sizes[current - 5];
      break;
  }
  check_int (sf_send (p->fd, &msg, (int[]) {
          p->announce.fd, p->returns.fd, p->guard[1]}, 3), 0);
}

static void
test_ring_header (void)
{
  for (current = 0; current < 12; current++)
    run_lie (bad_ring_header);
}

static void
garbage (struct raw_producer *p)
{
  char bytes[5000];

  memset (bytes, (int) current * 85, sizeof bytes);
  raw_send (p->fd, bytes, current * 1666, STDIN_FILENO, (unsigned) current);
}

static void
not_welcome (struct raw_producer *p)
{
  struct sf_message msg = message_of ((uint32_t) current);

  rp_send (p, &msg, fds_of ((uint32_t) current) ? STDIN_FILENO : -1);
}

static void
test_not_welcome (void)
{
  for (current = 0; current < 4; current++)
    run_lie (garbage);
  for (current = FIRST_TYPE; current <= LAST_TYPE; current++)
    if (current != SF_MESSAGE_WELCOME && current != SF_MESSAGE_REJECT)
      run_lie (not_welcome);
}

/* It may be stopped, so that is not the end; but nobody waits at this
 * connection for ever. */
static void
test_silence (void)
{
  struct pollfd end = {.events = POLLIN };
  struct raw_producer p;
  struct sf_received in;
  char byte;

  rp_open (&p);
  rp_accept (&p);
  end.fd = p.fd;
  check_int (poll (&end, 1, 20000), 1);
  check_int (recv (p.fd, &byte, 1, 0), 0);
  next_of (p.c, &in, SF_RECEIVED_WAITING);
  rp_good_start (&p);
  rp_close (&p);
}

static void
test_rejected (void)
{
  struct sf_message msg = message_of (SF_MESSAGE_REJECT);
  struct raw_producer p;
  struct sf_received in;

  rp_open (&p);
  rp_accept (&p);
  rp_send (&p, &msg, -1);
  check_int (rp_await_end (&p, &in), -EACCES);
  check_int (in.reject.reason, msg.reject.reason);
  rp_close (&p);
}

/* Whoever hangs up in the handshake may have been about to go, so it is tried
 * again, but not as fast as can be. */
static void
test_hangs_up (void)
{
  int64_t until = sf_now () + SF_NS_PER_SECOND / 2;
  struct raw_producer p;
  int n = 0;

  rp_open (&p);
  while (sf_now () < until)
    if (rp_accept_within (&p, 10)) {
      close (p.fd);
      p.fd = -1;
      n++;
    }
  check_cmp (n, >=, 2);
  check_cmp (n, <=, 30);
  rp_good_start (&p);
  rp_close (&p);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_welcome_fields), TEST (test_welcome_fds),
    TEST (test_announce_memory), TEST (test_returns_memory),
    TEST (test_ring_header), TEST (test_not_welcome), TEST (test_silence),
    TEST (test_rejected), TEST (test_hangs_up),
  };

  return unit_main (tests);
}
