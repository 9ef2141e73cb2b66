/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the time of one call of the calling thread goes. */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stdint.h>

/* Of one thread, from a begin to its end; ns. */
struct bench_cost
{
  int64_t wall;
  int64_t cpu;                  /* it ran */
  int64_t queued;               /* it could have run, but others did */
  int64_t yielded;              /* inside sched_yield(); queued, mostly */
  int64_t waits;                /* times that it slept, as for a lock */
  int64_t faults;               /* pages */
};

/* Each thread that measures calls this first; fds are its own. */
void bench_cost_open (void);
void bench_cost_begin (struct bench_cost *cost);
void bench_cost_end (struct bench_cost *cost);

/* Slept: neither ran nor could have. */
int64_t bench_cost_slept (const struct bench_cost *cost);

#endif
