/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has a frame: claim against revoke on the lease word, the returned bits,
 * and slots that are written again. One producer, CLIENTS clients that share its
 * slots, as in lib/producer/leases.c and take_record() in lib/consumer/consumer.c.
 *
 *  - nobody reads a slot that is free or being written
 *  - a frame that was revoked is never read, and none is delivered twice
 *  - frames keep their order
 *
 * Orders of memory are not the matter here: each step is seen by all at once
 * (tso.h has the fences).
 *
 * Mutants: CLAIM_IN_TWO_STEPS REVOKE_IN_TWO_STEPS NO_STAMP RETURN_BEFORE_READ
 * REVOKE_WITHOUT_LOOKING */

#define CLIENTS 2
#define SLOTS 2
#define LEASES 2
#define FRAMES 3
#define NONE 255

#define FREE 0
#define ANNOUNCED 1
#define CLAIMED 2
#define REVOKED 3

#ifdef NO_STAMP
#define WORD(stamp, state) (state)
#else
#define WORD(stamp, state) ((stamp) * 4 + (state))
#endif

/* Shared: the lease words, the returned bits, the ring of records. The stamp of
 * a lease is the number of its frame here, since each frame is given once. */
typedef page {
  byte word[LEASES];
  bool returned[LEASES];
  chan ring = [FRAMES] of { byte, byte, byte }  /* lease, stamp, slot */
}
page shared[CLIENTS];

/* The producer's own account. */
typedef account {
  byte slot[LEASES];            /* NONE: the lease is free */
  byte stamp[LEASES]
}
account given[CLIENTS];
byte refs[SLOTS];               /* leases on a slot */

/* What only the proof knows. */
byte content[SLOTS];
byte readers[SLOTS];
typedef history {
  bool revoked[FRAMES + 1];
  byte last
}
history past[CLIENTS];
bool ended;

inline release (c, l)
{
  refs[given[c].slot[l]]--;
  given[c].slot[l] = NONE
}

/* return_one(): a bit counts only of a lease that is out and claimed. */
inline collect (c, l)
{
  if
  :: shared[c].returned[l] ->
     shared[c].returned[l] = false;
     assert (given[c].slot[l] != NONE);
     assert (shared[c].word[l] == WORD (given[c].stamp[l], CLAIMED));
     release (c, l)
  :: else
  fi
}

inline revoke (c, l)
{
  if
  :: given[c].slot[l] != NONE ->
#ifdef REVOKE_IN_TWO_STEPS
     won = (shared[c].word[l] == WORD (given[c].stamp[l], ANNOUNCED));
     if
     :: won -> shared[c].word[l] = WORD (given[c].stamp[l], REVOKED)
     :: else
     fi;
#else
     atomic {
#ifdef REVOKE_WITHOUT_LOOKING
       won = true;
#else
       won = (shared[c].word[l] == WORD (given[c].stamp[l], ANNOUNCED));
#endif
       if
       :: won -> shared[c].word[l] = WORD (given[c].stamp[l], REVOKED)
       :: else
       fi
     };
#endif
     if
     :: won ->
        d_step {
          past[c].revoked[given[c].stamp[l]] = true;
          release (c, l)
        }
     :: else
     fi;
     won = false
  :: else
  fi
}

/* Gives the frame to a client that has a lease free; else it misses it. */
inline give (c)
{
  l = 0;
  do
  :: l < LEASES && given[c].slot[l] != NONE -> l++
  :: else -> break
  od;
  if
  :: l < LEASES ->
     d_step {
       given[c].slot[l] = s;
       given[c].stamp[l] = frame;
       refs[s]++
     };
     shared[c].word[l] = WORD (frame, ANNOUNCED);
     shared[c].ring ! l, frame, s
  :: else
  fi;
  l = 0
}

inline write_slot ()
{
  assert (readers[s] == 0);
  content[s] = NONE;            /* half written */
  assert (readers[s] == 0);
  content[s] = frame
}

active proctype producer ()
{
  byte frame = 1, s, l, c;
  bool won;

  do
  :: frame > FRAMES -> break
  :: frame <= FRAMES ->
     if
     :: refs[0] == 0 -> s = 0
     :: refs[1] == 0 -> s = 1
     :: select (c : 0 .. CLIENTS - 1);
        select (l : 0 .. LEASES - 1);
        if
        :: true -> collect (c, l)
        :: true -> revoke (c, l)
        fi;
        s = NONE
     fi;
     l = 0;
     c = 0;
     if
     :: s != NONE ->
        /* Held while it is given out, so that one fast client's return does
         * not free it before the next client has it. */
        refs[s]++;
        write_slot ();
        give (0);
        give (1);
        refs[s]--;
        frame++
     :: else
     fi;
     s = 0
  od;
  ended = true
}

init
{
  d_step {
    given[0].slot[0] = NONE;
    given[0].slot[1] = NONE;
    given[1].slot[0] = NONE;
    given[1].slot[1] = NONE
  };
  run client (0);
  run client (1)
}

inline read_frame ()
{
  d_step {
    assert (!past[me].revoked[stamp]);
    assert (past[me].last < stamp);     /* in order, none twice */
    past[me].last = stamp;
    readers[s]++;
    assert (content[s] == stamp)
  };
  d_step {
    assert (content[s] == stamp);
    assert (!past[me].revoked[stamp]);
    readers[s]--
  }
}

inline give_back ()
{
  shared[me].returned[l] = true
}

proctype client (byte me)
{
  byte l, stamp, s;
  bool won;

  do
  :: shared[me].ring ? l, stamp, s ->
#ifdef CLAIM_IN_TWO_STEPS
     won = (shared[me].word[l] == WORD (stamp, ANNOUNCED));
     if
     :: won -> shared[me].word[l] = WORD (stamp, CLAIMED)
     :: else
     fi;
#else
     atomic {
       won = (shared[me].word[l] == WORD (stamp, ANNOUNCED));
       if
       :: won -> shared[me].word[l] = WORD (stamp, CLAIMED)
       :: else
       fi
     };
#endif
     if
     :: won ->
#ifdef RETURN_BEFORE_READ
        give_back ();
        read_frame ()
#else
        read_frame ();
        give_back ()
#endif
     :: else
     fi;
     d_step { l = 0; stamp = 0; s = 0; won = false }
  :: ended && empty (shared[me].ring) -> break
  od
}
