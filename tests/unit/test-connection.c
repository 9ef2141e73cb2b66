/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "shared/connection.h"
#include "messages.h"
#include "raw.h"

/* The fds that go with a message are this one, which has an identity. */
static int
open_something (void)
{
  int fd = memfd_create ("something", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  check_cmp (fd, >=, 0);
  return fd;
}

static bool
is_same_file (int a, int b)
{
  struct stat sa, sb;

  return fstat (a, &sa) == 0 && fstat (b, &sb) == 0
      && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* The result is `want`, nothing is written, and no fd has come in. */
static void
check_receive_fails (int fd, int want)
{
  struct sf_message m, before;
  int fds[SF_MESSAGE_MAX_FDS] = { -7, -7, -7 };
  int open_before = unit_count_fds ();

  memset (&m, 0x5a, sizeof m);
  before = m;
  check_int (sf_receive (fd, &m, fds), want);
  check (memcmp (&m, &before, sizeof m) == 0);
  check (fds[0] == -7 && fds[1] == -7 && fds[2] == -7);
  check_int (unit_count_fds (), open_before);
}

static void
test_each_message_crosses (void)
{
  int file = open_something ();
  int passed[SF_MESSAGE_MAX_FDS];
  struct pair p = new_pair ();

  for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++)
    passed[i] = file;
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct sf_message m = message_of (type), got;
    unsigned n = type == SF_MESSAGE_SEGMENT ? SF_MESSAGE_MAX_FDS
        : fds_of (type);
    int fds[SF_MESSAGE_MAX_FDS];

    check_int (sf_send (p.theirs, &m, passed, n), 0);
    check_int (sf_receive (p.ours, &got, fds), 1);
    check (memcmp (&m, &got, sizeof m) == 0);
    for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++) {
      check (i < n ? fds[i] > file : fds[i] == -1);
      if (i >= n)
        continue;
      check (is_same_file (fds[i], file));
      check_int (fcntl (fds[i], F_GETFD), FD_CLOEXEC);
      close (fds[i]);
    }
  }
  check_receive_fails (p.ours, -EAGAIN);
  close (file);
  close_pair (&p);
}

static void
test_send_refuses (void)
{
  struct pair p = new_pair ();
  struct sf_message want = message_of (SF_MESSAGE_WANT);
  struct sf_message segment = message_of (SF_MESSAGE_SEGMENT);
  int bad = -1;

  check_int (sf_send (p.ours, &want, &p.ours, 1), -EINVAL);
  check_int (sf_send (p.ours, &segment, NULL, 0), -EINVAL);
  check_int (sf_send (p.ours, &segment, &p.ours, 300), -EINVAL);
  check_int (sf_send (p.ours, &segment, &bad, 1), -EBADF);
  want.max_held = 0;
  check_int (sf_send (p.ours, &want, NULL, 0), -EINVAL);
  check_receive_fails (p.theirs, -EAGAIN);
  close_pair (&p);
}

static void
test_buffer_full (void)
{
  struct pair p = new_pair ();
  struct sf_message m = message_of (SF_MESSAGE_BYE), got;
  int fds[SF_MESSAGE_MAX_FDS], err, sent = 0, received = 0;

  while ((err = sf_send (p.ours, &m, NULL, 0)) == 0)
    sent++;
  check_int (err, -EAGAIN);
  check_cmp (sent, >, 0);
  while ((err = sf_receive (p.theirs, &got, fds)) == 1)
    received++;
  check_int (err, -EAGAIN);
  check_int (received, sent);
  close_pair (&p);
}

static void
test_end_of_file (void)
{
  struct pair p = new_pair ();
  struct sf_message m = message_of (SF_MESSAGE_BYE), got;
  int fds[SF_MESSAGE_MAX_FDS];

  check_int (sf_send (p.theirs, &m, NULL, 0), 0);
  close (p.theirs);
  check_int (sf_receive (p.ours, &got, fds), 1);
  check_receive_fails (p.ours, 0);
  check_receive_fails (p.ours, 0);
  check_int (sf_send (p.ours, &m, NULL, 0), -EPIPE);
  close (p.ours);
}

static void
test_end_of_one_direction (void)
{
  struct pair p = new_pair ();

  check_int (shutdown (p.theirs, SHUT_WR), 0);
  check_receive_fails (p.ours, 0);
  close_pair (&p);
}

/* The producer rejects and closes while messages of ours lie unread there: the
 * kernel reports a reset, and the reason must still be heard. */
static void
test_reason_survives_reset (void)
{
  struct pair p = new_pair ();
  struct sf_message hello = message_of (SF_MESSAGE_HELLO), got;
  struct sf_message reject = message_of (SF_MESSAGE_REJECT);
  int fds[SF_MESSAGE_MAX_FDS];

  check_int (sf_send (p.ours, &hello, NULL, 0), 0);
  check_int (sf_send (p.theirs, &reject, NULL, 0), 0);
  close (p.theirs);
  check_int (sf_receive (p.ours, &got, fds), 1);
  check_int (got.type, SF_MESSAGE_REJECT);
  check_receive_fails (p.ours, 0);
  close (p.ours);
}

static void
test_send_after_reset (void)
{
  struct pair p = new_pair ();
  struct sf_message hello = message_of (SF_MESSAGE_HELLO);

  check_int (sf_send (p.ours, &hello, NULL, 0), 0);
  close (p.theirs);
  check_int (sf_send (p.ours, &hello, NULL, 0), -EPIPE);
  check_int (sf_send (p.ours, &hello, NULL, 0), -EPIPE);
  close (p.ours);
}

/* A peer that dies in the middle of a message, at each byte of it, with and
 * without the fds of the whole one. */
static void
test_cut_at_every_byte (void)
{
  int file = open_something ();

  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct sf_message m = message_of (type);
    uint8_t bytes[SF_MESSAGE_MAX];
    int len = sf_message_encode (&m, bytes, sizeof bytes);
    unsigned n = fds_of (type);

    for (int cut = 0; cut < len; cut++) {
      struct pair p = new_pair ();

      raw_send (p.theirs, bytes, (size_t) cut, file, n);
      close (p.theirs);
      check_receive_fails (p.ours, cut == 0 && n == 0 ? 0 : -EPROTO);
      check_receive_fails (p.ours, 0);
      close (p.ours);
    }
  }
  close (file);
}

/* Of a peer that lives on, nothing is not the end. */
static void
test_empty_datagram (void)
{
  int file = open_something ();
  struct pair p = new_pair ();

  raw_send (p.theirs, "", 0, -1, 0);
  check_receive_fails (p.ours, -EPROTO);
  raw_send (p.theirs, "", 0, file, 3);
  check_receive_fails (p.ours, -EPROTO);
  check_receive_fails (p.ours, -EAGAIN);
  close (file);
  close_pair (&p);
}

static void
test_too_long (void)
{
  static uint8_t bytes[SF_MESSAGE_MAX * 2];
  struct sf_message m = message_of (SF_MESSAGE_WANT);
  int file = open_something ();
  struct pair p = new_pair ();

  check_cmp (sf_message_encode (&m, bytes, sizeof bytes), >, 0);
  raw_send (p.theirs, bytes, SF_MESSAGE_MAX + 1, -1, 0);
  check_receive_fails (p.ours, -EPROTO);
  raw_send (p.theirs, bytes, sizeof bytes, file, 3);
  check_receive_fails (p.ours, -EPROTO);
  close (file);
  close_pair (&p);
}

/* Whose first 4096 bytes would be a good message by themselves. */
static void
test_cut_by_our_buffer (void)
{
  static uint8_t bytes[SF_MESSAGE_MAX + 1];
  struct sf_message m = message_of (SF_MESSAGE_HELLO);
  struct pair p = new_pair ();

  m.hello.version_min = m.hello.version_max = SF_PROTOCOL_VERSION + 1;
  check_int (sf_message_encode (&m, bytes, sizeof bytes), 20);
  bytes[4] = SF_MESSAGE_MAX & 0xff;
  bytes[5] = SF_MESSAGE_MAX >> 8;
  raw_send (p.theirs, bytes, SF_MESSAGE_MAX + 1, -1, 0);
  check_receive_fails (p.ours, -EPROTO);
  close_pair (&p);
}

static void
test_surplus_fds (void)
{
  int file = open_something ();

  unit_skip_emulated_fds ();
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    struct sf_message m = message_of (type);
    uint8_t bytes[SF_MESSAGE_MAX];
    int len = sf_message_encode (&m, bytes, sizeof bytes);
    struct pair p = new_pair ();

    for (unsigned n = 0; n <= RAW_MAX_FDS; n += n < 12 ? 1 : 31) {
      if (sf_message_takes_fds (type, n))
        continue;
      raw_send (p.theirs, bytes, (size_t) len, file, n);
      check_receive_fails (p.ours, -EPROTO);
    }
    raw_send (p.theirs, bytes, (size_t) len, file, RAW_MAX_FDS);
    check_receive_fails (p.ours, -EPROTO);
    close_pair (&p);
  }
  close (file);
}

/* Room for `room` more fds where `sent` come: the kernel installs the first ones
 * and says that some are lost. That these would do must not help. */
static void
check_out_of_fds (unsigned sent, int room)
{
  struct sf_message m = message_of (SF_MESSAGE_SEGMENT), got;
  int fds[SF_MESSAGE_MAX_FDS] = { -7, -7, -7 }, file = open_something ();
  struct pair p = new_pair ();
  uint8_t bytes[SF_MESSAGE_MAX];
  struct rlimit limit;
  int len = sf_message_encode (&m, bytes, sizeof bytes), last = p.theirs;

  check_cmp (p.theirs, >, p.ours);
  raw_send (p.theirs, bytes, (size_t) len, file, sent);
  raw_send (p.theirs, bytes, (size_t) len, file, 3);
  check_int (getrlimit (RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t) (last + 1 + room);
  check_int (setrlimit (RLIMIT_NOFILE, &limit), 0);
  check_int (sf_receive (p.ours, &got, fds),
      room < (int) SF_MESSAGE_MAX_FDS ? -EMFILE : -EPROTO);
  check (fds[0] == -7 && fcntl (last + 1, F_GETFD) == -1);
  limit.rlim_cur = limit.rlim_max;
  check_int (setrlimit (RLIMIT_NOFILE, &limit), 0);
  check_int (sf_receive (p.ours, &got, fds), 1);
  for (int i = 0; i < 3; i++)
    close (fds[i]);
  close (file);
  close_pair (&p);
}

static void
test_out_of_fds (void)
{
  for (int room = 0; room < 3; room++)
    check_out_of_fds (3, room);
  check_out_of_fds (SF_MESSAGE_MAX_FDS + 1, SF_MESSAGE_MAX_FDS);
  check_out_of_fds (200, SF_MESSAGE_MAX_FDS);
}

static void
test_no_fds_wanted (void)
{
  struct sf_message m = message_of (SF_MESSAGE_WANT), got;
  struct sf_message segment = message_of (SF_MESSAGE_SEGMENT);
  struct pair p = new_pair ();
  int open_before = unit_count_fds ();

  check_int (sf_send (p.theirs, &m, NULL, 0), 0);
  check_int (sf_receive (p.ours, &got, NULL), 1);
  check_int (got.max_held, 52);
  check_int (sf_send (p.theirs, &segment, &p.ours, 1), 0);
  check_int (sf_receive (p.ours, &got, NULL), -EPROTO);
  raw_send (p.theirs, "", 0, p.ours, 1);
  check_int (sf_receive (p.ours, &got, NULL), -EPROTO);
  check_int (got.type, SF_MESSAGE_WANT);
  check_int (unit_count_fds (), open_before);
  close_pair (&p);
}

static void
test_peer_credentials (void)
{
  struct pair p = new_pair ();
  struct sf_credentials peer = { -1, 4711, 4711 };

  check_int (sf_peer_credentials (p.ours, &peer), 0);
  check_int (peer.pid, getpid ());
  check_int (peer.uid, getuid ());
  check_int (peer.gid, getgid ());
  close_pair (&p);
  check_int (sf_peer_credentials (p.ours, &peer), -EBADF);
}

static const struct unit_test tests[] = {
  TEST (test_each_message_crosses),
  TEST (test_send_refuses),
  TEST (test_buffer_full),
  TEST (test_end_of_file),
  TEST (test_end_of_one_direction),
  TEST (test_reason_survives_reset),
  TEST (test_send_after_reset),
  TEST (test_cut_at_every_byte),
  TEST (test_empty_datagram),
  TEST (test_too_long),
  TEST (test_cut_by_our_buffer),
  TEST (test_surplus_fds),
  TEST (test_out_of_fds),
  TEST (test_no_fds_wanted),
  TEST (test_peer_credentials),
};

/* Without those that it inherited: test_out_of_fds counts on which are free. */
int
main (void)
{
  for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
    close (fd);
  return unit_main (tests);
}
