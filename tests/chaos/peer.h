/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the roles of chaos-peer. */
#ifndef PEER_H
#define PEER_H

#include "../unit/transport.h"
#include "seats.h"

#define MS (SF_NS_PER_SECOND / 1000)

extern struct seats *seats;
extern struct seat *me;
extern uint64_t seed;
extern _Atomic int leave;       /* SIGTERM came */

/* Says why in the seat and ends the process. */
#define fault(...) peer_fault (__LINE__, __VA_ARGS__)
__attribute__ ((noreturn, format (printf, 2, 3)))
void peer_fault (int line, const char *format, ...);

#define must(cond) do { if (!(cond)) fault ("%s", #cond); } while (0)
#define must_be(got, want) \
  do { \
    long long got_ = (got); \
    if (got_ != (want)) \
      fault ("%s is %lld", #got, got_); \
  } while (0)

/* What every frame says of itself, besides its pixels. */
struct stamp
{
  uint64_t index;
  uint32_t life;                /* of the origin */
  uint32_t lossless;            /* so far: every hop on the way serves all */
  uint32_t gap;                 /* another where a relay may have missed frames */
  uint32_t n_words;
};

/* Fds, threads and memfds mapped. */
struct census
{
  int fds, threads, maps;
};

void take_census (struct census *census);
bool is_same (const struct census *a, const struct census *b);
/* All is as it was then, at once or very soon. */
void must_become (const struct census *then);

void raise_figure (_Atomic uint64_t * figure, uint64_t value);
void path_of (char path[108], unsigned seat);
/* A small number of fds, as a service may have it. */
void limit_fds (void);
struct sf_producer *peer_open_producer (unsigned seat, int64_t timeout,
    bool lossless);
struct sf_consumer *peer_open_consumer (unsigned seat, uint32_t max_held);

/* One frame that is held, and what it must look like. */
struct held
{
  struct sf_lease *lease;
  const uint8_t *data;
  struct stamp stamp;
  uint32_t n_checks;
};

/* What a consumer, or a relay, has seen of its source. */
struct watch
{
  uint64_t producer_id;
  struct stamp last;
  bool have_last;               /* of this producer */
  bool in_row;                  /* of this connection */
  uint32_t disturbed;           /* as it was before the connection */
  int64_t looked;               /* when the last look at the source ended */
  int64_t longest_gap;          /* between two looks, since then */
  int64_t lost_at, connected_at;
};

void watch_begin (struct watch *w);
/* Before each look. */
void watch_look (struct watch *w);
void watch_connected (struct watch *w, const struct sf_received *in);
/* Checks the frame and its place in the row. */
void watch_frame (struct watch *w, const struct sf_received *in,
    struct held *held);
void watch_disconnected (struct watch *w, const struct sf_received *in);
/* The frame is still what it was. */
void held_check (struct held *held);

/* Nobody waits for them. */
void children_ignore (void);
/* Now and then one child, of fork() or of a bare clone(); the former lets go of what
 * it has inherited first. */
void children_have (void (*let_go) (void *user), void *user);

void run_producer (void);
void run_consumer (void);
void run_relay (void);
/* peer-guest.c */
void run_flooder (void);
void run_crowd (void);
void run_bad_producer (void);
void run_victim (void);
/* peer-spaces.c: returns in the process that is to be the peer. */
void enter_namespaces (void);

#endif
