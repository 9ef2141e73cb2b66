/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer sleeps until frames come back, the client kicks it:
 * sleep_locked() in lib/producer/backpressure.c against sf_lease_unref().
 *
 * A kick is a message on the control socket: it stays until it is taken. Here
 * the sleeper takes it itself; in the library the control thread does, and
 * passes it on under the producer's lock.
 *
 * Each sleep has a number of its own, and the client kicks once for each number.
 *
 * Lost wake-up: an invalid end state, the producer sleeps though bits are set.
 *
 * Mutants: NO_CLIENT_FENCE NO_PRODUCER_FENCE NO_RECHECK LATE_DRAIN SAME_NUMBER */

#include "tso.h"

#define PRODUCER 0
#define CLIENT 1

#define RETURNED 0
#define WANT 1

#define FRAMES 3
#define ALL 7                   /* a bit each */

bool kicked;

active proctype client ()
{
  int n = 0, want, signalled = 0;

  do
  :: n < FRAMES ->
     /* Setting a bit is an OR of which nothing is awaited: it may be late. */
     store_or (CLIENT, RETURNED, 1 << n);
     n++;
#ifndef NO_CLIENT_FENCE
     fence (CLIENT);
#endif
     load (CLIENT, WANT, want);
     if
     :: want != 0 && want != signalled ->
        signalled = want;
        kicked = true
     :: else
     fi;
     want = 0
  :: else -> break
  od
}

/* One look at the bits: first a load, since most words are zero. */
inline collect ()
{
  atomic { bits = memory[RETURNED] };
  if
  :: bits != 0 ->
     exchange (PRODUCER, RETURNED, 0, bits);
     assert ((got & bits) == 0);        /* nothing comes back twice */
     got = got | bits
  :: else
  fi
}

active proctype producer ()
{
  int bits, got = 0, number = 1;

  do
  :: got != ALL ->
     collect ();
     if
     :: bits != 0
     :: else ->
        store (PRODUCER, WANT, number);
#ifndef SAME_NUMBER
        number++;
#endif
#ifndef NO_PRODUCER_FENCE
        fence (PRODUCER);
#endif
#ifndef NO_RECHECK
        collect ();
#endif
#ifdef LATE_DRAIN
        kicked = false;
#endif
        if
        :: bits != 0
        :: else ->
           kicked;
           kicked = false
        fi;
        store (PRODUCER, WANT, 0)
     fi;
     bits = 0
  :: else -> break
  od
}
