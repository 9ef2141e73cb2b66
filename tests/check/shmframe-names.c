/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, which stay in a process for good: each connection may bring so many.
 * What one brings too many of is left out, and the stream goes on; another one
 * is not concerned. The other end is always in a process of its own, or all its
 * names would be known here. */
#include <sys/wait.h>

#include "gstsecondbatchmeta.h"
#include "shmrig.h"


/* Starts `function` in a process that ends with it. Before anything of
 * GStreamer's runs here. */
static pid_t
in_process (void (*function) (GstHarness * sink), const gchar * path,
    gint wait_for)
{
  pid_t pid = fork ();
  GstHarness *h;
  gchar byte;

  if (pid != 0)
    return pid;
  if (wait_for >= 0 && read (wait_for, &byte, 1) != 1)
    _exit (1);
  rig_path = g_strdup (path);
  h = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  gst_harness_set_src_caps (h, rig_caps ("GRAY8", 8, 8));
  function (h);
  gst_harness_push_event (h, gst_event_new_eos ());
  /* Its consumer ends it. */
  sleep (60);
  _exit (0);
}

static void
end_process (pid_t pid, const gchar * path)
{
  kill (pid, SIGKILL);
  fail_unless (waitpid (pid, NULL, 0) == pid);
  g_unlink (path);
}

static GstHarness *
open_source (const gchar * path, GstBus * bus)
{
  GstElement *e = rig_element ("shmframesrc", "timestamps", "keep", NULL);

  g_object_set (e, "socket-path", path, NULL);
  gst_element_set_bus (e, bus);
  return rig_harness (e);
}

/* Messages that nobody took know the element. */
static void
close_source (GstHarness * h, GstBus * bus)
{
  gst_bus_set_flushing (bus, TRUE);
  gst_harness_teardown (h);
}

static guint
count_warnings (GstBus * bus)
{
  GstMessage *m;
  guint n = 0;

  while ((m = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR
              | GST_MESSAGE_WARNING)) != NULL) {
    GError *error = NULL;

    fail_unless (GST_MESSAGE_TYPE (m) == GST_MESSAGE_WARNING);
    gst_message_parse_warning (m, &error, NULL);
    fail_unless (strstr (error->message, "names") != NULL, "%s",
        error->message);
    g_error_free (error);
    gst_message_unref (m);
    n++;
  }
  return n;
}

static void
push_event (GstHarness * h, const gchar * format, guint i)
{
  gchar *name = g_strdup_printf (format, i);

  gst_harness_push_event (h, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new (name, "n", G_TYPE_UINT, i, NULL)));
  g_free (name);
}

#define MANY 40000

/* Between two frames */
static void
flood_events (GstHarness * h)
{
  gst_harness_push (h, rig_frame (0, 64));
  for (guint i = 0; i < MANY; i++)
    push_event (h, "track-%u", i);
  gst_harness_push (h, rig_frame (1, 64));
}

/* One name, with one field */
static void
repeat_event (GstHarness * h)
{
  gst_harness_push (h, rig_frame (0, 64));
  for (guint i = 0; i < MANY; i++)
    gst_harness_push_event (h,
        gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
            gst_structure_new ("the-same-event", "the-same-field", G_TYPE_UINT,
                i, NULL)));
  gst_harness_push (h, rig_frame (1, 64));
}

static void
be_honest (GstHarness * h)
{
  push_event (h, "honest-%u", 7);
  for (guint i = 0; i < 5; i++) {
    GstBuffer *frame = rig_frame (i, 64);

    gst_buffer_add_video_region_of_interest_meta (frame, "honest-face", 1, 2,
        3, 4);
    gst_harness_push (h, frame);
  }
}

/* The events that came so far, of this name */
static guint
count_events (GstHarness * h, const gchar * prefix)
{
  GstEvent *event;
  guint n = 0;

  while ((event = gst_harness_try_pull_event (h)) != NULL) {
    const GstStructure *s = gst_event_get_structure (event);

    n += s != NULL && g_str_has_prefix (gst_structure_get_name (s), prefix);
    gst_event_unref (event);
  }
  return n;
}

GST_START_TEST (test_events)
{
  gchar *path_b = g_strconcat (rig_path, "2", NULL);
  GstBus *bus = gst_bus_new ();
  GstHarness *a, *b;
  pid_t pid_a, pid_b;
  gint go[2];
  guint n;

  fail_unless (pipe (go) == 0);
  pid_a = in_process (flood_events, rig_path, -1);
  pid_b = in_process (be_honest, path_b, go[0]);
  a = open_source (rig_path, bus);
  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (gst_harness_pull (a));
  n = count_events (a, "track-");
  fail_unless (n > 10000 && n < MANY, "%u events came", n);
  fail_unless_equals_uint64 (rig_stat (a->element, "events-dropped"),
      MANY - n);
  fail_unless_equals_int (count_warnings (bus), 1);

  fail_unless (write (go[1], "g", 1) == 1);
  b = open_source (path_b, bus);
  for (guint i = 0; i < 5; i++) {
    GstBuffer *frame = gst_harness_pull (b);
    GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)
        gst_buffer_get_meta (frame, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);

    fail_unless (rig_is_frame (frame, i));
    fail_unless (roi != NULL && roi->h == 4);
    fail_unless_equals_string (g_quark_to_string (roi->roi_type),
        "honest-face");
    gst_buffer_unref (frame);
  }
  fail_unless_equals_int (count_events (b, "honest-"), 1);
  fail_unless_equals_uint64 (rig_stat (b->element, "metas-dropped"), 0);
  fail_unless_equals_int (count_warnings (bus), 0);
  close_source (a, bus);
  close_source (b, bus);
  end_process (pid_a, rig_path);
  end_process (pid_b, path_b);
  close (go[0]);
  close (go[1]);
  gst_object_unref (bus);
  g_free (path_b);
}

GST_END_TEST;

#define METAS 100

/* A new one in each frame, and one that they all have; at the end one with
 * fields that nobody knows, behind all the names that there may be */
static void
flood_metas (GstHarness * h)
{
  static const gchar *tags[] = { NULL };

  gst_meta_register_custom ("NamesTestAll", tags, NULL, NULL, NULL);
  for (guint i = 0; i < METAS; i++) {
    gchar *name = g_strdup_printf ("NamesTest%u", i);
    GstBuffer *frame = rig_frame (i, 64);

    gst_meta_register_custom (name, tags, NULL, NULL, NULL);
    gst_buffer_add_custom_meta (frame, "NamesTestAll");
    gst_buffer_add_custom_meta (frame, name);
    gst_harness_push (h, frame);
    g_free (name);
  }
}

GST_START_TEST (test_metas)
{
  GstBus *bus = gst_bus_new ();
  pid_t pid = in_process (flood_metas, rig_path, -1);
  GstHarness *h = open_source (rig_path, bus);
  guint n = 0;

  for (guint i = 0; i < METAS; i++) {
    gchar *name = g_strdup_printf ("NamesTest%u", i);
    GstBuffer *frame = gst_harness_pull (h);

    fail_unless (rig_is_frame (frame, i));
    fail_unless (gst_buffer_get_custom_meta (frame, "NamesTestAll") != NULL);
    if (gst_meta_get_info (name) != NULL)
      n += gst_buffer_get_custom_meta (frame, name) != NULL;
    gst_buffer_unref (frame);
    g_free (name);
  }
  fail_unless_equals_int (n, 63);
  fail_unless_equals_uint64 (rig_stat (h->element, "metas-dropped"),
      METAS - 63);
  fail_unless_equals_int (count_warnings (bus), 1);
  close_source (h, bus);
  end_process (pid, rig_path);
  gst_object_unref (bus);
}

GST_END_TEST;

/* Systems of which each has another name, of 200 kB */
static void
flood_protection (GstHarness * h)
{
  GstBuffer *data = gst_buffer_new ();
  gchar *fill = g_strnfill (200000, 'x');

  gst_harness_push (h, rig_frame (0, 64));
  for (guint i = 0; i < 50; i++) {
    gchar *system = g_strdup_printf ("%u%s", i, i % 2 ? fill : "");

    gst_harness_push_event (h, gst_event_new_protection (system, data, NULL));
    g_free (system);
  }
  gst_harness_push (h, rig_frame (1, 64));
}

GST_START_TEST (test_protection)
{
  GstBus *bus = gst_bus_new ();
  pid_t pid = in_process (flood_protection, rig_path, -1);
  GstHarness *h = open_source (rig_path, bus);

  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (gst_harness_pull (h));
  fail_unless_equals_int (count_events (h, "GstProtectionEvent"), 25);
  fail_unless_equals_uint64 (rig_stat (h->element, "events-dropped"), 25);
  close_source (h, bus);
  end_process (pid, rig_path);
  gst_object_unref (bus);
}

GST_END_TEST;

/* All names are used up: caps, metas and fields that are known still come, and
 * what is not known is missing where it was, and only there */
static void
flood_fields (GstHarness * h)
{
  static const gchar *tags[] = { NULL };
  GstCaps *caps = rig_caps ("GRAY8", 8, 8);
  GstBuffer *frame = rig_frame (1, 64);
  GstStructure *s;

  flood_events (h);
  gst_caps_set_simple (caps, "names-test-new", G_TYPE_INT, 1, NULL);
  gst_harness_push_event (h, gst_event_new_caps (caps));
  gst_caps_unref (caps);
  gst_meta_register_custom ("NamesTestAll", tags, NULL, NULL, NULL);
  s = gst_custom_meta_get_structure (gst_buffer_add_custom_meta (frame,
          "NamesTestAll"));
  gst_structure_set (s, "names-test-newer", G_TYPE_INT, 1, "width", G_TYPE_INT,
      2, "height", GST_TYPE_STRUCTURE,
      gst_structure_new_empty ("names-test-newest"), NULL);
  gst_buffer_add_video_region_of_interest_meta (frame, "names-test-face", 1, 2,
      3, 4);
  gst_buffer_add_video_region_of_interest_meta (frame, "video/x-raw", 1, 2, 3,
      4);
  gst_harness_push (h, frame);
}

GST_START_TEST (test_fields)
{
  GstBus *bus = gst_bus_new ();
  static const gchar *tags[] = { NULL };
  pid_t pid = in_process (flood_fields, rig_path, -1);
  GstHarness *h = open_source (rig_path, bus);
  const GstStructure *s;
  GstBuffer *frame;
  GstCaps *caps;
  gint width;

  gst_meta_register_custom ("NamesTestAll", tags, NULL, NULL, NULL);
  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (gst_harness_pull (h));
  frame = gst_harness_pull (h);
  fail_unless (rig_is_frame (frame, 1));
  caps = gst_pad_get_current_caps (h->sinkpad);
  s = gst_caps_get_structure (caps, 0);
  fail_unless (gst_structure_get_int (s, "width", &width) && width == 8);
  fail_unless (gst_structure_n_fields (s) == 4);
  gst_caps_unref (caps);
  s = gst_custom_meta_get_structure (gst_buffer_get_custom_meta (frame,
          "NamesTestAll"));
  fail_unless_equals_int (gst_structure_n_fields (s), 1);
  fail_unless (gst_structure_get_int (s, "width", &width) && width == 2);
  fail_unless_equals_int (gst_buffer_get_n_meta (frame,
          GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE), 1);
  fail_unless_equals_uint64 (rig_stat (h->element, "metas-dropped"), 1);
  fail_unless_equals_uint64 (rig_stat (h->element, "fields-dropped"), 3);
  gst_buffer_unref (frame);
  close_source (h, bus);
  end_process (pid, rig_path);
  gst_object_unref (bus);
}

GST_END_TEST;

static GstBuffer *
new_batch (void)
{
  GstBuffer *batch = gst_buffer_new ();
  GstStructure *s;

  gst_second_batch_meta_register ();
  s = gst_custom_meta_get_structure (gst_buffer_add_custom_meta (batch,
          GST_SECOND_BATCH_META_NAME));
  gst_structure_set (s, "version", G_TYPE_UINT, 1, "n-streams", G_TYPE_UINT,
      100, "names-test-new", G_TYPE_INT, 1, NULL);
  for (guint k = 0; k < 100; k++) {
    gchar *name = g_strdup_printf ("buffers-%u", k);
    GstBufferList *list = gst_buffer_list_new ();

    gst_buffer_list_add (list, rig_frame (k, 64));
    gst_structure_set (s, name, GST_TYPE_BUFFER_LIST, list, NULL);
    gst_buffer_list_unref (list);
    g_free (name);
  }
  GST_BUFFER_PTS (batch) = 80 * GST_MSECOND;
  return batch;
}

static void
flood_batches (GstHarness * h)
{
  GstCaps *caps = gst_caps_new_empty_simple (GST_SECOND_BATCH_CAPS_NAME);

  flood_events (h);
  gst_harness_push_event (h, gst_event_new_caps (caps));
  gst_caps_unref (caps);
  gst_harness_push (h, new_batch ());
}

/* The frames of a batch, of streams that nobody had yet, are not names too
 * many */
/* A name counts once, however often it comes */
GST_START_TEST (test_repeated)
{
  GstBus *bus = gst_bus_new ();
  pid_t pid = in_process (repeat_event, rig_path, -1);
  GstHarness *h = open_source (rig_path, bus);

  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (gst_harness_pull (h));
  fail_unless_equals_int (count_events (h, "the-same-"), MANY);
  fail_unless_equals_uint64 (rig_stat (h->element, "events-dropped"), 0);
  fail_unless_equals_uint64 (rig_stat (h->element, "fields-dropped"), 0);
  close_source (h, bus);
  end_process (pid, rig_path);
  gst_object_unref (bus);
}

GST_END_TEST;

GST_START_TEST (test_batch)
{
  GstBus *bus = gst_bus_new ();
  pid_t pid = in_process (flood_batches, rig_path, -1);
  GstHarness *h = open_source (rig_path, bus);
  GstBuffer *batch;

  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (gst_harness_pull (h));
  batch = gst_harness_pull (h);
  for (guint k = 0; k < 100; k++) {
    GstBufferList *list = gst_second_batch_get_buffers (batch, k);

    fail_unless (list != NULL, "stream %u is missing", k);
    fail_unless (rig_is_frame (gst_buffer_list_get (list, 0), k));
  }
  fail_unless_equals_int (gst_second_batch_get_n_streams (batch), 100);
  fail_unless_equals_uint64 (rig_stat (h->element, "fields-dropped"), 1);
  gst_buffer_unref (batch);
  close_source (h, bus);
  end_process (pid, rig_path);
  gst_object_unref (bus);
}

GST_END_TEST;

/* A client floods the producer with events of new names, as fast as it can */
static void
flood_upstream (const gchar * path)
{
  GstHarness *h;

  rig_path = g_strdup (path);
  h = rig_harness (rig_element ("shmframesrc", NULL));
  gst_buffer_unref (gst_harness_pull (h));
  for (guint i = 0;; i++) {
    gchar *name = g_strdup_printf ("upstream-%u", i);

    gst_harness_push_upstream_event (h,
        gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
            gst_structure_new_empty (name)));
    g_free (name);
    g_usleep (100);
  }
}

GST_START_TEST (test_upstream)
{
  pid_t pid = fork ();
  GstHarness *in, *out;
  gboolean came = FALSE;
  guint n = 0;

  if (pid == 0)
    flood_upstream (rig_path);
  in = rig_harness (rig_element ("shmframesink", "delivery", "lossless", NULL));
  out = rig_harness (rig_element ("shmframesrc", NULL));
  rig_until (rig_num_clients (in->element) == 2);
  gst_harness_set_src_caps (in, rig_caps ("GRAY8", 8, 8));
  fail_unless_equals_int (gst_harness_push (in, rig_frame (0, 64)),
      GST_FLOW_OK);
  gst_buffer_unref (gst_harness_pull (out));
  rig_until (rig_stat (in->element, "upstream-dropped") > 1000);
  /* Who sends little is heard all the same. */
  gst_harness_push_upstream_event (out,
      gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
          gst_structure_new_empty ("names-test-quiet")));
  while (!came) {
    GstEvent *event = gst_harness_pull_upstream_event (in);

    fail_unless (event != NULL);
    came = gst_event_has_name (event, "names-test-quiet");
    n += gst_event_get_structure (event) != NULL
        && g_str_has_prefix (gst_structure_get_name (gst_event_get_structure
            (event)), "upstream-");
    gst_event_unref (event);
  }
  fail_unless (n > 100);
  kill (pid, SIGKILL);
  fail_unless (waitpid (pid, NULL, 0) == pid);
  gst_harness_teardown (out);
  gst_harness_teardown (in);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_events);
  tcase_add_test (tc, test_metas);
  tcase_add_test (tc, test_protection);
  tcase_add_test (tc, test_fields);
  tcase_add_test (tc, test_repeated);
  tcase_add_test (tc, test_batch);
  tcase_add_test (tc, test_upstream);
}

RIG_SUITE (shmframe_names)
