/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reports on the sink and its clients: signals, messages, figures. */
#include <string.h>

#include "sink/gstshmframesink.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

enum
{
  SIGNAL_CLIENT_CONNECTED,
  SIGNAL_CLIENT_DISCONNECTED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

static GstStructure *
client_structure (const struct sf_client_info *client)
{
  gchar *name = gst_shm_frame_text_clean (client->name);
  GstStructure *s = gst_structure_new ("client",
      "id", G_TYPE_UINT64, client->id,
      "pid", G_TYPE_INT, (gint) client->peer.pid,
      "uid", G_TYPE_UINT, (guint) client->peer.uid,
      "name", G_TYPE_STRING, name,
      "lossless", G_TYPE_BOOLEAN, client->lossless,
      "lingering", G_TYPE_BOOLEAN, client->lingering,
      "held", G_TYPE_UINT, client->held,
      "queued", G_TYPE_UINT, client->queued,
      "lag", G_TYPE_UINT64, (guint64) MAX (client->lag, 0),
      "max-held", G_TYPE_UINT, client->max_held,
      "frames", G_TYPE_UINT64, client->frames,
      "dropped", G_TYPE_UINT64, client->dropped, NULL);

  g_free (name);
  return s;
}

/* Signals are for those who want to know at once, in the control thread;
 * messages for those who do not want to be called from there. */
static void
post_client (GstShmFrameSink * self, const gchar * name,
    const GstStructure * client)
{
  if (gst_shm_frame_quota_take (&self->quotas.clients,
          GST_SHM_FRAME_ELEMENT_QUOTA))
    gst_shm_frame_messages_post (GST_ELEMENT (self), name, client);
}

static void
on_connected (void *user, const struct sf_client_info *client)
{
  GstShmFrameSink *self = user;
  GstStructure *s = client_structure (client);

  GST_INFO_OBJECT (self, "client %" GST_PTR_FORMAT " connected", s);
  post_client (self, "shmframe-client-connected", s);
  g_signal_emit (self, signals[SIGNAL_CLIENT_CONNECTED], 0, s);
  g_object_notify (G_OBJECT (self), "num-clients");
  gst_structure_free (s);
}

/* The streaming thread waits, and the control thread says so. */
static void
on_waiting (void *user, const struct sf_client_info *client)
{
  GstShmFrameSink *self = user;
  gchar *name = gst_shm_frame_text_clean (client->name);
  gchar *text = g_strdup_printf ("Waiting for consumer %s (pid %d), which %s.",
      name, (gint) client->peer.pid, client->silent
      ? "does not answer; without a sign of life for client-timeout it is "
      "disconnected" : client->paused ? "is paused"
      : "takes no frame now; set stall-timeout to disconnect one that does not "
      "for long");

  GST_ELEMENT_INFO (self, RESOURCE, BUSY, ("%s", text), ("%s", text));
  g_free (text);
  g_free (name);
}

/* Warns of an end that nobody asked for. */
static void
warn_of_end (GstShmFrameSink * self, const GstStructure * client,
    uint32_t reason)
{
  guint lost = 0, held = 0;
  const gchar *name = gst_structure_get_string (client, "name");
  const gchar *text = gst_structure_get_string (client, "text");
  gint pid = 0;

  gst_structure_get (client, "pid", G_TYPE_INT, &pid, "frames-lost",
      G_TYPE_UINT, &lost, "held", G_TYPE_UINT, &held, NULL);
  if (!gst_shm_frame_quota_take (&self->quotas.ends,
          GST_SHM_FRAME_WARNING_QUOTA))
    GST_WARNING_OBJECT (self, "client %" GST_PTR_FORMAT " is gone", client);
  else if (reason == SF_REASON_HANGUP)
    GST_ELEMENT_WARNING (self, RESOURCE, WRITE,
        ("Consumer %s (pid %d) ended without a word: it crashed, or was "
            "killed. %u frames that it had not taken are lost to it, and it "
            "held %u.", name, pid, lost, held), ("%" GST_PTR_FORMAT, client));
  else
    GST_ELEMENT_WARNING (self, RESOURCE, WRITE,
        ("Consumer %s (pid %d) was disconnected (%s)%s%s. %u frames that it "
            "had not taken are lost to it.", name, pid, sf_reason_name (reason),
            text[0] != '\0' ? ": " : "", text, lost),
        ("%" GST_PTR_FORMAT, client));
}

static void
on_disconnected (void *user, const struct sf_client_info *client,
    uint32_t reason, const char *text)
{
  GstShmFrameSink *self = user;
  GstStructure *s = client_structure (client);
  gchar *clean = gst_shm_frame_text_clean (text);

  gst_shm_frame_upstream_forget (&self->upstream, client->id);
  gst_structure_set (s, "reason", G_TYPE_STRING, sf_reason_name (reason),
      "text", G_TYPE_STRING, clean, "frames-lost", G_TYPE_UINT,
      client->unclaimed, NULL);
  g_free (clean);
  GST_INFO_OBJECT (self, "client %" GST_PTR_FORMAT " disconnected", s);
  post_client (self, "shmframe-client-disconnected", s);
  if (reason != SF_REASON_STOPPED)
    warn_of_end (self, s, reason);
  g_signal_emit (self, signals[SIGNAL_CLIENT_DISCONNECTED], 0, s);
  g_object_notify (G_OBJECT (self), "num-clients");
  gst_structure_free (s);
}

static void
on_refused (void *user, const struct sf_credentials *peer,
    const struct sf_reject *reject)
{
  GstShmFrameSink *self = user;
  gchar *text = gst_shm_frame_text_clean (reject->text);
  GstStructure *s = gst_structure_new ("client",
      "pid", G_TYPE_INT, (gint) peer->pid,
      "uid", G_TYPE_UINT, (guint) peer->uid,
      "reason", G_TYPE_STRING, sf_reason_name (reject->reason),
      "text", G_TYPE_STRING, text, NULL);

  post_client (self, "shmframe-client-refused", s);
  if (gst_shm_frame_quota_take (&self->quotas.refusals,
          GST_SHM_FRAME_WARNING_QUOTA))
    GST_ELEMENT_WARNING (self, RESOURCE, WRITE,
        ("Refused what a consumer (pid %d, uid %u) wants: %s.",
            (gint) peer->pid, (guint) peer->uid, text), (NULL));
  else
    GST_WARNING_OBJECT (self, "refused %" GST_PTR_FORMAT, s);
  gst_structure_free (s);
  g_free (text);
}

static void
on_postponed (void *user, const struct sf_credentials *peer,
    const struct sf_reject *reject)
{
  GstShmFrameSink *self = user;
  gchar *clean = gst_shm_frame_text_clean (reject->text);
  gchar *text = g_strdup_printf ("A consumer (pid %d) waits, for a few seconds "
      "at most, for frames that others hold: %s.", (gint) peer->pid, clean);

  GST_ELEMENT_INFO (self, RESOURCE, BUSY, ("%s", text), ("%s", text));
  g_free (text);
  g_free (clean);
}

/* Warns if the machine has too few huge pages: that is no error. */
void
gst_shm_frame_sink_report_slots (GstShmFrameSink * self,
    const struct sf_slots_state *slots)
{
  gboolean wanted;

  GST_INFO_OBJECT (self, "%u slots of %" G_GUINT64_FORMAT " bytes in %u "
      "segments, %" G_GUINT64_FORMAT " bytes in all, %" G_GUINT64_FORMAT
      " of them on huge pages", slots->n_slots, slots->slot_size,
      slots->n_segments, slots->bytes, slots->huge_bytes);
  GST_OBJECT_LOCK (self);
  wanted = self->settings.huge_pages;
  GST_OBJECT_UNLOCK (self);
  if (!wanted || self->reported.huge_pages || slots->huge_bytes > 0)
    return;
  self->reported.huge_pages = TRUE;
  GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
      ("There are no huge pages for %u frames within max-memory, so that they "
          "lie on ordinary ones; reserve more (sysctl vm.nr_hugepages), or set "
          "huge-pages=false.", slots->n_slots), (NULL));
}

static void
on_grown (void *user, const struct sf_slots_state *slots,
    const struct sf_client_info *client, uint32_t max_held)
{
  GstShmFrameSink *self = user;
  gchar *name = client != NULL ? gst_shm_frame_text_clean (client->name) : NULL;

  if (client != NULL)
    GST_INFO_OBJECT (self, "grown to %u slots, %" G_GUINT64_FORMAT " bytes, "
        "since client %" G_GUINT64_FORMAT " (%s of pid %d) wants to hold %u "
        "frames", slots->n_slots, slots->bytes, client->id, name,
        (gint) client->peer.pid, max_held);
  else
    GST_INFO_OBJECT (self, "grown to %u slots, %" G_GUINT64_FORMAT " bytes, "
        "since upstream keeps so many", slots->n_slots, slots->bytes);
  g_free (name);
}

static void
on_starved (void *user, int error)
{
  GstShmFrameSink *self = user;
  gchar *text = gst_shm_frame_messages_explain (error);

  if (gst_shm_frame_quota_take (&self->quotas.refusals,
          GST_SHM_FRAME_WARNING_QUOTA))
    GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
        ("Consumers cannot connect: %s.", text), (NULL));
  g_free (text);
}

/* Copies as much of the text as fits, in whole characters. */
static void
put_text (gchar * to, gsize size, const gchar * text)
{
  gsize len = strlen (text);

  if (len >= size)
    len = g_utf8_find_prev_char (text, text + size) - text;
  memcpy (to, text, len);
  memset (to + len, 0, size - len);
}

static void
on_observed (void *user, struct sf_stats *stats)
{
  GstShmFrameSink *self = user;
  GstCaps *caps = gst_pad_get_current_caps (GST_BASE_SINK_PAD (self));
  gchar *name = gst_object_get_name (GST_OBJECT (self));

  GST_OBJECT_LOCK (self);
  stats->bytes = self->counts.bytes;
  stats->copied = self->counts.copied;
  stats->no_slot = self->counts.dropped_no_slot;
  stats->metas_dropped = self->counts.metas_dropped;
  GST_OBJECT_UNLOCK (self);
  stats->upstream_dropped =
      gst_shm_frame_upstream_get_dropped (&self->upstream);
  put_text (stats->name, sizeof (stats->name), name);
  if (caps != NULL) {
    gchar *text = gst_caps_to_string (caps);

    put_text (stats->caps, sizeof (stats->caps), text);
    g_free (text);
    gst_caps_unref (caps);
  }
  g_free (name);
}

const struct sf_producer_callbacks gst_shm_frame_sink_callbacks = {
  .connected = on_connected,
  .disconnected = on_disconnected,
  .refused = on_refused,
  .postponed = on_postponed,
  .starved = on_starved,
  .waiting = on_waiting,
  .upstream = gst_shm_frame_sink_on_upstream,
  .grown = on_grown,
  .observed = on_observed,
};

static void
set_clients (GstStructure * stats, struct sf_producer *producer, guint max)
{
  struct sf_client_info *info = g_new0 (struct sf_client_info, max);
  guint n = sf_producer_get_clients (producer, info, max);
  GValue clients = G_VALUE_INIT;

  g_value_init (&clients, GST_TYPE_ARRAY);
  for (guint i = 0; i < n; i++) {
    GValue client = G_VALUE_INIT;

    g_value_init (&client, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&client, client_structure (&info[i]));
    gst_value_array_append_and_take_value (&clients, &client);
  }
  gst_structure_take_value (stats, "clients", &clients);
  g_free (info);
}

GstStructure *
gst_shm_frame_sink_get_stats (GstShmFrameSink * self)
{
  struct sf_producer_stats p = { 0 };
  GstShmFrameSinkCounts counts;
  GstStructure *stats;
  guint64 copies = 0;
  guint max_clients;

  GST_OBJECT_LOCK (self);
  counts = self->counts;
  max_clients = self->settings.max_clients;
  GST_OBJECT_UNLOCK (self);
  stats = gst_structure_new ("stats",
      "frames", G_TYPE_UINT64, counts.frames,
      "bytes", G_TYPE_UINT64, counts.bytes,
      "frames-copied", G_TYPE_UINT64, counts.copied,
      "bytes-copied", G_TYPE_UINT64, counts.bytes_copied,
      "frames-dropped", G_TYPE_UINT64, counts.dropped_no_slot,
      "metas-dropped", G_TYPE_UINT64, counts.metas_dropped,
      "upstream-dropped", G_TYPE_UINT64,
      gst_shm_frame_upstream_get_dropped (&self->upstream), NULL);

  g_rw_lock_reader_lock (&self->producer_lock);
  if (self->producer != NULL) {
    sf_producer_get_stats (self->producer, &p);
    set_clients (stats, self->producer, max_clients);
    copies = gst_shm_frame_allocator_get_copies (self->allocator);
  }
  g_rw_lock_reader_unlock (&self->producer_lock);
  gst_structure_set (stats,
      "frames-copied-upstream", G_TYPE_UINT64, copies,
      "frames-revoked", G_TYPE_UINT64, p.revoked,
      "clients-seen", G_TYPE_UINT64, p.clients_seen,
      "clients-evicted", G_TYPE_UINT64, p.clients_evicted,
      "clients-refused", G_TYPE_UINT64, p.clients_refused,
      "slots", G_TYPE_UINT64, (guint64) p.slots.n_slots,
      "slots-free", G_TYPE_UINT64, (guint64) p.slots.n_free,
      "segments", G_TYPE_UINT64, (guint64) p.slots.n_segments,
      "segment-bytes", G_TYPE_UINT64, p.slots.bytes,
      "huge-page-bytes", G_TYPE_UINT64, p.slots.huge_bytes,
      "growths", G_TYPE_UINT64, p.slots.growths, NULL);
  return stats;
}

GstFlowReturn
gst_shm_frame_sink_drop (GstShmFrameSink * self, GstBuffer * buffer)
{
  const GstSegment *segment = &GST_BASE_SINK (self)->segment;
  GstClockTime running_time = GST_CLOCK_TIME_NONE;
  GstClockTime stream_time = GST_CLOCK_TIME_NONE;
  guint64 frames, dropped;
  GstMessage *message;

  GST_OBJECT_LOCK (self);
  dropped = ++self->counts.dropped_no_slot;
  frames = self->counts.frames;
  GST_OBJECT_UNLOCK (self);
  GST_DEBUG_OBJECT (self, "all slots are in use, dropping %" GST_PTR_FORMAT,
      buffer);
  if (segment->format == GST_FORMAT_TIME) {
    running_time = gst_segment_to_running_time (segment, GST_FORMAT_TIME,
        GST_BUFFER_PTS (buffer));
    stream_time = gst_segment_to_stream_time (segment, GST_FORMAT_TIME,
        GST_BUFFER_PTS (buffer));
  }
  message = gst_message_new_qos (GST_OBJECT (self),
      !g_atomic_int_get (&self->flags.lossless), running_time, stream_time,
      GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer));
  gst_message_set_qos_stats (message, GST_FORMAT_BUFFERS, frames, dropped);
  gst_element_post_message (GST_ELEMENT (self), message);
  return GST_FLOW_OK;
}

void
gst_shm_frame_sink_install_signals (GObjectClass * klass)
{
  /**
   * GstShmFrameSink::client-connected:
   * @self: the sink
   * @client: a structure "client": id (uint64), pid (int), uid (uint), name
   *   (string, of the consumer's element), lossless (boolean, whether the
   *   producer waits for it), lingering (boolean, whether it is disconnected,
   *   but has not returned all frames), held, queued, max-held (uint, frames),
   *   lag
   *   (uint64, ns that it is behind), frames, dropped (uint64)
   *
   * Emitted from the sink's control thread. Do not change its state in the
   * handler. @client is valid in the handler only: keep a copy (in Python
   * `client.copy()`), or use the element message shmframe-client-connected.
   *
   * Since: 0.1
   */
  signals[SIGNAL_CLIENT_CONNECTED] = g_signal_new ("client-connected",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
      G_TYPE_NONE, 1, GST_TYPE_STRUCTURE);
  /**
   * GstShmFrameSink::client-disconnected:
   * @self: the sink
   * @client: as in client-connected, and reason (string): stopped, hangup (it
   *   crashed), slow (evicted), violation, delivery, resources; text (string)
   *   says more, or is empty
   *
   * Emitted from the sink's control thread, as client-connected, with a
   * structure that is valid in the handler only. The element message is
   * shmframe-client-disconnected.
   *
   * Since: 0.1
   */
  signals[SIGNAL_CLIENT_DISCONNECTED] = g_signal_new ("client-disconnected",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
      G_TYPE_NONE, 1, GST_TYPE_STRUCTURE);
}
