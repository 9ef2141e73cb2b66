/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <gst/gst.h>

#include "benchsource.h"

#define NS_PER_SECOND G_GINT64_CONSTANT (1000000000)

typedef struct
{
  const gchar *name;
  const gchar *elements[2];     /* that have to exist */
  /* The boundary's pads are those of the elements called `boundary`. */
  const gchar *producer, *consumer;
} Way;

/* A queue's limit in bytes would make it three frames deep. */
static const Way ways[BENCH_N_WAYS] = {
  [BENCH_QUEUE] = {"queue", {"queue", NULL},
      "queue name=boundary ! fakesink sync=false", NULL},
  [BENCH_DEEP_QUEUE] = {"queue, 12 deep", {"queue", NULL},
      "queue name=boundary max-size-buffers=12 max-size-bytes=0 "
        "max-size-time=0 ! fakesink sync=false", NULL},
  [BENCH_SHMFRAME] = {"shmframesink -> shmframesrc",
        {"shmframesink", "shmframesrc"},
        "shmframesink name=boundary socket-path=%s",
      "shmframesrc name=boundary socket-path=%s is-live=%s ! "
        "fakesink sync=false async=false"},
  [BENCH_SHM] = {"shmsink -> shmsrc", {"shmsink", "shmsrc"},
        "shmsink name=boundary sync=false socket-path=%s",
      "shmsrc name=boundary socket-path=%s is-live=%s ! "
        "fakesink sync=false async=false"},
};

const gchar *
bench_way_name (BenchWay way)
{
  return ways[way].name;
}

static gint64
now_of (clockid_t clock)
{
  struct timespec ts;

  clock_gettime (clock, &ts);
  return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

/* In a process of its own, since this one forks and must not have threads. */
gboolean
bench_way_exists (BenchWay way)
{
  pid_t pid = fork ();
  int status = 1;

  if (pid == 0) {
    gst_init (NULL, NULL);
    for (guint i = 0; i < 2 && ways[way].elements[i] != NULL; i++) {
      GstElementFactory *factory =
          gst_element_factory_find (ways[way].elements[i]);

      if (factory == NULL)
        _exit (1);
      gst_object_unref (factory);
    }
    _exit (0);
  }
  return waitpid (pid, &status, 0) == pid && status == 0;
}

static gsize
run_size (guint n_stamps)
{
  return sizeof (BenchRun) + n_stamps * sizeof (((BenchRun *) NULL)->stamps[0]);
}

BenchRun *
bench_run_new (BenchWay way, gboolean paced, guint n_frames, guint n_warm,
    gboolean stamped)
{
  guint n_stamps = stamped ? n_frames : 0;
  BenchRun *run = mmap (NULL, run_size (n_stamps), PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  if (run == MAP_FAILED)
    g_error ("no memory for a run");
  run->way = way;
  run->paced = paced;
  run->n_frames = n_frames;
  run->n_warm = n_warm;
  run->n_stamps = n_stamps;
  g_snprintf (run->path, sizeof (run->path), "%s/shmframe-bench-%d",
      g_get_tmp_dir (), (gint) getpid ());
  return run;
}

void
bench_run_free (BenchRun * run)
{
  munmap (run, run_size (run->n_stamps));
}

static void
mark (BenchMark * m)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  m->faults = usage.ru_minflt + usage.ru_majflt;
  m->cpu_time = now_of (CLOCK_PROCESS_CPUTIME_ID);
  m->time = now_of (CLOCK_MONOTONIC);
}

static void
count (BenchRun * run, BenchSide * side)
{
  guint n = (guint) g_atomic_int_add (&side->n_frames, 1) + 1;

  if (n == run->n_warm)
    mark (&side->warm);
  else if (n == run->n_frames)
    mark (&side->last);
}

static GstPadProbeReturn
on_sent (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  BenchRun *run = user;
  guint64 seq = GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info));

  count (run, &run->sender);
  if (seq < run->n_stamps)
    run->stamps[seq].sent = now_of (CLOCK_MONOTONIC);
  return GST_PAD_PROBE_OK;
}

/* shmsrc knows no offsets, but loses nothing either: there the frames count. */
static GstPadProbeReturn
on_received (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  BenchRun *run = user;
  gint64 now = now_of (CLOCK_MONOTONIC);
  guint64 seq = GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info));

  if (seq == GST_BUFFER_OFFSET_NONE || run->way == BENCH_SHM)
    seq = g_atomic_int_get (&run->receiver.n_frames);
  if (seq < run->n_stamps)
    run->stamps[seq].received = now;
  count (run, &run->receiver);
  if (seq == run->n_frames - 1)
    g_atomic_int_set (&run->done, TRUE);
  return GST_PAD_PROBE_OK;
}

static void
add_probe (GstElement * boundary, const gchar * pad_name,
    GstPadProbeCallback probe, BenchRun * run)
{
  GstPad *pad = gst_element_get_static_pad (boundary, pad_name);

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, probe, run, NULL);
  gst_object_unref (pad);
}

/* Waits for an error (said) or the last frame. FALSE: the error. What comes after
 * that frame is none: shmsrc fails when its producer ends. */
static gboolean
wait_for_end (GstElement * pipeline, BenchRun * run)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  gboolean ok = TRUE;

  while (ok && !g_atomic_int_get (&run->done)) {
    GstMessage *message = gst_bus_timed_pop_filtered (bus, 10 * GST_MSECOND,
        GST_MESSAGE_ERROR);

    if (message != NULL) {
      GError *error;

      gst_message_parse_error (message, &error, NULL);
      ok = g_atomic_int_get (&run->done);
      if (!ok)
        g_printerr ("%s: %s\n", ways[run->way].name, error->message);
      g_error_free (error);
      gst_message_unref (message);
    }
  }
  gst_object_unref (bus);
  return ok;
}

/* Paced frames are not kept for those who come late. */
static void
wait_for_client (GstElement * sink)
{
  guint n = 0;

  while (n == 0) {
    g_usleep (1000);
    g_object_get (sink, "num-clients", &n, NULL);
  }
}

static void
touch_all (BenchRun * run)
{
  volatile gint64 sum = 0;

  for (guint i = 0; i < run->n_stamps; i++)
    sum += run->stamps[i].sent;
  (void) sum;
}

static void
note_copies (BenchRun * run, GstElement * sink)
{
  GstStructure *stats;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "frames-copied", &run->copied);
  gst_structure_free (stats);
}

static gboolean
play (BenchRun * run, const gchar * description, gboolean sends,
    gboolean receives)
{
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);
  GstElement *boundary;
  gboolean ok;

  /* Without one of the elements it would give the rest of them. */
  if (error != NULL) {
    g_printerr ("%s: %s\n", description, error->message);
    return FALSE;
  }
  boundary = gst_bin_get_by_name (GST_BIN (pipeline), "boundary");
  touch_all (run);
  if (sends)
    add_probe (boundary, "sink", on_sent, run);
  if (receives)
    add_probe (boundary, "src", on_received, run);
  if (sends && run->way == BENCH_SHMFRAME) {
    gst_element_set_state (pipeline, GST_STATE_PAUSED);
    wait_for_client (boundary);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  ok = wait_for_end (pipeline, run);
  if (sends && run->way == BENCH_SHMFRAME)
    note_copies (run, boundary);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (boundary);
  gst_object_unref (pipeline);
  return ok;
}

/* The text with the socket's path and what else it has a %s for. */
static gchar *
describe (const BenchRun * run, const gchar * text)
{
  const gchar *values[] = { run->path, run->paced ? "true" : "false" };
  gchar **pieces = g_strsplit (text, "%s", 3);
  GString *out = g_string_new (pieces[0]);

  for (guint i = 0; pieces[i + 1] != NULL; i++)
    g_string_append_printf (out, "%s%s", values[i], pieces[i + 1]);
  g_strfreev (pieces);
  return g_string_free (out, FALSE);
}

static gboolean
play_producer (BenchRun * run)
{
  const Way *way = &ways[run->way];
  gchar *boundary = describe (run, way->producer);
  gchar *description = g_strdup_printf ("benchsource frames=%u paced=%s ! %s",
      run->n_frames, run->paced ? "true" : "false", boundary);
  gboolean ok;

  bench_source_register ();
  ok = play (run, description, TRUE, way->consumer == NULL);
  g_free (description);
  g_free (boundary);
  return ok;
}

/* shmsrc does not wait for its producer, and the socket is there a moment before
 * somebody listens. */
static void
wait_for_socket (const BenchRun * run)
{
  if (run->way != BENCH_SHM)
    return;
  while (access (run->path, F_OK) < 0)
    g_usleep (1000);
  g_usleep (100000);
}

static gboolean
play_consumer (BenchRun * run)
{
  gchar *description = describe (run, ways[run->way].consumer);
  gboolean ok;

  wait_for_socket (run);
  ok = play (run, description, FALSE, TRUE);
  g_free (description);
  return ok;
}

static void
pin (const BenchRun * run, gboolean is_consumer)
{
  cpu_set_t set;

  if (run->cpus == 0)
    return;
  CPU_ZERO (&set);
  CPU_SET (run->cpus > 1 && is_consumer ? 1 : 0, &set);
  if (sched_setaffinity (0, sizeof (set), &set) < 0)
    g_error ("there is no second processor");
}

static pid_t
start (BenchRun * run, gboolean (*side) (BenchRun *), guint timeout)
{
  pid_t pid = fork ();

  if (pid != 0)
    return pid;
  alarm (timeout);
  pin (run, side == play_consumer);
  gst_init (NULL, NULL);
  if (side (run))
    _exit (0);
  /* The other side need not wait. */
  g_atomic_int_set (&run->done, TRUE);
  _exit (1);
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
        ways[run->way].name, side, WTERMSIG (status),
        strsignal (WTERMSIG (status)),
        g_atomic_int_get (&run->receiver.n_frames));
  return status == 0;
}

gboolean
bench_run (BenchRun * run, guint timeout)
{
  gboolean two = ways[run->way].consumer != NULL;
  pid_t consumer = two ? start (run, play_consumer, timeout) : 0;
  pid_t producer = start (run, play_producer, timeout);
  gboolean ok = reap (run, "producer", producer);

  if (two)
    ok = reap (run, "consumer", consumer) && ok;
  unlink (run->path);
  return ok;
}

static int
compare (const void *a, const void *b)
{
  gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return (x > y) - (x < y);
}

void
bench_sort (gint64 * values, guint n)
{
  qsort (values, n, sizeof (*values), compare);
}

gint64
bench_quantile (const gint64 * sorted, guint n, gdouble q)
{
  return n > 0 ? sorted[(guint) (q * (n - 1) + 0.5)] : 0;
}

guint
bench_option (int argc, char **argv, const gchar * name, guint fallback)
{
  gchar *prefix = g_strdup_printf ("--%s=", name);

  for (int i = 1; i < argc; i++)
    if (g_str_has_prefix (argv[i], prefix))
      fallback = (guint) atoi (argv[i] + strlen (prefix));
  g_free (prefix);
  return fallback;
}
