/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that waits asks its client whether it lives, and evicts it if not:
 * lib/producer/liveness.c against serve() in lib/consumer/control-thread.c.
 *
 * The client may be stopped, and go on, at any time. While it runs it answers, and
 * sends what else it likes, but returns the frame that is waited for only after a
 * while. client-timeout is longer than a client that runs takes to answer: it is
 * over when nobody else can do anything.
 *
 * Who runs is not evicted, and not said to break the rules; who is stopped for good
 * is evicted; and the socket never holds more than one question.
 *
 * Mutants: NEVER_ASKS ASKS_AGAIN ANY_SIGN_ANSWERS ANSWER_FORGOTTEN ANSWERS_TWICE
 * NEVER_EVICTS */

#define ANSWERS 3
#define KICKS 2
#define STOPS 3

mtype = { PING, PONG, KICK };

chan to_client = [2] of { mtype };
chan to_producer = [4] of { mtype };
bool stopped, settled, returned, evicted;

active proctype machine ()
{
  int n = 0;

  do
  :: n < STOPS -> stopped = !stopped; n++
  :: break
  od;
  settled = true
}

active proctype client ()
{
  int answers = 0, kicks = 0;
  bool due = false;

end_stopped:
  do
  :: atomic { !stopped && to_client ? [PING] -> to_client ? PING; due = true }
  :: atomic { !stopped && due && nfull (to_producer) -> to_producer ! PONG;
#ifdef ANSWERS_TWICE
       if
       :: nfull (to_producer) -> to_producer ! PONG
       :: else
       fi;
#endif
       due = false;
       answers = (answers < ANSWERS -> answers + 1 : answers) }
  :: atomic { !stopped && kicks < KICKS && nfull (to_producer) ->
       to_producer ! KICK; kicks++ }
  :: atomic { !stopped && answers == ANSWERS -> returned = true; break }
  :: evicted -> break
  od
}

active proctype producer ()
{
  bool pinged = false;

  do
  :: returned -> break
  :: to_producer ? PONG ->
     assert (pinged);           /* or it would be a violation */
#ifndef ANSWER_FORGOTTEN
     pinged = false
#endif
  :: to_producer ? KICK ->
#ifdef ANY_SIGN_ANSWERS
     pinged = false
#else
     skip
#endif
#ifndef NEVER_ASKS
  :: !returned &&
#ifndef ASKS_AGAIN
     !pinged ->
#else
     nfull (to_client) ->
#endif
     assert (empty (to_client));
     to_client ! PING;
     pinged = true
#endif
#ifndef NEVER_EVICTS
  :: timeout ->
     assert (stopped && settled);
     evicted = true;
     break
#endif
  od
}
