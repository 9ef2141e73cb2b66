/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock that all processes of a machine share. All times are in ns. */
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

#endif
