/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batcher ! more elements ! a splitter ! for each stream: more elements !
 * fakesink, and a function that sees each frame at the end of its stream */
#ifndef ANALYTICSPIPE_H
#define ANALYTICSPIPE_H

#include "analyticsrig.h"

typedef struct _Pipe Pipe;

struct _Pipe
{
  GstElement *pipeline, *batcher;
  /* one stream's elements behind the splitter, or NULL: none */
  GstElement *(*make_tail) (void);
  void (*check) (GstBuffer * frame, guint stream, guint n);
  guint frames[STREAMS];
  guint pads;
};

static inline GstPadProbeReturn
pipe_frame (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  guint k = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (pad), "stream"));
  Pipe *pipe = data;

  pipe->check (GST_PAD_PROBE_INFO_BUFFER (info), k, pipe->frames[k]++);
  return GST_PAD_PROBE_OK;
}

static inline GstElement *
pipe_add (Pipe * pipe, GstElement * element)
{
  fail_unless (element != NULL);
  gst_bin_add (GST_BIN (pipe->pipeline), element);
  gst_element_sync_state_with_parent (element);
  return element;
}

/* src_K of our splitter, src_GENERATION_K of GStreamer's */
static inline void
pipe_pad_added (GstElement * splitter, GstPad * pad, Pipe * pipe)
{
  guint k = (guint) atoi (strrchr (GST_PAD_NAME (pad), '_') + 1);
  GstElement *sink = pipe_add (pipe, gst_element_factory_make ("fakesink",
          NULL));
  GstElement *head = sink;
  GstPad *in;

  fail_unless (k < STREAMS);
  pipe->pads++;
  g_object_set (sink, "async", FALSE, "sync", FALSE, NULL);
  in = gst_element_get_static_pad (sink, "sink");
  g_object_set_data (G_OBJECT (in), "stream", GUINT_TO_POINTER (k));
  gst_pad_add_probe (in, GST_PAD_PROBE_TYPE_BUFFER, pipe_frame, pipe, NULL);
  gst_object_unref (in);
  if (pipe->make_tail) {
    head = pipe_add (pipe, pipe->make_tail ());
    fail_unless (gst_element_link (head, sink));
  }
  in = gst_element_get_static_pad (head, "sink");
  fail_unless_equals_int (gst_pad_link (pad, in), GST_PAD_LINK_OK);
  gst_object_unref (in);
}

/* `between`, if not NULL, stands before the splitter and is taken */
static inline void
pipe_init (Pipe * pipe, GstElement * between, const gchar * splitter)
{
  GstElement *last;

  pipe->pipeline = gst_pipeline_new (NULL);
  last = pipe->batcher = pipe_add (pipe, make_batcher ("secondbatcher",
          GST_SECOND));
  if (between) {
    fail_unless (gst_element_link (last, pipe_add (pipe, between)));
    last = between;
  }
  if (splitter) {
    GstElement *split = pipe_add (pipe, gst_element_factory_make (splitter,
            NULL));

    g_signal_connect (split, "pad-added", G_CALLBACK (pipe_pad_added), pipe);
    fail_unless (gst_element_link (last, split));
  }
}

/* Until all that went in is at the end */
static inline void
pipe_run (Pipe * pipe, Input * input)
{
  GstBus *bus = gst_element_get_bus (pipe->pipeline);
  GstMessage *message;

  fail_unless (gst_element_set_state (pipe->pipeline, GST_STATE_PLAYING) !=
      GST_STATE_CHANGE_FAILURE);
  push_input (pipe->batcher, input);
  message = gst_bus_timed_pop_filtered (bus, DEADLINE,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless (message != NULL, "no EOS came");
  fail_unless (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS, "%"
      GST_PTR_FORMAT, message);
  gst_message_unref (message);
  gst_object_unref (bus);
}

static inline void
pipe_clear (Pipe * pipe)
{
  gst_element_set_state (pipe->pipeline, GST_STATE_NULL);
  gst_object_unref (pipe->pipeline);
}

#endif
