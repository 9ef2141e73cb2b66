/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of the chaos test: a producer, a consumer, or a relay, on lib
 * alone. It judges what it sees by itself, as it sees it; what it knows stands in
 * its seat (see seats.h), since it may be killed at any moment. */
#include "peer.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "shared/test-hooks.h"

#define DELAY_US 30000

struct seats *seats;
struct seat *me;
uint64_t seed;
_Atomic int leave;

static unsigned hook_step = N_STEPS, hook_act;
static _Atomic int hook_count;

void
sf_hook (const char *name)
{
  /* It is not waited for, and nobody may hear of it that is still there. */
  if (strcmp (name, "violation") == 0 && seats->liars == 0)
    fault ("a client that keeps to the rules is said not to");
  if (hook_step == N_STEPS || strcmp (name, steps[hook_step]) != 0
      || atomic_fetch_sub (&hook_count, 1) != 1)
    return;
  atomic_fetch_add (&me->disturbed, 1);
  atomic_fetch_add (&seats->hits[hook_step][hook_act], 1);
  if (hook_act == ACT_DELAY)
    usleep (DELAY_US);
  else
    kill (getpid (), hook_act == ACT_KILL ? SIGKILL : SIGSTOP);
}

void
peer_fault (int line, const char *format, ...)
{
  char text[200];
  va_list args;

  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  snprintf (me->fault, sizeof me->fault, "line %d: %s", line, text);
  _exit (3);
}

static int
count_threads (void)
{
  DIR *dir = opendir ("/proc/self/task");
  int n = 0;

  for (; readdir (dir); n++);
  closedir (dir);
  return n;
}

#ifdef CHAOS_TSAN
static void *
do_nothing (void *unused)
{
  return unused;
}

/* ThreadSanitizer starts a thread of its own with our first one: before threads
 * are counted. */
static void
warm_up (void)
{
  pthread_t thread;

  must_be (pthread_create (&thread, NULL, do_nothing, NULL), 0);
  must_be (pthread_join (thread, NULL), 0);
  usleep (50000);
}
#else
static void
warm_up (void)
{
}
#endif

void
take_census (struct census *census)
{
  census->fds = unit_count_fds ();
  census->threads = count_threads ();
  census->maps = unit_count_maps ();
}

bool
is_same (const struct census *a, const struct census *b)
{
  return a->fds == b->fds && a->threads == b->threads && a->maps == b->maps;
}

void
must_become (const struct census *then)
{
  struct census now;

  /* The kernel lists a thread a little longer than it takes to join it; and what
   * a relay leaves behind stays until its clients, which may be stopped for 4 s,
   * have given back what they hold. */
  for (int tries = 0; tries < 800; tries++) {
    take_census (&now);
    if (is_same (&now, then))
      return;
    usleep (10000);
  }
  fault ("left behind: %d fds, %d threads, %d maps; there were %d, %d, %d",
      now.fds, now.threads, now.maps, then->fds, then->threads, then->maps);
}

void
raise_figure (_Atomic uint64_t *figure, uint64_t value)
{
  if (value > *figure)
    *figure = value;
}

void
path_of (char path[108], unsigned seat)
{
  snprintf (path, 108, "%s/%u", getenv (ENV_FOLDER), seat);
}

void
limit_fds (void)
{
  const struct rlimit few = { MAX_FDS, MAX_FDS };

  must_be (setrlimit (RLIMIT_NOFILE, &few), 0);
}

struct sf_producer *
peer_open_producer (unsigned seat, int64_t timeout, bool lossless)
{
  char path[108];
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        64,.max_memory = UINT64_C (1) << 28,.client_timeout = timeout,
    /* Who is held up at a step answers, and is not to be waited for. */
    .stall_timeout = timeout
  };
  struct sf_producer *p;

  path_of (path, seat);
  me->calm = me->disturbed;
  me->opened = (uint64_t) sf_now ();
  must_be (sf_producer_open (&p, &config), 0);
  sf_producer_set_delivery (p, !lossless, lossless, 0, UINT64_MAX);
  return p;
}

struct sf_consumer *
peer_open_consumer (unsigned seat, uint32_t max_held)
{
  char path[108];
  struct sf_consumer_config config = {.path = path,.name = "chaos",.delivery =
        me->wish == WISH_LIVE ? SF_DELIVERY_LIVE : SF_DELIVERY_AUTO,.max_held =
        max_held,.connect_timeout = SF_FOREVER
  };
  struct sf_consumer *c;

  path_of (path, seat);
  must_be (sf_consumer_open (&c, &config), 0);
  return c;
}

static void
on_term (int signal)
{
  (void) signal;
  leave = 1;
}

static unsigned
env_number (const char *name)
{
  const char *text = getenv (name);

  if (text == NULL) {
    fprintf (stderr, "chaos-peer is started by the chaos test (no %s)\n", name);
    exit (2);
  }
  return (unsigned) strtoul (text, NULL, 10);
}

static void
read_hook (void)
{
  const char *text = getenv (ENV_HOOK);
  int count;

  if (text == NULL
      || sscanf (text, "%u,%d,%u", &hook_step, &count, &hook_act) != 3)
    return;
  hook_count = count;
}

static void (*const run[]) (void) = {
  [ROLE_PRODUCER] = run_producer,
  [ROLE_RELAY] = run_relay,
  [ROLE_CONSUMER] = run_consumer,
  [ROLE_FLOODER] = run_flooder,
  [ROLE_CROWD] = run_crowd,
  [ROLE_BAD_PRODUCER] = run_bad_producer,
  [ROLE_VICTIM] = run_victim,
};

int
main (void)
{
  int fd = (int) env_number (ENV_SEATS);

  seats = mmap (NULL, sizeof *seats, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (seats == MAP_FAILED)
    return 2;
  close (fd);
  me = &seats->seat[env_number (ENV_SEAT)];
  seed = env_number (ENV_SEED) | UINT64_C (1) << 40;
  enter_namespaces ();
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  signal (SIGTERM, on_term);
  signal (SIGPIPE, SIG_IGN);
  children_ignore ();
  read_hook ();
  warm_up ();
  run[me->role] ();
  return 0;
}
