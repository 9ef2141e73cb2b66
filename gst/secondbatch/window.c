/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "window.h"

/* NTP counts from 1900: 70 years, 17 of them leap years */
#define NTP_UNIX_SECONDS G_GUINT64_CONSTANT (2208988800)

/* PTP counts TAI, which no leap second stops. The difference has been 37 s
 * since 2017, and none is scheduled. */
#define TAI_UTC_SECONDS G_GUINT64_CONSTANT (37)

/* What a stream that does not say its framerate is taken for */
#define UNKNOWN_FPS 30

/* Frames that are neither in a window nor free: one in each streaming thread,
 * one that shows that its window is over, one in the application */
#define FRAMES_ON_THE_WAY 4

guint64
second_window_start (const SecondGrid * grid, guint64 index)
{
  return index * grid->hop;
}

guint64
second_window_end (const SecondGrid * grid, guint64 index)
{
  return index * grid->hop + grid->duration;
}

guint64
second_window_first (const SecondGrid * grid, guint64 pos)
{
  return pos < grid->duration ? 0 : (pos - grid->duration) / grid->hop + 1;
}

guint64
second_window_last (const SecondGrid * grid, guint64 pos)
{
  return pos / grid->hop;
}

guint64
second_window_tolerance (guint64 setting, guint64 frame_duration)
{
  if (GST_CLOCK_TIME_IS_VALID (setting))
    return setting;
  return GST_CLOCK_TIME_IS_VALID (frame_duration) ? frame_duration / 8 : 0;
}

guint64
second_window_position (gint64 time, guint64 tolerance)
{
  if (time >= 0)
    return (guint64) time + tolerance;
  /* -(time + 1) + 1 is -time without the overflow of the lowest integer */
  if ((guint64) (-(time + 1)) + 1 >= tolerance)
    return 0;
  return tolerance - ((guint64) (-(time + 1)) + 1);
}

/* How many frames of a grid of frames that contains 0 lie in [0, length) */
static guint64
frames_in (guint64 length, gint fps_n, gint fps_d)
{
  return gst_util_uint64_scale_ceil (length, fps_n, fps_d * GST_SECOND);
}

guint
second_window_expected (guint64 start, guint64 end, guint64 phase,
    gint fps_n, gint fps_d)
{
  guint64 lead;

  if (fps_n <= 0 || fps_d <= 0 || end <= start)
    return 0;

  /* Any frame of the stream is as good a phase as another: take one that is
   * not after the window, so that all differences are positive. */
  if (phase > start) {
    guint64 back = gst_util_uint64_scale_ceil (phase - start, fps_n,
        fps_d * GST_SECOND);
    guint64 shift = gst_util_uint64_scale_ceil (back, fps_d * GST_SECOND,
        fps_n);

    lead = shift - (phase - start);
  } else {
    lead = start - phase;
  }

  return (guint) (frames_in (lead + (end - start), fps_n, fps_d) -
      frames_in (lead, fps_n, fps_d));
}

guint
second_window_frames_to_hold (guint64 duration, gint fps_n, gint fps_d)
{
  guint64 frames;

  if (fps_n <= 0 || fps_d <= 0) {
    fps_n = UNKNOWN_FPS;
    fps_d = 1;
  }
  frames = gst_util_uint64_scale_ceil (duration, 2 * (guint64) fps_n,
      fps_d * GST_SECOND);

  return (guint) MIN (frames + FRAMES_ON_THE_WAY, G_MAXINT);
}

gboolean
second_window_ntp_to_unix (guint64 ntp, guint64 * unix_time)
{
  if (ntp < NTP_UNIX_SECONDS * GST_SECOND)
    return FALSE;
  *unix_time = ntp - NTP_UNIX_SECONDS * GST_SECOND;
  return TRUE;
}

gboolean
second_window_tai_to_unix (guint64 tai, guint64 * unix_time)
{
  if (tai < TAI_UTC_SECONDS * GST_SECOND)
    return FALSE;
  *unix_time = tai - TAI_UTC_SECONDS * GST_SECOND;
  return TRUE;
}
