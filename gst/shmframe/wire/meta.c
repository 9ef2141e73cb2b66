/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes the metas of a buffer. Each is preceded by its size, so that a
 * reader can skip those that only a newer GStreamer knows. */
#include <string.h>

#include "gstsecondbatchmeta.h"
#include "wire/meta.h"

#define GST_CAT_DEFAULT gst_shm_frame_wire_debug ()

/* On the wire, metas have numbers, since names of types may differ from process
 * to process. Custom metas have nothing but their name. */
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

static gboolean
put_reference_timestamp (GstByteWriter * w,
    const GstReferenceTimestampMeta * meta,
    GstShmFrameUnserializable * unserializable)
{
  const GstStructure *info = NULL;

#if GST_CHECK_VERSION (1, 28, 0)
  info = meta->info;
#endif
  if (!gst_shm_frame_wire_put_caps (w, meta->reference, unserializable, 0))
    return FALSE;
  gst_byte_writer_put_uint64_le (w, meta->timestamp);
  gst_byte_writer_put_uint64_le (w, meta->duration);
  gst_byte_writer_put_uint8 (w, info != NULL);
  return info == NULL
      || gst_shm_frame_wire_put_structure (w, info, unserializable, 0);
}

static gboolean
get_reference_timestamp (GstByteReader * r, GstBuffer * buffer)
{
  const GstShmFrameNames *names = gst_shm_frame_names_current ();
  guint mark = names->refusals;
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

  if (ok && names->refusals == mark)
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

/* GStreamer warns of these. */
static gboolean
is_reserved (guint32 spec, guint32 afd)
{
  return afd == 1 || (afd >= 5 && afd <= 7) || afd == 12
      || (afd == 0 && spec == GST_VIDEO_AFD_SPEC_DVB_ETSI);
}

static gboolean
get_afd (GstByteReader * r, GstBuffer * buffer)
{
  guint32 spec, afd;
  guint8 field;

  if (!gst_byte_reader_get_uint8 (r, &field) || field > 1
      || !gst_byte_reader_get_uint32_le (r, &spec)
      || spec > GST_VIDEO_AFD_SPEC_SMPTE_ST2016_1
      || !gst_byte_reader_get_uint32_le (r, &afd) || afd > 15
      || is_reserved (spec, afd))
    return FALSE;
  gst_buffer_add_video_afd_meta (buffer, field, spec, afd);
  return TRUE;
}

static gboolean
get_bar (GstByteReader * r, GstBuffer * buffer)
{
  guint32 first, second;
  guint8 field, letterbox;

  if (!gst_byte_reader_get_uint8 (r, &field) || field > 1
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

/* FALSE if it cannot be serialized. */
static gboolean
put_fields (GstByteWriter * w, GstBuffer * buffer, GstMeta * meta,
    guint32 type, GstShmFrameUnserializable * unserializable)
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
          (GstVideoRegionOfInterestMeta *) meta, unserializable);
      return TRUE;
    case META_TIME_CODE:
      return gst_shm_frame_wire_put_time_code_meta (w,
          (GstVideoTimeCodeMeta *) meta);
    case META_REFERENCE_TIMESTAMP:
      return put_reference_timestamp (w, (GstReferenceTimestampMeta *) meta,
          unserializable);
    case META_CUSTOM:
      return gst_shm_frame_wire_put_custom_meta (w, (GstCustomMeta *) meta,
          unserializable);
#if GST_CHECK_VERSION (1, 24, 0)
    case META_SERIALIZED:
      return gst_shm_frame_wire_put_serialized_meta (w, meta);
#endif
    case 0:
      return FALSE;
    default:
      put_small (w, meta, type);
      return TRUE;
  }
}

/* Whether it is not to be sent: it is about this process's memory alone, or it
 * is the meta of a batch, whose fields are sent as such. */
static gboolean
is_local (const GstMeta * meta)
{
  GType api = meta->info->api;

  /* Nearly every frame has it: answer without comparing names. */
  if (api == GST_VIDEO_META_API_TYPE)
    return FALSE;
  return api == GST_PARENT_BUFFER_META_API_TYPE
      || strcmp (g_type_name (meta->info->type),
      GST_SECOND_BATCH_META_NAME) == 0;
}

/* Whether a receiver needs it to find the picture. */
static gboolean
is_essential (const GstMeta * meta)
{
  return meta->info->api == GST_VIDEO_META_API_TYPE
      || meta->info->api == GST_VIDEO_CROP_META_API_TYPE;
}

/* What the largest of these takes: a video meta of four planes, 112 bytes. */
#define ESSENTIAL_SIZE 112u

/* Returns how many bytes it took, at most `budget`; 0: it is left out. */
static guint
put_meta (GstByteWriter * w, GstBuffer * buffer, GstMeta * meta,
    guint budget, GstShmFrameUnserializable * unserializable)
{
  guint at = gst_byte_writer_get_pos (w), end;
  guint32 type = type_of (meta);
  gboolean ok, fits;

  gst_byte_writer_put_uint32_le (w, type);
  gst_byte_writer_put_uint32_le (w, 0);
  ok = put_fields (w, buffer, meta, type, unserializable);
  end = gst_byte_writer_get_pos (w);
  fits = gst_shm_frame_wire_is_complete (w) && end - at <= budget;
  if (!ok || !fits) {
    gst_byte_writer_set_pos (w, at);
    gst_shm_frame_unserializable_note_meta (unserializable, meta, ok);
    return 0;
  }
  gst_byte_writer_set_pos (w, at + 4);
  gst_byte_writer_put_uint32_le (w, end - at - 8);
  gst_byte_writer_set_pos (w, end);
  return end - at;
}

static guint
count_essential (GstBuffer * buffer)
{
  gpointer state = NULL;
  GstMeta *meta;
  guint n = 0;

  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL)
    n += is_essential (meta);
  return n;
}

guint
gst_shm_frame_wire_put_metas (GstByteWriter * w, GstBuffer * buffer,
    guint budget, GstShmFrameUnserializable * unserializable)
{
  guint at = gst_byte_writer_get_pos (w), end;
  guint essential = count_essential (buffer);
  gpointer state = NULL;
  guint used = 0;
  GstMeta *meta;
  guint32 n = 0;

  gst_byte_writer_put_uint32_le (w, 0);
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL) {
    guint rest = gst_byte_writer_get_remaining (w);
    guint reserved = essential * ESSENTIAL_SIZE + sizeof (guint64);
    guint size;

    if (is_local (meta))
      continue;
    if (is_essential (meta)) {
      essential--;
      n += put_meta (w, buffer, meta, G_MAXUINT, unserializable) > 0;
      continue;
    }
    size = put_meta (w, buffer, meta, MIN (budget - used, rest > reserved
            ? rest - reserved : 0), unserializable);
    used += size;
    n += size > 0;
  }
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at);
  gst_byte_writer_put_uint32_le (w, n);
  gst_byte_writer_set_pos (w, end);
  return used;
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
      return gst_shm_frame_wire_get_custom_meta (r, buffer);
#if GST_CHECK_VERSION (1, 24, 0)
    case META_SERIALIZED:
      return gst_shm_frame_wire_get_serialized_meta (r, buffer);
#endif
    default:
      /* A newer release's: this one has nothing to represent it by. */
      GST_LOG ("skipping a meta of type %u", type);
      return gst_byte_reader_skip (r, gst_byte_reader_get_remaining (r));
  }
}

gboolean
gst_shm_frame_wire_get_metas (GstByteReader * r, GstBuffer * buffer)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();
  guint32 n, type, size;
  const guint8 *data;
  GstByteReader fields;

  if (!gst_byte_reader_get_uint32_le (r, &n))
    return FALSE;
  while (n-- > 0) {
    guint mark = names->refusals;

    if (!gst_byte_reader_get_uint32_le (r, &type)
        || !gst_shm_frame_wire_get_bytes (r, &data, &size))
      return FALSE;
    gst_byte_reader_init (&fields, data, size);
    if (!get_fields (&fields, buffer, type)
        || gst_byte_reader_get_remaining (&fields) != 0)
      return FALSE;
    /* If a name was refused, the meta was not added. */
    names->metas += names->refusals != mark;
    names->refusals = mark;
  }
  return gst_shm_frame_wire_crop_fits (buffer);
}
