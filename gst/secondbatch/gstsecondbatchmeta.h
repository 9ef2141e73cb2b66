/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Read a batch: a GstBuffer with a GstCustomMeta named "GstSecondBatchMeta".
 * The meta's flat GstStructure has everything. These functions only save
 * typing: Python and Rust read the same fields by name, as
 * docs/secondbatcher.md lists them.
 *
 * Getters return borrowed pointers that live as long as the batch; NULL or 0 if
 * the batch, the stream or the field does not exist.
 */
#ifndef GST_SECOND_BATCH_META_H
#define GST_SECOND_BATCH_META_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_SECOND_BATCH_META_NAME "GstSecondBatchMeta"
#define GST_SECOND_BATCH_CAPS_NAME "multistream/x-second-batch"
#define GST_SECOND_BATCH_VERSION 1

/* A serialized custom event that carries one stream's event past the batcher:
 * "stream" (uint), "position" (uint, the frame of the next batch before which
 * it stood), "type" (string, as gst_event_type_get_name() says), "structure" */
#define GST_SECOND_BATCH_EVENT_NAME "GstSecondBatchStreamEvent"

/* What secondsplitter sends ahead of a stream's frames where its batch has lost
 * some, so that a secondbatcher behind it counts them too: "late" and "dropped"
 * (uint) */
#define GST_SECOND_BATCH_COUNTS_NAME "GstSecondBatchCounts"

/* Makes the meta known to GStreamer; call it after gst_init() in a program that
 * reads or writes batches before it has loaded the plugin. It may be called any
 * number of times, from any module and thread. */
static inline const GstMetaInfo *
gst_second_batch_meta_register (void)
{
  /* No transform function: GStreamer's own copies the structure, and with it
   * the buffer lists by reference, and no function pointer of a module that
   * may be unloaded stays behind. */
  static const gchar *tags[] = { NULL };
  GstObject *lock = GST_OBJECT_CAST (gst_registry_get ());
  const GstMetaInfo *info;

  /* Registering a name twice is a warning of GLib. Each module has its own
   * copy of this function, so the lock must be one that they all see. */
  GST_OBJECT_LOCK (lock);
  info = gst_meta_get_info (GST_SECOND_BATCH_META_NAME);
  if (info == NULL)
    info = gst_meta_register_custom (GST_SECOND_BATCH_META_NAME, tags, NULL,
        NULL, NULL);
  GST_OBJECT_UNLOCK (lock);
  return info;
}

/* The fields of a batch, or NULL of a buffer that is none */
static inline const GstStructure *
gst_second_batch_get_structure (GstBuffer * batch)
{
  GstCustomMeta *meta;

  gst_second_batch_meta_register ();
  meta = gst_buffer_get_custom_meta (batch, GST_SECOND_BATCH_META_NAME);
  return meta ? gst_custom_meta_get_structure (meta) : NULL;
}

static inline guint64
gst_second_batch_get_uint64_ (GstBuffer * batch, const gchar * field)
{
  const GstStructure *s = gst_second_batch_get_structure (batch);
  guint64 value = 0;

  if (s)
    gst_structure_get_uint64 (s, field, &value);
  return value;
}

/* N of second N in the batch's alignment */
static inline guint64
gst_second_batch_get_index (GstBuffer * batch)
{
  return gst_second_batch_get_uint64_ (batch, "index");
}

/* nanoseconds, in the batch's alignment */
static inline guint64
gst_second_batch_get_window_start (GstBuffer * batch)
{
  return gst_second_batch_get_uint64_ (batch, "window-start");
}

/* nanoseconds */
static inline guint64
gst_second_batch_get_window_duration (GstBuffer * batch)
{
  return gst_second_batch_get_uint64_ (batch, "window-duration");
}

static inline guint
gst_second_batch_get_n_streams (GstBuffer * batch)
{
  const GstStructure *s = gst_second_batch_get_structure (batch);
  guint value = 0;

  if (s)
    gst_structure_get_uint (s, "n-streams", &value);
  return value;
}

static inline const GValue *
gst_second_batch_get_value_ (GstBuffer * batch, const gchar * prefix,
    guint stream, GType type)
{
  const GstStructure *s = gst_second_batch_get_structure (batch);
  const GValue *value;
  gchar field[48];

  if (s == NULL)
    return NULL;
  g_snprintf (field, sizeof (field), "%s-%u", prefix, stream);
  value = gst_structure_get_value (s, field);
  return value && G_VALUE_HOLDS (value, type) ? value : NULL;
}

/* The frames of @stream, in order of their times */
static inline GstBufferList *
gst_second_batch_get_buffers (GstBuffer * batch, guint stream)
{
  const GValue *v = gst_second_batch_get_value_ (batch, "buffers", stream,
      GST_TYPE_BUFFER_LIST);

  return v ? (GstBufferList *) g_value_get_boxed (v) : NULL;
}

static inline GstCaps *
gst_second_batch_get_caps (GstBuffer * batch, guint stream)
{
  const GValue *v = gst_second_batch_get_value_ (batch, "caps", stream,
      GST_TYPE_CAPS);

  return v ? (GstCaps *) g_value_get_boxed (v) : NULL;
}

static inline const GstSegment *
gst_second_batch_get_segment (GstBuffer * batch, guint stream)
{
  const GValue *v = gst_second_batch_get_value_ (batch, "segment", stream,
      GST_TYPE_SEGMENT);

  return v ? (const GstSegment *) g_value_get_boxed (v) : NULL;
}

static inline const gchar *
gst_second_batch_get_stream_id (GstBuffer * batch, guint stream)
{
  const GValue *v = gst_second_batch_get_value_ (batch, "stream-id", stream,
      G_TYPE_STRING);

  return v ? g_value_get_string (v) : NULL;
}

/* A count of @stream: "frames", "expected", "late" or "dropped" */
static inline guint
gst_second_batch_get_count (GstBuffer * batch, const gchar * what, guint stream)
{
  const GValue *v = gst_second_batch_get_value_ (batch, what, stream,
      G_TYPE_UINT);

  return v ? g_value_get_uint (v) : 0;
}

/* Whether the stream's frames lie one @stride apart in one mapping. @stride:
 * bytes from one frame to the next, or 0; may be NULL */
static inline gboolean
gst_second_batch_is_contiguous (GstBuffer * batch, guint stream,
    guint64 * stride)
{
  const GValue *yes = gst_second_batch_get_value_ (batch, "contiguous", stream,
      G_TYPE_BOOLEAN);
  const GValue *bytes = gst_second_batch_get_value_ (batch, "frame-stride",
      stream, G_TYPE_UINT64);

  if (stride)
    *stride = bytes ? g_value_get_uint64 (bytes) : 0;
  return yes && g_value_get_boolean (yes);
}

G_END_DECLS

#endif /* GST_SECOND_BATCH_META_H */
