/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children without exec() of either side, as Python's multiprocessing makes them: by
 * fork(), and by a bare clone(), of which the library does not hear. They neither
 * return nor keep anything. */
#include "family.h"
#include "rawclient.h"

#define CLIENTS 16u             /* max-clients of open_producer() */

static void
expect_all_back (struct sf_producer *p)
{
  struct sf_producer_stats stats;
  int64_t until = sf_now () + LONG / 2;

  do {
    check_cmp (sf_now (), <, until);
    usleep (1000);
    sf_producer_get_stats (p, &stats);
  } while (stats.n_clients + stats.n_lingering > 0
      || stats.slots.n_free + 1 < stats.slots.n_slots);
}

/* --- children of both --- */

/* Fds that are not memfds, and maps of what belongs to one connection. */
static int
count_kept (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  FILE *maps = fopen ("/proc/self/maps", "re");
  const struct dirent *entry;
  char line[512], target[256];
  int n = 0;

  while ((entry = readdir (dir)) != NULL) {
    ssize_t len = readlinkat (dirfd (dir), entry->d_name, target,
        sizeof target - 1);

    target[len > 0 ? len : 0] = '\0';
    n += len > 0 && strstr (target, "memfd:") == NULL;
  }
  while (fgets (line, sizeof line, maps))
    n += strstr (line, "shmframe-announce") != NULL
        || strstr (line, "shmframe-returns") != NULL;
  fclose (maps);
  closedir (dir);
  return n;
}

/* Of sockets, guards, events and rings. Frames stay mapped. */
static void
test_child_keeps_nothing (void)
{
  int kept = count_kept ();
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  pid_t child;

  unit_skip_emulated ("children keep all mappings");
  place_make (&place);
  p = open_producer (place.path, 0, true);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  send_frame (p, 7, true);
  next_of (c, &in, SF_RECEIVED_FRAME);
  check_cmp (count_kept (), >, kept + 8);
  child = fork ();
  if (child == 0) {
    check_int (count_kept (), kept);
    check_int (check_frame (&in), 7);
    _exit (0);
  }
  unit_wait_ok (child);
  sf_lease_unref (in.lease);
  close_all (c, p, &place);
}

/* --- children of a consumer --- */

static void
run_producer (const char *path, maker make, int to)
{
  struct sf_producer *p = open_producer (path, 0, false);

  (void) make;
  check_cmp (write (to, &(pid_t) {1}, sizeof (pid_t)), >, 0);
  for (uint64_t i = 1;; i++) {
    send_frame (p, i, false);
    usleep (200);
  }
}

static void
drop_lease (struct sf_consumer *c, struct sf_lease *lease)
{
  (void) c;
  sf_lease_unref (lease);
}

static void
close_consumer (struct sf_consumer *c, struct sf_lease *lease)
{
  sf_lease_unref (lease);
  sf_consumer_close (c);
}

static void
only_exit (struct sf_consumer *c, struct sf_lease *lease)
{
  (void) c;
  (void) lease;
}

/* The frame that the parent holds stays whole, and its connection up. The child can
 * read it as well, as long as that is so. */
static void
child_does (void (*what) (struct sf_consumer *c, struct sf_lease *lease))
{
  struct place place;
  struct family producer;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_lease *lease;
  const uint64_t *words;
  uint64_t number;
  pid_t child;

  place_make (&place);
  family_start (&producer, run_producer, place.path, make_fork);
  check_cmp (read (producer.from, &producer.child, sizeof (pid_t)), >, 0);
  c = open_consumer (place.path, SF_DELIVERY_LIVE, 4);
  next_of (c, &in, SF_RECEIVED_FRAME);
  number = check_frame (&in);
  lease = in.lease;
  words = (const uint64_t *) in.parts[0].data;
  child = fork ();
  if (child == 0) {
    check_frame (&in);
    what (c, lease);
    leave_as_child ();
  }
  unit_wait_ok (child);
  for (int i = 0; i < 1000; i++) {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    check_int (in.kind == SF_RECEIVED_DISCONNECTED, 0);
    if (in.kind == SF_RECEIVED_FRAME)
      sf_lease_unref (in.lease);
  }
  for (uint32_t i = 0; i < FRAME_WORDS; i++)
    check_int (words[i], word_of (number, i));
  sf_lease_unref (lease);
  sf_consumer_close (c);
  family_kill (&producer);
  close (producer.from);
  unlink (place.path);
  place_remove (&place);
}

static void
test_child_drops_frame (void)
{
  child_does (drop_lease);
}

static void
test_child_closes_consumer (void)
{
  child_does (close_consumer);
}

static void
test_child_exits (void)
{
  child_does (only_exit);
}

/* Takes as many frames as it may, has a child, and tells of it. */
static void
hold_frames (const char *path, maker make, int to)
{
  struct sf_consumer *c = open_consumer (path, SF_DELIVERY_LIVE, 4);
  struct sf_received in;
  pid_t child;

  for (int i = 0; i < 4; i++)
    next_of (c, &in, SF_RECEIVED_FRAME);
  leave_child (make, &child);
  check_cmp (write (to, &child, sizeof child), >, 0);
  pause ();
}

static void
feed_until_ready (struct sf_producer *p, struct family *f)
{
  struct pollfd fds = {.fd = f->from,.events = POLLIN };

  for (uint64_t i = 1; poll (&fds, 1, 1) == 0; i++)
    send_frame (p, i, false);
  family_await (f);
}

static void
kill_consumers (maker make)
{
  struct place place;
  struct sf_producer *p;
  struct family f[3];

  place_make (&place);
  for (int i = 0; i < 3; i++)
    family_start (&f[i], hold_frames, place.path, make);
  p = open_producer (place.path, 0, false);
  for (int i = 0; i < 3; i++)
    feed_until_ready (p, &f[i]);
  for (int i = 0; i < 3; i++)
    family_kill (&f[i]);
  expect_all_back (p);
  sf_producer_close (p);
  for (int i = 0; i < 3; i++)
    family_end (&f[i]);
  place_remove (&place);
}

static void
test_consumer_killed (void)
{
  kill_consumers (make_fork);
}

static void
test_consumer_killed_clone (void)
{
  kill_consumers (make_clone);
}

/* More of them than places, each with a child that stays. */
static void
close_consumers (maker make)
{
  struct place place;
  struct sf_producer *p;
  pid_t child[CLIENTS + 2];

  place_make (&place);
  p = open_producer (place.path, 0, false);
  for (unsigned i = 0; i < CLIENTS + 2; i++) {
    struct sf_consumer *c = open_consumer (place.path, SF_DELIVERY_LIVE, 2);
    struct sf_received in;

    send_frame (p, i, false);
    next_of (c, &in, SF_RECEIVED_FRAME);
    leave_child (make, &child[i]);
    sf_lease_unref (in.lease);
    sf_consumer_close (c);
    expect_all_back (p);
  }
  sf_producer_close (p);
  for (unsigned i = 0; i < CLIENTS + 2; i++) {
    kill (child[i], SIGKILL);
    check_int (waitpid (child[i], NULL, 0), child[i]);
  }
  place_remove (&place);
}

static void
test_consumers_close (void)
{
  close_consumers (make_fork);
}

static void
test_consumers_close_clone (void)
{
  close_consumers (make_clone);
}

/* Nor does one that says BYE and whose socket nobody closes, if it holds nothing. */
static void
test_bye_is_enough (void)
{
  struct sf_message bye = message_of (SF_MESSAGE_BYE);
  struct place place;
  struct sf_producer *p;
  struct raw_client r;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  check_int (sf_send (r.fd, &bye, NULL, 0), 0);
  check_int (raw_await_end (&r), SF_REASON_NONE);
  expect_all_back (p);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* --- children of a producer --- */

static void
produce_with_child (const char *path, maker make, int to)
{
  struct sf_producer *p = open_producer (path, 0, false);
  pid_t child;

  check_int (sf_producer_wait_clients (p, 1), 0);
  for (uint64_t i = 0; i < 3; i++)
    send_frame (p, i, false);
  leave_child (make, &child);
  check_cmp (write (to, &child, sizeof child), >, 0);
  pause ();
}

/* Its consumer hears that it is gone, having got all that was announced; and the
 * next producer is not refused. */
static void
restart_producer (const char *path, maker make)
{
  struct family f;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  uint64_t n = 0;

  family_start (&f, produce_with_child, path, make);
  c = open_consumer (path, SF_DELIVERY_LIVE, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  family_await (&f);
  family_kill (&f);
  for (;;) {
    check_int (sf_consumer_next (c, &in, LONG), 1);
    if (in.kind == SF_RECEIVED_DISCONNECTED)
      break;
    if (in.kind == SF_RECEIVED_FRAME) {
      check_int (check_frame (&in), n++);
      sf_lease_unref (in.lease);
    }
  }
  check_int (n, 3);
  check_int (in.reject.reason, SF_REASON_HANGUP);
  next_of (c, &in, SF_RECEIVED_WAITING);
  p = open_producer (path, 0, false);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  sf_consumer_close (c);
  sf_producer_close (p);
  family_end (&f);
}

static void
restart_at_path (maker make)
{
  struct place place;

  place_make (&place);
  restart_producer (place.path, make);
  place_remove (&place);
}

static void
test_producer_killed (void)
{
  restart_at_path (make_fork);
}

static void
test_producer_killed_clone (void)
{
  restart_at_path (make_clone);
}

static void
test_producer_killed_abstract (void)
{
  char name[64];

  snprintf (name, sizeof name, "@shmframe-unit-forks-%d", getpid ());
  restart_producer (name, make_fork);
}

/* A listener is no orphan as long as its process lives: no other is let in. */
static void
test_producer_lives (void)
{
  struct place place;
  struct sf_listener l;
  struct sf_producer *p;
  pid_t child;

  place_make (&place);
  p = open_producer (place.path, 0, false);
  leave_child (make_clone, &child);
  check_int (sf_listener_open (&l, place.path, 0600), -EADDRINUSE);
  sf_producer_close (p);
  /* Closed by its own process, whoever has a copy. */
  p = open_producer (place.path, 0, false);
  sf_producer_close (p);
  kill (child, SIGKILL);
  check_int (waitpid (child, NULL, 0), child);
  place_remove (&place);
}

/* A child gives no slot back, and closes nothing. */
static void
test_child_of_producer_exits (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_received in;
  struct sf_slot *slot;
  uint32_t n = 0;
  pid_t child;

  place_make (&place);
  p = open_producer (place.path, 0, true);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  check_int (sf_producer_wait_clients (p, 1), 0);
  slot = fill_slot (p, 7, false);
  child = fork ();
  if (child == 0) {
    give_slot (slot);
    sf_producer_close (p);
    leave_as_child ();
  }
  unit_wait_ok (child);
  publish_slot (p, slot, 7, false);
  next_of (c, &in, SF_RECEIVED_FRAME);
  check_int (check_frame (&in), 7);
  while (send_frame (p, 8, false) && n++ < 64);
  check_int (check_frame (&in), 7);
  sf_lease_unref (in.lease);
  close_all (c, p, &place);
}

/* Who is refused for want of a place hears who has it without being served. */
static void
test_refusal_names_holder (void)
{
  struct sf_producer_config config = {.mode = 0600,.max_clients =
        1,.max_memory = UINT64_C (1) << 28
  };
  struct sf_message bye = message_of (SF_MESSAGE_BYE), msg;
  struct sf_record_header record;
  struct place place;
  struct sf_producer *p;
  struct raw_client r, late;
  char want[64];

  place_make (&place);
  config.path = place.path;
  p = open_with_config (&config, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  check_int (sf_producer_wait_clients (p, 1), 0);
  send_frame (p, 1, false);
  check (raw_take (&r, &record));
  check_int (sf_send (r.fd, &bye, NULL, 0), 0);
  usleep (50000);
  late = raw_connect (place.path);
  msg = raw_hello (SF_DELIVERY_LIVE, 1);
  check_int (sf_send (late.fd, &msg, NULL, 0), 0);
  check_int (raw_next (&late, &msg, (int[SF_MESSAGE_MAX_FDS]) {0}, 10000),
      SF_MESSAGE_REJECT);
  check_int (msg.reject.reason, SF_REASON_FULL);
  snprintf (want, sizeof want, "process %d", getpid ());
  check_has (msg.reject.text, want);
  check_has (msg.reject.text, "has left");
  raw_close (&late);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_child_keeps_nothing), TEST (test_child_drops_frame), TEST (test_child_closes_consumer),
    TEST (test_child_exits), TEST (test_consumer_killed),
    TEST (test_consumer_killed_clone), TEST (test_consumers_close),
    TEST (test_consumers_close_clone), TEST (test_bye_is_enough),
    TEST (test_producer_killed), TEST (test_producer_killed_clone),
    TEST (test_producer_killed_abstract), TEST (test_producer_lives),
    TEST (test_child_of_producer_exits), TEST (test_refusal_names_holder),
  };

  return unit_main (tests);
}
