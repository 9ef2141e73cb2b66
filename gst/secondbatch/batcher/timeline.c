/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batcher/timeline.h"

/* More than that, GAPs and frames outside their segment count at once */
#define MOST_KEPT 1000

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
  track->gap_time = G_MININT64;
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
  track->gap_time = G_MININT64;
  track->late = track->dropped = 0;
}

void
second_track_change_format (SecondTrack * track)
{
  track->format = ++track->next_format;
  track->has_phase = FALSE;
}

void
second_track_restore_format (SecondTrack * track)
{
  track->format = track->last_format;
  track->has_phase = TRUE;
  track->phase = track->last_phase;
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
  track->total_frames += frame->kind == SECOND_FRAME;
}

void
second_track_find_furthest (SecondTrack * track)
{
  track->furthest = 0;
  for (guint i = 0; i < track->frames->len; i++)
    track->furthest = MAX (track->furthest, second_track_frame (track, i)->pos);
}

/* --- where the grid starts --- */

static void
place (SecondFrame * frame, gint64 time)
{
  frame->time = time;
  if (frame->kind != SECOND_OUTSIDE)
    frame->pos = second_window_position (time, frame->tolerance);
}

/* Moves all that was placed by the old zero */
static void
move_zero (SecondTimeline * timeline, gint64 zero)
{
  gint64 delta = timeline->zero - zero;

  for (guint i = 0; i < timeline->tracks->len; i++) {
    SecondTrack *track = second_track_at (timeline, i);
    SecondFrame *frame = NULL;

    while ((frame = second_track_next (track, frame))) {
      place (frame, second_time_add (frame->time, delta));
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
  timeline->index = timeline->open ? G_MAXUINT64 : 0;
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

gboolean
second_timeline_lacks (const SecondTimeline * timeline,
    const SecondTrack * track)
{
  gboolean lacks = !track->begun && track->reach != SECOND_ENDED
      && !(timeline->open && track->gap_time >= timeline->earliest);

  for (guint i = 0; i < timeline->tracks->len && lacks; i++) {
    const SecondTrack *other = second_track_at (timeline, i);

    lacks = other->begun || other->reach == SECOND_ENDED
        || other->gap_time >= track->gap_time;
  }
  return lacks;
}

void
second_timeline_show_first (SecondTimeline * timeline, SecondTrack * track,
    gint64 time, guint64 tolerance)
{
  SecondFrame *frame = NULL;
  gint64 first = second_time_add (time, -timeline->zero);

  if (track->begun)
    return;
  track->begun = TRUE;
  track->first_time = time;
  track->first_tolerance = tolerance;
  while ((frame = second_track_next (track, frame)))
    place (frame, MIN (frame->time, first));
  second_track_find_furthest (track);
  second_timeline_place_start (timeline);
}

SecondVerdict
second_timeline_keep (SecondTimeline * timeline, SecondTrack * track,
    SecondKind kind, gint64 time, gpointer data)
{
  SecondFrame frame = { .kind = kind };
  gboolean gone = timeline->started || track->frames->len >= MOST_KEPT;

  track->total_dropped += kind == SECOND_OUTSIDE;
  track->dropped += gone && kind == SECOND_OUTSIDE;
  if (gone)
    return SECOND_LATE;
  frame.seq = track->next_seq++;
  frame.format = track->format;
  frame.first = !track->has_phase;
  frame.phase = track->phase;
  frame.data = data;
  if (kind == SECOND_GAP) {
    track->gap_time = MAX (track->gap_time, time);
    place (&frame, second_time_add (time, -timeline->zero));
  } else if (track->frames->len > 0) {
    frame.time = second_track_frame (track, track->frames->len - 1)->time;
  }
  hold (track, &frame);
  return SECOND_HELD;
}

SecondVerdict
second_timeline_show_gap (SecondTimeline * timeline, SecondTrack * track,
    gint64 end, gpointer data)
{
  track->gap_time = MAX (track->gap_time, end);
  return second_timeline_lacks (timeline, track) ?
      second_timeline_keep (timeline, track, SECOND_GAP, end, data) :
      SECOND_NOT_YET;
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
  track->last_format = track->format;
  track->last_phase = track->phase;
  if (timeline->started && frame.pos < second_timeline_start (timeline)
      && !second_track_admit_late (timeline, track, &frame))
    return SECOND_LATE;
  frame.format = track->format;
  frame.phase = track->phase;
  frame.data = data;
  hold (track, &frame);
  return SECOND_HELD;
}

SecondVerdict
second_timeline_take_gap (SecondTimeline * timeline, SecondTrack * track,
    gint64 end, gpointer data)
{
  guint64 pos = second_window_position (second_time_add (end, -timeline->zero),
      0);

  track->reach = SECOND_READING;
  if (timeline->open && pos >= second_timeline_end (timeline)) {
    track->reach = SECOND_PAST;
    track->ahead = pos;
    return SECOND_NOT_YET;
  }
  return timeline->open ? second_timeline_keep (timeline, track, SECOND_GAP,
      end, data) : SECOND_LATE;
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
  for (guint i = 0; i < timeline->tracks->len; i++) {
    const SecondTrack *track = second_track_at (timeline, i);
    const SecondFrame *frame = NULL;

    if (track->reach != SECOND_ENDED || (timeline->open
            && track->furthest >= second_timeline_end (timeline)))
      return FALSE;
    while ((frame = second_track_next (track, frame)))
      if (frame->kind == SECOND_FRAME)
        return FALSE;
  }
  return TRUE;
}
