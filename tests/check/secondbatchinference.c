/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An inference element of the kind that GstAnalyticsBatchMeta is documented for: it
 * takes and gives batches, and leaves what it finds on the frames inside. It looks
 * for the bright rectangle that each frame has somewhere else.
 */
#include "analyticspipe.h"

#include <gst/base/gstbasetransform.h>

#define BOX_WIDTH 4
#define BOX_HEIGHT 2
#define DARK 10
#define BRIGHT 200

/* --- the element --- */

typedef struct
{
  GstBaseTransform parent;
} TestInference;

typedef struct
{
  GstBaseTransformClass parent_class;
} TestInferenceClass;

GType test_inference_get_type (void);

G_DEFINE_TYPE (TestInference, test_inference, GST_TYPE_BASE_TRANSFORM);

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANALYTICS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANALYTICS));

typedef struct
{
  gint left, top, right, bottom;
  gfloat mean;
} Found;

static Found
look_at (GstVideoFrame * frame)
{
  Found found = { G_MAXINT, G_MAXINT, -1, -1, 0 };
  const guint8 *data = GST_VIDEO_FRAME_COMP_DATA (frame, 0);
  gint stride = GST_VIDEO_FRAME_COMP_STRIDE (frame, 0);
  gint step = GST_VIDEO_FRAME_COMP_PSTRIDE (frame, 0);
  gint x, y;

  for (y = 0; y < GST_VIDEO_FRAME_HEIGHT (frame); y++)
    for (x = 0; x < GST_VIDEO_FRAME_WIDTH (frame); x++) {
      guint8 value = data[y * stride + x * step];

      found.mean += value;
      if (value < BRIGHT)
        continue;
      found.left = MIN (found.left, x);
      found.right = MAX (found.right, x);
      found.top = MIN (found.top, y);
      found.bottom = MAX (found.bottom, y);
    }
  found.mean /= (gfloat) (GST_VIDEO_FRAME_WIDTH (frame) *
      GST_VIDEO_FRAME_HEIGHT (frame));
  return found;
}

/* A frame in a batch is one of several references: it has to be made writable */
static GstBuffer *
infer_frame (GstBuffer * buffer, const GstVideoInfo * info)
{
  GstAnalyticsRelationMeta *meta;
  GstAnalyticsODMtd detection;
  GstVideoFrame frame;
  Found found;

  fail_unless (gst_video_frame_map (&frame, info, buffer, GST_MAP_READ));
  found = look_at (&frame);
  gst_video_frame_unmap (&frame);

  buffer = gst_buffer_make_writable (buffer);
  meta = gst_buffer_add_analytics_relation_meta (buffer);
  fail_unless (gst_analytics_relation_meta_add_od_mtd (meta,
          g_quark_from_static_string ("rectangle"), found.left, found.top,
          found.right - found.left + 1, found.bottom - found.top + 1,
          found.mean / 255, &detection));
  return buffer;
}

static void
infer_stream (GstAnalyticsBatchStream * stream)
{
  GstCaps *caps = gst_analytics_batch_stream_get_caps (stream);
  GstVideoInfo info;
  gsize i;

  fail_unless (caps && gst_video_info_from_caps (&info, caps));
  for (i = 0; i < stream->n_objects; i++) {
    GstMiniObject *object = stream->objects[i];

    if (GST_IS_EVENT (object)
        && GST_EVENT_TYPE (object) == GST_EVENT_CAPS) {
      gst_event_parse_caps (GST_EVENT_CAST (object), &caps);
      fail_unless (gst_video_info_from_caps (&info, caps));
    } else if (GST_IS_BUFFER (object)) {
      stream->objects[i] = GST_MINI_OBJECT_CAST (infer_frame (GST_BUFFER_CAST
              (object), &info));
    }
  }
}

static GstFlowReturn
test_inference_transform_ip (GstBaseTransform * self, GstBuffer * batch)
{
  GstAnalyticsBatchMeta *meta = gst_buffer_get_analytics_batch_meta (batch);
  gsize k;

  fail_unless (meta != NULL);
  for (k = 0; k < meta->n_streams; k++)
    infer_stream (&meta->streams[k]);
  return GST_FLOW_OK;
}

static void
test_inference_class_init (TestInferenceClass * klass)
{
  GstElementClass *element = GST_ELEMENT_CLASS (klass);

  gst_element_class_add_static_pad_template (element, &sink_template);
  gst_element_class_add_static_pad_template (element, &src_template);
  gst_element_class_set_static_metadata (element, "Inference", "Filter/Video",
      "Finds a rectangle in each frame of a batch", "The tests");
  GST_BASE_TRANSFORM_CLASS (klass)->transform_ip = test_inference_transform_ip;
}

static void
test_inference_init (TestInference * self)
{
}

/* --- frames --- */

static GstVideoInfo infos[STREAMS];
static Input input;
static GstBuffer *frames[STREAMS][75];  /* inside `input` */
static guint n_frames[STREAMS];

/* Where the rectangle of a frame is follows from its time */
static void
place (guint k, GstClockTime pts, gint * x, gint * y)
{
  guint i = (guint) (pts / (40 * MS));

  *x = (gint) ((i * (3 + k)) % (guint) (infos[k].width - BOX_WIDTH + 1));
  *y = (gint) ((i + k) % (guint) (infos[k].height - BOX_HEIGHT + 1));
}

static void
add_frame (guint k, GstClockTime pts, GstClockTime duration)
{
  GstVideoFrame frame;
  GstBuffer *buffer;
  gint x, y, row;

  input_frame (&input, k, pts, duration, infos[k].size, DARK);
  buffer = frames[k][n_frames[k]++] =
      g_ptr_array_index (input.items[k], input.items[k]->len - 1);
  place (k, pts, &x, &y);
  fail_unless (gst_video_frame_map (&frame, &infos[k], buffer, GST_MAP_WRITE));
  for (row = y; row < y + BOX_HEIGHT; row++)
    memset ((guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&frame, 0) + row *
        GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0) + x *
        GST_VIDEO_FRAME_COMP_PSTRIDE (&frame, 0), BRIGHT,
        (gsize) BOX_WIDTH * (gsize) GST_VIDEO_FRAME_COMP_PSTRIDE (&frame, 0));
  gst_video_frame_unmap (&frame);
}

/* Three seconds of NV12 at 25 fps and of RGB at 5 fps; the second stream has no
 * frame in its second second */
static void
fill_input (void)
{
  const gchar *caps[] = {
    "video/x-raw,format=NV12,width=24,height=16,framerate=25/1",
    "video/x-raw,format=RGB,width=10,height=6,framerate=5/1"
  };
  guint i, k;

  input_init (&input);
  for (k = 0; k < STREAMS; k++) {
    GstCaps *c = gst_caps_from_string (caps[k]);

    fail_unless (gst_video_info_from_caps (&infos[k], c));
    gst_caps_unref (c);
    n_frames[k] = 0;
    input_format (&input, k, caps[k]);
  }
  for (i = 0; i < 75; i++) {
    if (i == 30)
      input_add (&input, 0, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE,
                  "in between", NULL)));
    add_frame (0, i * 40 * MS, 40 * MS);
    if (i % 5 == 0 && i / 25 != 1)
      add_frame (1, i * 40 * MS, 200 * MS);
  }
  for (k = 0; k < STREAMS; k++)
    input_add (&input, k, gst_event_new_eos ());
}

/* What was found on it is what is there, and the pixels are upstream's */
static void
check_frame (GstBuffer * frame, guint k, guint n)
{
  GstAnalyticsRelationMeta *meta =
      gst_buffer_get_analytics_relation_meta (frame);
  gint x, y, left, top, width, height;
  GstAnalyticsODMtd detection;
  gfloat confidence;

  fail_unless (n < n_frames[k], "frame %u of stream %u", n, k);
  fail_unless (gst_buffer_peek_memory (frame, 0) ==
      gst_buffer_peek_memory (frames[k][n], 0));
  fail_unless_equals_uint64 (GST_BUFFER_PTS (frame),
      GST_BUFFER_PTS (frames[k][n]));
  fail_unless (meta != NULL, "frame %u of stream %u", n, k);
  fail_unless_equals_int (gst_analytics_relation_get_length (meta), 1);
  fail_unless (gst_analytics_relation_meta_get_od_mtd (meta, 0, &detection));
  fail_unless (gst_analytics_od_mtd_get_location (&detection, &left, &top,
          &width, &height, &confidence));
  place (k, GST_BUFFER_PTS (frame), &x, &y);
  fail_unless_equals_int (left, x);
  fail_unless_equals_int (top, y);
  fail_unless_equals_int (width, BOX_WIDTH);
  fail_unless_equals_int (height, BOX_HEIGHT);
  fail_unless (confidence > DARK / 255.f && confidence < BRIGHT / 255.f);
  /* upstream's own frame is as it was */
  fail_if (gst_buffer_get_analytics_relation_meta (frames[k][n]));
}

static void
run_and_check (Pipe * pipe)
{
  pipe_run (pipe, &input);
  fail_unless_equals_int (pipe->frames[0], 75);
  fail_unless_equals_int (pipe->frames[1], 10);
  pipe_clear (pipe);
  input_clear (&input);
}

static GstElement *
make_inference (void)
{
  return g_object_new (test_inference_get_type (), NULL);
}

GST_START_TEST (test_behind_the_splitter)
{
  Pipe pipe = {.check = check_frame };

  skip_unless (has_element ("analyticssplitter"), "no analyticssplitter");
  fill_input ();
  pipe_init (&pipe, make_inference (), "analyticssplitter");
  run_and_check (&pipe);
  fail_unless_equals_int (pipe.pads, STREAMS);
}

GST_END_TEST;

/* --- the batch itself --- */

static GstPadProbeReturn
check_batch (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GstAnalyticsBatchMeta *meta = gst_buffer_get_analytics_batch_meta
      (GST_PAD_PROBE_INFO_BUFFER (info));
  Pipe *pipe = data;
  gsize i, k;

  for (k = 0; k < meta->n_streams; k++)
    for (i = 0; i < meta->streams[k].n_objects; i++)
      if (GST_IS_BUFFER (meta->streams[k].objects[i]))
        pipe->check (GST_BUFFER_CAST (meta->streams[k].objects[i]), (guint) k,
            pipe->frames[k]++);
  return GST_PAD_PROBE_OK;
}

/* Also where two want the batch, so that each has to have its own copy */
GST_START_TEST (test_in_the_batch)
{
  Pipe pipe = {.check = check_frame };
  GstElement *bin, *sink;
  GError *error = NULL;
  GstPad *pad;

  gst_element_register (NULL, "testinference", GST_RANK_NONE,
      test_inference_get_type ());
  fill_input ();
  bin = gst_parse_bin_from_description ("tee name=t ! testinference ! "
      "fakesink name=sink async=false t. ! " ANALYTICS
      " ! fakesink async=false", FALSE, &error);
  fail_unless (error == NULL, "%s", error ? error->message : "");
  sink = gst_bin_get_by_name (GST_BIN (bin), "t");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", pad));
  gst_object_unref (pad);
  gst_object_unref (sink);
  sink = gst_bin_get_by_name (GST_BIN (bin), "sink");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, check_batch, &pipe, NULL);
  gst_object_unref (pad);
  gst_object_unref (sink);
  pipe_init (&pipe, bin, NULL);
  run_and_check (&pipe);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_behind_the_splitter);
  tcase_add_test (tc, test_in_the_batch);
}

ANALYTICS_SUITE (secondbatchinference)
