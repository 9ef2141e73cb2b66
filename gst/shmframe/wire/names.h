/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that another process brings into this one. GStreamer keeps those of
 * structures, fields, features and types of metas for good, so that each connection
 * has an allowance, and all together have one. What is known here already is always
 * taken. What goes beyond is left out, a field, a meta or an event, and counted; the
 * stream goes on. */
#ifndef GST_SHM_FRAME_NAMES_H
#define GST_SHM_FRAME_NAMES_H

#include <glib.h>

G_BEGIN_DECLS

/* Of one connection: its thread's. All zeros at first. */
typedef struct
{
  gsize bytes;                  /* that its names take */
  guint n_metas;                /* types of metas among them */
  /* Grows when something just read cannot be had as it was sent. What it is part of
   * is left out, by who reads that, and has then been accounted for. */
  guint spoilt;
  guint64 fields, metas, events;        /* left out */
} GstShmFrameNames;

/* In this thread, names are `names`' from now on; NULL: of nobody in particular. */
void gst_shm_frame_names_use (GstShmFrameNames * names);
GstShmFrameNames *gst_shm_frame_names_used (void);

/* May the name become known here? */
gboolean gst_shm_frame_names_admit (const gchar * name);
/* And, with the name admitted, the meta of that name? */
gboolean gst_shm_frame_names_admit_meta (void);

/* Another connection: its allowance is a new one, what was counted stays. */
void gst_shm_frame_names_renew (GstShmFrameNames * names);

G_END_DECLS

#endif
