/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstsecondbatcherpriv.h"

enum
{
  PROP_0,
  PROP_TS_OFFSET
};

G_DEFINE_TYPE (GstSecondBatcherPad, gst_second_batcher_pad,
    GST_TYPE_AGGREGATOR_PAD);

/* --- formats --- */

SecondFormat *
second_format_new (const SecondFormat * base)
{
  SecondFormat *format = g_atomic_rc_box_new0 (SecondFormat);
  guint i;

  if (base) {
    *format = *base;
    if (format->caps)
      gst_caps_ref (format->caps);
    format->stream_id = g_strdup (base->stream_id);
    for (i = 0; i < SECOND_TOLD_LAST; i++)
      if (format->told[i])
        gst_event_ref (format->told[i]);
  } else {
    gst_segment_init (&format->segment, GST_FORMAT_UNDEFINED);
    format->fps_d = 1;
  }
  return format;
}

SecondFormat *
second_format_ref (SecondFormat * format)
{
  return g_atomic_rc_box_acquire (format);
}

static void
format_clear (gpointer data)
{
  SecondFormat *format = data;
  guint i;

  for (i = 0; i < SECOND_TOLD_LAST; i++)
    gst_event_replace (&format->told[i], NULL);
  gst_clear_caps (&format->caps);
  g_free (format->stream_id);
}

void
second_event_free (SecondEvent * event)
{
  gst_event_unref (event->event);
  g_free (event);
}

void
second_format_unref (SecondFormat * format)
{
  g_atomic_rc_box_release_full (format, format_clear);
}

gboolean
second_format_equal (const SecondFormat * a, const SecondFormat * b)
{
  GstSegment sa, sb;

  if (a == b)
    return TRUE;
  if (g_strcmp0 (a->stream_id, b->stream_id) != 0)
    return FALSE;
  if (a->caps != b->caps && (a->caps == NULL || b->caps == NULL
          || !gst_caps_is_equal (a->caps, b->caps)))
    return FALSE;

  /* where upstream was when it sent the segment does not change its meaning */
  sa = a->segment;
  sb = b->segment;
  sa.position = sb.position = 0;
  return gst_segment_is_equal (&sa, &sb);
}

GstClockTime
second_format_frame_duration (const SecondFormat * format)
{
  if (format->fps_n <= 0 || format->fps_d <= 0)
    return GST_CLOCK_TIME_NONE;
  return gst_util_uint64_scale (GST_SECOND, format->fps_d, format->fps_n);
}

/* --- held frames --- */

void
second_batcher_pad_hold_locked (GstSecondBatcherPad * pad,
    const SecondFrame * frame)
{
  SecondFrame *held = (SecondFrame *) pad->held->data;
  guint at = pad->held->len;
  SecondFrame copy = *frame;

  /* Frames come in order but for late ones that go into the next window. None
   * goes before one of another format: batches are cut between formats. */
  while (at > 0 && held[at - 1].time > frame->time
      && held[at - 1].format == frame->format)
    at--;
  if (at > 0 && held[at - 1].format != frame->format)
    copy.pos = MAX (copy.pos, held[at - 1].pos + 1);
  g_array_insert_val (pad->held, at, copy);
  if (frame->guard)
    second_pool_guard_hold (frame->guard);
}

void
second_batcher_pad_discard_locked (GstSecondBatcherPad * pad, guint n,
    GPtrArray * trash)
{
  GList *l;
  guint i;

  for (i = 0; i < n; i++) {
    SecondFrame *frame = &g_array_index (pad->held, SecondFrame, i);

    if (!frame->delivered) {
      pad->dropped++;
      pad->total_dropped++;
    }
    if (frame->guard) {
      second_pool_guard_release (frame->guard);
      second_pool_guard_unref (frame->guard);
    }
    second_format_unref (frame->format);
    g_ptr_array_add (trash, frame->buffer);
  }
  g_array_remove_range (pad->held, 0, n);
  for (l = pad->events.head; l; l = l->next) {
    SecondEvent *event = l->data;

    event->position -= MIN (event->position, n);
  }
}

void
second_batcher_pad_clear_locked (GstSecondBatcherPad * pad, GPtrArray * trash)
{
  guint i;

  /* Flushing and stopping throw away; that is no loss to be counted */
  for (i = 0; i < pad->held->len; i++)
    g_array_index (pad->held, SecondFrame, i).delivered = TRUE;
  second_batcher_pad_discard_locked (pad, pad->held->len, trash);

  if (pad->last)
    g_ptr_array_add (trash, pad->last);
  pad->last = NULL;
  g_queue_clear_full (&pad->events, (GDestroyNotify) second_event_free);
  g_clear_pointer (&pad->guard, second_pool_guard_unref);
  pad->pool = NULL;
  pad->queued = pad->queued_others = 0;
  g_cond_signal (&pad->dequeued);
  pad->past = pad->has_phase = pad->has_shift = pad->has_reference = FALSE;
  pad->late = pad->dropped = 0;
}

SecondPoolGuard *
second_batcher_pad_guard_locked (GstSecondBatcherPad * pad, GstBuffer * buffer,
    guint granted)
{
  if (buffer->pool == NULL)
    return NULL;
  if (buffer->pool != pad->pool) {
    g_clear_pointer (&pad->guard, second_pool_guard_unref);
    pad->pool = buffer->pool;
    pad->guard = second_pool_guard_new (buffer->pool, granted);
  }
  return pad->guard;
}

/* After an error or a flush the base class empties its queue by itself, so that
 * less may come out than went in. */
void
second_batcher_pad_dequeued_locked (GstSecondBatcherPad * pad)
{
  if (pad->queued > 0)
    pad->queued--;
  if (pad->queued == 0)
    g_cond_signal (&pad->dequeued);
}

void
second_batcher_pad_other_queued_locked (GstSecondBatcherPad * pad)
{
  pad->queued++;
  pad->queued_others++;
}

void
second_batcher_pad_other_dequeued_locked (GstSecondBatcherPad * pad)
{
  if (pad->queued_others > 0)
    pad->queued_others--;
  second_batcher_pad_dequeued_locked (pad);
}

guint
second_batcher_pad_number (GstPad * pad)
{
  const gchar *underscore = strrchr (GST_PAD_NAME (pad), '_');

  return underscore ? (guint) g_ascii_strtoull (underscore + 1, NULL, 10) : 0;
}

/* --- GObject --- */

static GstFlowReturn
gst_second_batcher_pad_flush (GstAggregatorPad * aggpad, GstAggregator * agg)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (aggpad);
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GPtrArray *trash = g_ptr_array_new_with_free_func
      ((GDestroyNotify) gst_buffer_unref);
  SecondFormat *format;

  g_mutex_lock (&self->lock);
  second_batcher_pad_clear_locked (pad, trash);
  format = second_format_new (pad->format);
  gst_segment_init (&format->segment, GST_FORMAT_UNDEFINED);
  gst_event_replace (&format->told[SECOND_TOLD_SEGMENT], NULL);
  second_format_unref (pad->format);
  pad->format = format;
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (trash);

  return GST_FLOW_OK;
}

static GstSecondBatcher *
get_batcher (GstSecondBatcherPad * pad)
{
  GstObject *parent = gst_object_get_parent (GST_OBJECT_CAST (pad));

  return parent ? GST_SECOND_BATCHER (parent) : NULL;
}

static void
gst_second_batcher_pad_set_property (GObject * object, guint id,
    const GValue * value, GParamSpec * pspec)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (object);
  GstSecondBatcher *self = get_batcher (pad);

  switch (id) {
    case PROP_TS_OFFSET:
      if (self)
        g_mutex_lock (&self->lock);
      pad->ts_offset = g_value_get_int64 (value);
      if (self)
        g_mutex_unlock (&self->lock);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_clear_pointer (&self, gst_object_unref);
}

static void
gst_second_batcher_pad_get_property (GObject * object, guint id,
    GValue * value, GParamSpec * pspec)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (object);
  GstSecondBatcher *self = get_batcher (pad);

  switch (id) {
    case PROP_TS_OFFSET:
      if (self)
        g_mutex_lock (&self->lock);
      g_value_set_int64 (value, pad->ts_offset);
      if (self)
        g_mutex_unlock (&self->lock);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_clear_pointer (&self, gst_object_unref);
}

static void
gst_second_batcher_pad_constructed (GObject * object)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (object);

  G_OBJECT_CLASS (gst_second_batcher_pad_parent_class)->constructed (object);
  pad->queue_chain = GST_PAD_CHAINFUNC (pad);
  gst_pad_set_chain_function (GST_PAD (pad),
      GST_DEBUG_FUNCPTR (second_batcher_pad_chain));
}

static void
gst_second_batcher_pad_finalize (GObject * object)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (object);
  GPtrArray *trash = g_ptr_array_new_with_free_func
      ((GDestroyNotify) gst_buffer_unref);

  second_batcher_pad_clear_locked (pad, trash);
  g_ptr_array_unref (trash);
  second_batcher_pad_clear_span (pad);
  second_format_unref (pad->format);
  g_array_unref (pad->held);
  g_ptr_array_unref (pad->sticky);
  g_cond_clear (&pad->dequeued);

  G_OBJECT_CLASS (gst_second_batcher_pad_parent_class)->finalize (object);
}

static void
gst_second_batcher_pad_class_init (GstSecondBatcherPadClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstAggregatorPadClass *pad_class = GST_AGGREGATOR_PAD_CLASS (klass);

  object_class->constructed = gst_second_batcher_pad_constructed;
  object_class->finalize = gst_second_batcher_pad_finalize;
  object_class->set_property = gst_second_batcher_pad_set_property;
  object_class->get_property = gst_second_batcher_pad_get_property;
  pad_class->flush = gst_second_batcher_pad_flush;

  g_object_class_install_property (object_class, PROP_TS_OFFSET,
      g_param_spec_int64 ("ts-offset", "Timestamp offset",
          "Nanoseconds to add to the time of this stream's frames before their "
          "window is chosen, for a camera of known skew; the frames themselves "
          "do not change (default 0)", G_MININT64 / 2, G_MAXINT64 / 2, 0,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
          GST_PARAM_MUTABLE_PLAYING));
}

static void
gst_second_batcher_pad_init (GstSecondBatcherPad * pad)
{
  pad->format = second_format_new (NULL);
  pad->held = g_array_new (FALSE, FALSE, sizeof (SecondFrame));
  g_queue_init (&pad->events);
  pad->sticky = g_ptr_array_new_with_free_func
      ((GDestroyNotify) gst_event_unref);
  g_cond_init (&pad->dequeued);
}
