/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Closes windows that are over, and makes caps, buffers and messages of their
 * batches. Source pad's task. */
#include "batcher/batcher.h"
#include "gstsecondbatchmeta.h"

/* The field "prefix-K"; its type and value follow, and NULL */
static void G_GNUC_NULL_TERMINATED
set_field (GstStructure * s, const gchar * prefix, guint stream, ...)
{
  gchar name[32];
  va_list value;

  g_snprintf (name, sizeof (name), "%s-%u", prefix, stream);
  va_start (value, stream);
  gst_structure_set_valist (s, name, value);
  va_end (value);
}

static void
set_counts (GstStructure * s, guint k, const SecondStreamWindow * window)
{
  set_field (s, "frames", k, G_TYPE_UINT, window->frames, NULL);
  set_field (s, "expected", k, G_TYPE_UINT, window->expected, NULL);
  set_field (s, "late", k, G_TYPE_UINT, window->late, NULL);
  set_field (s, "dropped", k, G_TYPE_UINT, window->dropped, NULL);
}

static void
set_stream (GstStructure * s, guint k, const SecondStreamWindow * window)
{
  const SecondFormat *format = window->format;

  set_field (s, "buffers", k, GST_TYPE_BUFFER_LIST, window->list, NULL);
  if (format->caps)
    set_field (s, "caps", k, GST_TYPE_CAPS, format->caps, NULL);
  set_field (s, "segment", k, GST_TYPE_SEGMENT, &format->segment, NULL);
  set_field (s, "stream-id", k, G_TYPE_STRING, format->stream_id, NULL);
  set_counts (s, k, window);
  set_field (s, "contiguous", k, G_TYPE_BOOLEAN, window->contiguous, NULL);
  set_field (s, "frame-stride", k, G_TYPE_UINT64,
      window->contiguous ? window->stride : (guint64) 0, NULL);
}

/* Moves what the batch holds into the buffer */
static GstBuffer *
make_buffer (GstSecondBatcher * self, SecondBatch * batch)
{
  GstBuffer *buffer = gst_buffer_new ();
  GstStructure *s = gst_custom_meta_get_structure
      (gst_buffer_add_custom_meta (buffer, GST_SECOND_BATCH_META_NAME));

  GST_BUFFER_PTS (buffer) = batch->pts;
  GST_BUFFER_DURATION (buffer) = batch->duration;
  GST_BUFFER_OFFSET (buffer) = batch->index;
  gst_structure_set (s, "version", G_TYPE_UINT, GST_SECOND_BATCH_VERSION,
      "index", G_TYPE_UINT64, batch->index,
      "window-start", G_TYPE_UINT64, batch->start,
      "window-duration", G_TYPE_UINT64, batch->end - batch->start,
      "align", G_TYPE_STRING, second_align_nick (batch->align),
      "n-streams", G_TYPE_UINT, batch->streams->len, NULL);
#ifdef HAVE_GST_ANALYTICS
  if (second_batcher_wants_analytics (self))
    second_batcher_add_analytics (buffer, batch);
#endif
  for (guint i = 0; i < batch->streams->len; i++) {
    SecondStreamWindow *window = second_batch_stream (batch, i);

    set_stream (s, i, window);
    if (window->memory)
      gst_buffer_append_memory (buffer, g_steal_pointer (&window->memory));
    /* from here on the frames belong to downstream alone */
    g_clear_pointer (&window->list, gst_buffer_list_unref);
  }
  return buffer;
}

static GstCaps *
make_caps (GstSecondBatcher * self, const SecondBatch * batch)
{
  GstCaps *caps = gst_caps_new_empty_simple (GST_SECOND_BATCH_CAPS_NAME);
  GValue streams = G_VALUE_INIT, value = G_VALUE_INIT;

  g_value_init (&streams, GST_TYPE_ARRAY);
  for (guint i = 0; i < batch->streams->len; i++) {
    GstCaps *stream = second_batch_stream (batch, i)->format->caps;

    /* analyticscombiner names a stream without caps like that, too; with EMPTY
     * caps the array is not fixed since 1.28 */
    g_value_init (&value, GST_TYPE_CAPS);
    g_value_take_boxed (&value, stream ? gst_caps_ref (stream) :
        gst_caps_new_empty_simple ("application/unknown"));
    gst_value_array_append_and_take_value (&streams, &value);
  }
  gst_caps_set_value (caps, "streams", &streams);
  g_value_unset (&streams);
  /* the grid does not change while we run */
  gst_caps_set_simple (caps, "batch-duration", G_TYPE_UINT64,
      self->timeline.grid.duration, NULL);
#ifdef HAVE_GST_ANALYTICS
  second_batcher_offer_analytics (caps);
#endif
  return caps;
}

static GstFlowReturn
update_src_caps (GstAggregator * agg, GstCaps * filter, GstCaps ** caps)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);

#ifdef HAVE_GST_ANALYTICS
  if (!self->caps_changed
      && (*caps = second_batcher_keep_caps (self, filter)) != NULL)
    return GST_FLOW_OK;
  self->caps_changed = FALSE;
#endif
  *caps = gst_caps_intersect_full (self->out_caps, filter,
      GST_CAPS_INTERSECT_FIRST);
  return GST_FLOW_OK;
}

static GstFlowReturn
negotiate (GstSecondBatcher * self, const SecondBatch * batch)
{
  GstAggregator *agg = GST_AGGREGATOR (self);
  GstCaps *caps = make_caps (self, batch);

  if (self->out_caps && gst_caps_is_equal (caps, self->out_caps)) {
    gst_caps_unref (caps);
    return GST_FLOW_OK;
  }

  GST_DEBUG_OBJECT (self, "batches are now of %" GST_PTR_FORMAT, caps);
  gst_caps_take (&self->out_caps, caps);
  self->caps_changed = TRUE;
  if (gst_aggregator_negotiate (agg))
    return GST_FLOW_OK;
  if (GST_PAD_IS_FLUSHING (agg->srcpad))
    return GST_FLOW_FLUSHING;

  gst_clear_caps (&self->out_caps);
  GST_ELEMENT_ERROR (self, CORE, NEGOTIATION,
      ("The element after this one does not take %s; link secondsplitter, "
          "shmframesink or appsink instead.", GST_SECOND_BATCH_CAPS_NAME),
      (NULL));
  return GST_FLOW_NOT_NEGOTIATED;
}

/* The counts of a batch, for messages, handlers and the log */
static GstStructure *
make_counts (const SecondBatch * batch)
{
  GstStructure *s = gst_structure_new ("second-batch",
      "index", G_TYPE_UINT64, batch->index,
      "window-start", G_TYPE_UINT64, batch->start,
      "window-duration", G_TYPE_UINT64, batch->end - batch->start,
      "n-streams", G_TYPE_UINT, batch->streams->len, NULL);

  for (guint i = 0; i < batch->streams->len; i++)
    set_counts (s, i, second_batch_stream (batch, i));
  return s;
}

static GstFlowReturn
complain_about_count (GstSecondBatcher * self, const SecondBatch * batch)
{
  const SecondStreamWindow *window =
      second_batch_stream (batch, (guint) batch->wrong_stream);

  GST_ELEMENT_ERROR (self, STREAM, FAILED,
      ("Pad %s has %u frames in window %" G_GUINT64_FORMAT
          ", not the number that `frames` asks for; use another `fill` policy "
          "or put videorate before the pad.", GST_PAD_NAME (window->pad),
          window->frames, batch->index), (NULL));
  return GST_FLOW_ERROR;
}

/* Shows handlers of samples-selected what goes into the batch that is about to
 * be pushed; NULL at any other time */
static GstSample *
peek_next_sample (GstAggregator * agg, GstAggregatorPad * pad)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);

  for (guint i = 0; self->selected && i < self->selected->streams->len; i++) {
    SecondStreamWindow *window = second_batch_stream (self->selected, i);
    GstSample *sample;

    if (GST_AGGREGATOR_PAD (window->pad) != pad)
      continue;
    sample = gst_sample_new (NULL, window->format->caps,
        &window->format->segment, NULL);
    gst_sample_set_buffer_list (sample, window->list);
    return sample;
  }
  return NULL;
}

/* Notes the stream and the frame that it stood before, so that secondsplitter
 * can put it back */
static GstEvent *
wrap_event (const SecondEvent * event, guint stream)
{
  return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
      gst_structure_new (GST_SECOND_BATCH_EVENT_NAME,
          "type", G_TYPE_STRING, GST_EVENT_TYPE_NAME (event->event),
          "structure", GST_TYPE_STRUCTURE,
          gst_event_get_structure (event->event),
          "position", G_TYPE_UINT, event->position,
          "stream", G_TYPE_UINT, stream, NULL));
}

/* Events of a stream go before the batch of their frames */
static void
push_events (GstSecondBatcher * self, const GQueue * events, guint stream)
{
#ifdef HAVE_GST_ANALYTICS
  /* such a batch has them among its frames */
  if (second_batcher_wants_analytics (self))
    return;
#endif
  for (const GList * l = events->head; l; l = l->next) {
    GstEvent *event = wrap_event (l->data, stream);

#if GST_CHECK_VERSION (1, 26, 0)
    gst_aggregator_push_src_event (GST_AGGREGATOR (self), event);
#else
    /* the first ones leave after caps but before the segment */
    gst_pad_push_event (GST_AGGREGATOR_SRC_PAD (self), event);
#endif
  }
}

static GstFlowReturn
push_batch (GstSecondBatcher * self, SecondBatch * batch)
{
  GstAggregator *agg = GST_AGGREGATOR (self);
  g_autoptr (GstStructure) counts = make_counts (batch);
  GstSegment segment;
  GstFlowReturn ret;

  GST_DEBUG_OBJECT (self, "pushing %" GST_PTR_FORMAT, counts);
  if (batch->wrong_stream >= 0)
    return complain_about_count (self, batch);

  /* Batches are on the line of running time, whatever segments went in; those
   * are in the batch. A seek has no influence on that. */
  if (!self->pushed) {
    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_aggregator_update_segment (agg, &segment);
  }
  ret = negotiate (self, batch);
  if (ret != GST_FLOW_OK)
    return ret;
  if (!second_batcher_span (self, batch))
    return GST_FLOW_ERROR;
  self->selected = batch;
  gst_aggregator_selected_samples (agg, batch->pts, GST_CLOCK_TIME_NONE,
      batch->duration, counts);
  self->selected = NULL;
  for (guint i = 0; i < batch->streams->len; i++)
    push_events (self, &second_batch_stream (batch, i)->events, i);

  self->pushed = TRUE;
  ret = gst_aggregator_finish_buffer (agg, make_buffer (self, batch));
  if (batch->post_message)
    gst_element_post_message (GST_ELEMENT_CAST (self),
        gst_message_new_element (GST_OBJECT_CAST (self),
            g_steal_pointer (&counts)));
  return ret;
}

/* --- closing a window --- */

static void
warn_about_references (GstSecondBatcher * self, GPtrArray * pads)
{
  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);

    if (!pad->lacks_reference || pad->warned_reference)
      continue;
    pad->warned_reference = TRUE;
    GST_ELEMENT_WARNING (self, STREAM, FORMAT,
        ("Frames on pad %s carry no reference timestamp that is known here; "
            "they are placed by the pipeline clock's UTC time. Give them a "
            "timestamp/x-unix, x-ntp or x-ptp meta, or use align=utc for "
            "all.", GST_PAD_NAME (pad)), (NULL));
  }
}

static GstFlowReturn
complain_about_time (GstSecondBatcher * self, GstSecondBatcherPad * pad)
{
  GST_ELEMENT_ERROR (self, STREAM, FORMAT,
      ("A frame on pad %s has no timestamp, so that it belongs to no "
          "window; make upstream set PTS in a TIME segment (videorate or "
          "do-timestamp=true may help).", GST_PAD_NAME (pad)), (NULL));
  return GST_FLOW_ERROR;
}

static GstFlowReturn
close_window (GstSecondBatcher * self, GPtrArray * pads)
{
  g_autoptr (GPtrArray) batches = g_ptr_array_new_with_free_func
      ((GDestroyNotify) second_batch_free);
  GPtrArray *trash = second_trash_new ();
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean jumped;
  SecondPart hole;

  g_mutex_lock (&self->lock);
  jumped = second_batcher_close_locked (self, pads, batches, &hole, trash);
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (trash);

  /* a gap before stream-start, caps and segment would be out of order */
  if (jumped && self->pushed)
    gst_pad_push_event (GST_AGGREGATOR_SRC_PAD (self),
        gst_event_new_gap (hole.start, hole.end - hole.start));
  while (batches->len > 0 && ret == GST_FLOW_OK) {
    ret = push_batch (self, g_ptr_array_index (batches, 0));
    /* what downstream lets go of is free before the next one is made */
    g_ptr_array_remove_index (batches, 0);
  }
  second_batcher_update_clock (self);
  return ret;
}

/* All streams have ended: pushes the events that no batch follows */
static GstFlowReturn
finish (GstSecondBatcher * self, GPtrArray * pads)
{
  GST_INFO_OBJECT (self, "all streams have ended");
  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
    GQueue events = G_QUEUE_INIT;

    g_mutex_lock (&self->lock);
    events = pad->events;
    g_queue_init (&pad->events);
    g_mutex_unlock (&self->lock);
    push_events (self, &events, i);
    g_queue_clear_full (&events, (GDestroyNotify) second_event_free);
  }
  return GST_FLOW_EOS;
}

static GstFlowReturn
aggregate (GstAggregator * agg, gboolean timeout)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GPtrArray *pads = second_batcher_pads (self);
  GstSecondBatcherPad *wrong;
  gboolean ended, past, over;
  guint64 index;

  second_batcher_update_live (self);
  wrong = second_batcher_read (self, pads);
  if (wrong)
    return complain_about_time (self, wrong);
  warn_about_references (self, pads);

  g_mutex_lock (&self->lock);
  index = self->timeline.index;
  ended = second_timeline_is_done (&self->timeline);
  past = second_timeline_is_over (&self->timeline);
  /* a flush may have put the deadline off while the base class waited */
  over = past || (timeout && self->timeline.open
      && self->incomplete != SECOND_INCOMPLETE_WAIT
      && second_batcher_deadline_locked (self, pads) <= self->awaited);
  g_mutex_unlock (&self->lock);

  if (ended)
    return finish (self, pads);
  if (!over)
    return GST_AGGREGATOR_FLOW_NEED_DATA;
  GST_DEBUG_OBJECT (self, "window %" G_GUINT64_FORMAT " is over: %s",
      index, past ? "all streams are past it" : "its deadline has come");
  return close_window (self, pads);
}

/* Returns whether the base class has to look again: reading frames may have
 * brought an event or query to the head of a queue, and upstream may wait for
 * it. Looks once for each, and again after one has come out, but does not loop:
 * a flushing pad gives none. */
static gboolean
has_uncovered (GPtrArray * pads)
{
  gboolean found = FALSE;

  for (guint i = 0; i < pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (pads, i);
    /* read before the queue: what stands before this item is in it by now */
    gint n = g_atomic_int_get (&pad->n_items);

    if (n != g_atomic_int_get (&pad->looked_for)
        && g_atomic_pointer_get (&pad->latest)
        && !gst_aggregator_pad_has_buffer (GST_AGGREGATOR_PAD (pad))) {
      g_atomic_int_set (&pad->looked_for, n);
      found = TRUE;
    }
  }
  return found;
}

/* The base class calls this with its source lock, before it waits for a stream
 * that has nothing to show. Reads what the others have, so that a silent stream
 * fills no queue or pool upstream. Live, the base class waits until the time
 * returned plus our latency, which contains the window. */
static GstClockTime
get_next_time (GstAggregator * agg)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GPtrArray *pads = second_batcher_pads (self);
  GstClockTime latency = self->live_latency, now;
  gint64 next;
  gboolean again;

  second_batcher_read (self, pads);
  if (!GST_CLOCK_TIME_IS_VALID (latency))
    return GST_CLOCK_TIME_NONE;
  again = has_uncovered (pads);

  now = gst_element_get_current_running_time (GST_ELEMENT_CAST (self));
  SECOND_LOCK_BLOCK (&self->lock);
  self->awaited = G_MININT64;
  /* a stream with an empty queue may be past the window by a frame that is
   * held */
  again |= second_timeline_is_over (&self->timeline);
  if (again && GST_CLOCK_TIME_IS_VALID (now)) {
    next = (gint64) (now - latency);
  } else {
    if (!self->timeline.open || self->incomplete == SECOND_INCOMPLETE_WAIT)
      return GST_CLOCK_TIME_NONE;
    self->awaited = second_batcher_deadline_locked (self, pads);
    next = MAX (self->awaited, -(gint64) latency);
  }
  /* may be less than 0, since the base class adds the latency; but -1 means no
   * time */
  return (GstClockTime) (next == -1 ? -2 : next);
}

void
second_batcher_init_output (GstAggregatorClass * klass)
{
  klass->aggregate = GST_DEBUG_FUNCPTR (aggregate);
  klass->get_next_time = GST_DEBUG_FUNCPTR (get_next_time);
  klass->update_src_caps = GST_DEBUG_FUNCPTR (update_src_caps);
  klass->peek_next_sample = GST_DEBUG_FUNCPTR (peek_next_sample);
}
