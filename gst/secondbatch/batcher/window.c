/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batcher/window.h"

/* What a stream that does not say its framerate is taken for */
static const SecondRate unknown_rate = { 30, 1 };

/* Frames that are neither in a window nor free: one in each streaming thread,
 * one that shows that its window is over, one in the application */
#define FRAMES_ON_THE_WAY 4

gint64
second_time_add (gint64 a, gint64 b)
{
  return CLAMP (a, -SECOND_TIME_MAX, SECOND_TIME_MAX)
      + CLAMP (b, -SECOND_TIME_MAX, SECOND_TIME_MAX);
}

gint64
second_running_time (const GstSegment * segment, guint64 position)
{
  guint64 time = 0;
  gint sign = gst_segment_to_running_time_full (segment, GST_FORMAT_TIME,
      position, &time);

  time = MIN (time, (guint64) SECOND_TIME_MAX);
  return sign < 0 ? -(gint64) time : (gint64) time;
}

guint64
second_window_first (const SecondGrid * grid, guint64 pos)
{
  return pos < grid->duration ? 0 : (pos - grid->duration) / grid->hop + 1;
}

guint64
second_window_tolerance (const SecondGrid * grid, gint64 setting,
    guint64 frame_duration, gdouble rate)
{
  gdouble duration;

  if (setting >= 0)
    return MIN ((guint64) setting, grid->hop - 1);
  if (!GST_CLOCK_TIME_IS_VALID (frame_duration))
    return 0;
  duration = (gdouble) frame_duration / ABS (rate);
  return duration < (gdouble) grid->hop ? (guint64) duration / 8 :
      grid->hop / 8;
}

guint64
second_window_position (gint64 time, guint64 tolerance)
{
  return (guint64) MAX (second_time_add (time, (gint64) tolerance), 0);
}

/* The least i with phase + i / rate >= time */
static gint64
frame_at (guint64 time, guint64 phase, SecondRate rate)
{
  if (time >= phase)
    return (gint64) gst_util_uint64_scale_ceil (time - phase, rate.n,
        rate.d * GST_SECOND);
  return -(gint64) gst_util_uint64_scale (phase - time, rate.n,
      rate.d * GST_SECOND);
}

guint
second_window_expected (guint64 start, guint64 end, guint64 phase,
    SecondRate rate)
{
  gint64 frames;

  if (rate.n <= 0 || end <= start)
    return 0;
  frames = frame_at (end, phase, rate) - frame_at (start, phase, rate);
  return (guint) CLAMP (frames, 0, G_MAXINT);
}

SecondRate
second_window_scale_rate (SecondRate rate, gdouble speed)
{
  gint n, d;

  if (ABS (speed) == 1.0)
    return rate;
  gst_util_double_to_fraction (ABS (speed), &n, &d);
  if (!gst_util_fraction_multiply (rate.n, rate.d, n, d, &rate.n, &rate.d))
    rate.n = 0;
  return rate;
}

guint
second_window_frames_to_hold (guint64 duration, guint64 wait, SecondRate rate)
{
  guint64 frames;

  if (rate.n <= 0)
    rate = unknown_rate;
  frames = gst_util_uint64_scale_ceil (2 * duration + wait, rate.n,
      rate.d * GST_SECOND);
  return (guint) MIN (frames + FRAMES_ON_THE_WAY, G_MAXINT);
}
