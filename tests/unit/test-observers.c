/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who looks at a producer: what it sees, and that it takes nothing from anybody. */
#include <signal.h>
#include <sys/prctl.h>

#include "observers.h"

static void
test_figures (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_producer_stats stats;
  struct sf_consumer *c;
  struct sf_received in[3];
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
    next_of (c, &in[i], SF_RECEIVED_FRAME);
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
  struct sf_received in;
  struct sf_reject reject;

  place_make (&place);
  p = open_with (place.path, 1);
  for (int i = 0; i < 3; i++) {
    o[i] = open_observer (place.path);
    look_well (&o[i]);
  }
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 1);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
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
    TEST (test_takes_no_place), TEST (test_silence),
    TEST (test_producer_ends), TEST (test_trust),
  };

  return unit_main (tests);
}
