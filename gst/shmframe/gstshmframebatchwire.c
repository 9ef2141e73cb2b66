/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A batch: its structure field by field, the frames of its lists like single
 * buffers. */
#include "gstshmframewire.h"

#include "gstsecondbatchview.h"

enum
{
  FIELD_UINT = 1,
  FIELD_UINT64,
  FIELD_BOOLEAN,
  FIELD_STRING,
  FIELD_CAPS,
  FIELD_SEGMENT,
  FIELD_FRAMES,
};

#define MAX_FIELDS 4096

typedef struct
{
  GstByteWriter *w;
  GArray *parts;
  guint32 n_fields;
  gboolean ok;
} Writer;

static void
put_caps (GstByteWriter * w, const GstCaps * caps)
{
  gchar *string = caps != NULL ? gst_caps_to_string (caps) : NULL;

  gst_shm_frame_wire_put_string (w, string);
  g_free (string);
}

static gboolean
put_frames (Writer * self, GstBufferList * list)
{
  guint n = list != NULL ? gst_buffer_list_length (list) : 0;

  gst_byte_writer_put_uint32_le (self->w, n);
  for (guint i = 0; i < n; i++)
    if (!gst_shm_frame_wire_put_buffer (self->w, self->parts,
            gst_buffer_list_get (list, i)))
      return FALSE;
  return TRUE;
}

static void
put_head (Writer * self, const gchar * name, guint8 type)
{
  gst_shm_frame_wire_put_string (self->w, name);
  gst_byte_writer_put_uint8 (self->w, type);
  self->n_fields++;
}

static gboolean
put_field (GQuark id, const GValue * value, gpointer user)
{
  Writer *self = user;
  GstByteWriter *w = self->w;
  const gchar *name = g_quark_to_string (id);

  if (G_VALUE_HOLDS_UINT (value)) {
    put_head (self, name, FIELD_UINT);
    gst_byte_writer_put_uint32_le (w, g_value_get_uint (value));
  } else if (G_VALUE_HOLDS_UINT64 (value)) {
    put_head (self, name, FIELD_UINT64);
    gst_byte_writer_put_uint64_le (w, g_value_get_uint64 (value));
  } else if (G_VALUE_HOLDS_BOOLEAN (value)) {
    put_head (self, name, FIELD_BOOLEAN);
    gst_byte_writer_put_uint8 (w, g_value_get_boolean (value));
  } else if (G_VALUE_HOLDS_STRING (value)) {
    put_head (self, name, FIELD_STRING);
    gst_shm_frame_wire_put_string (w, g_value_get_string (value));
  } else if (GST_VALUE_HOLDS_CAPS (value)) {
    put_head (self, name, FIELD_CAPS);
    put_caps (w, gst_value_get_caps (value));
  } else if (G_VALUE_HOLDS (value, GST_TYPE_SEGMENT)) {
    put_head (self, name, FIELD_SEGMENT);
    gst_shm_frame_wire_put_segment (w, g_value_get_boxed (value));
  } else if (G_VALUE_HOLDS (value, GST_TYPE_BUFFER_LIST)) {
    put_head (self, name, FIELD_FRAMES);
    self->ok = put_frames (self, g_value_get_boxed (value));
  } else {
    GST_WARNING ("field %s of the batch does not cross: it is a %s", name,
        G_VALUE_TYPE_NAME (value));
  }
  return self->ok;
}

/* The memory that output=memory adds shows the frames, which cross by themselves;
 * the batch crosses without. */
static gboolean
put_head_buffer (GstByteWriter * w, GArray * parts, GstBuffer * batch)
{
  GstBuffer *head;
  gboolean ok;

  if (gst_buffer_n_memory (batch) == 0)
    return gst_shm_frame_wire_put_buffer (w, parts, batch);
  head = gst_buffer_new ();
  gst_buffer_copy_into (head, batch, GST_BUFFER_COPY_METADATA, 0, -1);
  ok = gst_shm_frame_wire_put_buffer (w, parts, head);
  gst_buffer_unref (head);
  return ok;
}

gboolean
gst_shm_frame_wire_put_batch (GstByteWriter * w, GArray * parts,
    GstBuffer * batch)
{
  const GstStructure *structure = gst_second_batch_get_structure (batch);
  Writer self = {.w = w,.parts = parts,.ok = TRUE };
  guint at, end;

  if (structure == NULL || !put_head_buffer (w, parts, batch))
    return FALSE;
  at = gst_byte_writer_get_pos (w);
  gst_byte_writer_put_uint32_le (w, 0);
  gst_structure_foreach (structure, put_field, &self);
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at);
  gst_byte_writer_put_uint32_le (w, self.n_fields);
  gst_byte_writer_set_pos (w, end);
  return self.ok && gst_byte_writer_get_remaining (w) > 0;
}

typedef struct
{
  GstByteReader *r;
  struct sf_lease *lease;
  const struct sf_incoming_part **parts, *end;
} Reader;

static gboolean
get_frames (Reader * self, GValue * value)
{
  GstBufferList *list;
  guint32 n;

  if (!gst_byte_reader_get_uint32_le (self->r, &n) || n > SF_MAX_REFS)
    return FALSE;
  list = gst_buffer_list_new_sized (n > 0 ? n : 1);
  while (n-- > 0) {
    GstBuffer *frame = gst_shm_frame_wire_get_buffer (self->r, self->lease,
        self->parts, self->end);

    if (frame == NULL) {
      gst_buffer_list_unref (list);
      return FALSE;
    }
    gst_buffer_list_add (list, frame);
  }
  g_value_init (value, GST_TYPE_BUFFER_LIST);
  g_value_take_boxed (value, list);
  return TRUE;
}

static gboolean
get_caps_value (GstByteReader * r, GValue * value)
{
  gchar *string;
  GstCaps *caps = NULL;
  gboolean ok = gst_shm_frame_wire_get_string (r, &string);

  if (ok && string != NULL)
    ok = (caps = gst_caps_from_string (string)) != NULL;
  g_free (string);
  if (ok) {
    g_value_init (value, GST_TYPE_CAPS);
    g_value_take_boxed (value, caps);
  }
  return ok;
}

static gboolean
get_segment_value (GstByteReader * r, GValue * value)
{
  GstSegment segment;

  if (!gst_shm_frame_wire_get_segment (r, &segment))
    return FALSE;
  g_value_init (value, GST_TYPE_SEGMENT);
  g_value_set_boxed (value, &segment);
  return TRUE;
}

static gboolean
get_plain_value (GstByteReader * r, guint8 type, GValue * value)
{
  guint64 u64 = 0;
  guint32 u32 = 0;
  guint8 u8 = 0;
  gchar *string;

  if (type == FIELD_UINT && gst_byte_reader_get_uint32_le (r, &u32)) {
    g_value_init (value, G_TYPE_UINT);
    g_value_set_uint (value, u32);
  } else if (type == FIELD_UINT64 && gst_byte_reader_get_uint64_le (r, &u64)) {
    g_value_init (value, G_TYPE_UINT64);
    g_value_set_uint64 (value, u64);
  } else if (type == FIELD_BOOLEAN && gst_byte_reader_get_uint8 (r, &u8)) {
    g_value_init (value, G_TYPE_BOOLEAN);
    g_value_set_boolean (value, u8 != 0);
  } else if (type == FIELD_STRING
      && gst_shm_frame_wire_get_string (r, &string)) {
    g_value_init (value, G_TYPE_STRING);
    g_value_take_string (value, string);
  } else {
    return FALSE;
  }
  return TRUE;
}

static gboolean
is_field_name (const gchar * name)
{
  if (name == NULL || !g_ascii_isalpha (name[0]))
    return FALSE;
  for (; *name != '\0'; name++)
    if (!g_ascii_isalnum (*name) && *name != '-')
      return FALSE;
  return TRUE;
}

static gboolean
get_field (Reader * self, GstStructure * structure)
{
  GValue value = G_VALUE_INIT;
  gchar *name;
  guint8 type = 0;
  gboolean ok = gst_shm_frame_wire_get_string (self->r, &name)
      && is_field_name (name) && gst_byte_reader_get_uint8 (self->r, &type);

  if (ok && type == FIELD_FRAMES)
    ok = get_frames (self, &value);
  else if (ok && type == FIELD_CAPS)
    ok = get_caps_value (self->r, &value);
  else if (ok && type == FIELD_SEGMENT)
    ok = get_segment_value (self->r, &value);
  else if (ok)
    ok = get_plain_value (self->r, type, &value);
  if (ok)
    gst_structure_take_value (structure, name, &value);
  g_free (name);
  return ok;
}

/* How the frames lie is a matter of addresses in this process. What the sender
 * says of its own is no proof. */
static void
set_strides (GstBuffer * batch, GstStructure * structure)
{
  guint n = MIN (gst_second_batch_get_n_streams (batch), MAX_FIELDS);

  for (guint k = 0; k < n; k++) {
    GstBufferList *frames = gst_second_batch_get_buffers (batch, k);
    const guint8 *base;
    guint64 stride = 0;
    gboolean contiguous = frames != NULL
        && gst_second_batch_find_stride (frames, &base, &stride);
    gchar name[32];

    g_snprintf (name, sizeof (name), "contiguous-%u", k);
    gst_structure_set (structure, name, G_TYPE_BOOLEAN, contiguous, NULL);
    g_snprintf (name, sizeof (name), "frame-stride-%u", k);
    gst_structure_set (structure, name, G_TYPE_UINT64,
        contiguous ? stride : G_GUINT64_CONSTANT (0), NULL);
  }
}

GstBuffer *
gst_shm_frame_wire_get_batch (GstByteReader * r, struct sf_lease * lease,
    const struct sf_incoming_part ** parts, const struct sf_incoming_part * end)
{
  Reader self = {.r = r,.lease = lease,.parts = parts,.end = end };
  GstBuffer *batch = gst_shm_frame_wire_get_buffer (r, lease, parts, end);
  GstCustomMeta *meta;
  guint32 n;

  if (batch == NULL)
    return NULL;
  if (!gst_byte_reader_get_uint32_le (r, &n) || n > MAX_FIELDS) {
    gst_buffer_unref (batch);
    return NULL;
  }
  gst_second_batch_meta_register ();
  meta = gst_buffer_add_custom_meta (batch, GST_SECOND_BATCH_META_NAME);
  while (n-- > 0) {
    if (!get_field (&self, gst_custom_meta_get_structure (meta))) {
      gst_buffer_unref (batch);
      return NULL;
    }
  }
  set_strides (batch, gst_custom_meta_get_structure (meta));
  return batch;
}

typedef struct
{
  GstShmFrameBatchFunc func;
  gpointer user;
} Foreach;

static gboolean
foreach_field (GQuark id, const GValue * value, gpointer user)
{
  Foreach *self = user;
  GstBufferList *list;

  if (!G_VALUE_HOLDS (value, GST_TYPE_BUFFER_LIST))
    return TRUE;
  list = g_value_get_boxed (value);
  for (guint i = 0; list != NULL && i < gst_buffer_list_length (list); i++)
    if (!self->func (gst_buffer_list_get (list, i), self->user))
      return FALSE;
  return TRUE;
}

gboolean
gst_shm_frame_batch_foreach (GstBuffer * batch, GstShmFrameBatchFunc func,
    gpointer user)
{
  const GstStructure *structure = gst_second_batch_get_structure (batch);
  Foreach self = {.func = func,.user = user };

  return structure == NULL
      || gst_structure_foreach (structure, foreach_field, &self);
}
