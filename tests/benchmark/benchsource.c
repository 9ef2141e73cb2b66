/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "benchsource.h"

#include <time.h>
#include <gst/video/video.h>
#include <gst/video/gstvideopool.h>

#include "benchtools.h"

#define CAPS "video/x-raw, format=I420, width=[1, 2147483647], " \
    "height=[1, 2147483647], framerate=[1/1, 2147483647/1]"

struct _BenchSource
{
  GstPushSrc parent;
  guint64 frames;
  guint width, height, fps;
  guint64 painted;              /* frames whose pixels are written */
  guint64 next;
  GstClockTime start;           /* CLOCK_MONOTONIC */
  GstClockTime first;           /* running time of the first frame */
};

G_DEFINE_TYPE (BenchSource, bench_source, GST_TYPE_PUSH_SRC)
     enum
     {
       PROP_FRAMES = 1,
       PROP_PACED,
       PROP_WIDTH,
       PROP_HEIGHT,
       PROP_FPS,
       PROP_PAINTED,
     };

     static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS));

     static gboolean bench_source_start (GstBaseSrc * src)
{
  BENCH_SOURCE (src)->next = 0;
  BENCH_SOURCE (src)->first = 0;
  return TRUE;
}

static GstCaps *
bench_source_get_caps (GstBaseSrc * src, GstCaps * filter)
{
  BenchSource *self = BENCH_SOURCE (src);

  return gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "I420",
      "width", G_TYPE_INT, (gint) self->width, "height", G_TYPE_INT,
      (gint) self->height, "framerate", GST_TYPE_FRACTION, (gint) self->fps, 1,
      NULL);
}

/* The base class puts the allocator that was offered into the pool's config. */
static gboolean
bench_source_decide_allocation (GstBaseSrc * src, GstQuery * query)
{
  if (gst_query_get_n_allocation_pools (query) == 0) {
    GstBufferPool *pool = gst_video_buffer_pool_new ();
    GstVideoInfo info;
    GstCaps *caps;

    gst_query_parse_allocation (query, &caps, NULL);
    gst_video_info_from_caps (&info, caps);
    gst_query_add_allocation_pool (query, pool, info.size, 0, 0);
    gst_object_unref (pool);
  }
  return GST_BASE_SRC_CLASS (bench_source_parent_class)->decide_allocation
      (src, query);
}

static void
sleep_until (GstClockTime due)
{
  struct timespec ts;

  GST_TIME_TO_TIMESPEC (due, ts);
  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0);
}

static void
paint (GstBuffer * buffer, guint8 value)
{
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    g_error ("a frame cannot be written");
  bench_paint (map.data, map.size, value);
  gst_buffer_unmap (buffer, &map);
}

static GstFlowReturn
bench_source_fill (GstPushSrc * src, GstBuffer * buffer)
{
  BenchSource *self = BENCH_SOURCE (src);
  GstClockTime period = GST_SECOND / self->fps;
  struct timespec now;

  if (self->next == self->frames)
    return GST_FLOW_EOS;
  if (gst_base_src_is_live (GST_BASE_SRC (src))) {
    if (self->next == 0) {
      clock_gettime (CLOCK_MONOTONIC, &now);
      self->start = GST_TIMESPEC_TO_TIME (now);
      self->first = gst_element_get_current_running_time (GST_ELEMENT (src));
    }
    sleep_until (self->start + self->next * period);
  }
  if (self->next < self->painted)
    paint (buffer, (guint8) self->next);
  GST_BUFFER_PTS (buffer) = self->first + self->next * period;
  GST_BUFFER_DURATION (buffer) = period;
  GST_BUFFER_OFFSET (buffer) = self->next++;
  return GST_FLOW_OK;
}

static void
bench_source_set_property (GObject * object, guint id, const GValue * value,
    GParamSpec * pspec)
{
  BenchSource *self = BENCH_SOURCE (object);

  if (id == PROP_FRAMES)
    self->frames = g_value_get_uint64 (value);
  else if (id == PROP_PACED)
    gst_base_src_set_live (GST_BASE_SRC (self), g_value_get_boolean (value));
  else if (id == PROP_WIDTH)
    self->width = g_value_get_uint (value);
  else if (id == PROP_HEIGHT)
    self->height = g_value_get_uint (value);
  else if (id == PROP_FPS)
    self->fps = g_value_get_uint (value);
  else if (id == PROP_PAINTED)
    self->painted = g_value_get_uint64 (value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
bench_source_class_init (BenchSourceClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstBaseSrcClass *src_class = GST_BASE_SRC_CLASS (klass);
  const GParamFlags flags = G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS;

  object_class->set_property = bench_source_set_property;
  g_object_class_install_property (object_class, PROP_FRAMES,
      g_param_spec_uint64 ("frames", "Frames", "Frames before the end", 0,
          G_MAXUINT64, 0, flags));
  g_object_class_install_property (object_class, PROP_PACED,
      g_param_spec_boolean ("paced", "Paced", "Live, each frame at its time",
          FALSE, flags));
  g_object_class_install_property (object_class, PROP_WIDTH,
      g_param_spec_uint ("width", "Width", "Of a frame", 1, G_MAXINT, 1920,
          flags));
  g_object_class_install_property (object_class, PROP_HEIGHT,
      g_param_spec_uint ("height", "Height", "Of a frame", 1, G_MAXINT, 1080,
          flags));
  g_object_class_install_property (object_class, PROP_FPS,
      g_param_spec_uint ("fps", "Rate", "Frames a second", 1, 1000, 60, flags));
  g_object_class_install_property (object_class, PROP_PAINTED,
      g_param_spec_uint64 ("painted", "Painted",
          "How many frames have every pixel written", 0, G_MAXUINT64, 0,
          flags));
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass),
      &src_template);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass),
      "Benchmark source", "Source/Video", "Frames that nobody painted",
      "The gst-shmframe authors");
  src_class->get_caps = bench_source_get_caps;
  src_class->start = bench_source_start;
  src_class->decide_allocation = bench_source_decide_allocation;
  GST_PUSH_SRC_CLASS (klass)->fill = bench_source_fill;
}

static void
bench_source_init (BenchSource * self)
{
  self->width = 1920;
  self->height = 1080;
  self->fps = 60;
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_TIME);
}

void
bench_source_register (void)
{
  gst_element_register (NULL, "benchsource", GST_RANK_NONE, BENCH_TYPE_SOURCE);
}
