/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "shared/connection.h"
#include "folder.h"

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

  check_cmp (client, >=, 0);
  served = sf_listener_accept (l, &peer);
  check_cmp (served, >=, 0);
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

  unit_skip_unless_root ();
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

/* With room for the socket alone, it depends on libc: fchmodat() that follows no
 * symlink takes an fd for a moment, or since glibc 2.39 a system call (of Linux
 * 6.6). What has failed by then leaves no file. */
static void
test_out_of_fds (void)
{
  struct sf_listener l;
  struct rlimit limit;
  int spare, err;

  new_folder ();
  spare = dup (0);
  close (spare);
  check_int (getrlimit (RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t) spare;
  check_int (setrlimit (RLIMIT_NOFILE, &limit), 0);
  check_open_fails (path, -EMFILE);
  limit.rlim_cur = (rlim_t) (spare + 1);
  check_int (setrlimit (RLIMIT_NOFILE, &limit), 0);
  err = sf_listener_open (&l, path, 0600);
  if (err == 0)
    sf_listener_close (&l);
  else
    check_open_fails (path, -EMFILE);
  limit.rlim_cur = limit.rlim_max;
  check_int (setrlimit (RLIMIT_NOFILE, &limit), 0);
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
  TEST (test_out_of_fds),
  TEST (test_stranger_holds_the_lock),
};

int
main (void)
{
  return unit_main (tests);
}
