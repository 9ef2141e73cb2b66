/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors in words that say what to do, also to somebody who reads them in
 * another process. */
#ifndef SF_EXPLAIN_H
#define SF_EXPLAIN_H

#include <stddef.h>

/* Describes -errno, without a full stop; for fds that are used up, whose they
 * are. */
void sf_explain (char *text, size_t size, int error);

#endif
