/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits the sticky events that a producer sends: pads downstream keep one of
 * each name until the element goes to READY. */
#include "src/gstshmframesrc.h"

/* Twice what a shmframesink sends at most, since another one may follow it. */
#define MAX_KEPT_BYTES (2 * SF_MAX_STICKY_BYTES)
/* What an event takes besides its bytes. */
#define OVERHEAD 256

/* The name by which pads tell sticky events apart. */
static gchar *
name_of (GstEvent * event)
{
  const GstStructure *s = gst_event_get_structure (event);
  gboolean multi = (gst_event_type_get_flags (GST_EVENT_TYPE (event))
      & GST_EVENT_TYPE_STICKY_MULTI) != 0;

  return g_strdup_printf ("%u:%s", GST_EVENT_TYPE (event),
      multi && s != NULL ? gst_structure_get_name (s) : "");
}

gboolean
gst_shm_frame_src_admit_sticky (GstShmFrameSrc * self, GstEvent * event,
    guint32 size)
{
  gchar *name;
  guint64 before, after;

  if (!GST_EVENT_IS_STICKY (event))
    return TRUE;
  if (self->sticky.sizes == NULL)
    self->sticky.sizes =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  name = name_of (event);
  before = GPOINTER_TO_UINT (g_hash_table_lookup (self->sticky.sizes, name));
  after = size + OVERHEAD;
  if (self->sticky.bytes - before + after > MAX_KEPT_BYTES) {
    g_free (name);
    self->names.events++;
    return FALSE;
  }
  self->sticky.bytes += after - before;
  g_hash_table_replace (self->sticky.sizes, name,
      GUINT_TO_POINTER ((guint) after));
  return TRUE;
}

void
gst_shm_frame_src_forget_sticky (GstShmFrameSrc * self)
{
  g_clear_pointer (&self->sticky.sizes, g_hash_table_unref);
  self->sticky.bytes = 0;
}
