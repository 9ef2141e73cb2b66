/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that the other process sent. On GLib alone. */
#ifndef GST_SHM_FRAME_TEXT_H
#define GST_SHM_FRAME_TEXT_H

#include <glib.h>

G_BEGIN_DECLS

/* Fit to be shown: valid UTF-8, and a replacement character for each that moves a
 * terminal's cursor, changes its colours, or turns the direction of what follows. Free
 * it. */
gchar *gst_shm_frame_text_clean (const gchar * text);

G_END_DECLS

#endif
