/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "batcher/batcher.h"

enum
{
  PROP_0,
  PROP_TS_OFFSET
};

G_DEFINE_TYPE (GstSecondBatcherPad, gst_second_batcher_pad,
    GST_TYPE_AGGREGATOR_PAD);

SecondHeld *
second_held_new (GstBuffer * buffer, SecondFormat * format, gint64 shift)
{
  SecondHeld *held = g_new0 (SecondHeld, 1);

  held->buffer = gst_buffer_ref (buffer);
  held->format = second_format_ref (format);
  held->shift = shift;
  return held;
}

void
second_held_free (SecondHeld * held)
{
  gst_buffer_unref (held->buffer);
  second_format_unref (held->format);
  if (held->usage)
    second_pool_usage_remove (held->usage);
  g_free (held);
}

GPtrArray *
second_trash_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) second_held_free);
}

void
second_event_free (SecondEvent * event)
{
  gst_event_unref (event->event);
  g_free (event);
}

static void
forget_pool_locked (GstSecondBatcherPad * pad)
{
  g_clear_pointer (&pad->usage, second_pool_usage_unref);
  pad->pool = NULL;
}

/* Throws all away, for a flush or stop; counts none of it as lost */
void
second_pad_clear_locked (GstSecondBatcherPad * pad, GPtrArray * trash)
{
  second_track_reset (&pad->track, trash);
  if (pad->last)
    g_ptr_array_add (trash, pad->last);
  pad->last = NULL;
  g_clear_pointer (&pad->last_format, second_format_unref);
  g_queue_clear_full (&pad->events, (GDestroyNotify) second_event_free);
  forget_pool_locked (pad);
  pad->has_reference = FALSE;
  pad->clipped = NULL;
  g_atomic_pointer_set (&pad->latest, NULL);
}

/* Counts a frame that is held; NULL if its pool is not bounded */
SecondPoolUsage *
second_pad_add_usage_locked (GstSecondBatcherPad * pad, GstBuffer * buffer,
    guint granted)
{
  if (buffer->pool == NULL)
    return NULL;
  if (buffer->pool != pad->pool) {
    forget_pool_locked (pad);
    pad->pool = buffer->pool;
    pad->usage = second_pool_usage_new (buffer->pool, granted);
  }
  return pad->usage ? second_pool_usage_add (pad->usage) : NULL;
}

/* Takes @format, and returns the one to unref after unlocking. Frames that are
 * held keep the format they came with. A format that comes back before a frame
 * of another is no change. */
SecondFormat *
second_pad_change_format_locked (GstSecondBatcherPad * pad,
    SecondFormat * format)
{
  SecondFormat *old = pad->format;
  gboolean back = pad->last_format
      && second_format_equal (format, pad->last_format);

  if (second_format_equal (format, old))
    return format;
  if (back)
    second_track_restore_format (&pad->track);
  else
    second_track_change_format (&pad->track);
  format->number = pad->track.format;
  pad->format = format;
  for (GList * l = pad->events.head; back && l; l = l->next)
    ((SecondEvent *) l->data)->format =
        MIN (((SecondEvent *) l->data)->format, format->number);
  forget_pool_locked (pad);
  return old;
}

guint
second_pad_number (GstPad * pad)
{
  const gchar *underscore = strrchr (GST_PAD_NAME (pad), '_');

  return underscore ? (guint) g_ascii_strtoull (underscore + 1, NULL, 10) : 0;
}

static GstFlowReturn
gst_second_batcher_pad_flush (GstAggregatorPad * aggpad, GstAggregator * agg)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (aggpad);
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  g_autoptr (GPtrArray) trash = second_trash_new ();
  g_autoptr (SecondFormat) format = NULL;
  SECOND_LOCK_BLOCK (&self->lock);

  GST_INFO_OBJECT (pad, "emptied, by a flush or the end");
  format = second_format_new (pad->format);
  gst_segment_init (&format->segment, GST_FORMAT_UNDEFINED);
  gst_event_replace (&format->events[SECOND_FORMAT_SEGMENT], NULL);
  second_pad_clear_locked (pad, trash);
  format = second_pad_change_format_locked (pad, format);
  second_timeline_place_start (&self->timeline);
  return GST_FLOW_OK;
}

/* ts-offset is the only property */
static void
gst_second_batcher_pad_set_property (GObject * object, guint id,
    const GValue * value, GParamSpec * pspec)
{
  GST_SECOND_BATCHER_PAD (object)->ts_offset = g_value_get_int64 (value);
}

static void
gst_second_batcher_pad_get_property (GObject * object, guint id,
    GValue * value, GParamSpec * pspec)
{
  g_value_set_int64 (value, GST_SECOND_BATCHER_PAD (object)->ts_offset);
}

static void
gst_second_batcher_pad_finalize (GObject * object)
{
  GstSecondBatcherPad *pad = GST_SECOND_BATCHER_PAD (object);
  g_autoptr (GPtrArray) trash = second_trash_new ();

  second_pad_clear_locked (pad, trash);
  g_array_unref (pad->track.frames);
  second_pad_clear_span (pad);
  second_format_unref (pad->format);
  g_ptr_array_unref (pad->sticky);

  G_OBJECT_CLASS (gst_second_batcher_pad_parent_class)->finalize (object);
}

static void
gst_second_batcher_pad_class_init (GstSecondBatcherPadClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstAggregatorPadClass *pad_class = GST_AGGREGATOR_PAD_CLASS (klass);

  object_class->finalize = gst_second_batcher_pad_finalize;
  object_class->set_property = gst_second_batcher_pad_set_property;
  object_class->get_property = gst_second_batcher_pad_get_property;
  pad_class->flush = GST_DEBUG_FUNCPTR (gst_second_batcher_pad_flush);

  /**
   * GstSecondBatcherPad:ts-offset:
   * The known skew of a camera, by which its frames move on the grid.
   *
   * Since: 0.2
   */
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
  second_track_init (&pad->track);
  g_queue_init (&pad->events);
  pad->sticky = g_ptr_array_new_with_free_func
      ((GDestroyNotify) gst_event_unref);
}

void
second_pad_note_item (GstSecondBatcherPad * pad, gpointer item)
{
  g_atomic_int_inc (&pad->n_items);
  g_atomic_pointer_set (&pad->latest, item);
}

static gint
compare_pads (gconstpointer a, gconstpointer b)
{
  guint na = second_pad_number (*(GstPad * const *) a);
  guint nb = second_pad_number (*(GstPad * const *) b);

  return na < nb ? -1 : na > nb;
}

/* Sink pads by number, so that sink_10 comes after sink_2. Only the source
 * pad's task calls this, so that the array stays during one aggregate(). What a
 * released pad showed decides no start any more. */
GPtrArray *
second_batcher_pads (GstSecondBatcher * self)
{
  GstElement *element = GST_ELEMENT_CAST (self);
  /* freed after unlocking, and with it released pads and their frames */
  g_autoptr (GPtrArray) old = NULL;
  SECOND_LOCK_BLOCK (GST_OBJECT_GET_LOCK (self));

  if (self->pads == NULL || self->pads_cookie != element->pads_cookie) {
    old = self->pads;
    self->pads = g_ptr_array_new_with_free_func (gst_object_unref);
    for (GList * l = element->sinkpads; l; l = l->next)
      g_ptr_array_add (self->pads, gst_object_ref (l->data));
    g_ptr_array_sort (self->pads, compare_pads);
    self->pads_cookie = element->pads_cookie;
    g_mutex_lock (&self->lock);
    g_ptr_array_set_size (self->timeline.tracks, 0);
    for (guint i = 0; i < self->pads->len; i++)
      g_ptr_array_add (self->timeline.tracks, &GST_SECOND_BATCHER_PAD
          (g_ptr_array_index (self->pads, i))->track);
    second_timeline_place_start (&self->timeline);
    g_mutex_unlock (&self->lock);
  }
  return self->pads;
}

/* Finds a frame, from *i on, whose buffer should go back to its pool */
static SecondHeld *
find_pooled (GstSecondBatcher * self, GstSecondBatcherPad * pad, gboolean all,
    guint * i)
{
  SECOND_LOCK_BLOCK (&self->lock);

  if (!all && !(pad->usage && second_pool_usage_is_high (pad->usage)))
    return NULL;
  for (; *i < pad->track.frames->len; ++*i) {
    SecondHeld *held = second_track_frame (&pad->track, *i)->data;

    if (all ? held->buffer->pool != NULL : held->usage == pad->usage)
      return second_held_new (held->buffer, held->format, held->shift);
  }
  return NULL;
}

void
second_batcher_copy_frames (GstSecondBatcher * self, GstSecondBatcherPad * pad,
    gboolean all)
{
  SecondHeld *copy;

  for (guint i = 0; (copy = find_pooled (self, pad, all, &i)); i++) {
    GstBuffer *buffer = copy->buffer;

    copy->buffer = gst_buffer_copy_deep (buffer);
    g_mutex_lock (&self->lock);
    /* a flush may have taken it out meanwhile; only this thread does else */
    if (i < pad->track.frames->len) {
      SecondFrame *frame = second_track_frame (&pad->track, i);
      SecondHeld *held = frame->data;

      if (held->buffer == buffer) {
        frame->data = copy;
        copy = held;
        pad->total_copied++;
      }
    }
    g_mutex_unlock (&self->lock);
    second_held_free (copy);
    gst_buffer_unref (buffer);
  }
}
