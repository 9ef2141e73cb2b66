/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches as GStreamer's analytics elements take them; GStreamer >= 1.28 only.
 * Downstream decides by its caps. Such a batch has both metas. */
#include "batcher/batcher.h"

#include <gst/analytics/gstanalyticsbatchmeta.h>

/* The same caps once more, under analytics' name and with its feature */
void
second_batcher_offer_analytics (GstCaps * caps)
{
  GstStructure *s = gst_structure_copy (gst_caps_get_structure (caps, 0));

  gst_structure_set_name (s, SECOND_ANALYTICS_CAPS_NAME);
  gst_caps_append_structure_full (caps, s,
      gst_caps_features_new (GST_CAPS_FEATURE_META_GST_ANALYTICS_BATCH_META,
          NULL));
}

static GstCaps *
current_analytics_caps (GstSecondBatcher * self)
{
  GstCaps *caps = gst_pad_get_current_caps (GST_AGGREGATOR_SRC_PAD (self));

  if (caps && !gst_structure_has_name (gst_caps_get_structure (caps, 0),
          SECOND_ANALYTICS_CAPS_NAME))
    gst_clear_caps (&caps);
  return caps;
}

gboolean
second_batcher_wants_analytics (GstSecondBatcher * self)
{
  g_autoptr (GstCaps) caps = current_analytics_caps (self);

  return caps != NULL;
}

/* Keeps the caps when a splitter asks again after it has made its pads. By then
 * an inference element behind it adds fields (square pixels); caps with those
 * would be others, and the splitter would need other pads. */
GstCaps *
second_batcher_keep_caps (GstSecondBatcher * self, GstCaps * filter)
{
  GstCaps *caps = current_analytics_caps (self);

  if (caps && !gst_caps_can_intersect (caps, filter))
    gst_clear_caps (&caps);
  return caps;
}

/* --- what an element asks for of the streams inside the batches --- */

/* Among the sink pads, in the order of their numbers */
static guint
stream_index (GstSecondBatcher * self, GstPad * pad)
{
  guint index = 0, number = second_pad_number (pad);

  GST_OBJECT_LOCK (self);
  for (GList * l = GST_ELEMENT_CAST (self)->sinkpads; l; l = l->next)
    if (second_pad_number (l->data) < number)
      index++;
  GST_OBJECT_UNLOCK (self);
  return index;
}

/* NULL: this kind of batch may have anything for that stream */
static const GstCaps *
wanted_of_stream (const GstStructure * s, guint index)
{
  const GValue *streams = gst_structure_get_value (s, "streams");
  const GValue *caps;

  if (streams == NULL || !GST_VALUE_HOLDS_ARRAY (streams)
      || index >= gst_value_array_get_size (streams))
    return NULL;
  caps = gst_value_array_get_value (streams, index);
  return GST_VALUE_HOLDS_CAPS (caps) ? gst_value_get_caps (caps) : NULL;
}

/* Tells a pad's upstream what downstream wants of that stream: a converter
 * before the batcher then makes what an inference element behind it takes. */
GstCaps *
second_batcher_wanted_caps (GstSecondBatcher * self, GstPad * pad)
{
  GstPad *src = GST_AGGREGATOR_SRC_PAD (self);
  g_autoptr (GstCaps) batches = gst_pad_get_pad_template_caps (src);
  g_autoptr (GstCaps) peer = gst_pad_peer_query_caps (src, batches);
  GstCaps *wanted = gst_caps_new_empty ();
  guint i, index = stream_index (self, pad);

  for (i = 0; i < gst_caps_get_size (peer); i++) {
    const GstCaps *caps =
        wanted_of_stream (gst_caps_get_structure (peer, i), index);

    wanted = gst_caps_merge (wanted, caps ? gst_caps_copy (caps) :
        gst_caps_new_any ());
  }
  /* negotiating the first batch reports a peer that takes none at all */
  if (i == 0)
    gst_caps_take (&wanted, gst_caps_new_any ());
  return wanted;
}

/* --- sticky events: those that a pad would have, in its order --- */

static gint
compare_events (gconstpointer a, gconstpointer b)
{
  GstEvent *ea = *(GstEvent * const *) a, *eb = *(GstEvent * const *) b;
  GstEventType type = GST_EVENT_TYPE (ea);

  if (type != GST_EVENT_TYPE (eb))
    return type < GST_EVENT_TYPE (eb) ? -1 : 1;
  if (!(gst_event_type_get_flags (type) & GST_EVENT_TYPE_STICKY_MULTI))
    return 0;
  return g_strcmp0 (gst_structure_get_name (gst_event_get_structure (ea)),
      gst_structure_get_name (gst_event_get_structure (eb)));
}

static void
store_event (GPtrArray * sticky, GstEvent * event)
{
  for (guint i = 0; i < sticky->len; i++)
    if (compare_events (&sticky->pdata[i], &event) == 0) {
      gst_event_replace ((GstEvent **) & sticky->pdata[i], event);
      return;
    }
  g_ptr_array_add (sticky, gst_event_ref (event));
  g_ptr_array_sort (sticky, compare_events);
}

static void
forget_events (GPtrArray * sticky, GstEventType type)
{
  for (guint i = sticky->len; i-- > 0;)
    if (GST_EVENT_TYPE (g_ptr_array_index (sticky, i)) == type)
      g_ptr_array_remove_index (sticky, i);
}

static gboolean
is_other_stream (GPtrArray * sticky, GstEvent * start)
{
  const gchar *id, *old_id = NULL;

  gst_event_parse_stream_start (start, &id);
  if (sticky->len > 0 && GST_EVENT_TYPE (sticky->pdata[0]) ==
      GST_EVENT_STREAM_START)
    gst_event_parse_stream_start (sticky->pdata[0], &old_id);
  return g_strcmp0 (id, old_id) != 0;
}

/* Stores the events that say how to read the frames. They are upstream's own: a
 * splitter that has sent them does not send them again. */
static void
store_format (GPtrArray * sticky, const SecondFormat * format)
{
  GstEvent *start = format->events[SECOND_FORMAT_STREAM_START];

  if (start && is_other_stream (sticky, start))
    forget_events (sticky, GST_EVENT_TAG);
  /* a flush removes the segment */
  forget_events (sticky, GST_EVENT_SEGMENT);
  for (guint i = 0; i < SECOND_FORMAT_EVENTS; i++)
    if (format->events[i])
      store_event (sticky, format->events[i]);
}

/* --- objects --- */

static void
add_object (GstAnalyticsBatchStream * stream, gpointer object)
{
  stream->objects[stream->n_objects++] = object;
}

/* A window without frames moves downstream's time all the same */
static void
add_gap (GstAnalyticsBatchStream * stream, const SecondFormat * format,
    const SecondBatch * batch)
{
  guint64 position = GST_CLOCK_TIME_NONE;

  if (format->caps && format->segment.format == GST_FORMAT_TIME)
    position = gst_segment_position_from_running_time (&format->segment,
        GST_FORMAT_TIME, batch->pts);
  if (GST_CLOCK_TIME_IS_VALID (position))
    add_object (stream, gst_event_new_gap (position, batch->duration));
}

/* Puts the events at their places among the frames. A sticky event ahead of the
 * first frame holds for all of them and is no object. */
static void
set_objects (GstAnalyticsBatchStream * stream,
    const SecondStreamWindow * window, const SecondBatch * batch)
{
  GPtrArray *sticky = window->pad->sticky;
  guint n = gst_buffer_list_length (window->list);
  const GList *l = window->events.head;

  for (; n > 0 && l; l = l->next) {
    const SecondEvent *event = l->data;

    if (event->position > 0 || !GST_EVENT_IS_STICKY (event->event))
      break;
    store_event (sticky, event->event);
  }
  stream->sticky_events = g_new (GstEvent *, sticky->len);
  for (guint i = 0; i < sticky->len; i++)
    stream->sticky_events[stream->n_sticky_events++] =
        gst_event_ref (g_ptr_array_index (sticky, i));

  stream->objects = g_new (GstMiniObject *,
      n + g_queue_get_length ((GQueue *) & window->events) + 1);
  for (guint i = 0; i <= n; i++) {
    for (; l; l = l->next) {
      const SecondEvent *event = l->data;

      if (i < n && event->position > i)
        break;
      if (GST_EVENT_IS_STICKY (event->event))
        store_event (sticky, event->event);
      add_object (stream, gst_event_ref (event->event));
    }
    if (i < n)
      add_object (stream, gst_buffer_ref (gst_buffer_list_get (window->list,
                  i)));
  }
  if (n == 0)
    add_gap (stream, window->format, batch);
}

void
second_batcher_add_analytics (GstBuffer * buffer, const SecondBatch * batch)
{
  GstAnalyticsBatchMeta *meta = gst_buffer_add_analytics_batch_meta (buffer);

  meta->n_streams = batch->streams->len;
  meta->streams = g_new0 (GstAnalyticsBatchStream, meta->n_streams);
  for (guint i = 0; i < batch->streams->len; i++) {
    const SecondStreamWindow *window = second_batch_stream (batch, i);

    meta->streams[i].index = i;
    store_format (window->pad->sticky, window->format);
    set_objects (&meta->streams[i], window, batch);
  }
}
