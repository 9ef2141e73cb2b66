/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says why the sink cannot open, in one sentence: what went wrong, what to
 * do. */
#include <errno.h>
#include <string.h>

#include "sink/gstshmframesink.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

void
gst_shm_frame_sink_post_open_error (GstShmFrameSink * self,
    const gchar * path, gint error)
{
  gchar *text;

  switch (error) {
    case -EINVAL:
      GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
          ("No socket-path is set; set it to where consumers shall connect."),
          (NULL));
      break;
    case -ENAMETOOLONG:
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
          ("socket-path=%s is too long; use one of at most 107 bytes.", path),
          (NULL));
      break;
    case -EADDRINUSE:
      GST_ELEMENT_ERROR (self, RESOURCE, BUSY,
          ("Another producer serves %s; stop it or choose another "
              "socket-path.", path), (NULL));
      break;
    case -ENOTSOCK:
    case -EISDIR:
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
          ("%s is there already and is %s; remove it or choose another "
              "socket-path.", path,
              error == -EISDIR ? "a folder" : "not a socket"), (NULL));
      break;
    case -ENOENT:
    case -ENOTDIR:
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
          ("The folder of socket-path=%s does not exist; make it first.",
              path), (NULL));
      break;
    case -EACCES:
    case -EPERM:
    case -EROFS:
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
          ("No permission to make the socket %s; choose a socket-path in a "
              "folder you can write to.", path), (NULL));
      break;
    default:
      text = gst_shm_frame_messages_explain (error);
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
          ("Cannot serve %s: %s.", path, text), (NULL));
      g_free (text);
      break;
  }
}

gboolean
gst_shm_frame_sink_check_mode (GstShmFrameSink * self, guint mode)
{
  gchar *digits;

  if (mode <= 0777)
    return TRUE;
  digits = g_strdup_printf ("%u", mode);
  if (mode < 1000 && strspn (digits, "01234567") == strlen (digits))
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("socket-mode=%s is decimal; write it in octal: 0%s.", digits, digits),
        (NULL));
  else
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("socket-mode=%s (octal 0%o) is no mode of a file; write one from 0 to "
            "0777, in octal.", digits, mode), (NULL));
  g_free (digits);
  return FALSE;
}
