/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shmframe-top: what happens on sockets of shmframesink, as shmframe-top(1) says. */
#include "config.h"

#include <glib.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "json.h"
#include "snapshot.h"
#include "sockets.h"
#include "table.h"

/* How long answers are waited for, where there is another look, and where there is
 * none. */
#define PATIENCE G_TIME_SPAN_SECOND
#define LAST_PATIENCE (5 * G_TIME_SPAN_SECOND)
/* New sockets are looked for now and then. */
#define LOOKS_PER_SEARCH 5
/* All of the terminal: from its corner, and nothing below. */
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"

typedef struct
{
  gboolean once, json, version;
  gdouble interval;
  gchar *snapshot;
  gchar **sockets;
  /* Of the terminal. */
  gboolean terminal, colours;
  GPtrArray *watches;
  GHashTable *seen;             /* sockets that were found, NULL: none is looked for */
} Top;

static volatile sig_atomic_t interrupted;

static void
on_signal (int signal)
{
  (void) signal;
  interrupted = 1;
}

static gboolean
parse (Top * top, int *argc, char ***argv)
{
  const GOptionEntry entries[] = {
    {"once", '1', 0, G_OPTION_ARG_NONE, &top->once,
        "Print once, after two looks, and end", NULL},
    {"json", 'j', 0, G_OPTION_ARG_NONE, &top->json,
        "Print a line of JSON for each look", NULL},
    {"interval", 'i', 0, G_OPTION_ARG_DOUBLE, &top->interval,
        "Time between two looks (default 1)", "SECONDS"},
    {"snapshot", 's', 0, G_OPTION_ARG_FILENAME, &top->snapshot,
        "Write the current frame to FILE, and end", "FILE.png"},
    {"version", 'V', 0, G_OPTION_ARG_NONE, &top->version,
        "Print the version, and end", NULL},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &top->sockets, NULL,
        "[SOCKET...]"},
    {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}
  };
  GOptionContext *context = g_option_context_new (NULL);
  GError *error = NULL;
  gboolean parsed;

  g_option_context_set_summary (context, "Shows what happens on sockets of "
      "shmframesink. Without a SOCKET: on those of this user.");
  g_option_context_add_main_entries (context, entries, NULL);
  parsed = g_option_context_parse (context, argc, argv, &error);
  g_option_context_free (context);
  if (parsed && !(top->interval >= 0.1 && top->interval <= 86400)) {
    g_printerr ("shmframe-top: --interval takes 0.1 to 86400 seconds\n");
    parsed = FALSE;
  }
  if (error != NULL)
    g_printerr ("shmframe-top: %s\n", error->message);
  g_clear_error (&error);
  return parsed;
}

/* What was found and is no producer, or not any more. */
static void
forget_strangers (Top * top)
{
  for (guint i = top->watches->len; i > 0; i--) {
    TopWatch *watch = g_ptr_array_index (top->watches, i - 1);

    if (watch->found && watch->problem != NULL
        && (!watch->answered || watch->observer.fd < 0))
      g_ptr_array_remove_index (top->watches, i - 1);
  }
}

static void
look (Top * top, guint turn)
{
  if (top->seen != NULL && turn % LOOKS_PER_SEARCH == 0)
    top_sockets_find (top->watches, top->seen);
  top_watch_look (top->watches, top->once || top->snapshot != NULL
      ? LAST_PATIENCE : PATIENCE);
  if (top->seen != NULL)
    forget_strangers (top);
}

/* At once, so that nothing flickers. */
static void
put (const gchar * text)
{
  fputs (text, stdout);
  fflush (stdout);
}

static void
print_terminal (Top * top)
{
  TopTableStyle style = {.colours = top->colours };
  GString *screen = g_string_new (HOME);
  struct winsize size = { 0 };
  gchar *text, **lines;

  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    style.width = size.ws_col;
    style.height = size.ws_row > 1 ? size.ws_row - 1u : 0;
  }
  text = top_table_text (top->watches, &style);
  lines = g_strsplit (text, "\n", -1);
  if (top->watches->len == 0)
    g_string_append (screen, "No socket of shmframesink here. Looking for one "
        "..." CLEAR_LINE "\n");
  for (guint i = 0; lines[i] != NULL && lines[i + 1] != NULL; i++)
    g_string_append_printf (screen, "%s" CLEAR_LINE "\n", lines[i]);
  g_string_append (screen, CLEAR_BELOW);
  put (screen->str);
  g_string_free (screen, TRUE);
  g_strfreev (lines);
  g_free (text);
}

static void
print (Top * top)
{
  const TopTableStyle style = {.colours = top->colours };
  gchar *text;

  if (top->terminal && !top->json && !top->once) {
    print_terminal (top);
    return;
  }
  text = top->json ? top_json_line (top->watches)
      : top_table_text (top->watches, &style);
  fputs (text, stdout);
  put (top->once && !top->json ? "" : "\n");
  g_free (text);
}

/* Until the next look is due, or a signal. */
static void
rest (const Top * top)
{
  if (!interrupted)
    poll (NULL, 0, (int) (top->interval * 1000));
}

static gboolean
all_answered (const Top * top)
{
  for (guint i = 0; i < top->watches->len; i++)
    if (((TopWatch *) g_ptr_array_index (top->watches, i))->problem != NULL)
      return FALSE;
  return top->watches->len > 0;
}

static int
run_once (Top * top)
{
  look (top, 0);
  rest (top);
  look (top, 1);
  print (top);
  if (top->watches->len == 0)
    g_printerr ("shmframe-top: no socket of shmframesink is open for this "
        "user\n");
  return all_answered (top) ? 0 : 1;
}

static int
take_snapshot (Top * top)
{
  const TopWatch *watch;

  look (top, 0);
  if (top->watches->len != 1) {
    g_printerr ("shmframe-top: %u sockets are here; name the one to take a "
        "picture of\n", top->watches->len);
    return 1;
  }
  watch = g_ptr_array_index (top->watches, 0);
  if (watch->problem != NULL) {
    g_printerr ("shmframe-top: %s: %s\n", watch->path, watch->problem);
    return 1;
  }
  return top_snapshot (watch, top->snapshot) ? 0 : 1;
}

static int
run (Top * top)
{
  gboolean screen = top->terminal && !top->json;

  if (screen)
    put (HIDE_CURSOR HOME CLEAR_BELOW);
  for (guint turn = 0; !interrupted; turn++) {
    look (top, turn);
    print (top);
    rest (top);
  }
  if (screen)
    put (SHOW_CURSOR);
  return 0;
}

static void
set_up (Top * top)
{
  const gchar *no_color = g_getenv ("NO_COLOR");
  const struct sigaction action = {.sa_handler = on_signal };

  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  top->terminal = isatty (STDOUT_FILENO);
  top->colours = top->terminal && (no_color == NULL || no_color[0] == '\0');
  top->watches = g_ptr_array_new_with_free_func (
      (GDestroyNotify) top_watch_free);
  for (guint i = 0; top->sockets != NULL && top->sockets[i] != NULL; i++)
    g_ptr_array_add (top->watches, top_watch_new (top->sockets[i], FALSE));
  if (top->sockets == NULL)
    top->seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free,
        NULL);
}

int
main (int argc, char **argv)
{
  Top top = {.interval = 1 };
  int status = 2;

  setlocale (LC_ALL, "");
  if (parse (&top, &argc, &argv)) {
    if (top.version) {
      printf ("shmframe-top %s\n", VERSION);
      status = 0;
    } else {
      set_up (&top);
      status = top.snapshot != NULL ? take_snapshot (&top)
          : top.once ? run_once (&top) : run (&top);
      g_ptr_array_unref (top.watches);
      g_clear_pointer (&top.seen, g_hash_table_unref);
    }
  }
  g_strfreev (top.sockets);
  g_free (top.snapshot);
  return status;
}
