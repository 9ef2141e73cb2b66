/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the driver and its peers write down for each other: one shared mapping,
 * so that what a peer saw outlives its SIGKILL. A seat is a place for one peer;
 * the processes that take it follow one another. */
#ifndef SEATS_H
#define SEATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ORIGIN 0u
#define N_RELAYS 2u
#define FIRST_CONSUMER (1u + N_RELAYS)
#define N_CONSUMERS 8u
/* Who comes for one incident, and is not there otherwise. */
#define FIRST_GUEST (FIRST_CONSUMER + N_CONSUMERS)
#define N_GUESTS 6u
#define N_SEATS (FIRST_GUEST + N_GUESTS)
/* The place of a second producer of the origin's process. */
#define SIDE N_SEATS
#define MAX_LIVES (1u << 16)
#define CLIENT_TIMEOUT_MS 300
/* A relay has to give its own clients up before it is given up itself: half of it
 * is for the second relay, which is a client of the first. */
#define RELAY_TIMEOUT_MS 150

enum role
{
  ROLE_PRODUCER,
  ROLE_RELAY,
  ROLE_CONSUMER,
  /* Guests only; see peer-guest.c. */
  ROLE_FLOODER,                 /* a client that talks without end */
  ROLE_CROWD,                   /* many clients that read nothing */
  ROLE_BAD_PRODUCER,            /* it talks without end, too */
  ROLE_VICTIM,                  /* its consumer */
};

enum wish
{
  WISH_AUTO,                    /* as the source serves: lossless, mostly */
  WISH_LIVE,
};

/* The steps of lib/shared/test-hooks.h: first those that come once a connection or so, then
 * those that come with each frame. */
static const char *const steps[] = {
  "accepted", "hello", "welcomed", "grow", "relay-segment", "hello-sent",
  "welcome", "segment",
  "written", "announced", "claimed", "returned", "full", "relay",
};

#define N_STEPS (sizeof steps / sizeof steps[0])
#define N_RARE_STEPS 8u

enum act
{
  ACT_STOP,                     /* SIGSTOP to itself */
  ACT_KILL,
  ACT_DELAY,                    /* this thread only */
  N_ACTS,
};

/* What happens besides, once in a while: see incidents.c. */
enum incident
{
  INCIDENT_HOLDING,             /* a client asks for more, and holds it */
  INCIDENT_JOINING,             /* many come, and go */
  INCIDENT_FORMAT,              /* other sizes, while clients hold frames */
  INCIDENT_FLOODS,
  INCIDENT_SIDE,                /* another producer's slots, of this process */
  INCIDENT_CROWD,               /* many stopped clients, few fds */
  INCIDENT_NAMESPACES,
  N_INCIDENTS,
};

/* Of a producer. */
#define MAX_FDS 208u

struct figures
{
  _Atomic uint64_t frames, checks, connections, disconnections, evictions;
  _Atomic uint64_t dropped, drained, children;
  _Atomic uint64_t longest_stall;       /* ns, undisturbed */
  _Atomic uint64_t reconnects, late_reconnects; /* of them after 100 ms */
  _Atomic uint64_t longest_reconnect;   /* ns */
};

struct seat
{
  /* The driver's. */
  uint32_t role, wish, source;
  _Atomic uint32_t life;        /* of the process in it; grows */
  _Atomic uint32_t disturbed;   /* grows with each stop, kill and hook */
  _Atomic uint32_t lossless;    /* producer: how to serve */
  _Atomic uint32_t census;      /* producer: count what is there, now */
  _Atomic uint32_t format;      /* producer: another size than before */
  _Atomic uint32_t side;        /* producer: its second one begins anew */
  _Atomic uint32_t appetite;    /* consumer: frames to hold; 0: as usual */
  uint32_t namespaces;          /* for unshare() */
  /* The peer's. */
  _Atomic uint32_t ready;       /* life that has opened its socket or consumer */
  _Atomic uint32_t counted;     /* the census that it has answered */
  _Atomic uint32_t format_done, side_done;
  _Atomic uint32_t holds;       /* frames, now */
  _Atomic uint32_t calm;        /* `disturbed`, when its socket was opened */
  _Atomic uint64_t opened;      /* ns, when its socket was there */
  _Atomic uint64_t heartbeat, last_frame;       /* ns */
  _Atomic uint64_t order;       /* life << 32 | index, of the frame seen last */
  char fault[256];              /* why it ended itself */
  struct figures figures;
};

struct seats
{
  struct seat seat[N_SEATS + 1];        /* and SIDE */
  _Atomic uint64_t hits[N_STEPS][N_ACTS];
  uint64_t incidents[N_INCIDENTS], passed_over;
  _Atomic uint32_t liars;       /* who break the rules; otherwise nobody does */
  /* Of each life of the origin: frames that publish() has returned for. */
  _Atomic uint64_t published[MAX_LIVES];
};

/* The environment of a peer. */
#define ENV_SEATS "CHAOS_SEATS" /* fd of the mapping */
#define ENV_SEAT "CHAOS_SEAT"
#define ENV_FOLDER "CHAOS_FOLDER"
#define ENV_SEED "CHAOS_SEED"
#define ENV_HOOK "CHAOS_HOOK"   /* step,count,act: an index, a number, an index */

/* A peer that cannot have the namespaces that it should be in. */
#define EXIT_NOT_ALLOWED 77

/* xorshift: the same seed, the same run (as far as the scheduler lets it). */
static inline uint32_t
random_below (uint64_t * state, uint32_t n)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (uint32_t) ((*state >> 33) % n);
}

#endif
