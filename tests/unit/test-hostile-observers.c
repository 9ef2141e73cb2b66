/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Observers that ask for too much, producers and clients that lie: neither side believes
 * the other. */
#include "observers.h"

#define QUOTA 64

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

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_floods), TEST (test_never_reads), TEST (test_other_messages),
    TEST (test_other_version), TEST (test_lying_client),
    TEST (test_lying_producer), TEST (test_endless_list),
  };

  return unit_main (tests);
}
