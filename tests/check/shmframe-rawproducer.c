/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What shmframesrc tells of producers that are not as ours. */
#include "busrig.h"
#include "shared/clock.h"
#include "shared/ring.h"
#include "shared/segment.h"

#define CONSUMER "shmframesrc name=src socket-path=@ "

/* A producer with these ways, as far as WELCOME */
static gint64 clock_offset;     /* ns: as from another time namespace */
static gboolean says_bye;       /* HOSTILE */
static gboolean awaits_end;     /* of the connection; or crashes */

static gpointer
welcome_one (gpointer listener)
{
  struct sf_message msg = {.type = SF_MESSAGE_WELCOME,.welcome = {
          .version = SF_PROTOCOL_VERSION,.n_leases = SF_MAX_LEASES,
          .producer_id = 1,.max_held = 4,
          .announce_size = SF_ANNOUNCE_DATA_OFFSET + SF_ANNOUNCE_RING_SIZE,
          .returns_size = sizeof (struct sf_returns_page)}
  };
  struct sf_credentials peer;
  struct sf_shm announce, returns;
  int fds[SF_MESSAGE_MAX_FDS], guard[2];
  int fd;

  fail_unless (sf_shm_create (&announce, "announce",
          msg.welcome.announce_size, SF_SHM_SEALED) == 0);
  fail_unless (sf_shm_create (&returns, "returns", msg.welcome.returns_size,
          SF_SHM_SHARED) == 0);
  sf_ring_format (announce.map, returns.map, SF_ANNOUNCE_RING_SIZE);
  fail_unless (pipe (guard) == 0);
  while ((fd = sf_listener_accept (listener, &peer)) == -EAGAIN)
    g_usleep (1000);
  fail_unless_equals_int (receive (fd, fds).type, SF_MESSAGE_HELLO);
  msg.welcome.clock = (guint64) (sf_now () + clock_offset);
  fail_unless (sf_send (fd, &msg, (int[]) {
          announce.fd, returns.fd, guard[1]}, 3) == 0);
  if (says_bye) {
    msg = (struct sf_message) {.type = SF_MESSAGE_BYE,.reject = {
            .reason = SF_REASON_RESOURCES,.text = HOSTILE}
    };
    fail_unless (sf_send (fd, &msg, NULL, 0) == 0);
  }
  while (awaits_end && sf_receive (fd, &msg, fds) == -EAGAIN)
    g_usleep (1000);
  close (fd);
  close (guard[0]);
  close (guard[1]);
  sf_shm_close (&announce);
  sf_shm_close (&returns);
  return NULL;
}

/* Its times mean nothing to us, unless they are kept */
GST_START_TEST (test_other_clock)
{
  static const struct
  {
    gint64 offset;
    const gchar *word;
  } cases[] = { {-30 * (gint64) GST_SECOND, "30 s behind"}, {5 * GST_SECOND,
      "s ahead of"}, {GST_MSECOND, NULL}
  };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (cases); i++) {
    GstElement *consumer = rig_launch (CONSUMER "! fakesink");
    const gchar *word = cases[i / 2].word;
    struct sf_listener listener;
    GThread *thread;

    if (i % 2 == 1)
      gst_util_set_object_arg (G_OBJECT (rig_child (consumer, "src")),
          "timestamps", "keep");
    clock_offset = cases[i / 2].offset;
    awaits_end = TRUE;
    fail_unless (sf_listener_open (&listener, rig_path, 0600) == 0);
    thread = g_thread_new ("peer", welcome_one, &listener);
    rig_play (consumer);
    gst_structure_free (await_element (consumer, "shmframe-connected"));
    if (word != NULL && i % 2 == 0)
      expect_warning (consumer, word, "timestamps=keep");
    rig_state (consumer, GST_STATE_READY);
    fail_unless_equals_int (count_messages (consumer, GST_MESSAGE_WARNING), 0);
    g_thread_join (thread);
    sf_listener_close (&listener);
    rig_stop (consumer);
  }
}

GST_END_TEST;

static gpointer
reject_one (gpointer listener)
{
  struct sf_message msg = {.type = SF_MESSAGE_REJECT,.reject = {
          .reason = SF_REASON_FULL,.text = HOSTILE}
  };
  struct sf_credentials peer;
  int fds[SF_MESSAGE_MAX_FDS];
  int fd;

  while ((fd = sf_listener_accept (listener, &peer)) == -EAGAIN)
    g_usleep (1000);
  fail_unless_equals_int (receive (fd, fds).type, SF_MESSAGE_HELLO);
  fail_unless (sf_send (fd, &msg, NULL, 0) >= 0);
  close (fd);
  return NULL;
}

GST_START_TEST (test_producer_says)
{
  GstElement *consumer = rig_launch (CONSUMER "connect-timeout=0 ! fakesink");
  struct sf_listener listener;
  GThread *thread;
  gchar *text;

  fail_unless (sf_listener_open (&listener, rig_path, 0600) == 0);
  thread = g_thread_new ("peer", reject_one, &listener);
  rig_play (consumer);
  rig_expect_error (consumer, "src", &text);
  fail_unless (strstr (text, CLEAN) != NULL, "%s", text);
  g_free (text);
  g_thread_join (thread);
  sf_listener_close (&listener);
  rig_stop (consumer);
}

GST_END_TEST;

/* Its last words, or none */
GST_START_TEST (test_producer_ends)
{
  for (guint i = 0; i < 4; i++) {
    GstElement *consumer = rig_launch (i < 2 ? CONSUMER "! fakesink"
        : CONSUMER "on-disconnect=eos ! fakesink");
    struct sf_listener listener;
    GThread *thread;
    GstStructure *s;

    says_bye = i % 2 == 0;
    fail_unless (sf_listener_open (&listener, rig_path, 0600) == 0);
    thread = g_thread_new ("peer", welcome_one, &listener);
    rig_play (consumer);
    s = await_element (consumer, "shmframe-disconnected");
    fail_unless_equals_string (gst_structure_get_string (s, "reason"),
        says_bye ? "resources" : "hangup");
    fail_unless_equals_string (gst_structure_get_string (s, "text"),
        says_bye ? CLEAN : "");
    gst_structure_free (s);
    expect_warning (consumer, says_bye ? CLEAN : "without a word",
        i < 2 ? "connecting again" : "this stream ends");
    if (i >= 2)
      rig_await_eos (consumer);
    g_thread_join (thread);
    sf_listener_close (&listener);
    rig_stop (consumer);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_other_clock);
  tcase_add_test (tc, test_producer_says);
  tcase_add_test (tc, test_producer_ends);
}

RIG_SUITE (shmframe_rawproducer)
