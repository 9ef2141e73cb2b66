/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "connection.h"
#include "unit.h"

#define ROUNDS 200
#define STARTERS 4

/* A folder of the test's own with a path in it. */
static char folder[64], path[80];

static void
new_folder (void)
{
  const char *tmp = getenv ("TMPDIR");

  snprintf (folder, sizeof folder, "%s/sf-XXXXXX", tmp
      && strlen (tmp) < 40 ? tmp : "/tmp");
  check (mkdtemp (folder));
  snprintf (path, sizeof path, "%s/socket", folder);
}

/* Fails if anything is left in it. */
static void
remove_folder (void)
{
  check_int (rmdir (folder), 0);
}

static void
bind_raw (int fd)
{
  struct sockaddr_un a = { .sun_family = AF_UNIX };

  strcpy (a.sun_path, path);
  check_int (bind (fd, (struct sockaddr *) &a, sizeof a), 0);
}

static void
leave_stale_socket (void)
{
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  bind_raw (fd);
  close (fd);
}

static void
check_open_fails (const char *where, int want)
{
  struct sf_listener l, before;

  memset (&l, 0x5a, sizeof l);
  before = l;
  check_int (sf_listener_open (&l, where, 0600), want);
  check (memcmp (&l, &before, sizeof l) == 0);
}

static void
check_serves (struct sf_listener *l, const char *where)
{
  struct sf_credentials peer;
  int client = sf_connect (where), served;

  check (client >= 0);
  served = sf_listener_accept (l, &peer);
  check (served >= 0);
  check_int (peer.pid, getpid ());
  check_int (sf_listener_accept (l, &peer), -EAGAIN);
  check_int (fcntl (client, F_GETFD), FD_CLOEXEC);
  check_int (fcntl (served, F_GETFD), FD_CLOEXEC);
  check_int (fcntl (l->fd, F_GETFD), FD_CLOEXEC);
  check (fcntl (client, F_GETFL) & O_NONBLOCK);
  check (fcntl (served, F_GETFL) & O_NONBLOCK);
  check (fcntl (l->fd, F_GETFL) & O_NONBLOCK);
  close (client);
  close (served);
}

static void
test_serves_and_cleans_up (void)
{
  struct sf_listener l;

  new_folder ();
  check_int (sf_connect (path), -ENOENT);
  check_int (sf_listener_open (&l, path, 0600), 0);
  check_serves (&l, path);
  sf_listener_close (&l);
  sf_listener_close (&l);
  check_int (sf_connect (path), -ENOENT);
  remove_folder ();
}

static void
test_relative_path (void)
{
  struct sf_listener l;

  new_folder ();
  check_int (chdir (folder), 0);
  check_int (sf_listener_open (&l, "s", 0600), 0);
  check_serves (&l, "s");
  sf_listener_close (&l);
  remove_folder ();
}

static void
test_stale_socket_is_replaced (void)
{
  struct sf_listener l;

  new_folder ();
  leave_stale_socket ();
  check_int (sf_connect (path), -ECONNREFUSED);
  check_int (sf_listener_open (&l, path, 0600), 0);
  check_serves (&l, path);
  sf_listener_close (&l);
  remove_folder ();
}

static void
test_live_socket_is_left (void)
{
  struct sf_listener l;
  struct sf_credentials peer;

  new_folder ();
  check_int (sf_listener_open (&l, path, 0600), 0);
  check_open_fails (path, -EADDRINUSE);
  close (sf_listener_accept (&l, &peer));
  check_serves (&l, path);
  sf_listener_close (&l);
  remove_folder ();
}

static void
test_live_socket_with_full_queue (void)
{
  static int clients[4096];
  struct sf_listener l;
  int n = 0;

  new_folder ();
  check_int (sf_listener_open (&l, path, 0600), 0);
  while ((clients[n] = sf_connect (path)) >= 0)
    n++;
  check_int (clients[n], -EAGAIN);
  check_open_fails (path, -EADDRINUSE);
  while (n > 0)
    close (clients[--n]);
  sf_listener_close (&l);
  remove_folder ();
}

static void
test_live_socket_of_another_kind (void)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  new_folder ();
  bind_raw (fd);
  check_int (listen (fd, 1), 0);
  check_open_fails (path, -EADDRINUSE);
  check_int (sf_connect (path), -EPROTOTYPE);
  close (fd);
  check_int (unlink (path), 0);
  remove_folder ();
}

static void
test_other_files_are_left (void)
{
  struct stat st;
  int fd;

  new_folder ();
  check_open_fails (folder, -EISDIR);
  fd = open (path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  check_int (write (fd, "precious", 8), 8);
  close (fd);
  check_open_fails (path, -ENOTSOCK);
  check_int (stat (path, &st), 0);
  check_int (st.st_size, 8);
  check_int (unlink (path), 0);
  check_int (symlink ("nowhere", path), 0);
  check_open_fails (path, -ENOTSOCK);
  check_int (unlink (path), 0);
  check_int (mkfifo (path, 0600), 0);
  check_open_fails (path, -ENOTSOCK);
  check_int (unlink (path), 0);
  remove_folder ();
}

static void
test_bad_paths (void)
{
  char name[109];

  check_open_fails ("", -EINVAL);
  check_open_fails ("@", -EINVAL);
  check_int (sf_connect (""), -EINVAL);
  memset (name, 'n', sizeof name);
  name[108] = 0;
  check_open_fails (name, -ENAMETOOLONG);
  check_int (sf_connect (name), -ENAMETOOLONG);
  name[0] = '@';
  check_open_fails (name, -ENAMETOOLONG);
  check_open_fails ("/proc/no-such-folder/socket", -ENOENT);
  check_open_fails ("/proc/self/exe/socket", -ENOTDIR);
}

static void
test_longest_paths (void)
{
  char name[108];
  struct sf_listener l;

  new_folder ();
  memset (name, 'n', sizeof name);
  name[107] = 0;
  memcpy (name, folder, strlen (folder));
  name[strlen (folder)] = '/';
  check_int (sf_listener_open (&l, name, 0600), 0);
  check_serves (&l, name);
  sf_listener_close (&l);
  name[0] = '@';
  check_int (sf_listener_open (&l, name, 0600), 0);
  check_serves (&l, name);
  sf_listener_close (&l);
  remove_folder ();
}

/* Root may write everywhere: be somebody else. */
static void
become_nobody (void)
{
  if (getuid () == 0)
    check_int (setresuid (65534, 65534, 65534), 0);
}

static void
test_folder_not_writable (void)
{
  pid_t child;

  new_folder ();
  leave_stale_socket ();
  check_int (chmod (path, 0666), 0);
  check_int (chmod (folder, 0555), 0);
  child = fork ();
  if (child == 0) {
    become_nobody ();
    check_open_fails (path, -EACCES);
    path[strlen (path) - 1] = 'x';
    check_open_fails (path, -EACCES);
    _exit (0);
  }
  unit_wait_ok (child);
  check_int (chmod (folder, 0700), 0);
  check_int (unlink (path), 0);
  remove_folder ();
}

static void
test_folder_not_readable (void)
{
  struct sf_listener l;

  new_folder ();
  leave_stale_socket ();
  check_int (chmod (folder, 0300), 0);
  check_int (sf_listener_open (&l, path, 0600), 0);
  check_serves (&l, path);
  sf_listener_close (&l);
  remove_folder ();
}

static void
test_modes (void)
{
  static const mode_t modes[] = { 0600, 0660, 0666, 0200 };
  static const mode_t masks[] = { 0, 022, 077, 0777 };
  struct sf_listener l;
  struct stat st;

  new_folder ();
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      umask (masks[j]);
      check_int (sf_listener_open (&l, path, modes[i]), 0);
      check_int (stat (path, &st), 0);
      check_int (st.st_mode & 07777, modes[i]);
      sf_listener_close (&l);
    }
  remove_folder ();
}

static void
test_mode_keeps_others_out (void)
{
  struct sf_listener l;
  pid_t child;

  if (getuid () != 0)
    return;                     /* takes two users */
  new_folder ();
  check_int (chmod (folder, 0755), 0);
  check_int (sf_listener_open (&l, path, 0600), 0);
  child = fork ();
  if (child == 0) {
    become_nobody ();
    check_int (sf_connect (path), -EACCES);
    check_open_fails (path, -EACCES);
    _exit (0);
  }
  unit_wait_ok (child);
  sf_listener_close (&l);
  remove_folder ();
}

static void
test_abstract (void)
{
  struct sf_listener l;
  char name[64];

  snprintf (name, sizeof name, "@shmframe-unit-%d", getpid ());
  check_int (sf_connect (name), -ECONNREFUSED);
  check_int (sf_listener_open (&l, name, 0600), 0);
  check_serves (&l, name);
  check_open_fails (name, -EADDRINUSE);
  check_serves (&l, name);
  check_int (access (name, F_OK), -1);
  check_int (access (name + 1, F_OK), -1);
  sf_listener_close (&l);
  check_int (sf_connect (name), -ECONNREFUSED);
}

/* Somebody replaced our file by force: it is theirs now. */
static void
test_close_leaves_what_is_not_ours (void)
{
  struct sf_listener first, second;

  new_folder ();
  check_int (sf_listener_open (&first, path, 0600), 0);
  check_int (unlink (path), 0);
  check_int (sf_listener_open (&second, path, 0600), 0);
  sf_listener_close (&first);
  check_serves (&second, path);
  sf_listener_close (&second);
  remove_folder ();
}

static void
test_stranger_holds_the_lock (void)
{
  struct sf_listener l;
  int fd;

  new_folder ();
  leave_stale_socket ();
  fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  check_int (flock (fd, LOCK_EX), 0);
  check_int (sf_listener_open (&l, path, 0600), 0);
  check_serves (&l, path);
  sf_listener_close (&l);
  close (fd);
  remove_folder ();
}

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
  TEST (test_serves_and_cleans_up),
  TEST (test_relative_path),
  TEST (test_stale_socket_is_replaced),
  TEST (test_live_socket_is_left),
  TEST (test_live_socket_with_full_queue),
  TEST (test_live_socket_of_another_kind),
  TEST (test_other_files_are_left),
  TEST (test_bad_paths),
  TEST (test_longest_paths),
  TEST (test_folder_not_writable),
  TEST (test_folder_not_readable),
  TEST (test_modes),
  TEST (test_mode_keeps_others_out),
  TEST (test_abstract),
  TEST (test_close_leaves_what_is_not_ours),
  TEST (test_stranger_holds_the_lock),
  TEST (test_starters_at_once),
};

int
main (void)
{
  return unit_main (tests);
}
