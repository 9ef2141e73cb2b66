/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Few fds: one for each segment at a consumer; and those on their way to clients that
 * do not read, of which the user may have only so many, keep nobody else waiting. */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "rawclient.h"

#define LIMIT 256
#define STOPPED 40
#define HONEST 24
#define FORMATS 20

static void
await_fds (int n)
{
  for (int i = 0; i < 2000 && unit_count_fds () != n; i++)
    usleep (1000);
  check_int (unit_count_fds (), n);
}

static void
test_one_fd_per_segment (void)
{
  struct sf_received in;
  struct sf_lease *held[4];
  struct sf_producer *p;
  struct sf_consumer *c;
  struct place place;
  uint64_t needed;
  int fds = 0;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  c = open_consumer (place.path, SF_DELIVERY_LIVE, 8);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  for (uint64_t i = 0; i < 4; i++) {
    check_int (sf_producer_set_format (p, (i + 1) * FRAME_BYTES, 1, &needed), 0);
    check (send_frame (p, i, false));
    next_of (c, &in, SF_RECEIVED_FRAME);
    check_int (check_frame (&in), i);
    held[i] = in.lease;
    /* The thread looks at files while it makes the rest of the ring. */
    usleep (20000);
    if (i == 0)
      fds = unit_count_fds ();
  }
  /* The producer's and the consumer's, of three segments more. */
  await_fds (fds + 2 * 3);
  for (int i = 0; i < 4; i++)
    sf_lease_unref (held[i]);
  close_all (c, p, &place);
}

/* Of a user whom the limit of fds on their way holds for, and who has none yet. */
static bool
be_somebody (void)
{
  uid_t uid = 20000 + (uid_t) getpid () % 30000;

  if (geteuid () == 0 && setresuid (uid, uid, uid) < 0) {
    printf ("# this process may not be another user\n");
    return false;
  }
  return true;
}

static void
limit_fds (rlim_t n)
{
  struct rlimit limit;

  check_int (getrlimit (RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = n;
  check_int (setrlimit (RLIMIT_NOFILE, &limit), 0);
}

/* Joins when it is told to, and stops. */
static pid_t
fork_stopped (const char *path, int go)
{
  pid_t pid = fork ();
  char order;

  if (pid != 0)
    return pid;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  check_int (read (go, &order, 1), 1);
  for (int i = 0; i < STOPPED; i++)
    raw_join_at (path, SF_DELIVERY_LIVE, 1);
  raise (SIGSTOP);
  _exit (0);
}

/* Takes each frame with each of its consumers, and says so. */
static pid_t
fork_honest (const char *path, int answer)
{
  struct sf_consumer *c[HONEST];
  struct sf_received in;
  pid_t pid = fork ();

  if (pid != 0)
    return pid;
  for (int i = 0; i < HONEST; i++)
    c[i] = open_consumer (path, SF_DELIVERY_LIVE, 1);
  for (uint64_t n = 0; n <= FORMATS; n++) {
    for (int i = 0; i < HONEST; i++) {
      do {
        check_int (sf_consumer_next (c[i], &in, LONG), 1);
        check (in.kind != SF_RECEIVED_DISCONNECTED);
      } while (in.kind != SF_RECEIVED_FRAME);
      check_int (check_frame (&in), n);
      sf_lease_unref (in.lease);
    }
    check_int (write (answer, "n", 1), 1);
  }
  for (int i = 0; i < HONEST; i++)
    sf_consumer_close (c[i]);
  _exit (0);
}

static void
test_clients_that_stand_still (void)
{
  struct sf_producer_config config = {.mode = 0600,.max_clients =
        64,.max_memory = UINT64_C (1) << 28
  };
  struct sf_producer_stats stats;
  struct sf_producer *p;
  struct place place;
  int go[2], answer[2], status;
  pid_t stopped, honest;
  uint64_t needed;
  char order;

  if (!be_somebody ())
    return;
  place_make (&place);
  check (pipe (go) == 0 && pipe (answer) == 0);
  stopped = fork_stopped (place.path, go[0]);
  honest = fork_honest (place.path, answer[1]);
  limit_fds (LIMIT);
  config.path = place.path;
  check_int (sf_producer_open (&p, &config), 0);
  sf_producer_set_delivery (p, true, false, 0, UINT64_MAX);
  check_int (sf_producer_wait_clients (p, HONEST), 0);
  check_int (write (go[1], "g", 1), 1);
  check_int (sf_producer_wait_clients (p, HONEST + STOPPED), 0);
  check_int (waitpid (stopped, &status, WUNTRACED), stopped);
  check (WIFSTOPPED (status));
  for (uint64_t n = 0; n <= FORMATS; n++) {
    check_int (sf_producer_set_format (p, (n + 1) * FRAME_BYTES, 1, &needed),
        0);
    check (send_frame (p, n, false));
    check_int (read (answer[0], &order, 1), 1);
    /* Nobody has been sent away; after the last one the honest ones leave. */
    sf_producer_get_stats (p, &stats);
    check_int (n < FORMATS ? stats.n_clients : HONEST + STOPPED,
        HONEST + STOPPED);
  }
  check_int (kill (stopped, SIGKILL), 0);
  check_int (waitpid (stopped, NULL, 0), stopped);
  unit_wait_ok (honest);
  sf_producer_close (p);
  close (go[0]);
  close (go[1]);
  close (answer[0]);
  close (answer[1]);
  place_remove (&place);
}

/* As many fds on their way as may be, none of them the producer's. */
static int
fill_up (int n)
{
  char control[CMSG_SPACE (200 * sizeof (int))] = { 0 };
  struct iovec iov = {.iov_base = control,.iov_len = 1 };
  struct msghdr mh = {.msg_iov = &iov,.msg_iovlen = 1,.msg_control =
        control,.msg_controllen = CMSG_SPACE ((size_t) n * sizeof (int))
  };
  struct cmsghdr *c = CMSG_FIRSTHDR (&mh);
  int pair[2];

  check_int (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN ((size_t) n * sizeof (int));
  for (int i = 0; i < n; i++)
    memcpy (CMSG_DATA (c) + (size_t) i * sizeof (int), &(int) { 1 },
        sizeof (int));
  check_int (sendmsg (pair[0], &mh, 0), 1);
  close (pair[0]);
  return pair[1];
}

/* A hog is one that does not read for a while: wait until it was sent away. */
static void
await_eviction (struct sf_producer *p, struct raw_client *hog)
{
  struct sf_producer_stats stats;

  for (int i = 0; i < 10000; i++) {
    sf_producer_get_stats (p, &stats);
    if (stats.n_clients < 2)
      break;
    usleep (1000);
  }
  check_int (stats.n_clients, 1);
  check_int (raw_await_end (hog), SF_REASON_SLOW);
}

/* None can be sent at all: the one goes that leaves most of them unread, and who reads
 * goes on. */
static void
test_none_can_be_sent (void)
{
  struct sf_producer *p;
  struct sf_consumer *c;
  struct raw_client r;
  struct sf_received in;
  struct place place;
  uint64_t needed, n = 0;
  int full;

  if (!be_somebody ())
    return;
  place_make (&place);
  p = open_producer (place.path, 0, false);
  c = open_consumer (place.path, SF_DELIVERY_LIVE, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
  check_int (sf_producer_wait_clients (p, 2), 0);
  check (send_frame (p, n++, false));
  next_of (c, &in, SF_RECEIVED_FRAME);
  sf_lease_unref (in.lease);
  limit_fds (100);
  full = fill_up (110);
  check_int (sf_producer_set_format (p, 2 * FRAME_BYTES, 1, &needed), 0);
  check (send_frame (p, n++, false));
  await_eviction (p, &r);
  raw_close (&r);
  close (full);
  check (send_frame (p, n, false));
  /* It may have the frame before, late. */
  for (uint64_t got = 0; got < n;) {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check (in.kind != SF_RECEIVED_DISCONNECTED);
    if (in.kind != SF_RECEIVED_FRAME)
      continue;
    got = check_frame (&in);
    sf_lease_unref (in.lease);
  }
  close_all (c, p, &place);
}

/* Reads what is there; how many segments it was told of. */
static unsigned
read_segments (struct raw_client *r)
{
  int fds[SF_MESSAGE_MAX_FDS], type;
  struct sf_message msg;
  unsigned n = 0;

  while ((type = raw_next (r, &msg, fds, 50)) > 0) {
    raw_close_fds (fds);
    n += type == SF_MESSAGE_SEGMENT;
  }
  check_int (type, -1);
  return n;
}

static void
send_format (struct sf_producer *p, uint64_t n)
{
  uint64_t needed;

  check_int (sf_producer_set_format (p, (n + 1) * FRAME_BYTES, 1, &needed), 0);
  check (send_frame (p, n, false));
}

/* A message without fds that is still unread does not count as the fds before it,
 * which were read. */
static void
test_unread_hint (void)
{
  struct pollfd readable = {.events = POLLIN };
  struct raw_client hog, reader;
  struct sf_producer *p;
  struct place place;
  int full;

  if (!be_somebody ())
    return;
  place_make (&place);
  p = open_producer (place.path, 0, false);
  hog = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  reader = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  check_int (sf_producer_wait_clients (p, 2), 0);
  check (send_frame (p, 0, false));
  check_int (read_segments (&reader), 1);
  sf_producer_set_delivery (p, true, false, 1, UINT64_MAX);
  readable.fd = reader.fd;
  check_int (poll (&readable, 1, 10000), 1);
  limit_fds (100);
  full = fill_up (110);
  send_format (p, 1);
  await_eviction (p, &hog);
  close (full);
  raw_close (&hog);
  raw_close (&reader);
  sf_producer_close (p);
  place_remove (&place);
}

static int
bytes_to_read (int fd)
{
  int n;

  check_int (ioctl (fd, FIONREAD, &n), 0);
  return n;
}

/* Begins to join, and lets what comes lie. */
static struct raw_client
raw_join_later (const char *path)
{
  struct sf_message hello = raw_hello (SF_DELIVERY_LIVE, 1);
  struct raw_client r = raw_connect (path);

  check_int (sf_send (r.fd, &hello, NULL, 0), 0);
  return r;
}

/* Reads to the first segment. Keeps what WELCOME brought. */
static void
read_to_segment (struct raw_client *r, int welcome[SF_MESSAGE_MAX_FDS])
{
  int fds[SF_MESSAGE_MAX_FDS], type;
  struct sf_message msg;

  do {
    type = raw_next (r, &msg, fds, 10000);
    check_cmp (type, >, 0);
    if (type == SF_MESSAGE_WELCOME)
      memcpy (welcome, fds, sizeof (fds));
    else
      raw_close_fds (fds);
  } while (type != SF_MESSAGE_SEGMENT);
}

/* As no fds can be sent, who has read all but the last message seems to have most of them
 * unread. It reads on a little later, and stays. */
static void
test_reads_on (void)
{
  int welcome[SF_MESSAGE_MAX_FDS], unread, full;
  struct raw_client hog, reader;
  struct sf_producer *p;
  struct place place;

  if (!be_somebody ())
    return;
  place_make (&place);
  p = open_producer (place.path, 0, false);
  hog = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  reader = raw_join_later (place.path);
  check_int (sf_producer_wait_clients (p, 2), 0);
  check (send_frame (p, 0, false));
  unread = bytes_to_read (reader.fd);
  sf_producer_set_delivery (p, true, false, 1, UINT64_MAX);
  while (bytes_to_read (reader.fd) == unread)
    usleep (1000);
  read_to_segment (&reader, welcome);
  limit_fds (100);
  full = fill_up (110);
  send_format (p, 1);
  check_int (read_segments (&reader), 0);
  await_eviction (p, &hog);
  close (full);
  raw_close_fds (welcome);
  raw_close (&hog);
  raw_close (&reader);
  sf_producer_close (p);
  place_remove (&place);
}

#define HOGS 7

/* Half of the fds on their way are those of clients that do not read. Who has read
 * all but the last ones gets more. */
static void
test_share (void)
{
  struct raw_client hog[HOGS], reader;
  struct sf_producer *p;
  struct place place;
  uint64_t n = 0;

  if (!be_somebody ())
    return;
  place_make (&place);
  p = open_producer (place.path, 0, false);
  for (int i = 0; i < HOGS; i++)
    hog[i] = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  reader = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  check_int (sf_producer_wait_clients (p, HOGS + 1), 0);
  limit_fds (96);
  while (n < 9) {
    send_format (p, n++);
    check_int (read_segments (&reader), 1);
  }
  send_format (p, n++);
  send_format (p, n++);
  send_format (p, n++);
  check_int (read_segments (&reader), 3);
  for (int i = 0; i < HOGS; i++)
    raw_close (&hog[i]);
  raw_close (&reader);
  sf_producer_close (p);
  place_remove (&place);
}

/* A client that leaves so many unread that it does not get the last segment has the
 * last frame as soon as it reads on, though no other follows. */
static void
test_late_segment (void)
{
  struct sf_record_header record;
  struct sf_producer *p;
  struct raw_client r;
  struct place place;
  uint64_t first;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check (send_frame (p, 0, false));
  check (raw_take (&r, &record));
  raw_return (&r, record.lease);
  first = record.seq;
  for (uint64_t n = 1; n < 12; n++)
    send_format (p, n);
  read_segments (&r);
  do {
    check (raw_take (&r, &record));
    raw_return (&r, record.lease);
  } while (record.seq < first + 11);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_one_fd_per_segment), TEST (test_clients_that_stand_still),
    TEST (test_none_can_be_sent), TEST (test_unread_hint), TEST (test_reads_on),
    TEST (test_share), TEST (test_late_segment),
  };

  return unit_main (tests);
}
