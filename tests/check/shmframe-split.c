/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole way: streams into batches, the batches to another process, there
 * back into streams, and these into batches again. What comes out at each end
 * is what went in. */
#include "samebatch.h"

#define MS GST_MSECOND
#define STREAMS 2
#define SECONDS 4
/* Batch 1 comes in two, because a stream's caps change in its middle */
#define BATCHES 5

#define CAPS_A RIG_GRAY (64, 48)
#define CAPS_B "video/x-raw,format=GRAY8,width=32,height=32,framerate=50/1"
#define CAPS_B2 "video/x-raw,format=GRAY8,width=16,height=16,framerate=50/1"

/* --- what crosses a pad, one line each --- */

static gboolean
describe_meta (GstBuffer * buffer, GstMeta ** meta, gpointer text)
{
  g_string_append_printf (text, " %s", g_type_name ((*meta)->info->type));
  return TRUE;
}

static void
describe_frame (GString * text, GstBuffer * buffer)
{
  gchar *sum;
  GstMapInfo map;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  sum = g_compute_checksum_for_data (G_CHECKSUM_MD5, map.data, map.size);
  g_string_append_printf (text, "frame %" G_GUINT64_FORMAT "+%"
      G_GUINT64_FORMAT " #%" G_GUINT64_FORMAT " flags %x: %" G_GSIZE_FORMAT
      " bytes %s", GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer),
      GST_BUFFER_OFFSET (buffer),
      GST_BUFFER_FLAGS (buffer) & ~(guint) GST_BUFFER_FLAG_TAG_MEMORY,
      map.size, sum);
  gst_buffer_unmap (buffer, &map);
  g_free (sum);
  gst_buffer_foreach_meta (buffer, describe_meta, text);
}

static void
describe_event (GString * text, GstEvent * event)
{
  const GstSegment *segment;
  const gchar *id;
  gchar *inner;

  g_string_append (text, GST_EVENT_TYPE_NAME (event));
  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    /* not the group, which says what was started together */
    gst_event_parse_stream_start (event, &id);
    g_string_append_printf (text, " %s", id);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
    gst_event_parse_segment (event, &segment);
    g_string_append_printf (text, " %f %" G_GUINT64_FORMAT "-%"
        G_GUINT64_FORMAT " base %" G_GUINT64_FORMAT " time %"
        G_GUINT64_FORMAT, segment->rate, segment->start, segment->stop,
        segment->base, segment->time);
  } else if (gst_event_get_structure (event) != NULL) {
    inner = gst_structure_to_string (gst_event_get_structure (event));
    g_string_append_printf (text, " %s", inner);
    g_free (inner);
  }
}

static GstPadProbeReturn
log_item (GstPad * pad, GstPadProbeInfo * info, gpointer text)
{
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
    describe_frame (text, GST_PAD_PROBE_INFO_BUFFER (info));
  else if (GST_EVENT_IS_SERIALIZED (GST_PAD_PROBE_INFO_EVENT (info)))
    describe_event (text, GST_PAD_PROBE_INFO_EVENT (info));
  else
    return GST_PAD_PROBE_OK;
  g_string_append_c (text, '\n');
  return GST_PAD_PROBE_OK;
}

/* All that enters this pad; written by the pad's thread, read when it is
 * gone */
static GString *
log_pad (GstElement * element, const gchar * name)
{
  GstPad *pad = gst_element_get_static_pad (element, name);
  GString *text = g_string_new (NULL);

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER
      | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, log_item, text, NULL);
  gst_object_unref (pad);
  return text;
}

/* --- the streams --- */

static GstPad *
feed_new (GstElement * batcher, guint k)
{
  gchar *name = g_strdup_printf ("sink_%u", k);
  GstPad *sink = gst_element_request_pad_simple (batcher, name);
  GstPad *feed = gst_pad_new (NULL, GST_PAD_SRC);

  fail_unless (gst_pad_set_active (feed, TRUE));
  fail_unless_equals_int (gst_pad_link (feed, sink), GST_PAD_LINK_OK);
  gst_object_unref (sink);
  g_free (name);
  return feed;
}

static void
feed_event (GstPad * feed, GstEvent * event)
{
  fail_unless (gst_pad_push_event (feed, event));
}

static void
feed_caps (GstPad * feed, const gchar * text)
{
  GstCaps *caps = gst_caps_from_string (text);

  feed_event (feed, gst_event_new_caps (caps));
  gst_caps_unref (caps);
}

static void
feed_start (GstPad * feed, const gchar * id, const gchar * caps,
    GstClockTime start, const gchar * title)
{
  GstSegment segment;

  feed_event (feed, gst_event_new_stream_start (id));
  feed_caps (feed, caps);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = segment.position = start;
  segment.stop = start + 3600 * GST_SECOND;
  feed_event (feed, gst_event_new_segment (&segment));
  feed_event (feed, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, title,
              NULL)));
}

static void
feed_frame (GstPad * feed, guint number, gsize size, GstClockTime pts,
    GstClockTime duration)
{
  GstBuffer *frame = rig_frame (number, size);

  GST_BUFFER_PTS (frame) = pts;
  GST_BUFFER_DURATION (frame) = duration;
  if (number % 10 == 3)
    GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_MARKER);
  if (number % 10 == 5)
    gst_buffer_add_video_region_of_interest_meta (frame, "face", 1, 2, 3, 4);
  fail_unless_equals_int (gst_pad_push (feed, frame), GST_FLOW_OK);
}

static GstEvent *
mark (GstEventType type, const gchar * name)
{
  return gst_event_new_custom (type, gst_structure_new (name, "n", G_TYPE_INT,
          7, NULL));
}

/* 25 fps, whose time begins at 10 s */
static void
feed_a (GstPad * feed, guint n)
{
  if (n == 0)
    feed_start (feed, "camera/a", CAPS_A, 10 * GST_SECOND, "A");
  if (n == 30)
    feed_event (feed, mark (GST_EVENT_CUSTOM_DOWNSTREAM, "once"));
  if (n == 33)
    feed_event (feed, mark (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, "stays"));
  feed_frame (feed, n, 64 * 48, 10 * GST_SECOND + n * 40 * MS, 40 * MS);
}

/* 50 fps, with other caps from 1.5 s on, and nothing in second 2 */
static void
feed_b (GstPad * feed, guint n)
{
  if (n == 0)
    feed_start (feed, "camera/b", CAPS_B, 0, "B");
  if (n == 60)
    feed_event (feed, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE,
                "B, later", NULL)));
  if (n == 75)
    feed_caps (feed, CAPS_B2);
  if (n == 100)
    feed_event (feed, gst_event_new_gap (2 * GST_SECOND, GST_SECOND));
  if (n < 100 || n >= 150)
    feed_frame (feed, n, n < 75 ? 32 * 32 : 16 * 16, n * 20 * MS, 20 * MS);
}

static gpointer
feed_all (gpointer pads)
{
  GstPad **feeds = pads;

  for (guint n = 0; n < SECONDS * 50; n++) {
    if (n % 2 == 0)
      feed_a (feeds[0], n / 2);
    feed_b (feeds[1], n);
  }
  for (guint k = 0; k < STREAMS; k++)
    feed_event (feeds[k], gst_event_new_eos ());
  return NULL;
}

/* --- the test --- */

static GstPadProbeReturn
keep_batch (GstPad * pad, GstPadProbeInfo * info, gpointer kept)
{
  g_ptr_array_add (kept, gst_buffer_copy (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

static GPtrArray *
keep_batches (GstElement * sink)
{
  GPtrArray *kept = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_buffer_unref);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, keep_batch, kept, NULL);
  gst_object_unref (pad);
  return kept;
}

/* Line by line: the whole is too long to be told in one message */
static void
check_same_log (GString * sent, GString * received)
{
  gchar **in = g_strsplit (sent->str, "\n", -1);
  gchar **out = g_strsplit (received->str, "\n", -1);

  for (guint i = 0; in[i] != NULL || out[i] != NULL; i++) {
    fail_unless_equals_string (out[i], in[i]);
    if (in[i] == NULL || out[i] == NULL)
      break;
  }
  g_strfreev (in);
  g_strfreev (out);
  g_string_free (sent, TRUE);
  g_string_free (received, TRUE);
}

GST_START_TEST (test_all_the_way)
{
  GstElement *sender = rig_launch ("secondbatcher name=a ! "
      "shmframesink name=sink socket-path=@");
  GstElement *receiver = rig_launch ("shmframesrc socket-path=@ is-live=false"
      " ! secondsplitter name=s  secondbatcher name=b ! fakesink name=out"
      " sync=false  s.src_0 ! queue ! b.sink_0  s.src_1 ! queue ! b.sink_1");
  GPtrArray *sent = keep_batches (rig_child (sender, "sink"));
  GPtrArray *received = keep_batches (rig_child (receiver, "out"));
  GString *in[STREAMS], *out[STREAMS];
  GstPad *feeds[STREAMS];
  GThread *thread;

  for (guint k = 0; k < STREAMS; k++) {
    gchar name[] = { 's', 'i', 'n', 'k', '_', '0' + (gchar) k, '\0' };

    feeds[k] = feed_new (rig_child (sender, "a"), k);
    in[k] = log_pad (rig_child (sender, "a"), name);
    out[k] = log_pad (rig_child (receiver, "b"), name);
  }
  /* the receiver comes late, and gets all from the first tag on */
  rig_play (sender);
  thread = g_thread_new ("feed", feed_all, feeds);
  rig_play (receiver);
  g_thread_join (thread);
  rig_await_eos (receiver);

  fail_unless_equals_int (sent->len, BATCHES);
  fail_unless_equals_int (received->len, BATCHES);
  for (guint i = 0; i < BATCHES; i++)
    check_same_batch (g_ptr_array_index (sent, i), g_ptr_array_index (received,
            i));
  g_ptr_array_unref (sent);
  g_ptr_array_unref (received);
  rig_stop (receiver);
  rig_stop (sender);
  for (guint k = 0; k < STREAMS; k++) {
    check_same_log (in[k], out[k]);
    gst_object_unref (feeds[k]);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_all_the_way, 0, 4);
}

RIG_SUITE (shmframe_split)
