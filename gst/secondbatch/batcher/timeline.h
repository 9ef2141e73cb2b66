/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which window a frame belongs to, when a window is over, and what is in its
 * batch: the rules of docs/secondbatcher.md, on plain values. Nothing here
 * knows elements, pads, buffers, locks or clocks.
 *
 * A track is one stream: it is shown frames, gaps, changes of format and its
 * end, in the stream's order. What makes it PAST stays with the caller, who
 * shows it again when the next window is open. When all tracks are past the
 * open window (or the caller knows that it is too late for more), it is closed:
 *
 *   second_timeline_begin_close()
 *   while (second_timeline_next_part())
 *     what is `chosen` in each track is one batch
 *   second_timeline_end_close()
 */
#ifndef SECOND_TIMELINE_H
#define SECOND_TIMELINE_H

#include "batcher/window.h"

/* What else a stream showed is held as long as the start may move */
typedef enum
{
  SECOND_FRAME,
  SECOND_GAP,
  SECOND_OUTSIDE                /* a frame outside its segment */
} SecondKind;

typedef struct
{
  SecondKind kind;
  gint64 time;                  /* orders the frames of a batch */
  guint64 tolerance;
  guint64 pos;                  /* chooses the window */
  guint64 seq;                  /* place in the stream's order */
  gint64 phase;                 /* position of the first one of its format */
  guint format;                 /* number of the format it came under */
  gboolean first;               /* of its format */
  gboolean delivered;           /* has been in a batch */
  gboolean left;                /* in the closing window, not yet in a part */
  gboolean chosen;              /* in the part that was made last */
  gboolean seen;                /* has been chosen */
  gpointer data;                /* the caller's */
} SecondFrame;

typedef enum
{
  SECOND_READING,
  SECOND_PAST,                  /* its next item is beyond the open window */
  SECOND_ENDED
} SecondReach;

typedef struct
{
  GArray *frames;               /* of SecondFrame, in order of time */
  guint64 next_seq;
  SecondReach reach;
  guint64 ahead;                /* if PAST: where that item is */
  gboolean begun;               /* has shown its first frame: */
  gint64 first_time;            /* zero not subtracted */
  guint64 first_tolerance;
  gint64 gap_time;              /* up to where GAPs were shown before; as is */
  guint format;                 /* told last */
  gboolean has_phase;           /* a frame of it was read */
  gint64 phase;
  guint last_format;            /* of the latest frame, held or late */
  gint64 last_phase;
  guint next_format;            /* the highest number so far */
  guint64 furthest;             /* the latest position among frames */

  /* While a window is closed */
  guint64 limit;                /* seq of the first item held beyond it */
  gboolean has_frames;          /* in some part of it */
  guint old_format;             /* of what is left, and where it ends */
  gint64 cut;
  guint part_format;
  guint64 part_phase;           /* see second_window_expected() */

  guint late, dropped;          /* since the last batch */
  guint64 total_frames, total_late, total_dropped;
} SecondTrack;

typedef struct
{
  GPtrArray *tracks;            /* of SecondTrack, the caller's */
  SecondGrid grid;
  gboolean relative;            /* time 0 is the first frame */
  gboolean late_next;           /* late frames go into the open window */

  gboolean open;                /* some stream has begun */
  gboolean started;             /* a window was closed: no way back */
  guint64 index;                /* of the open window */
  gint64 earliest;              /* of the first frames, zero not subtracted */
  gint64 zero;                  /* what is subtracted if relative */
  gint64 part_end;              /* end of the last part, start of the next */
  gboolean last_part;
} SecondTimeline;

typedef struct
{
  guint64 start, end;
} SecondPart;

typedef enum
{
  SECOND_HELD,                  /* in the track now */
  SECOND_LATE,                  /* counted (a GAP: read), to be thrown away */
  SECOND_NOT_YET                /* of a later window: show it again */
} SecondVerdict;

static inline SecondTrack *
second_track_at (const SecondTimeline * timeline, guint i)
{
  return (SecondTrack *) g_ptr_array_index (timeline->tracks, i);
}

static inline SecondFrame *
second_track_frame (const SecondTrack * track, guint i)
{
  return &g_array_index (track->frames, SecondFrame, i);
}

/* The frame after this one, in order of time; the first one after NULL */
static inline SecondFrame *
second_track_next (const SecondTrack * track, const SecondFrame * frame)
{
  guint i = frame ? frame - second_track_frame (track, 0) + 1 : 0;

  return i < track->frames->len ? second_track_frame (track, i) : NULL;
}

static inline guint64
second_timeline_start (const SecondTimeline * timeline)
{
  return timeline->index * timeline->grid.hop;
}

static inline guint64
second_timeline_end (const SecondTimeline * timeline)
{
  return second_timeline_start (timeline) + timeline->grid.duration;
}

/* By its next item, or by one that is held since before the start moved back */
static inline gboolean
second_track_is_past (const SecondTimeline * timeline,
    const SecondTrack * track)
{
  return track->reach != SECOND_READING || (timeline->open
      && track->furthest >= second_timeline_end (timeline));
}

void second_timeline_reset (SecondTimeline * timeline);

void second_track_init (SecondTrack * track);
/* What the track had is added to trash */
void second_track_reset (SecondTrack * track, GPtrArray * trash);
/* To a new one, and back to that of the latest frame */
void second_track_change_format (SecondTrack * track);
void second_track_restore_format (SecondTrack * track);
void second_track_drop (SecondTrack * track);
/* Counts a late frame, and moves it into the open window. FALSE: drop it. */
gboolean second_track_admit_late (const SecondTimeline * timeline,
    SecondTrack * track, SecondFrame * frame);
void second_track_find_furthest (SecondTrack * track);
/* Whether all that came before seq has been in a part, or is gone */
gboolean second_track_is_seen (const SecondTrack * track, guint64 seq);

/* Decides where the grid starts, by the first frames that streams have shown,
 * as long as no window is over */
void second_timeline_place_start (SecondTimeline * timeline);
/* Whether the start is not known before this stream shows more */
gboolean second_timeline_lacks (const SecondTimeline * timeline,
    const SecondTrack * track);
/* Shows a stream's first frame. Taking it does the same. */
void second_timeline_show_first (SecondTimeline * timeline,
    SecondTrack * track, gint64 time, guint64 tolerance);
/* Holds a GAP up to that time, or a frame outside its segment, which has none,
 * until a window is over; then it counts at once */
SecondVerdict second_timeline_keep (SecondTimeline * timeline,
    SecondTrack * track, SecondKind kind, gint64 time, gpointer data);
/* Shows a GAP, and holds it if the stream has to show more */
SecondVerdict second_timeline_show_gap (SecondTimeline * timeline,
    SecondTrack * track, gint64 end, gpointer data);
SecondVerdict second_timeline_take_frame (SecondTimeline * timeline,
    SecondTrack * track, gint64 time, guint64 tolerance, gpointer data);
/* end: up to where there is nothing */
SecondVerdict second_timeline_take_gap (SecondTimeline * timeline,
    SecondTrack * track, gint64 end, gpointer data);

gboolean second_timeline_is_over (const SecondTimeline * timeline);
/* All streams have ended, and what they had has been in a batch, or counted */
gboolean second_timeline_is_done (const SecondTimeline * timeline);

/* Late frames that have to go are added to trash */
void second_timeline_begin_close (SecondTimeline * timeline, GPtrArray * trash);
/* Of the closing window, all parts together */
gboolean second_timeline_is_incomplete (const SecondTimeline * timeline);
/* How many windows, from the closing one on, have no frame of any stream; 0 if
 * it has one, or the next one is not known yet */
guint64 second_timeline_hole (const SecondTimeline * timeline);
gboolean second_timeline_next_part (SecondTimeline * timeline,
    SecondPart * part);
/* On to the window that is `windows` later */
void second_timeline_end_close (SecondTimeline * timeline, guint64 windows,
    GPtrArray * trash);

#endif /* SECOND_TIMELINE_H */
