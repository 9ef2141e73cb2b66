/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What applications hear of peers: messages on both buses, `connected`, and
 * what clients say of themselves. */
#include "busrig.h"

#define SOURCE RIG_APPSRC (32, 24)
#define PRODUCER SOURCE " ! shmframesink name=sink socket-path=@ min-clients=0 "
#define CONSUMER "shmframesrc name=src socket-path=@ "

/* A client that does not behave like one of ours: welcomed, with what came */
typedef struct
{
  int fd;
  int fds[SF_MESSAGE_MAX_FDS];
} Raw;

static Raw
raw_client (const gchar * name)
{
  struct sf_message msg = {.type = SF_MESSAGE_HELLO,.hello = {
          .magic = SF_PROTOCOL_MAGIC,.version_min = SF_PROTOCOL_VERSION,
          .version_max = SF_PROTOCOL_VERSION,.max_held = 1}
  };
  Raw raw = {.fd = sf_connect (rig_path) };

  fail_unless (raw.fd >= 0);
  g_strlcpy (msg.hello.name, name, sizeof (msg.hello.name));
  fail_unless (sf_send (raw.fd, &msg, NULL, 0) >= 0);
  msg = receive (raw.fd, raw.fds);
  fail_unless_equals_int (msg.type, SF_MESSAGE_WELCOME);
  return raw;
}

/* Like a process that is killed */
static void
raw_crash (Raw raw)
{
  close (raw.fd);
  for (guint i = 0; i < SF_MESSAGE_MAX_FDS; i++)
    if (raw.fds[i] >= 0)
      close (raw.fds[i]);
}

GST_START_TEST (test_come_and_go)
{
  GstElement *producer = rig_launch (PRODUCER);
  GstElement *consumer = rig_launch (CONSUMER "! fakesink");
  guint64 id = 0, connections = 0;
  GstStructure *s;

  rig_play (producer);
  rig_play (consumer);
  s = await_element (producer, "shmframe-client-connected");
  fail_unless (gst_structure_get_uint64 (s, "id", &id) && id == 1);
  fail_unless_equals_string (gst_structure_get_string (s, "name"), "src");
  gst_structure_free (s);
  s = await_element (consumer, "shmframe-connected");
  fail_unless_equals_string (gst_structure_get_string (s, "path"), rig_path);
  fail_unless (gst_structure_get_uint64 (s, "connections", &connections)
      && connections == 1);
  gst_structure_free (s);

  rig_state (producer, GST_STATE_READY);
  rig_state (producer, GST_STATE_NULL);
  s = await_element (consumer, "shmframe-disconnected");
  fail_unless_equals_string (gst_structure_get_string (s, "path"), rig_path);
  fail_unless_equals_string (gst_structure_get_string (s, "reason"),
      "stopped");
  gst_structure_free (s);

  rig_play (producer);
  gst_structure_free (await_element (consumer, "shmframe-connected"));
  gst_structure_free (await_element (producer, "shmframe-client-connected"));
  rig_state (consumer, GST_STATE_READY);
  s = await_element (consumer, "shmframe-disconnected");
  fail_unless (strstr (gst_structure_get_string (s, "text"), "stopped"));
  gst_structure_free (s);
  s = await_element (producer, "shmframe-client-disconnected");
  fail_unless_equals_string (gst_structure_get_string (s, "reason"),
      "stopped");
  gst_structure_free (s);
  /* all of this was meant */
  fail_unless_equals_int (count_messages (producer, GST_MESSAGE_WARNING), 0);
  fail_unless_equals_int (count_messages (consumer, GST_MESSAGE_WARNING), 0);
  rig_stop (consumer);
  rig_stop (producer);
}

GST_END_TEST;

static void
log_connected (GstElement * src, GParamSpec * spec, RigLog * log)
{
  gboolean connected;

  g_object_get (src, "connected", &connected, NULL);
  g_mutex_lock (&log->lock);
  g_string_append_c (log->text, connected ? '1' : '0');
  g_mutex_unlock (&log->lock);
}

/* Each change is notified after it, once */
GST_START_TEST (test_connected_property)
{
  GstElement *consumer = rig_launch (CONSUMER "! fakesink");
  GstElement *src = rig_child (consumer, "src");
  gboolean connected = TRUE;
  RigLog log;

  g_mutex_init (&log.lock);
  log.text = g_string_new (NULL);
  g_signal_connect (src, "notify::connected", G_CALLBACK (log_connected),
      &log);
  rig_play (consumer);
  g_object_get (src, "connected", &connected, NULL);
  fail_if (connected);
  for (guint i = 0; i < 2; i++) {
    GstElement *producer = rig_launch (PRODUCER);

    rig_play (producer);
    rig_log_expect (&log, i == 0 ? "1" : "101");
    rig_stop (producer);
    rig_log_expect (&log, i == 0 ? "10" : "1010");
  }
  {
    GstElement *producer = rig_launch (PRODUCER);

    rig_play (producer);
    rig_log_expect (&log, "10101");
    rig_state (consumer, GST_STATE_READY);
    rig_log_expect (&log, "101010");
    rig_stop (producer);
  }
  rig_stop (consumer);
  rig_log_stop (&log);
}

GST_END_TEST;

GST_START_TEST (test_refused)
{
  GstElement *producer = rig_launch (PRODUCER "max-clients=1");
  GstElement *served = rig_launch (CONSUMER "! fakesink");
  GstElement *late = rig_launch (CONSUMER "connect-timeout=0 ! fakesink");
  GstStructure *s;
  gint pid = 0;
  gchar *text;

  rig_play (producer);
  rig_play (served);
  rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
  rig_play (late);
  rig_expect_error (late, "src", &text);
  g_free (text);
  s = await_element (producer, "shmframe-client-refused");
  fail_unless (gst_structure_get_int (s, "pid", &pid) && pid == getpid ());
  fail_unless_equals_string (gst_structure_get_string (s, "reason"), "full");
  fail_unless (strstr (gst_structure_get_string (s, "text"), "max-clients"));
  gst_structure_free (s);
  expect_warning (producer, "max-clients", "pid");
  rig_stop (late);
  rig_stop (served);
  rig_stop (producer);
}

GST_END_TEST;

/* A client that hangs up without BYE; its name is not what it seems */
GST_START_TEST (test_client_crashes)
{
  GstElement *producer = rig_launch (PRODUCER);
  GstStructure *s;
  Raw raw;

  rig_play (producer);
  raw = raw_client (HOSTILE);
  s = await_element (producer, "shmframe-client-connected");
  fail_unless_equals_string (gst_structure_get_string (s, "name"), CLEAN);
  gst_structure_free (s);
  raw_crash (raw);
  s = await_element (producer, "shmframe-client-disconnected");
  fail_unless_equals_string (gst_structure_get_string (s, "name"), CLEAN);
  fail_unless_equals_string (gst_structure_get_string (s, "reason"), "hangup");
  gst_structure_free (s);
  expect_warning (producer, CLEAN, "without a word");
  rig_stop (producer);
}

GST_END_TEST;

/* Its last words neither */
GST_START_TEST (test_client_says)
{
  struct sf_message bye = {.type = SF_MESSAGE_BYE,.reject = {
          .reason = SF_REASON_RESOURCES,.text = HOSTILE}
  };
  GstElement *producer = rig_launch (PRODUCER);
  GstStructure *s;
  Raw raw;

  rig_play (producer);
  raw = raw_client ("x");
  fail_unless (sf_send (raw.fd, &bye, NULL, 0) >= 0);
  s = await_element (producer, "shmframe-client-disconnected");
  fail_unless_equals_string (gst_structure_get_string (s, "text"), CLEAN);
  gst_structure_free (s);
  expect_warning (producer, CLEAN, "resources");
  raw_crash (raw);
  rig_stop (producer);
}

GST_END_TEST;

/* A client that comes and goes for ever: people read the warnings */
GST_START_TEST (test_no_flood)
{
  GstElement *producer = rig_launch (PRODUCER);
  GstElement *sink = rig_child (producer, "sink");
  guint n;

  rig_play (producer);
  for (guint i = 0; i < 600; i++)
    raw_crash (raw_client ("x"));
  rig_until (rig_stat (sink, "clients-seen") == 600
      && rig_num_clients (sink) == 0);
  n = count_messages (producer, GST_MESSAGE_WARNING);
  fail_unless (n >= 8 && n <= 12, "%u warnings", n);
  rig_stop (producer);
}

GST_END_TEST;

/* As bindings do, which pass on what the value has, if it is the value's own */
static void
look_at_value (GClosure * closure, GValue * ret, guint n, const GValue * params,
    gpointer hint, gpointer unused)
{
  g_atomic_int_set ((gint *) closure->data,
      params[1].data[1].v_uint & G_VALUE_NOCOPY_CONTENTS ? 1 : 2);
}

/* The structure of a signal is the value's own: no binding sees ours */
GST_START_TEST (test_signal_structure)
{
  GstElement *producer = rig_launch (PRODUCER);
  GstElement *sink = rig_child (producer, "sink");
  gint own = 0;
  GClosure *closure = g_closure_new_simple (sizeof (GClosure), &own);

  g_closure_set_marshal (closure, look_at_value);
  g_signal_connect_closure (sink, "client-connected", closure, FALSE);
  rig_play (producer);
  raw_crash (raw_client ("x"));
  rig_until (g_atomic_int_get (&own) != 0);
  fail_unless_equals_int (own, 2);
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_come_and_go);
  tcase_add_test (tc, test_connected_property);
  tcase_add_test (tc, test_refused);
  tcase_add_test (tc, test_client_crashes);
  tcase_add_test (tc, test_client_says);
  tcase_add_test (tc, test_no_flood);
  tcase_add_test (tc, test_signal_structure);
}

RIG_SUITE (shmframe_messages)
