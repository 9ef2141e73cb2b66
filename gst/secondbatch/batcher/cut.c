/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The batches of a window that is over; nothing here calls outside */
#include "batcher/batcher.h"

/* A hole in all streams of up to this many windows is filled with batches */
#define MAX_EMPTY_BATCHES 100

/* A list keeps its pool's buffers out; the guard must know for how long */
static void
follow_list (GPtrArray * listed, GstBufferList * list)
{
  gint count = 0;

  for (guint i = 0; i < listed->len; i++) {
    SecondHeld *held = g_ptr_array_index (listed, i);
    SecondPoolGuard *next = i + 1 < listed->len ?
        ((SecondHeld *) g_ptr_array_index (listed, i + 1))->guard : NULL;

    if (held->guard == NULL)
      continue;
    count++;
    if (next != held->guard) {
      second_pool_guard_follow_list (held->guard, list, count);
      count = 0;
    }
  }
}

/* No frame is repeated under caps or a segment that it did not come with */
static void
repeat_last_locked (SecondShare * share, GPtrArray * listed, guint n,
    GPtrArray * trash)
{
  GstSecondBatcherPad *pad = share->pad;
  SecondHeld *last = pad->last;

  if (listed->len > 0) {
    last = second_held_copy (g_ptr_array_index (listed, listed->len - 1));
    if (pad->last)
      g_ptr_array_add (trash, pad->last);
    pad->last = last;
  }
  if (last == NULL || !second_format_equal (last->format, share->format))
    return;
  for (; share->frames < n; share->frames++)
    gst_buffer_list_add (share->list, gst_buffer_ref (last->buffer));
}

/* The events that this batch takes along: those for whose frames it, or one
 * before it, has room, as long as their format has begun */
static void
move_events_locked (SecondShare * share)
{
  SecondTrack *track = &share->pad->track;
  SecondEvent *event;

  while ((event = g_queue_peek_head (&share->pad->events))
      && event->format <= share->format->number
      && second_track_is_seen (track, event->seq)) {
    g_queue_pop_head (&share->pad->events);
    event->position = 0;
    for (SecondFrame *frame = NULL;
        (frame = second_track_next (track, frame));) {
      event->position += frame->chosen && frame->seq < event->seq;
    }
    event->position = MIN (event->position, share->frames);
    g_queue_push_tail (&share->events, event);
  }
}

/* The frames of the part that was chosen last */
static void
list_frames_locked (GstSecondBatcher * self, SecondShare * share,
    GPtrArray * listed)
{
  SecondTrack *track = &share->pad->track;
  guint64 next = second_window_start (&self->timeline.grid,
      self->timeline.index + 1);
  guint most = G_MAXUINT;

  if (self->frames > 0 && self->fill != SECOND_FILL_ERROR)
    most = self->frames;
  share->format = second_format_ref (share->pad->format);
  for (SecondFrame *frame = NULL; (frame = second_track_next (track, frame));) {
    SecondHeld *held = frame->data;

    if (frame->chosen && listed->len < most) {
      g_ptr_array_add (listed, held);
      frame->delivered = TRUE;
    } else if (frame->chosen && !frame->delivered && frame->pos < next) {
      second_track_drop (track, 1);
      frame->delivered = TRUE;  /* counted here, not again when it goes */
    }
    if (held->format->number == track->part_format
        && held->format != share->format) {
      second_format_unref (share->format);
      share->format = second_format_ref (held->format);
    }
  }

  share->list = gst_buffer_list_new_sized (MAX (listed->len, self->frames));
  for (guint i = 0; i < listed->len; i++)
    gst_buffer_list_add (share->list, gst_buffer_ref (((SecondHeld *)
                g_ptr_array_index (listed, i))->buffer));
  follow_list (listed, share->list);
  share->frames = listed->len;
}

static void
make_share_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    SecondBatch * batch, GPtrArray * trash)
{
  GPtrArray *listed = g_ptr_array_new ();
  SecondTrack *track = &pad->track;
  SecondShare share = { 0 };

  share.pad = gst_object_ref (pad);
  list_frames_locked (self, &share, listed);
  move_events_locked (&share);
  share.expected = second_window_expected (batch->start, batch->end,
      track->part_phase == G_MAXUINT64 ? batch->start : track->part_phase,
      share.format->run_fps_n, share.format->run_fps_d);
  if (self->frames > 0 && self->fill == SECOND_FILL_REPEAT_LAST)
    repeat_last_locked (&share, listed, self->frames, trash);
  if (self->frames > 0 && self->fill == SECOND_FILL_ERROR
      && share.frames != self->frames)
    batch->wrong_share = (gint) batch->shares->len;

  share.late = track->late;
  share.dropped = track->dropped;
  track->late = track->dropped = 0;
  g_array_append_val (batch->shares, share);
  g_ptr_array_unref (listed);
}

/* Time minus running time of the window. Where frames say what time it is, each
 * stream has its own; the first frame's counts. */
static void
find_shift_locked (GstSecondBatcher * self, gboolean pushing)
{
  const SecondFrame *first = NULL;

  if (self->align != SECOND_ALIGN_REFERENCE_TIMESTAMP) {
    self->shift = self->align == SECOND_ALIGN_FIRST_FRAME ?
        -self->timeline.zero : self->clock_offset;
    return;
  }
  for (guint i = 0; i < self->tracks->len && pushing; i++) {
    const SecondTrack *track = second_track_at (self->tracks, i);

    for (SecondFrame *frame = NULL;
        (frame = second_track_next (track, frame));) {
      if (frame->left && (first == NULL || frame->time < first->time))
        first = frame;
    }
  }
  if (first)
    self->shift = ((SecondHeld *) first->data)->shift;
}

/* Of a time in the alignment */
static GstClockTime
running_time_locked (const GstSecondBatcher * self, guint64 time)
{
  return (GstClockTime) MAX (second_time_add ((gint64) time, -self->shift), 0);
}

static SecondBatch *
make_batch_locked (GstSecondBatcher * self, GPtrArray * pads,
    const SecondPart * part, GPtrArray * trash)
{
  SecondBatch *batch = g_new0 (SecondBatch, 1);
  GstClockTime pts = running_time_locked (self, part->start);

  batch->index = self->timeline.index;
  batch->start = part->start;
  batch->end = part->end;
  batch->duration = running_time_locked (self, part->end) - pts;
  /* references may step back, running time does not */
  batch->pts = self->pts = MAX (pts, self->pts);
  batch->align = self->align;
  batch->post_message = self->post_messages;
  batch->output = self->output;
  batch->wrong_share = -1;
  batch->shares = g_array_sized_new (FALSE, FALSE, sizeof (SecondShare),
      pads->len);
  for (guint i = 0; i < pads->len; i++)
    make_share_locked (self, g_ptr_array_index (pads, i), batch, trash);
  return batch;
}

/* A hole is jumped where no empty batches are wanted, and where it is so long
 * that nobody can want them: a timestamp that leaps is no reason for a storm. */
static guint64
skip_locked (GstSecondBatcher * self)
{
  guint64 windows = second_timeline_hole (&self->timeline, self->tracks);

  if (windows <= MAX_EMPTY_BATCHES
      && self->incomplete != SECOND_INCOMPLETE_DROP)
    return 0;
  return windows;
}

/* Closes the open window and adds its batches to `batches`, unless it is thrown
 * away. Or, if nobody has a frame in it and in those behind it, jumps over all of
 * them: then TRUE, and `hole` in running time. */
gboolean
second_batcher_close_locked (GstSecondBatcher * self, GPtrArray * pads,
    GPtrArray * batches, SecondPart * hole, GPtrArray * trash)
{
  guint64 skipped;
  gboolean incomplete, drop;
  SecondPart part;

  second_timeline_begin_close (&self->timeline, self->tracks, trash);
  incomplete = second_timeline_is_incomplete (self->tracks);
  drop = incomplete && self->incomplete == SECOND_INCOMPLETE_DROP;
  skipped = skip_locked (self);
  find_shift_locked (self, skipped == 0 && !drop);
  hole->start = running_time_locked (self,
      second_timeline_start (&self->timeline));
  if (skipped > 0) {
    self->skipped_windows += skipped;
  } else if (drop) {
    self->dropped_windows++;
  } else {
    while (second_timeline_next_part (&self->timeline, self->tracks, &part))
      g_ptr_array_add (batches, make_batch_locked (self, pads, &part, trash));
    self->batches += batches->len;
    self->incomplete_batches += incomplete ? batches->len : 0;
  }
  second_timeline_end_close (&self->timeline, self->tracks, MAX (skipped, 1),
      trash);
  hole->end = running_time_locked (self,
      second_timeline_start (&self->timeline));
  return skipped > 0;
}

/* Events that no batch follows any more, as the shares of one */
SecondBatch *
second_batcher_take_events_locked (GPtrArray * pads)
{
  SecondBatch *batch = g_new0 (SecondBatch, 1);

  batch->shares = g_array_sized_new (FALSE, TRUE, sizeof (SecondShare),
      pads->len);
  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
    SecondShare share = { 0 };
    SecondEvent *event;

    share.pad = gst_object_ref (pad);
    share.format = second_format_ref (pad->format);
    while ((event = g_queue_pop_head (&pad->events)))
      g_queue_push_tail (&share.events, event);
    g_array_append_val (batch->shares, share);
  }
  return batch;
}

void
second_batch_free (SecondBatch * batch)
{
  if (batch == NULL)
    return;
  for (guint i = 0; i < batch->shares->len; i++) {
    SecondShare *share = &g_array_index (batch->shares, SecondShare, i);

    g_queue_clear_full (&share->events, (GDestroyNotify) second_event_free);
    g_clear_pointer (&share->list, gst_buffer_list_unref);
    g_clear_pointer (&share->memory, gst_memory_unref);
    second_format_unref (share->format);
    gst_object_unref (share->pad);
  }
  g_array_unref (batch->shares);
  g_free (batch);
}
