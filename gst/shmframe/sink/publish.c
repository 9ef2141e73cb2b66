/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames, batches and events on their way to the clients. */
#include <errno.h>

#include "shared/clock.h"
#include "gstsecondbatchmeta.h"
#include "memory/pool.h"
#include "sink/gstshmframesink.h"
#include "wire/wire.h"
#include "producer/headroom.h"
#include "shared/compiler.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* How long the slots of an earlier format may be waited for. */
#define DRAIN_TIMEOUT (5 * GST_SECOND)

static void
tell_headroom (GstShmFrameSink * self, gsize size, guint64 needed)
{
  struct sf_headroom room;

  sf_headroom_get (&room);
  GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
      ("Frames of %" G_GSIZE_FORMAT " bytes need %" G_GUINT64_FORMAT " bytes "
          "more, and of the %" G_GUINT64_FORMAT " of %s %" G_GUINT64_FORMAT
          " are left; raise that limit (MemoryMax= of a service, --memory of a "
          "container), or set fewer slots or less max-memory.", size, needed,
          room.limit, room.where, room.left), (NULL));
}

GstFlowReturn
gst_shm_frame_sink_make_slots (GstShmFrameSink * self, gsize size,
    guint per_record)
{
  gint64 until = sf_now () + DRAIN_TIMEOUT;
  struct sf_slots_state state;
  guint64 needed = 0, max_memory;
  GstFlowReturn ret;
  gchar *text = NULL;
  gint r, waited;
  guint slots;

  for (;;) {
    guint64 token = sf_producer_token (self->producer);

    r = sf_producer_set_format (self->producer, size, per_record, &needed);
    sf_slots_get_state (sf_producer_slots (self->producer), &state);
    /* What is in the way may be frames of the format before. */
    if ((r != -E2BIG && r != -EDQUOT) || state.n_segments == 0
        || sf_now () > until)
      break;
    ret = gst_shm_frame_sink_wait_for_room (self, token, &waited);
    if (ret != GST_FLOW_OK)
      return ret;
    if (waited == -ENODATA)
      break;
  }
  if (r < 0 && self->format_failed)
    return GST_FLOW_ERROR;
  self->format_failed = r < 0;
  GST_OBJECT_LOCK (self);
  max_memory = self->max_memory;
  slots = self->slots;
  GST_OBJECT_UNLOCK (self);
  if (r == -E2BIG)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("max-memory=%" G_GUINT64_FORMAT " is too small for frames of %"
            G_GSIZE_FORMAT " bytes; raise it to at least %" G_GUINT64_FORMAT
            ".", max_memory, size, needed), (NULL));
  else if (r == -EDQUOT)
    tell_headroom (self, size, needed);
  else if (r == -ENOSPC)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("slots=%u are too few for the clients; raise it to at least %"
            G_GUINT64_FORMAT ", or leave it at 0.", slots, needed), (NULL));
  else if (r == -EMFILE || r == -ENFILE)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("Cannot make shared memory for frames of %" G_GSIZE_FORMAT
            " bytes: %s.", size, text = gst_shm_frame_messages_explain (r)),
        (NULL));
  else if (r < 0)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("Cannot make shared memory for frames of %" G_GSIZE_FORMAT
            " bytes: %s; free some memory, or set fewer slots.", size,
            g_strerror (-r)), (NULL));
  else
    gst_shm_frame_sink_tell_slots (self, &state);
  g_free (text);
  return r >= 0 ? GST_FLOW_OK : GST_FLOW_ERROR;
}

static GstFlowReturn
leave_out (GstShmFrameSink * self)
{
  self->unsent++;
  GST_OBJECT_LOCK (self);
  self->counts.dropped_no_slot++;
  GST_OBJECT_UNLOCK (self);
  return GST_FLOW_OK;
}

/* When what has this PTS is, or was, due, in terms of the clock all processes
 * share. */
SF_HOT static guint64
capture_time (GstShmFrameSink * self, GstClockTime pts)
{
  GstBaseSink *sink = GST_BASE_SINK (self);
  guint64 running_time;
  gint64 base;
  gint sign;

  if (sink->segment.format != GST_FORMAT_TIME
      || !GST_CLOCK_TIME_IS_VALID (pts)
      || !gst_shm_frame_clock_get_base (&self->clock, GST_ELEMENT (self),
          &base))
    return GST_CLOCK_TIME_NONE;
  sign = gst_segment_to_running_time_full (&sink->segment, GST_FORMAT_TIME,
      pts, &running_time);
  if (sign == 0)
    return GST_CLOCK_TIME_NONE;
  return base + sign * (gint64) running_time;
}

/* sf_release; `user` is the buffer. */
static void
release_buffer (void *user)
{
  gst_buffer_unref (user);
}

/* Writes the record's body; FALSE if it is larger than one can be, or the caps of a
 * stream of the batch cannot cross. */
static gboolean
serialize (GstShmFrameSink * self, GstBuffer * buffer,
    const GstShmFrameStamp * stamp, struct sf_publication *pub)
{
  guint n_parts = self->is_batch ? gst_shm_frame_batch_count_parts (buffer)
      : gst_buffer_n_memory (buffer);
  GstByteWriter w;
  gboolean ok;

  if (n_parts > SF_MAX_REFS)
    return FALSE;
  self->losses.field = NULL;
  gst_byte_writer_init_with_data (&w, self->body,
      GST_SHM_FRAME_BODY_ROOM (n_parts), FALSE);
  g_array_set_size (self->parts, 0);
  gst_shm_frame_wire_put_stamp (&w, stamp);
  ok = self->is_batch
      ? gst_shm_frame_wire_put_batch (&w, self->parts, buffer, &self->losses)
      : gst_shm_frame_wire_put_buffer (&w, self->parts, buffer, G_MAXUINT,
      &self->losses);
  if (!ok)
    return FALSE;
  pub->parts = (struct sf_part *) self->parts->data;
  pub->n_parts = self->parts->len;
  pub->body = self->body;
  pub->body_size = gst_byte_writer_get_pos (&w);
  if (!self->is_batch && self->losses.metas == 0)
    gst_shm_frame_stencil_cut (&self->stencil, buffer, pub->body,
        pub->body_size);
  return TRUE;
}

static void
count_published (GstShmFrameSink * self, const struct sf_publication *pub)
{
  guint64 bytes = 0;

  for (guint i = 0; i < pub->n_parts; i++)
    bytes += pub->parts[i].size;
  GST_OBJECT_LOCK (self);
  self->counts.frames++;
  self->counts.bytes += bytes;
  self->counts.metas_dropped += self->losses.metas;
  GST_OBJECT_UNLOCK (self);
  self->losses.metas = 0;
}

/* `only` is the buffer's memory if it has one, else NULL. FALSE if it is larger
 * than a record can be. */
SF_HOT static gboolean
make_publication (GstShmFrameSink * self, GstBuffer * buffer,
    const struct sf_part *only, gboolean pooled, struct sf_publication *pub)
{
  GstShmFrameStamp stamp = {.kind = self->is_batch
        ? GST_SHM_FRAME_KIND_BATCH : GST_SHM_FRAME_KIND_BUFFER,.capture_time =
        capture_time (self, GST_BUFFER_PTS (buffer)),.publish_time = sf_now ()
  };

  *pub = (struct sf_publication) {
  .parts = only,.n_parts = 1,.body = self->stencil.body,.body_size =
        self->stencil.body_size,.release = release_buffer,.user =
        buffer,.pooled = pooled};
  return (only != NULL && gst_shm_frame_stencil_fill (&self->stencil, buffer,
          only->size, &stamp)) || serialize (self, buffer, &stamp, pub);
}

static GstFlowReturn
cannot_announce (GstShmFrameSink * self, gint error)
{
  if (self->losses.field != NULL)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("The caps of a stream of this batch cannot be told to other processes: "
            "their field %s is of type %s; leave it out (capssetter), or make "
            "it an int or a string.", self->losses.field,
            self->losses.field_type), (NULL));
  else if (error == -EMSGSIZE)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("What is to be said of this batch takes more than %u bytes, even "
            "without metas; batch fewer streams or shorter windows.",
            SF_MAX_FRAME_PAYLOAD), (NULL));
  else
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("Cannot announce this buffer: %s.", g_strerror (-error)), (NULL));
  return GST_FLOW_ERROR;
}

/* Publishes a buffer whose memory is all on slots. Takes the buffer. */
static GstFlowReturn
publish (GstShmFrameSink * self, GstBuffer * buffer, gboolean pooled)
{
  struct sf_publication pub;
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean wait = FALSE;
  gint r = -EMSGSIZE;

  if (make_publication (self, buffer, NULL, pooled, &pub)) {
    do {
      guint64 token = sf_producer_token (self->producer);

      r = sf_producer_publish (self->producer, &pub);
      if (r == -ENOBUFS && g_atomic_int_get (&self->lossless))
        r = -EAGAIN;
      wait = r == -EAGAIN || r == -ENOTCONN;
      if (wait)
        ret = gst_shm_frame_sink_wait_to_publish (self, r, token);
    } while (wait && ret == GST_FLOW_OK);
  }
  if (r == 0) {
    count_published (self, &pub);
    return GST_FLOW_OK;
  }
  if (ret == GST_FLOW_OK)
    ret = r == -ENOBUFS ? gst_shm_frame_sink_drop (self, buffer)
        : cannot_announce (self, r);
  self->losses.metas = 0;
  gst_buffer_unref (buffer);
  return ret;
}

/* Does upstream have to wait, at some point, for what clients return? Then it is
 * taken back at once, not with the next frame. Our own pool does its own
 * waiting; another one, or another producer's leases or slots, may run dry. */
SF_HOT static gboolean
is_awaited (GstShmFrameSink * self, GstBuffer * buffer,
    const struct sf_part *first)
{
  return (buffer->pool != NULL && !GST_IS_SHM_FRAME_POOL (buffer->pool))
      || !sf_slots_own (sf_producer_slots (self->producer), first->segment);
}

/* Whether all of the buffer, which is not empty, lies in slots; then `first` is
 * its first memory, and `n` how many it has. */
SF_HOT static gboolean
is_in_slots (GstBuffer * buffer, struct sf_part *first, guint * n)
{
  *n = gst_buffer_n_memory (buffer);
  if (*n == 0
      || !gst_shm_frame_memory_get_part (gst_buffer_peek_memory (buffer, 0),
          first))
    return FALSE;
  return *n == 1 ? first->size > 0 : gst_shm_frame_wire_is_shared (buffer)
      && gst_buffer_get_size (buffer) > 0;
}

static GstFlowReturn
render_frame (GstShmFrameSink * self, GstBuffer * buffer)
{
  struct sf_part first;
  GstBuffer *copy;
  GstFlowReturn ret;
  guint n;

  if (gst_buffer_get_size (buffer) == 0) {
    GST_DEBUG_OBJECT (self, "nothing in %" GST_PTR_FORMAT, buffer);
    return GST_FLOW_OK;
  }
  if (is_in_slots (buffer, &first, &n))
    return publish (self, gst_buffer_ref (buffer), is_awaited (self, buffer,
            &first));
  ret = gst_shm_frame_sink_copy_frame (self, buffer, &copy);
  if (ret == GST_FLOW_CUSTOM_SUCCESS)
    return gst_shm_frame_sink_drop (self, buffer);
  return ret == GST_FLOW_OK ? publish (self, copy, FALSE) : ret;
}

/* A batch of frames made in this process: each is copied once. */
static GstFlowReturn
render_batch (GstShmFrameSink * self, GstBuffer * batch)
{
  GstBuffer *copy;
  GstFlowReturn ret = gst_shm_frame_sink_check_batch (self, batch)
      ? gst_shm_frame_sink_make_batch_slots (self, batch) : GST_FLOW_ERROR;

  if (ret != GST_FLOW_OK)
    return ret;
  if (gst_shm_frame_sink_batch_is_shared (batch)) {
    /* At EOS, or after a wait, several windows are closed at once. */
    sf_producer_wait_for_live (self->producer);
    return publish (self, gst_buffer_ref (batch), TRUE);
  }
  ret = gst_shm_frame_sink_copy_batch (self, batch, &copy);
  if (ret == GST_FLOW_CUSTOM_SUCCESS)
    return gst_shm_frame_sink_drop (self, batch);
  return ret == GST_FLOW_OK ? publish (self, copy, FALSE) : ret;
}

/* The base class is through with the frame before it, plays, and will neither
 * wait for this one's time nor step over it: nothing that it does before
 * render() is needed. */
SF_HOT static gboolean
is_due_at_once (GstShmFrameSink * self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);

  return self->started && self->unsent == 0 && !self->is_batch
      && !g_atomic_int_get (&self->stepped)
      && !sink->need_preroll && !gst_base_sink_get_sync (sink);
}

SF_HOT void
gst_shm_frame_sink_publish_early (GstShmFrameSink * self, GstBuffer * buffer)
{
  struct sf_publication pub;
  struct sf_part first;
  guint n;

  if (!is_due_at_once (self) || !is_in_slots (buffer, &first, &n))
    return;
  sf_producer_expect (self->producer, TRUE);
  gst_buffer_ref (buffer);
  self->published = make_publication (self, buffer, n == 1 ? &first : NULL,
      is_awaited (self, buffer, &first), &pub)
      && sf_producer_publish (self->producer, &pub) == 0;
  if (self->published) {
    count_published (self, &pub);
    return;
  }
  gst_buffer_unref (buffer);
  /* render() counts them. */
  self->losses.metas = 0;
  sf_producer_expect (self->producer, FALSE);
}

GstFlowReturn
gst_shm_frame_sink_render (GstBaseSink * sink, GstBuffer * buffer)
{
  GstShmFrameSink *self = GST_SHM_FRAME_SINK (sink);
  GstFlowReturn ret;

  self->started = TRUE;
  if (self->published)
    return GST_FLOW_OK;
  /* Once one is left out, the rest is: the stream has no hole. */
  if (self->unsent > 0)
    return leave_out (self);
  ret = self->is_batch ? render_batch (self, buffer)
      : render_frame (self, buffer);
  return ret == GST_FLOW_EOS ? leave_out (self) : ret;
}

/* What a client that comes later is not told, is lost to it like a frame. */
static gboolean
is_told_once (GstEvent * event)
{
  return !GST_EVENT_IS_STICKY (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP;
}

/* Told once, though upstream's pad tries again before each frame. */
static GstFlowReturn
refuse_sticky (GstShmFrameSink * self, GstEvent * event, guint size)
{
  if (!self->events_failed)
    GST_ELEMENT_ERROR (self, STREAM, ENCODE,
        ("The sticky events of this stream take more than %" G_GUINT64_FORMAT
            " bytes in all, with a %s event of %u bytes; send fewer of them, or "
            "smaller ones: who joins later gets each of them.",
            SF_MAX_STICKY_BYTES, GST_EVENT_TYPE_NAME (event), size), (NULL));
  self->events_failed = TRUE;
  return GST_FLOW_ERROR;
}

GstFlowReturn
gst_shm_frame_sink_publish_event (GstShmFrameSink * self, GstEvent * event)
{
  guint64 key = gst_shm_frame_wire_event_key (event);
  GstEventType type = GST_EVENT_TYPE (event);
  guint32 flags = key != 0 ? SF_EVENT_STICKY : is_told_once (event)
      ? SF_EVENT_NEEDS_CLIENTS : 0;
  GstFlowReturn ret = GST_FLOW_OK;
  GstClockTime gap = GST_CLOCK_TIME_NONE;
  GstByteWriter w;
  gboolean wait;
  gint r;

  if (type == GST_EVENT_GAP)
    gst_event_parse_gap (event, &gap, NULL);
  /* The body is the streaming thread's, as serialized events are. */
  gst_byte_writer_init_with_data (&w, self->body, SF_MAX_PAYLOAD, FALSE);
  if (!gst_shm_frame_wire_put_event (&w, event, capture_time (self, gap),
          &self->losses)) {
    gst_shm_frame_losses_note (&self->losses, "the event",
        GST_EVENT_TYPE_NAME (event));
    return GST_FLOW_OK;
  }
  if (type == GST_EVENT_STREAM_START || type == GST_EVENT_CAPS
      || type == GST_EVENT_SEGMENT)
    flags |= SF_EVENT_DROPS_LATEST;
  do {
    guint64 token = sf_producer_token (self->producer);

    r = sf_producer_event (self->producer, key, self->body,
        gst_byte_writer_get_pos (&w), flags);
    wait = r == -EAGAIN || r == -ENOTCONN;
    /* As with a frame: nobody has to be there for PAUSED. */
    if (r == -ENOTCONN)
      ret = gst_base_sink_do_preroll (GST_BASE_SINK (self),
          GST_MINI_OBJECT_CAST (event));
    if (wait && ret == GST_FLOW_OK)
      ret = gst_shm_frame_sink_wait_to_publish (self, r, token);
  } while (wait && ret == GST_FLOW_OK);
  if (ret == GST_FLOW_EOS)
    return GST_FLOW_OK;
  if (r == -E2BIG)
    return refuse_sticky (self, event, gst_byte_writer_get_pos (&w));
  if (r == 0 && key != 0)
    self->events_failed = FALSE;
  if (r < 0 && !wait)
    GST_WARNING_OBJECT (self, "a %s event is lost: %s",
        GST_EVENT_TYPE_NAME (event), g_strerror (-r));
  return ret;
}

void
gst_shm_frame_sink_forget_stream (GstShmFrameSink * self, GstEventType from)
{
  sf_producer_forget (self->producer, (guint64) from << 32,
      ((guint64) GST_EVENT_EOS << 32) | G_MAXUINT32);
}

/* Not in order with frames and events, which may wait for a client. */
void
gst_shm_frame_sink_flush (GstShmFrameSink * self, GstEvent * event)
{
  gboolean start = GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START;
  guint32 seqnum = gst_event_get_seqnum (event);
  gboolean reset_time = FALSE;

  if (!start)
    gst_event_parse_flush_stop (event, &reset_time);
  g_rw_lock_reader_lock (&self->producer_lock);
  if (self->producer != NULL) {
    gst_shm_frame_sink_forget_stream (self, GST_EVENT_SEGMENT);
    if (start)
      sf_producer_flush_start (self->producer, seqnum);
    else
      sf_producer_flush_stop (self->producer, seqnum, reset_time);
  }
  g_rw_lock_reader_unlock (&self->producer_lock);
}
