/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void
sf_explain (char *text, size_t size, int error)
{
  struct rlimit limit;

  if (error == -EMFILE && getrlimit (RLIMIT_NOFILE, &limit) == 0)
    snprintf (text, size, "too many open files in %s (pid %d); raise its limit "
        "of %llu (ulimit -n)", program_invocation_short_name, (int) getpid (),
        (unsigned long long) limit.rlim_cur);
  else if (error == -ENFILE)
    snprintf (text, size, "too many open files on this machine; close some, or "
        "raise fs.file-max");
  else if (error == -ETOOMANYREFS)
    snprintf (text, size, "other processes have not read the open files that "
        "this user has sent them, and no more may be sent; raise the limit "
        "(ulimit -n)");
  else
    snprintf (text, size, "%s", strerror (-error));
}
