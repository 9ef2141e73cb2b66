/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Window arithmetic. Pure: nothing here knows elements, pads or buffers.
 *
 * A grid has windows 0, 1, 2 ...; window N is [N * hop, N * hop + duration).
 * The position of a frame on the grid is its time plus the boundary tolerance,
 * so that a frame a little below a boundary belongs to the later window.
 *
 * Times are signed nanoseconds. Each that comes from outside is clamped to
 * SECOND_TIME_MAX on its way in; a few of them, or a day, may then be added
 * without a thought of overflow.
 */
#ifndef SECOND_WINDOW_H
#define SECOND_WINDOW_H

#include <gst/gst.h>

#define SECOND_TIME_MAX (G_GINT64_CONSTANT (1) << 61)

typedef struct
{
  guint64 duration;
  guint64 hop;                  /* 0 < hop <= duration */
} SecondGrid;

/* Frames per second; n is 0 where that varies or is not known */
typedef struct
{
  gint n, d;
} SecondRate;

/* a + b, clamped; each may be any number */
gint64 second_time_add (gint64 a, gint64 b);
gint64 second_running_time (const GstSegment * segment, guint64 position);

/* The earliest window that contains a position */
guint64 second_window_first (const SecondGrid * grid, guint64 pos);

/* setting: -1 for 1/8 of what a frame lasts at that rate (NONE: unknown) */
guint64 second_window_tolerance (const SecondGrid * grid, gint64 setting,
    guint64 frame_duration, gdouble rate);

/* A time may lie before the grid's zero; a position may not */
guint64 second_window_position (gint64 time, guint64 tolerance);

/* How many frames a stream with a frame at phase has in [start, end) */
guint second_window_expected (guint64 start, guint64 end, guint64 phase,
    SecondRate rate);

/* A stream's rate in running time, where a segment plays it at that speed */
SecondRate second_window_scale_rate (SecondRate rate, gdouble speed);

/* How many frames a batcher may hold: two windows, what it waits for, and what
 * is on its way */
guint second_window_frames_to_hold (guint64 duration, guint64 wait,
    SecondRate rate);

#endif /* SECOND_WINDOW_H */
