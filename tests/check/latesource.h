/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a live source says whose frames are of SOURCE_LATENCY ago, as probes at
 * a source that makes them without. */
#ifndef LATESOURCE_H
#define LATESOURCE_H

#include <gst/gst.h>

#define SOURCE_LATENCY (40 * GST_MSECOND)

static GstPadProbeReturn
late_source_on_made (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  GstElement *source = gst_pad_get_parent_element (pad);
  GstClockTime now = gst_element_get_current_running_time (source);

  gst_object_unref (source);
  if (now < SOURCE_LATENCY)
    return GST_PAD_PROBE_DROP;
  GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info)) = now - SOURCE_LATENCY;
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
late_source_on_query (GstPad * pad, GstPadProbeInfo * info, gpointer unused)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return GST_PAD_PROBE_OK;
  gst_query_set_latency (query, TRUE, SOURCE_LATENCY, GST_CLOCK_TIME_NONE);
  return GST_PAD_PROBE_HANDLED;
}

static inline void
late_source_make (GstElement * source)
{
  GstPad *pad = gst_element_get_static_pad (source, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, late_source_on_made, NULL,
      NULL);
  gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_QUERY_UPSTREAM | GST_PAD_PROBE_TYPE_PUSH,
      late_source_on_query, NULL, NULL);
  gst_object_unref (pad);
}

#endif
