/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <gst/gst.h>

#include "benchplay.h"
#include "benchtools.h"

#define MAX_CONSUMERS 64
#define MAX_OBSERVERS 16

const gchar *
bench_way_name (BenchWay way)
{
  return bench_elements[way].name;
}

BenchWay
bench_way (const gchar * name)
{
  BenchWay way = 0;

  while (way < BENCH_N_WAYS && !g_str_equal (bench_way_name (way), name))
    way++;
  return way;
}

/* In a process of its own, since this one forks and must not have threads. */
gboolean
bench_way_exists (BenchWay way)
{
  pid_t pid = fork ();
  int status = 1;

  if (pid == 0) {
    gst_init (NULL, NULL);
    for (guint i = 0; i < 2 && bench_elements[way].elements[i] != NULL; i++) {
      GstElementFactory *factory =
          gst_element_factory_find (bench_elements[way].elements[i]);

      if (factory == NULL)
        _exit (1);
      gst_object_unref (factory);
    }
    _exit (0);
  }
  return waitpid (pid, &status, 0) == pid && status == 0;
}

static gsize
run_size (const BenchConfig * config)
{
  return sizeof (BenchRun)
      + config->n_frames * sizeof (((BenchRun *) NULL)->stamps[0]);
}

BenchRun *
bench_run_new (const BenchConfig * config)
{
  BenchRun *run = mmap (NULL, run_size (config), PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  if (run == MAP_FAILED)
    g_error ("no memory for a run");
  run->config = *config;
  g_snprintf (run->path, sizeof (run->path), "%s/shmframe-bench-%d",
      g_get_tmp_dir (), (gint) getpid ());
  return run;
}

void
bench_run_free (BenchRun * run)
{
  munmap (run, run_size (&run->config));
}

static pid_t
start (BenchRun * run, gint consumer, guint timeout)
{
  gboolean two = bench_elements[run->config.way].consumer != NULL;
  pid_t pid = fork ();
  gboolean ok;

  if (pid != 0)
    return pid;
  alarm (timeout);
  /* The threads of a queue are kept on their processors one by one. */
  if (two)
    bench_pin_end (run->config.cpus, consumer >= 0);
  gst_init (NULL, NULL);
  ok = consumer < 0 ? bench_play_producer (run)
      : bench_play_consumer (run, consumer == 0);
  /* The other side need not wait for one that failed. */
  if (!ok)
    g_atomic_int_set (&run->done, TRUE);
  _exit (ok ? 0 : 1);
}

static pid_t
start_observer (const BenchRun * run, guint timeout)
{
  const gchar *file = run->config.observer;
  gchar interval[32];
  pid_t pid = fork ();
  int nowhere;

  if (pid != 0)
    return pid;
  alarm (timeout);              /* stays over execl() */
  while (access (run->path, F_OK) < 0)
    g_usleep (1000);
  g_snprintf (interval, sizeof (interval), "--interval=%.2f",
      1. / run->config.looks);
  nowhere = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  if (dup2 (nowhere, STDOUT_FILENO) >= 0)
    execl (file, file, "--json", interval, run->path, NULL);
  g_printerr ("%s cannot be run\n", file);
  _exit (127);
}

/* TRUE if it was there to the end. */
static gboolean
end_observer (pid_t pid)
{
  int status;

  return pid > 0 && kill (pid, SIGTERM) == 0
      && waitpid (pid, &status, 0) == pid
      && (WIFSIGNALED (status) || status == 0);
}

/* TRUE if it ended well. */
static gboolean
reap (const BenchRun * run, const gchar * side, pid_t pid)
{
  int status;

  if (pid < 0 || waitpid (pid, &status, 0) != pid)
    return FALSE;
  if (WIFSIGNALED (status))
    g_printerr ("%s: the %s ended by signal %d (%s) after %d frames\n",
        bench_way_name (run->config.way), side, WTERMSIG (status),
        strsignal (WTERMSIG (status)),
        g_atomic_int_get (&run->receiver.n_frames));
  return status == 0;
}

static guint64
pss_of (pid_t pid)
{
  gchar path[64], line[128];
  guint64 kb = 0;
  FILE *file;

  g_snprintf (path, sizeof (path), "/proc/%d/smaps_rollup", (gint) pid);
  file = fopen (path, "re");
  while (file != NULL && kb == 0 && fgets (line, sizeof (line), file) != NULL)
    if (sscanf (line, "Pss: %" G_GUINT64_FORMAT, &kb) != 1)
      kb = 0;
  if (file != NULL)
    fclose (file);
  return kb * 1024;
}

/* Once most frames have come, and before the last. */
static void
measure_memory (BenchRun * run, const pid_t * pids, guint n)
{
  gint enough = (gint) (run->config.n_frames * 3 / 4);

  while (g_atomic_int_get (&run->receiver.n_frames) < enough
      && !g_atomic_int_get (&run->done))
    g_usleep (1000);
  for (guint i = 0; i < n; i++)
    run->pss += pss_of (pids[i]);
}

gboolean
bench_run (BenchRun * run, guint timeout)
{
  gboolean two = bench_elements[run->config.way].consumer != NULL;
  guint n = two ? MIN (run->config.n_consumers, MAX_CONSUMERS) : 0;
  guint n_observers = MIN (run->config.n_observers, MAX_OBSERVERS);
  pid_t pids[MAX_CONSUMERS + 1], observers[MAX_OBSERVERS];
  gboolean ok;

  for (guint i = 0; i < n; i++)
    pids[i + 1] = start (run, (gint) i, timeout);
  pids[0] = start (run, -1, timeout);
  for (guint i = 0; i < n_observers; i++)
    observers[i] = start_observer (run, timeout);
  if (run->config.memory)
    measure_memory (run, pids, n + 1);
  ok = reap (run, "producer", pids[0]);
  for (guint i = 0; i < n; i++)
    ok = reap (run, "consumer", pids[i + 1]) && ok;
  for (guint i = 0; i < n_observers; i++)
    ok = end_observer (observers[i]) && ok;
  unlink (run->path);
  return ok;
}
