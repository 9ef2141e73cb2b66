/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client that misuses its connection: fds passed or closed or kept, a socket
 * never read, wake-ups without end. See scene.h for what is checked besides. */
#include <arpa/inet.h>
#include <linux/falloc.h>
#include <netinet/in.h>

#include "scene.h"

#define GRANTED 2u

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* A socket whose close() waits an hour for what nobody reads. The connection's
 * other end comes in `other`. */
static int
new_lingering_socket (int *other)
{
  struct sockaddr_in a = {.sin_family = AF_INET,.sin_addr.s_addr =
        htonl (INADDR_LOOPBACK)
  };
  struct linger linger = {.l_onoff = 1,.l_linger = 3600 };
  socklen_t len = sizeof a;
  int l = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  static char bytes[1 << 16];

  check_int (bind (l, (struct sockaddr *) &a, sizeof a), 0);
  check_int (listen (l, 1), 0);
  check_int (getsockname (l, (struct sockaddr *) &a, &len), 0);
  check_int (connect (fd, (struct sockaddr *) &a, sizeof a), 0);
  *other = accept (l, NULL, NULL);
  check_cmp (*other, >=, 0);
  close (l);
  check_int (setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger),
      0);
  while (send (fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0);
  return fd;
}

/* As raw_send(), for a producer that may have seen to it that no fds pass. */
static bool
try_send_fds (int fd, const void *bytes, size_t len, int passed, unsigned n)
{
  static char control[CMSG_SPACE (sizeof (int) * RAW_MAX_FDS)]
      __attribute__ ((aligned (sizeof (size_t))));
  struct iovec iov = {.iov_base = (void *) bytes,.iov_len = len };
  struct msghdr mh = {.msg_iov = &iov,.msg_iovlen = 1,.msg_control =
        control,.msg_controllen = CMSG_SPACE (sizeof (int) * n)
  };
  struct cmsghdr *c = (struct cmsghdr *) control;

  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN (sizeof (int) * n);
  for (unsigned i = 0; i < n; i++)
    memcpy (CMSG_DATA (c) + i * sizeof (int), &passed, sizeof (int));
  if (sendmsg (fd, &mh, MSG_NOSIGNAL) >= 0)
    return true;
  check (errno == EPERM || errno == EPIPE);
  return false;
}

static void
send_fds (struct scene *s, bool joined, int passed, unsigned n)
{
  struct sf_message msg = joined ? message_of (SF_MESSAGE_KICK)
      : raw_hello (SF_DELIVERY_LIVE, GRANTED);
  struct raw_client r = raw_connect (s->place.path);
  uint32_t *count = joined ? &s->n_disconnected : &s->n_refused;
  uint8_t bytes[SF_MESSAGE_MAX];
  uint32_t before;
  int len = sf_message_encode (&msg, bytes, sizeof bytes);

  if (joined)
    raw_join (&r, SF_DELIVERY_LIVE, GRANTED);
  before = scene_count (s, count);
  if (try_send_fds (r.fd, bytes, (size_t) len, passed, n)) {
    check_int (raw_await_end (&r), joined ? SF_REASON_VIOLATION : 0);
    check_int (scene_await (s, count, before), SF_REASON_VIOLATION);
  }
  raw_close (&r);
}

static void
test_sends_fds (void)
{
  int ends[2];
  char byte;
  struct scene s;

  scene_start (&s);
  for (unsigned n = 1; n <= RAW_MAX_FDS; n += 84) {
    check_int (pipe (ends), 0);
    send_fds (&s, false, ends[1], n);
    send_fds (&s, true, ends[1], n);
    /* No copy of it is left anywhere. */
    close (ends[1]);
    check_int (read (ends[0], &byte, 1), 0);
    close (ends[0]);
  }
  scene_end (&s);
}

static bool
can_refuse_fds (void)
{
  const int off = 0;
  struct pair pair = new_pair ();
  bool can = setsockopt (pair.ours, SOL_SOCKET, SO_PASSRIGHTS, &off,
      sizeof off) == 0;

  close_pair (&pair);
  return can;
}

/* Where the kernel lets a socket refuse fds (Linux 6.16), none can reach the
 * producer whose close() would hold it up. */
static void
test_sends_fd_that_blocks (void)
{
  struct sf_message kick = message_of (SF_MESSAGE_KICK);
  uint8_t bytes[SF_MESSAGE_MAX];
  int len = sf_message_encode (&kick, bytes, sizeof bytes);
  struct raw_client r, other;
  struct scene s;
  int fd, end;

  unit_skip_unless (can_refuse_fds (), "this kernel has no SO_PASSRIGHTS");
  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, GRANTED);
  other = raw_join_at (s.place.path, SF_DELIVERY_LIVE, GRANTED);
  fd = new_lingering_socket (&end);
  /* The control thread stands in a callback until the message is there and the
   * only copy of the fd with it. */
  pthread_mutex_lock (&s.lock);
  raw_close (&other);
  usleep (20000);
  if (!try_send_fds (r.fd, bytes, (size_t) len, fd, 1))
    close (end);
  close (fd);
  pthread_mutex_unlock (&s.lock);
  scene_await (&s, &s.n_disconnected, 0);
  raw_close (&r);
  scene_end (&s);
}

/* What was given cannot be cut short, nor grown, after the handshake. */
static void
test_truncates (void)
{
  struct raw_client r;
  struct scene s;

  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, GRANTED);
  check_int (ftruncate (r.returns.fd, 0), -1);
  check_int (ftruncate (r.announce.fd, 0), -1);
  check_int (ftruncate (r.returns.fd, 1 << 20), -1);
  check_int (fallocate (r.announce.fd, FALLOC_FL_PUNCH_HOLE
          | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  check_int (pwrite (r.announce.fd, "x", 1, 64), -1);
  raw_close (&r);
  check_int (scene_await (&s, &s.n_disconnected, 0), SF_REASON_HANGUP);
  scene_end (&s);
}

static void
test_closes_early (void)
{
  struct sf_record_header record;
  struct raw_client r;
  struct scene s;

  scene_start (&s);
  for (int which = 0; which < 3; which++) {
    uint32_t before = scene_count (&s, &s.n_disconnected);

    r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, GRANTED);
    check (raw_take (&r, &record));
    if (which == 0) {
      close (r.guard);
      r.guard = -1;
    } else if (which == 1) {
      sf_shm_close (&r.announce);
      sf_shm_close (&r.returns);
      close (r.fd);
      r.fd = -1;
    } else {
      shutdown (r.fd, SHUT_WR);
    }
    check_int (scene_await (&s, &s.n_disconnected, before), SF_REASON_HANGUP);
    raw_close (&r);
    scene_await_calm (&s);
  }
  scene_end (&s);
}

static uint32_t
lingering (struct scene *s)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (s->p, &stats);
  return stats.n_lingering;
}

/* Its socket is closed, the guard says that somebody may still read: as much as
 * it was granted is left alone until the guard goes. */
static void
test_keeps_guard (void)
{
  struct sf_record_header record;
  struct raw_client r;
  struct scene s;

  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, GRANTED);
  for (uint32_t i = 0; i < GRANTED; i++)
    check (raw_take (&r, &record));
  close (r.fd);
  r.fd = -1;
  check_int (scene_await (&s, &s.n_disconnected, 0), SF_REASON_HANGUP);
  usleep (200000);
  check_int (lingering (&s), 1);
  /* It can still give back what it holds. */
  raw_return (&r, record.lease);
  usleep (100000);
  check_int (lingering (&s), 1);
  raw_close (&r);
  scene_end (&s);
}

/* More than it was granted, and the guard kept: it is not waited for. */
static void
test_keeps_guard_and_too_much (void)
{
  struct sf_record_header record;
  struct raw_client r;
  struct scene s;

  scene_start (&s);
  for (int i = 0; i < 20; i++) {
    r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
    for (int taken = 0; taken < 2 && raw_take (&r, &record); taken++);
    close (r.fd);
    r.fd = -1;
    scene_await_calm (&s);
    raw_close (&r);
  }
  scene_end (&s);
}

/* Asks and asks, and never reads an answer. Others are served meanwhile, and it
 * is itself, as long as no SEGMENT has to reach it. */
static void
test_never_reads (void)
{
  struct sf_message want = message_of (SF_MESSAGE_WANT);
  struct raw_client r;
  struct scene s;
  uint32_t reason;
  int full = 0;

  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  for (int i = 0; i < 5000; i++) {
    int error;

    want.max_held = 1 + (uint32_t) i / 500;
    while ((error = sf_send (r.fd, &want, NULL, 0)) == -EAGAIN) {
      full++;
      usleep (100);
    }
    if (error < 0)
      break;
  }
  check_cmp (full, >, 0);
  raw_close (&r);
  reason = scene_await (&s, &s.n_disconnected, 0);
  check (reason == SF_REASON_HANGUP || reason == SF_REASON_SLOW);
  scene_end (&s);
}

static void
test_kicks (void)
{
  struct sf_message kick = message_of (SF_MESSAGE_KICK);
  struct raw_client r;
  struct scene s;
  int error = 0;

  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  for (int i = 0; i < 100000 && (error == 0 || error == -EAGAIN); i++)
    error = sf_send (r.fd, &kick, NULL, 0);
  check (error == 0 || error == -EAGAIN);
  check_int (scene_count (&s, &s.n_disconnected), 0);
  raw_close (&r);
  scene_end (&s);
}

struct toggler
{
  struct raw_client *r;
  sf_atomic_u32 stop;
};

static void *
toggle (void *user)
{
  struct toggler *t = user;

  while (sf_observe_u32 (&t->stop) == 0) {
    sf_store_flag (&t->r->page->sleeping, UINT32_MAX);
    sf_bump_u32 (&t->r->page->wake);
  }
  return NULL;
}

static void
test_sleeps_and_wakes (void)
{
  struct raw_client r;
  struct toggler t = {.r = &r };
  pthread_t thread;
  struct scene s;

  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  check_int (pthread_create (&thread, NULL, toggle, &t), 0);
  usleep (300000);
  sf_publish_u32 (&t.stop, 1);
  pthread_join (thread, NULL);
  check_int (scene_count (&s, &s.n_disconnected), 0);
  raw_close (&r);
  scene_end (&s);
}

/* Lossless, and it does nothing at all: waited for as long as client-timeout
 * says, once. */
static void
test_lossless_and_idle (void)
{
  struct raw_client r;
  struct scene s;

  scene_start (&s);
  r = raw_join_at (s.place.path, SF_DELIVERY_LOSSLESS, 1);
  check_int (raw_await_end (&r), SF_REASON_SLOW);
  check_int (scene_await (&s, &s.n_disconnected, 0), SF_REASON_SLOW);
  raw_close (&r);
  scene_end (&s);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_sends_fds), TEST (test_sends_fd_that_blocks),
    TEST (test_truncates), TEST (test_closes_early), TEST (test_keeps_guard),
    TEST (test_keeps_guard_and_too_much), TEST (test_never_reads),
    TEST (test_kicks), TEST (test_sleeps_and_wakes),
    TEST (test_lossless_and_idle),
  };

  return unit_main (tests);
}
