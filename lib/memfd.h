/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory without a name in any file system, every page of it there. */
#ifndef SF_MEMFD_H
#define SF_MEMFD_H

#include <stdbool.h>
#include <stdint.h>

/* A new memfd called `name` of `size` bytes of zeros, close-on-exec, that may be
 * sealed; on the default huge pages, if `huge`. All its pages are reserved, so
 * that no access raises SIGBUS. Errors: -ENOMEM, -ENOSPC, -EFBIG (an rlimit),
 * -EMFILE, -ENFILE, -EINVAL (size 0). */
int sf_memfd_create (const char *name, uint64_t size, bool huge);

/* Of the huge pages that the kernel gives where none in particular is asked for; 0
 * if it has none. */
uint64_t sf_huge_page_size (void);

#endif
