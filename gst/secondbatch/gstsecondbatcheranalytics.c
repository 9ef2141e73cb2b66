/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches as GStreamer's analytics elements take them; GStreamer >= 1.28 only.
 * Downstream decides by its caps. Such a batch has both metas. */
#include "gstsecondbatcherpriv.h"

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

gboolean
second_batcher_wants_analytics (GstSecondBatcher * self)
{
  GstCaps *caps = gst_pad_get_current_caps (GST_AGGREGATOR_SRC_PAD (self));
  gboolean wants = caps
      && gst_structure_has_name (gst_caps_get_structure (caps, 0),
      SECOND_ANALYTICS_CAPS_NAME);

  gst_clear_caps (&caps);
  return wants;
}

/* What the frames cannot be read without: upstream's own events, which a splitter
 * that has them already does not send again */
static void
set_sticky_events (GstAnalyticsBatchStream * stream,
    const SecondFormat * format)
{
  guint i;

  stream->sticky_events = g_new (GstEvent *, SECOND_TOLD_LAST);
  for (i = 0; i < SECOND_TOLD_LAST; i++)
    if (format->told[i])
      stream->sticky_events[stream->n_sticky_events++] =
          gst_event_ref (format->told[i]);
}

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

/* The frames, and the events at their places among them */
static void
set_objects (GstAnalyticsBatchStream * stream, const SecondShare * share,
    const SecondBatch * batch)
{
  guint i, n = gst_buffer_list_length (share->list);
  const GList *l = share->events.head;

  stream->objects = g_new (GstMiniObject *,
      n + g_queue_get_length ((GQueue *) & share->events) + 1);
  for (i = 0; i <= n; i++) {
    for (; l; l = l->next) {
      const SecondEvent *event = l->data;

      if (i < n && event->position > i)
        break;
      add_object (stream, gst_event_ref (event->event));
    }
    if (i < n)
      add_object (stream, gst_buffer_ref (gst_buffer_list_get (share->list,
                  i)));
  }
  if (n == 0)
    add_gap (stream, share->format, batch);
}

void
second_batcher_add_analytics (GstBuffer * buffer, const SecondBatch * batch)
{
  GstAnalyticsBatchMeta *meta = gst_buffer_add_analytics_batch_meta (buffer);
  guint i;

  meta->n_streams = batch->shares->len;
  meta->streams = g_new0 (GstAnalyticsBatchStream, meta->n_streams);
  for (i = 0; i < batch->shares->len; i++) {
    const SecondShare *share = &g_array_index (batch->shares, SecondShare, i);
    GstAnalyticsBatchStream *stream = &meta->streams[i];

    stream->index = i;
    set_sticky_events (stream, share->format);
    set_objects (stream, share, batch);
  }
}
