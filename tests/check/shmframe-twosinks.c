/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two sinks in one process, and frames that lie in slots of one while the other
 * publishes them: as behind output-selector, which lets upstream keep the pool
 * of the branch that it used first, or after relinking. */
#include "shmrig.h"

#define WIDTH 64
#define HEIGHT 48
#define SIZE (WIDTH * HEIGHT)
/* Frames that a client keeps, of those that it got last */
#define KEPT 3

typedef struct
{
  GstHarness *sink, *src;
  gchar *path;
  GQueue kept;                  /* of GstBuffer */
} End;

static void
open_client (End * end)
{
  GstElement *src = rig_element ("shmframesrc", "max-held", KEPT + 2, NULL);

  g_object_set (src, "socket-path", end->path, NULL);
  end->src = rig_harness (src);
}

static void
open_sink (End * end)
{
  GstElement *sink = rig_element ("shmframesink", "delivery", "lossless", NULL);

  g_object_set (sink, "socket-path", end->path, NULL);
  end->sink = rig_harness (sink);
  gst_harness_set_src_caps (end->sink, rig_caps ("GRAY8", WIDTH, HEIGHT));
}

static void
open_end (End * end, const gchar * name)
{
  end->path = g_build_filename (rig_dir, name, NULL);
  g_queue_init (&end->kept);
  open_sink (end);
  open_client (end);
}

/* A frame that a client has kept is what it was */
static void
check_frame (GstBuffer * buffer)
{
  guint number = (guint) GST_BUFFER_OFFSET (buffer);

  fail_unless (rig_is_frame (buffer, number), "frame %u is torn", number);
}

static void
check_kept (End * end)
{
  for (GList * l = end->kept.head; l != NULL; l = l->next)
    check_frame (l->data);
}

static void
let_go (End * end)
{
  check_kept (end);
  g_queue_clear_full (&end->kept, (GDestroyNotify) gst_buffer_unref);
}

static void
close_client (End * end)
{
  let_go (end);
  g_clear_pointer (&end->src, gst_harness_teardown);
}

static void
close_end (End * end)
{
  if (end->src != NULL)
    close_client (end);
  g_clear_pointer (&end->sink, gst_harness_teardown);
  g_clear_pointer (&end->path, g_free);
}

/* From this pool into this end, whose client gets it and keeps some */
static void
pass (GstBufferPool * pool, End * end, guint number)
{
  GstBuffer *buffer = rig_acquire (pool);

  rig_fill (buffer, number);
  GST_BUFFER_PTS (buffer) = number * 40 * GST_MSECOND;
  GST_BUFFER_OFFSET (buffer) = number;
  fail_unless_equals_int (gst_harness_push (end->sink, buffer), GST_FLOW_OK);
  if (end->src == NULL)
    return;
  buffer = gst_harness_pull (end->src);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), number);
  g_queue_push_tail (&end->kept, buffer);
  check_kept (end);
  if (g_queue_get_length (&end->kept) > KEPT)
    gst_buffer_unref (g_queue_pop_head (&end->kept));
}

/* Turn about, as a selector does; neither sink copies a byte */
GST_START_TEST (test_turns)
{
  End a, b;
  GstBufferPool *pool;

  open_end (&a, "a");
  open_end (&b, "b");
  pool = rig_pool (a.sink);
  for (guint i = 0; i < 300; i++) {
    pass (pool, i / 7 % 2 == 0 ? &a : &b, i);
    check_kept (&a);
    check_kept (&b);
  }
  fail_unless_equals_uint64 (rig_stat (b.sink->element, "bytes-copied"), 0);
  close_end (&b);
  rig_drop_pool (pool);
  close_end (&a);
}

GST_END_TEST;

/* The sink whose slots they are not stops while its client reads, and starts
 * anew */
GST_START_TEST (test_borrower_stops)
{
  End a, b;
  GstBufferPool *pool;

  open_end (&a, "a");
  open_end (&b, "b");
  pool = rig_pool (a.sink);
  for (guint round = 0, i = 0; round < 5; round++) {
    for (guint n = 0; n < KEPT; n++)
      pass (pool, &b, i++);
    g_clear_pointer (&b.sink, gst_harness_teardown);
    for (guint n = 0; n < 100; n++) {
      pass (pool, &a, i++);
      check_kept (&b);
    }
    if (round % 2 == 0)
      let_go (&b);              /* the frames of the sink that is gone */
    open_sink (&b);
  }
  close_end (&b);
  rig_drop_pool (pool);
  close_end (&a);
}

GST_END_TEST;

/* The sink whose slots they are stops; the other one goes on with them */
GST_START_TEST (test_owner_stops)
{
  End a, b;
  GstBufferPool *pool;
  GstBuffer *spare[4];
  guint i = 0;

  open_end (&a, "a");
  open_end (&b, "b");
  pool = rig_pool (a.sink);
  while (i < KEPT)
    pass (pool, &b, i++);
  for (guint n = 0; n < G_N_ELEMENTS (spare); n++)
    spare[n] = rig_acquire (pool);
  close_client (&a);
  g_clear_pointer (&a.sink, gst_harness_teardown);
  check_kept (&b);
  for (guint n = 0; n < G_N_ELEMENTS (spare); n++, i++) {
    GstBuffer *buffer;

    rig_fill (spare[n], i);
    GST_BUFFER_PTS (spare[n]) = i * 40 * GST_MSECOND;
    GST_BUFFER_OFFSET (spare[n]) = i;
    fail_unless_equals_int (gst_harness_push (b.sink, spare[n]), GST_FLOW_OK);
    buffer = gst_harness_pull (b.src);
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (buffer), i);
    check_frame (buffer);
    gst_buffer_unref (buffer);
    check_kept (&b);
  }
  rig_drop_pool (pool);
  close_end (&b);
  close_end (&a);
}

GST_END_TEST;

/* --- the selector itself --- */

#define TURN 10
#define FRAMES 200
#define READER(path) \
    "shmframesrc socket-path=" path " max-held=6 ! appsink name=out sync=false"

typedef struct
{
  GstElement *selector;
  GstPad *pads[2];
  guint number;
} Switch;

/* Each frame gets its number and bytes; the selector its next branch, before
 * it. */
static GstPadProbeReturn
number_frame (GstPad * pad, GstPadProbeInfo * info, gpointer user)
{
  Switch *s = user;
  GstBuffer *buffer = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER
      (info));

  rig_fill (buffer, s->number);
  GST_BUFFER_OFFSET (buffer) = s->number;
  if (s->number % TURN == 0)
    g_object_set (s->selector, "active-pad", s->pads[s->number / TURN % 2],
        NULL);
  s->number++;
  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  return GST_PAD_PROBE_OK;
}

typedef struct
{
  GstElement *pipeline;
  guint frames;
  GQueue kept;
} Reader;

static gpointer
read_all (gpointer user)
{
  Reader *r = user;
  GstSample *sample;

  while ((sample = rig_try_sample (r->pipeline, "out")) != NULL) {
    g_queue_push_tail (&r->kept, gst_buffer_ref (gst_sample_get_buffer
            (sample)));
    gst_sample_unref (sample);
    for (GList * l = r->kept.head; l != NULL; l = l->next)
      check_frame (l->data);
    if (g_queue_get_length (&r->kept) > KEPT)
      gst_buffer_unref (g_queue_pop_head (&r->kept));
    r->frames++;
  }
  g_queue_clear_full (&r->kept, (GDestroyNotify) gst_buffer_unref);
  return NULL;
}

GST_START_TEST (test_selector)
{
  GstElement *producer = rig_launch ("videotestsrc name=in num-buffers="
      G_STRINGIFY (FRAMES) " ! " RIG_GRAY (64, 48)
      " ! output-selector name=sel  sel. ! shmframesink name=a "
      "socket-path=@a delivery=lossless async=false  "
      "sel. ! shmframesink name=b "
      "socket-path=@b delivery=lossless async=false");
  Switch s = {.selector = rig_child (producer, "sel") };
  GstPad *in = gst_element_get_static_pad (rig_child (producer, "in"), "src");
  Reader readers[2];
  GThread *threads[2];

  for (guint i = 0; i < 2; i++) {
    gchar *name = g_strdup_printf ("src_%u", i);

    s.pads[i] = gst_element_get_static_pad (s.selector, name);
    g_free (name);
    readers[i] = (Reader) {
      .pipeline = rig_launch (i == 0 ? READER ("@a") : READER ("@b"))
    };
    rig_play (readers[i].pipeline);
    threads[i] = g_thread_new ("reader", read_all, &readers[i]);
  }
  gst_pad_add_probe (in, GST_PAD_PROBE_TYPE_BUFFER, number_frame, &s, NULL);
  rig_play (producer);
  for (guint i = 0; i < 2; i++) {
    g_thread_join (threads[i]);
    fail_unless_equals_int (readers[i].frames, FRAMES / 2);
    gst_object_unref (s.pads[i]);
    rig_stop (readers[i].pipeline);
  }
  gst_object_unref (in);
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_turns);
  tcase_add_test (tc, test_borrower_stops);
  tcase_add_test (tc, test_owner_stops);
  tcase_add_test (tc, test_selector);
}

RIG_SUITE (shmframe_twosinks)
