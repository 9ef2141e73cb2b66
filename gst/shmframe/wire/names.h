/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits the names that other processes bring into this one. GStreamer never
 * frees those of structures, fields, caps features and meta types, so each
 * connection has an allowance, and all together have one. Names that this
 * process knows are free. A field, meta or event whose name is refused is left
 * out and counted; the stream goes on. */
#ifndef GST_SHM_FRAME_NAMES_H
#define GST_SHM_FRAME_NAMES_H

#include <glib.h>

G_BEGIN_DECLS

/* One connection's, used by its thread alone. All zeros at first. */
typedef struct
{
  gsize bytes;                  /* taken by its names */
  guint n_metas;                /* meta types among them */
  /* Grows when a name is refused. The caller that reads the field, meta or
   * event around the name leaves that out, counts it below, and sets this
   * back. */
  guint refusals;
  guint64 fields, metas, events;        /* left out */
} GstShmFrameNames;

/* Sets whose names this thread reads from now on; NULL: nobody's. */
void gst_shm_frame_names_use (GstShmFrameNames * names);
GstShmFrameNames *gst_shm_frame_names_current (void);

/* Takes the name from the allowance. FALSE: it is refused. */
gboolean gst_shm_frame_names_admit (const gchar * name);
/* The same for registering a meta type of an admitted name. */
gboolean gst_shm_frame_names_admit_meta (void);

/* Gives another connection a new allowance, and keeps the counts. */
void gst_shm_frame_names_renew (GstShmFrameNames * names);

G_END_DECLS

#endif
