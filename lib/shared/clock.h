/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock that all processes of a machine share, in ns. */
#ifndef SF_CLOCK_H
#define SF_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SF_NS_PER_SECOND INT64_C (1000000000)
#define SF_FOREVER INT64_C (-1)

static inline int64_t
sf_now (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * SF_NS_PER_SECOND + ts.tv_nsec;
}

/* Returns by how much another process's clock is ahead of ours, read between
 * `before` and `after`; 0 if it may be the same clock, which a difference of
 * less than a second does not rule out. */
static inline int64_t
sf_clock_offset (int64_t before, int64_t theirs, int64_t after)
{
  if (theirs >= before - SF_NS_PER_SECOND && theirs <= after + SF_NS_PER_SECOND)
    return 0;
  return theirs - (before + (after - before) / 2);
}

#endif
