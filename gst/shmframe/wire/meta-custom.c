/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes metas that are known by name: custom ones, and those that
 * GStreamer 1.24 can serialize. */
#include <string.h>

#include "gstsecondbatchmeta.h"
#include "wire/meta.h"

#define MAX_META_NAME 127
#define MAX_META_TAGS 16

gboolean
gst_shm_frame_wire_put_custom_meta (GstByteWriter * w, GstCustomMeta * meta,
    GstShmFrameUnserializable * unserializable)
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
      gst_custom_meta_get_structure (meta), unserializable, 0);
}

static gboolean
is_type_name (const gchar * name)
{
  gsize size = strlen (name);

  return size >= 3 && size <= MAX_META_NAME && g_ascii_isalpha (name[0])
      && strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_+") == size;
}

/* Counts the names that registering a meta adds, for good, to this process. */
static gboolean
admit (const gchar * name, const gchar ** tags)
{
  gboolean ok = gst_shm_frame_names_admit (name);

  for (; ok && *tags != NULL; tags++)
    ok = gst_shm_frame_names_admit (*tags);
  ok = ok && gst_shm_frame_names_admit_meta ();
  if (!ok)
    gst_shm_frame_names_current ()->refusals++;
  return ok;
}

/* Registers the meta if need be. NULL if the name is one of another type or
 * kind of meta in this process, or is refused. */
static const GstMetaInfo *
custom_info (const gchar * name, const gchar ** tags)
{
  /* gst_second_batch_meta_register() takes the same lock: two threads must not
   * register one name. */
  GstObject *lock = GST_OBJECT_CAST (gst_registry_get ());
  const GstMetaInfo *info;
  gchar *api = g_strdup_printf ("%s-api", name);

  GST_OBJECT_LOCK (lock);
  info = gst_meta_get_info (name);
  if (info == NULL && g_type_from_name (name) == 0
      && g_type_from_name (api) == 0 && admit (name, tags))
    info = gst_meta_register_custom (name, tags, NULL, NULL, NULL);
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
  guint32 n = 0;
  gboolean ok = gst_byte_reader_get_uint32_le (r, &n) && n <= MAX_META_TAGS;

  for (guint i = 0; ok && i < n; i++)
    ok = gst_shm_frame_wire_get_string (r, &tags[i])
        && gst_shm_frame_wire_is_name (tags[i]);
  return ok;
}

gboolean
gst_shm_frame_wire_get_custom_meta (GstByteReader * r, GstBuffer * buffer)
{
  const GstShmFrameNames *names = gst_shm_frame_names_current ();
  guint mark = names->refusals;
  gchar *tags[MAX_META_TAGS + 1] = { NULL };
  GstStructure *fields = NULL;
  const GstMetaInfo *info;
  GstCustomMeta *meta;
  gchar *name;
  gboolean ok = gst_shm_frame_wire_get_string (r, &name) && name != NULL
      && is_type_name (name)
      && strcmp (name, GST_SECOND_BATCH_META_NAME) != 0 && get_tags (r, tags)
      && (fields = gst_shm_frame_wire_get_structure (r, 0)) != NULL;

  /* If its name was refused, the structure has another one. */
  info = ok && names->refusals == mark
      ? custom_info (name, (const gchar **) tags) : NULL;
  if (info != NULL) {
    meta = gst_buffer_add_custom_meta (buffer, name);
    gst_structure_foreach (fields, copy_field,
        gst_custom_meta_get_structure (meta));
  } else if (ok) {
    GST_INFO ("this process cannot have the custom meta %s", name);
  }
  for (guint i = 0; i < G_N_ELEMENTS (tags); i++)
    g_free (tags[i]);
  g_clear_pointer (&fields, gst_structure_free);
  g_free (name);
  return ok;
}

#if GST_CHECK_VERSION (1, 24, 0)
gboolean
gst_shm_frame_wire_put_serialized_meta (GstByteWriter * w, const GstMeta * meta)
{
  GByteArray *array = g_byte_array_new ();
  gboolean ok = strlen (g_type_name (meta->info->type)) <= MAX_META_NAME
      && gst_meta_serialize_simple (meta, array);

  if (ok)
    gst_shm_frame_wire_put_bytes (w, array->data, array->len);
  g_byte_array_unref (array);
  return ok;
}

/* Checks the length of the name first: gst_meta_deserialize() adds to it before
 * it compares. u32 size, u32 name length, name, NUL, u8 version. */
gboolean
gst_shm_frame_wire_get_serialized_meta (GstByteReader * r, GstBuffer * buffer)
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
  /* Only known types: otherwise GStreamer loads any plugin that claims the
   * name. */
  if (gst_meta_get_info ((const gchar *) data + 8) == NULL
      || gst_meta_deserialize (buffer, data, size, &used) == NULL)
    GST_INFO ("this process cannot have the meta %s", data + 8);
  return TRUE;
}
#endif
