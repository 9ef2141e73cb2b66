/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FRAME_DIGEST_H
#define FRAME_DIGEST_H

#include <gst/video/video.h>
#include <stdio.h>

/* Writes "STREAM CHECKSUM", the checksum being over the visible pixels.
 * Returns FALSE if the frame cannot be mapped as its caps say. */
gboolean frame_digest_write (FILE * file, guint stream, GstBuffer * frame,
    const GstVideoInfo * info);

#endif
