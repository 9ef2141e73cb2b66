/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes text that the other process sent fit to be shown. Needs GLib alone. */
#ifndef GST_SHM_FRAME_TEXT_H
#define GST_SHM_FRAME_TEXT_H

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): valid UTF-8, with U+FFFD for each character that moves a
 * terminal's cursor, changes its colours, or turns the direction of writing. */
gchar *gst_shm_frame_text_clean (const gchar * text);

G_END_DECLS

#endif
