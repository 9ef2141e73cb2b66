/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The metas of a buffer. Each stands with its size, so that a reader passes over
 * what only a newer GStreamer knows. */
#include <string.h>

#include "gstsecondbatchmeta.h"
#include "gstshmframemetawire.h"

/* By number on the wire, since a meta's name is a process's own affair; custom
 * metas have nothing but theirs. */
enum
{
  META_VIDEO = 1,
  META_CROP,
  META_ROI,
  META_TIME_CODE,
  META_REFERENCE_TIMESTAMP,
  META_CAPTION,
  META_AFD,
  META_BAR,
  META_AFFINE,
  META_SEI,
  META_CUSTOM,
  META_SERIALIZED,              /* by gst_meta_serialize() of 1.24 */
};

/* Names of custom metas that are registered here because another process uses
 * them: a type is never unregistered. */
#define MAX_NEW_METAS 64
#define MAX_META_NAME 127
#define MAX_META_TAGS 16

static gboolean
put_reference_timestamp (GstByteWriter * w,
    const GstReferenceTimestampMeta * meta, GstShmFrameLosses * losses)
{
  const GstStructure *info = NULL;

#if GST_CHECK_VERSION (1, 28, 0)
  info = meta->info;
#endif
  if (!gst_shm_frame_wire_put_caps (w, meta->reference, losses, 0))
    return FALSE;
  gst_byte_writer_put_uint64_le (w, meta->timestamp);
  gst_byte_writer_put_uint64_le (w, meta->duration);
  gst_byte_writer_put_uint8 (w, info != NULL);
  return info == NULL
      || gst_shm_frame_wire_put_structure (w, info, losses, 0);
}

static gboolean
get_reference_timestamp (GstByteReader * r, GstBuffer * buffer)
{
  GstCaps *reference = gst_shm_frame_wire_get_caps (r, 0);
  GstReferenceTimestampMeta *meta = NULL;
  GstStructure *info = NULL;
  guint64 timestamp, duration;
  guint8 has_info;
  gboolean ok = reference != NULL
      && gst_byte_reader_get_uint64_le (r, &timestamp)
      && gst_byte_reader_get_uint64_le (r, &duration)
      && timestamp != GST_CLOCK_TIME_NONE
      && gst_byte_reader_get_uint8 (r, &has_info)
      && (!has_info
          || (info = gst_shm_frame_wire_get_structure (r, 0)) != NULL);

  if (ok)
    meta = gst_buffer_add_reference_timestamp_meta (buffer, reference,
        timestamp, duration);
#if GST_CHECK_VERSION (1, 28, 0)
  if (meta != NULL)
    meta->info = g_steal_pointer (&info);
#else
  (void) meta;
#endif
  g_clear_pointer (&info, gst_structure_free);
  gst_clear_caps (&reference);
  return ok;
}

static gboolean
get_caption (GstByteReader * r, GstBuffer * buffer)
{
  const guint8 *data;
  guint32 type, size;

  if (!gst_byte_reader_get_uint32_le (r, &type)
      || type < GST_VIDEO_CAPTION_TYPE_CEA608_RAW
      || type > GST_VIDEO_CAPTION_TYPE_CEA708_CDP
      || !gst_shm_frame_wire_get_bytes (r, &data, &size) || size == 0)
    return FALSE;
  gst_buffer_add_video_caption_meta (buffer, type, data, size);
  return TRUE;
}

static gboolean
get_afd (GstByteReader * r, GstBuffer * buffer)
{
  guint32 spec, afd;
  guint8 field;

  if (!gst_byte_reader_get_uint8 (r, &field) || field > 2
      || !gst_byte_reader_get_uint32_le (r, &spec)
      || spec > GST_VIDEO_AFD_SPEC_SMPTE_ST2016_1
      || !gst_byte_reader_get_uint32_le (r, &afd) || afd > 15)
    return FALSE;
  gst_buffer_add_video_afd_meta (buffer, field, spec, afd);
  return TRUE;
}

static gboolean
get_bar (GstByteReader * r, GstBuffer * buffer)
{
  guint32 first, second;
  guint8 field, letterbox;

  if (!gst_byte_reader_get_uint8 (r, &field) || field > 2
      || !gst_byte_reader_get_uint8 (r, &letterbox)
      || !gst_byte_reader_get_uint32_le (r, &first)
      || !gst_byte_reader_get_uint32_le (r, &second))
    return FALSE;
  gst_buffer_add_video_bar_meta (buffer, field, letterbox != 0, first, second);
  return TRUE;
}

static gboolean
get_affine (GstByteReader * r, GstBuffer * buffer)
{
  GstVideoAffineTransformationMeta *meta =
      gst_buffer_add_video_affine_transformation_meta (buffer);
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < G_N_ELEMENTS (meta->matrix); i++)
    ok = gst_byte_reader_get_float32_le (r, &meta->matrix[i]);
  return ok;
}

static gboolean
get_sei (GstByteReader * r, GstBuffer * buffer)
{
  const guint8 *uuid, *data;
  guint32 id_size, size;
  guint8 id[16];

  if (!gst_shm_frame_wire_get_bytes (r, &uuid, &id_size)
      || id_size != sizeof (id)
      || !gst_shm_frame_wire_get_bytes (r, &data, &size) || size == 0)
    return FALSE;
  memcpy (id, uuid, sizeof (id));
  gst_buffer_add_video_sei_user_data_unregistered_meta (buffer, id,
      (guint8 *) data, size);
  return TRUE;
}

static gboolean
put_custom (GstByteWriter * w, GstCustomMeta * meta,
    GstShmFrameLosses * losses)
{
  const GstMetaInfo *info = meta->meta.info;
  const gchar *const *tags = gst_meta_api_type_get_tags (info->api);
  guint n = tags != NULL ? g_strv_length ((gchar **) tags) : 0;

  gst_shm_frame_wire_put_string (w, g_type_name (info->type));
  n = MIN (n, MAX_META_TAGS);
  gst_byte_writer_put_uint32_le (w, n);
  for (guint i = 0; i < n; i++)
    gst_shm_frame_wire_put_string (w, tags[i]);
  return gst_shm_frame_wire_put_structure (w,
      gst_custom_meta_get_structure (meta), losses, 0);
}

static gboolean
is_type_name (const gchar * name)
{
  gsize size = strlen (name);

  return size >= 3 && size <= MAX_META_NAME && g_ascii_isalpha (name[0])
      && strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_+") == size;
}

/* A name that is a type of this process already, or belongs to a meta of
 * another kind, is left alone. */
static const GstMetaInfo *
custom_info (const gchar * name, const gchar ** tags)
{
  /* The lock that gst_second_batch_meta_register() takes for the same. */
  GstObject *lock = GST_OBJECT_CAST (gst_registry_get ());
  static guint n_new;
  const GstMetaInfo *info;
  gchar *api = g_strdup_printf ("%s-api", name);

  GST_OBJECT_LOCK (lock);
  info = gst_meta_get_info (name);
  if (info == NULL && n_new < MAX_NEW_METAS && g_type_from_name (name) == 0
      && g_type_from_name (api) == 0) {
    info = gst_meta_register_custom (name, tags, NULL, NULL, NULL);
    n_new++;
  }
  GST_OBJECT_UNLOCK (lock);
  g_free (api);
  return info != NULL && gst_meta_info_is_custom (info) ? info : NULL;
}

static gboolean
copy_field (GQuark id, const GValue * value, gpointer to)
{
  gst_structure_id_set_value (to, id, value);
  return TRUE;
}

static gboolean
get_tags (GstByteReader * r, gchar ** tags)
{
  guint32 n;
  gboolean ok = gst_byte_reader_get_uint32_le (r, &n) && n <= MAX_META_TAGS;

  for (guint i = 0; ok && i < n; i++)
    ok = gst_shm_frame_wire_get_string (r, &tags[i])
        && gst_shm_frame_wire_is_field_name (tags[i]);
  return ok;
}

static gboolean
get_custom (GstByteReader * r, GstBuffer * buffer)
{
  gchar *tags[MAX_META_TAGS + 1] = { NULL };
  GstStructure *fields = NULL;
  const GstMetaInfo *info;
  GstCustomMeta *meta;
  gchar *name;
  gboolean ok = gst_shm_frame_wire_get_string (r, &name) && name != NULL
      && is_type_name (name)
      && strcmp (name, GST_SECOND_BATCH_META_NAME) != 0 && get_tags (r, tags)
      && (fields = gst_shm_frame_wire_get_structure (r, 0)) != NULL;

  info = ok ? custom_info (name, (const gchar **) tags) : NULL;
  if (info != NULL) {
    meta = gst_buffer_add_custom_meta (buffer, name);
    gst_structure_foreach (fields, copy_field,
        gst_custom_meta_get_structure (meta));
  } else if (ok) {
    GST_INFO ("the custom meta %s cannot be had in this process", name);
  }
  for (guint i = 0; i < G_N_ELEMENTS (tags); i++)
    g_free (tags[i]);
  g_clear_pointer (&fields, gst_structure_free);
  g_free (name);
  return ok;
}

#if GST_CHECK_VERSION (1, 24, 0)
static gboolean
put_serialized (GstByteWriter * w, const GstMeta * meta)
{
  GByteArray *array = g_byte_array_new ();
  gboolean ok = strlen (g_type_name (meta->info->type)) <= MAX_META_NAME
      && gst_meta_serialize_simple (meta, array);

  if (ok)
    gst_shm_frame_wire_put_bytes (w, array->data, array->len);
  g_byte_array_unref (array);
  return ok;
}

/* gst_meta_deserialize() adds to the length of the name before it compares, so
 * that is checked before: u32 size, u32 name-length, name, NUL, u8 version. */
static gboolean
get_serialized (GstByteReader * r, GstBuffer * buffer)
{
  const guint8 *data;
  guint32 size, name_size, used;

  if (!gst_shm_frame_wire_get_bytes (r, &data, &size) || size < 10
      || GST_READ_UINT32_LE (data) != size)
    return FALSE;
  name_size = GST_READ_UINT32_LE (data + 4);
  if (name_size > MAX_META_NAME || name_size > size - 10
      || memchr (data + 8, '\0', name_size + 1) != data + 8 + name_size)
    return FALSE;
  /* Known ones only: it would load any plugin that claims the name. */
  if (gst_meta_get_info ((const gchar *) data + 8) == NULL
      || gst_meta_deserialize (buffer, data, size, &used) == NULL)
    GST_INFO ("the meta %s cannot be had in this process", data + 8);
  return TRUE;
}
#endif

/* The type on the wire, 0 if there is none. */
static guint32
type_of (const GstMeta * meta)
{
  GType api = meta->info->api;

  if (api == GST_VIDEO_META_API_TYPE)
    return META_VIDEO;
  if (api == GST_VIDEO_CROP_META_API_TYPE)
    return META_CROP;
  if (api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
    return META_ROI;
  if (api == GST_VIDEO_TIME_CODE_META_API_TYPE)
    return META_TIME_CODE;
  if (api == GST_REFERENCE_TIMESTAMP_META_API_TYPE)
    return META_REFERENCE_TIMESTAMP;
  if (api == GST_VIDEO_CAPTION_META_API_TYPE)
    return META_CAPTION;
  if (api == GST_VIDEO_AFD_META_API_TYPE)
    return META_AFD;
  if (api == GST_VIDEO_BAR_META_API_TYPE)
    return META_BAR;
  if (api == GST_VIDEO_AFFINE_TRANSFORMATION_META_API_TYPE)
    return META_AFFINE;
  if (api == GST_VIDEO_SEI_USER_DATA_UNREGISTERED_META_API_TYPE)
    return META_SEI;
  if (gst_meta_info_is_custom (meta->info))
    return META_CUSTOM;
#if GST_CHECK_VERSION (1, 24, 0)
  return META_SERIALIZED;
#else
  return 0;
#endif
}

static void
put_small (GstByteWriter * w, GstMeta * meta, guint32 type)
{
  if (type == META_CAPTION) {
    GstVideoCaptionMeta *m = (GstVideoCaptionMeta *) meta;

    gst_byte_writer_put_uint32_le (w, m->caption_type);
    gst_shm_frame_wire_put_bytes (w, m->data, m->size);
  } else if (type == META_AFD) {
    GstVideoAFDMeta *m = (GstVideoAFDMeta *) meta;

    gst_byte_writer_put_uint8 (w, m->field);
    gst_byte_writer_put_uint32_le (w, m->spec);
    gst_byte_writer_put_uint32_le (w, m->afd);
  } else if (type == META_BAR) {
    GstVideoBarMeta *m = (GstVideoBarMeta *) meta;

    gst_byte_writer_put_uint8 (w, m->field);
    gst_byte_writer_put_uint8 (w, m->is_letterbox != FALSE);
    gst_byte_writer_put_uint32_le (w, m->bar_data1);
    gst_byte_writer_put_uint32_le (w, m->bar_data2);
  } else if (type == META_AFFINE) {
    GstVideoAffineTransformationMeta *m =
        (GstVideoAffineTransformationMeta *) meta;

    for (guint i = 0; i < G_N_ELEMENTS (m->matrix); i++)
      gst_byte_writer_put_float32_le (w, m->matrix[i]);
  } else {
    GstVideoSEIUserDataUnregisteredMeta *m =
        (GstVideoSEIUserDataUnregisteredMeta *) meta;

    gst_shm_frame_wire_put_bytes (w, m->uuid, sizeof (m->uuid));
    gst_shm_frame_wire_put_bytes (w, m->data, m->size);
  }
}

/* FALSE if it does not cross after all. */
static gboolean
put_fields (GstByteWriter * w, GstBuffer * buffer, GstMeta * meta,
    guint32 type, GstShmFrameLosses * losses)
{
  switch (type) {
    case META_VIDEO:
      return gst_shm_frame_wire_put_video_meta (w, (GstVideoMeta *) meta,
          buffer);
    case META_CROP:
      return gst_shm_frame_wire_put_crop_meta (w, (GstVideoCropMeta *) meta,
          buffer);
    case META_ROI:
      gst_shm_frame_wire_put_roi_meta (w,
          (GstVideoRegionOfInterestMeta *) meta, losses);
      return TRUE;
    case META_TIME_CODE:
      return gst_shm_frame_wire_put_time_code_meta (w,
          (GstVideoTimeCodeMeta *) meta);
    case META_REFERENCE_TIMESTAMP:
      return put_reference_timestamp (w, (GstReferenceTimestampMeta *) meta,
          losses);
    case META_CUSTOM:
      return put_custom (w, (GstCustomMeta *) meta, losses);
#if GST_CHECK_VERSION (1, 24, 0)
    case META_SERIALIZED:
      return put_serialized (w, meta);
#endif
    case 0:
      return FALSE;
    default:
      put_small (w, meta, type);
      return TRUE;
  }
}

/* Metas about this process's memory alone; and a batch's own fields, which are
 * not among its metas on the wire. */
static gboolean
is_local (const GstMeta * meta)
{
  return meta->info->api == GST_PARENT_BUFFER_META_API_TYPE
      || strcmp (g_type_name (meta->info->type),
      GST_SECOND_BATCH_META_NAME) == 0;
}

static gboolean
put_meta (GstByteWriter * w, GstBuffer * buffer, GstMeta * meta,
    GstShmFrameLosses * losses)
{
  guint at = gst_byte_writer_get_pos (w), end;
  guint32 type = type_of (meta);

  gst_byte_writer_put_uint32_le (w, type);
  gst_byte_writer_put_uint32_le (w, 0);
  if (!put_fields (w, buffer, meta, type, losses)
      || !gst_shm_frame_wire_is_complete (w)) {
    gst_byte_writer_set_pos (w, at);
    gst_shm_frame_losses_note (losses, "the meta",
        g_type_name (meta->info->type));
    losses->metas++;
    return FALSE;
  }
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at + 4);
  gst_byte_writer_put_uint32_le (w, end - at - 8);
  gst_byte_writer_set_pos (w, end);
  return TRUE;
}

void
gst_shm_frame_wire_put_metas (GstByteWriter * w, GstBuffer * buffer,
    GstShmFrameLosses * losses)
{
  guint at = gst_byte_writer_get_pos (w), end;
  gpointer state = NULL;
  GstMeta *meta;
  guint32 n = 0;

  gst_byte_writer_put_uint32_le (w, 0);
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL)
    if (!is_local (meta) && put_meta (w, buffer, meta, losses))
      n++;
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at);
  gst_byte_writer_put_uint32_le (w, n);
  gst_byte_writer_set_pos (w, end);
}

static gboolean
get_fields (GstByteReader * r, GstBuffer * buffer, guint32 type)
{
  switch (type) {
    case META_VIDEO:
      return gst_shm_frame_wire_get_video_meta (r, buffer);
    case META_CROP:
      return gst_shm_frame_wire_get_crop_meta (r, buffer);
    case META_ROI:
      return gst_shm_frame_wire_get_roi_meta (r, buffer);
    case META_TIME_CODE:
      return gst_shm_frame_wire_get_time_code_meta (r, buffer);
    case META_REFERENCE_TIMESTAMP:
      return get_reference_timestamp (r, buffer);
    case META_CAPTION:
      return get_caption (r, buffer);
    case META_AFD:
      return get_afd (r, buffer);
    case META_BAR:
      return get_bar (r, buffer);
    case META_AFFINE:
      return get_affine (r, buffer);
    case META_SEI:
      return get_sei (r, buffer);
    case META_CUSTOM:
      return get_custom (r, buffer);
#if GST_CHECK_VERSION (1, 24, 0)
    case META_SERIALIZED:
      return get_serialized (r, buffer);
#endif
    default:
      /* Of a newer release: nothing that this one could show to anybody. */
      GST_LOG ("passing over a meta of type %u", type);
      return gst_byte_reader_skip (r, gst_byte_reader_get_remaining (r));
  }
}

gboolean
gst_shm_frame_wire_get_metas (GstByteReader * r, GstBuffer * buffer)
{
  guint32 n, type, size;
  const guint8 *data;
  GstByteReader fields;

  if (!gst_byte_reader_get_uint32_le (r, &n))
    return FALSE;
  while (n-- > 0) {
    if (!gst_byte_reader_get_uint32_le (r, &type)
        || !gst_shm_frame_wire_get_bytes (r, &data, &size))
      return FALSE;
    gst_byte_reader_init (&fields, data, size);
    if (!get_fields (&fields, buffer, type)
        || gst_byte_reader_get_remaining (&fields) != 0)
      return FALSE;
  }
  return gst_shm_frame_wire_crop_fits (buffer);
}
