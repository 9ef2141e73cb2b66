/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The four processes of scripts/demo, as an application would embed them:
 *
 *   second-pairs produce --input FILE --output A
 *   second-pairs produce --input FILE --output B
 *   second-pairs batch --input A --input B --output C
 *   second-pairs pairs --input C
 *
 * Two decode a file each and publish its frames on the sockets A and B. The
 * third makes a batch of each second and passes it on through the socket C.
 * The fourth receives the batches, which is where an algorithm would start.
 * The last two print one JSON line per second, with times of CLOCK_MONOTONIC,
 * which all processes share.
 *
 *   second-pairs frames --input FILE
 *
 * decodes a file without any of that, to know what should have arrived.
 */
#include "second-pairs.h"

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct
{
  const gchar *name;
  gboolean publishes;
  gboolean (*run) (const Options * options);
} modes[] = {
  {"produce", TRUE, run_produce},
  {"batch", TRUE, run_batch},
  {"pairs", FALSE, run_pairs},
  {"frames", FALSE, run_frames},
};

typedef struct
{
  GMainLoop *loop;
  gboolean reached_eos;
} Run;

guint64
monotonic_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return GST_TIMESPEC_TO_TIME (now);
}

GstElement *
add_element (GstBin * bin, const gchar * factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (!element) {
    g_printerr ("there is no element %s; is GST_PLUGIN_PATH set?\n", factory);
    exit (EXIT_FAILURE);
  }
  gst_bin_add (bin, element);
  return element;
}

GstElement *
add_source (GstBin * bin, const gchar * socket)
{
  GstElement *source = add_element (bin, "shmframesrc");

  g_object_set (source, "socket-path", socket, "is-live", FALSE, NULL);
  return source;
}

static void
print_copies (GstElement * pipeline, GstElement * transport)
{
  GstStructure *stats = NULL;
  guint64 frames = 0, copied = 0;

  g_object_get (transport, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "frames", &frames);
  gst_structure_get_uint64 (stats, "bytes-copied", &copied);
  gst_structure_free (stats);
  printf ("{\"event\":\"end\",\"process\":\"%s\",\"frames\":%"
      G_GUINT64_FORMAT ",\"bytes-copied\":%" G_GUINT64_FORMAT "}\n",
      GST_OBJECT_NAME (pipeline), frames, copied);
}

static gboolean
on_message (GstBus * bus, GstMessage * message, gpointer user_data)
{
  Run *run = user_data;
  GError *error = NULL;
  gchar *details = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_EOS:
      run->reached_eos = TRUE;
      g_main_loop_quit (run->loop);
      break;
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, &details);
      g_printerr ("%s: %s\n%s\n", GST_MESSAGE_SRC_NAME (message),
          error->message, details ? details : "");
      g_clear_error (&error);
      g_free (details);
      g_main_loop_quit (run->loop);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_signal (gpointer user_data)
{
  Run *run = user_data;

  g_main_loop_quit (run->loop);
  return G_SOURCE_CONTINUE;
}

gboolean
run_pipeline (GstElement * pipeline, GstElement * transport)
{
  Run run = { g_main_loop_new (NULL, FALSE), FALSE };
  GstBus *bus = gst_element_get_bus (pipeline);
  guint watch = gst_bus_add_watch (bus, on_message, &run);
  guint interrupt = g_unix_signal_add (SIGINT, on_signal, &run);
  guint terminate = g_unix_signal_add (SIGTERM, on_signal, &run);

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (run.loop);
  if (run.reached_eos && transport)
    print_copies (pipeline, transport);
  gst_element_set_state (pipeline, GST_STATE_NULL);

  g_source_remove (watch);
  g_source_remove (interrupt);
  g_source_remove (terminate);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  g_main_loop_unref (run.loop);
  return run.reached_eos;
}

static gboolean
parse_options (gint * argc, gchar *** argv, Options * options)
{
  GOptionEntry entries[] = {
    {"input", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->inputs,
        "socket (or file) to read; once per stream", "PATH"},
    {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options->output,
        "produce, batch: socket to publish on", "PATH"},
    {"sheet", 0, 0, G_OPTION_ARG_FILENAME, &options->sheet,
        "pairs: write a contact sheet of the fullest batch", "PNG"},
    {"digests", 0, 0, G_OPTION_ARG_FILENAME, &options->digests,
        "pairs, frames: write a checksum of each frame", "FILE"},
    {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options->seconds,
        "produce, frames: stop at this position (0: at the end)", "N"},
    {"offline", 0, 0, G_OPTION_ARG_NONE, &options->offline,
        "produce: as fast as the frames can be used, not as a camera", NULL},
    G_OPTION_ENTRY_NULL
  };
  GOptionContext *context = g_option_context_new ("produce|batch|pairs|frames");
  GError *error = NULL;
  gboolean parsed;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  parsed = g_option_context_parse (context, argc, argv, &error);
  if (!parsed) {
    g_printerr ("%s\n", error->message);
    g_clear_error (&error);
  }
  g_option_context_free (context);
  return parsed;
}

static gboolean
run_mode (const gchar * name, const Options * options)
{
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    if (g_strcmp0 (name, modes[i].name) != 0)
      continue;
    if (options->inputs && (options->output || !modes[i].publishes))
      return modes[i].run (options);
    g_printerr ("%s needs --input%s\n", name,
        modes[i].publishes ? " and --output" : "");
    return FALSE;
  }
  g_printerr ("the first argument is the mode; see --help\n");
  return FALSE;
}

int
main (int argc, char **argv)
{
  Options options = { 0 };
  gboolean done;

  /* A reader of these lines wants each when it is printed. */
  setvbuf (stdout, NULL, _IOLBF, BUFSIZ);
  if (!parse_options (&argc, &argv, &options))
    return EXIT_FAILURE;
  done = run_mode (argc == 2 ? argv[1] : NULL, &options);

  g_strfreev (options.inputs);
  g_free (options.output);
  g_free (options.sheet);
  g_free (options.digests);
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
