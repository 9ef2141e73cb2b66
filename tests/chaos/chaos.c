/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kills, stops and restarts one producer, two relays in a row and eight
 * consumers, at random and at each named step of the protocol, while they judge
 * what they see; and has guests come, see incidents.c.
 *
 *   chaos PEER [--seconds N] [--cycles N] [--seed N] [--incident NAME]
 *
 * A cycle is one process killed, stopped, or told to leave. With --incident there are
 * none, only that one, for so many seconds. */
#include "driver.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cycles between two looks whether all is well. */
#define ROUND 100u
#define STEP_NS (15 * SF_NS_PER_SECOND)
#define SETTLE_NS (10 * SF_NS_PER_SECOND)
#define CENSUS_NS (20 * SF_NS_PER_SECOND)

static unsigned
pick_seat (struct driver *d)
{
  uint32_t dice = random_below (&d->seed, 20);

  if (dice < 2)
    return ORIGIN;
  if (dice < 5)
    return 1 + dice % N_RELAYS;
  return FIRST_CONSUMER + random_below (&d->seed, N_CONSUMERS);
}

/* Mostly around client-timeout; now and then far beyond. */
static int64_t
stop_time (struct driver *d, unsigned seat)
{
  if (seat >= FIRST_CONSUMER && random_below (&d->seed, 20) == 0)
    return 4 * SF_NS_PER_SECOND;
  return random_below (&d->seed, 2 * CLIENT_TIMEOUT_MS) * MS;
}

static void
cycle (struct driver *d)
{
  unsigned i = pick_seat (d);
  uint32_t dice = random_below (&d->seed, 10);
  const struct process *p = &d->process[i];

  if (p->state == STATE_GONE || p->leaving)
    return;
  if (dice < 4)
    do_kill (d, i, random_below (&d->seed, 60) * MS);
  else if (p->state == STATE_STOPPED)
    return;
  else if (dice < 8)
    do_stop (d, i, stop_time (d, i));
  else if (d->seats->seat[i].ready == d->seats->seat[i].life)
    do_leave (d, i);
  else
    return;                     /* it does not hear SIGTERM yet */
  d->cycles++;
}

/* A machine that gives the origin little time lets its consumers always be fast
 * enough. Of these, the first is served losslessly; the ring has a hundred slots. */
static void
make_full (struct driver *d, int64_t * when)
{
  if (sf_now () < *when || d->process[FIRST_CONSUMER].state != STATE_RUNS)
    return;
  do_stop (d, FIRST_CONSUMER, STEP_NS / 3);
  *when = INT64_MAX;
}

/* One step of one role, by a process that is started for it. */
static void
try_step (struct driver *d, unsigned step, enum role role, enum act act)
{
  const _Atomic uint64_t *hits = &d->seats->hits[step][act];
  uint64_t before = *hits;
  int64_t until = sf_now () + STEP_NS, full_at = until - STEP_NS / 3 * 2;
  unsigned seat = role == ROLE_PRODUCER ? ORIGIN : role == ROLE_RELAY
      ? 1 + random_below (&d->seed, N_RELAYS) : FIRST_CONSUMER
      + random_below (&d->seed, N_CONSUMERS);
  bool full = strcmp (steps[step], "full") == 0;
  char hook[64];

  snprintf (hook, sizeof hook, "%u,%u,%d", step, step < N_RARE_STEPS ? 1
      : 1 + random_below (&d->seed, full ? 4 : 30), act);
  settle (d);
  do_kill (d, seat, SF_NS_PER_SECOND);
  start (d, seat, hook);
  while (*hits == before && sf_now () < until && d->failures == 0) {
    if (full) {
      make_full (d, &full_at);
      /* It is to be full, not to be quick: that is looked at later. */
      d->seats->seat[ORIGIN].disturbed++;
    }
    turn (d);
  }
  if (*hits == before && d->failures == 0)
    complain (d, "seat %u never got to \"%s\"", seat, steps[step]);
  d->cycles++;
  turns (d, random_below (&d->seed, 2 * CLIENT_TIMEOUT_MS) * MS);
}

static void
try_steps (struct driver *d)
{
  for (unsigned step = 0; step < N_STEPS; step++)
    for (unsigned role = ROLE_PRODUCER; role <= ROLE_CONSUMER; role++)
      for (unsigned act = 0; act < N_ACTS; act++)
        if (d->failures == 0 && step_suits (step, role))
          try_step (d, step, role, act);
}

/* Left alone, everybody gets on; and so do the others when one is stopped for
 * longer than anybody waits for it. */
static void
check_flow (struct driver *d)
{
  unsigned stopped = FIRST_CONSUMER + random_below (&d->seed, N_CONSUMERS);

  settle (d);
  turns (d, 100 * MS);
  settle (d);
  check_progress (d, ORIGIN);
  if (d->process[stopped].state != STATE_RUNS)
    return;
  do_stop (d, stopped, 2 * SETTLE_NS);
  turns (d, 2 * CLIENT_TIMEOUT_MS * MS);
  check_progress (d, stopped);
  settle (d);
}

/* Everybody but the producer goes, the hard way: it keeps nothing of them. */
static void
check_census (struct driver *d)
{
  struct seat *origin = &d->seats->seat[ORIGIN];
  int64_t until;

  for (unsigned i = 1; i < N_SEATS; i++) {
    if (d->process[i].state != STATE_GONE)
      do_kill (d, i, 0);
    d->process[i].absent = true;
  }
  settle (d);
  origin->census++;
  until = sf_now () + CENSUS_NS;
  while (origin->counted != origin->census && d->failures == 0) {
    turn (d);
    if (sf_now () > until)
      complain (d, "the producer does not count what is left");
  }
  d->censuses++;
  for (unsigned i = 1; i < FIRST_GUEST; i++)
    d->process[i].absent = false;
}

/* Told to, everybody ends in good order. */
static void
all_leave (struct driver *d)
{
  for (unsigned i = N_SEATS; i-- > 0;) {
    int64_t until = sf_now () + CENSUS_NS;

    settle (d);
    d->process[i].absent = true;
    while (d->process[i].state != STATE_GONE && d->failures == 0) {
      if (d->process[i].state == STATE_RUNS && !d->process[i].leaving
          && d->seats->seat[i].ready == d->seats->seat[i].life)
        do_leave (d, i);
      turn (d);
      if (sf_now () > until)
        complain (d, "seat %u does not leave", i);
    }
  }
  if (d->failures == 0 && rmdir (d->folder) < 0)
    complain (d, "a socket file was left behind in %s", d->folder);
}

static void
report_incidents (const struct driver *d)
{
  for (unsigned i = 0; i < N_INCIDENTS; i++)
    printf ("%s%s %llu", i > 0 ? ", " : "incidents: ", incident_name (i),
        (unsigned long long) d->seats->incidents[i]);
  if (d->seats->passed_over > 0)
    printf (" (%llu times the kernel allowed none)",
        (unsigned long long) d->seats->passed_over);
  printf ("\n");
}

static void
report (struct driver *d, int64_t took)
{
  struct figures sum = { 0 };
  uint64_t hits = 0, least = UINT64_MAX;

  for (unsigned i = 0; i < N_SEATS; i++) {
    const struct figures *f = &d->seats->seat[i].figures;

    if (i != ORIGIN)
      sum.frames += f->frames;
    sum.checks += f->checks;
    sum.connections += f->connections;
    sum.disconnections += f->disconnections;
    sum.evictions += f->evictions;
    sum.drained += f->drained;
    sum.children += f->children;
    sum.reconnects += f->reconnects;
    sum.late_reconnects += f->late_reconnects;
    if (f->longest_reconnect > sum.longest_reconnect)
      sum.longest_reconnect = f->longest_reconnect;
  }
  for (unsigned s = 0; s < N_STEPS; s++)
    for (unsigned a = 0; a < N_ACTS; a++) {
      hits += d->seats->hits[s][a];
      if (d->seats->hits[s][a] < least)
        least = d->seats->hits[s][a];
    }
  printf ("%llu cycles in %.1f s: %llu kills, %llu stops, %llu leaves; %llu at a "
      "step (each at least %llu times)\n", (unsigned long long) d->cycles,
      (double) took / 1e9, (unsigned long long) d->kills,
      (unsigned long long) d->stops, (unsigned long long) d->leaves,
      (unsigned long long) hits, (unsigned long long) least);
  printf ("%llu frames sent by %u lives, %llu received, %llu checks of all "
      "bytes\n",
      (unsigned long long) d->seats->seat[ORIGIN].figures.frames,
      d->seats->seat[ORIGIN].life, (unsigned long long) sum.frames,
      (unsigned long long) sum.checks);
  printf ("%llu connections, %llu evictions, %llu crashes drained to the last "
      "frame, %llu censuses, %llu children without exec\n",
      (unsigned long long) sum.connections,
      (unsigned long long) sum.evictions, (unsigned long long) sum.drained,
      (unsigned long long) d->censuses, (unsigned long long) sum.children);
  printf ("longest stall of the producer %.0f ms; %llu of %llu connections took "
      "more than 100 ms, the longest %.0f ms\n",
      (double) d->seats->seat[ORIGIN].figures.longest_stall / 1e6,
      (unsigned long long) sum.late_reconnects,
      (unsigned long long) sum.reconnects,
      (double) sum.longest_reconnect / 1e6);
  report_incidents (d);
}

static void
try_incidents (struct driver *d)
{
  for (unsigned i = 0; i < N_INCIDENTS && d->failures == 0; i++)
    do_incident (d, i);
}

static void
run_incident (struct driver *d, const char *name, int64_t until)
{
  unsigned i = 0;

  while (i < N_INCIDENTS && strcmp (incident_name (i), name) != 0)
    i++;
  if (i == N_INCIDENTS)
    complain (d, "there is no incident \"%s\"", name);
  settle (d);
  while (d->failures == 0 && sf_now () < until)
    do_incident (d, i);
  if (d->failures == 0)
    check_census (d);
  if (d->failures == 0)
    all_leave (d);
}

static void
run (struct driver *d, int64_t until, uint64_t cycles)
{
  settle (d);
  try_steps (d);
  try_incidents (d);
  while (d->failures == 0 && sf_now () < until && d->cycles < cycles) {
    for (unsigned i = 0; i < ROUND && d->failures == 0; i++) {
      cycle (d);
      turns (d, random_below (&d->seed, 120) * MS);
    }
    if (d->failures == 0)
      check_flow (d);
    if (d->failures == 0)
      do_incident (d, random_below (&d->seed, N_INCIDENTS));
    if (d->failures == 0)
      check_census (d);
    d->rounds++;
  }
  settle (d);
  if (d->failures == 0)
    check_flow (d);
  if (d->failures == 0)
    check_census (d);
  if (d->failures == 0)
    all_leave (d);
}

int
main (int argc, char **argv)
{
  static const struct option options[] = {
    {"seconds", required_argument, NULL, 's'},
    {"cycles", required_argument, NULL, 'c'},
    {"seed", required_argument, NULL, 'r'},
    {"incident", required_argument, NULL, 'i'},
    {0}
  };
  uint64_t cycles = UINT64_MAX, seed = 1;
  int64_t began = sf_now (), until = INT64_MAX;
  const char *incident = NULL;
  struct driver d;
  int c;

  while ((c = getopt_long (argc, argv, "", options, NULL)) != -1) {
    if (c == 's')
      until = began + strtoll (optarg, NULL, 10) * SF_NS_PER_SECOND;
    else if (c == 'c')
      cycles = strtoull (optarg, NULL, 10);
    else if (c == 'r')
      seed = strtoull (optarg, NULL, 10);
    else if (c == 'i')
      incident = optarg;
    else
      return 2;
  }
  if (optind != argc - 1) {
    fprintf (stderr, "usage: chaos PEER [--seconds N] [--cycles N] [--seed N] "
        "[--incident NAME]\n");
    return 2;
  }
  driver_open (&d, argv[optind], seed);
  if (incident != NULL)
    run_incident (&d, incident, until);
  else
    run (&d, until, cycles);
  report (&d, sf_now () - began);
  if (d.failures > 0)
    printf ("seed %llu\n", (unsigned long long) seed);
  driver_close (&d);
  return d.failures > 0;
}
