/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client sleeps on the announce ring, the producer wakes it: sf_consumer_wait()
 * in lib/consumer/wait.c against announce_locked(), sf_producer_expect() and
 * sf_client_wake(). It may be woken ahead, for a frame that is said to be coming,
 * and look out for it for a while; the frame may then not come after all, or come
 * when nobody looks out any more.
 *
 * Lost wake-up: the client sleeps for ever though there is something to read.
 * spin reports that as an invalid end state.
 *
 * Mutants: NO_CLIENT_FENCE NO_PRODUCER_FENCE NO_RECHECK LATE_SEEN NO_BUMP
 * AHEAD_IS_ENOUGH AHEAD_TAKES_ALL RECHECK_COMING ONLY_AHEAD */

#include "tso.h"

#define PRODUCER 0
#define CLIENT 1

#define HEAD 0
#define SLEEPING 1
#define WAKE 2
#define COMING 3

#define TILL_THERE 1
#define TILL_COMING 2

#define RECORDS 3
#define VAIN 1

bool in_futex;

/* sf_client_take_sleep() and sf_client_wake(). */
inline wake_up ()
{
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

inline fence_producer ()
{
#ifndef NO_PRODUCER_FENCE
  fence (PRODUCER)
#else
  skip
#endif
}

/* Those that want it, and are not on our processor; that is as chance has it. */
inline wake_ahead ()
{
  fence_producer ();
#ifdef AHEAD_TAKES_ALL
  exchange (PRODUCER, SLEEPING, 0, slept);
  if
  :: slept == TILL_COMING ->
     add (PRODUCER, WAKE, 1);
     in_futex = false
  :: else
  fi;
  slept = 0
#else
  load (PRODUCER, SLEEPING, slept);
  if
  :: slept == TILL_COMING -> wake_up ()
  :: slept = 0
  fi
#endif
}

inline announce ()
{
  n++;
  store (PRODUCER, HEAD, n);
  store (PRODUCER, COMING, 0);
  fence_producer ();
#ifdef AHEAD_IS_ENOUGH
  if
  :: woken
  :: else ->
#endif
     load (PRODUCER, SLEEPING, slept);
#ifdef ONLY_AHEAD
     slept = (slept == TILL_COMING -> slept : 0);
#endif
     wake_up ()
#ifdef AHEAD_IS_ENOUGH
  fi
#endif
}

active proctype producer ()
{
  int n = 0, slept;
  byte vain;
  bool woken;                   /* read by a mutant only */

  do
  :: n < RECORDS ->
     woken = false;
     if
     :: store (PRODUCER, COMING, 1);
        wake_ahead ();
        if
        :: announce ()
        :: vain < VAIN ->       /* It does not come after all. */
           vain++;
           store (PRODUCER, COMING, 0)
        fi
     :: announce ()
     fi
  :: else -> break
  od
}

/* As long as it is said to be coming, and not for good. */
inline look_out ()
{
  load (CLIENT, COMING, coming);
  do
  :: coming != 0 ->
     load (CLIENT, HEAD, head);
     if
     :: head > read_pos -> break
     :: load (CLIENT, COMING, coming)
     :: break
     fi
  :: else -> break
  od;
  coming = 0
}

inline fall_asleep ()
{
#ifndef LATE_SEEN
  load (CLIENT, WAKE, seen);
#endif
  /* Which of the two depends on what looking out was good for. */
  if
  :: store (CLIENT, SLEEPING, TILL_COMING)
  :: store (CLIENT, SLEEPING, TILL_THERE)
  fi;
#ifndef NO_CLIENT_FENCE
  fence (CLIENT);
#endif
#ifdef RECHECK_COMING
  load (CLIENT, COMING, coming);
  head = (coming != 0 -> read_pos + 1 : read_pos);
  coming = 0;
#else
#ifndef NO_RECHECK
  load (CLIENT, HEAD, head);
#endif
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
  int head, read_pos = 0, seen, coming;

  do
  :: read_pos < RECORDS ->
     load (CLIENT, HEAD, head);
     if
     :: head > read_pos -> read_pos = head
     :: else ->
        look_out ();
        if
        :: head > read_pos
        :: else -> fall_asleep ()
        fi
     fi;
     head = 0;
     seen = 0
  :: else -> break
  od
}
