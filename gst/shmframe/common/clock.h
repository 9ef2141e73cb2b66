/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converts a pipeline clock's time to CLOCK_MONOTONIC, the clock that both ends
 * of the socket share. */
#ifndef GST_SHM_FRAME_CLOCK_H
#define GST_SHM_FRAME_CLOCK_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstClock *clock;              /* as of the last call */
  gboolean is_system;           /* CLOCK_MONOTONIC, apart from calibration */
  gboolean measured;
  gint64 offset;                /* clock time - monotonic time, ns */
  /* The element's, as of the last call: */
  GstClockTime base_time;
  gint64 start_time;            /* running time when it last began to play */
} GstShmFrameClock;

/* The monotonic time at which the element's running time was 0. FALSE while the
 * element has no clock. */
gboolean gst_shm_frame_clock_get_base (GstShmFrameClock * self,
    GstElement * element, gint64 * base);
/* Drops the reference on the clock. */
void gst_shm_frame_clock_clear (GstShmFrameClock * self);

G_END_DECLS

#endif
