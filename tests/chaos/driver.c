/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that runs, undisturbed, looks up this often. */
#define HANG_NS (6 * SF_NS_PER_SECOND)
#define LEAVE_NS (10 * SF_NS_PER_SECOND)

void
complain (struct driver *d, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  printf ("FAILURE: ");
  vprintf (format, args);
  printf ("\n");
  fflush (stdout);
  va_end (args);
  d->failures++;
}

static void
seat_init (struct driver *d, unsigned i)
{
  struct seat *seat = &d->seats->seat[i];
  unsigned n = i - FIRST_CONSUMER;

  if (i == ORIGIN) {
    seat->role = ROLE_PRODUCER;
  } else if (i < FIRST_CONSUMER) {
    seat->role = ROLE_RELAY;
    seat->source = i - 1;       /* in a row */
  } else {
    seat->role = ROLE_CONSUMER;
    seat->wish = n % 3 == 2 ? WISH_LIVE : WISH_AUTO;
    seat->source = n < 5 ? ORIGIN : 1 + n % N_RELAYS;
  }
  d->process[i].absent = i >= FIRST_GUEST;
}

void
driver_open (struct driver *d, const char *peer, uint64_t seed)
{
  memset (d, 0, sizeof *d);
  d->peer = peer;
  d->seed = seed | UINT64_C (1) << 40;
  strcpy (d->folder, "/tmp/shmframe-XXXXXX");
  d->seats_fd = memfd_create ("seats", 0);
  if (mkdtemp (d->folder) == NULL || d->seats_fd < 0
      || ftruncate (d->seats_fd, sizeof *d->seats) < 0) {
    perror ("chaos");
    exit (2);
  }
  d->seats = mmap (NULL, sizeof *d->seats, PROT_READ | PROT_WRITE, MAP_SHARED,
      d->seats_fd, 0);
  if (d->seats == MAP_FAILED) {
    perror ("chaos");
    exit (2);
  }
  for (unsigned i = 0; i < N_SEATS; i++)
    seat_init (d, i);
}

void
driver_close (struct driver *d)
{
  for (unsigned i = 0; i < N_SEATS; i++) {
    if (d->process[i].state == STATE_GONE)
      continue;
    kill (d->process[i].pid, SIGKILL);
    waitpid (d->process[i].pid, NULL, 0);
    d->process[i].state = STATE_GONE;
  }
}

static void
set_number (const char *name, uint64_t value)
{
  char text[24];

  snprintf (text, sizeof text, "%llu", (unsigned long long) value);
  setenv (name, text, 1);
}

static void
become_peer (struct driver *d, unsigned seat, const char *hook)
{
  set_number (ENV_SEATS, (uint64_t) d->seats_fd);
  set_number (ENV_SEAT, seat);
  set_number (ENV_SEED, d->seed >> 33);
  setenv (ENV_FOLDER, d->folder, 1);
  if (hook != NULL)
    setenv (ENV_HOOK, hook, 1);
  execl (d->peer, d->peer, NULL);
  perror (d->peer);
  _exit (2);
}

void
start (struct driver *d, unsigned i, const char *hook)
{
  struct process *p = &d->process[i];
  struct seat *seat = &d->seats->seat[i];

  seat->life++;
  /* Live now and then; never at a step, not all of which are on its way. */
  seat->lossless = hook != NULL || random_below (&d->seed, 4) != 0;
  seat->heartbeat = seat->last_frame = (uint64_t) sf_now ();
  *p = (struct process) {.state = STATE_RUNS,.calm_since = sf_now (),.absent =
        i >= FIRST_GUEST
  };
  p->pid = fork ();
  if (p->pid == 0)
    become_peer (d, i, hook);
}

void
do_kill (struct driver *d, unsigned i, int64_t restart_in)
{
  d->seats->seat[i].disturbed++;
  kill (d->process[i].pid, SIGKILL);
  waitpid (d->process[i].pid, NULL, 0);
  d->process[i].state = STATE_GONE;
  d->process[i].due = sf_now () + restart_in;
  d->kills++;
}

void
do_stop (struct driver *d, unsigned i, int64_t for_ns)
{
  d->seats->seat[i].disturbed++;
  kill (d->process[i].pid, SIGSTOP);
  d->process[i].state = STATE_STOPPED;
  d->process[i].due = sf_now () + for_ns;
  d->stops++;
}

void
do_continue (struct driver *d, unsigned i)
{
  struct process *p = &d->process[i];

  d->seats->seat[i].heartbeat = (uint64_t) sf_now ();
  p->calm_since = sf_now ();
  p->state = STATE_RUNS;
  kill (p->pid, SIGCONT);
}

void
do_leave (struct driver *d, unsigned i)
{
  d->seats->seat[i].disturbed++;
  d->process[i].leaving = true;
  d->process[i].calm_since = sf_now ();
  kill (d->process[i].pid, SIGTERM);
  d->leaves++;
}

static void
ended (struct driver *d, unsigned i, int status)
{
  struct process *p = &d->process[i];
  const struct seat *seat = &d->seats->seat[i];

  p->state = STATE_GONE;
  p->due = sf_now () + random_below (&d->seed, 50) * MS;
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0 && p->leaving)
    return;
  p->not_allowed = WIFEXITED (status)
      && WEXITSTATUS (status) == EXIT_NOT_ALLOWED;
  if (p->not_allowed)
    return;
  if (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL)
    return;                     /* at a hook */
  complain (d, "seat %u (life %u) ended with status 0x%x: %s", i, seat->life,
      (unsigned) status, seat->fault);
}

static void
take_note (struct driver *d)
{
  int status;
  pid_t pid;

  while ((pid = waitpid (-1, &status, WNOHANG | WUNTRACED)) > 0) {
    unsigned i = 0;

    while (i < N_SEATS && (d->process[i].pid != pid
            || d->process[i].state == STATE_GONE))
      i++;
    if (i == N_SEATS)
      continue;
    if (!WIFSTOPPED (status)) {
      ended (d, i, status);
    } else if (d->process[i].state == STATE_RUNS) {
      /* At a hook; longer than client-timeout, or shorter. */
      d->process[i].state = STATE_STOPPED;
      d->process[i].due = sf_now () + random_below (&d->seed, 500) * MS;
    }
  }
}

static void
check_hang (struct driver *d, unsigned i)
{
  const struct process *p = &d->process[i];
  const struct seat *seat = &d->seats->seat[i];
  int64_t now = sf_now ();

  if (p->state != STATE_RUNS || d->failures > 0)
    return;
  if (p->leaving && now - p->calm_since > LEAVE_NS)
    complain (d, "seat %u (life %u) does not end", i, seat->life);
  else if (now - (int64_t) seat->heartbeat > HANG_NS && !p->leaving)
    complain (d, "seat %u (life %u, pid %d) hangs", i, seat->life, p->pid);
}

bool
step_suits (unsigned step, enum role role)
{
  static const char *const roles[N_STEPS] = {
    "PR", "PR", "PR", "P", "R", "RC", "RC", "RC",
    "PR", "PR", "RC", "RC", "P", "R"
  };

  return role <= ROLE_CONSUMER && strchr (roles[step], "PRC"[role]) != NULL;
}

static void
start_again (struct driver *d, unsigned i)
{
  unsigned step = random_below (&d->seed, N_STEPS);
  unsigned count = 1 + random_below (&d->seed, 40);
  unsigned act = random_below (&d->seed, N_ACTS);
  char hook[64];

  if (step_suits (step, d->seats->seat[i].role)
      && random_below (&d->seed, 2) == 0) {
    snprintf (hook, sizeof hook, "%u,%u,%u", step, step < N_RARE_STEPS
        ? count / 10 + 1 : count, act);
    start (d, i, hook);
  } else {
    start (d, i, NULL);
  }
}

void
turn (struct driver *d)
{
  take_note (d);
  for (unsigned i = 0; i < N_SEATS; i++) {
    struct process *p = &d->process[i];

    if (p->state == STATE_STOPPED && p->due <= sf_now ())
      do_continue (d, i);
    else if (p->state == STATE_GONE && p->due <= sf_now () && !p->absent)
      start_again (d, i);
    check_hang (d, i);
  }
  usleep (2000);
}

void
turns (struct driver *d, int64_t ns)
{
  int64_t until = sf_now () + ns;

  do
    turn (d);
  while (sf_now () < until && d->failures == 0);
}

void
settle (struct driver *d)
{
  for (unsigned i = 0; i < N_SEATS; i++) {
    struct process *p = &d->process[i];

    if (p->state == STATE_STOPPED)
      do_continue (d, i);
    else if (p->state == STATE_GONE && !p->absent)
      start (d, i, NULL);
  }
}
