/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies frames that were not made in slots, once, into slots. */
#include <errno.h>
#include <string.h>
#include <gst/video/video.h>

#include "gstsecondbatchmeta.h"
#include "sink/gstshmframesink.h"
#include "wire/wire.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* How often to try, 1 ms apart, before making more slots. */
#define MAX_TRIES 50

/* Takes a slot to copy into. GST_FLOW_CUSTOM_SUCCESS: none is free, drop the
 * frame. If no client has a slot, upstream has them all, and releases some
 * sooner or later; but if they are in frames queued behind this batch, only
 * more slots help. */
static GstFlowReturn
take_slot (GstShmFrameSink * self, gsize size, guint in_record,
    struct sf_slot *slot)
{
  GstFlowReturn ret = GST_FLOW_OK;
  guint tries = 0;
  gint waited;

  while (ret == GST_FLOW_OK) {
    guint64 token = sf_producer_token (self->producer);
    gint r = sf_producer_acquire_slot (self->producer, size, 0, slot);

    if (r == 0)
      return GST_FLOW_OK;
    if (r != -EMSGSIZE && !g_atomic_int_get (&self->flags.lossless))
      return GST_FLOW_CUSTOM_SUCCESS;
    if (r != -EMSGSIZE) {
      ret = gst_shm_frame_sink_wait_for_room (self, token, &waited);
      if (waited != -ENODATA)
        continue;
      g_usleep (1000);
      if (in_record == 1 || ++tries < MAX_TRIES)
        continue;
      tries = 0;
      in_record *= 2;
    }
    if (ret == GST_FLOW_OK)
      ret = gst_shm_frame_sink_make_slots (self, size, in_record);
  }
  return ret;
}

static void
copy_video_meta (GstBuffer * to, GstVideoMeta * old)
{
  GstVideoMeta *new = gst_buffer_add_video_meta_full (to, old->flags,
      old->format, old->width, old->height, old->n_planes, old->offset,
      old->stride);

  new->id = old->id;
  new->alignment = old->alignment;
}

typedef struct
{
  GstShmFrameSink *self;
  GstBuffer *to;
} Copy;

/* gst_buffer_copy_into() drops metas about memory when it does not copy the
 * memory itself. So copy all metas here: the bytes lie in the slot as they lay
 * before. */
static gboolean
copy_meta (GstBuffer * from, GstMeta ** meta, gpointer user)
{
  GstMetaTransformCopy whole = { .region = FALSE, .offset = 0, .size = -1 };
  const GstMetaInfo *info = (*meta)->info;
  Copy *copy = user;

  if (info->api == GST_VIDEO_META_API_TYPE)
    copy_video_meta (copy->to, (GstVideoMeta *) * meta);
  else if (info->transform_func != NULL
      && !gst_meta_api_type_has_tag (info->api,
          g_quark_from_static_string (GST_META_TAG_MEMORY_STR)))
    info->transform_func (copy->to, *meta, from, _gst_meta_transform_copy,
        &whole);
  else if (info->api != GST_PARENT_BUFFER_META_API_TYPE)
    gst_shm_frame_unserializable_note_meta (&copy->self->record.unserializable,
        *meta, FALSE);
  return TRUE;
}

/* Copies the buffer's memories one after the other. FALSE if one cannot be
 * mapped. */
static gboolean
read_memory (GstBuffer * buffer, guint8 * to)
{
  for (guint i = 0; i < gst_buffer_n_memory (buffer); i++) {
    GstMapInfo map;

    if (!gst_memory_map (gst_buffer_peek_memory (buffer, i), &map,
            GST_MAP_READ))
      return FALSE;
    memcpy (to, map.data, map.size);
    to += map.size;
    gst_memory_unmap (map.memory, &map);
  }
  return TRUE;
}

/* Makes a buffer like this one, with its memory in a slot. */
static GstFlowReturn
copy_to_slot (GstShmFrameSink * self, GstBuffer * buffer, guint in_record,
    GstBuffer ** copy)
{
  gsize size = gst_buffer_get_size (buffer);
  Copy copying = { .self = self };
  struct sf_slot slot;
  GstFlowReturn ret = take_slot (self, size, in_record, &slot);

  if (ret != GST_FLOW_OK)
    return ret;
  if (!read_memory (buffer, sf_segment_slot (slot.segment, slot.index))) {
    sf_slots_release (&slot);
    GST_ELEMENT_ERROR (self, RESOURCE, READ,
        ("The memory of a frame (%s) cannot be read by this process; insert a "
            "converter to system memory before it.",
            gst_buffer_peek_memory (buffer, 0)->allocator->mem_type), (NULL));
    return GST_FLOW_ERROR;
  }
  *copy = gst_buffer_new ();
  gst_buffer_copy_into (*copy, buffer, GST_BUFFER_COPY_FLAGS
      | GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  gst_buffer_append_memory (*copy, gst_shm_frame_memory_new_slot (&slot, size));
  GST_LOG_OBJECT (self, "copied into a slot: %" GST_PTR_FORMAT, buffer);
  copying.to = *copy;
  gst_buffer_foreach_meta (buffer, copy_meta, &copying);
  GST_OBJECT_LOCK (self);
  self->counts.copied++;
  self->counts.bytes_copied += size;
  GST_OBJECT_UNLOCK (self);
  return GST_FLOW_OK;
}

GstFlowReturn
gst_shm_frame_sink_copy_frame (GstShmFrameSink * self, GstBuffer * buffer,
    GstBuffer ** copy)
{
  return copy_to_slot (self, buffer, 1, copy);
}

/* --- batches --- */

typedef struct
{
  struct sf_slots *slots;
  guint n_ours;                 /* frames in our slots, or to be copied there */
  gsize size;                   /* bytes of the largest to be copied */
} Needs;

static gboolean
add_needs (GstBuffer * frame, gpointer user)
{
  Needs *needs = user;
  struct sf_memory_ref part;

  if (!gst_shm_frame_wire_is_shared (frame)) {
    needs->n_ours++;
    needs->size = MAX (needs->size, gst_buffer_get_size (frame));
  } else if (gst_shm_frame_memory_get_part (gst_buffer_peek_memory (frame, 0),
          &part) && sf_slots_own (needs->slots, part.segment)) {
    needs->n_ours++;
  }
  return TRUE;
}

static gboolean
is_shared (GstBuffer * frame, gpointer unused)
{
  return gst_shm_frame_wire_is_shared (frame);
}

gboolean
gst_shm_frame_sink_batch_is_shared (GstBuffer * batch)
{
  return gst_shm_frame_batch_foreach (batch, is_shared, NULL);
}

/* Clients were granted a number of batches. If this one needs more slots than
 * any before, so do all that they may hold. Frames that lie in slots already
 * count, too: they stay there while the rest is copied. */
GstFlowReturn
gst_shm_frame_sink_make_batch_slots (GstShmFrameSink * self, GstBuffer * batch)
{
  struct sf_slots_state state;
  Needs needs = { .slots = sf_producer_slots (self->producer) };
  GstFlowReturn ret;

  gst_shm_frame_batch_foreach (batch, add_needs, &needs);
  sf_slots_get_state (sf_producer_slots (self->producer), &state);
  if (needs.n_ours <= self->stream.per_record && state.slot_size >= needs.size)
    return GST_FLOW_OK;
  ret = gst_shm_frame_sink_make_slots (self, MAX (needs.size, state.slot_size),
      MAX (needs.n_ours, self->stream.per_record));
  if (ret == GST_FLOW_OK)
    self->stream.per_record = MAX (needs.n_ours, self->stream.per_record);
  return ret;
}

typedef struct
{
  GstShmFrameSink *self;
  guint in_record;
  GstFlowReturn ret;
} CopyBatch;

/* Replaces the frames of one list that do not lie in slots by copies. */
static gboolean
copy_list (GQuark id, GValue * value, gpointer user)
{
  CopyBatch *copying = user;
  GstBufferList *from, *to;
  guint n;

  if (!G_VALUE_HOLDS (value, GST_TYPE_BUFFER_LIST))
    return TRUE;
  from = g_value_get_boxed (value);
  n = from != NULL ? gst_buffer_list_length (from) : 0;
  to = gst_buffer_list_new_sized (MAX (n, 1));
  for (guint i = 0; i < n && copying->ret == GST_FLOW_OK; i++) {
    GstBuffer *frame = gst_buffer_list_get (from, i);
    GstBuffer *copy = NULL;

    if (gst_shm_frame_wire_is_shared (frame))
      copy = gst_buffer_ref (frame);
    else
      copying->ret = copy_to_slot (copying->self, frame, copying->in_record,
          &copy);
    if (copy != NULL)
      gst_buffer_list_add (to, copy);
  }
  g_value_take_boxed (value, to);
  return copying->ret == GST_FLOW_OK;
}

GstFlowReturn
gst_shm_frame_sink_copy_batch (GstShmFrameSink * self, GstBuffer * batch,
    GstBuffer ** copy)
{
  CopyBatch copying = { .self = self, .in_record = self->stream.per_record };
  GstCustomMeta *meta;

  *copy = gst_buffer_copy (batch);
  meta = gst_buffer_get_custom_meta (*copy, GST_SECOND_BATCH_META_NAME);
  gst_structure_map_in_place (gst_custom_meta_get_structure (meta), copy_list,
      &copying);
  if (copying.ret != GST_FLOW_OK)
    gst_clear_buffer (copy);
  return copying.ret;
}
