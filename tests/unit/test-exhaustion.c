/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Out of fds, of memory, of places: whoever needs them hears of it, and everybody
 * else goes on. See scene.h for what is checked besides. */
#include <signal.h>
#include <sys/resource.h>

#define SCENE_CLIENTS 256u
#include "scene.h"

/* A process that joins when it is told to, and says what came of it. */
struct joiner
{
  pid_t pid;
  int order[2], answer[2];
};

enum outcome
{
  NOTHING = 'n',                /* in time */
  ENDED = 'e',
  REJECTED = 'r',
  WELCOME = 'w'
};

static char
try_to_join (const char *path, uint8_t max_held)
{
  struct sf_message msg = raw_hello (SF_DELIVERY_LIVE, max_held);
  struct raw_client r = raw_connect (path);
  int fds[SF_MESSAGE_MAX_FDS];
  char outcome = ENDED;

  memset (fds, -1, sizeof fds);
  if (sf_send (r.fd, &msg, NULL, 0) == 0) {
    int type = raw_next (&r, &msg, fds, 400);

    outcome = type < 0 ? NOTHING : type == SF_MESSAGE_REJECT ? REJECTED
        : type == SF_MESSAGE_WELCOME ? WELCOME : ENDED;
    check (outcome != REJECTED || msg.reject.reason == SF_REASON_RESOURCES);
    check (outcome != REJECTED || msg.reject.text[0] != '\0');
    /* Whose they are, and what to do. */
    check (outcome != REJECTED || strstr (msg.reject.text, "open files") == NULL
        || (strstr (msg.reject.text, "(pid ") != NULL
            && strstr (msg.reject.text, "ulimit -n") != NULL));
  }
  raw_close_fds (fds);
  raw_close (&r);
  return outcome;
}

static void
joiner_fork (struct joiner *j, const char *path)
{
  check_int (pipe (j->order), 0);
  check_int (pipe (j->answer), 0);
  j->pid = fork ();
  if (j->pid == 0) {
    uint8_t max_held;

    close (j->order[1]);
    while (read (j->order[0], &max_held, 1) == 1) {
      char outcome = try_to_join (path, max_held);

      check_int (write (j->answer[1], &outcome, 1), 1);
    }
    _exit (0);
  }
}

static char
joiner_ask (struct joiner *j, uint8_t max_held)
{
  char outcome;

  check_int (write (j->order[1], &max_held, 1), 1);
  check_int (read (j->answer[0], &outcome, 1), 1);
  return outcome;
}

static void
joiner_end (struct joiner *j)
{
  close (j->order[1]);
  unit_wait_ok (j->pid);
  close (j->order[0]);
  close (j->answer[0]);
  close (j->answer[1]);
}

static rlim_t
limit_to (int what, rlim_t value)
{
  struct rlimit limit;
  rlim_t before;

  check_int (getrlimit (what, &limit), 0);
  before = limit.rlim_cur;
  limit.rlim_cur = value;
  check_int (setrlimit (what, &limit), 0);
  return before;
}

static rlim_t
address_space (void)
{
  unsigned long pages = 0;
  FILE *f = fopen ("/proc/self/statm", "re");

  check_int (fscanf (f, "%lu", &pages), 1);
  fclose (f);
  return pages * (rlim_t) sysconf (_SC_PAGESIZE);
}

/* A step more of the resource each time, until a client that needs a larger ring
 * is welcomed twice; before that it is told, or waits. */
static void
run_producer_short_of (int what, rlim_t from, rlim_t step)
{
  struct joiner j;
  struct scene s;
  int welcome = 0, refused = 0;

  scene_fork (&s);
  joiner_fork (&j, s.place.path);
  scene_open (&s, true);
  if (what == RLIMIT_NOFILE)
    from = (rlim_t) unit_count_fds () - 3;      /* ".", "..", its own */
  if (what == RLIMIT_AS) {
    /* After what the first one has mapped for good; some of it is free now. */
    joiner_ask (&j, 1);
    scene_await_calm (&s);
    from = address_space () - (8 << 20);
  }
  for (int i = 0; i < 60 && welcome < 2; i++) {
    rlim_t before;
    char outcome;

    /* What it publishes takes a little memory. */
    scene_pause (&s, what == RLIMIT_AS);
    before = limit_to (what, from + (rlim_t) i * step);
    outcome = joiner_ask (&j, (uint8_t) (10 + 4 * i));
    limit_to (what, before);
    scene_pause (&s, false);
    welcome += outcome == WELCOME;
    refused += outcome != WELCOME;
    scene_await_calm (&s);
  }
  check_int (welcome, 2);
  check_cmp (refused, >, 0);
  joiner_end (&j);
  scene_end (&s);
}

static void
test_producer_out_of_fds (void)
{
  run_producer_short_of (RLIMIT_NOFILE, 0, 1);
}

static void
test_producer_out_of_file_size (void)
{
  run_producer_short_of (RLIMIT_FSIZE, 0, 100000);
}

static void
test_producer_out_of_addresses (void)
{
  unit_skip_sanitized ();
  unit_skip_emulated_limit ();
  run_producer_short_of (RLIMIT_AS, 0, 1000000);
}

/* What a real consumer makes of too low a limit: the frame, or one clean end. */
static bool
consume_with (const char *path, int what, rlim_t limit)
{
  struct sf_consumer_config config = {.path = path,.name = "poor",.delivery =
        SF_DELIVERY_LIVE,.max_held = 2,.connect_timeout = SF_FOREVER
  };
  rlim_t before = limit_to (what, limit);
  struct sf_received in = { 0 };
  struct sf_consumer *c;
  int r = sf_consumer_open (&c, &config);
  bool got = false;

  if (r == 0) {
    do
      check_int (sf_consumer_next (c, &in, LONG), 1);
    while (in.kind != SF_RECEIVED_FRAME && in.kind != SF_RECEIVED_FAILED
        && in.kind != SF_RECEIVED_DISCONNECTED);
    limit_to (what, before);
    got = in.kind == SF_RECEIVED_FRAME;
    if (got)
      sf_lease_unref (in.lease);
    if (in.kind == SF_RECEIVED_FAILED)
      r = in.error;
    else if (in.kind == SF_RECEIVED_DISCONNECTED) {
      check_int (in.reject.reason, SF_REASON_RESOURCES);
      check (what != RLIMIT_NOFILE
          || strstr (in.reject.text, "ulimit -n") != NULL);
    }
    sf_consumer_close (c);
  }
  limit_to (what, before);
  if (r != 0 && r != -EMFILE && r != -ENOMEM && r != -EAGAIN)
    unit_say ("%s", strerror (-r));
  check (r == 0 || r == -EMFILE || r == -ENOMEM || r == -EAGAIN);
  return got;
}

static void
run_consumer_short_of (int what, rlim_t step)
{
  struct scene s;
  int start[2];
  pid_t poor;
  char go;

  scene_fork (&s);
  check_int (pipe (start), 0);
  poor = fork ();
  if (poor == 0) {
    int fds = unit_count_fds (), maps = unit_count_maps (), got = 0, i;
    rlim_t from = what == RLIMIT_NOFILE ? (rlim_t) fds - 3
        : address_space ();

    /* After the honest one, which wants the first frame. */
    check_int (read (start[0], &go, 1), 1);
    for (i = 0; i < 100 && got < 2; i++) {
      got += consume_with (s.place.path, what, from + (rlim_t) i * step);
      check_int (unit_count_fds (), fds);
      check_int (unit_count_maps (), maps);
    }
    check (got == 2 && i > 2);
    _exit (0);
  }
  scene_open (&s, true);
  check_int (write (start[1], "g", 1), 1);
  unit_wait_ok (poor);
  close (start[0]);
  close (start[1]);
  scene_end (&s);
}

static void
test_consumer_out_of_fds (void)
{
  run_consumer_short_of (RLIMIT_NOFILE, 1);
}

static void
test_consumer_out_of_addresses (void)
{
  unit_skip_sanitized ();
  unit_skip_emulated_limit ();
  run_consumer_short_of (RLIMIT_AS, 500000);
}

static void
test_many_clients (void)
{
  static struct raw_client all[200];
  struct sf_producer_stats stats;
  struct raw_client greedy;
  struct scene s;

  scene_start (&s);
  /* The ring is made for all of them at once: grown client by client, how much
   * memory it takes depends on who reads when. */
  greedy = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 200);
  raw_close (&greedy);
  scene_await_calm (&s);
  for (int i = 0; i < 200; i++)
    all[i] = raw_join_at (s.place.path, SF_DELIVERY_LIVE, 1);
  for (int i = 0; i < 200; i++) {
    struct sf_record_header record;

    check (raw_take (&all[i], &record));
    raw_return (&all[i], record.lease);
  }
  sf_producer_get_stats (s.p, &stats);
  check_int (stats.n_clients, 201);
  for (int i = 0; i < 200; i++)
    raw_close (&all[i]);
  scene_end (&s);
}

/* Clients that joined and stand still (SIGSTOP) take fds of the producer, here all
 * there are. That is for who comes next to hear; who is there goes on, and when
 * they end nothing of them is left. */
static void
test_stopped_clients_take_all_fds (void)
{
  struct rlimit before, few;
  struct scene s;
  int start[2], status;
  pid_t crowd;
  char go;

  scene_fork (&s);
  check_int (pipe (start), 0);
  crowd = fork ();
  if (crowd == 0) {
    struct sf_message hello = raw_hello (SF_DELIVERY_LIVE, 1);

    check_int (read (start[0], &go, 1), 1);
    for (int i = 0; i < 60; i++) {
      int fd = sf_connect (s.place.path);

      check_cmp (fd, >=, 0);
      sf_send (fd, &hello, NULL, 0);
    }
    raise (SIGSTOP);
    _exit (0);
  }
  scene_open (&s, true);
  check_int (getrlimit (RLIMIT_NOFILE, &before), 0);
  few = before;
  few.rlim_cur = (rlim_t) unit_count_fds () + 20;
  check_int (setrlimit (RLIMIT_NOFILE, &few), 0);
  check_int (write (start[1], "g", 1), 1);
  check_int (waitpid (crowd, &status, WUNTRACED), crowd);
  check (WIFSTOPPED (status));
  usleep (500000);
  check_int (kill (crowd, SIGKILL), 0);
  check_int (waitpid (crowd, NULL, 0), crowd);
  check_int (setrlimit (RLIMIT_NOFILE, &before), 0);
  close (start[0]);
  close (start[1]);
  scene_end (&s);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_producer_out_of_fds), TEST (test_producer_out_of_file_size),
    TEST (test_producer_out_of_addresses), TEST (test_consumer_out_of_fds),
    TEST (test_consumer_out_of_addresses), TEST (test_many_clients),
    TEST (test_stopped_clients_take_all_fds),
  };

  return unit_main (tests);
}
