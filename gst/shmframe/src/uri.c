/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The URI handler, for playbin, uridecodebin and gst_element_make_from_uri():
 * shmframe:///run/camera, or shmframe:@camera for an abstract name. */
#include <string.h>

#include "src/gstshmframesrc.h"

#define SCHEME "shmframe"

static GstURIType
get_type (GType type)
{
  return GST_URI_SRC;
}

static const gchar *const *
get_protocols (GType type)
{
  static const gchar *const protocols[] = { SCHEME, NULL };

  return protocols;
}

/* Makes the path absolute: a URI does not depend on a process's folder. */
static gchar *
get_uri (GstURIHandler * handler)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (handler);
  gchar *path, *escaped, *uri;

  GST_OBJECT_LOCK (self);
  path = g_strdup (self->settings.socket_path);
  GST_OBJECT_UNLOCK (self);
  if (path == NULL || path[0] == '\0') {
    g_free (path);
    return NULL;
  }
  if (path[0] != '@') {
    gchar *absolute = g_canonicalize_filename (path, NULL);

    g_free (path);
    path = absolute;
  }
  escaped = g_uri_escape_string (path, "/@", FALSE);
  uri = g_strconcat (path[0] == '@' ? SCHEME ":" : SCHEME "://", escaped, NULL);
  g_free (escaped);
  g_free (path);
  return uri;
}

/* The socket-path, or NULL. */
static gchar *
path_of (const gchar * uri)
{
  const gchar *rest = uri + strlen (SCHEME ":");

  if (g_str_has_prefix (rest, "//"))
    rest += 2;
  if ((rest[0] != '/' && rest[0] != '@') || rest[1] == '\0'
      || strpbrk (rest, "?#") != NULL)
    return NULL;
  return g_uri_unescape_string (rest, NULL);
}

static gboolean
set_uri (GstURIHandler * handler, const gchar * uri, GError ** error)
{
  GstShmFrameSrc *self = GST_SHM_FRAME_SRC (handler);
  gchar *path;

  if (GST_STATE (self) >= GST_STATE_PAUSED) {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
        "The socket of shmframesrc cannot change now; set its state to READY "
        "first.");
    return FALSE;
  }
  path = path_of (uri);
  if (path == NULL) {
    g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_REFERENCE,
        "%s names no socket; write " SCHEME ":///PATH, or " SCHEME ":@NAME for "
        "an abstract name (and %%3F and %%23 for ? and #).", uri);
    return FALSE;
  }
  g_object_set (self, "socket-path", path, NULL);
  g_free (path);
  return TRUE;
}

void
gst_shm_frame_src_init_uri (gpointer iface, gpointer data)
{
  GstURIHandlerInterface *handler = iface;

  handler->get_type = get_type;
  handler->get_protocols = get_protocols;
  handler->get_uri = get_uri;
  handler->set_uri = set_uri;
}
