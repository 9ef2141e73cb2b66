/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What crosses a pad, a line of text for each event and each buffer, so that
 * two processes can compare. */
#ifndef CUTRECORD_H
#define CUTRECORD_H

#include <gst/gst.h>

typedef struct
{
  GMutex lock;
  GString *text;
  GHashTable *seqnums, *groups; /* by the order they first came in */
  gboolean ends;                /* with EOS; else that event is passed over */
  gboolean ended;               /* EOS came, or the event CUT_END */
} CutRecord;

/* The name of a custom event, the last of each case that does not end with
 * EOS */
#define CUT_END "cut-end"

void cut_record_start (CutRecord * record, GstElement * element,
    gboolean ends);
/* (transfer full) */
gchar *cut_record_stop (CutRecord * record);
gboolean cut_record_has_ended (CutRecord * record);

#endif
