/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-secondbatcher
 * @title: secondbatcher
 * @short_description: all frames of second N of each stream in one buffer
 *
 * Takes any number of streams and pushes one buffer per window of time, by
 * default one second. The buffer has no memory; its #GstCustomMeta
 * `GstSecondBatchMeta` lists the frames of each stream by reference. See
 * docs/secondbatcher.md.
 */
#include "batcher/batcher.h"
#include "gstsecondbatchmeta.h"

GST_DEBUG_CATEGORY (second_batcher_debug);

static GstStaticPadTemplate sink_template =
GST_STATIC_PAD_TEMPLATE ("sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
    GST_STATIC_CAPS_ANY);

#ifdef HAVE_GST_ANALYTICS
#define SRC_CAPS GST_SECOND_BATCH_CAPS_NAME "; " \
    SECOND_ANALYTICS_CAPS_NAME "(meta:GstAnalyticsBatchMeta)"
#else
#define SRC_CAPS GST_SECOND_BATCH_CAPS_NAME
#endif

static GstStaticPadTemplate src_template =
GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS (SRC_CAPS));

static void child_proxy_init (gpointer iface, gpointer data);

G_DEFINE_TYPE_WITH_CODE (GstSecondBatcher, gst_second_batcher,
    GST_TYPE_AGGREGATOR,
    G_IMPLEMENT_INTERFACE (GST_TYPE_CHILD_PROXY, child_proxy_init));

GST_ELEMENT_REGISTER_DECLARE (secondbatcher);
GST_ELEMENT_REGISTER_DEFINE (secondbatcher, "secondbatcher", GST_RANK_NONE,
    GST_TYPE_SECOND_BATCHER);

static GObject *
get_child_by_index (GstChildProxy * proxy, guint index)
{
  SECOND_LOCK_BLOCK (GST_OBJECT_GET_LOCK (proxy));
  GObject *child = g_list_nth_data (GST_ELEMENT_CAST (proxy)->sinkpads, index);

  return child ? gst_object_ref (child) : NULL;
}

static guint
get_children_count (GstChildProxy * proxy)
{
  SECOND_LOCK_BLOCK (GST_OBJECT_GET_LOCK (proxy));

  return GST_ELEMENT_CAST (proxy)->numsinkpads;
}

static void
child_proxy_init (gpointer g_iface, gpointer data)
{
  GstChildProxyInterface *iface = g_iface;

  iface->get_child_by_index = get_child_by_index;
  iface->get_children_count = get_children_count;
}

static GstPad *
gst_second_batcher_request_new_pad (GstElement * element,
    GstPadTemplate * templ, const gchar * name, const GstCaps * caps)
{
  GstPad *pad = GST_ELEMENT_CLASS (gst_second_batcher_parent_class)
      ->request_new_pad (element, templ, name, caps);

  if (pad)
    gst_child_proxy_child_added (GST_CHILD_PROXY (element), G_OBJECT (pad),
        GST_PAD_NAME (pad));
  return pad;
}

static void
gst_second_batcher_release_pad (GstElement * element, GstPad * pad)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (element);
  g_autoptr (GstPad) kept = gst_object_ref (pad);
  g_autoptr (GPtrArray) trash = second_trash_new ();

  gst_child_proxy_child_removed (GST_CHILD_PROXY (element), G_OBJECT (pad),
      GST_PAD_NAME (pad));
  GST_ELEMENT_CLASS (gst_second_batcher_parent_class)->release_pad (element,
      pad);

  SECOND_LOCK_BLOCK (&self->lock);
  second_pad_clear_locked (GST_SECOND_BATCHER_PAD (kept), trash);
}

/* Windows are counted from nothing: after a start, and after a flush */
static void
reset_locked (GstSecondBatcher * self)
{
  second_timeline_reset (&self->timeline);
  self->clock_offset = self->shift = 0;
  self->has_clock_offset = FALSE;
  self->pts = 0;
}

static gboolean
gst_second_batcher_start (GstAggregator * agg)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  GstClockTime hop;

  g_mutex_lock (&self->lock);
  hop = self->hop ? self->hop : self->batch_duration;
  self->timeline.grid.duration = self->batch_duration;
  self->timeline.grid.hop = hop;
  self->timeline.relative = self->align == SECOND_ALIGN_FIRST_FRAME;
  reset_locked (self);
  self->running = hop <= self->batch_duration;
  self->batches = self->incomplete_batches = 0;
  self->dropped_windows = self->skipped_windows = 0;
  self->gaps = self->missing_data = 0;
  g_mutex_unlock (&self->lock);

  if (!self->running) {
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
        ("hop (%" GST_TIME_FORMAT ") is longer than batch-duration (%"
            GST_TIME_FORMAT "), which would lose the frames in between; make "
            "it shorter.", GST_TIME_ARGS (hop),
            GST_TIME_ARGS (self->batch_duration)), (NULL));
    return FALSE;
  }
  self->live_latency = GST_CLOCK_TIME_NONE;
  self->pushed = FALSE;
  GST_INFO_OBJECT (self, "windows of %" GST_TIME_FORMAT " each %"
      GST_TIME_FORMAT, GST_TIME_ARGS (self->batch_duration),
      GST_TIME_ARGS (hop));
  second_batcher_apply_latency (self);
  return TRUE;
}

static gboolean
gst_second_batcher_stop (GstAggregator * agg)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);

  GST_INFO_OBJECT (self, "stopped");
  g_mutex_lock (&self->lock);
  self->running = FALSE;
  reset_locked (self);
  g_ptr_array_set_size (self->timeline.tracks, 0);
  g_mutex_unlock (&self->lock);

  /* the base class has flushed the pads by now */
  for (guint i = 0; self->pads && i < self->pads->len; i++) {
    GstSecondBatcherPad *pad = g_ptr_array_index (self->pads, i);

    second_pad_clear_span (pad);
    g_ptr_array_set_size (pad->sticky, 0);
  }
  g_clear_pointer (&self->pads, g_ptr_array_unref);
  gst_clear_caps (&self->out_caps);
  return TRUE;
}

static GstFlowReturn
gst_second_batcher_flush (GstAggregator * agg)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (agg);
  SECOND_LOCK_BLOCK (&self->lock);

  GST_INFO_OBJECT (self, "all streams are flushed, windows are counted anew");
  reset_locked (self);
  self->pushed = FALSE;
  return GST_FLOW_OK;
}

/* Before the first batch there is nothing to negotiate with */
static gboolean
gst_second_batcher_negotiate (GstAggregator * agg)
{
  if (GST_SECOND_BATCHER (agg)->out_caps == NULL)
    return TRUE;
  return GST_SECOND_BATCHER_PARENT_CLASS->negotiate (agg);
}

static void
gst_second_batcher_finalize (GObject * object)
{
  GstSecondBatcher *self = GST_SECOND_BATCHER (object);

  g_ptr_array_unref (self->timeline.tracks);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gst_second_batcher_parent_class)->finalize (object);
}

static void
gst_second_batcher_class_init (GstSecondBatcherClass * klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstAggregatorClass *agg_class = GST_AGGREGATOR_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (second_batcher_debug, "secondbatcher", 0,
      "batches of one second");

  G_OBJECT_CLASS (klass)->finalize = gst_second_batcher_finalize;
  second_batcher_install_properties (G_OBJECT_CLASS (klass));
  second_batcher_init_events (agg_class);
  second_batcher_init_queries (agg_class);
  second_batcher_init_output (agg_class);
  agg_class->start = GST_DEBUG_FUNCPTR (gst_second_batcher_start);
  agg_class->stop = GST_DEBUG_FUNCPTR (gst_second_batcher_stop);
  agg_class->flush = GST_DEBUG_FUNCPTR (gst_second_batcher_flush);
  agg_class->negotiate = GST_DEBUG_FUNCPTR (gst_second_batcher_negotiate);
  agg_class->clip = GST_DEBUG_FUNCPTR (second_batcher_clip);
  element_class->request_new_pad =
      GST_DEBUG_FUNCPTR (gst_second_batcher_request_new_pad);
  element_class->release_pad =
      GST_DEBUG_FUNCPTR (gst_second_batcher_release_pad);

  gst_element_class_add_static_pad_template_with_gtype (element_class,
      &sink_template, GST_TYPE_SECOND_BATCHER_PAD);
  gst_element_class_add_static_pad_template_with_gtype (element_class,
      &src_template, GST_TYPE_AGGREGATOR_PAD);
  gst_element_class_set_static_metadata (element_class, "Second batcher",
      "Muxer/Video", "Puts all frames of each second of several streams into "
      "one buffer, by reference", "The gst-shmframe developers");

  gst_type_mark_as_plugin_api (GST_TYPE_SECOND_BATCHER_PAD, 0);
}

static void
gst_second_batcher_init (GstSecondBatcher * self)
{
  g_mutex_init (&self->lock);
  self->timeline.tracks = g_ptr_array_new ();
}
