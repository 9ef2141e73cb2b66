/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Out of fds, of memory: one error of the element, with what to do about it;
 * and when there is enough again, it works. */
#include <sys/resource.h>

#include "shmrig.h"

#define PRODUCER "videotestsrc num-buffers=3 ! " RIG_GRAY (320, 240) \
  " ! shmframesink name=e socket-path=@ min-clients=0 delivery=live"
#define CONSUMER "shmframesrc name=e socket-path=@ num-buffers=1 ! fakesink"

static void
limit_to (gint what, rlim_t value)
{
  struct rlimit limit;

  fail_unless (getrlimit (what, &limit) == 0);
  limit.rlim_cur = MIN (value, limit.rlim_max);
  fail_unless (setrlimit (what, &limit) == 0);
}

/* The next fd that will be had */
static rlim_t
next_fd (void)
{
  int fd = dup (0);

  close (fd);
  return (rlim_t) fd;
}

static void
expect_error (GstElement * pipeline, const gchar * word)
{
  gchar *text;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  rig_expect_error (pipeline, "e", &text);
  fail_unless (strstr (text, word) != NULL, "no '%s' in: %s", word, text);
  g_free (text);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

/* With more and more of them, until it works */
GST_START_TEST (test_producer_without_fds)
{
  GstElement *pipeline = rig_launch (PRODUCER);
  rlim_t next = next_fd ();

  for (guint spare = 0; spare < 2; spare++) {
    limit_to (RLIMIT_NOFILE, next + spare);
    expect_error (pipeline, "ulimit -n");
    limit_to (RLIMIT_NOFILE, RLIM_INFINITY);
  }
  rig_play (pipeline);
  rig_await_eos (pipeline);
  rig_stop (pipeline);
}

GST_END_TEST;

GST_START_TEST (test_consumer_without_fds)
{
  GstElement *producer = rig_launch ("videotestsrc ! " RIG_GRAY (64, 48)
      " ! shmframesink socket-path=@");
  GstElement *pipeline = rig_launch (CONSUMER);

  /* The producer would be in the same need: it starts when that is over. */
  limit_to (RLIMIT_NOFILE, next_fd ());
  expect_error (pipeline, "(ulimit -n)");
  limit_to (RLIMIT_NOFILE, RLIM_INFINITY);
  rig_play (producer);
  rig_play (pipeline);
  rig_await_eos (pipeline);
  rig_stop (pipeline);
  rig_stop (producer);
}

GST_END_TEST;

/* A consumer waits at the door, and cannot be let in */
GST_START_TEST (test_no_fd_for_consumer)
{
  GstElement *pipeline = rig_launch ("videotestsrc is-live=true ! "
      RIG_GRAY (64, 48) " ! shmframesink name=e socket-path=@");
  struct sockaddr_un address = {.sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  gchar *pid = g_strdup_printf ("(pid %d)", (gint) getpid ());
  GstBus *bus = gst_element_get_bus (pipeline);
  GError *error = NULL;
  GstMessage *m;

  g_strlcpy (address.sun_path, rig_path, sizeof (address.sun_path));
  rig_play (pipeline);
  rig_until (rig_stat (rig_child (pipeline, "e"), "frames") > 0);
  limit_to (RLIMIT_NOFILE, next_fd ());
  fail_unless (connect (fd, (struct sockaddr *) &address,
          sizeof (address)) == 0);
  m = rig_message (pipeline, GST_MESSAGE_WARNING);
  gst_message_parse_warning (m, &error, NULL);
  fail_unless (strstr (error->message, "ulimit -n") && strstr (error->message,
          pid), "%s", error->message);
  g_error_free (error);
  gst_message_unref (m);
  /* tried again and again, and told once */
  m = gst_bus_timed_pop_filtered (bus, GST_SECOND / 2, GST_MESSAGE_WARNING);
  fail_unless (m == NULL);
  limit_to (RLIMIT_NOFILE, RLIM_INFINITY);
  gst_object_unref (bus);
  close (fd);
  rig_stop (pipeline);
  g_free (pid);
}

GST_END_TEST;

GST_START_TEST (test_memory_refused)
{
  GstElement *pipeline = rig_launch (PRODUCER);

  limit_to (RLIMIT_FSIZE, 100000);
  expect_error (pipeline, "memory");
  limit_to (RLIMIT_FSIZE, RLIM_INFINITY);
  rig_play (pipeline);
  rig_await_eos (pipeline);
  rig_stop (pipeline);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_producer_without_fds);
  tcase_add_test (tc, test_consumer_without_fds);
  tcase_add_test (tc, test_no_fd_for_consumer);
  tcase_add_test (tc, test_memory_refused);
}

RIG_SUITE (shmframe_limits)
