/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several producers that start at one path at the same time. */
#include <errno.h>

#include "shared/connection.h"
#include "folder.h"

#define ROUNDS 200
#define STARTERS 4

struct outcome
{
  pid_t pid;
  int result;
};

/* Opens when `go` ends, says how that went, and listens until `stop` ends. */
static void
run_starter (int go, int stop, int report)
{
  struct sf_listener l;
  struct outcome o = { .pid = getpid () };
  char end;

  check_int (read (go, &end, 1), 0);
  o.result = sf_listener_open (&l, path, 0600);
  check_int (write (report, &o, sizeof o), sizeof o);
  check_int (read (stop, &end, 1), 0);
  if (o.result == 0)
    sf_listener_close (&l);
  _exit (0);
}

static void
start_at_once (pid_t pids[STARTERS])
{
  int go[2], stop[2], report[2], winners = 0, client;
  struct sf_credentials server;
  struct outcome o;
  pid_t winner = 0;

  check (pipe (go) == 0 && pipe (stop) == 0 && pipe (report) == 0);
  for (int i = 0; i < STARTERS; i++) {
    pids[i] = fork ();
    if (pids[i] == 0) {
      close (go[1]);
      close (stop[1]);
      run_starter (go[0], stop[0], report[1]);
    }
  }
  close (go[1]);
  for (int i = 0; i < STARTERS; i++) {
    check_int (read (report[0], &o, sizeof o), sizeof o);
    check (o.result == 0 || o.result == -EADDRINUSE);
    if (o.result == 0) {
      winner = o.pid;
      winners++;
    }
  }
  check_int (winners, 1);
  client = sf_connect (path);
  check_int (sf_peer_credentials (client, &server), 0);
  check_int (server.pid, winner);
  close (client);
  close (stop[1]);
  close (go[0]);
  close (stop[0]);
  close (report[0]);
  close (report[1]);
}

/* Exactly one of them listens at the end, and it is the one that the path leads
 * to: the others have not taken a bound socket for a stale one. */
static void
test_starters_at_once (void)
{
  pid_t pids[STARTERS];

  new_folder ();
  for (int round = 0; round < ROUNDS; round++) {
    if (round % 2 == 0)
      leave_stale_socket ();
    start_at_once (pids);
    for (int i = 0; i < STARTERS; i++)
      unit_wait_ok (pids[i]);
    check_int (access (path, F_OK), -1);
  }
  remove_folder ();
}

static const struct unit_test tests[] = {
  TEST (test_starters_at_once),
};

int
main (void)
{
  return unit_main (tests);
}
