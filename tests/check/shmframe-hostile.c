/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shmframesrc at a producer that speaks the protocol and talks nonsense: it
 * passes over, or ends with one error. A complaint of GLib's, which may be
 * fatal to the application, fails a test as well. */
#include <errno.h>

#include "producer/producer.h"
#include "shmrig.h"

#include <gst/base/gstbytewriter.h>


static struct sf_producer *producer;
static GstByteWriter body;

static void
open_producer (guint64 latency)
{
  struct sf_producer_config config = {.path = rig_path,.mode =
        0600,.max_clients = 4,.max_memory = 1 << 24
  };
  guint64 needed;

  fail_unless_equals_int (sf_producer_open (&producer, &config), 0);
  sf_producer_set_delivery (producer, true, false, latency, G_MAXUINT64);
  fail_unless_equals_int (sf_producer_set_format (producer, 4096, 1, &needed),
      0);
}

static const gchar *timestamps[] = { "clock", "keep" };

static GstHarness *
open_src (const gchar * how)
{
  GstHarness *h = rig_harness (rig_element ("shmframesrc", "timestamps",
          how, NULL));

  fail_unless_equals_int (sf_producer_wait_clients (producer, 1), 0);
  return h;
}

static void
close_all (GstHarness * h)
{
  gst_harness_teardown (h);
  sf_producer_close (producer);
}

/* The head of an event; its fields come behind. */
static void
begin_event (GstEventType type)
{
  gst_byte_writer_init (&body);
  gst_byte_writer_put_uint32_le (&body, type);
  gst_byte_writer_put_uint32_le (&body, 5);
  gst_byte_writer_put_int64_le (&body, 0);
  gst_byte_writer_put_uint64_le (&body, 0);
}

static void
send_event (void)
{
  gint r;

  while ((r = sf_producer_event (producer, 0, body.parent.data,
              gst_byte_writer_get_pos (&body), 0)) == -EAGAIN)
    g_usleep (1000);
  fail_unless_equals_int (r, 0);
  gst_byte_writer_reset (&body);
}

static void
put_string (const gchar * string)
{
  gst_byte_writer_put_uint32_le (&body, strlen (string) + 1);
  gst_byte_writer_put_string (&body, string);
}

static void
send_stream_start (void)
{
  begin_event (GST_EVENT_STREAM_START);
  put_string ("stream");
  gst_byte_writer_put_uint32_le (&body, 0);
  gst_byte_writer_put_uint32_le (&body, 1);
  gst_byte_writer_put_uint8 (&body, 0);
  send_event ();
}

static void
send_caps (void)
{
  begin_event (GST_EVENT_CAPS);
  gst_byte_writer_put_uint8 (&body, 0);
  gst_byte_writer_put_uint32_le (&body, 1);
  put_string ("video/x-raw");
  gst_byte_writer_put_uint32_le (&body, 0);
  gst_byte_writer_put_uint8 (&body, 0);
  gst_byte_writer_put_uint32_le (&body, 0);
  send_event ();
}

static void
send_segment (GstFormat format)
{
  begin_event (GST_EVENT_SEGMENT);
  gst_byte_writer_put_uint32_le (&body, 0);
  gst_byte_writer_put_float64_le (&body, 1.0);
  gst_byte_writer_put_float64_le (&body, 1.0);
  gst_byte_writer_put_uint32_le (&body, format);
  for (guint i = 0; i < 7; i++)
    gst_byte_writer_put_uint64_le (&body, i == 3 || i == 6 ? G_MAXUINT64 : 0);
  send_event ();
}

static void
done (void *user)
{
}

static void
send_frame (guint64 capture, guint64 publish, guint64 pts, guint64 dts)
{
  struct sf_publish_args publication = {.release = done };
  gint r;

  gst_byte_writer_init (&body);
  gst_byte_writer_put_uint32_le (&body, 1);
  gst_byte_writer_put_uint64_le (&body, capture);
  gst_byte_writer_put_uint64_le (&body, publish);
  gst_byte_writer_put_uint32_le (&body, 0);
  gst_byte_writer_put_uint32_le (&body, 0);
  gst_byte_writer_put_uint64_le (&body, pts);
  gst_byte_writer_put_uint64_le (&body, dts);
  for (guint i = 0; i < 3; i++)
    gst_byte_writer_put_uint64_le (&body, G_MAXUINT64);
  gst_byte_writer_put_uint32_le (&body, 0);
  publication.body = body.parent.data;
  publication.body_size = gst_byte_writer_get_pos (&body);
  while ((r = sf_producer_publish (producer, &publication)) == -EAGAIN)
    g_usleep (1000);
  fail_unless_equals_int (r, 0);
  gst_byte_writer_reset (&body);
}

static void
send_good_start (void)
{
  send_stream_start ();
  send_caps ();
  send_segment (GST_FORMAT_TIME);
}

static void
expect_error (GstBus * bus)
{
  GstMessage *message = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE,
      GST_MESSAGE_ERROR);

  fail_unless (message != NULL, "no error came");
  gst_message_unref (message);
}

static void
expect_text (GstMessage * m, const gchar * word)
{
  GError *error = NULL;

  gst_message_parse_error (m, &error, NULL);
  fail_unless (strstr (error->message, word) != NULL, "no '%s' in: %s", word,
      error->message);
  g_error_free (error);
  gst_message_unref (m);
}

/* Each as the first thing there is, and then what belongs before it. */
GST_START_TEST (test_order)
{
  GstHarness *h;

  open_producer (0);
  h = open_src (timestamps[__i__]);
  send_segment (GST_FORMAT_TIME);
  send_segment (GST_FORMAT_BYTES);
  send_caps ();
  send_segment (GST_FORMAT_BYTES);
  send_good_start ();
  send_frame (0, 0, 0, 0);
  gst_buffer_unref (gst_harness_pull (h));
  close_all (h);
}

GST_END_TEST;

GST_START_TEST (test_frame_without_caps)
{
  GstBus *bus = gst_bus_new ();
  GstHarness *h;

  open_producer (0);
  h = open_src (timestamps[__i__]);
  gst_element_set_bus (h->element, bus);
  send_frame (0, 0, 0, 0);
  expect_error (bus);
  gst_element_set_bus (h->element, NULL);
  gst_object_unref (bus);
  close_all (h);
}

GST_END_TEST;

/* Of `lie` 0: an unknown kind of value; 1: one that says it is longer; 2: more
 * than there should be; 3: a name that is none. */
static void
send_unreadable_caps (guint lie)
{
  begin_event (GST_EVENT_CAPS);
  gst_byte_writer_put_uint8 (&body, 0);
  gst_byte_writer_put_uint32_le (&body, 1);
  put_string (lie == 3 ? "4 ever" : "video/x-raw");
  gst_byte_writer_put_uint32_le (&body, lie < 2);
  if (lie < 2) {
    put_string ("field");
    gst_byte_writer_put_uint8 (&body, lie == 0 ? 99 : 8);
    gst_byte_writer_put_uint32_le (&body, 1000);
  }
  gst_byte_writer_put_uint8 (&body, 0);
  gst_byte_writer_put_uint32_le (&body, 0);
  if (lie == 2)
    gst_byte_writer_put_uint32_le (&body, 0);
  send_event ();
}

/* No frame comes under the caps before; other caps make up for it. */
GST_START_TEST (test_unreadable_caps)
{
  GstBus *bus = gst_bus_new ();

  for (guint lie = 0; lie < 4; lie++) {
    GstHarness *h;
    GstMessage *m;

    open_producer (0);
    h = open_src (timestamps[__i__]);
    gst_element_set_bus (h->element, bus);
    send_good_start ();
    send_frame (0, 0, 0, 0);
    gst_buffer_unref (gst_harness_pull (h));
    send_unreadable_caps (lie);
    send_caps ();
    send_frame (0, 0, 0, 0);
    gst_buffer_unref (gst_harness_pull (h));
    send_unreadable_caps (lie);
    send_frame (0, 0, 0, 0);
    m = gst_bus_timed_pop_filtered (bus, RIG_DEADLINE, GST_MESSAGE_ERROR);
    fail_unless (m != NULL, "no error came");
    expect_text (m, "caps");
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
    gst_element_set_bus (h->element, NULL);
    close_all (h);
  }
  gst_object_unref (bus);
}

GST_END_TEST;

#define EVENT_BYTES 200000u
/* 16 MiB are between so many and one more, the caps and the like included. */
#define MOST_EVENTS 83u

static void
send_sticky (guint number)
{
  gchar *name = g_strdup_printf ("kept-%u", number);
  gchar *text = g_strnfill (EVENT_BYTES, 'x');

  begin_event (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY);
  gst_byte_writer_put_uint8 (&body, 1);
  put_string (name);
  gst_byte_writer_put_uint32_le (&body, 1);
  put_string ("text");
  gst_byte_writer_put_uint8 (&body, 8);
  put_string (text);
  send_event ();
  g_free (text);
  g_free (name);
}

/* Pads keep them all, by their names: there is a limit to that, not to others
 * of the same name. */
GST_START_TEST (test_sticky_events)
{
  GstHarness *h;
  guint n = 0;
  GstEvent *event;

  open_producer (0);
  sf_producer_set_delivery (producer, false, true, 0, G_MAXUINT64);
  h = open_src ("keep");
  send_good_start ();
  for (guint i = 0; i < 4 * MOST_EVENTS; i++)
    send_sticky (i < 2 * MOST_EVENTS ? i % 7 : i);
  send_frame (0, 0, 0, 0);
  gst_buffer_unref (gst_harness_pull (h));
  while ((event = gst_harness_try_pull_event (h)) != NULL) {
    n += GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY;
    gst_event_unref (event);
  }
  fail_unless_equals_int (n, 2 * MOST_EVENTS + MOST_EVENTS - 7);
  fail_unless_equals_uint64 (rig_stat (h->element, "events-dropped"),
      MOST_EVENTS + 7);
  close_all (h);
}

GST_END_TEST;

/* Times that overflow what is added to them. */
GST_START_TEST (test_times)
{
  static const guint64 times[] = { 0, 1, G_MAXUINT64, G_MAXUINT64 - 1,
    G_MAXINT64, (guint64) G_MAXINT64 + 1, G_MAXINT64 / 4 - 1
  };
  GstHarness *h;

  open_producer (0);
  h = open_src (timestamps[__i__]);
  send_good_start ();
  for (guint i = 0; i < G_N_ELEMENTS (times); i++) {
    for (guint k = 0; k < G_N_ELEMENTS (times); k++) {
      send_frame (1, 1, times[i], times[k]);
      gst_buffer_unref (gst_harness_pull (h));
    }
  }
  send_frame (G_MAXINT64 / 4 - 1, G_MAXINT64 / 4 - 1, 0, 0);
  gst_buffer_unref (gst_harness_pull (h));
  close_all (h);
}

GST_END_TEST;

GST_START_TEST (test_no_times)
{
  static const guint64 times[] = { G_MAXUINT64 - 1, G_MAXINT64,
    G_MAXINT64 / 4
  };
  GstBus *bus = gst_bus_new ();

  for (guint i = 0; i < 2 * G_N_ELEMENTS (times); i++) {
    GstHarness *h;

    open_producer (0);
    h = open_src ("clock");
    gst_element_set_bus (h->element, bus);
    send_good_start ();
    send_frame (i % 2 ? 1 : times[i / 2], i % 2 ? times[i / 2] : 1, 0, 0);
    expect_error (bus);
    gst_element_set_bus (h->element, NULL);
    close_all (h);
  }
  gst_object_unref (bus);
}

GST_END_TEST;

GST_START_TEST (test_latency)
{
  static const guint64 latencies[] = { G_MAXUINT64, G_MAXUINT64 - 20 *
        GST_MSECOND, G_MAXINT64
  };

  for (guint i = 0; i < G_N_ELEMENTS (latencies); i++) {
    GstHarness *h;

    open_producer (latencies[i]);
    h = open_src ("clock");
    send_good_start ();
    send_frame (1, 1, 0, 0);
    gst_buffer_unref (gst_harness_pull (h));
    fail_unless (GST_CLOCK_TIME_IS_VALID (gst_harness_query_latency (h)));
    close_all (h);
  }
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_loop_test (tc, test_order, 0, 2);
  tcase_add_loop_test (tc, test_frame_without_caps, 0, 2);
  tcase_add_test (tc, test_sticky_events);
  tcase_add_loop_test (tc, test_unreadable_caps, 0, 2);
  tcase_add_loop_test (tc, test_times, 0, 2);
  tcase_add_test (tc, test_no_times);
  tcase_add_test (tc, test_latency);
}

RIG_SUITE (shmframe_hostile)
