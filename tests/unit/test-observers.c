/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who looks at a producer: what it sees, that it takes nothing from anybody, and that
 * neither side believes the other. */
#include <signal.h>
#include <sys/prctl.h>

#include "observer/observer.h"
#include "scene.h"

#define QUOTA 64

static struct sf_observer
open_observer (const char *path)
{
  struct sf_observer o;
  struct sf_reject reject;
  int r;

  do
    r = sf_observer_open (&o, path, &reject);
  while (r == -EAGAIN);
  check_int (r, 0);
  check_int (o.peer.pid, getpid ());
  return o;
}

/* As sf_observer_read(), once there is something to read. */
static int
await_answer (struct sf_observer *o, struct sf_reject *reject)
{
  int r;

  do {
    struct pollfd p = {.fd = o->fd,.events = POLLIN };

    check_int (poll (&p, 1, 20000), 1);
    r = sf_observer_read (o, reject);
  } while (r == 0 || r == -EAGAIN);
  return r;
}

static int
look (struct sf_observer *o, struct sf_reject *reject)
{
  int r = sf_observer_ask (o);

  return r < 0 ? r : await_answer (o, reject);
}

static void
look_well (struct sf_observer *o)
{
  struct sf_reject reject;

  check_int (look (o, &reject), 1);
}

static void
observed (void *user, struct sf_stats *stats)
{
  strcpy (stats->name, user);
  strcpy (stats->caps, "video/x-raw");
  stats->no_slot = 7;
}

static struct sf_producer *
open_with (const char *path, uint32_t max_clients)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        max_clients,.max_memory = UINT64_C (1) << 28,.user = (void *) "the sink",
    .callbacks = {.observed = observed}
  };

  return open_with_config (&config, false);
}

static void
test_figures (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_producer_stats stats;
  struct sf_consumer *c;
  struct sf_incoming in[3];
  struct sf_observer o;

  place_make (&place);
  p = open_with (place.path, 4);
  o = open_observer (place.path);
  look_well (&o);
  check_int (o.n_clients, 0);
  check_int (o.stats.frames, 0);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  check_int (sf_producer_wait_clients (p, 1), 0);
  for (int i = 0; i < 5; i++)
    check (send_frame (p, (uint64_t) i, false));
  for (int i = 0; i < 2; i++) {
    next_of (c, &in[i], SF_INCOMING_FRAME);
    sf_consumer_note_handover (c, i == 0 ? 1000 : INT64_MAX);
  }
  look_well (&o);
  sf_producer_get_stats (p, &stats);
  check_int (o.stats.delivery, SF_DELIVERY_LIVE);
  check_int (o.stats.frames, 5);
  check_int (o.stats.n_clients, 1);
  check_int (o.stats.n_observers, 1);
  check_int (o.stats.max_clients, 4);
  check_int (o.stats.clients_seen, 1);
  check_int (o.stats.no_slot, 7);
  check_int (o.stats.n_slots, stats.slots.n_slots);
  check_int (o.stats.n_free, stats.slots.n_free);
  check_int (o.stats.segment_bytes, stats.slots.bytes);
  check_int (o.stats.max_memory, 1 << 28);
  check (strcmp (o.stats.name, "the sink") == 0);
  check (strcmp (o.stats.caps, "video/x-raw") == 0);
  check_int (o.n_clients, 1);
  check_int (o.clients[0].pid, getpid ());
  check_int (o.clients[0].uid, getuid ());
  check (strcmp (o.clients[0].name, "test") == 0);
  check_int (o.clients[0].flags, 0);
  check_int (o.clients[0].frames, 5);
  check_int (o.clients[0].held, 2);
  check_int (o.clients[0].queued, 3);
  check_int (o.clients[0].max_held, 4);
  check (o.clients[0].lag > 0);
  check_int (o.clients[0].handover_p50, 1000);
  check_int (o.clients[0].handover_p99, 1000);
  sf_producer_flush_start (p, 1);
  sf_producer_flush_stop (p, 1, false);
  for (int i = 0; i < 2; i++)
    sf_lease_unref (in[i].lease);
  sf_consumer_close (c);
  sf_producer_close (p);
  sf_observer_close (&o);
  place_remove (&place);
}

/* Frames taken back say why. */
static void
test_drops (void)
{
  struct place place;
  struct sf_producer *p;
  struct raw_client lazy;
  struct sf_observer o;
  uint64_t sum = 0;

  place_make (&place);
  p = open_producer (place.path, 8, false);
  o = open_observer (place.path);
  lazy = raw_join_at (place.path, SF_DELIVERY_LIVE, 2);
  check_int (sf_producer_wait_clients (p, 1), 0);
  for (uint64_t i = 0; i < 100; i++)
    check (send_frame (p, i, false));
  look_well (&o);
  for (int i = 0; i < SF_N_DROPS; i++)
    sum += o.clients[0].dropped[i];
  check_int (sum, o.clients[0].dropped[SF_DROP_SLOT]);
  check (sum > 80);
  check_int (o.stats.dropped[SF_DROP_SLOT], sum);
  check_int (o.clients[0].handover_p50, 0);
  check_int (o.clients[0].handover_p99, 0);
  raw_close (&lazy);
  do
    look_well (&o);
  while (o.n_clients > 0);
  check (o.stats.dropped[SF_DROP_LEFT] > 0);
  check_int (o.stats.dropped[SF_DROP_SLOT] + o.stats.dropped[SF_DROP_LEFT], 100);
  sf_observer_close (&o);
  sf_producer_close (p);
  place_remove (&place);
}

/* More than one message holds, in the order of their coming. */
static void
test_many_clients (void)
{
  enum { N = 2 * SF_STATS_CLIENTS };
  static struct raw_client clients[N];
  struct place place;
  struct sf_producer *p;
  struct sf_observer o;

  place_make (&place);
  p = open_with (place.path, N);
  o = open_observer (place.path);
  for (uint32_t n = 0; n < N; n++) {
    clients[n] = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
    check_int (sf_producer_wait_clients (p, n + 1), 0);
    if (n + 1 < SF_STATS_CLIENTS - 1)
      continue;
    look_well (&o);
    check_int (o.n_clients, n + 1);
    for (uint32_t i = 1; i < o.n_clients; i++)
      check (o.clients[i].id < o.clients[i - 1].id);
  }
  for (int i = 0; i < N; i++)
    raw_close (&clients[i]);
  sf_observer_close (&o);
  sf_producer_close (p);
  place_remove (&place);
}

/* There is room for four, and none of it is a client's. */
static void
test_takes_no_place (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_producer_stats stats;
  struct sf_consumer *c;
  struct sf_observer o[4], more;
  struct sf_incoming in;
  struct sf_reject reject;

  place_make (&place);
  p = open_with (place.path, 1);
  for (int i = 0; i < 3; i++) {
    o[i] = open_observer (place.path);
    look_well (&o[i]);
  }
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 1);
  next_of (c, &in, SF_INCOMING_CONNECTED);
  o[3] = open_observer (place.path);
  look_well (&o[3]);
  check_int (o[3].stats.n_clients, 1);
  check_int (o[3].stats.n_observers, 4);
  more = open_observer (place.path);
  check_int (look (&more, &reject), -EACCES);
  check_int (reject.reason, SF_REASON_FULL);
  printf ("# %s\n", reject.text);
  sf_observer_close (&more);
  sf_producer_get_stats (p, &stats);
  check_int (stats.n_clients, 1);
  check_int (stats.clients_refused, 0);
  sf_consumer_close (c);
  for (int i = 0; i < 4; i++)
    sf_observer_close (&o[i]);
  sf_producer_close (p);
  place_remove (&place);
}

static struct sf_message
observe_before (uint64_t before)
{
  struct sf_message msg = message_of (SF_MESSAGE_OBSERVE);

  msg.observe.before = before;
  return msg;
}

/* It asks as fast as it can, for more than there is: each second so much is answered,
 * and frames go on. No more is open than its socket has room for, however late this
 * process reads. */
static void
test_floods (void)
{
  struct sf_message msg = observe_before (0), answer;
  struct raw_client r;
  struct scene s;
  int fds[SF_MESSAGE_MAX_FDS], n = 0, asked = 0;
  int64_t began;

  scene_start (&s);
  r = raw_connect (s.place.path);
  began = sf_now ();
  while (sf_now () - began < 2 * SF_NS_PER_SECOND) {
    int type = 0;

    for (; asked < n + 16; asked++)
      check_int (sf_send (r.fd, &msg, NULL, 0), 0);
    while ((type = raw_next (&r, &answer, fds, 1)) > 0) {
      check_int (type, SF_MESSAGE_STATS);
      check_int (answer.stats.n_listed, 0);
      n++;
    }
    check_int (type, -1);
  }
  printf ("# %d answers\n", n);
  check (n > 0 && n <= QUOTA * (2 + (int) ((sf_now () - began) / SF_NS_PER_SECOND)));
  check_int (scene_count (&s, &s.n_refused), 0);
  raw_close (&r);
  scene_end (&s);
}

/* It reads nothing: it goes when its socket is full. */
static void
test_never_reads (void)
{
  struct sf_message msg = observe_before (UINT64_MAX);
  struct pollfd hup = {.events = POLLRDHUP };
  struct scene s;

  scene_start (&s);
  hup.fd = raw_connect (s.place.path).fd;
  for (int64_t until = sf_now () + LONG; poll (&hup, 1, 1) == 0;) {
    check (sf_now () < until);
    sf_send (hup.fd, &msg, NULL, 0);
  }
  close (hup.fd);
  check_int (scene_count (&s, &s.n_refused), 0);
  scene_end (&s);
}

/* What it says besides costs it its connection, and a client that turns observer, too. */
static void
test_other_messages (void)
{
  struct sf_message observe = observe_before (UINT64_MAX), msg;
  int fds[SF_MESSAGE_MAX_FDS];
  struct raw_client r;
  struct scene s;

  scene_start (&s);
  for (uint32_t type = FIRST_TYPE; type <= LAST_TYPE; type++) {
    uint32_t before = scene_count (&s, &s.n_refused);

    if (type == SF_MESSAGE_OBSERVE || fds_of (type) > 0)
      continue;
    r = raw_connect (s.place.path);
    check_int (sf_send (r.fd, &observe, NULL, 0), 0);
    check_int (raw_next (&r, &msg, fds, 10000), SF_MESSAGE_STATS);
    msg = message_of (type);
    check_int (sf_send (r.fd, &msg, NULL, 0), 0);
    check_int (raw_await_end (&r), SF_REASON_NONE);
    check_int (scene_await (&s, &s.n_refused, before), SF_REASON_VIOLATION);
    raw_close (&r);
  }
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  check_int (sf_send (r.fd, &observe, NULL, 0), 0);
  check_int (raw_await_end (&r), SF_REASON_VIOLATION);
  raw_close (&r);
  scene_end (&s);
}

static void
test_other_version (void)
{
  struct sf_message msg = observe_before (UINT64_MAX);
  struct place place;
  struct sf_producer *p;
  struct raw_client r;

  place_make (&place);
  p = open_with (place.path, 1);
  msg.observe.version_min = msg.observe.version_max = SF_PROTOCOL_VERSION + 1;
  r = raw_connect (place.path);
  check_int (sf_send (r.fd, &msg, NULL, 0), 0);
  check_int (raw_await_end (&r), SF_REASON_VERSION);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* It has a second in this build; whoever asks stays. */
static void
test_silence (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_observer idle, busy;
  struct pollfd hup = {.events = POLLRDHUP };

  place_make (&place);
  p = open_with (place.path, 1);
  idle = open_observer (place.path);
  busy = open_observer (place.path);
  look_well (&idle);
  hup.fd = idle.fd;
  do
    look_well (&busy);
  while (poll (&hup, 1, 50) == 0);
  look_well (&busy);
  check_int (busy.stats.n_observers, 1);
  sf_observer_close (&idle);
  sf_observer_close (&busy);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_producer_ends (void)
{
  struct sf_reject reject;
  struct place place;
  struct sf_producer *p;
  struct sf_observer o;

  place_make (&place);
  p = open_with (place.path, 1);
  o = open_observer (place.path);
  look_well (&o);
  sf_producer_close (p);
  check_int (look (&o, &reject), -EPIPE);
  sf_observer_close (&o);
  check_int (sf_observer_open (&o, place.path, &reject), -ENOENT);
  place_remove (&place);
}

/* What a client writes about itself is shown, and does no harm. */
static void
test_lying_client (void)
{
  struct scene s;
  struct sf_observer o;
  struct raw_client r;

  scene_start (&s);
  o = open_observer (s.place.path);
  r = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  for (uint32_t i = 0; i < SF_HANDOVERS; i++)
    sf_store_flag (&r.page->handover[i], i % 2 == 0 ? UINT32_MAX : i);
  do
    look_well (&o);
  while (o.n_clients != 2);
  check_int (o.clients[0].handover_p50, 127);
  check_int (o.clients[0].handover_p99, UINT32_MAX);
  raw_close (&r);
  sf_observer_close (&o);
  scene_end (&s);
}

/* One accepted by a producer that lies: the answer, and what is made of it. */
static int
hear (const struct sf_message *first, const struct sf_message *again, int fd)
{
  struct sf_reject reject;
  struct place place;
  struct sf_listener l;
  struct sf_credentials peer;
  struct sf_observer o;
  int theirs, r;

  place_make (&place);
  check_int (sf_listener_open (&l, place.path, 0600), 0);
  o = open_observer (place.path);
  theirs = sf_listener_accept (&l, &peer);
  check_int (sf_observer_ask (&o), 0);
  check_int (sf_send (theirs, first, &fd, fd >= 0), 0);
  do {
    if (again != NULL)
      sf_send (theirs, again, NULL, 0);
    r = sf_observer_read (&o, &reject);
  } while (r == 0);
  sf_observer_close (&o);
  close (theirs);
  sf_listener_close (&l);
  place_remove (&place);
  return r;
}

static struct sf_message
stats_with (uint32_t n, uint64_t newest)
{
  struct sf_message msg = message_of (SF_MESSAGE_STATS);

  msg.stats.n_listed = n;
  for (uint32_t i = 0; i < n; i++)
    fill_client_stats (&msg.stats.clients[i], newest - i);
  return msg;
}

static void
test_lying_producer (void)
{
  struct sf_message full = stats_with (SF_STATS_CLIENTS, 1000);
  struct sf_message same = full, end = stats_with (3, 900);
  struct sf_message newer = stats_with (1, 985), none = stats_with (0, 0);

  check_int (hear (&end, NULL, -1), 1);
  check_int (hear (&full, &end, -1), 1);
  check_int (hear (&full, &none, -1), 1);
  check_int (hear (&full, &same, -1), -EPROTO);
  check_int (hear (&full, &newer, -1), -EPROTO);
  for (uint32_t type = FIRST_TYPE; type < SF_MESSAGE_STATS; type++) {
    struct sf_message msg = message_of (type);

    if (fds_of (type) == 0)
      check_int (hear (&msg, NULL, -1),
          type == SF_MESSAGE_REJECT ? -EACCES : -EPROTO);
  }
  full = message_of (SF_MESSAGE_SEGMENT);
  check_int (hear (&full, NULL, 1), -EPROTO);
}

/* Falling for ever: it ends after as many as there can be. */
static void
test_endless_list (void)
{
  struct sf_reject reject;
  struct place place;
  struct sf_listener l;
  struct sf_credentials peer;
  struct sf_observer o;
  struct sf_message msg;
  int theirs, r, n = 0;

  place_make (&place);
  check_int (sf_listener_open (&l, place.path, 0600), 0);
  o = open_observer (place.path);
  theirs = sf_listener_accept (&l, &peer);
  check_int (sf_observer_ask (&o), 0);
  do {
    msg = stats_with (SF_STATS_CLIENTS, UINT64_MAX - 16 * (uint64_t) n++);
    check_int (sf_send (theirs, &msg, NULL, 0), 0);
    check_int (sf_receive (theirs, &msg, NULL), 1);
    check_int (msg.type, SF_MESSAGE_OBSERVE);
    r = sf_observer_read (&o, &reject);
  } while (r == 0);
  check_int (r, -EPROTO);
  check_int (n, 4096 / SF_STATS_CLIENTS + 1);
  /* Nor does it hear what it has not asked. */
  sf_observer_close (&o);
  o = open_observer (place.path);
  close (theirs);
  theirs = sf_listener_accept (&l, &peer);
  msg = message_of (SF_MESSAGE_STATS);
  check_int (sf_send (theirs, &msg, NULL, 0), 0);
  check_int (sf_observer_read (&o, &reject), -EPROTO);
  sf_observer_close (&o);
  close (theirs);
  sf_listener_close (&l);
  place_remove (&place);
}

/* An abstract name answers its own user and root. Takes two users, and so root. */
static void
test_trust (void)
{
  struct sf_producer_config config = {.max_clients = 4,.max_memory = 1 << 24 };
  struct sf_reject reject;
  struct sf_observer o;
  struct sf_producer *p;
  char name[64], ready;
  int pipes[2];
  pid_t child;

  unit_skip_unless_root ();
  snprintf (name, sizeof name, "@shmframe-unit-observers-%d", (int) getpid ());
  config.path = name;
  check_int (sf_producer_open (&p, &config), 0);
  child = fork ();
  if (child == 0) {
    check_int (setgid (65534) | setuid (65534), 0);
    check_int (sf_observer_open (&o, name, &reject), 0);
    check_int (look (&o, &reject), -EACCES);
    check_int (reject.reason, SF_REASON_NOT_ALLOWED);
    _exit (0);
  }
  unit_wait_ok (child);
  sf_producer_close (p);
  check_int (pipe (pipes), 0);
  child = fork ();
  if (child == 0) {
    check_int (setgid (65534) | setuid (65534), 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    check_int (sf_producer_open (&p, &config), 0);
    check_int (write (pipes[1], "r", 1), 1);
    pause ();
  }
  check_int (read (pipes[0], &ready, 1), 1);
  check_int (sf_observer_open (&o, name, &reject), -EPERM);
  check_int (reject.reason, SF_REASON_NOT_ALLOWED);
  kill (child, SIGKILL);
  check_int (waitpid (child, NULL, 0), child);
  close (pipes[0]);
  close (pipes[1]);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_figures), TEST (test_drops), TEST (test_many_clients),
    TEST (test_takes_no_place), TEST (test_floods), TEST (test_never_reads),
    TEST (test_other_messages), TEST (test_other_version),
    TEST (test_silence), TEST (test_producer_ends), TEST (test_lying_client),
    TEST (test_lying_producer), TEST (test_endless_list), TEST (test_trust),
  };

  return unit_main (tests);
}
