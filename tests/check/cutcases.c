/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cutcases.h"

#include <gst/video/video.h>

#include "cutrecord.h"

#define SIZE (16 * 8)           /* GRAY8, 16 x 8 */

/* Frames that the consumer has not used up, at a sink with statistics */
static guint
frames_out (GstElement * sink)
{
  GstStructure *stats = NULL;
  const GValue *clients;
  guint sum = 0;

  if (g_object_class_find_property (G_OBJECT_GET_CLASS (sink), "num-clients"))
    g_object_get (sink, "stats", &stats, NULL);
  if (stats == NULL)
    return 0;
  clients = gst_structure_get_value (stats, "clients");
  for (guint i = 0; i < gst_value_array_get_size (clients); i++) {
    const GstStructure *client =
        gst_value_get_structure (gst_value_array_get_value (clients, i));
    guint held, queued;

    fail_unless (gst_structure_get (client, "held", G_TYPE_UINT, &held,
            "queued", G_TYPE_UINT, &queued, NULL));
    sum += held + queued;
  }
  gst_structure_free (stats);
  return sum;
}

/* A flush takes what has not been read: how much that is, is not the
 * question */
void
cut_event (GstHarness * h, GstEvent * event)
{
  gint64 end = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;

  while (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START
      && frames_out (h->element) > 0) {
    fail_unless (g_get_monotonic_time () < end);
    g_usleep (1000);
  }
  gst_harness_push_event (h, event);
}

void
cut_push (GstHarness * h, GstBuffer * buffer)
{
  fail_unless_equals_int (gst_harness_push (h, buffer), GST_FLOW_OK);
}

GstBuffer *
cut_frame (guint number, gsize size)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  GstMapInfo map;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < size; i++)
    map.data[i] = (guint8) ((number * 2654435761u + i * 40503u) >> 5);
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = number * 40 * GST_MSECOND;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  GST_BUFFER_OFFSET (buffer) = number;
  GST_BUFFER_OFFSET_END (buffer) = number + 1;
  /* as any source has it */
  if (number == 0)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  return buffer;
}

static void
push_caps (GstHarness * h, const gchar * string)
{
  GstCaps *caps = gst_caps_from_string (string);

  fail_unless (caps != NULL, "%s", string);
  cut_event (h, gst_event_new_caps (caps));
  gst_caps_unref (caps);
}

static void
push_format (GstHarness * h, const gchar * format, gint width, gint height,
    const gchar * more)
{
  gchar *caps = g_strdup_printf ("video/x-raw, format=%s, width=%d, height=%d,"
      "framerate=25/1%s", format, width, height, more);

  push_caps (h, caps);
  g_free (caps);
}

static void
push_segment (GstHarness * h)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  cut_event (h, gst_event_new_segment (&segment));
}

void
cut_begin (GstHarness * h, const gchar * format, gint width, gint height)
{
  GstEvent *event = gst_event_new_stream_start ("stream");

  gst_event_set_group_id (event, 4711);
  cut_event (h, event);
  push_format (h, format, width, height, "");
  push_segment (h);
}

void
cut_finish (GstHarness * h)
{
  cut_event (h, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new_empty (CUT_END)));
}

void
cut_begin_small (GstHarness * h)
{
  cut_begin (h, "GRAY8", 16, 8);
}

void
cut_push_small (GstHarness * h, guint number)
{
  cut_push (h, cut_frame (number, SIZE));
}

/* A frame of each format, at an odd size; `argument` is the interlace mode */
static void
feed_formats (GstHarness * h, gint mode)
{
  static const gint sizes[][2] = { {7, 5}, {33, 18}, {64, 48} };
  GstVideoFormat format;
  guint n = 0;

  cut_begin_small (h);
  for (format = GST_VIDEO_FORMAT_I420; format <= GST_VIDEO_FORMAT_RGB10A2_LE;
      format++) {
    GstVideoInfo info;
    GstBuffer *buffer;
    GstCaps *caps;

    if (!gst_video_info_set_interlaced_format (&info, format, mode,
            sizes[n % 3][0], sizes[n % 3][1])
        || GST_VIDEO_INFO_SIZE (&info) == 0)
      continue;
    info.fps_n = 25;
    info.fps_d = 1;
    caps = gst_video_info_to_caps (&info);
    cut_event (h, gst_event_new_caps (caps));
    gst_caps_unref (caps);
    buffer = cut_frame (n, GST_VIDEO_INFO_SIZE (&info));
    /* the meta of one field tells of the whole picture, see by_design[] */
    if (mode != GST_VIDEO_INTERLACE_MODE_ALTERNATE)
      gst_buffer_add_video_meta_full (buffer, n % 2, format,
          GST_VIDEO_INFO_WIDTH (&info), GST_VIDEO_INFO_HEIGHT (&info),
          GST_VIDEO_INFO_N_PLANES (&info), info.offset, info.stride);
    if (mode == GST_VIDEO_INTERLACE_MODE_MIXED)
      GST_BUFFER_FLAG_SET (buffer, GST_VIDEO_BUFFER_FLAG_INTERLACED
          | (n % 2 ? GST_VIDEO_BUFFER_FLAG_TFF : GST_VIDEO_BUFFER_FLAG_RFF));
    cut_push (h, buffer);
    n++;
  }
  fail_unless (n > 80, "%u formats", n);
  cut_finish (h);
}

/* Frames with one flag each */
static void
feed_flag (GstHarness * h, gint flag)
{
  cut_begin_small (h);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = cut_frame (i, SIZE);

    if (i == 2)
      GST_BUFFER_FLAG_SET (buffer, flag);
    cut_push (h, buffer);
  }
  cut_finish (h);
}

/* The caps change in mid-stream */
static const gchar *const changes[] = {
  ", colorimetry=bt709", (", colorimetry=bt2100-pq, "
        "mastering-display-info=(string)35400:14600:8500:39850:6550:2300:15635:"
        "16450:10000000:1, content-light-level=(string)1000:400"),
  ", pixel-aspect-ratio=16/15", ", multiview-mode=side-by-side",
  ", views=1, chroma-site=mpeg2", (", interlace-mode=interleaved, "
        "field-order=top-field-first"),
  ", max-framerate=60/1, nested=(structure)[in, a=(int)1], list=(int)<1, 2>",
};

static void
feed_caps (GstHarness * h, gint which)
{
  cut_begin_small (h);
  cut_push_small (h, 0);
  if (which < 0) {
    push_format (h, "GRAY8", 16, 16, "");
    cut_push (h, cut_frame (1, 2 * SIZE));
    push_format (h, "RGB", 16, 16, "");
    cut_push (h, cut_frame (2, 6 * SIZE));
  } else {
    push_format (h, "GRAY8", 16, 8, changes[which]);
    cut_push_small (h, 1);
  }
  push_format (h, "GRAY8", 16, 8, "");
  cut_push_small (h, 3);
  cut_finish (h);
}

static void
feed_variable_rate (GstHarness * h, gint unused)
{
  cut_begin_small (h);
  push_caps (h, "video/x-raw, format=GRAY8, width=16, height=8, "
      "framerate=0/1, max-framerate=60/1");
  for (guint i = 0; i < 6; i++) {
    GstBuffer *buffer = cut_frame (i, SIZE);

    GST_BUFFER_PTS (buffer) = i * i * 7 * GST_MSECOND;
    GST_BUFFER_DURATION (buffer) = GST_CLOCK_TIME_NONE;
    cut_push (h, buffer);
  }
  cut_finish (h);
}

enum
{ TIME_NO_PTS, TIME_ZERO_DURATION, TIME_DTS, TIME_BACKWARDS, TIME_NEGATIVE };

static void
feed_times (GstHarness * h, gint which)
{
  cut_begin_small (h);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = cut_frame (i, SIZE);
    GstSegment segment;

    if (which == TIME_NO_PTS && i > 0)
      GST_BUFFER_PTS (buffer) = GST_CLOCK_TIME_NONE;
    else if (which == TIME_ZERO_DURATION)
      GST_BUFFER_DURATION (buffer) = 0;
    else if (which == TIME_DTS)
      GST_BUFFER_DTS (buffer) = i * 40 * GST_MSECOND + 1;
    else if (which == TIME_BACKWARDS)
      GST_BUFFER_PTS (buffer) = (10 - i) * GST_SECOND;
    if (which == TIME_NEGATIVE && i == 1) {
      gst_segment_init (&segment, GST_FORMAT_TIME);
      segment.start = 10 * GST_SECOND;
      cut_event (h, gst_event_new_segment (&segment));
    }
    cut_push (h, buffer);
  }
  cut_finish (h);
}

static const GstSegment segments[] = {
  {.rate = 2,.applied_rate = 1},
  {.rate = -1,.applied_rate = 1,.stop = 9 * GST_SECOND},
  {.rate = 1,.applied_rate = -2,.base = 3 * GST_SECOND},
  {.rate = 1,.applied_rate = 1,.offset = GST_SECOND,.stop = GST_SECOND},
  {.flags = GST_SEGMENT_FLAG_RESET | GST_SEGMENT_FLAG_TRICKMODE
        | GST_SEGMENT_FLAG_TRICKMODE_KEY_UNITS,.rate = 16,.applied_rate = 1,
      .time = GST_SECOND,.duration = GST_SECOND * 60},
  {.rate = 0.5,.applied_rate = 1,.base = G_GUINT64_CONSTANT (1) << 60},
};

static void
feed_segment (GstHarness * h, gint which)
{
  GstSegment segment;
  GstBuffer *buffer;

  cut_begin_small (h);
  cut_push_small (h, 0);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.flags = segments[which].flags;
  segment.rate = segments[which].rate;
  segment.applied_rate = segments[which].applied_rate;
  segment.base = segments[which].base;
  segment.offset = segments[which].offset;
  segment.time = segments[which].time;
  if (segments[which].stop != 0)
    segment.stop = segments[which].stop;
  if (segments[which].duration != 0)
    segment.duration = segments[which].duration;
  cut_event (h, gst_event_new_segment (&segment));
  buffer = cut_frame (1, SIZE);
  /* so GstBaseSrc marks all frames that go backwards, see by_design[] */
  if (segment.rate < 0)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  cut_push (h, buffer);
  cut_event (h, gst_event_new_segment_done (GST_FORMAT_TIME, GST_SECOND));
  push_segment (h);
  cut_push_small (h, 2);
  cut_finish (h);
}

/* As a flushing seek upstream makes it; `argument`: reset-time */
static void
feed_flush (GstHarness * h, gint reset_time)
{
  GstEvent *start = gst_event_new_flush_start ();
  GstEvent *stop = gst_event_new_flush_stop (reset_time);
  GstBuffer *buffer;

  gst_event_set_seqnum (stop, gst_event_get_seqnum (start));
  cut_begin_small (h);
  cut_push_small (h, 0);
  cut_push_small (h, 1);
  cut_event (h, start);
  cut_event (h, stop);
  push_segment (h);
  buffer = cut_frame (50, SIZE);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  cut_push (h, buffer);
  cut_push_small (h, 51);
  cut_finish (h);
}

static void
feed_restart (GstHarness * h, gint unused)
{
  cut_begin_small (h);
  cut_push_small (h, 0);
  cut_event (h, gst_event_new_eos ());
  cut_event (h, gst_event_new_flush_start ());
  cut_event (h, gst_event_new_flush_stop (TRUE));
  cut_event (h, gst_event_new_stream_start ("again"));
  push_format (h, "GRAY8", 16, 16, "");
  push_segment (h);
  cut_push (h, cut_frame (0, 2 * SIZE));
  cut_finish (h);
}

/* The last thing is the stream's end. */
static void
feed_eos (GstHarness * h, gint n_frames)
{
  GstEvent *eos = gst_event_new_eos ();
  GstSegment segment;
  GstEvent *event;

  cut_begin_small (h);
  for (gint i = 0; i < n_frames; i++)
    cut_push_small (h, i);
  if (n_frames == 1) {
    /* as a seek has it: its number is that of the segment, too */
    gst_segment_init (&segment, GST_FORMAT_TIME);
    event = gst_event_new_segment (&segment);
    gst_event_set_seqnum (event, gst_event_get_seqnum (eos));
    cut_event (h, event);
    cut_push_small (h, 1);
  }
  cut_event (h, eos);
}

static void
feed_bayer (GstHarness * h, gint unused)
{
  cut_begin_small (h);
  push_caps (h, "video/x-bayer, format=bggr, width=13, height=7, "
      "framerate=25/1");
  cut_push (h, cut_frame (0, 16 * 7));
  cut_finish (h);
}

static void
feed_meta (GstHarness * h, gint which)
{
  cut_feed_meta (h, which);
  cut_finish (h);
}

#define MODE(m) GST_VIDEO_INTERLACE_MODE_##m
#define FLAG(f) { #f, feed_flag, GST_BUFFER_FLAG_##f }

const CutCase cut_cases[] = {
  {"formats, progressive", feed_formats, MODE (PROGRESSIVE)},
  {"formats, interleaved", feed_formats, MODE (INTERLEAVED)},
  {"formats, mixed", feed_formats, MODE (MIXED)},
  {"formats, alternate", feed_formats, MODE (ALTERNATE)},
  FLAG (GAP), FLAG (DISCONT), FLAG (CORRUPTED), FLAG (MARKER), FLAG (HEADER),
  FLAG (DELTA_UNIT), FLAG (DROPPABLE), FLAG (RESYNC), FLAG (DECODE_ONLY),
  FLAG (NON_DROPPABLE),
  {"one field", feed_flag, GST_VIDEO_BUFFER_FLAG_ONEFIELD},
  {"size and format change", feed_caps, -1},
  {"colorimetry changes", feed_caps, 0},
  {"HDR fields", feed_caps, 1},
  {"pixel aspect ratio", feed_caps, 2},
  {"multiview", feed_caps, 3},
  {"chroma site", feed_caps, 4},
  {"field order", feed_caps, 5},
  {"other fields", feed_caps, 6},
  {"variable framerate", feed_variable_rate, 0},
  {"no PTS", feed_times, TIME_NO_PTS},
  {"zero duration", feed_times, TIME_ZERO_DURATION},
  {"DTS", feed_times, TIME_DTS},
  {"PTS backwards", feed_times, TIME_BACKWARDS},
  {"negative running time", feed_times, TIME_NEGATIVE},
  {"rate 2", feed_segment, 0},
  {"rate -1", feed_segment, 1},
  {"applied rate and base", feed_segment, 2},
  {"offset and stop", feed_segment, 3},
  {"segment flags", feed_segment, 4},
  {"huge base", feed_segment, 5},
  {"tags", cut_feed_event, EVENT_TAG},
  {"global tags", cut_feed_event, EVENT_TAG_GLOBAL},
  {"stream collection", cut_feed_event, EVENT_COLLECTION},
  {"table of contents", cut_feed_event, EVENT_TOC},
  {"gap", cut_feed_event, EVENT_GAP},
  {"gap with flags", cut_feed_event, EVENT_GAP_FLAGS},
  {"custom event", cut_feed_event, EVENT_CUSTOM},
  {"sticky custom event", cut_feed_event, EVENT_CUSTOM_STICKY},
  {"event of a stream of a batch", cut_feed_event, EVENT_WRAPPED},
  {"seqnum", cut_feed_event, EVENT_SEQNUM},
  {"running time offset", cut_feed_event, EVENT_OFFSET},
  {"protection", cut_feed_event, EVENT_PROTECTION},
  {"what does not cross", cut_feed_event, EVENT_LEFT_OUT},
  {"group done", cut_feed_event, EVENT_GROUP_DONE},
  {"flush with reset-time", feed_flush, TRUE},
  {"flush without", feed_flush, FALSE},
  {"EOS and restart", feed_restart, 0},
  {"EOS", feed_eos, 3},
  {"EOS without a frame", feed_eos, 0},
  {"EOS of a seek", feed_eos, 1},
  {"bayer", feed_bayer, 0},
  {"crop meta", feed_meta, 0},
  {"region of interest metas", feed_meta, 1},
  {"time code meta", feed_meta, 2},
  {"reference timestamp metas", feed_meta, 3},
  {"caption metas", feed_meta, 4},
  {"AFD and bar metas", feed_meta, 5},
  {"affine transformation meta", feed_meta, 6},
  {"SEI meta", feed_meta, 7},
  {"custom meta", feed_meta, 8},
  {"all metas", feed_meta, 9},
};

const guint cut_n_cases = G_N_ELEMENTS (cut_cases);

gboolean
cut_case_ends (const CutCase * c)
{
  return c->feed == feed_eos;
}
