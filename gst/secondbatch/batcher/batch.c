/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The batches of a window that is over; nothing here calls outside */
#include "batcher/batcher.h"

/* A hole in all streams of up to this many windows is filled with batches */
#define MAX_EMPTY_BATCHES 100

/* Repeats the last frame, but only under the format that it came with */
static void
repeat_last_locked (SecondStreamWindow * window, const SecondHeld * last,
    guint n, GPtrArray * trash)
{
  GstSecondBatcherPad *pad = window->pad;

  if (last) {
    if (pad->last)
      g_ptr_array_add (trash, pad->last);
    pad->last = second_held_new (last->buffer, last->format, last->shift);
  }
  if (pad->last == NULL
      || !second_format_equal (pad->last->format, window->format))
    return;
  for (; window->frames < n; window->frames++)
    gst_buffer_list_add (window->list, gst_buffer_ref (pad->last->buffer));
}

/* Takes the events that stand behind frames of this batch or earlier ones
 * alone, up to the first one of a format that has not begun */
static void
move_events_locked (SecondStreamWindow * window)
{
  SecondTrack *track = &window->pad->track;
  SecondFrame *frame = NULL;
  SecondEvent *event;

  while ((event = g_queue_peek_head (&window->pad->events))
      && event->format <= window->format->number
      && second_track_is_seen (track, event->seq)) {
    g_queue_pop_head (&window->pad->events);
    event->position = 0;
    while ((frame = second_track_next (track, frame)))
      event->position += frame->chosen && frame->seq < event->seq;
    event->position = MIN (event->position, window->frames);
    g_queue_push_tail (&window->events, event);
  }
}

/* Lists the frames of the part that was chosen last, and returns the last one,
 * or NULL */
static SecondHeld *
list_frames_locked (GstSecondBatcher * self, SecondStreamWindow * window)
{
  SecondTrack *track = &window->pad->track;
  guint64 next = second_timeline_start (&self->timeline)
      + self->timeline.grid.hop;
  SecondFormat *format = window->pad->format;
  SecondFrame *frame = NULL;
  SecondHeld *last = NULL;
  guint most = G_MAXUINT;

  if (self->frames > 0 && self->fill != SECOND_FILL_ERROR)
    most = self->frames;
  window->list = gst_buffer_list_new_sized (MAX (track->frames->len,
          self->frames));
  while ((frame = second_track_next (track, frame))) {
    SecondHeld *held = frame->data;

    if (held->format->number == track->part_format)
      format = held->format;
    if (frame->chosen && window->frames < most) {
      gst_buffer_list_add (window->list, gst_buffer_ref (held->buffer));
      if (held->usage)
        second_pool_usage_follow_list (held->usage, window->list);
      frame->delivered = TRUE;
      window->frames++;
      last = held;
    } else if (frame->chosen && !frame->delivered && frame->pos < next) {
      second_track_drop (track);
      frame->delivered = TRUE;  /* counted here, not again when it goes */
    }
  }
  window->format = second_format_ref (format);
  return last;
}

static void
add_stream_locked (GstSecondBatcher * self, SecondBatch * batch,
    GstSecondBatcherPad * pad, GPtrArray * trash)
{
  SecondTrack *track = &pad->track;
  SecondStreamWindow window = { .pad = gst_object_ref (pad) };
  SecondHeld *last = list_frames_locked (self, &window);

  move_events_locked (&window);
  window.expected = second_window_expected (batch->start, batch->end,
      track->part_phase == G_MAXUINT64 ? batch->start : track->part_phase,
      second_window_scale_rate (window.format->rate,
          window.format->segment.rate));
  if (self->frames > 0 && self->fill == SECOND_FILL_REPEAT_LAST)
    repeat_last_locked (&window, last, self->frames, trash);
  if (self->frames > 0 && self->fill == SECOND_FILL_ERROR
      && window.frames != self->frames)
    batch->wrong_stream = (gint) batch->streams->len;

  window.late = track->late;
  window.dropped = track->dropped;
  track->late = track->dropped = 0;
  g_array_append_val (batch->streams, window);
}

/* Finds the window's time minus its running time. With reference timestamps
 * each stream has its own; that of the earliest frame counts. */
static void
find_shift_locked (GstSecondBatcher * self, gboolean pushing)
{
  const SecondFrame *first = NULL;

  if (self->align != SECOND_ALIGN_REFERENCE_TIMESTAMP) {
    self->shift = self->align == SECOND_ALIGN_FIRST_FRAME ?
        -self->timeline.zero : self->clock_offset;
    return;
  }
  for (guint i = 0; i < self->timeline.tracks->len && pushing; i++) {
    const SecondFrame *frame = NULL;

    while ((frame = second_track_next (second_track_at (&self->timeline, i),
                frame)))
      if (frame->left && (first == NULL || frame->time < first->time))
        first = frame;
  }
  if (first)
    self->shift = ((SecondHeld *) first->data)->shift;
}

/* Converts a time in the alignment */
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
  batch->wrong_stream = -1;
  batch->streams = g_array_sized_new (FALSE, FALSE,
      sizeof (SecondStreamWindow), pads->len);
  for (guint i = 0; i < pads->len; i++)
    add_stream_locked (self, batch, g_ptr_array_index (pads, i), trash);
  return batch;
}

gboolean
second_batcher_close_locked (GstSecondBatcher * self, GPtrArray * pads,
    GPtrArray * batches, SecondPart * hole, GPtrArray * trash)
{
  guint64 skipped;
  gboolean incomplete, drop;
  SecondPart part;

  second_timeline_begin_close (&self->timeline, trash);
  incomplete = second_timeline_is_incomplete (&self->timeline);
  drop = incomplete && self->incomplete == SECOND_INCOMPLETE_DROP;
  /* Jumps a hole where no empty batches are wanted, or so long that nobody can
   * want them. No leap of timestamps makes a storm of batches. */
  skipped = second_timeline_hole (&self->timeline);
  if (skipped <= MAX_EMPTY_BATCHES
      && self->incomplete != SECOND_INCOMPLETE_DROP)
    skipped = 0;
  find_shift_locked (self, skipped == 0 && !drop);
  hole->start = running_time_locked (self,
      second_timeline_start (&self->timeline));
  if (skipped > 0) {
    GST_DEBUG_OBJECT (self, "no stream has a frame in windows %"
        G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT " more: skipped",
        self->timeline.index, skipped - 1);
    self->skipped_windows += skipped;
  } else if (drop) {
    GST_DEBUG_OBJECT (self, "window %" G_GUINT64_FORMAT " is incomplete: "
        "dropped", self->timeline.index);
    self->dropped_windows++;
  } else {
    while (second_timeline_next_part (&self->timeline, &part))
      g_ptr_array_add (batches, make_batch_locked (self, pads, &part, trash));
    self->batches += batches->len;
    self->incomplete_batches += incomplete ? batches->len : 0;
  }
  second_timeline_end_close (&self->timeline, MAX (skipped, 1), trash);
  hole->end = running_time_locked (self,
      second_timeline_start (&self->timeline));
  return skipped > 0;
}

void
second_batch_free (SecondBatch * batch)
{
  for (guint i = 0; i < batch->streams->len; i++) {
    SecondStreamWindow *window = second_batch_stream (batch, i);

    g_queue_clear_full (&window->events, (GDestroyNotify) second_event_free);
    g_clear_pointer (&window->list, gst_buffer_list_unref);
    g_clear_pointer (&window->memory, gst_memory_unref);
    second_format_unref (window->format);
    gst_object_unref (window->pad);
  }
  g_array_unref (batch->streams);
  g_free (batch);
}
