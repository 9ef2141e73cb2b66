/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CONTACT_SHEET_H
#define CONTACT_SHEET_H

#include <gst/video/video.h>

typedef struct
{
  GstVideoInfo info;
  GstBufferList *frames;        /* not owned; NULL or empty: an empty row */
} ContactRow;

/* Draws one row a stream, each with small pictures of frames spread evenly
 * over the list, and writes it as a PNG file. */
gboolean contact_sheet_write (const ContactRow * rows, guint n_rows,
    const gchar * path, GError ** error);

#endif
