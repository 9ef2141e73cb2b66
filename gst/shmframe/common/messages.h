/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and posts what both elements report about peers. */
#ifndef GST_SHM_FRAME_MESSAGES_H
#define GST_SHM_FRAME_MESSAGES_H

#include <gst/gst.h>

#include "common/text.h"

G_BEGIN_DECLS

/* Limits how often something is reported: `burst` times at once, and once more
 * for each `interval` (us) that passes. One thread's. All zeros at first. */
typedef struct
{
  gint64 next;
} GstShmFrameQuota;

/* FALSE: do not report this one. */
gboolean gst_shm_frame_quota_take (GstShmFrameQuota * self, gint64 interval,
    guint burst);

/* Element messages: a peer that comes and goes in a loop must not fill the
 * bus. */
#define GST_SHM_FRAME_ELEMENT_QUOTA (4 * G_TIME_SPAN_MILLISECOND), 256
/* Warnings are read by people. */
#define GST_SHM_FRAME_WARNING_QUOTA (10 * G_TIME_SPAN_SECOND), 8

/* Posts an element message with this name and a copy of the fields. */
void gst_shm_frame_messages_post (GstElement * element, const gchar * name,
    const GstStructure * fields);

/* (transfer full): as sf_explain(). */
gchar *gst_shm_frame_messages_explain (gint error);

G_END_DECLS

#endif
