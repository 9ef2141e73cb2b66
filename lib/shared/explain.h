/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An error in words that say what to do, also to whoever reads them in another
 * process. */
#ifndef SF_EXPLAIN_H
#define SF_EXPLAIN_H

#include <stddef.h>

/* Of -errno; where file descriptors are used up, whose they are. No full
 * stop. */
void sf_explain (char *text, size_t size, int error);

#endif
