/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDS_H
#define GUARDS_H

#include "shared/segment.h"

_Static_assert (SF_MAX_GUARDS == 8, "as many are listed below");

/* One guard, or -1: none. */
#define GUARDED_BY(fd) \
  ((const int[SF_MAX_GUARDS]) { fd, -1, -1, -1, -1, -1, -1, -1 })

#endif
