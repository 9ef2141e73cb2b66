/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/stat.h>

#include "connection.h"
#include "unit.h"

static void
test_path (void)
{
  char dir[] = "/tmp/shmframe-unit-XXXXXX", path[64];
  struct sf_listener l, second;
  struct sf_credentials peer;
  struct sf_message m = { .type = SF_MESSAGE_WANT, .max_held = 5 }, got;
  int fds[SF_MESSAGE_MAX_FDS], client, served;

  check (mkdtemp (dir));
  snprintf (path, sizeof path, "%s/s", dir);
  check_int (sf_listener_open (&l, path, 0600), 0);
  check_int (sf_listener_open (&second, path, 0600), -EADDRINUSE);
  close (sf_listener_accept (&l, &peer));
  client = sf_connect (path);
  check (client >= 0);
  served = sf_listener_accept (&l, &peer);
  check (served >= 0);
  check_int (sf_receive (served, &got, fds), -EAGAIN);
  check_int (sf_send (client, &m, NULL, 0), 0);
  check_int (sf_receive (served, &got, fds), 1);
  check_int (got.max_held, 5);
  close (client);
  check_int (sf_receive (served, &got, fds), 0);
  close (served);
  sf_listener_close (&l);
  check_int (rmdir (dir), 0);
}

static const struct unit_test tests[] = {
  TEST (test_path),
};

int
main (void)
{
  return unit_main (tests);
}
