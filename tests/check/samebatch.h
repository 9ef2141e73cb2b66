/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether two batches, or two frames, are the same but for where they lie */
#ifndef SAMEBATCH_H
#define SAMEBATCH_H

#include "gstsecondbatchmeta.h"
#include "shmrig.h"

static inline void
check_same_frame (GstBuffer * a, GstBuffer * b)
{
  GstVideoMeta *m = gst_buffer_get_video_meta (a);
  GstVideoMeta *n = gst_buffer_get_video_meta (b);
  GstMapInfo map;

  fail_unless_equals_uint64 (GST_BUFFER_PTS (a), GST_BUFFER_PTS (b));
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (a), GST_BUFFER_DURATION (b));
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (a), GST_BUFFER_OFFSET (b));
  fail_unless ((m == NULL) == (n == NULL));
  fail_unless (m == NULL || memcmp (m->stride, n->stride,
          sizeof (m->stride)) == 0);
  fail_unless_equals_uint64 (gst_buffer_get_size (a), gst_buffer_get_size (b));
  fail_unless (gst_buffer_map (a, &map, GST_MAP_READ));
  fail_unless (gst_buffer_memcmp (b, 0, map.data, map.size) == 0);
  gst_buffer_unmap (a, &map);
}

static inline void
check_same_list (GstBufferList * a, GstBufferList * b)
{
  guint n = gst_buffer_list_length (a);

  fail_unless_equals_int (n, gst_buffer_list_length (b));
  for (guint i = 0; i < n; i++)
    check_same_frame (gst_buffer_list_get (a, i), gst_buffer_list_get (b, i));
}

static inline gboolean
check_same_field (GQuark id, const GValue * a, gpointer structure)
{
  const gchar *name = g_quark_to_string (id);
  const GValue *b = gst_structure_id_get_value (structure, id);

  fail_unless (b != NULL, "the field %s is missing", name);
  /* where they lie is another matter in another process */
  if (g_str_has_prefix (name, "contiguous") || g_str_has_prefix (name,
          "frame-stride"))
    return TRUE;
  fail_unless (G_VALUE_TYPE (a) == G_VALUE_TYPE (b), "field %s", name);
  if (G_VALUE_HOLDS (a, GST_TYPE_BUFFER_LIST))
    check_same_list (g_value_get_boxed (a), g_value_get_boxed (b));
  else if (G_VALUE_HOLDS (a, GST_TYPE_SEGMENT))
    fail_unless (gst_segment_is_equal (g_value_get_boxed (a),
            g_value_get_boxed (b)), "field %s", name);
  else
    fail_unless (gst_value_compare (a, b) == GST_VALUE_EQUAL, "field %s",
        name);
  return TRUE;
}

/* Memory K of a received batch is the frames of stream K where they lie in a
 * row, these themselves, and empty where they do not */
static inline void
check_stream_memory (GstBuffer * batch, guint k)
{
  GstBufferList *frames = gst_second_batch_get_buffers (batch, k);
  GstMapInfo all, frame;
  guint64 stride;

  if (!gst_second_batch_is_contiguous (batch, k, &stride)) {
    fail_unless_equals_uint64 (gst_buffer_get_sizes_range (batch, k, 1, NULL,
            NULL), 0);
    return;
  }
  fail_unless (gst_buffer_map (gst_buffer_list_get (frames, 0), &frame,
          GST_MAP_READ));
  fail_unless (gst_buffer_map_range (batch, k, 1, &all, GST_MAP_READ));
  fail_unless (all.data == frame.data, "the frames were copied");
  fail_unless_equals_uint64 (all.size,
      (gst_buffer_list_length (frames) - 1) * stride + frame.size);
  gst_buffer_unmap (batch, &all);
  gst_buffer_unmap (gst_buffer_list_get (frames, 0), &frame);
}

static inline void
check_batch_memory (GstBuffer * batch)
{
  guint n = gst_second_batch_get_n_streams (batch);
  gboolean any = FALSE;

  for (guint k = 0; k < n; k++)
    any |= gst_second_batch_is_contiguous (batch, k, NULL);
  any &= n <= gst_buffer_get_max_memory ();
  fail_unless_equals_int (gst_buffer_n_memory (batch), any ? n : 0);
  for (guint k = 0; any && k < n; k++)
    check_stream_memory (batch, k);
}

static inline void
check_same_batch (GstBuffer * a, GstBuffer * b)
{
  const GstStructure *s = gst_second_batch_get_structure (a);
  const GstStructure *t = gst_second_batch_get_structure (b);

  fail_unless (s != NULL && t != NULL);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (a), GST_BUFFER_PTS (b));
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (a), GST_BUFFER_DURATION (b));
  fail_unless_equals_int (gst_structure_n_fields (s),
      gst_structure_n_fields (t));
  fail_unless (gst_structure_foreach (s, check_same_field, (gpointer) t));
}

#endif /* SAMEBATCH_H */
