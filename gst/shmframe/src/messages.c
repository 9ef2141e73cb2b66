/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reports on the producer, on the bus and by the property `connected`. */
#include <errno.h>

#include "src/gstshmframesrc.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

/* How long (us) downstream must have held less before a second warning that it
 * holds too much. */
#define LIMIT_AGAIN (10 * G_TIME_SPAN_SECOND)

/* Notifies without a lock: handlers may look at the element. TRUE if it
 * changed. */
static gboolean
set_connected (GstShmFrameSrc * self, gboolean connected)
{
  gboolean changed;

  GST_OBJECT_LOCK (self);
  changed = self->status.connected != connected;
  self->status.connected = connected;
  GST_OBJECT_UNLOCK (self);
  if (changed)
    g_object_notify (G_OBJECT (self), "connected");
  return changed;
}

static void
post_disconnected (GstShmFrameSrc * self, const gchar * reason,
    const gchar * text, guint64 lost)
{
  GstStructure *s = gst_structure_new ("producer",
      "path", G_TYPE_STRING, self->session.path,
      "reason", G_TYPE_STRING, reason, "text", G_TYPE_STRING, text,
      "frames-lost", G_TYPE_UINT64, lost, NULL);

  if (gst_shm_frame_quota_take (&self->reported.messages,
          GST_SHM_FRAME_ELEMENT_QUOTA))
    gst_shm_frame_messages_post (GST_ELEMENT (self), "shmframe-disconnected",
        s);
  gst_structure_free (s);
}

/* With another clock at the producer, a frame's age cannot be told. */
static void
warn_of_clocks (GstShmFrameSrc * self, gint64 offset)
{
  gint64 tenths = ABS (offset / (gint64) (GST_SECOND / 10));

  GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
      ("The clocks differ: CLOCK_MONOTONIC of the producer at %s is %"
          G_GINT64_FORMAT " s %s ours, as in another time namespace; set "
          "timestamps=keep, or run both in one.", self->session.path,
          (tenths + 5) / 10, offset > 0 ? "ahead of" : "behind"), (NULL));
}

void
gst_shm_frame_src_report_connected (GstShmFrameSrc * self,
    const struct sf_received *in)
{
  GstStructure *s;
  guint64 n;

  GST_OBJECT_LOCK (self);
  n = ++self->counts.connections;
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "connected to %s", self->session.path);
  gst_shm_frame_names_renew (&self->names);
  self->reported.names = FALSE;
  if (n > 1)
    self->stream.discont = TRUE;
  set_connected (self, TRUE);
  s = gst_structure_new ("producer", "path", G_TYPE_STRING, self->session.path,
      "connections", G_TYPE_UINT64, n, NULL);
  if (gst_shm_frame_quota_take (&self->reported.messages,
          GST_SHM_FRAME_ELEMENT_QUOTA))
    gst_shm_frame_messages_post (GST_ELEMENT (self), "shmframe-connected", s);
  gst_structure_free (s);
  if (in->clock_offset != 0 && !self->session.keep_times
      && gst_shm_frame_quota_take (&self->reported.warnings,
          GST_SHM_FRAME_WARNING_QUOTA))
    warn_of_clocks (self, in->clock_offset);
}

void
gst_shm_frame_src_report_stopped (GstShmFrameSrc * self)
{
  if (set_connected (self, FALSE))
    post_disconnected (self, sf_reason_name (SF_REASON_STOPPED),
        "this element was stopped", 0);
}

/* Warns of an end that the producer did not ask for. */
static void
warn_of_end (GstShmFrameSrc * self, guint32 reason, const gchar * text,
    const gchar * next)
{
  if (!gst_shm_frame_quota_take (&self->reported.warnings,
          GST_SHM_FRAME_WARNING_QUOTA))
    GST_WARNING_OBJECT (self, "the producer is gone (%s): %s",
        sf_reason_name (reason), text);
  else if (reason == SF_REASON_HANGUP)
    GST_ELEMENT_WARNING (self, RESOURCE, READ,
        ("The producer at %s ended without a word: it crashed, or was killed; "
            "%s.", self->session.path, next), (NULL));
  else
    GST_ELEMENT_WARNING (self, RESOURCE, READ,
        ("The connection to the producer at %s ended (%s)%s%s; %s.",
            self->session.path, sf_reason_name (reason),
            text[0] != '\0' ? ": " : "", text, next), (NULL));
}

/* (transfer full): what the producer says, and how many frames are lost. */
static gchar *
explain_end (const struct sf_received *in)
{
  gchar *text = gst_shm_frame_text_clean (in->reject.text), *all;

  if (in->lost == 0)
    return text;
  all = g_strdup_printf ("%s%s%" G_GUINT64_FORMAT " frames are lost", text,
      text[0] != '\0' ? "; " : "", in->lost);
  g_free (text);
  return all;
}

GstFlowReturn
gst_shm_frame_src_report_disconnected (GstShmFrameSrc * self,
    const struct sf_received *in)
{
  const struct sf_reject *why = &in->reject;
  const gchar *reason = sf_reason_name (why->reason);
  gchar *text = explain_end (in);
  GstFlowReturn ret = GST_FLOW_CUSTOM_SUCCESS;
  GstShmFrameDisconnect policy;

  GST_OBJECT_LOCK (self);
  policy = self->settings.on_disconnect;
  GST_OBJECT_UNLOCK (self);
  set_connected (self, FALSE);
  post_disconnected (self, reason, text, in->lost);
  /* Connecting again does not help if the delivery does not fit: an error. */
  if (policy == GST_SHM_FRAME_DISCONNECT_ERROR
      || (policy != GST_SHM_FRAME_DISCONNECT_EOS
          && why->reason == SF_REASON_DELIVERY)) {
    GST_ELEMENT_ERROR (self, RESOURCE, READ,
        ("The connection to the producer at %s ended (%s)%s%s.",
            self->session.path, reason, text[0] != '\0' ? ": " : "", text),
        (NULL));
    ret = GST_FLOW_ERROR;
  } else {
    if (policy == GST_SHM_FRAME_DISCONNECT_EOS)
      ret = GST_FLOW_EOS;
    if (why->reason != SF_REASON_STOPPED)
      warn_of_end (self, why->reason, text, ret == GST_FLOW_EOS
          ? "this stream ends, too" : "connecting again");
    else
      GST_INFO_OBJECT (self, "the producer stopped");
  }
  g_free (text);
  return ret;
}

void
gst_shm_frame_src_report_failed (GstShmFrameSrc * self,
    const struct sf_received *in)
{
  const gchar *path = self->session.path;
  gchar *text = NULL;

  if (in->reject.reason == SF_REASON_NOT_ALLOWED && in->error == -EPERM) {
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("What serves %s is not to be trusted: %s.", path, in->reject.text),
        (NULL));
  } else if (in->reject.reason != SF_REASON_NONE) {
    text = gst_shm_frame_text_clean (in->reject.text);
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("The producer at %s refuses: %s.", path, text), (NULL));
  } else if (in->error == -EPROTO || in->error == -EPROTOTYPE) {
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("What listens at %s is no shmframesink, or of another release; check "
            "the socket-path.", path), (NULL));
  } else if (in->error == -ENOENT || in->error == -ECONNREFUSED) {
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
        ("No producer at %s; start one, or raise connect-timeout to wait for "
            "it.", path), (NULL));
  } else if (in->error == -EACCES || in->error == -EPERM) {
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("No permission to connect to %s; see socket-mode of shmframesink.",
            path), (NULL));
  } else if (in->error == -ENOTSOCK) {
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("%s is not a socket; set socket-path to that of a shmframesink.",
            path), (NULL));
  } else {
    text = gst_shm_frame_messages_explain (in->error);
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("Cannot receive from %s: %s.", path, text), (NULL));
  }
  g_free (text);
}

/* `why` has no reason if no producer is there. */
void
gst_shm_frame_src_report_waiting (GstShmFrameSrc * self,
    const struct sf_reject *why)
{
  const gchar *path = self->session.path;
  gchar *text = gst_shm_frame_text_clean (why->text);

  if (why->reason != SF_REASON_NONE)
    GST_ELEMENT_INFO (self, RESOURCE, BUSY,
        ("Waiting for a place at the producer at %s: %s.", path, text),
        ("Waiting for a place at the producer at %s: %s.", path, text));
  else
    GST_ELEMENT_INFO (self, RESOURCE, NOT_FOUND,
        ("Waiting for a producer at %s.", path),
        ("Waiting for a producer at %s.", path));
  g_free (text);
}

void
gst_shm_frame_src_report_names (GstShmFrameSrc * self)
{
  const GstShmFrameNames *names = &self->names;
  gboolean more;

  GST_OBJECT_LOCK (self);
  more = self->counts.fields_dropped != names->fields
      || self->counts.metas_dropped != names->metas
      || self->counts.events_dropped != names->events;
  self->counts.fields_dropped = names->fields;
  self->counts.metas_dropped = names->metas;
  self->counts.events_dropped = names->events;
  GST_OBJECT_UNLOCK (self);
  if (!more || self->reported.names)
    return;
  self->reported.names = TRUE;
  GST_ELEMENT_WARNING (self, STREAM, DECODE,
      ("The producer at %s sends metas, events or fields of too many different "
          "names, or sticky events of more than 16 MiB, and those beyond are "
          "left out; fields-dropped, metas-dropped and events-dropped in "
          "stats count them. Use few names, and put what differs into values.",
          self->session.path), (NULL));
}

void
gst_shm_frame_src_report_at_limit (GstShmFrameSrc * self)
{
  gint64 since = g_get_monotonic_time () - self->reported.limit_left;
  struct sf_consumer_stats c;
  const gchar *remedy;
  gchar *holders;

  self->reported.at_limit = TRUE;
  /* A slow downstream reaches the limit with each frame: say so once. */
  if (self->reported.limit_left != 0 && since < LIMIT_AGAIN)
    return;
  sf_consumer_get_stats (self->consumer, &c);
  holders = gst_shm_frame_src_find_holders (self);
  remedy = self->session.grow ? "max-memory or slots of shmframesink"
      : "max-held, or leave it at 0";
  GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
      ("Downstream holds as many frames as may be held (%s%u), so that no "
          "other can be received: %s; raise %s.",
          self->session.grow ? "" : "max-held=", c.max_held, holders, remedy),
      (NULL));
  g_free (holders);
}

/* An appsink without limits takes frames as long as there is memory for
 * more. */
void
gst_shm_frame_src_report_unread (GstShmFrameSrc * self, guint64 frames)
{
  struct sf_consumer_stats c;
  gchar *name;

  sf_consumer_get_stats (self->consumer, &c);
  if (self->reported.idle_appsink || c.held < frames - frames / 4)
    return;
  name = gst_shm_frame_src_find_appsink (self);
  if (name == NULL)
    return;
  self->reported.idle_appsink = TRUE;
  GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
      ("The application of appsink %s does not pull, or keeps what it pulled: "
          "%u of %" G_GUINT64_FORMAT " frames are still held; give them back, "
          "or set max-buffers and drop of %s.", name, c.held, frames, name),
      (NULL));
  g_free (name);
}

void
gst_shm_frame_src_report_low_max_held (GstShmFrameSrc * self, guint asked,
    guint max_held)
{
  GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
      ("Downstream asks to hold %u frames, and max-held=%u allows fewer, so "
          "that it may come to stand; raise max-held, or leave it at 0.", asked,
          max_held), (NULL));
}
