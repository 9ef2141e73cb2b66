/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory without a name in any file system. */
#ifndef SF_MEMFD_H
#define SF_MEMFD_H

#include <stdbool.h>
#include <stdint.h>

/* Makes a memfd called `name` of `size` bytes, close-on-exec, that can be
 * sealed; on the default huge pages, if `huge`. It has no pages yet. Errors:
 * -EFBIG (an rlimit), -EMFILE, -ENFILE, -ENOMEM, -EINVAL (size 0). */
int sf_memfd_create (const char *name, uint64_t size, bool huge);

/* Reserves the pages from `from` to `to`, both multiples of the page size or
 * the file's end, so that no access to them raises SIGBUS. Contents stay.
 * Errors: -ENOMEM, -ENOSPC; some of the pages may be reserved then. */
int sf_memfd_reserve (int fd, uint64_t from, uint64_t to);

/* Returns the size of the kernel's default huge pages; 0: it has none. */
uint64_t sf_huge_page_size (void);

#endif
