/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "benchplay.h"

#include <sys/resource.h>
#include <unistd.h>
#include <gst/gst.h>

#include "benchsource.h"
#include "benchtools.h"

/* A queue's limit in bytes would make it three frames deep. */
const BenchElements bench_elements[BENCH_N_WAYS] = {
  [BENCH_QUEUE] = { .name = "queue", .elements = {"queue" },
      .producer = "queue name=boundary max-size-buffers=# max-size-bytes=0 "
      "max-size-time=0 ! fakesink sync=false"},
  [BENCH_SHMFRAME] = { .name = "shmframe",
        .elements = {"shmframesink", "shmframesrc"},
        .producer = "shmframesink name=boundary socket-path=@ "
        "max-memory=4294967296",
      .consumer = "shmframesrc name=boundary socket-path=@ is-live=? ! "
        "fakesink sync=false async=false"},
  [BENCH_SHM] = { .name = "shmsink", .elements = {"shmsink", "shmsrc" },
      .producer = "shmsink name=boundary sync=false socket-path=@ shm-size=$",
      .consumer = "shmsrc name=boundary socket-path=@ is-live=? ! "
      "fakesink sync=false async=false"},
  [BENCH_UNIXFD] = { .name = "unixfdsink", .elements =
        {"unixfdsink", "unixfdsrc"},
      .producer = "unixfdsink name=boundary sync=false socket-path=@",
      .consumer = "unixfdsrc name=boundary socket-path=@ ! "
      "fakesink sync=false async=false"},
};

/* What --strace of the driver looks for. */
static void
tell_tracer (gboolean is_receiver, const gchar * when)
{
  gchar name[64];

  g_snprintf (name, sizeof (name), "/shmframe-bench/%s/%s",
      is_receiver ? "receiver" : "sender", when);
  (void) !access (name, F_OK);
}

static void
mark (BenchMark * m)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  m->faults = usage.ru_minflt + usage.ru_majflt;
  m->switches = usage.ru_nvcsw + usage.ru_nivcsw;
  m->cpu = bench_now (CLOCK_PROCESS_CPUTIME_ID);
  m->time = bench_now (CLOCK_MONOTONIC);
}

/* Served live, a consumer may have lost frames in between; the last one
 * comes. */
static void
count (BenchRun * run, BenchSide * side, gboolean is_last)
{
  guint n = (guint) g_atomic_int_add (&side->n_frames, 1) + 1;
  gboolean is_receiver = side == &run->receiver;

  /* The threads of a queue; others are where their process is. */
  if (n == 1 && run->config.way == BENCH_QUEUE)
    bench_pin_end (run->config.cpus, is_receiver);
  if (n == run->config.n_warm) {
    mark (&side->warm);
    tell_tracer (is_receiver, "warm");
  } else if (is_last) {
    tell_tracer (is_receiver, "last");
    mark (&side->last);
  }
}

static void
note_stats (BenchRun * run, GstElement * sink)
{
  GstStructure *stats;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "frames-copied", &run->copied);
  gst_structure_get_uint64 (stats, "slots", &run->slots);
  gst_structure_free (stats);
}

static GstPadProbeReturn
on_sent (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  BenchRun *run = user;
  guint64 seq = GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info));

  count (run, &run->sender, seq == run->config.n_frames - 1);
  if (run->config.fps > 0 && seq < run->config.n_frames)
    run->stamps[seq].sent = bench_now (CLOCK_MONOTONIC);
  return GST_PAD_PROBE_OK;
}

static void
read_pixels (GstBuffer * buffer)
{
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    g_error ("a frame cannot be read");
  if (bench_read (map.data, map.size) == 1)
    g_printerr ("nobody writes such pixels\n");
  gst_buffer_unmap (buffer, &map);
}

/* shmsrc knows no offsets, but loses nothing either: there the frames count. */
static GstPadProbeReturn
on_received (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  BenchRun *run = user;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  guint64 seq = GST_BUFFER_OFFSET (buffer);

  if (seq == GST_BUFFER_OFFSET_NONE || run->config.way == BENCH_SHM)
    seq = (guint64) g_atomic_int_get (&run->receiver.n_frames);
  if (run->config.fps > 0 && seq < run->config.n_frames)
    run->stamps[seq].received = bench_now (CLOCK_MONOTONIC);
  if (run->config.touch)
    read_pixels (buffer);
  count (run, &run->receiver, seq == run->config.n_frames - 1);
  if (seq == run->config.n_frames - 1)
    g_atomic_int_set (&run->done, TRUE);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_read (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  BenchRun *run = user;

  if (run->config.touch)
    read_pixels (GST_PAD_PROBE_INFO_BUFFER (info));
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

/* Waits for an error (said) or the last frame. FALSE: the error. What comes
 * after that frame is none: shmsrc fails when its producer ends. */
static gboolean
wait_for_end (GstElement * pipeline, BenchRun * run)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  gboolean ok = TRUE;

  while (ok && !g_atomic_int_get (&run->done)) {
    GstMessage *message = gst_bus_timed_pop_filtered (bus, BENCH_LOOK_AGAIN,
        GST_MESSAGE_ERROR);

    if (message != NULL) {
      GError *error;

      gst_message_parse_error (message, &error, NULL);
      ok = g_atomic_int_get (&run->done);
      if (!ok)
        g_printerr ("%s: %s\n", bench_way_name (run->config.way),
            error->message);
      g_error_free (error);
      gst_message_unref (message);
    }
  }
  gst_object_unref (bus);
  return ok;
}

/* Paced frames are not kept for those who come late. A sink that does not count
 * its clients waits for the first by itself, or is given the time. */
static void
wait_for_clients (BenchRun * run, GstElement * sink)
{
  guint n = 0;

  if (run->config.way == BENCH_UNIXFD)
    g_usleep (G_USEC_PER_SEC / 2);
  while (run->config.way == BENCH_SHMFRAME && n < run->config.n_consumers
      && !g_atomic_int_get (&run->done)) {
    g_usleep (1000);
    g_object_get (sink, "num-clients", &n, NULL);
  }
}

/* Not while it is measured. */
static void
touch_stamps (BenchRun * run)
{
  volatile gint64 sum = 0;

  for (guint i = 0; i < run->config.n_frames; i++)
    sum += run->stamps[i].sent;
  (void) sum;
}

static GstElement *
make (BenchRun * run, const gchar * description)
{
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  /* Without one of the elements it would give the rest of them. */
  if (error != NULL) {
    g_printerr ("%s: %s\n", description, error->message);
    return NULL;
  }
  touch_stamps (run);
  return pipeline;
}

static gboolean
play (BenchRun * run, GstElement * pipeline, GstElement * boundary,
    gboolean sends)
{
  gboolean ok;

  if (sends && run->config.way != BENCH_SHM) {
    gst_element_set_state (pipeline, GST_STATE_PAUSED);
    wait_for_clients (run, boundary);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  ok = wait_for_end (pipeline, run);
  if (sends && run->config.way == BENCH_SHMFRAME)
    note_stats (run, boundary);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (boundary);
  gst_object_unref (pipeline);
  return ok;
}

/* The text with what its signs stand for. */
static gchar *
describe (const BenchRun * run, const gchar * text)
{
  const BenchConfig *c = &run->config;
  GString *out = g_string_new (NULL);

  for (; *text != 0; text++) {
    if (*text == '@')
      g_string_append (out, run->path);
    else if (*text == '#')
      g_string_append_printf (out, "%u", c->depth);
    else if (*text == '$')
      g_string_append_printf (out, "%u", 4 * c->depth
          * (c->width * c->height * 3 / 2 + 4096));
    else if (*text == '?')
      g_string_append (out, c->fps > 0 ? "true" : "false");
    else
      g_string_append_c (out, *text);
  }
  return g_string_free (out, FALSE);
}

/* What is copied is memory of its own, not the kernel's one page of zeros. */
static guint
frames_to_paint (const BenchConfig * config)
{
  return config->touch ? config->n_frames
      : config->copy ? config->n_warm / 2 : 0;
}

gboolean
bench_play_producer (BenchRun * run)
{
  const BenchConfig *c = &run->config;
  const BenchElements *way = &bench_elements[c->way];
  gchar *end = describe (run, way->producer);
  gchar *description = g_strdup_printf ("benchsource frames=%u width=%u "
      "height=%u fps=%u paced=%s painted=%u ! %s%s", c->n_frames, c->width,
      c->height, c->fps > 0 ? c->fps : 60, c->fps > 0 ? "true" : "false",
      frames_to_paint (c), c->copy ? "tee ! " : "", end);
  GstElement *pipeline, *boundary;

  bench_source_register ();
  pipeline = make (run, description);
  g_free (description);
  g_free (end);
  if (pipeline == NULL)
    return FALSE;
  boundary = gst_bin_get_by_name (GST_BIN (pipeline), "boundary");
  add_probe (boundary, "sink", on_sent, run);
  if (way->consumer == NULL)
    add_probe (boundary, "src", on_received, run);
  return play (run, pipeline, boundary, TRUE);
}

/* Some sources do not wait for their producer, and the socket is there a moment
 * before somebody listens. */
static void
wait_for_socket (const BenchRun * run)
{
  if (run->config.way == BENCH_SHMFRAME)
    return;
  while (access (run->path, F_OK) < 0)
    g_usleep (1000);
  g_usleep (100000);
}

gboolean
bench_play_consumer (BenchRun * run, gboolean measured)
{
  gchar *description = describe (run,
      bench_elements[run->config.way].consumer);
  GstElement *pipeline = make (run, description);
  GstElement *boundary;

  g_free (description);
  if (pipeline == NULL)
    return FALSE;
  wait_for_socket (run);
  boundary = gst_bin_get_by_name (GST_BIN (pipeline), "boundary");
  add_probe (boundary, "src", measured ? on_received : on_read, run);
  return play (run, pipeline, boundary, FALSE);
}
