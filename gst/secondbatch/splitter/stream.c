/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "splitter/stream.h"
#include "gstsecondbatchmeta.h"
#include "batcher/window.h"

/* What identifies a frame in two overlapping windows; behind another process it
 * is two buffers */
typedef struct
{
  gint64 time;
  GstClockTime dts, duration;
  guint64 offset;
  GstCaps *caps;
} SplitFrame;

static void
clear_frame (gpointer frame)
{
  gst_caps_unref (((SplitFrame *) frame)->caps);
}

static GArray *
new_frames (void)
{
  GArray *frames = g_array_new (FALSE, FALSE, sizeof (SplitFrame));

  g_array_set_clear_func (frames, clear_frame);
  return frames;
}

SplitStream *
split_stream_new (void)
{
  SplitStream *stream = g_new0 (SplitStream, 1);

  gst_segment_init (&stream->segment, GST_FORMAT_UNDEFINED);
  g_queue_init (&stream->events);
  stream->sent = new_frames ();
  stream->sent_before = new_frames ();
  stream->again = g_byte_array_new ();
  return stream;
}

void
split_stream_free (SplitStream * stream)
{
  g_queue_clear_full (&stream->events, (GDestroyNotify) gst_event_unref);
  g_array_unref (stream->sent);
  g_array_unref (stream->sent_before);
  g_byte_array_unref (stream->again);
  gst_clear_caps (&stream->caps);
  g_free (stream->stream_id);
  g_free (stream);
}

void
split_stream_flush (SplitStream * stream)
{
  g_queue_clear_full (&stream->events, (GDestroyNotify) gst_event_unref);
  stream->has_segment = FALSE;
  stream->late = stream->dropped = 0;
  split_stream_next_window (stream, FALSE);
  g_array_set_size (stream->sent_before, 0);
}

void
split_stream_next_window (SplitStream * stream, gboolean overlaps)
{
  GArray *sent = stream->sent;

  g_array_set_size (stream->sent_before, 0);
  if (!overlaps) {
    g_array_set_size (stream->sent, 0);
    return;
  }
  stream->sent = stream->sent_before;
  stream->sent_before = sent;
}

/* Of several that are the same, each is found once */
static gboolean
was_sent_before (SplitStream * stream, const SplitFrame * frame)
{
  for (guint i = 0; i < stream->sent_before->len; i++) {
    const SplitFrame *before = &g_array_index (stream->sent_before,
        SplitFrame, i);

    if (before->time == frame->time && before->dts == frame->dts
        && before->duration == frame->duration
        && before->offset == frame->offset && (before->caps == frame->caps
            || gst_caps_is_equal (before->caps, frame->caps))) {
      g_array_remove_index (stream->sent_before, i);
      return TRUE;
    }
  }
  return FALSE;
}

/* Marks the frames that an overlapping batch had. FALSE if it had all. */
static gboolean
has_news (SplitStream * stream, const GstSegment * segment, GstCaps * caps)
{
  guint n = stream->list ? gst_buffer_list_length (stream->list) : 0;
  gboolean news = n == 0;

  g_byte_array_set_size (stream->again, n);
  for (guint i = 0; i < n; i++) {
    GstBuffer *buffer = gst_buffer_list_get (stream->list, i);
    SplitFrame frame = {
      second_running_time (segment, GST_BUFFER_PTS (buffer)),
      GST_BUFFER_DTS (buffer), GST_BUFFER_DURATION (buffer),
      GST_BUFFER_OFFSET (buffer), gst_caps_ref (caps)
    };

    stream->again->data[i] = was_sent_before (stream, &frame);
    news |= !stream->again->data[i];
    g_array_append_val (stream->sent, frame);
  }
  return news;
}

static void
read_format (SplitStream * stream, const gchar * stream_id, GstCaps * caps,
    const GstSegment * segment)
{
  if (g_strcmp0 (stream_id, stream->stream_id) != 0) {
    g_free (stream->stream_id);
    stream->stream_id = g_strdup (stream_id);
    stream->started = FALSE;
  }
  if (stream->caps == NULL || !gst_caps_is_equal (caps, stream->caps)) {
    gst_caps_replace (&stream->caps, caps);
    if (stream->pad && stream->started)
      gst_pad_push_event (stream->pad, gst_event_new_caps (caps));
  }
  if (!gst_segment_is_equal (segment, &stream->segment)) {
    gst_segment_copy_into (segment, &stream->segment);
    stream->has_segment = FALSE;
  }
}

gboolean
split_stream_read (SplitStream * stream, GstBuffer * batch, guint k)
{
  const GstSegment *segment = gst_second_batch_get_segment (batch, k);
  GstCaps *caps = gst_second_batch_get_caps (batch, k);

  stream->list = NULL;
  stream->next = 0;
  stream->late += gst_second_batch_get_count (batch, "late", k);
  stream->dropped += gst_second_batch_get_count (batch, "dropped", k);
  if (caps == NULL || !gst_caps_is_fixed (caps) || segment == NULL
      || segment->format != GST_FORMAT_TIME)
    return FALSE;
  stream->list = gst_second_batch_get_buffers (batch, k);
  if (!has_news (stream, segment, caps))
    return FALSE;
  read_format (stream, gst_second_batch_get_stream_id (batch, k), caps,
      segment);
  return TRUE;
}

/* Tells a batcher behind us, which would not know */
void
split_stream_push_counts (SplitStream * stream)
{
  if (stream->pad == NULL || (stream->late == 0 && stream->dropped == 0))
    return;
  gst_pad_push_event (stream->pad,
      gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new (GST_SECOND_BATCH_COUNTS_NAME,
              "late", G_TYPE_UINT, stream->late,
              "dropped", G_TYPE_UINT, stream->dropped, NULL)));
  stream->late = stream->dropped = 0;
}

void
split_stream_push_headers (SplitStream * stream, guint group_id)
{
  if (!stream->started) {
    GstEvent *event = gst_event_new_stream_start (stream->stream_id ?
        stream->stream_id : GST_PAD_NAME (stream->pad));

    gst_event_set_group_id (event, group_id);
    gst_pad_push_event (stream->pad, event);
    gst_pad_push_event (stream->pad, gst_event_new_caps (stream->caps));
    stream->started = TRUE;
    stream->has_segment = FALSE;
  }
  if (!stream->has_segment) {
    GstSegment segment = stream->segment;
    gint64 time;

    /* aggregators measure from its position what they have queued */
    if (split_stream_peek (stream, &time))
      segment.position = GST_BUFFER_PTS (gst_buffer_list_get (stream->list,
              stream->next));
    gst_pad_push_event (stream->pad, gst_event_new_segment (&segment));
    stream->has_segment = TRUE;
  }
}

gboolean
split_stream_peek (SplitStream * stream, gint64 * time)
{
  guint n = stream->list ? gst_buffer_list_length (stream->list) : 0;

  while (stream->next < n && stream->again->data[stream->next])
    stream->next++;
  if (stream->next == n)
    return FALSE;
  *time = second_running_time (&stream->segment,
      GST_BUFFER_PTS (gst_buffer_list_get (stream->list, stream->next)));
  return TRUE;
}

static gboolean
has_object (const GstStructure * s, const gchar * field, GType type)
{
  const GValue *value = gst_structure_get_value (s, field);

  return value && G_VALUE_HOLDS (value, type) && g_value_get_boxed (value);
}

/* Readers of a TAG or TOC event take it for granted that its fields exist */
static gboolean
has_fields (GstEventType type, const GstStructure * s)
{
  if (type == GST_EVENT_TAG)
    return has_object (s, "taglist", GST_TYPE_TAG_LIST);
  return type != GST_EVENT_TOC || (has_object (s, "toc", GST_TYPE_TOC)
      && gst_structure_has_field_typed (s, "updated", G_TYPE_BOOLEAN));
}

static GstEvent *
unwrap (GstEvent * wrapped)
{
  static const GstEventType types[] = { GST_EVENT_TAG, GST_EVENT_TOC,
    GST_EVENT_CUSTOM_DOWNSTREAM, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY
  };
  const GstStructure *s = gst_event_get_structure (wrapped);
  const gchar *name = gst_structure_get_string (s, "type");
  GstStructure *inner = NULL;
  GstEvent *event = NULL;

  gst_structure_get (s, "structure", GST_TYPE_STRUCTURE, &inner, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (types) && inner && event == NULL; i++) {
    if (g_strcmp0 (name, gst_event_type_get_name (types[i])) == 0
        && has_fields (types[i], inner))
      event = gst_event_new_custom (types[i], g_steal_pointer (&inner));
  }
  g_clear_pointer (&inner, gst_structure_free);
  return event;
}

static void
push_events_up_to (SplitStream * stream, guint position)
{
  GstEvent *wrapped, *event;

  while (stream->pad && (wrapped = g_queue_peek_head (&stream->events))) {
    guint at = 0;

    gst_structure_get_uint (gst_event_get_structure (wrapped), "position", &at);
    if (at > position)
      break;
    g_queue_pop_head (&stream->events);
    event = unwrap (wrapped);
    gst_event_unref (wrapped);
    if (event)
      gst_pad_push_event (stream->pad, event);
  }
}

GstFlowReturn
split_stream_push_next (SplitStream * stream)
{
  GstBuffer *buffer = gst_buffer_list_get (stream->list, stream->next);

  push_events_up_to (stream, stream->next);
  stream->next++;
  return gst_pad_push (stream->pad, gst_buffer_ref (buffer));
}

void
split_stream_push_gap (SplitStream * stream, GstClockTime time,
    GstClockTime duration)
{
  guint64 position = stream->pad ? gst_segment_position_from_running_time
      (&stream->segment, GST_FORMAT_TIME, time) : GST_CLOCK_TIME_NONE;

  if (GST_CLOCK_TIME_IS_VALID (position))
    gst_pad_push_event (stream->pad, gst_event_new_gap (position, duration));
}

/* Sends a GAP for a window without frames, before the other streams' frames: an
 * aggregator that waits for this stream may have no room for theirs */
void
split_stream_begin (SplitStream * stream, GstBuffer * batch)
{
  if (stream->list && gst_buffer_list_length (stream->list) > 0)
    return;
  push_events_up_to (stream, G_MAXUINT);
  split_stream_push_gap (stream, GST_BUFFER_PTS (batch),
      GST_BUFFER_DURATION (batch));
}

void
split_stream_finish (SplitStream * stream)
{
  push_events_up_to (stream, G_MAXUINT);
  stream->list = NULL;
}
