/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"

#include <string.h>

#define REPLACEMENT 0xfffd

gchar *
gst_shm_frame_text_clean (const gchar * text)
{
  gchar *valid = g_utf8_make_valid (text, -1);
  GString *clean = g_string_sized_new (strlen (valid));

  for (const gchar * at = valid; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    g_string_append_unichar (clean, g_unichar_isprint (c) ? c : REPLACEMENT);
  }
  g_free (valid);
  return g_string_free (clean, FALSE);
}
