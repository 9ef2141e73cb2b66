/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batcher/timeline.h"

void
second_timeline_reset (SecondTimeline * timeline)
{
  timeline->open = timeline->started = FALSE;
  timeline->index = 0;
  timeline->zero = 0;
}

void
second_track_init (SecondTrack * track)
{
  track->frames = g_array_new (FALSE, FALSE, sizeof (SecondFrame));
}

void
second_track_reset (SecondTrack * track, GPtrArray * trash)
{
  for (guint i = 0; i < track->frames->len; i++)
    g_ptr_array_add (trash, second_track_frame (track, i)->data);
  g_array_set_size (track->frames, 0);
  track->furthest = 0;
  track->reach = SECOND_READING;
  track->begun = track->has_phase = FALSE;
  track->late = track->dropped = 0;
}

void
second_track_change_format (SecondTrack * track)
{
  track->format = ++track->next_format;
  track->has_phase = FALSE;
}

void
second_track_restore_format (SecondTrack * track, gboolean late)
{
  track->format = late ? track->late_format : track->last_format;
  track->has_phase = TRUE;
  track->phase = late ? track->late_phase : track->last_phase;
}

void
second_track_drop (SecondTrack * track)
{
  track->dropped++;
  track->total_dropped++;
}

gboolean
second_track_admit_late (const SecondTimeline * timeline, SecondTrack * track,
    SecondFrame * frame)
{
  track->late++;
  track->total_late++;
  if (!timeline->late_next)
    second_track_drop (track);
  frame->pos = second_timeline_start (timeline);
  return timeline->late_next;
}

gboolean
second_track_is_seen (const SecondTrack * track, guint64 seq)
{
  SecondFrame *frame = NULL;

  while ((frame = second_track_next (track, frame)))
    if (frame->seq < seq && !frame->seen)
      return FALSE;
  return TRUE;
}

static void
hold (SecondTrack * track, const SecondFrame * frame)
{
  guint at = track->frames->len;

  while (at > 0 && second_track_frame (track, at - 1)->time > frame->time)
    at--;
  g_array_insert_val (track->frames, at, *frame);
  track->furthest = MAX (track->furthest, frame->pos);
  track->total_frames++;
}

void
second_track_find_furthest (SecondTrack * track)
{
  track->furthest = 0;
  for (guint i = 0; i < track->frames->len; i++)
    track->furthest = MAX (track->furthest, second_track_frame (track, i)->pos);
}

/* --- where the grid starts --- */

/* Moves all that was placed by the old zero */
static void
move_zero (SecondTimeline * timeline, gint64 zero)
{
  gint64 delta = timeline->zero - zero;

  for (guint i = 0; i < timeline->tracks->len; i++) {
    SecondTrack *track = second_track_at (timeline, i);
    SecondFrame *frame = NULL;

    while ((frame = second_track_next (track, frame))) {
      frame->time = second_time_add (frame->time, delta);
      frame->pos = second_window_position (frame->time, frame->tolerance);
      frame->phase = second_time_add (frame->phase, delta);
    }
    track->phase = second_time_add (track->phase, delta);
    track->last_phase = second_time_add (track->last_phase, delta);
    second_track_find_furthest (track);
  }
  timeline->zero = zero;
}

void
second_timeline_place_start (SecondTimeline * timeline)
{
  gint64 zero = G_MAXINT64;

  if (timeline->started)
    return;
  for (guint i = 0; i < timeline->tracks->len; i++)
    if (second_track_at (timeline, i)->begun)
      zero = MIN (zero, second_track_at (timeline, i)->first_time);
  timeline->open = zero != G_MAXINT64;
  timeline->earliest = zero;
  timeline->index = G_MAXUINT64;
  if (timeline->relative && timeline->open)
    move_zero (timeline, zero);

  for (guint i = 0; i < timeline->tracks->len; i++) {
    SecondTrack *track = second_track_at (timeline, i);

    gint64 time = second_time_add (track->first_time, -timeline->zero);
    guint64 pos = second_window_position (time, track->first_tolerance);

    if (track->begun)
      timeline->index = MIN (timeline->index,
          second_window_first (&timeline->grid, pos));
    if (track->reach == SECOND_PAST)
      track->reach = SECOND_READING;    /* its item may be in the window now */
  }
}

void
second_timeline_show_first (SecondTimeline * timeline, SecondTrack * track,
    gint64 time, guint64 tolerance)
{
  if (track->begun)
    return;
  track->begun = TRUE;
  track->first_time = time;
  track->first_tolerance = tolerance;
  second_timeline_place_start (timeline);
}

SecondVerdict
second_timeline_take_frame (SecondTimeline * timeline, SecondTrack * track,
    gint64 time, guint64 tolerance, gpointer data)
{
  SecondFrame frame = { 0 };

  second_timeline_show_first (timeline, track, time, tolerance);
  frame.time = second_time_add (time, -timeline->zero);
  frame.tolerance = tolerance;
  frame.pos = second_window_position (frame.time, tolerance);
  if (frame.pos >= second_timeline_end (timeline)) {
    track->reach = SECOND_PAST;
    track->ahead = frame.pos;
    return SECOND_NOT_YET;
  }

  track->reach = SECOND_READING;
  frame.seq = track->next_seq++;
  frame.first = !track->has_phase;
  if (frame.first) {
    track->has_phase = TRUE;
    track->phase = second_time_add (frame.time, (gint64) tolerance);
  }
  if (timeline->started && frame.pos < second_timeline_start (timeline)
      && !second_track_admit_late (timeline, track, &frame)) {
    if (track->format != track->last_format) {
      track->late_format = track->format;
      track->late_phase = track->phase;
    }
    return SECOND_LATE;
  }
  frame.format = track->format;
  frame.phase = track->phase;
  frame.data = data;
  hold (track, &frame);
  track->last_format = track->format;
  track->last_phase = track->phase;
  return SECOND_HELD;
}

gboolean
second_timeline_is_shown_by_gap (const SecondTimeline * timeline, gint64 end)
{
  return timeline->open && end >= timeline->earliest;
}

gboolean
second_timeline_take_gap (SecondTimeline * timeline, SecondTrack * track,
    gint64 end)
{
  guint64 pos = second_window_position (second_time_add (end, -timeline->zero),
      0);

  track->reach = SECOND_READING;
  if (!timeline->open || pos < second_timeline_end (timeline))
    return TRUE;
  track->reach = SECOND_PAST;
  track->ahead = pos;
  return FALSE;
}

gboolean
second_timeline_is_over (const SecondTimeline * timeline)
{
  for (guint i = 0; i < timeline->tracks->len && timeline->open; i++)
    if (!second_track_is_past (timeline, second_track_at (timeline, i)))
      return FALSE;
  return timeline->open;
}

gboolean
second_timeline_is_done (const SecondTimeline * timeline)
{
  for (guint i = 0; i < timeline->tracks->len; i++)
    if (second_track_at (timeline, i)->reach != SECOND_ENDED
        || second_track_at (timeline, i)->frames->len > 0)
      return FALSE;
  return TRUE;
}
