/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A peer in namespaces of its own, as in a container: the same user, but the other
 * side sees no process of that number, or another one. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "peer.h"

static pid_t inner;

static bool
write_text (const char *path, const char *text)
{
  FILE *f = fopen (path, "we");
  bool ok = f != NULL && fputs (text, f) >= 0;

  return f != NULL && fclose (f) == 0 && ok;
}

/* As whom it was before, since all others are the other side's nobody. */
static bool
keep_user (uid_t uid, gid_t gid)
{
  char map[64];
  bool ok;

  snprintf (map, sizeof map, "%u %u 1\n", uid, uid);
  ok = write_text ("/proc/self/uid_map", map)
      && write_text ("/proc/self/setgroups", "deny");
  snprintf (map, sizeof map, "%u %u 1\n", gid, gid);
  return ok && write_text ("/proc/self/gid_map", map);
}

static void
pass_on (int signal)
{
  kill (inner, signal);
}

/* The process that the driver knows, outside: it ends as the one inside does. */
static void
stand_for_it (void)
{
  int status;

  signal (SIGTERM, pass_on);
  while (waitpid (inner, &status, 0) < 0)
    must (errno == EINTR);
  _exit (WIFEXITED (status) ? WEXITSTATUS (status) : 4);
}

void
enter_namespaces (void)
{
  uid_t uid = geteuid ();
  gid_t gid = getegid ();

  if (me->namespaces == 0)
    return;
  if (unshare ((int) me->namespaces) < 0 || !keep_user (uid, gid))
    _exit (EXIT_NOT_ALLOWED);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if ((me->namespaces & CLONE_NEWPID) == 0)
    return;
  inner = fork ();
  if (inner < 0)
    _exit (EXIT_NOT_ALLOWED);
  if (inner > 0)
    stand_for_it ();
}
