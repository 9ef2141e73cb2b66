/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What shmframesrc says of what is behind it: that it does not take the frames,
 * or does not give them back. */
#include "shmrig.h"

#define RGB16 "video/x-raw,format=RGB16,width=64,height=64,framerate=25/1"
#define VIDEO "videotestsrc is-live=true ! " RGB16 \
    " ! shmframesink socket-path=@ delivery=live"

/* The first error on the bus is the source's, and has both words. */
static void
check_refused (const gchar * producer_line, const gchar * behind,
    const gchar * first_word, const gchar * second_word)
{
  for (guint live = 0; live < 2; live++) {
    gchar *line = g_strdup_printf ("shmframesrc name=src is-live=%u "
        "socket-path=@ %s %s", live,
        behind[0] != '\0' ? "!" : "identity name=idle", behind);
    GstElement *producer = rig_launch (producer_line);
    GstElement *consumer = rig_launch (line);
    GstBus *bus = gst_element_get_bus (consumer);
    GError *error = NULL;
    GstMessage *m;

    GST_INFO ("%s", line);
    rig_play (producer);
    rig_play (consumer);
    m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE, GST_MESSAGE_ERROR);
    fail_unless (m != NULL, "no error with %s", behind);
    gst_message_parse_error (m, &error, NULL);
    fail_unless (GST_MESSAGE_SRC (m) == (GstObject *) rig_child (consumer,
            "src"), "of another element: %s", error->message);
    fail_unless (strstr (error->message, first_word), "no '%s' in: %s",
        first_word, error->message);
    fail_unless (strstr (error->message, second_word), "no '%s' in: %s",
        second_word, error->message);
    fail_unless (strstr (error->message, rig_path), "%s", error->message);
    g_error_free (error);
    gst_message_unref (m);
    gst_object_unref (bus);
    rig_stop (consumer);
    rig_stop (producer);
    g_free (line);
  }
}

GST_START_TEST (test_refused)
{
  static const struct
  {
    const gchar *behind, *first_word, *second_word;
  } cases[] = {
    {"capsfilter caps=video/x-raw,format=I420 ! fakesink", "RGB16",
        "put videoconvert behind src"},
    {"capsfilter name=f caps=video/x-raw,format=I420 ! fakesink",
        "f takes video/x-raw, format=I420", "insert a converter"},
    {"queue ! capsfilter caps=video/x-raw,format=I420 ! fakesink",
        "format=I420", "put videoconvert behind src"},
    {"capsfilter caps=video/x-raw,width=320 ! fakesink", "width=320",
        "put videoconvert ! videoscale behind src"},
    {"capsfilter caps=video/x-raw,framerate=30/1 ! fakesink",
        "framerate=30/1", "put videoconvert ! videorate behind src"},
    {"capsfilter caps=video/x-bayer ! fakesink", "takes video/x-bayer",
        "put videoconvert and what makes video/x-bayer of it behind src"},
    {"appsink name=a caps=video/x-raw,format=I420", "a takes",
        "put videoconvert behind src"},
    {"tee name=t ! capsfilter caps=video/x-raw,format=I420 ! fakesink t. ! "
          "capsfilter caps=video/x-raw,format=GRAY8 ! fakesink",
        "nothing that all behind t take", "put videoconvert behind src"},
    {"capsfilter caps=multistream/x-second-batch ! fakesink", "RGB16",
        "put secondbatcher behind src"},
    {"", "Nothing is linked behind src", "fakesink"},
    {"queue ! identity name=last", "Nothing is linked behind last",
        "fakesink"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    check_refused (VIDEO, cases[i].behind, cases[i].first_word,
        cases[i].second_word);
}

GST_END_TEST;

GST_START_TEST (test_refused_by_encoder)
{
  skip_unless (has_element ("jpegenc"), "no jpegenc");
  check_refused (VIDEO, "jpegenc name=e ! fakesink", "e takes",
      "put videoconvert behind src");
}

GST_END_TEST;

GST_START_TEST (test_refused_batch)
{
  check_refused ("videotestsrc is-live=true ! " RGB16 " ! secondbatcher "
      "batch-duration=100000000 ! shmframesink socket-path=@ delivery=live",
      "queue ! capsfilter caps=video/x-raw ! fakesink", "x-second-batch",
      "put secondsplitter behind src");
}

GST_END_TEST;

static GstPadProbeReturn
refuse_buffers (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  gst_buffer_unref (GST_PAD_PROBE_INFO_BUFFER (info));
  GST_PAD_PROBE_INFO_DATA (info) = NULL;
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = GST_FLOW_NOT_NEGOTIATED;
  return GST_PAD_PROBE_HANDLED;
}

/* By an element that says it takes anything */
GST_START_TEST (test_refused_all_the_same)
{
  GstElement *producer = rig_launch (VIDEO);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "fakesink name=f");
  GstPad *pad = gst_element_get_static_pad (rig_child (consumer, "f"), "sink");
  gchar *text;

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, refuse_buffers, NULL,
      NULL);
  gst_object_unref (pad);
  rig_play (producer);
  rig_play (consumer);
  rig_expect_error (consumer, "src", &text);
  fail_unless (strstr (text, "refused by f, or behind it"), "%s", text);
  g_free (text);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* The streaming thread's, at the line that it logs before it sends CAPS on */
static struct
{
  GstPad *pad;
  gboolean stop_branch;
  gint here;                    /* atomic */
} at_caps;

static void
on_log (GstDebugCategory * category, GstDebugLevel level, const gchar * file,
    const gchar * function, gint line, GObject * object,
    GstDebugMessage * message, gpointer unused)
{
  GstPad *peer;

  if (at_caps.pad == NULL || strcmp (function, "receive_caps") != 0)
    return;
  peer = gst_pad_get_peer (at_caps.pad);
  if (at_caps.stop_branch)
    gst_pad_set_active (peer, FALSE);
  g_atomic_int_set (&at_caps.here, TRUE);
  if (!at_caps.stop_branch)
    rig_until (GST_PAD_IS_FLUSHING (at_caps.pad));
  gst_object_unref (peer);
}

/* CAPS come just when the source is stopped, or the branch behind it: nobody
 * has refused anything. */
GST_START_TEST (test_stopped_at_caps)
{
  GstElement *producer = rig_launch (VIDEO);

  gst_debug_set_active (TRUE);
  gst_debug_remove_log_function (NULL);
  gst_debug_set_threshold_for_name ("shmframesrc", GST_LEVEL_DEBUG);
  gst_debug_add_log_function (on_log, NULL, NULL);
  rig_play (producer);
  for (guint i = 0; i < 4; i++) {
    GstElement *consumer = rig_launch (i % 2 == 0 ? "shmframesrc name=src "
        "socket-path=@ ! queue name=q ! fakesink async=false"
        : "shmframesrc name=src is-live=false socket-path=@ ! queue name=q ! "
        "fakesink async=false");
    GstBus *bus = gst_element_get_bus (consumer);
    GstMessage *m;

    at_caps.here = FALSE;
    at_caps.stop_branch = i >= 2;
    at_caps.pad = gst_element_get_static_pad (rig_child (consumer, "src"),
        "src");
    rig_play (consumer);
    rig_until (g_atomic_int_get (&at_caps.here));
    m = i < 2 ? NULL : gst_bus_timed_pop_filtered (bus, GST_SECOND / 10,
        GST_MESSAGE_ERROR);
    fail_unless (m == NULL, "an error, case %u", i);
    rig_state (consumer, GST_STATE_READY);
    m = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    fail_unless (m == NULL, "an error after it was stopped, case %u", i);
    gst_object_unref (bus);
    gst_clear_object (&at_caps.pad);
    rig_stop (consumer);
  }
  rig_stop (producer);
  gst_debug_remove_log_function (on_log);
}

GST_END_TEST;

/* Times are kept: by the clock, frames of before the consumer started are in no
 * segment, and no sink keeps them. */
#define FED RIG_APPSRC (32, 24) \
    " ! shmframesink name=sink socket-path=@ delivery=live"
#define FRAME_SIZE (32 * 24)
#define KEEPS "shmframesrc name=src timestamps=keep socket-path=@ "

static gchar *
await_warning (GstElement * pipeline)
{
  GstMessage *m = rig_message (pipeline, GST_MESSAGE_WARNING);
  GError *error = NULL;
  gchar *text;

  gst_message_parse_warning (m, &error, NULL);
  text = g_strdup (error->message);
  g_error_free (error);
  gst_message_unref (m);
  return text;
}

static guint
count_warnings (GstElement * pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *m;
  guint n = 0;

  while ((m = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING)) != NULL) {
    n++;
    gst_message_unref (m);
  }
  gst_object_unref (bus);
  return n;
}

/* Stands as soon as there is a second frame, and says why */
static void
check_holds (const gchar * behind, const gchar * first_word,
    const gchar * second_word)
{
  gchar *line = g_strconcat (KEEPS, behind,
      NULL);
  GstElement *producer = rig_launch (FED);
  GstElement *consumer = rig_launch (line);
  gchar *text;

  rig_play (producer);
  rig_play (consumer);
  rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
  for (guint i = 0; i < 10; i++)
    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
  text = await_warning (consumer);
  fail_unless (strstr (text, first_word), "no '%s' in: %s", first_word, text);
  fail_unless (strstr (text, second_word), "no '%s' in: %s", second_word,
      text);
  g_free (text);
  rig_stop (consumer);
  rig_stop (producer);
  g_free (line);
}

GST_START_TEST (test_who_holds)
{
  check_holds ("max-held=1 ! fakesink name=f", "max-held=1",
      "f keeps its last frame (enable-last-sample)");
  check_holds ("max-held=1 ! appsink name=out", "raise max-held",
      "appsink out does not pull");
  check_holds ("max-held=3 ! appsink name=out", "max-held=3",
      "appsink out does not pull");
  check_holds ("max-held=3 ! queue name=q min-threshold-buffers=100 ! "
      "fakesink", "max-held=3", "q holds 3");
  check_holds ("max-held=2 ! tee name=t ! queue min-threshold-buffers=100 ! "
      "fakesink t. ! queue ! fakesink", "max-held=2", "in t or behind it");
}

GST_END_TEST;

/* A producer that waits for frames to come back announces none: both would
 * stand without a word. */
GST_START_TEST (test_nobody_pulls)
{
  GstElement *producer = rig_launch ("videotestsrc ! video/x-raw,"
      "format=GRAY8,width=320,height=240 ! shmframesink socket-path=@ "
      "max-memory=2000000");
  GstElement *consumer = rig_launch (KEEPS "! "
      "appsink name=out sync=false");
  gchar *text;

  rig_play (producer);
  rig_play (consumer);
  text = await_warning (consumer);
  fail_unless (strstr (text, "appsink out does not pull"), "%s", text);
  fail_unless (strstr (text, "max-memory or slots"), "%s", text);
  g_free (text);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

/* Nor need there be a limit: memory is used up, and at a camera's rate that
 * takes long. Who pulls is not told anything. */
GST_START_TEST (test_nobody_pulls_live)
{
  for (guint pulls = 0; pulls < 2; pulls++) {
    GstElement *producer = rig_launch (FED);
    GstElement *consumer = rig_launch (KEEPS "! "
        "appsink name=out sync=false");
    GstElement *src = rig_child (consumer, "src");

    rig_play (producer);
    rig_play (consumer);
    rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
    for (guint i = 0; i < 130; i++) {
      rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
      rig_until (rig_stat (src, "frames") == i + 1);
      if (pulls == 1)
        gst_buffer_unref (rig_pull (consumer, "out"));
    }
    if (pulls == 0) {
      gchar *text = await_warning (consumer);

      fail_unless (strstr (text, "appsink out does not pull"), "%s", text);
      g_free (text);
    }
    fail_unless_equals_int (count_warnings (consumer), 0);
    rig_stop (consumer);
    rig_stop (producer);
  }
}

GST_END_TEST;

/* Full, it keeps the streaming thread. Neither does one at rest, nor behind
 * EOS. */
GST_START_TEST (test_full_appsink)
{
  static const gchar *const lines[] = {
    KEEPS "! appsink name=out sync=false "
        "max-buffers=1",
    KEEPS "num-buffers=1 ! appsink name=out "
        "sync=false",
    KEEPS "! appsink name=out sync=false "
        "max-buffers=1 drop=true",
  };
  GstElement *producer = rig_launch (VIDEO);

  rig_play (producer);
  for (guint i = 0; i < G_N_ELEMENTS (lines); i++) {
    GstElement *consumer = rig_launch (lines[i]);
    GstBus *bus = gst_element_get_bus (consumer);
    GError *error = NULL;
    GstMessage *m;

    rig_play (consumer);
    m = gst_bus_timed_pop_filtered (bus, i == 0 ? RIG_DEADLINE
        : 7 * GST_SECOND, GST_MESSAGE_INFO);
    fail_unless ((m != NULL) == (i == 0), "%s", lines[i]);
    if (m != NULL) {
      gst_message_parse_info (m, &error, NULL);
      fail_unless (strstr (error->message, "appsink out does not pull"), "%s",
          error->message);
      g_error_free (error);
      gst_message_unref (m);
    }
    gst_object_unref (bus);
    rig_stop (consumer);
  }
  rig_stop (producer);
}

GST_END_TEST;

/* At its limit with each frame: told once */
GST_START_TEST (test_holding_is_told_once)
{
  GstElement *producer = rig_launch (FED);
  GstElement *consumer = rig_launch (KEEPS
      "max-held=3 ! appsink name=out sync=false enable-last-sample=false");
  GstElement *src = rig_child (consumer, "src");

  rig_play (producer);
  rig_play (consumer);
  rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
  for (guint i = 0; i < 6; i++)
    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
  g_free (await_warning (consumer));
  for (guint i = 6; i < 40; i++) {
    gst_buffer_unref (rig_pull (consumer, "out"));
    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
    rig_until (rig_stat (src, "held") == 3);
  }
  g_usleep (50000);
  fail_unless_equals_int (count_warnings (consumer), 0);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static GstPadProbeReturn
ask_for_ten (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (GST_QUERY_TYPE (query) != GST_QUERY_ALLOCATION)
    return GST_PAD_PROBE_OK;
  gst_query_add_allocation_pool (query, NULL, FRAME_SIZE, 10, 0);
  return GST_PAD_PROBE_HANDLED;
}

/* It is known at once that it will come to stand */
GST_START_TEST (test_asked_for_more)
{
  for (guint max_held = 0; max_held < 12; max_held += 3) {
    GstElement *producer = rig_launch (FED);
    GstElement *consumer = rig_launch (KEEPS "! "
        "appsink name=out sync=false");
    GstPad *pad = gst_element_get_static_pad (rig_child (consumer, "out"),
        "sink");

    g_object_set (rig_child (consumer, "src"), "max-held", max_held, NULL);
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM
        | GST_PAD_PROBE_TYPE_PUSH, ask_for_ten, NULL, NULL);
    gst_object_unref (pad);
    rig_play (producer);
    rig_play (consumer);
    rig_feed (producer, "in", rig_frame (0, FRAME_SIZE));
    gst_buffer_unref (rig_pull (consumer, "out"));
    if (max_held == 0) {
      fail_unless_equals_int (count_warnings (consumer), 0);
    } else {
      gchar *text = await_warning (consumer);

      fail_unless (strstr (text, "asks to hold 10 frames"), "%s", text);
      g_free (text);
    }
    rig_stop (consumer);
    rig_stop (producer);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_refused);
  tcase_add_test (tc, test_refused_by_encoder);
  tcase_add_test (tc, test_refused_batch);
  tcase_add_test (tc, test_refused_all_the_same);
  tcase_add_test (tc, test_stopped_at_caps);
  tcase_add_test (tc, test_who_holds);
  tcase_add_test (tc, test_nobody_pulls);
  tcase_add_test (tc, test_nobody_pulls_live);
  tcase_add_test (tc, test_full_appsink);
  tcase_add_test (tc, test_holding_is_told_once);
  tcase_add_test (tc, test_asked_for_more);
}

RIG_SUITE (shmframe_downstream)
