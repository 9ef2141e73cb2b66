/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Closing a window: what is in its batch, or batches */
#include "batcher/timeline.h"

/* Judges what was read before the grid's start was known, or ahead */
static gboolean
stays (const SecondTimeline * timeline, SecondTrack * track,
    SecondFrame * frame)
{
  if (frame->seq >= track->limit || (frame->kind == SECOND_FRAME
          && (frame->pos >= second_timeline_start (timeline)
              || second_track_admit_late (timeline, track, frame))))
    return TRUE;
  track->dropped += frame->kind == SECOND_OUTSIDE;
  track->total_frames -= frame->kind == SECOND_FRAME;
  return FALSE;
}

static void
judge (SecondTimeline * timeline, SecondTrack * track, GPtrArray * trash)
{
  for (guint i = 0; i < track->frames->len;) {
    SecondFrame *frame = second_track_frame (track, i);

    if (stays (timeline, track, frame)) {
      i++;
      continue;
    }
    g_ptr_array_add (trash, frame->data);
    g_array_remove_index (track->frames, i);
  }
}

void
second_timeline_begin_close (SecondTimeline * timeline, GPtrArray * trash)
{
  for (guint i = 0; i < timeline->tracks->len; i++) {
    SecondTrack *track = second_track_at (timeline, i);
    SecondFrame *frame = NULL;

    /* What was read behind an item of a later window does not count yet: how
     * far ahead a stream was read makes no difference to what is in a batch. */
    track->limit = G_MAXUINT64;
    while ((frame = second_track_next (track, frame)))
      if (frame->pos >= second_timeline_end (timeline))
        track->limit = MIN (track->limit, frame->seq);
    judge (timeline, track, trash);
    track->has_frames = FALSE;
    while ((frame = second_track_next (track, frame))) {
      frame->left = frame->seq < track->limit
          && frame->pos < second_timeline_end (timeline);
      track->has_frames |= frame->left;
    }
  }
  timeline->started = TRUE;
  timeline->part_end = (gint64) second_timeline_start (timeline);
  timeline->last_part = FALSE;
}

gboolean
second_timeline_is_incomplete (const SecondTimeline * timeline)
{
  for (guint i = 0; i < timeline->tracks->len; i++) {
    const SecondTrack *track = second_track_at (timeline, i);

    if (!track->has_frames && (track->reach != SECOND_ENDED
            || track->limit != G_MAXUINT64))
      return TRUE;
  }
  return FALSE;
}

guint64
second_timeline_hole (const SecondTimeline * timeline)
{
  guint64 next = G_MAXUINT64;

  for (guint i = 0; i < timeline->tracks->len; i++) {
    const SecondTrack *track = second_track_at (timeline, i);

    if (track->has_frames || !second_track_is_past (timeline, track))
      return 0;
    if (track->reach == SECOND_PAST)
      next = MIN (next, track->ahead);
    for (guint f = 0; f < track->frames->len; f++)
      if (second_track_frame (track, f)->seq == track->limit)
        next = MIN (next, second_track_frame (track, f)->pos);
  }
  if (next == G_MAXUINT64)
    return 0;
  return second_window_first (&timeline->grid, next) - timeline->index;
}

/* Finds the first format in what is left of the window, and where it ends: at
 * `cut`, or G_MAXINT64 if it does not */
static void
find_cut (SecondTrack * track)
{
  SecondFrame *frame = NULL;
  guint64 seq = G_MAXUINT64;
  gint64 last_old = G_MININT64, first_new = G_MAXINT64;

  track->old_format = G_MAXUINT;
  while ((frame = second_track_next (track, frame)))
    if (frame->left)
      track->old_format = MIN (track->old_format, frame->format);
  while ((frame = second_track_next (track, frame))) {
    if (frame->left && frame->format == track->old_format) {
      last_old = frame->time;
    } else if (frame->left && frame->seq < seq) {
      seq = frame->seq;
      first_new = frame->time;
    }
  }
  track->cut = MAX (last_old, first_new);
}

/* A stream without frames in a part has the format of its next frame */
static void
find_part_format (SecondTrack * track)
{
  const SecondFrame *in = NULL, *next = NULL, *best;

  for (guint i = 0; i < track->frames->len && in == NULL; i++) {
    const SecondFrame *frame = second_track_frame (track, i);

    if (frame->chosen)
      in = frame;
    else if ((frame->left || frame->seq == track->limit)
        && (next == NULL || frame->seq < next->seq))
      next = frame;
  }
  best = in ? in : next;
  track->part_format = best ? best->format : track->format;
  track->part_phase = G_MAXUINT64;
  if (best && best->seq >= track->limit && best->first)
    return;
  if (best || track->has_phase)
    track->part_phase = (guint64) MAX (best ? best->phase : track->phase, 0);
}

/* Chooses frames of the old format: all, or those before that time */
static void
choose (SecondTrack * track, gboolean all, gint64 before)
{
  SecondFrame *frame = NULL;

  while ((frame = second_track_next (track, frame))) {
    frame->chosen = frame->left && frame->format == track->old_format
        && (all || frame->time < before);
    if (frame->chosen) {
      frame->left = FALSE;
      frame->seen = TRUE;
    }
  }
  find_part_format (track);
}

gboolean
second_timeline_next_part (SecondTimeline * timeline, SecondPart * part)
{
  gint64 start = timeline->part_end;
  gint64 window_end = (gint64) second_timeline_end (timeline);
  gint64 end, cut = G_MAXINT64;

  if (timeline->last_part)
    return FALSE;
  for (guint i = 0; i < timeline->tracks->len; i++) {
    find_cut (second_track_at (timeline, i));
    cut = MIN (cut, second_track_at (timeline, i)->cut);
  }
  timeline->last_part = cut == G_MAXINT64;
  end = CLAMP (cut, start, window_end);
  for (guint i = 0; i < timeline->tracks->len; i++) {
    SecondTrack *track = second_track_at (timeline, i);

    choose (track, timeline->last_part || (track->cut != G_MAXINT64
            && CLAMP (track->cut, start, window_end) == end), end);
  }
  part->start = (guint64) start;
  part->end = (guint64) end;
  timeline->part_end = end;
  return TRUE;
}

void
second_timeline_end_close (SecondTimeline * timeline, guint64 windows,
    GPtrArray * trash)
{
  timeline->index += windows;
  for (guint i = 0; i < timeline->tracks->len; i++) {
    SecondTrack *track = second_track_at (timeline, i);
    guint kept = 0;

    for (guint f = 0; f < track->frames->len; f++) {
      SecondFrame *frame = second_track_frame (track, f);

      if (frame->pos >= second_timeline_start (timeline)
          || frame->seq > track->limit) {
        *second_track_frame (track, kept++) = *frame;
        continue;
      }
      if (!frame->delivered)
        second_track_drop (track);
      g_ptr_array_add (trash, frame->data);
    }
    g_array_set_size (track->frames, kept);
    second_track_find_furthest (track);
    if (track->reach == SECOND_PAST)
      track->reach = SECOND_READING;
  }
}
