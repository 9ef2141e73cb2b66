/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client sleeps on the announce ring, the producer wakes it: sf_consumer_wait()
 * in lib/consumer/wait.c against announce_locked() in lib/producer/publish.c and
 * sf_client_wake() in lib/producer/wake.c.
 *
 * Lost wake-up: the client sleeps for ever though there is something to read.
 * spin reports that as an invalid end state.
 *
 * Mutants: NO_CLIENT_FENCE NO_PRODUCER_FENCE NO_RECHECK LATE_SEEN NO_BUMP
 * WAKE_IS_ENOUGH */

#include "tso.h"

#define PRODUCER 0
#define CLIENT 1

#define HEAD 0
#define SLEEPING 1
#define WAKE 2

#define RECORDS 3

bool in_futex;

/* sf_client_take_sleeping_flag() and sf_client_wake(). */
inline wake_up ()
{
  load (PRODUCER, SLEEPING, slept);
  if
  :: slept != 0 -> exchange (PRODUCER, SLEEPING, 0, slept)
  :: else
  fi;
  if
  :: slept != 0 ->
#ifndef NO_BUMP
     add (PRODUCER, WAKE, 1);
#endif
     woken = true;
     in_futex = false           /* FUTEX_WAKE */
  :: else
  fi;
  slept = 0
}

inline announce ()
{
  n++;
  store (PRODUCER, HEAD, n);
#ifndef NO_PRODUCER_FENCE
  fence (PRODUCER);
#endif
#ifdef WAKE_IS_ENOUGH
  /* It was woken once, and is awake: is it? */
  if
  :: woken
  :: else -> wake_up ()
  fi
#else
  wake_up ()
#endif
}

active proctype producer ()
{
  int n = 0, slept;
  bool woken;                   /* read by a mutant only */

  do
  :: n < RECORDS -> announce ()
  :: else -> break
  od
}

inline fall_asleep ()
{
#ifndef LATE_SEEN
  load (CLIENT, WAKE, seen);
#endif
  store (CLIENT, SLEEPING, 1);
#ifndef NO_CLIENT_FENCE
  fence (CLIENT);
#endif
#ifndef NO_RECHECK
  load (CLIENT, HEAD, head);
#endif
#ifdef LATE_SEEN
  load (CLIENT, WAKE, seen);
#endif
  if
  :: head > read_pos
  :: else ->
     /* FUTEX_WAIT: compares and falls asleep in one step. */
     atomic { in_futex = (memory[WAKE] == seen) };
     !in_futex
  fi;
  store (CLIENT, SLEEPING, 0)
}

active proctype client ()
{
  int head, read_pos = 0, seen;

  do
  :: read_pos < RECORDS ->
     load (CLIENT, HEAD, head);
     if
     :: head > read_pos -> read_pos = head
     :: else -> fall_asleep ()
     fi;
     head = 0;
     seen = 0
  :: else -> break
  od
}
