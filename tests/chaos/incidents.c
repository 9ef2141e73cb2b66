/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is more than one process killed, stopped, or told to leave: clients that want
 * more, come in numbers or in namespaces, formats that change, floods, another
 * producer's slots, clients that are stopped by the dozen. Everybody else gets on
 * meanwhile. */
#include "driver.h"

#include <sched.h>
#include <stdio.h>

#define WAIT_NS (15 * SF_NS_PER_SECOND)
/* More than the ring has to spare. */
#define APPETITE 24u
#define N_FORMATS 4u
#define FLOOD_NS (400 * MS)

/* Turns until it is true, or for so long that it counts as not happening. */
#define await(d, condition, ...) \
  do { \
    int64_t until_ = sf_now () + WAIT_NS; \
    while (!(condition) && (d)->failures == 0) { \
      turn (d); \
      if (sf_now () > until_) \
        complain ((d), __VA_ARGS__); \
    } \
  } while (0)

/* Of those who should be there, somebody who has not seen that frame yet. */
static int
behind (const struct driver *d, unsigned but, uint64_t order)
{
  for (unsigned i = 1; i < N_SEATS; i++) {
    enum role role = d->seats->seat[i].role;

    if (i != but && d->seats->seat[i].order < order
        && (i < FIRST_GUEST || (role == ROLE_CONSUMER
                && d->process[i].state == STATE_RUNS)))
      return (int) i;
  }
  return -1;
}

void
check_progress (struct driver *d, unsigned but)
{
  uint64_t order = d->seats->seat[ORIGIN].order + 1;
  int i;

  await (d, (i = behind (d, but, order)) < 0,
      "seat %d is left without frames at %llx; the origin is at %llx", i,
      (unsigned long long) d->seats->seat[i].order,
      (unsigned long long) d->seats->seat[ORIGIN].order);
}

static void
invite (struct driver *d, unsigned guest, enum role role, unsigned source)
{
  unsigned i = FIRST_GUEST + guest;
  struct seat *seat = &d->seats->seat[i];

  seat->role = role;
  seat->source = source;
  seat->wish = guest % 2 ? WISH_LIVE : WISH_AUTO;
  seat->order = 0;
  seat->disturbed++;
  start (d, i, NULL);
}

static void
await_ready (struct driver *d, unsigned guest)
{
  unsigned i = FIRST_GUEST + guest;
  const struct seat *seat = &d->seats->seat[i];

  await (d, seat->ready == seat->life || d->process[i].state == STATE_GONE,
      "guest %u does not get ready", guest);
}

/* In order, or not. */
static void
send_home (struct driver *d, bool hard)
{
  for (unsigned i = FIRST_GUEST; i < N_SEATS; i++) {
    struct process *p = &d->process[i];

    if (p->state == STATE_STOPPED)
      do_continue (d, i);
    if (p->state != STATE_GONE && (hard
            || d->seats->seat[i].ready != d->seats->seat[i].life))
      do_kill (d, i, 0);
    else if (p->state != STATE_GONE)
      do_leave (d, i);
  }
  for (unsigned i = FIRST_GUEST; i < N_SEATS; i++)
    await (d, d->process[i].state == STATE_GONE, "guest %u does not go",
        i - FIRST_GUEST);
}

/* At the origin, at each relay, and anywhere, at the same time. */
static void
set_appetite (struct driver *d, uint32_t appetite)
{
  for (unsigned i = FIRST_CONSUMER; i < FIRST_GUEST; i += 2)
    d->seats->seat[i].appetite = appetite;
}

static void
do_holding (struct driver *d)
{
  /* It is served losslessly where the origin is. */
  const struct seat *seat = &d->seats->seat[FIRST_CONSUMER];

  set_appetite (d, APPETITE);
  await (d, seat->holds > APPETITE / 2, "a client that wants %u frames holds %u",
      APPETITE, seat->holds);
  check_progress (d, ORIGIN);
  set_appetite (d, 0);
  check_progress (d, ORIGIN);
}

static void
do_joining (struct driver *d)
{
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned g = 0; g < N_GUESTS; g++)
      invite (d, g, ROLE_CONSUMER, g % (1 + N_RELAYS));
    check_progress (d, ORIGIN);
    send_home (d, round == 0);
    check_progress (d, ORIGIN);
  }
}

static void
change_format (struct driver *d)
{
  struct seat *origin = &d->seats->seat[ORIGIN];

  origin->format++;
  await (d, origin->format_done == origin->format,
      "the format does not change");
}

static void
do_format (struct driver *d)
{
  set_appetite (d, APPETITE);
  for (unsigned i = 0; i < N_FORMATS && d->failures == 0; i++) {
    change_format (d);
    turns (d, random_below (&d->seed, 100) * MS);
  }
  check_progress (d, ORIGIN);
  set_appetite (d, 0);
}

static void
do_floods (struct driver *d)
{
  unsigned bad = FIRST_GUEST + 2;

  d->seats->liars = 2;
  invite (d, 0, ROLE_FLOODER, ORIGIN);
  invite (d, 1, ROLE_FLOODER, 1);
  invite (d, 2, ROLE_BAD_PRODUCER, bad);
  await_ready (d, 2);
  invite (d, 3, ROLE_VICTIM, bad);
  turns (d, FLOOD_NS);
  /* Who comes meanwhile is served. */
  invite (d, 4, ROLE_CONSUMER, ORIGIN);
  invite (d, 5, ROLE_CONSUMER, 1);
  check_progress (d, ORIGIN);
  /* Its consumer can be stopped, and first: it may not wait for the flood to end. */
  await_ready (d, 3);
  do_leave (d, FIRST_GUEST + 3);
  await (d, d->process[FIRST_GUEST + 3].state == STATE_GONE,
      "a consumer that is flooded does not end");
  send_home (d, false);
  /* The producers have heard of all that they said. */
  turns (d, 3 * CLIENT_TIMEOUT_MS * MS);
  check_progress (d, ORIGIN);
  d->seats->liars = 0;
}

static void
do_side (struct driver *d)
{
  struct seat *origin = &d->seats->seat[ORIGIN];

  for (unsigned g = 0; g < 3; g++)
    invite (d, g, ROLE_CONSUMER, SIDE);
  check_progress (d, ORIGIN);
  for (unsigned i = 0; i < 3 && d->failures == 0; i++) {
    origin->side++;
    await (d, origin->side_done == origin->side,
        "the second producer does not begin anew");
    turns (d, random_below (&d->seed, 200) * MS);
  }
  check_progress (d, ORIGIN);
  send_home (d, random_below (&d->seed, 2) == 0);
}

/* What they do not read is no more than the producer can do without. */
static void
do_crowd (struct driver *d)
{
  invite (d, 0, ROLE_CROWD, ORIGIN);
  invite (d, 1, ROLE_CROWD, 1 + random_below (&d->seed, N_RELAYS));
  await_ready (d, 0);
  await_ready (d, 1);
  do_stop (d, FIRST_GUEST, 2 * WAIT_NS);
  do_stop (d, FIRST_GUEST + 1, 2 * WAIT_NS);
  for (unsigned i = 0; i < N_FORMATS && d->failures == 0; i++)
    change_format (d);
  invite (d, 2, ROLE_CONSUMER, ORIGIN);
  check_progress (d, ORIGIN);
  send_home (d, true);
}

static void
do_namespaces (struct driver *d)
{
  static const int spaces[] = { CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWNS,
    CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC
  };
  unsigned n = sizeof (spaces) / sizeof (spaces[0]);

  for (unsigned g = 0; g < n; g++) {
    d->seats->seat[FIRST_GUEST + g].namespaces = (uint32_t) (spaces[g]
        | CLONE_NEWUSER);
    invite (d, g, ROLE_CONSUMER, g % (1 + N_RELAYS));
  }
  check_progress (d, ORIGIN);
  for (unsigned g = 0; g < n; g++) {
    d->seats->seat[FIRST_GUEST + g].namespaces = 0;
    if (d->process[FIRST_GUEST + g].not_allowed) {
      printf ("passed over: the kernel allows no namespaces %x\n",
          (unsigned) spaces[g]);
      d->seats->passed_over++;
    }
  }
  send_home (d, random_below (&d->seed, 2) == 0);
}

static const struct
{
  const char *name;
  void (*happen) (struct driver * d);
} incidents[N_INCIDENTS] = {
  [INCIDENT_HOLDING] = {"holding", do_holding},
  [INCIDENT_JOINING] = {"joining", do_joining},
  [INCIDENT_FORMAT] = {"format", do_format},
  [INCIDENT_FLOODS] = {"floods", do_floods},
  [INCIDENT_SIDE] = {"side", do_side},
  [INCIDENT_CROWD] = {"crowd", do_crowd},
  [INCIDENT_NAMESPACES] = {"namespaces", do_namespaces},
};

void
do_incident (struct driver *d, enum incident incident)
{
  settle (d);
  incidents[incident].happen (d);
  if (d->failures > 0)
    printf ("incident: %s\n", incidents[incident].name);
  d->seats->incidents[incident]++;
  settle (d);
}

const char *
incident_name (enum incident incident)
{
  return incidents[incident].name;
}
