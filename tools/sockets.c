/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets that somebody listens on, as the kernel lists them. */
#include "sockets.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch.h"

/* __SO_ACCEPTCON of linux/net.h: it listens. */
#define LISTENS 0x10000u

/* Whose an abstract name is shows only when somebody has connected. */
static gboolean
is_own (const gchar * path)
{
  struct stat st;

  if (path[0] == '@')
    return path[1] != '\0';
  return path[0] == '/' && stat (path, &st) == 0 && st.st_uid == geteuid ();
}

/* "Num: RefCount Protocol Flags Type St Inode Path". The path, or NULL. */
static const gchar *
parse (const gchar * line, guint64 * inode)
{
  guint flags, type;
  gint path = 0;

  if (sscanf (line, "%*x: %*x %*x %x %x %*x %" G_GUINT64_FORMAT " %n", &flags,
          &type, inode, &path) != 3 || path == 0)
    return NULL;
  return (flags & LISTENS) != 0 && type == SOCK_SEQPACKET
      && line[path] != '\0' ? line + path : NULL;
}

static gboolean
is_watched (GPtrArray * watches, const gchar * path)
{
  for (guint i = 0; i < watches->len; i++)
    if (strcmp (((TopWatch *) g_ptr_array_index (watches, i))->path, path) == 0)
      return TRUE;
  return FALSE;
}

void
top_sockets_find (GPtrArray * watches, GHashTable * seen)
{
  gchar *text = NULL;
  gchar **lines;

  if (!g_file_get_contents ("/proc/net/unix", &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    guint64 inode;
    const gchar *path = parse (lines[i], &inode);

    if (path == NULL || g_hash_table_contains (seen, &inode))
      continue;
    g_hash_table_add (seen, g_memdup2 (&inode, sizeof (inode)));
    if (is_own (path) && !is_watched (watches, path))
      g_ptr_array_add (watches, top_watch_new (path, TRUE));
  }
  g_strfreev (lines);
  g_free (text);
}
