/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDS_H
#define GUARDS_H

#include "shared/segment.h"

_Static_assert (SF_MAX_GUARDS == 8, "as many are listed below");

/* No connection's guard, and one that came with the segment, or -1: none. */
#define GUARDED_BY(fd) \
  NULL, ((const int[SF_MAX_GUARDS]) { -1, fd, -1, -1, -1, -1, -1, -1 })

#endif
