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

/* What the frames cannot be read without */
static void
set_sticky_events (GstAnalyticsBatchStream * stream,
    const SecondFormat * format)
{
  stream->sticky_events = g_new (GstEvent *, 3);
  if (format->stream_id)
    stream->sticky_events[stream->n_sticky_events++] =
        gst_event_new_stream_start (format->stream_id);
  if (format->caps)
    stream->sticky_events[stream->n_sticky_events++] =
        gst_event_new_caps (format->caps);
  if (format->segment.format != GST_FORMAT_UNDEFINED)
    stream->sticky_events[stream->n_sticky_events++] =
        gst_event_new_segment (&format->segment);
}

void
second_batcher_add_analytics (GstBuffer * buffer, const SecondBatch * batch)
{
  GstAnalyticsBatchMeta *meta = gst_buffer_add_analytics_batch_meta (buffer);
  guint i, j;

  meta->n_streams = batch->shares->len;
  meta->streams = g_new0 (GstAnalyticsBatchStream, meta->n_streams);
  for (i = 0; i < batch->shares->len; i++) {
    const SecondShare *share = &g_array_index (batch->shares, SecondShare, i);
    GstAnalyticsBatchStream *stream = &meta->streams[i];

    stream->index = i;
    set_sticky_events (stream, share->format);
    stream->n_objects = gst_buffer_list_length (share->list);
    stream->objects = g_new (GstMiniObject *, stream->n_objects);
    for (j = 0; j < stream->n_objects; j++)
      stream->objects[j] = gst_mini_object_ref (GST_MINI_OBJECT_CAST
          (gst_buffer_list_get (share->list, j)));
  }
}
