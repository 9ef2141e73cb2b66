/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pipeline clock's time in terms of CLOCK_MONOTONIC, the clock that the two
 * sides of the socket have in common. */
#ifndef GST_SHM_FRAME_CLOCK_H
#define GST_SHM_FRAME_CLOCK_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstClock *clock;              /* as of the last call */
  gboolean is_system;           /* it counts as CLOCK_MONOTONIC does, but for
                                 * its calibration */
  gboolean measured;
  gint64 offset;                /* clock time - monotonic time, ns */
  /* Of the element, as of the last call: */
  GstClockTime base_time;
  gint64 start_time;            /* the running time at which it last began to
                                 * play */
} GstShmFrameClock;

/* The monotonic time at which the element's running time was 0. FALSE while it has
 * no clock. */
gboolean gst_shm_frame_clock_get_base (GstShmFrameClock * self,
    GstElement * element, gint64 * base);
/* Lets go of the clock. */
void gst_shm_frame_clock_clear (GstShmFrameClock * self);

G_END_DECLS

#endif
