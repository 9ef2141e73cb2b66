/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One frame, whatever time it is of, by GStreamer's own elements: a consumer for a moment. */
#include "snapshot.h"

#include <glib/gstdio.h>
#include <string.h>

#include "common/text.h"

#define BATCH_CAPS "multistream/"
/* For a frame to come, and be written. */
#define TIMEOUT_S "10"

/* `name="value"`, whatever is in the value. */
static gchar *
quote (const gchar * name, const gchar * value)
{
  GString *out = g_string_new (NULL);

  g_string_append_printf (out, "%s=\"", name);
  for (; *value != '\0'; value++) {
    if (*value == '"' || *value == '\\')
      g_string_append_c (out, '\\');
    g_string_append_c (out, *value);
  }
  g_string_append_c (out, '"');
  return g_string_free (out, FALSE);
}

static gboolean
run (gchar ** argv)
{
  gchar *text = NULL;
  GError *error = NULL;
  gint status = 0;

  if (!g_spawn_sync (NULL, argv, NULL, G_SPAWN_SEARCH_PATH
          | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &text, &status,
          &error)) {
    g_printerr ("shmframe-top: %s\n", error->message);
    g_clear_error (&error);
    return FALSE;
  }
  if (status != 0) {
    gchar *clean = gst_shm_frame_text_clean (g_strdelimit (text, "\n", ' '));

    g_printerr ("shmframe-top: no picture within " TIMEOUT_S " s: %s\n", clean);
    g_free (clean);
  }
  g_free (text);
  return status == 0;
}

gboolean
top_snapshot (const TopWatch * watch, const gchar * file)
{
  gboolean batch = g_str_has_prefix (watch->observer.stats.caps, BATCH_CAPS);
  gchar *part = g_strconcat (file, ".part", NULL);
  gchar *socket = quote ("socket-path", watch->path);
  gchar *location = quote ("location", part);
  GPtrArray *argv = g_ptr_array_new ();
  const gchar *const from[] = { "timeout", TIMEOUT_S, "gst-launch-1.0", "-q",
    "shmframesrc", socket, "num-buffers=1", "delivery=live",
    "timestamps=keep", "connect-timeout=2000000000", "!"
  };
  const gchar *const to[] = { "videoconvert", "!", "pngenc", "!", "filesink", location, NULL
  };
  GStatBuf st;
  gboolean done;

  for (guint i = 0; i < G_N_ELEMENTS (from); i++)
    g_ptr_array_add (argv, (gpointer) from[i]);
  if (batch) {
    g_ptr_array_add (argv, (gpointer) "secondsplitter");
    g_ptr_array_add (argv, (gpointer) "!");
  }
  for (guint i = 0; i < G_N_ELEMENTS (to); i++)
    g_ptr_array_add (argv, (gpointer) to[i]);
  done = run ((gchar **) argv->pdata);
  if (done && (g_stat (part, &st) < 0 || st.st_size == 0
          || g_rename (part, file) < 0)) {
    g_printerr ("shmframe-top: cannot write %s\n", file);
    done = FALSE;
  }
  if (!done)
    g_unlink (part);
  g_ptr_array_unref (argv);
  g_free (location);
  g_free (socket);
  g_free (part);
  return done;
}
