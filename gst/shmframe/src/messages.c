/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What shmframesrc tells of its producer: on the bus, and by `connected`. */
#include <errno.h>

#include "src/gstshmframesrc.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

/* So long downstream must have held less before it is told again that it holds
 * too much. */
#define HOLDING_AGAIN (10 * G_TIME_SPAN_SECOND)

/* No lock is held: handlers may look at the element. TRUE if it changed. */
static gboolean
set_connected (GstShmFrameSrc * self, gboolean connected)
{
  gboolean changed;

  GST_OBJECT_LOCK (self);
  changed = self->connected != connected;
  self->connected = connected;
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
      "path", G_TYPE_STRING, self->path,
      "reason", G_TYPE_STRING, reason, "text", G_TYPE_STRING, text,
      "frames-lost", G_TYPE_UINT64, lost, NULL);

  if (gst_shm_frame_quota_take (&self->told, GST_SHM_FRAME_ELEMENT_QUOTA))
    gst_shm_frame_messages_post (GST_ELEMENT (self), "shmframe-disconnected",
        s);
  gst_structure_free (s);
}

/* The age of a frame by the producer's clock says nothing here. */
static void
warn_of_clocks (GstShmFrameSrc * self, gint64 offset)
{
  gint64 tenths = ABS (offset / (gint64) (GST_SECOND / 10));

  GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
      ("The clocks differ: CLOCK_MONOTONIC of the producer at %s is %"
          G_GINT64_FORMAT " s %s ours, as in another time namespace; set "
          "timestamps=keep, or run both in one.", self->path,
          (tenths + 5) / 10, offset > 0 ? "ahead of" : "behind"), (NULL));
}

void
gst_shm_frame_src_tell_connected (GstShmFrameSrc * self,
    const struct sf_received *in)
{
  GstStructure *s;
  guint64 n;

  GST_OBJECT_LOCK (self);
  n = ++self->counts.connections;
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "connected to %s", self->path);
  gst_shm_frame_names_renew (&self->names);
  self->names_told = FALSE;
  if (n > 1)
    self->discont = TRUE;
  set_connected (self, TRUE);
  s = gst_structure_new ("producer", "path", G_TYPE_STRING, self->path,
      "connections", G_TYPE_UINT64, n, NULL);
  if (gst_shm_frame_quota_take (&self->told, GST_SHM_FRAME_ELEMENT_QUOTA))
    gst_shm_frame_messages_post (GST_ELEMENT (self), "shmframe-connected", s);
  gst_structure_free (s);
  if (in->clock_offset != 0 && !self->keep
      && gst_shm_frame_quota_take (&self->told_ends,
          GST_SHM_FRAME_WARNING_QUOTA))
    warn_of_clocks (self, in->clock_offset);
}

void
gst_shm_frame_src_tell_stopped (GstShmFrameSrc * self)
{
  if (set_connected (self, FALSE))
    post_disconnected (self, sf_reason_name (SF_REASON_STOPPED),
        "this element was stopped", 0);
}

/* An end that the producer did not mean. */
static void
warn_of_end (GstShmFrameSrc * self, guint32 reason, const gchar * text,
    const gchar * next)
{
  if (!gst_shm_frame_quota_take (&self->told_ends,
          GST_SHM_FRAME_WARNING_QUOTA))
    GST_WARNING_OBJECT (self, "the producer is gone (%s): %s",
        sf_reason_name (reason), text);
  else if (reason == SF_REASON_HANGUP)
    GST_ELEMENT_WARNING (self, RESOURCE, READ,
        ("The producer at %s ended without a word: it crashed, or was killed; "
            "%s.", self->path, next), (NULL));
  else
    GST_ELEMENT_WARNING (self, RESOURCE, READ,
        ("The connection to the producer at %s ended (%s)%s%s; %s.", self->path,
            sf_reason_name (reason), text[0] != '\0' ? ": " : "", text, next),
        (NULL));
}

/* What the producer says, and what it cost. Free it. */
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
gst_shm_frame_src_tell_disconnected (GstShmFrameSrc * self,
    const struct sf_received *in)
{
  const struct sf_reject *why = &in->reject;
  const gchar *reason = sf_reason_name (why->reason);
  gchar *text = explain_end (in);
  GstFlowReturn ret = GST_FLOW_CUSTOM_SUCCESS;
  GstShmFrameDisconnect policy;

  GST_OBJECT_LOCK (self);
  policy = self->on_disconnect;
  GST_OBJECT_UNLOCK (self);
  set_connected (self, FALSE);
  post_disconnected (self, reason, text, in->lost);
  /* What another try cannot mend is an error, whatever the policy. */
  if (policy == GST_SHM_FRAME_DISCONNECT_ERROR
      || (policy != GST_SHM_FRAME_DISCONNECT_EOS
          && why->reason == SF_REASON_DELIVERY)) {
    GST_ELEMENT_ERROR (self, RESOURCE, READ,
        ("The connection to the producer at %s ended (%s)%s%s.",
            self->path, reason, text[0] != '\0' ? ": " : "", text), (NULL));
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
gst_shm_frame_src_tell_failed (GstShmFrameSrc * self,
    const struct sf_received *in)
{
  const gchar *path = self->path;
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

/* `why` has no reason where nobody is there. */
void
gst_shm_frame_src_tell_waiting (GstShmFrameSrc * self,
    const struct sf_reject *why)
{
  gchar *text = gst_shm_frame_text_clean (why->text);

  if (why->reason != SF_REASON_NONE)
    GST_ELEMENT_INFO (self, RESOURCE, BUSY,
        ("Waiting for a place at the producer at %s: %s.", self->path, text),
        ("Waiting for a place at the producer at %s: %s.", self->path, text));
  else
    GST_ELEMENT_INFO (self, RESOURCE, NOT_FOUND,
        ("Waiting for a producer at %s.", self->path),
        ("Waiting for a producer at %s.", self->path));
  g_free (text);
}

void
gst_shm_frame_src_tell_names (GstShmFrameSrc * self)
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
  if (!more || self->names_told)
    return;
  self->names_told = TRUE;
  GST_ELEMENT_WARNING (self, STREAM, DECODE,
      ("The producer at %s sends metas, events or fields of too many different "
          "names, or sticky events of more than 16 MiB, and those beyond are left "
          "out; fields-dropped, metas-dropped and events-dropped in stats count "
          "them. Use few names, and put what differs into values.", self->path),
      (NULL));
}

void
gst_shm_frame_src_tell_holding (GstShmFrameSrc * self)
{
  gint64 since = g_get_monotonic_time () - self->held_until;
  struct sf_consumer_stats c;
  gchar *holders;

  self->holding = TRUE;
  /* A slow consumer is at its limit with each frame. */
  if (self->held_until != 0 && since < HOLDING_AGAIN)
    return;
  sf_consumer_get_stats (self->consumer, &c);
  holders = gst_shm_frame_src_find_holders (self);
  GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
      ("Downstream holds as many frames as may be held (%s%u), so that no other "
          "can be received: %s; raise %s.", self->grow ? "" : "max-held=",
          c.max_held, holders, self->grow
          ? "max-memory or slots of shmframesink" : "max-held, or leave it at "
          "0"), (NULL));
  g_free (holders);
}

/* An appsink takes all there is, as long as there is memory for it. */
void
gst_shm_frame_src_tell_unread (GstShmFrameSrc * self, guint64 frames)
{
  struct sf_consumer_stats c;
  gchar *name;

  sf_consumer_get_stats (self->consumer, &c);
  if (self->told_unread || c.held < frames - frames / 4)
    return;
  name = gst_shm_frame_src_find_appsink (self);
  if (name == NULL)
    return;
  self->told_unread = TRUE;
  GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
      ("The application of appsink %s does not pull, or keeps what it pulled: %u "
          "of %" G_GUINT64_FORMAT " frames are still held; give them back, or "
          "set max-buffers and drop of %s.", name, c.held, frames, name),
      (NULL));
  g_free (name);
}

void
gst_shm_frame_src_tell_asked (GstShmFrameSrc * self, guint asked,
    guint max_held)
{
  GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
      ("Downstream asks to hold %u frames, and max-held=%u allows fewer, so "
          "that it may come to stand; raise max-held, or leave it at 0.", asked,
          max_held), (NULL));
}
