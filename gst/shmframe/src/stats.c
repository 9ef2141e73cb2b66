/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts frames and hand-over times, and makes the figures of `stats`. */
#include "shared/clock.h"
#include "src/gstshmframesrc.h"
#include "shared/compiler.h"

/* Check how many frames were returned after so many, and each time twice as
 * many. */
#define UNREAD_FROM 64

/* Computed from the highest bits, without a search: the frame is waiting. */
SF_HOT static guint
bucket_of (guint64 ns)
{
  guint64 us = MAX (ns / 1000, 1);
  guint octave = 63 - (guint) __builtin_clzll (us);
  guint quarter = (guint) ((us << 2) >> octave) & 3;

  return MIN (octave * 4 + quarter, GST_SHM_FRAME_N_BUCKETS - 1);
}

/* In ns. */
static guint64
middle_of_bucket (guint i)
{
  return (((guint64) 8 + 2 * (i % 4) + 1) * 1000 << (i / 4)) / 8;
}

static guint64
quantile_of (const GstShmFrameSrcCounts * counts, gdouble quantile)
{
  guint64 sum = 0, total = 0;
  guint i;

  for (i = 0; i < GST_SHM_FRAME_N_BUCKETS; i++)
    total += counts->buckets[i];
  if (total == 0)
    return 0;
  for (i = 0; i < GST_SHM_FRAME_N_BUCKETS; i++) {
    sum += counts->buckets[i];
    if (sum >= quantile * total)
      break;
  }
  return MIN (middle_of_bucket (i), counts->handover_max);
}

/* Posts a QOS message: frames before this one were lost to us. */
static void
post_lost (GstShmFrameSrc * self, GstBuffer * buffer, guint64 frames)
{
  const GstSegment *segment = &GST_BASE_SRC (self)->segment;
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  struct sf_consumer_stats c;
  GstMessage *message;

  sf_consumer_get_stats (self->consumer, &c);
  message = gst_message_new_qos (GST_OBJECT (self),
      gst_base_src_is_live (GST_BASE_SRC (self)),
      gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts),
      gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts), pts,
      GST_BUFFER_DURATION (buffer));
  gst_message_set_qos_stats (message, GST_FORMAT_BUFFERS, frames, c.lost);
  gst_element_post_message (GST_ELEMENT (self), message);
}

SF_HOT void
gst_shm_frame_src_count_frame (GstShmFrameSrc * self,
    const GstShmFrameStamp * stamp, const struct sf_received *in,
    GstBuffer * buffer)
{
  gint64 ns = sf_now () - (gint64) stamp->publish_time;
  /* A frame that was there when we connected was not just handed over. */
  gboolean is_measured = ns >= 0 && !in->sticky;
  guint64 bytes = 0, frames;

  for (guint i = 0; i < in->n_parts; i++)
    bytes += in->parts[i].size;
  GST_OBJECT_LOCK (self);
  if (!self->times.is_before)
    self->status.position = GST_BUFFER_PTS (buffer);
  self->counts.before += self->times.is_before;
  frames = ++self->counts.frames;
  self->counts.bytes += bytes;
  if (self->stream.frames_lost)
    self->counts.discont++;
  if (is_measured) {
    self->counts.buckets[bucket_of (ns)]++;
    self->counts.handover_max = MAX (self->counts.handover_max, (guint64) ns);
  }
  GST_OBJECT_UNLOCK (self);
  if (is_measured)
    sf_consumer_note_handover (self->consumer, ns);
  if (frames >= UNREAD_FROM && (frames & (frames - 1)) == 0)
    gst_shm_frame_src_report_unread (self, frames);
  if (self->stream.frames_lost)
    post_lost (self, buffer, frames);
  self->stream.frames_lost = FALSE;
}

GstStructure *
gst_shm_frame_src_get_stats (GstShmFrameSrc * self)
{
  struct sf_consumer_stats c = { 0 };
  GstShmFrameSrcCounts *counts;
  GstStructure *stats;

  g_rw_lock_reader_lock (&self->consumer_lock);
  if (self->consumer != NULL)
    sf_consumer_get_stats (self->consumer, &c);
  g_rw_lock_reader_unlock (&self->consumer_lock);
  GST_OBJECT_LOCK (self);
  counts = g_memdup2 (&self->counts, sizeof (self->counts));
  GST_OBJECT_UNLOCK (self);
  stats = gst_structure_new ("stats",
      "connected", G_TYPE_BOOLEAN, c.connected,
      "connections", G_TYPE_UINT64, counts->connections,
      "frames", G_TYPE_UINT64, counts->frames,
      "bytes", G_TYPE_UINT64, counts->bytes,
      /* This element never copies; the field lets applications check that. */
      "bytes-copied", G_TYPE_UINT64, G_GUINT64_CONSTANT (0),
      "frames-lost", G_TYPE_UINT64, c.lost,
      "frames-before", G_TYPE_UINT64, counts->before,
      "disconts", G_TYPE_UINT64, counts->discont,
      "fields-dropped", G_TYPE_UINT64, counts->fields_dropped,
      "metas-dropped", G_TYPE_UINT64, counts->metas_dropped,
      "events-dropped", G_TYPE_UINT64, counts->events_dropped,
      "held", G_TYPE_UINT64, (guint64) c.held,
      "max-held", G_TYPE_UINT64, (guint64) c.max_held,
      "segments", G_TYPE_UINT64, (guint64) c.n_segments,
      "segment-bytes", G_TYPE_UINT64, c.segment_bytes,
      "handover-p50", G_TYPE_UINT64,
      quantile_of (counts, 0.5),
      "handover-p99", G_TYPE_UINT64,
      quantile_of (counts, 0.99),
      "handover-max", G_TYPE_UINT64, counts->handover_max, NULL);
  g_free (counts);
  return stats;
}
