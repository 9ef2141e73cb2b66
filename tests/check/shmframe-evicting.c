/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is waited for since it lives, who is evicted, and what is told of it. */
#include <stdlib.h>

#include "shared/connection.h"
#include "waitrig.h"

GST_START_TEST (test_paused)
{
  GstElement *producer = rig_launch ("videotestsrc num-buffers=100 ! " GRAY SINK
      TIMEOUT);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ "
      "is-live=false ! fakesink");
  gchar *pid = g_strdup_printf ("(pid %d), which is paused", getpid ());

  rig_state (consumer, GST_STATE_PAUSED);
  rig_play (producer);
  expect_text (producer, GST_MESSAGE_INFO, "Waiting for consumer src", pid);
  g_usleep (1600000);
  rig_play (consumer);
  expect_all (producer, consumer, 100);
  fail_unless_equals_int (count_messages (producer, GST_MESSAGE_INFO), 0);
  rig_stop (consumer);
  rig_stop (producer);
  g_free (pid);
}

GST_END_TEST;

static void
work_long (GstElement * sink, GstBuffer * buffer, GstPad * pad, gint * n)
{
  if ((*n)-- > 0)
    g_usleep (1700000);
}

/* `n` records; twice the timeout is spent on the first ones. Told once. */
static void
check_works_long (const gchar * source, guint n)
{
  gchar *line = g_strconcat (source, SINK TIMEOUT, NULL);
  GstElement *producer = rig_launch (line);
  GstElement *consumer = rig_launch ("shmframesrc name=src socket-path=@ "
      "max-held=1 ! fakesink name=out signal-handoffs=true "
      "enable-last-sample=false");
  gint slow = 3;

  g_signal_connect (rig_child (consumer, "out"), "handoff",
      G_CALLBACK (work_long), &slow);
  rig_play (consumer);
  rig_play (producer);
  expect_text (producer, GST_MESSAGE_INFO, "Waiting for consumer src",
      "stall-timeout");
  expect_all (producer, consumer, n);
  fail_unless_equals_int (count_messages (producer, GST_MESSAGE_INFO), 0);
  rig_stop (consumer);
  rig_stop (producer);
  g_free (line);
}

GST_START_TEST (test_works_long)
{
  check_works_long ("videotestsrc num-buffers=100 ! " GRAY, 100);
}

GST_END_TEST;

GST_START_TEST (test_works_long_on_batches)
{
  check_works_long ("videotestsrc num-buffers=200 ! " GRAY
      " ! secondbatcher", 8);
}

GST_END_TEST;

/* --- evictions --- */

/* How many frames the producer says were lost to its client, which it names */
static guint
await_eviction (GstElement * producer, const gchar * why)
{
  gchar *text = await_text (producer, GST_MESSAGE_WARNING, why);
  gchar *pid = g_strdup_printf ("(pid %d) was disconnected (slow)", getpid ());
  const gchar *number = strstr (text, " frames that it had not taken");
  guint lost;

  fail_unless (strstr (text, pid) != NULL && number != NULL, "%s", text);
  while (g_ascii_isdigit (number[-1]))
    number--;
  lost = strtoul (number, NULL, 10);
  fail_unless (lost > 0, "%s", text);
  g_free (pid);
  g_free (text);
  return lost;
}

typedef struct
{
  GstElement *producer, *consumer, *src;
  guint lost;
} Evicted;

/* A consumer that was evicted since it took nothing, and goes on now */
static void
evict (Evicted * e, const gchar * policy)
{
  gchar *line =
      g_strconcat ("shmframesrc name=src socket-path=@ on-disconnect=",
      policy, " ! appsink name=out max-buffers=1 sync=false", NULL);

  e->producer = rig_launch ("videotestsrc num-buffers=500 ! " GRAY SINK
      STALL_TIMEOUT);
  e->consumer = rig_launch (line);
  e->src = rig_child (e->consumer, "src");
  rig_play (e->consumer);
  rig_play (e->producer);
  e->lost = await_eviction (e->producer, "stall-timeout");
  g_object_set (rig_child (e->consumer, "out"), "max-buffers", 0, NULL);
  g_free (line);
}

static void
evict_stop (Evicted * e)
{
  rig_stop (e->consumer);
  rig_stop (e->producer);
}

GST_START_TEST (test_evicted_error)
{
  Evicted e;
  gchar *text, *lost;

  evict (&e, "error");
  rig_expect_error (e.consumer, "src", &text);
  lost = g_strdup_printf ("; %u frames are lost", e.lost);
  fail_unless (strstr (text, "stall-timeout") && strstr (text, lost), "%s",
      text);
  fail_unless_equals_uint64 (rig_stat (e.src, "frames-lost"), e.lost);
  g_free (lost);
  g_free (text);
  evict_stop (&e);
}

GST_END_TEST;

GST_START_TEST (test_evicted_eos)
{
  GstSample *sample;
  Evicted e;

  evict (&e, "eos");
  expect_text (e.consumer, GST_MESSAGE_WARNING, "stall-timeout",
      "frames are lost");
  while ((sample = rig_try_sample (e.consumer, "out")) != NULL)
    gst_sample_unref (sample);
  fail_unless_equals_uint64 (rig_stat (e.src, "frames-lost"), e.lost);
  evict_stop (&e);
}

GST_END_TEST;

/* It connects again, and gets the latest of what it lost, and all the rest */
GST_START_TEST (test_evicted_reconnect)
{
  guint64 expected = 0, lost = 0;
  GstSample *sample;
  Evicted e;

  evict (&e, "reconnect");
  expect_text (e.consumer, GST_MESSAGE_WARNING, "stall-timeout",
      "connecting again");
  while ((sample = rig_try_sample (e.consumer, "out")) != NULL) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);
    guint64 number = GST_BUFFER_OFFSET (buffer);

    fail_unless (number >= expected);
    fail_unless (number == 0 || number == expected
        || GST_BUFFER_IS_DISCONT (buffer));
    lost += number - expected;
    expected = number + 1;
    gst_sample_unref (sample);
  }
  fail_unless_equals_uint64 (expected, 500);
  fail_unless_equals_uint64 (lost, e.lost - 1);
  fail_unless_equals_uint64 (rig_stat (e.src, "frames-lost"), lost);
  fail_unless_equals_uint64 (rig_stat (rig_child (e.producer, "sink"),
          "clients-evicted"), 1);
  evict_stop (&e);
}

GST_END_TEST;

/* A process that is stopped, as far as the producer sees */
GST_START_TEST (test_never_answers)
{
  struct sf_message msg = {.type = SF_MESSAGE_HELLO,.hello = {
          .magic = SF_PROTOCOL_MAGIC,.version_min = SF_PROTOCOL_VERSION,
          .version_max = SF_PROTOCOL_VERSION,.max_held = 1}
  };
  GstElement *producer = rig_launch ("videotestsrc num-buffers=100 ! " GRAY SINK
      "client-timeout=5000000000");
  int fd;

  rig_state (producer, GST_STATE_READY);
  fd = sf_connect (rig_path);
  fail_unless (fd >= 0 && sf_send (fd, &msg, NULL, 0) >= 0);
  rig_until (rig_num_clients (rig_child (producer, "sink")) == 1);
  rig_play (producer);
  g_free (await_text (producer, GST_MESSAGE_INFO, "does not answer"));
  await_eviction (producer, "client-timeout");
  close (fd);
  rig_stop (producer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_paused);
  tcase_add_test (tc, test_works_long);
  tcase_add_test (tc, test_works_long_on_batches);
  tcase_add_test (tc, test_evicted_error);
  tcase_add_test (tc, test_evicted_eos);
  tcase_add_test (tc, test_evicted_reconnect);
  tcase_add_test (tc, test_never_answers);
}

RIG_SUITE (shmframe_evicting)
