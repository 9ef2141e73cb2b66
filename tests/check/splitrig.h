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
  GstHarness *in;
  GstHarness *out[STREAMS];
  guint no_more_pads;
} Split;

static inline void
pad_added (GstElement * splitter, GstPad * pad, Split * split)
{
  gchar *name = gst_pad_get_name (pad);
  guint k = (guint) atoi (name + 4);

  fail_unless (k < STREAMS, "%s", name);
  fail_unless (split->out[k] == NULL, "%s came twice", name);
  split->out[k] = gst_harness_new_with_element (splitter, NULL, NULL);
  gst_harness_add_element_src_pad (split->out[k], pad);
  gst_harness_play (split->out[k]);
  g_free (name);
}

static inline void
no_more_pads (GstElement * splitter, Split * split)
{
  split->no_more_pads++;
}

static inline void
split_init (Split * split)
{
  memset (split, 0, sizeof (*split));
  split->splitter = gst_element_factory_make ("secondsplitter", NULL);
  g_signal_connect (split->splitter, "pad-added", G_CALLBACK (pad_added),
      split);
  g_signal_connect (split->splitter, "no-more-pads", G_CALLBACK (no_more_pads),
      split);
  split->in = gst_harness_new_with_element (split->splitter, "sink", NULL);
  gst_harness_play (split->in);
}

static inline void
split_clear (Split * split)
{
  guint k;

  for (k = 0; k < STREAMS; k++) {
    if (split->out[k])
      gst_harness_teardown (split->out[k]);
  }
  gst_harness_teardown (split->in);
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
