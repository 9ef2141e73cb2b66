/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes slots for a format. */
#include <errno.h>

#include "shared/clock.h"
#include "sink/gstshmframesink.h"
#include "producer/headroom.h"

#define GST_CAT_DEFAULT gst_shm_frame_sink_debug

/* How long to wait for the slots of an earlier format. */
#define DRAIN_TIMEOUT (5 * GST_SECOND)

static void
post_headroom_error (GstShmFrameSink * self, gsize size, guint64 needed)
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

/* Says why there are no slots for frames of `size` bytes: `r` is the result of
 * sf_producer_set_format(). */
static void
post_slots_error (GstShmFrameSink * self, gint r, gsize size, guint64 needed)
{
  gchar *text = NULL;
  guint64 max_memory;
  guint slots;

  GST_OBJECT_LOCK (self);
  max_memory = self->settings.max_memory;
  slots = self->settings.slots;
  GST_OBJECT_UNLOCK (self);
  if (r == -E2BIG)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("max-memory=%" G_GUINT64_FORMAT " is too small for frames of %"
            G_GSIZE_FORMAT " bytes; raise it to at least %" G_GUINT64_FORMAT
            ".", max_memory, size, needed), (NULL));
  else if (r == -EDQUOT)
    post_headroom_error (self, size, needed);
  else if (r == -ENOSPC)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("slots=%u are too few for the clients; raise it to at least %"
            G_GUINT64_FORMAT ", or leave it at 0.", slots, needed), (NULL));
  else if (r == -EMFILE || r == -ENFILE)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("Cannot make shared memory for frames of %" G_GSIZE_FORMAT
            " bytes: %s.", size, text = gst_shm_frame_messages_explain (r)),
        (NULL));
  else
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("Cannot make shared memory for frames of %" G_GSIZE_FORMAT
            " bytes: %s; free some memory, or set fewer slots.", size,
            g_strerror (-r)), (NULL));
  g_free (text);
}

GstFlowReturn
gst_shm_frame_sink_make_slots (GstShmFrameSink * self, gsize size,
    guint per_record)
{
  gint64 until = sf_now () + DRAIN_TIMEOUT;
  struct sf_slots_state state;
  guint64 needed = 0;
  GstFlowReturn ret;
  gint r, waited;

  for (;;) {
    guint64 token = sf_producer_token (self->producer);

    r = sf_producer_set_format (self->producer, size, per_record, &needed);
    sf_slots_get_state (sf_producer_slots (self->producer), &state);
    /* Frames of the format before may still take the memory. */
    if ((r != -E2BIG && r != -EDQUOT) || state.n_segments == 0
        || sf_now () > until)
      break;
    ret = gst_shm_frame_sink_wait_for_room (self, token, &waited);
    if (ret != GST_FLOW_OK)
      return ret;
    if (waited == -ENODATA)
      break;
  }
  GST_DEBUG_OBJECT (self, "slots for %u frames of %" G_GSIZE_FORMAT " bytes a "
      "record: %s", per_record, size, r < 0 ? g_strerror (-r) : "there");
  if (r < 0 && self->reported.format)
    return GST_FLOW_ERROR;
  self->reported.format = r < 0;
  if (r < 0)
    post_slots_error (self, r, size, needed);
  else
    gst_shm_frame_sink_report_slots (self, &state);
  return r >= 0 ? GST_FLOW_OK : GST_FLOW_ERROR;
}
