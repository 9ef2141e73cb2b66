/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cutting a batch out of the open window; nothing here calls outside */
#include "gstsecondbatcherpriv.h"

static SecondFrame *
frame_at (GstSecondBatcherPad * pad, guint i)
{
  return &g_array_index (pad->held, SecondFrame, i);
}

/* Index of the first held frame at or after a position */
static guint
find_position_locked (GstSecondBatcherPad * pad, guint64 pos)
{
  guint low = 0, high = pad->held->len;

  while (low < high) {
    guint middle = (low + high) / 2;

    if (frame_at (pad, middle)->pos < pos)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* A batch describes each stream once, so that it ends where a stream's caps or
 * segment change; the window goes on in another batch of the same index. */
static guint64
find_end_locked (GstSecondBatcher * self, GPtrArray * pads)
{
  guint64 end = second_window_end (&self->grid, self->index);
  guint i, f;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    f = find_position_locked (pad, self->cut) + 1;
    while (f < pad->held->len && frame_at (pad, f)->pos < end) {
      if (frame_at (pad, f)->format != frame_at (pad, f - 1)->format) {
        end = frame_at (pad, f)->pos;
        break;
      }
      f++;
    }
  }
  return end;
}

/* Lists keep their pool's buffers out; the guard must know for how long */
static void
follow_list_locked (GstSecondBatcherPad * pad, guint from, guint to,
    GstBufferList * list)
{
  guint i, count = 0;

  for (i = from; i < to; i++) {
    SecondPoolGuard *guard = frame_at (pad, i)->guard;

    if (guard == NULL)
      continue;
    count++;
    if (i + 1 == to || frame_at (pad, i + 1)->guard != guard) {
      second_pool_guard_follow_list (guard, list, count);
      count = 0;
    }
  }
}

static void
repeat_last_locked (GstSecondBatcherPad * pad, SecondShare * share, guint n)
{
  GstBuffer *last = pad->last;

  if (share->frames > 0)
    last = gst_buffer_list_get (share->list, share->frames - 1);
  for (; last && share->frames < n; share->frames++)
    gst_buffer_list_add (share->list, gst_buffer_ref (last));
}

/* FALSE if there are not exactly as many frames as wanted, and cannot be */
static gboolean
fill_locked (GstSecondBatcher * self, SecondShare * share, GPtrArray * trash)
{
  GstSecondBatcherPad *pad = share->pad;

  if (self->frames == 0)
    return TRUE;
  if (share->frames < self->frames && self->fill == SECOND_FILL_REPEAT_LAST)
    repeat_last_locked (pad, share, self->frames);
  if (self->fill == SECOND_FILL_REPEAT_LAST && share->frames > 0) {
    if (pad->last)
      g_ptr_array_add (trash, pad->last);
    pad->last = gst_buffer_ref (gst_buffer_list_get (share->list,
            share->frames - 1));
  }
  return share->frames == self->frames || self->fill != SECOND_FILL_ERROR;
}

/* The events among frames from..to, and behind them if no other is held */
static void
move_events_locked (GstSecondBatcherPad * pad, SecondShare * share, guint from,
    guint to)
{
  SecondEvent *event;

  while ((event = g_queue_peek_head (&pad->events))
      && (event->position < to || to == pad->held->len)) {
    g_queue_pop_head (&pad->events);
    event->position -= MIN (event->position, from);
    g_queue_push_tail (&share->events, event);
  }
}

static void
fill_share_locked (GstSecondBatcher * self, SecondShare * share,
    guint64 end)
{
  GstSecondBatcherPad *pad = share->pad;
  guint from = find_position_locked (pad, self->cut);
  guint to = find_position_locked (pad, end);
  guint take = to - from;
  guint i;

  share->format = second_format_ref (to > from ? frame_at (pad, from)->format :
      pad->format);
  if (self->frames > 0 && take > self->frames
      && self->fill != SECOND_FILL_ERROR) {
    share->dropped += take - self->frames;
    pad->total_dropped += take - self->frames;
    take = self->frames;
  }

  share->list = gst_buffer_list_new_sized (MAX (take, self->frames));
  for (i = from; i < to; i++) {
    if (i < from + take)
      gst_buffer_list_add (share->list,
          gst_buffer_ref (frame_at (pad, i)->buffer));
    frame_at (pad, i)->delivered = TRUE;
  }
  follow_list_locked (pad, from, from + take, share->list);
  share->frames = take;
  move_events_locked (pad, share, from, to);
}

static void
make_share_locked (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    SecondBatch * batch, GPtrArray * trash)
{
  SecondShare share = { 0 };

  share.pad = gst_object_ref (pad);
  share.late = pad->late;
  share.dropped = pad->dropped;
  pad->late = pad->dropped = 0;
  fill_share_locked (self, &share, batch->end);
  share.expected = second_window_expected (batch->start, batch->end,
      pad->has_phase ? pad->phase : batch->start, share.format->fps_n,
      share.format->fps_d);
  if (!fill_locked (self, &share, trash))
    batch->wrong_share = (gint) batch->shares->len;
  g_array_append_val (batch->shares, share);
}

/* Whether some stream has no frame in the open window */
static gboolean
is_lacking_locked (GstSecondBatcher * self, GPtrArray * pads)
{
  guint64 end = second_window_end (&self->grid, self->index);
  guint i;

  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (find_position_locked (pad, self->cut) ==
        find_position_locked (pad, end))
      return TRUE;
  }
  return FALSE;
}

static void
close_window_locked (GstSecondBatcher * self, GPtrArray * pads,
    GPtrArray * trash)
{
  guint i;

  self->index++;
  self->cut = second_window_start (&self->grid, self->index);
  for (i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    second_batcher_pad_discard_locked (pad,
        find_position_locked (pad, self->cut), trash);
    pad->past = FALSE;
  }
}

static SecondBatch *
make_batch_locked (GstSecondBatcher * self, GPtrArray * pads, guint64 end,
    GPtrArray * trash)
{
  SecondBatch *batch = g_new0 (SecondBatch, 1);
  guint i;

  batch->index = self->index;
  batch->start = self->cut;
  batch->end = end;
  batch->pts = second_batcher_running_time_locked (self, self->cut);
  batch->duration = second_batcher_running_time_locked (self, end) - batch->pts;
  batch->align = self->align;
  batch->post_message = self->post_messages;
  batch->output = self->output;
  batch->wrong_share = -1;
  batch->shares = g_array_sized_new (FALSE, FALSE, sizeof (SecondShare),
      pads->len);
  for (i = 0; i < pads->len; i++)
    make_share_locked (self, g_ptr_array_index (pads, i), batch, trash);

  self->batches++;
  if (self->lacking)
    self->incomplete_batches++;
  return batch;
}

/* The next batch of the open window, which is closed with its last batch. NULL
 * if incomplete=drop throws the window away. */
SecondBatch *
second_batcher_cut_locked (GstSecondBatcher * self, GPtrArray * pads,
    GPtrArray * trash)
{
  guint64 window_end = second_window_end (&self->grid, self->index);
  SecondBatch *batch = NULL;
  guint64 end;

  self->started = TRUE;
  if (self->cut == second_window_start (&self->grid, self->index))
    self->lacking = is_lacking_locked (self, pads);

  if (self->lacking && self->incomplete == SECOND_INCOMPLETE_DROP) {
    self->dropped_windows++;
    end = window_end;
  } else {
    end = find_end_locked (self, pads);
    batch = make_batch_locked (self, pads, end, trash);
  }

  if (end == window_end)
    close_window_locked (self, pads, trash);
  else
    self->cut = end;
  return batch;
}

void
second_batch_free (SecondBatch * batch)
{
  guint i;

  for (i = 0; i < batch->shares->len; i++) {
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
