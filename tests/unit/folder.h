/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FOLDER_H
#define FOLDER_H

#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

/* A folder of the test's own with a path in it. */
static char folder[64], path[80];

static inline void
new_folder (void)
{
  const char *tmp = getenv ("TMPDIR");

  snprintf (folder, sizeof folder, "%s/sf-XXXXXX", tmp
      && strlen (tmp) < 40 ? tmp : "/tmp");
  check (mkdtemp (folder));
  snprintf (path, sizeof path, "%s/socket", folder);
}

/* Fails if anything is left in it. */
static inline void
remove_folder (void)
{
  check_int (rmdir (folder), 0);
}

static inline void
bind_raw (int fd)
{
  struct sockaddr_un a = { .sun_family = AF_UNIX };

  strcpy (a.sun_path, path);
  check_int (bind (fd, (struct sockaddr *) &a, sizeof a), 0);
}

static inline void
leave_stale_socket (void)
{
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  bind_raw (fd);
  close (fd);
}

#endif
