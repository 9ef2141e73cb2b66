/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes wrong is said once, by the element, with what to do about it. */
#include <errno.h>

#include "shared/connection.h"
#include "shmrig.h"

#define SOURCE "videotestsrc ! " RIG_GRAY (32, 24)

/* Starts the pipeline, which fails. The element's one error has `word` in
 * it. */
static void
check_fails (const gchar * description, const gchar * word)
{
  GstElement *pipeline = rig_launch (description);
  gchar *text;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  rig_expect_error (pipeline, "e", &text);
  fail_unless (strstr (text, word) != NULL, "no '%s' in: %s", word, text);
  g_free (text);
  rig_stop (pipeline);
}

#define SINK SOURCE " ! shmframesink name=e min-clients=0 "
#define SRC "shmframesrc name=e socket-path=@ "

GST_START_TEST (test_no_path)
{
  check_fails (SINK, "socket-path");
  check_fails (SINK "socket-path=\"\"", "socket-path");
  check_fails ("shmframesrc name=e ! fakesink", "socket-path");
}

GST_END_TEST;

/* 107 bytes are the most there can be */
GST_START_TEST (test_long_path)
{
  gchar *file = rig_path;
  gchar *line = g_strnfill (108, 'x');

  memcpy (line, file, strlen (file));
  rig_path = line;
  check_fails (SINK "socket-path=@", "107 bytes");
  check_fails ("shmframesrc name=e socket-path=@ ! fakesink", "107 bytes");
  line[107] = '\0';
  {
    GstElement *producer = rig_launch ("videotestsrc num-buffers=5 ! "
        "shmframesink socket-path=@");
    GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! fakesink");

    rig_play (producer);
    rig_play (consumer);
    rig_await_eos (consumer);
    rig_stop (consumer);
    rig_stop (producer);
  }
  g_free (line);
  rig_path = file;
}

GST_END_TEST;

GST_START_TEST (test_folder)
{
  fail_unless (g_mkdir (rig_path, 0700) == 0);
  check_fails (SINK "socket-path=@", "folder");
  check_fails (SRC "! fakesink", "not a socket");
  fail_unless (g_file_test (rig_path, G_FILE_TEST_IS_DIR));
  g_rmdir (rig_path);
}

GST_END_TEST;

GST_START_TEST (test_file)
{
  gchar *content;

  fail_unless (g_file_set_contents (rig_path, "precious", -1, NULL));
  check_fails (SINK "socket-path=@", "not a socket");
  check_fails (SRC "! fakesink", "not a socket");
  fail_unless (g_file_get_contents (rig_path, &content, NULL, NULL));
  fail_unless_equals_string (content, "precious");
  g_free (content);
  g_unlink (rig_path);
}

GST_END_TEST;

GST_START_TEST (test_no_folder)
{
  check_fails (SINK "socket-path=@/deeper", "folder");
}

GST_END_TEST;

/* Root may write anywhere, but not to a file system that takes no files. */
GST_START_TEST (test_takes_no_files)
{
  check_fails (SINK "socket-path=/proc/shmframe", "/proc/shmframe");
}

GST_END_TEST;

GST_START_TEST (test_not_writable)
{
  gboolean root = geteuid () == 0;

  /* as root, which may read the plugins */
  gst_object_unref (rig_launch (SINK));
  fail_unless (g_chmod (rig_dir, 0555) == 0);
  fail_unless (!root || seteuid (65534) == 0);
  check_fails (SINK "socket-path=@", "ermission");
  fail_unless (!root || seteuid (0) == 0);
  g_chmod (rig_dir, 0700);
}

GST_END_TEST;

/* Decimal where octal is meant */
GST_START_TEST (test_socket_mode)
{
  check_fails (SINK "socket-path=@ socket-mode=666", "octal: 0666");
  check_fails (SINK "socket-path=@ socket-mode=660", "octal: 0660");
  check_fails (SINK "socket-path=@ socket-mode=1000", "0777");
  check_fails (SINK "socket-path=@ socket-mode=999", "0777");
  check_fails (SINK "socket-path=@ socket-mode=01666", "0777");
  for (guint i = 0; i < 2; i++) {
    GstElement *sink = rig_element ("shmframesink", "socket-mode",
        i == 0 ? 0640 : 0777, NULL);
    GStatBuf st;

    rig_state (sink, GST_STATE_READY);
    fail_unless (g_stat (rig_path, &st) == 0);
    fail_unless_equals_int (st.st_mode & 07777, i == 0 ? 0640 : 0777);
    rig_state (sink, GST_STATE_NULL);
    gst_object_unref (sink);
  }
}

GST_END_TEST;

/* A file that nobody listens at is from a producer that crashed */
GST_START_TEST (test_stale_socket)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=5 ! "
      "shmframesink socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! fakesink");

  close (rig_socket (SOCK_SEQPACKET, TRUE));
  fail_unless (g_file_test (rig_path, G_FILE_TEST_EXISTS));
  rig_play (consumer);
  rig_await (consumer, GST_MESSAGE_INFO);
  rig_play (producer);
  rig_await_eos (consumer);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

GST_START_TEST (test_live_producer_there)
{
  GstElement *first = rig_launch (SOURCE " ! shmframesink name=sink "
      "socket-path=@ min-clients=0");
  GstElement *consumer;

  rig_play (first);
  check_fails (SINK "socket-path=@", rig_path);
  /* the first one is none the worse */
  consumer = rig_launch ("shmframesrc socket-path=@ ! appsink name=out "
      "sync=false");
  rig_play (consumer);
  gst_buffer_unref (rig_pull (consumer, "out"));
  rig_stop (consumer);
  rig_stop (first);
}

GST_END_TEST;

GST_START_TEST (test_no_producer)
{
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
      "fakesink");
  GstElement *producer = rig_launch ("videotestsrc num-buffers=5 ! "
      "shmframesink socket-path=@");
  GstMessage *m;
  GError *error = NULL;

  rig_play (consumer);
  m = rig_message (consumer, GST_MESSAGE_INFO);
  gst_message_parse_info (m, &error, NULL);
  fail_unless (strstr (error->message, rig_path) != NULL, "%s",
      error->message);
  g_error_free (error);
  gst_message_unref (m);
  rig_play (producer);
  rig_await_eos (consumer);
  rig_stop (consumer);
  rig_stop (producer);

  check_fails (SRC "connect-timeout=0 ! fakesink", "connect-timeout");
  check_fails (SRC "connect-timeout=100000000 ! fakesink", "connect-timeout");
}

GST_END_TEST;

/* Frames with these caps: the sink's one error has `word` in it */
static void
check_caps (const gchar * string, const gchar * word)
{
  GstElement *pipeline = rig_launch ("appsrc name=in format=time ! "
      "shmframesink name=e socket-path=@ min-clients=0");
  GstCaps *caps = gst_caps_from_string (string);
  gchar *text;

  GST_INFO ("%s", string);
  g_object_set (rig_child (pipeline, "in"), "caps", caps, NULL);
  gst_caps_unref (caps);
  rig_play (pipeline);
  for (guint n = 0; n < 3; n++) {
    GstBuffer *buffer = rig_frame (n, 64);
    GstFlowReturn ret;

    g_signal_emit_by_name (rig_child (pipeline, "in"), "push-buffer", buffer,
        &ret);
    gst_buffer_unref (buffer);
  }
  rig_expect_error (pipeline, "e", &text);
  fail_unless (strstr (text, word) != NULL, "no '%s' in: %s", word, text);
  g_free (text);
  rig_stop (pipeline);
}

/* Caps that the pad takes, and no frame can have */
GST_START_TEST (test_caps)
{
  const gchar *const bad[] = {
    "video/x-raw,format=GRAY8,width=0,height=24,framerate=25/1",
    "video/x-raw,format=GRAY8,width=32,height=2147483647,framerate=25/1",
    "video/x-raw,format=GRAY8,width=2147483647,height=2147483647",
    "video/x-raw,format=NOPE,width=32,height=24,framerate=25/1",
    "video/x-raw,format=ENCODED,width=32,height=24,framerate=25/1",
    "video/x-raw,format=GRAY8,width=-5,height=24,framerate=25/1",
    "video/x-raw",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    check_caps (bad[i], "format");
}

GST_END_TEST;

/* More than max-memory is by default */
GST_START_TEST (test_huge_frame)
{
  check_caps ("video/x-raw,format=ARGB,width=20000,height=20000",
      "max-memory");
}

GST_END_TEST;

static gint meddling;           /* atomic */

static gpointer
meddle (gpointer sink)
{
  for (guint i = 0; g_atomic_int_get (&meddling); i++)
    g_object_set (sink, "max-memory", (guint64) (1000 + i % 2), "slots",
        i % 2, NULL);
  return NULL;
}

/* What the text says is looked at while it is set: TSan sees whether both
 * know */
GST_START_TEST (test_set_meanwhile)
{
  GstElement *sink = rig_element ("shmframesink", "min-clients", 0, NULL);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  GstCaps *caps = rig_caps ("GRAY8", 640, 480);
  GThread *thread;

  g_object_set (sink, "max-memory", (guint64) 1000, NULL);
  g_atomic_int_set (&meddling, TRUE);
  thread = g_thread_new ("meddle", meddle, sink);
  for (guint i = 0; i < 20; i++) {
    rig_state (sink, GST_STATE_PAUSED);
    gst_pad_send_event (pad, gst_event_new_stream_start ("x"));
    fail_if (gst_pad_send_event (pad, gst_event_new_caps (caps)));
    rig_state (sink, GST_STATE_NULL);
  }
  g_atomic_int_set (&meddling, FALSE);
  g_thread_join (thread);
  gst_caps_unref (caps);
  gst_object_unref (pad);
  gst_object_unref (sink);
}

GST_END_TEST;

/* Other kinds of caps are refused by the pad */
GST_START_TEST (test_no_video)
{
  GstHarness *h = rig_harness (rig_element ("shmframesink", NULL));

  gst_harness_set_src_caps (h, gst_caps_new_empty_simple ("audio/x-raw"));
  fail_unless_equals_int (gst_harness_push (h, rig_frame (0, 64)),
      GST_FLOW_NOT_NEGOTIATED);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* Accepts one client, answers its HELLO with `reply`, and waits until it is
 * gone. */
static gpointer
serve_one (gpointer reply)
{
  struct sf_listener listener;
  struct sf_credentials peer;
  struct sf_message msg;
  int fds[SF_MESSAGE_MAX_FDS];
  int fd, r;

  fail_unless (sf_listener_open (&listener, rig_path, 0600) == 0);
  while ((fd = sf_listener_accept (&listener, &peer)) == -EAGAIN)
    g_usleep (1000);
  fail_unless (fd >= 0);
  while ((r = sf_receive (fd, &msg, fds)) == -EAGAIN)
    g_usleep (1000);
  fail_unless (r == 1 && msg.type == SF_MESSAGE_HELLO);
  fail_unless (sf_send (fd, reply, NULL, 0) >= 0);
  while ((r = sf_receive (fd, &msg, fds)) == -EAGAIN)
    g_usleep (1000);
  close (fd);
  sf_listener_close (&listener);
  return NULL;
}

static void
check_reply (const struct sf_message *reply, const gchar * word)
{
  GThread *thread = g_thread_new ("peer", serve_one, (gpointer) reply);

  check_fails (SRC "! fakesink", word);
  g_thread_join (thread);
}

GST_START_TEST (test_other_producer_version)
{
  struct sf_message refuse = {.type = SF_MESSAGE_REJECT,.reject = {
          .reason = SF_REASON_VERSION,.text = "install release 7"}
  };
  struct sf_message nonsense = {.type = SF_MESSAGE_GRANT,.max_held = 5 };

  check_reply (&refuse, "install release 7");
  check_reply (&nonsense, "release");
}

GST_END_TEST;

/* A client of the future is told so, and the producer goes on */
GST_START_TEST (test_other_client_version)
{
  GstElement *producer = rig_launch (SOURCE " ! shmframesink name=sink "
      "socket-path=@ min-clients=0");
  GstElement *sink = rig_child (producer, "sink");
  struct sf_message msg = {.type = SF_MESSAGE_HELLO,.hello = {
          .magic = SF_PROTOCOL_MAGIC,.version_min = 7,.version_max = 9,
          .max_held = 1}
  };
  int fds[SF_MESSAGE_MAX_FDS];
  int fd, r;

  rig_play (producer);
  fd = sf_connect (rig_path);
  fail_unless (fd >= 0);
  fail_unless (sf_send (fd, &msg, NULL, 0) >= 0);
  while ((r = sf_receive (fd, &msg, fds)) == -EAGAIN)
    g_usleep (1000);
  fail_unless_equals_int (r, 1);
  fail_unless_equals_int (msg.type, SF_MESSAGE_REJECT);
  fail_unless_equals_int (msg.reject.reason, SF_REASON_VERSION);
  fail_unless (strstr (msg.reject.text, "release") != NULL);
  close (fd);
  rig_until (rig_stat (sink, "clients-refused") == 1);
  rig_stop (producer);
}

GST_END_TEST;

GST_START_TEST (test_stream_listener)
{
  int fd = rig_socket (SOCK_STREAM, TRUE);

  check_fails (SRC "! fakesink", "socket-path");
  check_fails (SINK "socket-path=@", rig_path);
  rig_close_listener (fd);
}

GST_END_TEST;

static gpointer
send_garbage (gpointer listener)
{
  int fd = accept (GPOINTER_TO_INT (listener), NULL, NULL);
  char garbage[200], byte;

  memset (garbage, 0x5a, sizeof (garbage));
  fail_unless (send (fd, garbage, sizeof (garbage), MSG_NOSIGNAL) > 0);
  while (recv (fd, &byte, 1, 0) > 0);
  close (fd);
  return NULL;
}

GST_START_TEST (test_garbage)
{
  int fd = rig_socket (SOCK_SEQPACKET, TRUE);
  GThread *thread = g_thread_new ("peer", send_garbage, GINT_TO_POINTER (fd));

  check_fails (SRC "! fakesink", "no shmframesink");
  g_thread_join (thread);
  rig_close_listener (fd);
}

GST_END_TEST;

/* It never answers: as good as nobody, or, when there is a limit to waiting,
 * not what we look for */
GST_START_TEST (test_mute)
{
  int fd = rig_socket (SOCK_SEQPACKET, TRUE);
  GstElement *consumer = rig_launch (SRC "! fakesink");

  rig_play (consumer);
  rig_await (consumer, GST_MESSAGE_INFO);
  rig_stop (consumer);
  check_fails (SRC "connect-timeout=100000000 ! fakesink", "no shmframesink");
  rig_close_listener (fd);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_no_path);
  tcase_add_test (tc, test_long_path);
  tcase_add_test (tc, test_folder);
  tcase_add_test (tc, test_file);
  tcase_add_test (tc, test_no_folder);
  tcase_add_test (tc, test_takes_no_files);
  tcase_add_test (tc, test_not_writable);
  tcase_add_test (tc, test_socket_mode);
  tcase_add_test (tc, test_stale_socket);
  tcase_add_test (tc, test_live_producer_there);
  tcase_add_test (tc, test_no_producer);
  tcase_add_test (tc, test_caps);
  tcase_add_test (tc, test_huge_frame);
  tcase_add_test (tc, test_set_meanwhile);
  tcase_add_test (tc, test_no_video);
  tcase_add_test (tc, test_other_producer_version);
  tcase_add_test (tc, test_other_client_version);
  tcase_add_test (tc, test_stream_listener);
  tcase_add_test (tc, test_garbage);
  tcase_add_test (tc, test_mute);
}

RIG_SUITE (shmframe_errors)
