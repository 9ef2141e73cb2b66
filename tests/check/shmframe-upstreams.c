/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a frame costs in front of shmframesink, by the element that makes it: no
 * copy, where it writes into the slot, or one. And the same bytes arrive. */
#include "shmrig.h"
#include "sums.h"

/* What sharing costs of each frame */
typedef enum
{
  NONE,                         /* written into the slot, if by the decoder
                                 * that copies it there */
  ONE,                          /* copied into it by the sink */
  SOME,                         /* copied where the slots are all in use, which
                                 * depends on the release */
  KEPT,                         /* copied from slot to slot, where the decoder
                                 * keeps it as a reference */
  PADDED,                       /* the same before GStreamer 1.28; since then
                                 * the decoder copies it into the slot */
} Copies;

typedef struct
{
  const gchar *name;
  const gchar *needs;           /* elements that a machine may lack */
  Copies copies;
  const gchar *line;            /* up to the sink */
} Case;

/* Before the decoder knows the sink, or before the ring has grown for it */
#define MAX_FIRST_FRAMES 8

#define FRAMES 30
#define FILM(format, w, h) "videotestsrc pattern=ball num-buffers=30 ! " \
    "video/x-raw,format=" format ",width=" #w ",height=" #h \
    ",framerate=25/1 ! "
#define I420(w, h) FILM ("I420", w, h)
#define RAW_FILE "filesrc location=@.raw blocksize=10000 ! rawvideoparse "
#define H264(w, h) I420 (w, h) "openh264enc bitrate=500000 ! h264parse ! "
#define H265(w, h) I420 (w, h) "x265enc speed-preset=ultrafast " \
    "option-string=bframes=3 ! h265parse ! "
#define MPEG4(w, h) I420 (w, h) "avenc_mpeg4 max-bframes=2 ! mpeg4videoparse ! "
/* with B-frames, three of them between references, which may be references */
#define X264(w, h) I420 (w, h) "x264enc speed-preset=ultrafast bframes=3 " \
    "b-adapt=false b-pyramid=true ref=4 ! h264parse ! "
#define FOR_H264 "openh264enc h264parse "
#define FOR_X264 "x264enc h264parse avdec_h264"
#define FOR_MPEG4 "avenc_mpeg4 mpeg4videoparse avdec_mpeg4"

static const Case cases[] = {
  {"videotestsrc", "", NONE, I420 (320, 240)},
  {"videotestsrc, odd size", "", NONE, I420 (321, 243)},
  {"queue", "", NONE, I420 (320, 240) "queue max-size-buffers=3 ! "},
  {"videoconvert", "", NONE, I420 (321, 243) "videoconvert ! "
        "video/x-raw,format=BGR ! "},
  {"videoscale", "", NONE, I420 (320, 240) "videoscale ! "
        "video/x-raw,width=203,height=101 ! "},
  {"videocrop", "videocrop", NONE, I420 (320, 240)
        "videocrop left=3 top=5 right=20 bottom=7 ! "},
  {"videoflip", "videoflip", NONE, I420 (320, 240)
        "videoflip method=clockwise ! "},
  {"videobalance", "videobalance", NONE, I420 (320, 240)
        "videobalance brightness=0.2 ! "},
  {"compositor", "compositor", NONE, I420 (320, 240)
        "compositor ! video/x-raw,format=I420 ! "},
  {"jpegdec", "jpegenc jpegdec", NONE, I420 (320, 240)
        "jpegenc ! jpegdec ! "},
  {"jpegdec, odd size", "jpegenc jpegdec", NONE, I420 (321, 243)
        "jpegenc ! jpegdec ! "},
  {"theoradec", "theoraenc theoradec", NONE, I420 (320, 240)
        "theoraenc ! theoradec ! "},
  {"theoradec, odd size", "theoraenc theoradec", NONE, I420 (321, 243)
        "theoraenc ! theoradec ! "},
  {"vp8dec", "vp8enc vp8dec", NONE, I420 (320, 240)
        "vp8enc deadline=1 ! vp8dec ! "},
  {"vp8dec, odd size", "vp8enc vp8dec", NONE, I420 (321, 243)
        "vp8enc deadline=1 ! vp8dec ! "},
  /* takes its memory before it asks the sink for any */
  {"vp9dec", "vp9enc vp9dec", ONE, I420 (320, 240)
        "vp9enc deadline=1 cpu-used=8 ! vp9dec ! "},
  {"openh264dec", FOR_H264 "openh264dec", NONE, H264 (320, 240)
        "openh264dec ! "},
  {"openh264dec, odd size", FOR_H264 "openh264dec", NONE, H264 (322, 242)
        "openh264dec ! "},
  {"avdec_h264", FOR_H264 "avdec_h264", PADDED, H264 (320, 240)
        "avdec_h264 max-threads=1 ! "},
  {"avdec_h264, odd size", FOR_H264 "avdec_h264", NONE, H264 (322, 242)
        "avdec_h264 max-threads=1 ! "},
  {"avdec_h264, frame threads", FOR_H264 "avdec_h264", PADDED, H264 (320, 240)
        "avdec_h264 max-threads=4 thread-type=frame ! "},
  {"avdec_h264, frame threads, odd size", FOR_H264 "avdec_h264", NONE,
        H264 (322, 242) "avdec_h264 max-threads=4 thread-type=frame ! "},
  {"avdec_h264, slice threads", FOR_H264 "avdec_h264", PADDED, H264 (320, 240)
        "avdec_h264 max-threads=4 thread-type=slice ! "},
  {"avdec_h264, B-frames", FOR_X264, PADDED, X264 (320, 240)
        "avdec_h264 max-threads=1 ! "},
  {"avdec_h264, B-frames, odd size", FOR_X264, NONE, X264 (322, 242)
        "avdec_h264 max-threads=1 ! "},
  {"avdec_h264, B-frames, frame threads", FOR_X264, PADDED, X264 (320, 240)
        "avdec_h264 max-threads=4 thread-type=frame ! "},
  {"avdec_h264, B-frames, frame threads, odd size", FOR_X264, NONE,
        X264 (318, 246) "avdec_h264 max-threads=4 thread-type=frame ! "},
  {"openh264dec, B-frames", "x264enc h264parse openh264dec", NONE,
        X264 (322, 242) "openh264dec ! "},
  {"avdec_h265, B-frames", "x265enc h265parse avdec_h265", PADDED,
        H265 (320, 240) "avdec_h265 max-threads=4 ! "},
  {"avdec_mpeg4, B-frames", FOR_MPEG4, KEPT, MPEG4 (324, 244)
        "avdec_mpeg4 max-threads=1 ! "},
  {"avdec_mpeg4, B-frames, frame threads", FOR_MPEG4, KEPT, MPEG4 (320, 240)
        "avdec_mpeg4 max-threads=4 thread-type=frame ! "},
  {"decodebin", FOR_H264 "matroskamux decodebin", PADDED, H264 (320, 240)
        "matroskamux ! decodebin ! "},
  {"rawvideoparse", "rawvideoparse", ONE, RAW_FILE "format=i420 width=320 "
        "height=240 framerate=25/1 ! "},
  {"tee", "", ONE, I420 (320, 240) "tee ! "},
  {"tee, two branches", "", ONE, I420 (320, 240) "tee name=t ! queue ! "
        "fakesink t. ! queue ! "},
};

/* The first that this machine lacks; NULL: none */
static const gchar *
missing_element (const Case * c)
{
  gchar **needs = g_strsplit (c->needs, " ", -1);
  const gchar *missing = NULL;

  for (guint i = 0; needs[i] != NULL && missing == NULL; i++)
    if (needs[i][0] != '\0' && !has_element (needs[i]))
      missing = g_intern_string (needs[i]);
  g_strfreev (needs);
  return missing;
}

static gboolean
is_before (guint release)
{
  guint major, minor, micro, nano;

  gst_version (&major, &minor, &micro, &nano);
  return major == 1 && minor < release;
}

static void
check_copies (const Case * c, GstElement * sink)
{
  guint frames = rig_stat (sink, "frames");
  guint copied = rig_stat (sink, "frames-copied");
  guint upstream = rig_stat (sink, "frames-copied-upstream");
  const gboolean kept = c->copies == KEPT ||
      (c->copies == PADDED && is_before (28));
  /* videorate of 1.26 was seen to copy none. */
  const gboolean some = is_before (24);
  const guint least[] = {[ONE] = frames,[SOME] = some ? frames / 3 : 0,
    [KEPT] = 0,[PADDED] = 0
  };
  const guint most[] = {[ONE] = frames,[SOME] = frames - 8,
    [KEPT] = MAX_FIRST_FRAMES,[PADDED] = MAX_FIRST_FRAMES
  };

  fail_unless (frames >= FRAMES, "%s: %u frames", c->name, frames);
  fail_unless (copied >= least[c->copies] && copied <= most[c->copies],
      "%s: %u copies of %u frames", c->name, copied, frames);
  /* B-frames need not be references; of x265enc a third are none. */
  if (kept)
    fail_unless (upstream >= FRAMES / 2 && upstream <= FRAMES,
        "%s: %u copies from slot to slot", c->name, upstream);
  else
    fail_unless (upstream == 0, "%s: %u copies from slot to slot", c->name,
        upstream);
}

static GstElement *
launch_producer (const Case * c, const gchar * properties)
{
  gchar *line = g_strconcat (c->line, "shmframesink name=sink socket-path=@ ",
      properties, NULL);
  GstElement *producer = rig_launch (line);

  g_free (line);
  return producer;
}

static GstElement *
launch_consumer (const gchar * behind)
{
  gchar *line = g_strconcat ("shmframesrc socket-path=@ is-live=false ! ",
      behind, "fakesink name=out", NULL);
  GstElement *consumer = rig_launch (line);

  g_free (line);
  return consumer;
}

/* What rawvideoparse reads */
static gchar *
write_raw_file (void)
{
  gsize size = FRAMES * 320 * 240 * 3 / 2;
  gchar *file = g_strconcat (rig_path, ".raw", NULL);
  gchar *bytes = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    bytes[i] = (gchar) rig_byte (3, i);
  fail_unless (g_file_set_contents (file, bytes, size, NULL));
  g_free (bytes);
  return file;
}

/* With these properties of the sink, and these elements behind the source */
static void
run_case (const Case * c, const gchar * properties, const gchar * behind)
{
  GstElement *producer, *consumer, *sink;
  GArray *sent, *received;
  gchar *file = write_raw_file ();

  producer = launch_producer (c, properties);
  sink = rig_child (producer, "sink");
  consumer = launch_consumer (behind);
  sent = sums_of (sink);
  received = sums_of (rig_child (consumer, "out"));
  rig_play (consumer);
  rig_play (producer);
  rig_await_eos (consumer);
  check_copies (c, sink);
  sums_check (received, sent, c->name);
  rig_stop (consumer);
  rig_stop (producer);
  g_array_unref (sent);
  g_array_unref (received);
  g_unlink (file);
  g_free (file);
}

GST_START_TEST (test_case)
{
  const Case *c = &cases[__i__];
  const gchar *missing = missing_element (c);

  skip_unless (missing == NULL, "%s: no %s", c->name, missing);
  run_case (c, "", "");
}

GST_END_TEST;

/* It takes the sink's memory in a pool of its own, which must not wait for it:
 * with slots for all frames, and with too few for a slow consumer. */
GST_START_TEST (test_videorate)
{
  Case c = {"videorate", "", NONE, I420 (320, 240) "videorate ! "
        "video/x-raw,framerate=50/1 ! " };

  run_case (&c, "slots=64", "");
  c.copies = SOME;
  run_case (&c, "slots=8", "identity sleep-time=4000 ! ");
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_case, 0, G_N_ELEMENTS (cases));
  tcase_add_test (tc, test_videorate);
}

RIG_SUITE (shmframe_upstreams)
