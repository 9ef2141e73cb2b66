/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sticky events, which the pads downstream keep: those of different names all, until
 * the element goes to READY. */
#include "src/gstshmframesrc.h"

/* Twice what a producer of ours has at most, since another one may follow it. */
#define MAX_KEPT_BYTES (2 * SF_MAX_STICKY_BYTES)
/* What one takes besides what is in it. */
#define OVERHEAD 256

/* As pads tell them apart. */
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
gst_shm_frame_src_may_keep (GstShmFrameSrc * self, GstEvent * event,
    guint32 size)
{
  gchar *name;
  guint64 before, after;

  if (!GST_EVENT_IS_STICKY (event))
    return TRUE;
  if (self->kept == NULL)
    self->kept = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  name = name_of (event);
  before = GPOINTER_TO_UINT (g_hash_table_lookup (self->kept, name));
  after = size + OVERHEAD;
  if (self->kept_bytes - before + after > MAX_KEPT_BYTES) {
    g_free (name);
    self->names.events++;
    return FALSE;
  }
  self->kept_bytes += after - before;
  g_hash_table_replace (self->kept, name, GUINT_TO_POINTER ((guint) after));
  return TRUE;
}

void
gst_shm_frame_src_forget_kept (GstShmFrameSrc * self)
{
  g_clear_pointer (&self->kept, g_hash_table_unref);
  self->kept_bytes = 0;
}
