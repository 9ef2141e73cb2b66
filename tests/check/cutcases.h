/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is sent through an uncut and a cut pipeline. */
#ifndef CUTCASES_H
#define CUTCASES_H

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

typedef struct
{
  const gchar *name;
  void (*feed) (GstHarness * h, gint argument);
  gint argument;
} CutCase;

extern const CutCase cut_cases[];
extern const guint cut_n_cases;

/* Is its last event EOS, to be compared, not the one that all others have? */
gboolean cut_case_ends (const CutCase * c);

/* cutevents.c */
enum
{
  EVENT_TAG, EVENT_TAG_GLOBAL, EVENT_COLLECTION, EVENT_TOC, EVENT_GAP,
  EVENT_GAP_FLAGS, EVENT_CUSTOM, EVENT_CUSTOM_STICKY, EVENT_WRAPPED,
  EVENT_SEQNUM, EVENT_OFFSET, EVENT_PROTECTION, EVENT_LEFT_OUT,
  EVENT_GROUP_DONE,
};
void cut_feed_event (GstHarness * h, gint which);

/* cutmetas.c */
void cut_feed_meta (GstHarness * h, gint which);
/* For other files */
void cut_begin (GstHarness * h, const gchar * format, gint width, gint height);
GstBuffer *cut_frame (guint number, gsize size);
void cut_push (GstHarness * h, GstBuffer * buffer);
void cut_event (GstHarness * h, GstEvent * event);

/* GRAY8, 16 x 8 */
void cut_begin_small (GstHarness * h);
void cut_push_small (GstHarness * h, guint number);
void cut_finish (GstHarness * h);

#endif
