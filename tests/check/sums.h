/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What passes an element's sink pad, by a sum over the bytes of each buffer
 * that tells their order. To be looked at behind EOS. */
#ifndef SUMS_H
#define SUMS_H

#include <gst/check/gstcheck.h>
#include <string.h>

static inline GstPadProbeReturn
sums_add (GstPad * pad, GstPadProbeInfo * info, gpointer sums)
{
  guint64 sum = 14695981039346656037u;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstMapInfo map;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  for (gsize i = 0; i < map.size; i++)
    sum = (sum ^ map.data[i]) * 1099511628211u;
  gst_buffer_unmap (buffer, &map);
  g_array_append_val ((GArray *) sums, sum);
  return GST_PAD_PROBE_OK;
}

static inline GArray *
sums_of (GstElement * element)
{
  GstPad *pad = gst_element_get_static_pad (element, "sink");
  GArray *sums = g_array_new (FALSE, FALSE, sizeof (guint64));

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, sums_add, sums, NULL);
  gst_object_unref (pad);
  return sums;
}

static inline void
sums_check (const GArray * received, const GArray * sent, const gchar * name)
{
  fail_unless_equals_int (received->len, sent->len);
  fail_unless (memcmp (received->data, sent->data,
          sent->len * sizeof (guint64)) == 0, "%s: other bytes arrived", name);
}

#endif
