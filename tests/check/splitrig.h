/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A secondsplitter with a harness at each of its pads */
#ifndef SPLIT_RIG_H
#define SPLIT_RIG_H

#include "batchrig.h"

#define MS GST_MSECOND
#define STREAMS 2

typedef struct
{
  GstElement *splitter;
  GstHarness *in;               /* NULL: behind a batcher */
  GstHarness *out[STREAMS];
  guint no_more_pads;
} Split;

static inline void
pad_added (GstElement * splitter, GstPad * pad, Split * split)
{
  gchar *name = gst_pad_get_name (pad);
  guint k = (guint) atoi (name + 4);
  GstHarness *h;

  fail_unless (k < STREAMS, "%s", name);
  fail_unless (split->out[k] == NULL, "%s came twice", name);
  h = gst_harness_new_with_element (splitter, NULL, NULL);
  gst_harness_add_element_src_pad (h, pad);
  gst_harness_play (h);
  g_atomic_pointer_set (&split->out[k], h);
  g_free (name);
}

static inline void
no_more_pads (GstElement * splitter, Split * split)
{
  split->no_more_pads++;
}

static inline void
split_new (Split * split)
{
  memset (split, 0, sizeof (*split));
  split->splitter = gst_element_factory_make ("secondsplitter", NULL);
  g_signal_connect (split->splitter, "pad-added", G_CALLBACK (pad_added),
      split);
  g_signal_connect (split->splitter, "no-more-pads", G_CALLBACK (no_more_pads),
      split);
}

static inline void
split_init (Split * split)
{
  split_new (split);
  split->in = gst_harness_new_with_element (split->splitter, "sink", NULL);
  gst_harness_play (split->in);
}

/* The splitter takes the place of the batcher's harness, whose events and
 * batches are in two queues: here they keep their order. */
static inline void
split_init_behind (Split * split, Rig * rig)
{
  GstPad *src = gst_element_get_static_pad (rig->batcher, "src");
  GstPad *sink;

  split_new (split);
  sink = gst_element_get_static_pad (split->splitter, "sink");
  gst_element_set_state (split->splitter, GST_STATE_PLAYING);
  fail_unless (gst_pad_unlink (src, rig->h[0]->sinkpad));
  fail_unless_equals_int (gst_pad_link (src, sink), GST_PAD_LINK_OK);
  gst_object_unref (src);
  gst_object_unref (sink);
}

static inline void
split_wait_eos (Split * split, guint k)
{
  gint64 end = g_get_monotonic_time () + RIG_DEADLINE / 1000;
  gboolean eos = FALSE;

  while (g_atomic_pointer_get (&split->out[k]) == NULL
      && g_get_monotonic_time () < end)
    g_thread_yield ();
  fail_unless (split->out[k] != NULL, "no pad %u came", k);
  while (!eos) {
    GstEvent *event = gst_harness_pull_event (split->out[k]);

    fail_unless (event != NULL, "no EOS came");
    eos = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    gst_event_unref (event);
  }
}

static inline void
split_clear (Split * split)
{
  guint k;

  for (k = 0; k < STREAMS; k++) {
    if (split->out[k])
      gst_harness_teardown (split->out[k]);
  }
  if (split->in)
    gst_harness_teardown (split->in);
  else
    gst_element_set_state (split->splitter, GST_STATE_NULL);
  gst_object_unref (split->splitter);
}

static inline void
expect_event (Split * split, guint k, GstEventType type, GstEvent ** found)
{
  GstEvent *event = gst_harness_try_pull_event (split->out[k]);

  fail_unless (event != NULL, "no %s", gst_event_type_get_name (type));
  fail_unless_equals_string (GST_EVENT_TYPE_NAME (event),
      gst_event_type_get_name (type));
  if (found)
    *found = event;
  else
    gst_event_unref (event);
}

#endif
