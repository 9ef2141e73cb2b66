/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sink that waits, and what it says of it */
#ifndef WAITRIG_H
#define WAITRIG_H

#include "busrig.h"

#define GRAY RIG_GRAY (32, 24)
#define SINK " ! shmframesink name=sink socket-path=@ "
/* Short, but the control threads of a busy machine get some time within it */
#define TIMEOUT " client-timeout=800000000 "
#define STALL_TIMEOUT " stall-timeout=300000000 "
#define MISSING "Waiting for 1 consumer at "

/* The text of the next message of this type with this word in it. Free it. */
static inline gchar *
await_text (GstElement * pipeline, GstMessageType type, const gchar * word)
{
  for (;;) {
    GstMessage *m = rig_message (pipeline, type);
    GError *error = NULL;
    gchar *text;

    if (type == GST_MESSAGE_INFO)
      gst_message_parse_info (m, &error, NULL);
    else
      gst_message_parse_warning (m, &error, NULL);
    text = g_strdup (error->message);
    g_error_free (error);
    gst_message_unref (m);
    if (strstr (text, word) != NULL)
      return text;
    g_free (text);
  }
}

static inline void
expect_text (GstElement * pipeline, GstMessageType type, const gchar * word,
    const gchar * more)
{
  gchar *text = await_text (pipeline, type, word);

  fail_unless (strstr (text, more) != NULL, "no '%s' in: %s", more, text);
  g_free (text);
}

static inline void
await_playing (GstElement * pipeline)
{
  GstState state;

  rig_play (pipeline);
  fail_unless_equals_int (gst_element_get_state (pipeline, &state, NULL,
          RIG_DEADLINE), GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_int (state, GST_STATE_PLAYING);
}

static inline void
expect_all (GstElement * producer, GstElement * consumer, guint n)
{
  GstElement *src = rig_child (consumer, "src");

  rig_await_eos (consumer);
  fail_unless_equals_uint64 (rig_stat (src, "frames"), n);
  fail_unless_equals_uint64 (rig_stat (src, "frames-lost"), 0);
  fail_unless_equals_uint64 (rig_stat (rig_child (producer, "sink"),
          "clients-evicted"), 0);
}

#endif /* WAITRIG_H */
