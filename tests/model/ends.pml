/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client's process ends: when may its producer write again into what it held?
 * sf_client_process_ended() in lib/producer/messages.c against fill_locked() in
 * lib/producer/publish.c, which marks that a frame was passed on.
 *
 * The client may pass its frame on to a holder, which gets a copy of the guard with
 * it, and may end at any step. It may have a child of a bare clone(), which keeps
 * its copy of the guard for good.
 *
 * Torn: the producer takes back what the holder reads, or is about to. Lost: an
 * invalid end state, a frame that nobody can read is never taken back. What was passed
 * on stays out as long as such a child has a guard: that is the one wait without end.
 *
 * Mutants: NO_MARK LATE_MARK NO_GUARD GUARD_ONLY */

bool alive = true;              /* as the pidfd tells */
bool passed_on;                 /* in the returns page */
bool in_flight;                 /* SEGMENT, with a guard, to the holder */
bool reading, taken;
byte guards = 1;                /* copies of the write end, those in flight too */

active proctype client ()
{
  if
  :: goto ending
  :: skip
  fi;
#if !defined(NO_MARK) && !defined(LATE_MARK)
  passed_on = true;
#endif
  if
  :: goto ending
  :: skip
  fi;
  atomic { in_flight = true; guards++ };
#ifdef LATE_MARK
  if
  :: goto ending
  :: skip
  fi;
  passed_on = true;
#endif
ending:
  /* The kernel closes the fds, then tells. */
  guards--;
  alive = false
}

active proctype child ()
{
  if
  :: atomic { alive && guards > 0 -> guards++ }
  :: skip
  fi
}

active proctype holder ()
{
  if
  :: in_flight ->
     atomic { in_flight = false; reading = true };
     assert (!taken);
     /* reads */
     assert (!taken);
     reading = false;
     guards--
  :: !alive && !in_flight
  fi
}

inline take_back ()
{
  atomic { assert (!reading && !in_flight); taken = true }
}

active proctype producer ()
{
#ifdef GUARD_ONLY
  guards == 0;
#else
  !alive;
  if
  :: !passed_on
  :: passed_on ->
#ifndef NO_GUARD
end_waits_for_guard:
     guards == 0
#else
     skip
#endif
  fi;
#endif
  take_back ()
}
