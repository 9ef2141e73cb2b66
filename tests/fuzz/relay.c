/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "relay.h"

#include "shared/layout.h"

static guint8 body[SF_MAX_FRAME_PAYLOAD];

static GstShmFrameUnserializable *
new_losses (GstShmFrameUnserializable * losses)
{
  static GstElement *owner;

  if (owner == NULL)
    owner = gst_object_ref_sink (gst_bin_new (NULL));
  gst_shm_frame_unserializable_init (losses, GST_OBJECT (owner));
  return losses;
}

void
relay_event (GstEvent * event, gboolean upstream)
{
  GstShmFrameUnserializable losses;
  GstEvent *again = NULL;
  GstByteWriter w;
  guint64 time;
  gboolean put;

  gst_byte_writer_init_with_data (&w, body,
      upstream ? SF_UPSTREAM_MAX : SF_MAX_PAYLOAD, FALSE);
  new_losses (&losses);
  put = upstream
      ? gst_shm_frame_wire_put_upstream (&w, event, 1, &losses)
      : gst_shm_frame_wire_put_event (&w, event, 1, &losses);
  gst_shm_frame_unserializable_clear (&losses);
  if (put) {
    again = upstream
        ? gst_shm_frame_wire_get_upstream (body, gst_byte_writer_get_pos (&w),
        &time)
        : gst_shm_frame_wire_get_event (body, gst_byte_writer_get_pos (&w));
    require (again != NULL);
    require (GST_EVENT_TYPE (again) == GST_EVENT_TYPE (event));
    require (gst_event_get_seqnum (again) == gst_event_get_seqnum (event));
    gst_event_unref (again);
  }
}

static GstBuffer *
read_again (const GstByteWriter * w, gboolean is_batch, struct sf_lease *lease,
    const struct sf_memory_ref_mapped *parts, guint n_parts)
{
  const struct sf_memory_ref_mapped *at = parts;
  GstShmFrameBufferCache cache = { 0 };
  GstBuffer *again;
  GstByteReader r;

  gst_byte_reader_init (&r, body, gst_byte_writer_get_pos (w));
  again = is_batch
      ? gst_shm_frame_wire_get_batch (&r, lease, &at, parts + n_parts)
      : gst_shm_frame_wire_get_buffer (&r, lease, &at, parts + n_parts,
      &cache);
  require (again == NULL || at == parts + n_parts);
  gst_shm_frame_buffer_cache_clear (&cache);
  return again;
}

static void
check_again (const GstByteWriter * w, gboolean is_batch,
    struct sf_lease *lease, const GArray * parts, const guint8 * const *room)
{
  struct sf_memory_ref_mapped *in = g_new0 (struct sf_memory_ref_mapped,
      parts->len + 1);
  GstBuffer *again;

  for (guint i = 0; i < parts->len; i++) {
    const struct sf_memory_ref *p = &g_array_index (parts, struct sf_memory_ref, i);

    in[i] = (struct sf_memory_ref_mapped) {
      p->segment, p->slot, p->offset, p->size, room[p->slot] + p->offset
    };
  }
  again = read_again (w, is_batch, lease, in, parts->len);
  require (again != NULL);
  gst_buffer_unref (again);
  g_free (in);
}

void
relay_buffer (GstBuffer * buffer, gboolean is_batch, struct sf_lease *lease,
    const guint8 * const *room)
{
  GArray *parts = g_array_new (FALSE, FALSE, sizeof (struct sf_memory_ref));
  GstShmFrameUnserializable losses;
  GstByteWriter w;
  gboolean put;

  gst_byte_writer_init_with_data (&w, body, GST_SHM_FRAME_MAX_BODY_SIZE (16),
      FALSE);
  new_losses (&losses);
  put = is_batch
      ? gst_shm_frame_wire_put_batch (&w, parts, buffer, &losses)
      : gst_shm_frame_wire_put_buffer (&w, parts, buffer, G_MAXUINT, &losses);
  gst_shm_frame_unserializable_clear (&losses);
  if (put)
    check_again (&w, is_batch, lease, parts, room);
  g_array_unref (parts);
}
