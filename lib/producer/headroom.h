/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory this process may still take, of the machine's and of its
 * control groups'. Beyond either the kernel does not refuse, but kills. */
#ifndef SF_HEADROOM_H
#define SF_HEADROOM_H

#include <stdint.h>

struct sf_headroom
{
  uint64_t left;                /* bytes; UINT64_MAX: not known */
  uint64_t limit;               /* of which `left` is left */
  char where[256];              /* the file that says so */
};

/* Of this process, now. */
void sf_headroom_get (struct sf_headroom *headroom);

/* With other proc and cgroup file systems, for tests. */
void sf_headroom_get_at (struct sf_headroom *headroom, const char *proc,
    const char *cgroups);

#endif
