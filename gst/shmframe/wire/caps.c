/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes caps with their features, and the small buffers and samples in
 * caps and tags. */
#include <string.h>

#include "wire/value.h"

/* Buffers in structures (a codec's header, a thumbnail) are copied into the
 * record; larger ones would leave no space for the rest. */
#define MAX_BUFFER_VALUE (64 * 1024)

static void
put_features (GstByteWriter * w, const GstCapsFeatures * features)
{
  guint n = gst_caps_features_get_size (features);

  gst_byte_writer_put_uint8 (w, gst_caps_features_is_any (features));
  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++)
    gst_shm_frame_wire_put_string (w, gst_caps_features_get_nth (features, i));
}

gboolean
gst_shm_frame_wire_put_caps (GstByteWriter * w, const GstCaps * caps,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  guint n = gst_caps_get_size (caps);

  gst_byte_writer_put_uint8 (w, gst_caps_is_any (caps));
  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++) {
    /* Caps without one of their fields would mean something else. */
    if (!gst_shm_frame_wire_put_structure (w, gst_caps_get_structure (caps, i),
            unserializable, depth))
      return FALSE;
    put_features (w, gst_caps_get_features (caps, i));
  }
  return TRUE;
}

/* "domain:name" */
static gboolean
is_feature (const gchar * name)
{
  const gchar *colon = name != NULL ? strchr (name, ':') : NULL;

  if (colon == NULL || colon == name || !g_ascii_isalpha (colon[1]))
    return FALSE;
  for (; name < colon; name++)
    if (!g_ascii_isalpha (*name))
      return FALSE;
  for (name++; *name != '\0'; name++)
    if (!g_ascii_isalnum (*name))
      return FALSE;
  return TRUE;
}

static GstCapsFeatures *
get_features (GstByteReader * r)
{
  GstCapsFeatures *features;
  guint8 any;
  guint32 n;
  gboolean ok = TRUE;

  if (!gst_byte_reader_get_uint8 (r, &any)
      || !gst_byte_reader_get_uint32_le (r, &n) || (any && n > 0))
    return NULL;
  features = any ? gst_caps_features_new_any ()
      : gst_caps_features_new_empty ();
  while (ok && n-- > 0) {
    gchar *name;

    ok = gst_shm_frame_wire_get_string (r, &name) && is_feature (name)
        && gst_shm_frame_wire_is_name (name);
    if (ok && gst_shm_frame_names_admit (name))
      gst_caps_features_add (features, name);
    else
      gst_shm_frame_names_current ()->refusals++;
    g_free (name);
  }
  if (!ok)
    g_clear_pointer (&features, gst_caps_features_free);
  return features;
}

GstCaps *
gst_shm_frame_wire_get_caps (GstByteReader * r, guint depth)
{
  GstCaps *caps;
  guint8 any;
  guint32 n;

  if (!gst_byte_reader_get_uint8 (r, &any)
      || !gst_byte_reader_get_uint32_le (r, &n) || (any && n > 0))
    return NULL;
  caps = any ? gst_caps_new_any () : gst_caps_new_empty ();
  while (n-- > 0) {
    GstStructure *s = gst_shm_frame_wire_get_structure (r, depth);
    GstCapsFeatures *features = s != NULL ? get_features (r) : NULL;

    if (features == NULL) {
      g_clear_pointer (&s, gst_structure_free);
      gst_clear_caps (&caps);
      return NULL;
    }
    gst_caps_append_structure_full (caps, s, features);
  }
  return caps;
}

gboolean
gst_shm_frame_wire_put_buffer_value (GstByteWriter * w, GstBuffer * buffer)
{
  GstMapInfo map;

  if (gst_buffer_get_size (buffer) > MAX_BUFFER_VALUE
      || !gst_buffer_map (buffer, &map, GST_MAP_READ))
    return FALSE;
  gst_shm_frame_wire_put_bytes (w, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_PTS (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_DTS (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_DURATION (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_OFFSET (buffer));
  gst_byte_writer_put_uint64_le (w, GST_BUFFER_OFFSET_END (buffer));
  return TRUE;
}

GstBuffer *
gst_shm_frame_wire_get_buffer_value (GstByteReader * r)
{
  GstBuffer *buffer;
  const guint8 *data;
  guint32 size;

  if (!gst_shm_frame_wire_get_bytes (r, &data, &size)
      || size > MAX_BUFFER_VALUE)
    return NULL;
  buffer = size > 0 ? gst_buffer_new_memdup (data, size) : gst_buffer_new ();
  if (!gst_byte_reader_get_uint64_le (r, &GST_BUFFER_PTS (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_DTS (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_DURATION (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_OFFSET (buffer))
      || !gst_byte_reader_get_uint64_le (r, &GST_BUFFER_OFFSET_END (buffer)))
    gst_clear_buffer (&buffer);
  return buffer;
}

/* Which parts a sample has. */
enum
{
  SAMPLE_BUFFER = 1 << 0,
  SAMPLE_CAPS = 1 << 1,
  SAMPLE_INFO = 1 << 2,
};

gboolean
gst_shm_frame_wire_put_sample (GstByteWriter * w, GstSample * sample,
    GstShmFrameUnserializable * unserializable, guint depth)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstCaps *caps = gst_sample_get_caps (sample);
  const GstStructure *info = gst_sample_get_info (sample);
  guint8 parts = (buffer != NULL ? SAMPLE_BUFFER : 0)
      | (caps != NULL ? SAMPLE_CAPS : 0) | (info != NULL ? SAMPLE_INFO : 0);

  if (gst_sample_get_buffer_list (sample) != NULL)
    return FALSE;
  gst_byte_writer_put_uint8 (w, parts);
  gst_shm_frame_wire_put_segment (w, gst_sample_get_segment (sample));
  if (buffer != NULL && !gst_shm_frame_wire_put_buffer_value (w, buffer))
    return FALSE;
  if (caps != NULL
      && !gst_shm_frame_wire_put_caps (w, caps, unserializable, depth))
    return FALSE;
  if (info != NULL)
    gst_shm_frame_wire_put_structure (w, info, unserializable, depth);
  return TRUE;
}

GstSample *
gst_shm_frame_wire_get_sample (GstByteReader * r, guint depth)
{
  GstBuffer *buffer = NULL;
  GstCaps *caps = NULL;
  GstStructure *info = NULL;
  GstSample *sample = NULL;
  GstSegment segment;
  guint8 parts;

  if (gst_byte_reader_get_uint8 (r, &parts)
      && gst_shm_frame_wire_get_segment (r, &segment)
      && (!(parts & SAMPLE_BUFFER)
          || (buffer = gst_shm_frame_wire_get_buffer_value (r)) != NULL)
      && (!(parts & SAMPLE_CAPS)
          || (caps = gst_shm_frame_wire_get_caps (r, depth)) != NULL)
      && (!(parts & SAMPLE_INFO)
          || (info = gst_shm_frame_wire_get_structure (r, depth)) != NULL))
    sample = gst_sample_new (buffer, caps, &segment, g_steal_pointer (&info));
  gst_clear_buffer (&buffer);
  gst_clear_caps (&caps);
  return sample;
}
