/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How well the time of a frame crosses between pipelines with a clock each.
 * When a frame was made, of CLOCK_MONOTONIC, is known: behind shmframesrc it
 * has to be as old by the consumer's clock as it is. 1080p60.
 *
 *     clocks [--seconds=N] [--only=NAME-OF-A-CLOCK]
 */
#include <gst/net/net.h>
#include <stdlib.h>
#include <string.h>

#include "benchtools.h"
#include "benchaudio.h"
#include "benchpair.h"
#include "benchsource.h"
#include "testclock.h"

#define FPS 60
#define N_WARM FPS
#define DAY ((gint64) (24 * 3600 * GST_SECOND))
#define STEP_INTERVAL 3         /* s */
#define SYNC_TIMEOUT (20 * GST_SECOND)
#define GOAL 200.0              /* us */

typedef enum
{
  MONOTONIC, REALTIME, DRIFT, STEPPED, NET, PTP, AUDIO
} Kind;

static const gchar *const names[] = { "monotonic", "realtime", "drift",
  "stepped", "net", "ptp", "audio"
};

typedef struct
{
  BenchPair pair;
  Kind producer, consumer;
  guint n_frames;
  gint port;                    /* atomic: of the net's clock; 0: not yet */
  gint unsynced;                /* atomic: a clock had nobody to follow */
  struct
  {
    gint64 made;                /* CLOCK_MONOTONIC, ns */
    gint64 error;               /* ns */
    gboolean came;
  } frames[];
} Run;

static gpointer
step_thread (gpointer clock)
{
  static const gint64 steps[] = { 1500 * GST_USECOND, GST_SECOND,
    -(gint64) (30 * GST_MSECOND), 300 * GST_USECOND, 40 * GST_MSECOND,
    -(gint64) GST_MSECOND
  };

  for (guint i = 0;; i++) {
    g_usleep (STEP_INTERVAL * G_USEC_PER_SEC);
    test_clock_step (clock, steps[i % G_N_ELEMENTS (steps)]);
  }
  return NULL;
}

static GstClock *
net_clock (Run * run)
{
  while (g_atomic_int_get (&run->port) == 0)
    g_usleep (1000);
  return gst_net_client_clock_new ("net", "127.0.0.1",
      g_atomic_int_get (&run->port), 0);
}

/* NULL: the pipeline's own choice. */
static GstClock *
make_clock (Run * run, Kind kind, gint64 days, gint64 ppm)
{
  GstClock *clock = NULL;

  if (kind == MONOTONIC)
    clock = gst_system_clock_obtain ();
  else if (kind == REALTIME)
    clock = g_object_new (GST_TYPE_SYSTEM_CLOCK, "clock-type",
        GST_CLOCK_TYPE_REALTIME, "name", "realtime", NULL);
  else if (kind == DRIFT || kind == STEPPED)
    clock = test_clock_new (days * DAY, ppm);
  else if (kind == NET)
    clock = net_clock (run);
  else if (kind == PTP && gst_ptp_init (GST_PTP_CLOCK_ID_NONE, NULL))
    clock = gst_ptp_clock_new ("ptp", 0);
  if (kind == STEPPED)
    g_thread_unref (g_thread_new ("steps", step_thread, clock));
  if (kind != AUDIO && (clock == NULL
          || !gst_clock_wait_for_sync (clock, SYNC_TIMEOUT)))
    g_atomic_int_set (&run->unsynced, TRUE);
  return clock;
}

static GstPadProbeReturn
on_made (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstElement *element = gst_pad_get_parent_element (pad);
  GstClock *clock = gst_element_get_clock (element);
  Run *run = user;

  GST_BUFFER_PTS (buffer) = (GstClockTime) (test_clock_read (clock,
          &run->frames[GST_BUFFER_OFFSET (buffer)].made)
      - (gint64) gst_element_get_base_time (element));
  gst_object_unref (clock);
  gst_object_unref (element);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_came (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstElement *element = gst_pad_get_parent_element (pad);
  GstClock *clock = gst_element_get_clock (element);
  Run *run = user;
  guint64 n = GST_BUFFER_OFFSET (buffer);
  gint64 now, age;

  age = test_clock_read (clock, &now)
      - (gint64) gst_element_get_base_time (element)
      - (gint64) GST_BUFFER_PTS (buffer);
  run->frames[n].error = age - (now - run->frames[n].made);
  run->frames[n].came = TRUE;
  if (n + 1 == run->n_frames)
    g_atomic_int_set (&run->pair.stop, TRUE);
  gst_object_unref (clock);
  gst_object_unref (element);
  return GST_PAD_PROBE_OK;
}

/* A pipeline takes the clock of an audio sink that has begun. */
static void
begin_audio (GstElement * pipeline, Run * run)
{
  GstElement *audio = gst_bin_get_by_name (GST_BIN (pipeline), "audio");
  GstClock *clock;

  if (audio == NULL)
    return;
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gst_element_get_state (audio, NULL, NULL, SYNC_TIMEOUT);
  clock = gst_element_provide_clock (audio);
  if (clock == NULL)
    g_atomic_int_set (&run->unsynced, TRUE);
  gst_clear_object (&clock);
  gst_object_unref (audio);
}

static void
prepare_producer (GstElement * pipeline, gpointer shared)
{
  begin_audio (pipeline, shared);
  bench_pair_probe (pipeline, "source", "src", GST_PAD_PROBE_TYPE_BUFFER,
      on_made, shared);
}

static void
prepare_consumer (GstElement * pipeline, gpointer shared)
{
  begin_audio (pipeline, shared);
  bench_pair_probe (pipeline, "source", "src", GST_PAD_PROBE_TYPE_BUFFER,
      on_came, shared);
}

static gboolean
play (Run * run, Kind kind, const gchar * description, gint64 days, gint64 ppm,
    void (*prepare) (GstElement *, gpointer))
{
  GstClock *clock = make_clock (run, kind, days, ppm);
  gchar *line = g_strconcat (description, kind == AUDIO
      ? " audiotestsrc volume=0 ! benchaudio name=audio" : "", NULL);
  gboolean ok = g_atomic_int_get (&run->unsynced)
      || bench_pair_play (run, line, clock, prepare);

  g_free (line);
  return ok;
}

static gboolean
produce (gpointer shared)
{
  Run *run = shared;
  gchar *line = g_strdup_printf ("benchsource name=source paced=true frames=%u "
      "! shmframesink socket-path=@ delivery=live async=false",
      run->n_frames);
  gboolean ok;

  bench_source_register ();
  bench_audio_register ();
  ok = play (run, run->producer, line, 1, 200, prepare_producer);
  g_free (line);
  return ok;
}

static gboolean
consume (gpointer shared)
{
  Run *run = shared;

  bench_audio_register ();
  return play (run, run->consumer, "shmframesrc name=source socket-path=@ ! "
      "fakesink sync=false async=false", 5, -200, prepare_consumer);
}

/* The clock that NET follows: it is of another day, too, and drifts. */
static gboolean
provide (gpointer shared)
{
  Run *run = shared;
  GstNetTimeProvider *provider = gst_net_time_provider_new (test_clock_new
      (3 * DAY, 50), "127.0.0.1", 0);
  gint port;

  g_object_get (provider, "port", &port, NULL);
  g_atomic_int_set (&run->port, port);
  while (!g_atomic_int_get (&run->pair.stop))
    g_usleep (10000);
  return TRUE;
}

static void
print_result (Run * run)
{
  gint64 *errors = g_new (gint64, run->n_frames);
  gdouble p99;
  guint n = 0;

  for (guint i = N_WARM; i < run->n_frames; i++)
    if (run->frames[i].came)
      errors[n++] = ABS (run->frames[i].error);
  bench_sort (errors, n);
  p99 = (gdouble) bench_quantile (errors, n, 0.99) / 1000;
  g_print ("%-10s %-10s %6u %8.1f %8.1f %8.1f %10.1f  %s\n",
      names[run->producer], names[run->consumer], n,
      (gdouble) bench_quantile (errors, n, 0.5) / 1000, p99,
      (gdouble) bench_quantile (errors, n, 0.999) / 1000,
      (gdouble) errors[n > 0 ? n - 1 : 0] / 1000,
      n > 0 && p99 < GOAL ? "good" : "TOO MUCH");
  g_free (errors);
}

static gboolean
measure (Kind producer, Kind consumer, guint seconds)
{
  static const BenchProcess sides[] = { consume, produce, provide, NULL };
  guint n_frames = N_WARM + seconds * FPS;
  gsize size = sizeof (Run) + n_frames * sizeof (((Run *) NULL)->frames[0]);
  Run *run = bench_pair_new (size);
  gboolean ok;

  run->producer = producer;
  run->consumer = consumer;
  run->n_frames = n_frames;
  ok = bench_pair_run (run, sides, seconds + 60);
  if (run->unsynced)
    g_print ("%-10s %-10s nobody to follow\n", names[producer],
        names[consumer]);
  else if (ok)
    print_result (run);
  bench_pair_free (run, size);
  return ok;
}

int
main (int argc, char **argv)
{
  static const Kind pairs[][2] = { {MONOTONIC, MONOTONIC},
  {REALTIME, MONOTONIC}, {MONOTONIC, REALTIME}, {DRIFT, DRIFT},
  {STEPPED, MONOTONIC}, {MONOTONIC, STEPPED}, {NET, MONOTONIC},
  {MONOTONIC, NET}, {AUDIO, MONOTONIC}, {MONOTONIC, AUDIO}, {PTP, MONOTONIC},
  {MONOTONIC, PTP}
  };
  guint seconds = bench_option (argc, argv, "seconds", 60);
  const gchar *only = NULL;

  for (int i = 1; i < argc; i++)
    if (g_str_has_prefix (argv[i], "--only="))
      only = argv[i] + strlen ("--only=");
  g_print ("error of a frame's time, us, in %u s; goal: p99 below %.0f\n"
      "%-10s %-10s %6s %8s %8s %8s %10s\n", seconds, GOAL, "producer",
      "consumer", "frames", "p50", "p99", "p99.9", "max");
  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    if ((only == NULL || g_str_equal (only, names[pairs[i][0]])
            || g_str_equal (only, names[pairs[i][1]]))
        && !measure (pairs[i][0], pairs[i][1], seconds))
      return 1;
  return 0;
}
