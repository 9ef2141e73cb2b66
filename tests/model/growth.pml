/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A segment that grows in place while frames go through it: the control thread and a
 * change of format add slots, the publisher takes what there is, and a client that
 * joins at any time maps what has been added, ahead of frames in its control thread or
 * at a frame in its streaming thread. As in lib/producer/slots-grow.c and
 * lib/shared/segment.c.
 *
 *  - no slot is written, mapped or read before it is reserved
 *  - a frame that was announced lies in what the client can map, and then in a view that
 *    covers it
 *  - what was mapped stays where it is as long as a frame is held
 *
 * Orders of memory are not the matter here: each step is seen by all at once.
 *
 * Mutants: PUBLISH_BEFORE_RESERVE HAND_OUT_BEFORE_RESERVE HAND_OUT_BEFORE_PUBLISH
 * WITHOUT_ROOM_LOCK READ_WITHOUT_FOLLOWING COUNT_BEFORE_VIEW FOLLOW_WITHOUT_LOCK
 * UNMAP_OLDER_VIEW */

#define FIRST 1
#define SLOTS 3                 /* each of the two growers adds one */
#define FRAMES 2
#define VIEWS 5
#define NONE 255

/* The segment. */
bool reserved[SLOTS];
byte header = FIRST;            /* its n_slots */

/* The producer's. */
bool room_lock;
byte there = FIRST;             /* slots that are handed out */
bool used[SLOTS];
bool joined;                    /* SEGMENT was sent */

/* Between them. */
bool announced;                 /* a record is in the ring: this one */
byte record_slot, record_frame;
bool news;                      /* SEGMENT or SEGMENT_GROWN is in the socket */
bool returned[SLOTS];
bool ended;

/* The client's. */
typedef view {
  byte first, n, older;
  bool unmapped
}
view views[VIEWS];
byte n_views, newest = NONE, mapped;
bool view_lock;

/* What only the proof knows. */
byte content[SLOTS];

proctype grower ()
{
  byte before;

#ifndef WITHOUT_ROOM_LOCK
  atomic { !room_lock -> room_lock = true };
#endif
  before = header;
#ifdef HAND_OUT_BEFORE_RESERVE
  there = there + 1;
#endif
#ifdef PUBLISH_BEFORE_RESERVE
  header = before + 1;
#endif
  reserved[before] = true;
#ifdef HAND_OUT_BEFORE_PUBLISH
  there = there + 1;
#endif
#ifndef PUBLISH_BEFORE_RESERVE
  header = before + 1;
#endif
#ifndef HAND_OUT_BEFORE_PUBLISH
#ifndef HAND_OUT_BEFORE_RESERVE
  there = there + 1;
#endif
#endif
  room_lock = false;
  d_step {
    if
    :: joined -> news = true
    :: else
    fi
  }
}

inline collect ()
{
  d_step {
    i = 0;
    do
    :: i < SLOTS ->
       if
       :: returned[i] -> returned[i] = false; used[i] = false
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0
  }
}

/* Whoever joins before the frame is sent the segment. */
inline maybe_join ()
{
  if
  :: !joined -> d_step { joined = true; news = true }
  :: true
  fi
}

proctype publisher ()
{
  byte frame = 1, s, i;

  do
  :: frame > FRAMES -> break
  :: frame <= FRAMES ->
     maybe_join ();
     collect ();
     /* Any that is free; none: the frame is lost. */
     atomic {
       s = NONE;
       if
       :: !used[0] -> s = 0
       :: there > 1 && !used[1] -> s = 1
       :: there > 2 && !used[2] -> s = 2
       :: else
       fi
     };
     if
     :: s != NONE ->
        d_step {
          used[s] = true;
          assert (reserved[s]);
          content[s] = NONE     /* half written */
        };
        content[s] = frame;
        d_step {
          if
          :: joined && !announced ->
             announced = true;
             record_slot = s;
             record_frame = frame
          :: else -> used[s] = false
          fi
        }
     :: else
     fi;
     frame++
  od;
  ended = true
}

inline check_reserved (n)
{
  assert (!(n > 0) || reserved[0]);
  assert (!(n > 1) || reserved[1]);
  assert (!(n > 2) || reserved[2])
}

/* sf_segment_map_growth(): all of it once more for those who want runs, else what is new. */
inline follow ()
{
#ifndef FOLLOW_WITHOUT_LOCK
  atomic { !view_lock -> view_lock = true };
#endif
  n = header;
  before = mapped;
  if
  :: n != before ->
     check_reserved (n);
     atomic {
       v = n_views;
       n_views++;
       assert (n_views <= VIEWS)
     };
     atomic {
       if
       :: views[v].first = 0; views[v].n = n
       :: before > 0 -> views[v].first = before; views[v].n = n - before
       fi
     };
#ifdef UNMAP_OLDER_VIEW
     if
     :: views[v].first == 0 && newest != NONE -> views[newest].unmapped = true
     :: else
     fi;
#endif
#ifdef COUNT_BEFORE_VIEW
     mapped = n;
#endif
     views[v].older = newest;
     newest = v;
     mapped = n
  :: else
  fi;
  d_step { view_lock = false; n = 0; before = 0; v = 0 }
}

proctype control ()
{
  byte n, before, v;

  do
  :: d_step { news -> news = false }; follow ()
  :: ended && !news -> break
  od
}

inline look ()
{
  d_step {
    assert (!views[at].unmapped);
    assert (reserved[s]);
    assert (content[s] == frame)
  }
}

proctype streaming ()
{
  byte n, before, v, s, frame, at;

  do
  :: d_step {                   /* after SEGMENT was read */
       newest != NONE && announced ->
       announced = false;
       s = record_slot;
       frame = record_frame
     };
#ifndef READ_WITHOUT_FOLLOWING
     if
     :: s >= mapped ->
        follow ();
        assert (s < mapped)
     :: else
     fi;
#endif
     at = newest;
     /* Views before the newest one do not change. */
     d_step {
     do
     :: s < views[at].first -> at = views[at].older; assert (at != NONE)
     :: else -> break
     od;
     assert (s < views[at].first + views[at].n)
     };
     look ();
     /* Held for a while. */
     look ();
     returned[s] = true;
     d_step { s = 0; frame = 0; at = 0 }
  :: ended && !announced -> break
  od
}

init
{
  byte i;

  d_step {
    i = 0;
    do
    :: i < FIRST -> reserved[i] = true; i++
    :: else -> break
    od;
    i = 0
  };
  atomic {
    run publisher ();
    run grower ();
    run grower ();
    run control ();
    run streaming ()
  }
}
