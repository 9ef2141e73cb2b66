/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the producer and shakes hands with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "consumer/consumer-private.h"
#include "shared/unexpected-fd.h"

/* How often to try where nothing tells of a new socket: abstract names, folders
 * that do not exist yet (ms). With inotify, only to be safe. */
#define RETRY_MS 50
#ifndef SF_RETRY_WATCHED_MS
#define SF_RETRY_WATCHED_MS 500
#endif
/* Tries within RETRY_MS; beyond, the folder is not watched for that long. */
#define MAX_TRIES 16u
#define MAX_READS 64
/* A socket this young (ns) may not have its permissions yet. */
#define PERMISSIONS_NS INT64_C (2000000000)
/* When to try again after all places were taken (ms). */
#define RETRY_FULL_MS 300
/* Fds that the producer sent and that cannot be closed. */
#define MAX_DISCARDED 16u

static void
fail (struct sf_consumer *c, int error, const struct sf_reject *reject)
{
  pthread_mutex_lock (&c->lock);
  c->phase = SF_PHASE_FAILED;
  c->failure.error = error;
  if (reject != NULL)
    c->failure.reject = *reject;
  pthread_cond_broadcast (&c->cond);
  pthread_mutex_unlock (&c->lock);
}

/* Returns an inotify fd on the socket's folder, or -1 where that is not
 * possible. */
static int
watch_folder (const struct sf_consumer *c)
{
  char folder[sizeof (c->path)];
  char *slash;
  int fd;

  if (c->path[0] == '@')
    return -1;
  strcpy (folder, c->path);
  slash = strrchr (folder, '/');
  if (slash == NULL)
    strcpy (folder, ".");
  else
    slash[slash == folder ? 1 : 0] = '\0';
  fd = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  if (fd >= 0 && inotify_add_watch (fd, folder,
          IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) < 0) {
    close (fd);
    return -1;
  }
  return fd;
}

/* Reads a limited number: others may make more of them as fast. */
static void
drain (int fd)
{
  char events[4096];

  for (int i = 0; fd >= 0 && i < MAX_READS; i++)
    if (read (fd, events, sizeof (events)) <= 0)
      break;
}

/* Recent tries. A new socket is several events, but others may do what they
 * like in that folder. */
struct tries
{
  int64_t since;
  unsigned n;
};

static bool
are_too_many (struct tries *tries)
{
  int64_t now = sf_now ();

  if (now - tries->since > RETRY_MS * INT64_C (1000000))
    *tries = (struct tries) { .since = now };
  return ++tries->n > MAX_TRIES;
}

static bool
is_new (const struct stat *st)
{
  struct timespec now;
  int64_t age;

  clock_gettime (CLOCK_REALTIME, &now);
  age = ((int64_t) now.tv_sec - st->st_ctim.tv_sec) * INT64_C (1000000000)
      + now.tv_nsec - st->st_ctim.tv_nsec;
  return age >= 0 && age < PERMISSIONS_NS;
}

/* Tells whether this error means that nobody is there yet. */
static bool
is_absence (const struct sf_consumer *c, int error)
{
  const char *path = c->path;
  struct stat st;

  if (error == -EACCES && path[0] != '@' && stat (path, &st) == 0)
    return S_ISSOCK (st.st_mode) && is_new (&st);
  if (error == -ECONNREFUSED && path[0] != '@' && stat (path, &st) == 0
      && !S_ISSOCK (st.st_mode))
    return false;
  return error == -ENOENT || error == -ECONNREFUSED || error == -EAGAIN
      || error == -ECONNRESET;
}

void
sf_consumer_forget_process (struct sf_consumer *c)
{
  sf_fd_close (c->control.process_fd);
  c->control.process_fd = -1;
}

/* Connects as sf_connect(), and watches the producer's process: its children
 * may have the other end of our socket, or its listener. */
static int
connect_process (struct sf_consumer *c)
{
  int fd, process;

  SF_HOOK ("connecting");
  fd = sf_connect (c->path);
  if (fd < 0)
    return fd;
  process = sf_peer_process (sf_fd_own (fd));
  if (process >= 0)
    c->control.process_fd = sf_fd_own (process);
  if (process != -ESRCH && !sf_process_is_gone (process))
    return fd;
  sf_consumer_forget_process (c);
  sf_fd_shut (fd);
  return -ECONNREFUSED;
}

/* Reports each kind once. */
static void
report_waiting (struct sf_consumer *c, const struct sf_reject *full)
{
  bool *reported =
      full != NULL ? &c->control.full_reported : &c->control.absent_reported;

  if (*reported)
    return;
  *reported = true;
  pthread_mutex_lock (&c->lock);
  c->notices.waiting = true;
  c->notices.waiting_reject = full != NULL ? *full : (struct sf_reject) { 0 };
  sf_consumer_notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

static void
begin_to_connect (struct sf_consumer *c)
{
  c->control.deadline = c->settings.connect_timeout < 0 ? INT64_MAX
      : sf_now () + c->settings.connect_timeout;
  c->control.absent_reported = c->control.full_reported = false;
}

static int64_t
time_left (const struct sf_consumer *c)
{
  int64_t deadline = c->control.deadline;

  return deadline == INT64_MAX ? INT64_MAX : deadline - sf_now ();
}

/* Tries to connect until it succeeds. Returns the fd; -1: stopping, or failed,
 * which is reported. */
static int
connect_with_retries (struct sf_consumer *c)
{
  struct tries tries = { 0 };
  int inotify = -1;
  int fd = -1;

  while (!sf_consumer_is_stopping (c)) {
    int64_t left;

    drain (inotify);
    fd = connect_process (c);
    left = time_left (c);
    if (fd >= 0)
      break;
    if (!is_absence (c, fd) || left <= 0) {
      fail (c, fd == -ECONNREFUSED && !is_absence (c, fd) ? -ENOTSOCK : fd,
          NULL);
      break;
    }
    report_waiting (c, NULL);
    if (inotify < 0) {
      inotify = watch_folder (c);
      /* It may have come between the try and the watch. */
      if (inotify >= 0)
        continue;
    }
    left = left / 1000000 + 1;
    if (are_too_many (&tries))
      sf_consumer_poll (c, -1, left < RETRY_MS ? (int) left : RETRY_MS);
    else
      sf_consumer_poll (c, inotify, left < RETRY_MS ? (int) left
          : inotify >= 0 && left > SF_RETRY_WATCHED_MS ? SF_RETRY_WATCHED_MS
          : RETRY_MS);
  }
  if (inotify >= 0)
    close (inotify);
  return fd;
}

static int
send_hello (struct sf_consumer *c, int fd, uint32_t *asked)
{
  struct sf_message msg = { .type = SF_MESSAGE_HELLO };

  msg.hello = (struct sf_hello) {
    .magic = SF_PROTOCOL_MAGIC,
    .version_min = SF_PROTOCOL_VERSION,
    .version_max = SF_PROTOCOL_VERSION,
    .delivery = c->settings.delivery,
    .max_lag = (uint64_t) c->settings.max_lag,
  };
  memcpy (msg.hello.name, c->name, sizeof (msg.hello.name));
  pthread_mutex_lock (&c->lock);
  *asked = msg.hello.max_held = c->holding.max_held;
  pthread_mutex_unlock (&c->lock);
  return sf_send (fd, &msg, NULL, 0);
}

/* Waits for one message for SF_ANSWER_TIMEOUT. Returns as sf_receive(), or
 * -ETIMEDOUT, or -EINTR when stopping. */
static int
await_answer (struct sf_consumer *c, int fd, struct sf_message *msg,
    int fds[SF_MESSAGE_MAX_FDS])
{
  struct sf_timeout timeout = sf_timeout_begin (SF_ANSWER_TIMEOUT);

  for (;;) {
    int r = sf_receive (fd, msg, fds);

    if (r != -EAGAIN)
      return r;
    if (sf_consumer_is_stopping (c))
      return -EINTR;
    if (sf_process_is_gone (c->control.process_fd))
      return 0;
    if (sf_timeout_expired (&timeout))
      return -ETIMEDOUT;
    sf_consumer_poll (c, fd, SF_TIMEOUT_SLICE / 1000000);
  }
}

/* Waits before the next try if all places are taken; else fails. */
static void
handle_refusal (struct sf_consumer *c, const struct sf_reject *reject)
{
  int64_t left = time_left (c);

  if (reject->reason != SF_REASON_FULL || left <= 0) {
    fail (c, -EACCES, reject);
    return;
  }
  report_waiting (c, reject);
  sf_consumer_forget_process (c);
  sf_consumer_poll (c, -1, left / 1000000 < RETRY_FULL_MS
      ? (int) (left / 1000000) + 1 : RETRY_FULL_MS);
}

/* Sends HELLO and awaits WELCOME. Returns the connection; NULL: try again, or
 * failed, which is reported. */
static struct sf_connection_state *
shake_hands (struct sf_consumer *c, int fd, uint32_t *asked)
{
  struct sf_message msg;
  struct sf_connection_state *conn = NULL;
  int fds[SF_MESSAGE_MAX_FDS];
  int64_t before = sf_now ();
  int r;

  memset (fds, -1, sizeof (fds));
  SF_HOOK ("connected");
  r = send_hello (c, fd, asked);
  SF_HOOK ("hello-sent");
  /* EPIPE: a producer that is full may have sent REJECT and closed already. */
  if (r >= 0 || r == -EPIPE)
    r = await_answer (c, fd, &msg, fds);
  if (r == 1 && msg.type == SF_MESSAGE_WELCOME) {
    SF_HOOK ("welcome");
    r = sf_connection_new (&conn, fd, &msg.welcome, fds);
    if (r < 0)
      fail (c, r, NULL);
    else
      conn->clock_offset = sf_clock_offset (before, (int64_t) msg.welcome.clock,
          sf_now ());
    return conn;
  }
  if (r == 1 && msg.type == SF_MESSAGE_REJECT) {
    handle_refusal (c, &msg.reject);
  } else if (r == -ETIMEDOUT && time_left (c) > 0) {
    /* The kernel accepts connections of a producer that is stopped or stuck. */
    report_waiting (c, NULL);
  } else if (r == 1 || r == -EPROTO || r == -EBADF || r == -ETIMEDOUT) {
    fail (c, -EPROTO, NULL);
  } else if (r == -EMFILE) {
    fail (c, r, NULL);
  }
  /* Otherwise the producer ended just now: treat it as absent. */
  sf_close_received (fds);
  sf_fd_shut (fd);
  return NULL;
}

struct sf_connection_state *
sf_consumer_connect (struct sf_consumer *c, uint32_t *asked, bool *reached)
{
  struct sf_reject reject;
  int fd, r;

  if (c->control.deadline == 0)
    begin_to_connect (c);
  /* Each connection would leave more of them behind. */
  if (c->control.got_unexpected_fds
      && sf_fd_count_discarded () >= MAX_DISCARDED) {
    *reached = false;
    fail (c, -EPROTO, NULL);
    return NULL;
  }
  fd = connect_with_retries (c);
  *reached = fd >= 0;
  if (fd < 0)
    return NULL;
  r = sf_peer_check_trust (fd, c->path, &reject);
  if (r == 0)
    return shake_hands (c, fd, asked);
  sf_fd_shut (fd);
  if (r != -ENOENT)
    fail (c, r, r == -EPERM ? &reject : NULL);
  return NULL;
}
