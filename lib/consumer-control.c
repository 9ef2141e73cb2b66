/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The consumer's control thread: connects, shakes hands, listens, reconnects. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consumer-private.h"
#include "explain.h"

/* How often to try where nothing tells of a new socket (abstract names, folders
 * that do not exist yet); with inotify only as a safety net. */
#define RETRY_MS 50
#define RETRY_WATCHED_MS 500
/* And where all places were taken. */
#define RETRY_FULL_MS 300
/* Handled before it is looked whether to stop. */
#define MESSAGES_PER_TURN 64

void
sf_consumer_kick (struct sf_consumer *c)
{
  uint64_t one = 1;

  if (write (c->wake_fd, &one, sizeof (one)) < 0)
    return;                     /* full: it is awake */
}

static bool
is_stopping (struct sf_consumer *c)
{
  bool stopping;

  pthread_mutex_lock (&c->lock);
  stopping = c->stopping;
  pthread_mutex_unlock (&c->lock);
  return stopping;
}

/* Sleeps until `fd` (-1: none) is readable, a kick, the end of the producer that
 * we are connected to, or `ms`. True if `fd` is readable. */
static bool
poll_fd (struct sf_consumer *c, int fd, int ms)
{
  struct pollfd fds[3] = { {.fd = c->wake_fd,.events = POLLIN},
  {.fd = fd,.events = POLLIN}, {.fd = c->process_fd,.events = POLLIN}
  };
  uint64_t n;

  if (poll (fds, 3, ms) <= 0)
    return false;
  if ((fds[0].revents & POLLIN) && read (c->wake_fd, &n, sizeof (n)) < 0)
    return false;
  return fds[1].revents != 0;
}

/* Something for the streaming thread outside the ring. Called with the lock. */
static void
notify_locked (struct sf_consumer *c)
{
  sf_store_flag (&c->notices, 1);
  pthread_cond_broadcast (&c->cond);
  if (c->link != NULL)
    sf_link_wake (c->link);
}

static void
fail (struct sf_consumer *c, int error, const struct sf_reject *reject)
{
  pthread_mutex_lock (&c->lock);
  c->phase = SF_PHASE_FAILED;
  c->error = error;
  if (reject != NULL)
    c->reject = *reject;
  pthread_cond_broadcast (&c->cond);
  pthread_mutex_unlock (&c->lock);
}

/* An inotify fd on the socket's folder, or -1 where that is not possible. */
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

static void
drain (int fd)
{
  char events[4096];

  while (fd >= 0 && read (fd, events, sizeof (events)) > 0);
}

/* Is "nobody there yet" what this error means? */
static bool
is_absence (const struct sf_consumer *c, int error)
{
  struct stat st;

  if (error == -ECONNREFUSED && c->path[0] != '@' && stat (c->path, &st) == 0
      && !S_ISSOCK (st.st_mode))
    return false;
  return error == -ENOENT || error == -ECONNREFUSED || error == -EAGAIN
      || error == -ECONNRESET;
}

static void
forget_process (struct sf_consumer *c)
{
  sf_fd_close (c->process_fd);
  c->process_fd = -1;
}

/* From here on the producer's process is watched, too: its children may have the
 * other end of our socket, and its listener. As sf_connect(). */
static int
connect_process (struct sf_consumer *c)
{
  int fd = sf_connect (c->path);
  int process;

  if (fd < 0)
    return fd;
  process = sf_peer_process (sf_fd_own (fd));
  if (process >= 0)
    c->process_fd = sf_fd_own (process);
  if (process != -ESRCH && !sf_process_is_gone (process))
    return fd;
  forget_process (c);
  sf_fd_shut (fd);
  return -ECONNREFUSED;
}

/* Once for each kind. */
static void
tell_waiting (struct sf_consumer *c, const struct sf_reject *full)
{
  bool *told = full != NULL ? &c->told_full : &c->told_absent;

  if (*told)
    return;
  *told = true;
  pthread_mutex_lock (&c->lock);
  c->waiting_notice = true;
  c->waiting = full != NULL ? *full : (struct sf_reject) { 0 };
  notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

static void
begin_to_connect (struct sf_consumer *c)
{
  c->until = c->connect_timeout < 0 ? INT64_MAX
      : sf_now () + c->connect_timeout;
  c->told_absent = c->told_full = false;
}

static int64_t
time_left (const struct sf_consumer *c)
{
  return c->until == INT64_MAX ? INT64_MAX : c->until - sf_now ();
}

/* Connects, and tries until it does. The fd; -1: stopping, or failed (told). */
static int
connect_patiently (struct sf_consumer *c)
{
  int inotify = -1;
  int fd = -1;

  while (!is_stopping (c)) {
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
    tell_waiting (c, NULL);
    if (inotify < 0) {
      inotify = watch_folder (c);
      /* It may have come between the try and the watch. */
      if (inotify >= 0)
        continue;
    }
    left = left / 1000000 + 1;
    poll_fd (c, inotify, left < RETRY_MS ? (int) left
        : inotify >= 0 && left > RETRY_WATCHED_MS ? RETRY_WATCHED_MS
        : RETRY_MS);
  }
  if (inotify >= 0)
    close (inotify);
  return fd;
}

static void
close_fds (const int fds[SF_MESSAGE_MAX_FDS])
{
  for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

static int
say_hello (struct sf_consumer *c, int fd, uint32_t * asked)
{
  struct sf_message msg = {.type = SF_MESSAGE_HELLO };

  msg.hello = (struct sf_hello) {
  .magic = SF_PROTOCOL_MAGIC,.version_min =
        SF_PROTOCOL_VERSION,.version_max = SF_PROTOCOL_VERSION,.delivery =
        c->delivery,.max_lag = (uint64_t) c->max_lag};
  memcpy (msg.hello.name, c->name, sizeof (msg.hello.name));
  pthread_mutex_lock (&c->lock);
  *asked = msg.hello.max_held = c->max_held;
  pthread_mutex_unlock (&c->lock);
  return sf_send (fd, &msg, NULL, 0);
}

/* One message within SF_ANSWER_TIMEOUT: as sf_receive(), or -ETIMEDOUT, or
 * -EINTR when stopping. */
static int
await_answer (struct sf_consumer *c, int fd, struct sf_message *msg,
    int fds[SF_MESSAGE_MAX_FDS])
{
  int64_t until = sf_now () + SF_ANSWER_TIMEOUT;

  for (;;) {
    int r = sf_receive (fd, msg, fds);

    if (r != -EAGAIN)
      return r;
    if (is_stopping (c))
      return -EINTR;
    if (sf_process_is_gone (c->process_fd))
      return 0;
    if (sf_now () >= until)
      return -ETIMEDOUT;
    poll_fd (c, fd, (int) ((until - sf_now ()) / 1000000) + 1);
  }
}

/* Places become free: worth another try, while there is time. */
static void
handle_refusal (struct sf_consumer *c, const struct sf_reject *reject)
{
  int64_t left = time_left (c);

  if (reject->reason != SF_REASON_FULL || left <= 0) {
    fail (c, -EACCES, reject);
    return;
  }
  tell_waiting (c, reject);
  forget_process (c);
  poll_fd (c, -1, left / 1000000 < RETRY_FULL_MS
      ? (int) (left / 1000000) + 1 : RETRY_FULL_MS);
}

/* HELLO, WELCOME. The link, or NULL: try again, or failed (told). */
static struct sf_link *
shake_hands (struct sf_consumer *c, int fd, uint32_t * asked)
{
  struct sf_message msg;
  struct sf_link *link = NULL;
  int fds[SF_MESSAGE_MAX_FDS];
  int64_t before = sf_now ();
  int r;

  memset (fds, -1, sizeof (fds));
  SF_HOOK ("connected");
  r = say_hello (c, fd, asked);
  SF_HOOK ("hello-sent");
  /* One that is full has said so, and closed, perhaps before that. */
  if (r >= 0 || r == -EPIPE)
    r = await_answer (c, fd, &msg, fds);
  if (r == 1 && msg.type == SF_MESSAGE_WELCOME) {
    SF_HOOK ("welcome");
    r = sf_link_new (&link, fd, &msg.welcome, fds);
    if (r < 0)
      fail (c, r, NULL);
    else
      link->clock_offset = sf_clock_offset (before, (int64_t) msg.welcome.clock,
          sf_now ());
    return link;
  }
  if (r == 1 && msg.type == SF_MESSAGE_REJECT) {
    handle_refusal (c, &msg.reject);
  } else if (r == -ETIMEDOUT && time_left (c) > 0) {
    /* The kernel accepted for a producer that is stopped, or stuck. */
    tell_waiting (c, NULL);
  } else if (r == 1 || r == -EPROTO || r == -ETIMEDOUT) {
    fail (c, -EPROTO, NULL);
  } else if (r == -EMFILE) {
    fail (c, r, NULL);
  }
  /* Otherwise it went away just then: as if it had not been there. */
  close_fds (fds);
  sf_fd_shut (fd);
  return NULL;
}

/* A refusal of what is needed is a failure; of what was only hoped for, the end
 * of growing. */
static void
handle_reject (struct sf_consumer *c, struct sf_link *link,
    const struct sf_reject *reject)
{
  pthread_mutex_lock (&c->lock);
  if (c->needed > sf_load_flag (&link->max_held)) {
    c->refused_notice = true;
    c->refused = *reject;
  }
  c->grow = false;
  notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

static void
handle_latency (struct sf_consumer *c, const struct sf_latency *latency)
{
  pthread_mutex_lock (&c->lock);
  c->latency = *latency;
  c->latency_notice = true;
  notify_locked (c);
  pthread_mutex_unlock (&c->lock);
}

/* The end of a link for an error of ours. */
static void
give_up (struct sf_reject *farewell, const char *what, int error)
{
  char why[SF_TEXT_MAX / 2];

  sf_explain (why, sizeof (why), error);
  farewell->reason = error == -EPROTO ? SF_REASON_VIOLATION
      : SF_REASON_RESOURCES;
  snprintf (farewell->text, sizeof (farewell->text), "%s: %s", what, why);
}

/* The link has to end if that gives the farewell a reason. */
static void
handle_message (struct sf_consumer *c, struct sf_link *link,
    const struct sf_message *msg, const int fds[SF_MESSAGE_MAX_FDS],
    struct sf_reject *farewell)
{
  int r;

  switch (msg->type) {
    case SF_MESSAGE_SEGMENT:
      SF_HOOK ("segment");
      r = sf_link_add_segment (link, &msg->segment, fds);
      if (r < 0) {
        give_up (farewell, "a segment of the producer cannot be mapped", r);
        return;
      }
      pthread_mutex_lock (&c->lock);
      pthread_cond_broadcast (&c->cond);
      pthread_mutex_unlock (&c->lock);
      return;
    case SF_MESSAGE_SEGMENT_GONE:
      sf_link_remove_segment (link, msg->segment_gone);
      return;
    case SF_MESSAGE_GRANT:
      sf_publish_u32 (&link->max_held, msg->max_held);
      sf_link_wake (link);
      return;
    case SF_MESSAGE_REJECT:
      handle_reject (c, link, &msg->reject);
      return;
    case SF_MESSAGE_LATENCY:
      handle_latency (c, &msg->latency);
      return;
    case SF_MESSAGE_BYE:
      *farewell = msg->reject;
      if (farewell->reason == SF_REASON_NONE)
        farewell->reason = SF_REASON_STOPPED;
      return;
    default:
      close_fds (fds);
      farewell->reason = SF_REASON_VIOLATION;
      snprintf (farewell->text, sizeof (farewell->text),
          "the producer sent a message that does not belong there");
  }
}

/* Reads some of what is there; one who sends without end does not keep us from
 * stopping. True: that was all. The link has to end if `farewell` has a reason. */
static bool
read_messages (struct sf_consumer *c, struct sf_link *link,
    struct sf_reject *farewell)
{
  for (int i = 0; i < MESSAGES_PER_TURN && farewell->reason == 0; i++) {
    struct sf_message msg;
    int fds[SF_MESSAGE_MAX_FDS];
    int r = sf_receive (link->fd, &msg, fds);

    if (r == -EAGAIN)
      return true;
    if (r == 1) {
      handle_message (c, link, &msg, fds, farewell);
      continue;
    }
    if (r == -EMFILE)
      give_up (farewell, "a segment of the producer cannot be taken", r);
    else
      farewell->reason = r == -EPROTO ? SF_REASON_VIOLATION
          : SF_REASON_HANGUP;
  }
  return false;
}

static void
ask_for_room (struct sf_consumer *c, struct sf_link *link, uint32_t * asked)
{
  struct sf_message msg = {.type = SF_MESSAGE_WANT };

  pthread_mutex_lock (&c->lock);
  msg.max_held = c->max_held;
  pthread_mutex_unlock (&c->lock);
  if (msg.max_held > *asked && sf_send (link->fd, &msg, NULL, 0) >= 0)
    *asked = msg.max_held;
}

/* Listens until the link ends, or it is time to stop. */
static void
serve (struct sf_consumer *c, struct sf_link *link, uint32_t asked)
{
  struct sf_reject farewell = {.reason = SF_REASON_NONE };

  /* Messages that the producer sent before it was gone are read before its end
   * is taken note of: segments of frames yet to be drained are among them. */
  while (!is_stopping (c) && sf_observe_u32 (&link->over) == 0) {
    bool gone = sf_process_is_gone (c->process_fd);

    if (read_messages (c, link, &farewell) && gone)
      farewell.reason = SF_REASON_HANGUP;
    if (farewell.reason != SF_REASON_NONE) {
      sf_link_end (link, &farewell);
      pthread_mutex_lock (&c->lock);
      pthread_cond_broadcast (&c->cond);
      pthread_mutex_unlock (&c->lock);
      return;
    }
    ask_for_room (c, link, &asked);
    poll_fd (c, link->fd, -1);
  }
}

/* Waits until the streaming thread has drained the link and wants the next. */
static bool
await_turn (struct sf_consumer *c)
{
  bool go;

  pthread_mutex_lock (&c->lock);
  while (c->phase != SF_PHASE_CONNECTING && !c->stopping)
    pthread_cond_wait (&c->cond, &c->lock);
  go = !c->stopping;
  pthread_mutex_unlock (&c->lock);
  return go;
}

static void
hand_over (struct sf_consumer *c, struct sf_link *link)
{
  pthread_mutex_lock (&c->lock);
  c->link = sf_link_ref (link);
  c->phase = SF_PHASE_LINKED;
  c->waiting_notice = false;
  c->connections++;
  pthread_cond_broadcast (&c->cond);
  pthread_mutex_unlock (&c->lock);
}

void *
sf_consumer_thread (void *consumer)
{
  struct sf_consumer *c = consumer;

  while (await_turn (c)) {
    uint32_t asked = 0;
    struct sf_link *link = NULL;
    bool patient;
    int fd;

    if (c->until == 0)
      begin_to_connect (c);
    fd = connect_patiently (c);
    /* Whoever accepts and hangs up, or breaks the rules, is not asked again
     * without a pause; nor does it help when we, or it, lack something. */
    patient = fd >= 0;
    if (fd >= 0)
      link = shake_hands (c, fd, &asked);
    if (link != NULL) {
      hand_over (c, link);
      serve (c, link, asked);
      c->until = 0;
      patient = sf_observe_u32 (&link->over) != 0
          && (link->farewell.reason == SF_REASON_VIOLATION
          || link->farewell.reason == SF_REASON_RESOURCES);
      sf_link_unref (link);
    }
    forget_process (c);
    if (patient)
      poll_fd (c, -1, RETRY_MS);
  }
  return NULL;
}
