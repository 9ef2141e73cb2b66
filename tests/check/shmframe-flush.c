/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushes overtake: what a consumer has not shown when the producer seeks is
 * gone, and what follows comes at once, as with a queue in place of the
 * pair. */
#include "flushrig.h"
#include "producer/producer.h"

/* FLUSH_START reaches a sink that waits for the clock, all that is behind it is
 * gone, and each thing has the number of the operation it belongs to */
GST_START_TEST (test_overtakes)
{
  GstElement *consumer = open_pair ("");

  begin (1);
  push_frame (0, 8);
  push_frame (100000, 8);       /* due in more than an hour */
  push_frame (100001, 8);
  push_frame (100002, 8);
  expect ("sc[00");
  push_with (gst_event_new_flush_start (), 7);
  expect ("sc[00^");
  fail_unless_equals_int (seqnum_of ('^'), 7);
  push_with (gst_event_new_flush_stop (TRUE), 7);
  expect ("sc[00^v");
  fail_unless_equals_int (seqnum_of ('v'), 7);
  push_segment (7);
  push_frame (3, 8);
  push_frame (4, 8);
  push_with (gst_event_new_eos (), 7);
  expect ("sc[00^v[34e");
  fail_unless_equals_int (seqnum_of ('['), 7);
  fail_unless_equals_int (seqnum_of ('e'), 7);
  fail_unless_equals_uint64 (rig_stat (rig_child (consumer, "src"),
          "frames-lost"), 0);
  rig_await_eos (consumer);
  /* a seek after the end begins anew */
  flush (8);
  push_segment (8);
  push_frame (5, 8);
  expect ("sc[00^v[34e^v[5");
  close_pair (consumer);
}

GST_END_TEST;

/* Caps are not of what a flush throws away, though they lie among it */
GST_START_TEST (test_caps_survive)
{
  GstElement *consumer = open_pair ("");

  begin (1);
  push_frame (100000, 8);
  push_frame (100001, 8);
  expect ("sc[0");
  push_caps (16);
  push_segment (1);
  push_frame (100002, 16);
  push_with (gst_event_new_eos (), 1);
  flush (2);
  push_segment (2);
  push_frame (3, 16);
  expect ("sc[0^vc[3");
  close_pair (consumer);
}

GST_END_TEST;

/* Several in a row are followed to the last one */
GST_START_TEST (test_many_in_a_row)
{
  GstElement *consumer = open_pair ("");
  guint n_start = 0, n_stop = 0;

  begin (1);
  push_frame (100000, 8);
  expect ("sc[0");
  for (guint i = 0; i < 200; i++) {
    flush (1000 + i);
    if (i % 3 == 0) {
      push_segment (1000 + i);
      push_frame (100000 + i, 8);
    }
  }
  flush (1);
  push_segment (2000);
  push_frame (7, 8);
  push_with (gst_event_new_eos (), 2000);
  rig_await_eos (consumer);
  fail_unless (g_str_has_suffix (trace.text->str, "v[7e"), "%s",
      trace.text->str);
  for (const gchar * p = trace.text->str; *p != '\0'; p++) {
    n_start += *p == '^';
    n_stop += *p == 'v';
    fail_unless (n_start == n_stop || n_start == n_stop + 1);
  }
  fail_unless (n_start == n_stop && n_start >= 1 && n_start <= 201);
  close_pair (consumer);
}

GST_END_TEST;

/* While the producer stands between FLUSH_START and FLUSH_STOP its consumers
 * may stop, and others come */
GST_START_TEST (test_consumer_stops_meanwhile)
{
  GstElement *consumer = open_pair ("");

  begin (1);
  push_frame (100000, 8);
  expect ("sc[0");
  push_with (gst_event_new_flush_start (), 2);
  if (__i__ == 0)
    expect ("sc[0^");
  close_consumer (consumer);
  consumer = consume ("shmframesrc name=src is-live=false socket-path=@ ! "
      "fakesink name=sink sync=true");
  rig_until (rig_num_clients (in->element) == 1);
  expect ("sc");
  push_with (gst_event_new_flush_stop (TRUE), 2);
  push_segment (2);
  push_frame (5, 8);
  expect ("sc^v[5");
  rig_state (consumer, GST_STATE_READY);
  rig_play (consumer);
  rig_until (rig_num_clients (in->element) == 1);
  expect ("sc^v[5sc[5");
  close_pair (consumer);
}

GST_END_TEST;

/* Its FLUSH_STOP never comes: the sink stops instead */
GST_START_TEST (test_sink_stops_meanwhile)
{
  GstElement *consumer = open_pair ("on-eos=reconnect");

  begin (1);
  push_frame (100000, 8);
  expect ("sc[0");
  push_with (gst_event_new_flush_start (), 2);
  expect ("sc[0^");
  rig_state (in->element, __i__ == 0 ? GST_STATE_READY : GST_STATE_NULL);
  expect ("sc[0^v");
  rig_play (in->element);
  rig_until (rig_num_clients (in->element) == 1);
  push_with (gst_event_new_flush_stop (TRUE), 2);
  begin (3);
  push_frame (5, 8);
  rig_until (g_str_has_suffix (trace.text->str, "[5"));
  close_pair (consumer);
}

GST_END_TEST;

/* Its FLUSH_STOP never comes: the producer is gone without a word to say so */
GST_START_TEST (test_producer_ends_meanwhile)
{
  struct sf_producer_config config = {.path = rig_path,.mode =
        0600,.max_clients = 4,.max_memory = 1 << 24
  };
  GstElement *consumer = consume ("shmframesrc name=src is-live=false "
      "socket-path=@ on-disconnect=eos ! fakesink sync=true");
  struct sf_producer_stats stats = { 0 };
  struct sf_producer *producer;

  fail_unless_equals_int (sf_producer_open (&producer, &config), 0);
  rig_until ((sf_producer_get_stats (producer, &stats), stats.n_clients) == 1);
  sf_producer_flush_start (producer, 1);
  expect ("^");
  sf_producer_close (producer);
  rig_await_eos (consumer);
  expect ("^ve");
  close_consumer (consumer);
}

GST_END_TEST;

/* With times of its own a consumer goes on: frames that it has not read are
 * gone, and nothing began anew */
GST_START_TEST (test_own_times)
{
  GstElement *consumer = open_pair ("timestamps=clock max-held=2");
  GstElement *src = rig_child (consumer, "src");
  GstPad *pad = gst_element_get_static_pad (src, "src");
  gulong block;

  begin (1);
  push_frame (0, 8);
  expect ("sc[0");
  await_playing (consumer);
  block =
      gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, NULL, NULL,
      NULL);
  for (guint i = 1; i < 6; i++)
    push_frame (i, 8);
  rig_until (gst_pad_is_blocking (pad));
  flush (2);
  push_segment (2);
  push_frame (8, 8);
  gst_pad_remove_probe (pad, block);
  push_with (gst_event_new_eos (), 2);
  rig_await_eos (consumer);
  /* the one at the block was not to be taken back any more */
  fail_unless (strcmp (trace.text->str, "sc[018e") == 0
      || strcmp (trace.text->str, "sc[08e") == 0, "%s", trace.text->str);
  fail_unless_equals_uint64 (rig_stat (src, "frames-lost"), 0);
  /* the end belongs to the SEGMENT that went downstream */
  fail_unless_equals_int (seqnum_of ('e'), seqnum_of ('['));
  gst_object_unref (pad);
  close_pair (consumer);
}

GST_END_TEST;

static gint n_pushed, n_stopped;

static gpointer
push_events (gpointer unused)
{
  while (gst_pad_push_event (in->srcpad,
          gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM, NULL)))
    g_atomic_int_inc (&n_pushed);
  g_atomic_int_inc (&n_stopped);
  return NULL;
}

/* FLUSH_STOP does not wait for room in a ring that is full of what it voids */
GST_START_TEST (test_full_ring)
{
  GstElement *consumer = open_pair ("timestamps=clock");
  GstPad *pad = gst_element_get_static_pad (rig_child (consumer, "src"),
      "src");
  GThread *pusher;
  gint last = -1;
  gulong block;

  begin (1);
  push_frame (0, 8);
  expect ("sc[0");
  block =
      gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, NULL, NULL,
      NULL);
  g_atomic_int_set (&n_pushed, 0);
  g_atomic_int_set (&n_stopped, 0);
  pusher = g_thread_new ("pusher", push_events, NULL);
  while (g_atomic_int_get (&n_pushed) != last) {
    last = g_atomic_int_get (&n_pushed);
    g_usleep (300000);
  }
  fail_unless (last > 1000);
  push_with (gst_event_new_flush_start (), 2);
  g_thread_join (pusher);
  push_with (gst_event_new_flush_stop (TRUE), 2);
  rig_state (in->element, __i__ == 0 ? GST_STATE_PAUSED : GST_STATE_READY);
  rig_play (in->element);
  gst_pad_remove_probe (pad, block);
  begin (3);
  push_frame (4, 8);
  rig_until (g_str_has_suffix (trace.text->str, "4"));
  gst_object_unref (pad);
  close_pair (consumer);
}

GST_END_TEST;

/* What the application asked for is not the producer's to take back */
GST_START_TEST (test_own_eos)
{
  GstElement *consumer = open_pair ("");
  GstEvent *eos = gst_event_new_eos ();

  gst_event_set_seqnum (eos, 77);
  begin (1);
  push_frame (0, 8);
  expect ("sc[0");
  await_playing (consumer);
  if (__i__ > 0) {
    push_with (gst_event_new_flush_start (), 2);
    expect ("sc[0^");
  }
  fail_unless (gst_element_send_event (rig_child (consumer, "src"), eos));
  if (__i__ == 0)
    push_with (gst_event_new_flush_start (), 2);
  push_with (gst_event_new_flush_stop (TRUE), 2);
  rig_await_eos (consumer);
  fail_unless_equals_int (seqnum_of ('e'), 77);
  close_pair (consumer);
}

GST_END_TEST;

/* An EOS of the producer that was passed over has no say in a later one */
GST_START_TEST (test_passed_over_eos)
{
  GstElement *consumer = open_pair ("on-eos=reconnect");
  GstEvent *eos = gst_event_new_eos ();

  gst_event_set_seqnum (eos, 77);
  begin (1);
  push_frame (0, 8);
  push_with (gst_event_new_eos (), 5);
  /* the next stream comes from behind it */
  rig_state (in->element, GST_STATE_READY);
  rig_play (in->element);
  begin (6);
  push_frame (1, 8);
  expect ("sc[0s[1");
  fail_unless (gst_element_send_event (rig_child (consumer, "src"), eos));
  rig_await_eos (consumer);
  fail_unless_equals_int (seqnum_of ('e'), 77);
  close_pair (consumer);
}

GST_END_TEST;

static void
add_tests (TCase * tc)
{
  tcase_add_test (tc, test_overtakes);
  tcase_add_test (tc, test_caps_survive);
  tcase_add_test (tc, test_many_in_a_row);
  tcase_add_loop_test (tc, test_consumer_stops_meanwhile, 0, 2);
  tcase_add_loop_test (tc, test_sink_stops_meanwhile, 0, 2);
  tcase_add_test (tc, test_producer_ends_meanwhile);
  tcase_add_test (tc, test_own_times);
  tcase_add_loop_test (tc, test_full_ring, 0, 2);
  tcase_add_loop_test (tc, test_own_eos, 0, 2);
  tcase_add_test (tc, test_passed_over_eos);
}

RIG_SUITE (shmframe_flush)
