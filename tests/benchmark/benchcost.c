/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "benchcost.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "benchtools.h"

static _Thread_local int64_t yielded;
static _Thread_local int schedstat = -1;

/* Takes libc's place, so that the library's yields are timed. */
int
sched_yield (void)
{
  int64_t start = bench_now (CLOCK_MONOTONIC);
  int r = (int) syscall (SYS_sched_yield);

  yielded += bench_now (CLOCK_MONOTONIC) - start;
  return r;
}

void
bench_cost_open (void)
{
  schedstat = open ("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

/* Returns for how long the thread could have run, but others did. */
static int64_t
queued (void)
{
  unsigned long long ran, waited = 0;
  char text[96];
  ssize_t n = pread (schedstat, text, sizeof (text) - 1, 0);

  text[n > 0 ? n : 0] = '\0';
  return sscanf (text, "%llu %llu", &ran, &waited) == 2 ? (int64_t) waited : 0;
}

static void
look (struct bench_cost *now)
{
  struct rusage usage;

  getrusage (RUSAGE_THREAD, &usage);
  *now = (struct bench_cost) {
    .wall = bench_now (CLOCK_MONOTONIC),
    .cpu = bench_now (CLOCK_THREAD_CPUTIME_ID),
    .queued = queued (),
    .yielded = yielded,
    .waits = usage.ru_nvcsw,
    .faults = usage.ru_minflt + usage.ru_majflt,
  };
}

void
bench_cost_begin (struct bench_cost *cost)
{
  look (cost);
}

void
bench_cost_end (struct bench_cost *cost)
{
  struct bench_cost now;

  look (&now);
  cost->wall = now.wall - cost->wall;
  cost->cpu = now.cpu - cost->cpu;
  cost->queued = now.queued - cost->queued;
  cost->yielded = now.yielded - cost->yielded;
  cost->waits = now.waits - cost->waits;
  cost->faults = now.faults - cost->faults;
}

int64_t
bench_cost_slept (const struct bench_cost *cost)
{
  int64_t slept = cost->wall - cost->cpu - cost->queued;

  return slept > 0 ? slept : 0;
}
