/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SECOND_PAIRS_H
#define SECOND_PAIRS_H

#include <gst/gst.h>

typedef struct
{
  gchar **inputs;               /* sockets or files */
  gchar *output;                /* socket to publish on */
  gchar *sheet;                 /* PNG to draw a batch on */
  gchar *digests;               /* file for one line per frame */
  gdouble seconds;
  gboolean offline;
} Options;

/* The modes. Each builds its pipeline, runs it to its end, and returns whether
 * that was EOS. */
gboolean run_produce (const Options * options);
gboolean run_batch (const Options * options);
gboolean run_pairs (const Options * options);
gboolean run_frames (const Options * options);

/* Adds a new element to the bin, or says on stderr which one is missing. */
GstElement *add_element (GstBin * bin, const gchar * factory);

/* A shmframesrc for what a file's frames are published on: second N is second N
 * of the file, and no frame is ever too late. */
GstElement *add_source (GstBin * bin, const gchar * socket);

/* Plays until EOS, an error or a signal, and takes the pipeline. `transport` is
 * NULL or a shmframesink or shmframesrc in it; then a line at the end says how
 * many frames it handed over and how many bytes it copied for that. */
gboolean run_pipeline (GstElement * pipeline, GstElement * transport);

guint64 monotonic_ns (void);

#endif
