/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients come, go, are refused and thrown out; producers go and come back. */
#include "shmrig.h"

#define SOURCE RIG_APPSRC (32, 24)
#define FRAME_SIZE (32 * 24)

typedef struct
{
  GMutex lock;
  guint connected, disconnected;
  gchar *reason;                /* of the last one that went */
  guint64 id;                   /* likewise */
} Signals;

static Signals signals;

static void
on_connected (GstElement * sink, const GstStructure * client, Signals * s)
{
  guint64 id = 0;
  gint pid = 0;
  guint uid = 0;

  fail_unless (gst_structure_get (client, "id", G_TYPE_UINT64, &id, "pid",
          G_TYPE_INT, &pid, "uid", G_TYPE_UINT, &uid, NULL));
  fail_unless (id > 0);
  fail_unless_equals_int (pid, getpid ());
  fail_unless_equals_int (uid, getuid ());
  fail_unless (gst_structure_has_field (client, "name"));
  g_mutex_lock (&s->lock);
  s->connected++;
  g_mutex_unlock (&s->lock);
}

static void
on_disconnected (GstElement * sink, const GstStructure * client, Signals * s)
{
  g_mutex_lock (&s->lock);
  s->disconnected++;
  g_free (s->reason);
  s->reason = g_strdup (gst_structure_get_string (client, "reason"));
  gst_structure_get_uint64 (client, "id", &s->id);
  g_mutex_unlock (&s->lock);
}

static guint
count (const guint * counter)
{
  guint n;

  g_mutex_lock (&signals.lock);
  n = *counter;
  g_mutex_unlock (&signals.lock);
  return n;
}

static GstElement *
launch_producer (const gchar * description)
{
  GstElement *producer = rig_launch (description);
  GstElement *sink = rig_child (producer, "sink");

  memset (&signals, 0, sizeof (signals));
  g_signal_connect (sink, "client-connected", G_CALLBACK (on_connected),
      &signals);
  g_signal_connect (sink, "client-disconnected", G_CALLBACK (on_disconnected),
      &signals);
  return producer;
}

GST_START_TEST (test_signals)
{
  GstElement *producer = launch_producer (SOURCE " ! shmframesink name=sink "
      "socket-path=@ min-clients=0");
  GstElement *sink = rig_child (producer, "sink");

  rig_play (producer);
  for (guint i = 1; i <= 5; i++) {
    GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! fakesink");

    rig_play (consumer);
    rig_until (rig_num_clients (sink) == 1);
    rig_until (count (&signals.connected) == i);
    rig_stop (consumer);
    rig_until (count (&signals.disconnected) == i);
    rig_until (rig_num_clients (sink) == 0);
    fail_unless_equals_string (signals.reason, "stopped");
    fail_unless_equals_uint64 (signals.id, i);
    fail_unless_equals_uint64 (rig_stat (sink, "clients-seen"), i);
  }
  rig_stop (producer);
  g_free (signals.reason);
}

GST_END_TEST;

/* All that stats tell of a client */
GST_START_TEST (test_client_stats)
{
  GstElement *producer = launch_producer (SOURCE " ! shmframesink name=sink "
      "socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc name=me socket-path=@ "
      "max-held=5 delivery=live ! appsink name=out sync=false");
  GstBuffer *held[3];
  GstStructure *stats;
  const GValue *clients;
  const GstStructure *client;
  gboolean lossless = TRUE, lingering = TRUE;
  guint n_held = 0, max_held = 0;
  guint64 frames = 0;

  rig_play (producer);
  rig_play (consumer);
  for (guint i = 0; i < 3; i++) {
    rig_feed (producer, "in", rig_frame (i, FRAME_SIZE));
    held[i] = rig_pull (consumer, "out");
  }
  rig_until (rig_stat (rig_child (consumer, "me"), "held") == 3);
  g_object_get (rig_child (producer, "sink"), "stats", &stats, NULL);
  clients = gst_structure_get_value (stats, "clients");
  fail_unless (clients != NULL);
  fail_unless_equals_int (gst_value_array_get_size (clients), 1);
  client = gst_value_get_structure (gst_value_array_get_value (clients, 0));
  fail_unless (gst_structure_get (client, "lossless", G_TYPE_BOOLEAN,
          &lossless, "lingering", G_TYPE_BOOLEAN, &lingering, "held",
          G_TYPE_UINT, &n_held, "max-held", G_TYPE_UINT, &max_held, "frames",
          G_TYPE_UINT64, &frames, NULL));
  fail_unless_equals_string (gst_structure_get_string (client, "name"), "me");
  fail_if (lossless || lingering);
  fail_unless_equals_int (n_held, 3);
  fail_unless_equals_int (max_held, 5);
  fail_unless_equals_uint64 (frames, 3);
  gst_structure_free (stats);
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (held[i]);
  rig_stop (consumer);
  rig_stop (producer);
  g_free (signals.reason);
}

GST_END_TEST;

GST_START_TEST (test_max_clients)
{
  GstElement *producer = launch_producer (SOURCE " ! shmframesink name=sink "
      "socket-path=@ max-clients=2 min-clients=0");
  GstElement *sink = rig_child (producer, "sink");
  GstElement *consumer[3];
  gchar *text;

  rig_play (producer);
  for (guint i = 0; i < 3; i++) {
    consumer[i] = rig_launch (i < 2 ? "shmframesrc name=e socket-path=@ ! "
        "appsink name=out sync=false" : "shmframesrc name=e socket-path=@ "
        "connect-timeout=0 ! appsink name=out sync=false");
    rig_play (consumer[i]);
    if (i < 2)
      rig_until (rig_num_clients (sink) == i + 1);
  }
  rig_expect_error (consumer[2], "e", &text);
  fail_unless (strstr (text, "max-clients") != NULL, "%s", text);
  g_free (text);
  fail_unless_equals_uint64 (rig_stat (sink, "clients-refused"), 1);
  fail_unless_equals_int (rig_num_clients (sink), 2);
  rig_feed (producer, "in", rig_frame (1, FRAME_SIZE));
  gst_buffer_unref (rig_pull (consumer[0], "out"));
  gst_buffer_unref (rig_pull (consumer[1], "out"));
  for (guint i = 0; i < 3; i++)
    rig_stop (consumer[i]);
  rig_stop (producer);
  g_free (signals.reason);
}

GST_END_TEST;

/* Who has time waits for a place, and says so. */
GST_START_TEST (test_waits_for_place)
{
  GstElement *producer = launch_producer (SOURCE " ! shmframesink name=sink "
      "socket-path=@ max-clients=1 min-clients=0");
  GstElement *sink = rig_child (producer, "sink");
  GstElement *consumer[2];
  GstMessage *info;
  GError *error = NULL;

  rig_play (producer);
  for (guint i = 0; i < 2; i++) {
    consumer[i] = rig_launch ("shmframesrc name=e socket-path=@ ! "
        "appsink name=out sync=false");
    rig_play (consumer[i]);
    rig_until (rig_num_clients (sink) == 1);
  }
  info = rig_message (consumer[1], GST_MESSAGE_INFO);
  gst_message_parse_info (info, &error, NULL);
  fail_unless (strstr (error->message, "max-clients") != NULL, "%s",
      error->message);
  g_error_free (error);
  gst_message_unref (info);
  rig_stop (consumer[0]);
  rig_until (rig_num_clients (sink) == 1);
  rig_feed (producer, "in", rig_frame (1, FRAME_SIZE));
  gst_buffer_unref (rig_pull (consumer[1], "out"));
  rig_stop (consumer[1]);
  rig_stop (producer);
  g_free (signals.reason);
}

GST_END_TEST;

/* One stands still and is thrown out, the other gets every frame. With `slots`,
 * the one that stands holds all it may, and nothing can be announced to it. */
static void
check_evicted (const gchar * description, const gchar * source)
{
  gchar *line = g_strconcat (source, description, NULL);
  GstElement *producer = launch_producer (line);
  GstElement *stuck = rig_launch ("shmframesrc name=src socket-path=@ "
      "max-held=3 ! appsink name=out max-buffers=1 sync=false");
  GstElement *good = rig_launch ("shmframesrc name=src socket-path=@ "
      "max-held=3 ! fakesink");
  GstElement *sink = rig_child (producer, "sink");
  GstBuffer *held[2];

  rig_state (producer, GST_STATE_READY);
  rig_play (stuck);
  rig_play (good);
  rig_until (rig_num_clients (sink) == 2);
  rig_play (producer);
  /* with one in the appsink and one on the way it holds all it may */
  held[0] = rig_pull (stuck, "out");
  rig_until (count (&signals.disconnected) == 1);
  fail_unless_equals_string (signals.reason, "slow");
  fail_unless_equals_uint64 (rig_stat (sink, "clients-evicted"), 1);
  rig_await_eos (good);
  fail_unless_equals_uint64 (rig_stat (rig_child (good, "src"), "frames"),
      500);
  /* what it holds is still what it was */
  held[1] = rig_pull (stuck, "out");
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (held[0]), 0);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (held[1]), 1);
  gst_buffer_unref (held[0]);
  gst_buffer_unref (held[1]);
  rig_stop (stuck);
  rig_stop (good);
  rig_stop (producer);
  g_free (signals.reason);
  g_free (line);
}

#define FILM "videotestsrc num-buffers=500 ! " RIG_GRAY (32, 24)

GST_START_TEST (test_evicted)
{
  check_evicted (" ! shmframesink name=sink socket-path=@ "
      "stall-timeout=200000000", FILM);
}

GST_END_TEST;

GST_START_TEST (test_evicted_fixed_slots)
{
  check_evicted (" ! shmframesink name=sink socket-path=@ "
      "stall-timeout=200000000 slots=8", FILM);
}

GST_END_TEST;

GST_START_TEST (test_evicted_copied)
{
  check_evicted (" ! tee ! shmframesink name=sink socket-path=@ "
      "stall-timeout=200000000 slots=8", FILM);
}

GST_END_TEST;

/* A client that has nothing to do is not slow */
GST_START_TEST (test_idle_is_not_slow)
{
  GstElement *producer = launch_producer (SOURCE " ! shmframesink name=sink "
      "socket-path=@ client-timeout=50000000 stall-timeout=50000000");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ ! "
      "appsink name=out sync=false");

  rig_play (producer);
  rig_play (consumer);
  for (guint i = 0; i < 6; i++) {
    for (guint n = 0; n < 30; n++) {
      rig_feed (producer, "in", rig_frame (n, FRAME_SIZE));
      gst_buffer_unref (rig_pull (consumer, "out"));
    }
    /* longer than the timeout */
    g_usleep (100000);
  }
  fail_unless_equals_int (count (&signals.disconnected), 0);
  rig_stop (consumer);
  rig_stop (producer);
  g_free (signals.reason);
}

GST_END_TEST;

static GstElement *
new_producer (void)
{
  GstElement *producer = rig_launch (SOURCE " ! shmframesink name=sink "
      "socket-path=@");

  rig_play (producer);
  return producer;
}

GST_START_TEST (test_reconnect)
{
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ ! "
      "appsink name=out sync=false");

  rig_play (consumer);
  for (guint round = 0; round < 5; round++) {
    GstElement *producer = new_producer ();

    for (guint i = 0; i < 3; i++) {
      GstBuffer *buffer;

      rig_feed (producer, "in", rig_frame (10 * round + i, FRAME_SIZE));
      buffer = rig_pull (consumer, "out");
      fail_unless (rig_is_frame (buffer, 10 * round + i));
      fail_unless (GST_BUFFER_IS_DISCONT (buffer) == (i == 0));
      gst_buffer_unref (buffer);
    }
    rig_stop (producer);
  }
  fail_unless_equals_uint64 (rig_stat (rig_child (consumer, "src"),
          "connections"), 5);
  rig_stop (consumer);
}

GST_END_TEST;

GST_START_TEST (test_disconnect_eos)
{
  GstElement *producer = new_producer ();
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ "
      "on-disconnect=eos ! appsink name=out sync=false");

  rig_play (consumer);
  rig_feed (producer, "in", rig_frame (0, FRAME_SIZE));
  gst_buffer_unref (rig_pull (consumer, "out"));
  rig_stop (producer);
  rig_await_eos (consumer);
  fail_unless (rig_try_sample (consumer, "out") == NULL);
  rig_stop (consumer);
}

GST_END_TEST;

/* The producer never had a stream */
GST_START_TEST (test_disconnect_eos_early)
{
  GstElement *producer = rig_launch ("shmframesink name=sink socket-path=@");
  GstElement *consumer = rig_launch ("shmframesrc socket-path=@ "
      "on-disconnect=eos ! fakesink");

  rig_state (producer, GST_STATE_PAUSED);
  rig_play (consumer);
  rig_until (rig_num_clients (producer) == 1);
  rig_stop (producer);
  rig_await_eos (consumer);
  rig_stop (consumer);
}

GST_END_TEST;

GST_START_TEST (test_disconnect_error)
{
  GstElement *producer = new_producer ();
  GstElement *consumer = rig_launch ("shmframesrc name=e socket-path=@ "
      "on-disconnect=error ! appsink name=out sync=false");
  gchar *text;

  rig_play (consumer);
  rig_feed (producer, "in", rig_frame (0, FRAME_SIZE));
  gst_buffer_unref (rig_pull (consumer, "out"));
  rig_stop (producer);
  rig_expect_error (consumer, "e", &text);
  fail_unless (strstr (text, rig_path) != NULL, "%s", text);
  fail_unless (strstr (text, "stopped") != NULL, "%s", text);
  g_free (text);
  rig_stop (consumer);
}

GST_END_TEST;

GST_START_TEST (test_eos_policies)
{
  for (gint reconnect = 0; reconnect < 2; reconnect++) {
    GstElement *consumer = rig_launch (reconnect ? "shmframesrc "
        "socket-path=@ on-eos=reconnect ! appsink name=out sync=false"
        : "shmframesrc socket-path=@ on-eos=eos ! appsink name=out "
        "sync=false");

    rig_play (consumer);
    for (guint round = 0; round < (reconnect ? 3 : 1); round++) {
      GstElement *producer = new_producer ();
      GstBuffer *buffer;

      rig_feed (producer, "in", rig_frame (round, FRAME_SIZE));
      rig_feed_eos (producer, "in");
      buffer = rig_pull (consumer, "out");
      fail_unless (rig_is_frame (buffer, round));
      gst_buffer_unref (buffer);
      rig_await_eos (producer);
      rig_stop (producer);
    }
    if (!reconnect)
      rig_await_eos (consumer);
    rig_stop (consumer);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_signals);
  tcase_add_test (tc, test_client_stats);
  tcase_add_test (tc, test_max_clients);
  tcase_add_test (tc, test_waits_for_place);
  tcase_add_test (tc, test_evicted);
  tcase_add_test (tc, test_evicted_fixed_slots);
  tcase_add_test (tc, test_evicted_copied);
  tcase_add_test (tc, test_idle_is_not_slow);
  tcase_add_test (tc, test_reconnect);
  tcase_add_test (tc, test_disconnect_eos);
  tcase_add_test (tc, test_disconnect_eos_early);
  tcase_add_test (tc, test_disconnect_error);
  tcase_add_test (tc, test_eos_policies);
}

RIG_SUITE (shmframe_clients)
