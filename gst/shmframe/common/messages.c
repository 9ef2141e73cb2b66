/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/messages.h"

#include "shared/explain.h"

gboolean
gst_shm_frame_quota_take (GstShmFrameQuota * self, gint64 interval, guint burst)
{
  gint64 now = g_get_monotonic_time ();

  /* Each report moves `next` ahead of the clock by one interval. */
  self->next = MAX (self->next, now);
  if (self->next - now > interval * (burst - 1))
    return FALSE;
  self->next += interval;
  return TRUE;
}

void
gst_shm_frame_messages_post (GstElement * element, const gchar * name,
    const GstStructure * fields)
{
  GstStructure *copy = gst_structure_copy (fields);

  gst_structure_set_name (copy, name);
  gst_element_post_message (element,
      gst_message_new_element (GST_OBJECT (element), copy));
}

gchar *
gst_shm_frame_messages_explain (gint error)
{
  gchar text[256];

  sf_explain (text, sizeof (text), error);
  return g_strdup (text);
}
