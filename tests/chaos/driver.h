/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processes in their seats, and what the driver does to them. */
#ifndef DRIVER_H
#define DRIVER_H

#include "seats.h"

#include <sys/types.h>

#include "shared/clock.h"

#define MS (SF_NS_PER_SECOND / 1000)

enum state
{
  STATE_GONE,
  STATE_RUNS,
  STATE_STOPPED,
};

struct process
{
  pid_t pid;
  enum state state;
  bool leaving;                 /* told to end by SIGTERM */
  bool absent;                  /* not to be started again, for now */
  bool not_allowed;             /* the kernel lets it have no namespaces */
  int64_t due;                  /* to be started, or continued */
  int64_t calm_since;
};

struct driver
{
  struct seats *seats;
  int seats_fd;
  const char *peer;             /* the program */
  char folder[32];
  uint64_t seed;
  struct process process[N_SEATS];
  uint64_t cycles, kills, stops, leaves, censuses, rounds;
  int failures;
};

void driver_open (struct driver *d, const char *peer, uint64_t seed);
/* Ends what still lives, hard. */
void driver_close (struct driver *d);
void complain (struct driver *d, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* Starts a process in the seat; `hook` NULL, or as in ENV_HOOK: lossless then. */
void start (struct driver *d, unsigned seat, const char *hook);
void do_kill (struct driver *d, unsigned seat, int64_t restart_in);
void do_stop (struct driver *d, unsigned seat, int64_t for_ns);
void do_leave (struct driver *d, unsigned seat);
void do_continue (struct driver *d, unsigned seat);
/* Takes note of what became of them; starts and continues those that are due. */
void turn (struct driver *d);
/* Turns for so long, or until there is a failure. */
void turns (struct driver *d, int64_t ns);
/* Nobody is stopped or missing any more. */
void settle (struct driver *d);
bool step_suits (unsigned step, enum role role);

/* Everybody who should be there, `but` one, gets what the producer sends from now on. */
void check_progress (struct driver *d, unsigned but);
/* incidents.c: all is settled before and after. */
void do_incident (struct driver *d, enum incident incident);
const char *incident_name (enum incident incident);

#endif
