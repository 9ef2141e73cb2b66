/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serializes a batch: its structure field by field, the frames of its lists
 * like single buffers. */
#include <string.h>

#include "wire/meta.h"
#include "wire/wire.h"

#include "gstsecondbatchview.h"

/* A field is any value, or a list of frames, whose memory is not copied. */
enum
{
  FIELD_VALUE = 1,
  FIELD_FRAMES,
};

#define MAX_FIELDS 8192

typedef struct
{
  GstByteWriter *w;
  GArray *parts;
  GstShmFrameUnserializable *unserializable;
  guint meta_budget;            /* most bytes for the metas of each frame */
  guint32 n_fields;
  gboolean ok;
} Writer;

static gboolean
put_frames (Writer * self, GstBufferList * list)
{
  guint n = list != NULL ? gst_buffer_list_length (list) : 0;

  gst_byte_writer_put_uint32_le (self->w, n);
  for (guint i = 0; i < n; i++)
    if (!gst_shm_frame_wire_put_buffer (self->w, self->parts,
            gst_buffer_list_get (list, i), self->meta_budget,
            self->unserializable))
      return FALSE;
  return TRUE;
}

static gboolean
put_field (GQuark id, const GValue * value, gpointer user)
{
  Writer *self = user;
  GstByteWriter *w = self->w;
  guint before = gst_byte_writer_get_pos (w);
  gboolean put = TRUE;
  gboolean frames = G_VALUE_HOLDS (value, GST_TYPE_BUFFER_LIST);

  /* A stream without caps or id: the same as without the field. */
  if (G_VALUE_HOLDS_BOXED (value) && !frames
      && g_value_get_boxed (value) == NULL)
    return TRUE;
  gst_shm_frame_wire_put_string (w, g_quark_to_string (id));
  gst_byte_writer_put_uint8 (w, frames ? FIELD_FRAMES : FIELD_VALUE);
  self->n_fields++;
  if (frames)
    self->ok = put_frames (self, g_value_get_boxed (value));
  else
    put = gst_shm_frame_wire_put_value (w, value, self->unserializable, 0);
  if (!put) {
    gst_byte_writer_set_pos (w, before);
    self->n_fields--;
    /* Without its caps, a stream's frames are of no use. */
    self->ok = !G_VALUE_HOLDS (value, GST_TYPE_CAPS);
    gst_shm_frame_unserializable_note (self->unserializable,
        "a field of a batch of type", G_VALUE_TYPE_NAME (value));
  }
  return self->ok;
}

/* Leaves out the memory that output=memory adds: it shows the frames, which are
 * sent anyway. */
static gboolean
put_head_buffer (Writer * self, GstBuffer * batch)
{
  GstBuffer *head;
  gboolean ok;

  if (gst_buffer_n_memory (batch) == 0)
    return gst_shm_frame_wire_put_buffer (self->w, self->parts, batch,
        self->meta_budget, self->unserializable);
  head = gst_buffer_new ();
  gst_buffer_copy_into (head, batch, GST_BUFFER_COPY_METADATA, 0, -1);
  ok = gst_shm_frame_wire_put_buffer (self->w, self->parts, head,
      self->meta_budget, self->unserializable);
  gst_buffer_unref (head);
  return ok;
}

static gboolean
put_within_budget (Writer * self, GstBuffer * batch, guint meta_budget)
{
  GstByteWriter *w = self->w;
  guint at, end;

  self->meta_budget = meta_budget;
  self->n_fields = 0;
  self->ok = TRUE;
  if (!put_head_buffer (self, batch))
    return FALSE;
  at = gst_byte_writer_get_pos (w);
  gst_byte_writer_put_uint32_le (w, 0);
  gst_structure_foreach (gst_second_batch_get_structure (batch), put_field,
      self);
  end = gst_byte_writer_get_pos (w);
  gst_byte_writer_set_pos (w, at);
  gst_byte_writer_put_uint32_le (w, self->n_fields);
  gst_byte_writer_set_pos (w, end);
  return self->ok && gst_shm_frame_wire_is_complete (w);
}

typedef struct
{
  Writer *writer;
  GArray *sizes;                /* of guint: bytes of each frame's metas */
} Measure;

static gboolean
measure_frame (GstBuffer * frame, gpointer user)
{
  Measure *self = user;
  GstByteWriter *w = self->writer->w;
  guint at = gst_byte_writer_get_pos (w);
  guint size = gst_shm_frame_wire_put_metas (w, frame, G_MAXUINT,
      self->writer->unserializable);

  gst_byte_writer_set_pos (w, at);
  g_array_append_val (self->sizes, size);
  return TRUE;
}

static gint
compare_sizes (gconstpointer a, gconstpointer b)
{
  guint x = *(const guint *) a, y = *(const guint *) b;

  return (x > y) - (x < y);
}

/* Divides `space` bytes: how many each frame may have at most, if frames that
 * need less leave the rest to the others. */
static guint
fair_share (GArray * sizes, guint space)
{
  g_array_sort (sizes, compare_sizes);
  for (guint i = 0; i < sizes->len; i++) {
    guint share = space / (sizes->len - i);
    guint size = g_array_index (sizes, guint, i);

    if (size > share)
      return share;
    space -= size;
  }
  return G_MAXUINT;
}

/* Not all metas fit: writes the batch without any, and divides the space that
 * is left. FALSE if it does not fit even so. */
static gboolean
find_meta_budget (Writer * self, GstBuffer * batch, guint * meta_budget)
{
  Measure measure = { .writer = self };
  gboolean ok;

  self->unserializable->dry_run = TRUE;
  ok = put_within_budget (self, batch, 0);
  if (ok) {
    measure.sizes = g_array_new (FALSE, FALSE, sizeof (guint));
    gst_shm_frame_batch_foreach (batch, measure_frame, &measure);
    *meta_budget = fair_share (measure.sizes,
        gst_byte_writer_get_remaining (self->w) - sizeof (guint64));
    g_array_unref (measure.sizes);
  }
  self->unserializable->dry_run = FALSE;
  return ok;
}

static void
start_over (Writer * self, guint at, guint n_parts)
{
  gst_byte_writer_set_pos (self->w, at);
  g_array_set_size (self->parts, n_parts);
}

gboolean
gst_shm_frame_wire_put_batch (GstByteWriter * w, GArray * parts,
    GstBuffer * batch, GstShmFrameUnserializable * unserializable)
{
  Writer self = { .w = w, .parts = parts, .unserializable = unserializable };
  guint at = gst_byte_writer_get_pos (w), n_parts = parts->len, meta_budget;
  gboolean ok;

  if (gst_second_batch_get_structure (batch) == NULL)
    return FALSE;
  unserializable->incomplete = unserializable->did_not_fit = FALSE;
  unserializable->dry_run = TRUE;
  ok = put_within_budget (&self, batch, G_MAXUINT);
  unserializable->dry_run = FALSE;
  if (ok && !unserializable->incomplete)
    return TRUE;
  start_over (&self, at, n_parts);
  if (ok && !unserializable->did_not_fit)
    return put_within_budget (&self, batch, G_MAXUINT);
  ok = find_meta_budget (&self, batch, &meta_budget);
  start_over (&self, at, n_parts);
  return ok && put_within_budget (&self, batch, meta_budget);
}

typedef struct
{
  GstByteReader *r;
  struct sf_lease *lease;
  const struct sf_memory_ref_mapped **parts, *end;
} Reader;

static gboolean
get_frames (Reader * self, GValue * value)
{
  GstBufferList *list;
  guint32 n;

  if (!gst_byte_reader_get_uint32_le (self->r, &n) || n > SF_MAX_MEMORY_REFS)
    return FALSE;
  list = gst_buffer_list_new_sized (n > 0 ? n : 1);
  while (n-- > 0) {
    GstBuffer *frame = gst_shm_frame_wire_get_buffer (self->r, self->lease,
        self->parts, self->end, NULL);

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

/* Ignores what the sender says of how frames lie in memory: it may lie, and the
 * addresses here are this process's own. */
static gboolean
is_about_addresses (const gchar * name)
{
  return g_str_has_prefix (name, "contiguous-")
      || g_str_has_prefix (name, "frame-stride-");
}

/* Takes the fields that every batch has without asking for an allowance: they
 * are few, and one connection that used up all allowances would otherwise cost
 * the others their frames. */
static gboolean
is_of_every_batch (const gchar * name)
{
  static const gchar *const names[] = { "version", "index", "window-start",
    "window-duration", "align", "n-streams", NULL
  };
  static const gchar *const prefixes[] = { "buffers-", "caps-", "segment-",
    "stream-id-", "frames-", "expected-", "late-", "dropped-"
  };
  guint64 k;

  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (name, prefixes[i]))
      return g_ascii_string_to_unsigned (name + strlen (prefixes[i]), 10, 0,
          MAX_FIELDS / 8, &k, NULL);
  return g_strv_contains (names, name);
}

static gboolean
get_field (Reader * self, GstStructure * structure)
{
  GstShmFrameNames *names = gst_shm_frame_names_current ();
  guint mark = names->refusals;
  GValue value = G_VALUE_INIT;
  gchar *name;
  guint8 type = 0;
  gboolean ok = gst_shm_frame_wire_get_string (self->r, &name)
      && gst_shm_frame_wire_is_name (name)
      && gst_byte_reader_get_uint8 (self->r, &type)
      && (type == FIELD_VALUE || type == FIELD_FRAMES);

  if (ok && type == FIELD_FRAMES)
    ok = get_frames (self, &value);
  else if (ok)
    ok = gst_shm_frame_wire_get_value (self->r, &value, 0);
  if (ok && is_about_addresses (name)) {
    g_value_unset (&value);
  } else if (ok && names->refusals == mark && (is_of_every_batch (name)
          || gst_shm_frame_names_admit (name))) {
    gst_structure_take_value (structure, name, &value);
  } else if (ok) {
    g_value_unset (&value);
    names->fields++;
  }
  names->refusals = mark;
  g_free (name);
  return ok;
}

/* Notes whether the frames of stream K lie one stride apart. Returns them as
 * one memory, or an empty one if they do not. */
static GstMemory *
set_stride (GstBuffer * batch, GstStructure * structure, guint k)
{
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
  return contiguous ? gst_second_batch_span_ (frames, base, stride)
      : gst_allocator_alloc (NULL, 0, NULL);
}

/* Makes memory K of the batch stream K, as output=memory does. Leaves the batch
 * without memory if no stream is in one piece, or if there are more streams
 * than a buffer can have memories. */
static void
show_streams (GstBuffer * batch, GstStructure * structure)
{
  guint n = gst_second_batch_get_n_streams (batch);

  gst_buffer_remove_all_memory (batch);
  for (guint k = 0; k < n; k++) {
    GstMemory *memory = set_stride (batch, structure, k);

    if (n <= gst_buffer_get_max_memory ())
      gst_buffer_append_memory (batch, memory);
    else
      gst_memory_unref (memory);
  }
  if (gst_buffer_get_size (batch) == 0)
    gst_buffer_remove_all_memory (batch);
}

GstBuffer *
gst_shm_frame_wire_get_batch (GstByteReader * r, struct sf_lease *lease,
    const struct sf_memory_ref_mapped **parts,
    const struct sf_memory_ref_mapped *end)
{
  Reader self = { .r = r, .lease = lease, .parts = parts, .end = end };
  GstBuffer *batch = gst_shm_frame_wire_get_buffer (r, lease, parts, end,
      NULL);
  GstCustomMeta *meta;
  GstStructure *fields;
  guint32 n = 0;
  gboolean ok;

  if (batch == NULL)
    return NULL;
  gst_second_batch_meta_register ();
  meta = gst_buffer_add_custom_meta (batch, GST_SECOND_BATCH_META_NAME);
  fields = gst_custom_meta_get_structure (meta);
  ok = gst_byte_reader_get_uint32_le (r, &n) && n <= MAX_FIELDS;
  for (guint32 i = 0; ok && i < n; i++)
    ok = get_field (&self, fields);
  /* Each stream has fields of its own. */
  ok = ok && gst_second_batch_get_n_streams (batch) <= n;
  if (ok)
    show_streams (batch, fields);
  else
    gst_clear_buffer (&batch);
  return batch;
}

static gboolean
count_frame (GstBuffer * frame, gpointer user)
{
  guint *n = user;

  *n += gst_shm_frame_wire_is_shared (frame) ? gst_buffer_n_memory (frame) : 1;
  return TRUE;
}

guint
gst_shm_frame_batch_count_parts (GstBuffer * batch)
{
  guint n = 0;

  gst_shm_frame_batch_foreach (batch, count_frame, &n);
  return n;
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
  Foreach self = { .func = func, .user = user };

  return structure == NULL
      || gst_structure_foreach (structure, foreach_field, &self);
}
