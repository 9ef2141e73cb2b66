/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says when an application does not pull. An appsink that is full blocks the
 * streaming thread, so a thread of the system clock looks now and then. */
#include "src/gstshmframesrc.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

#define PERIOD (2 * GST_SECOND)
/* Looks in a row that find the same frame on its way, before a message. */
#define STUCK_LOOKS 2
#define QUOTA (60 * G_TIME_SPAN_SECOND), 1

/* Whether downstream plays, and has had the same frame since the last look. */
static gboolean
is_stuck (GstShmFrameSrc * self)
{
  guint64 before = self->watch.frames;
  gboolean plays;

  GST_OBJECT_LOCK (self);
  plays = GST_STATE (self) == GST_STATE_PLAYING;
  self->watch.frames = self->counts.frames;
  GST_OBJECT_UNLOCK (self);
  return plays && before == self->watch.frames
      && sf_load_flag (&self->watch.pushing)
      && gst_pad_get_task_state (GST_BASE_SRC_PAD (self)) == GST_TASK_STARTED;
}

static void
look_once (GstShmFrameSrc * self)
{
  gchar *name;

  self->watch.n_stuck = is_stuck (self) ? self->watch.n_stuck + 1 : 0;
  if (self->watch.n_stuck != STUCK_LOOKS)
    return;
  name = gst_shm_frame_src_find_appsink (self);
  if (name != NULL && gst_shm_frame_quota_take (&self->watch.quota, QUOTA))
    GST_ELEMENT_INFO (self, RESOURCE, BUSY,
        ("Waiting for the application: appsink %s does not pull, and takes no "
            "further frame.", name), (NULL));
  g_free (name);
}

/* Holds a weak reference: the clock may keep this for a while after it was
 * unscheduled. */
static gboolean
look (GstClock * clock, GstClockTime time, GstClockID id, gpointer weak)
{
  GstShmFrameSrc *self = g_weak_ref_get (weak);

  if (self != NULL)
    look_once (self);
  gst_clear_object (&self);
  return TRUE;
}

static void
free_weak (gpointer weak)
{
  g_weak_ref_clear (weak);
  g_free (weak);
}

void
gst_shm_frame_src_watch (GstShmFrameSrc * self, gboolean on)
{
  GstClock *clock;
  GWeakRef *weak;

  if (self->watch.id != NULL) {
    gst_clock_id_unschedule (self->watch.id);
    gst_clock_id_unref (self->watch.id);
    self->watch.id = NULL;
  }
  if (!on)
    return;
  clock = gst_system_clock_obtain ();
  self->watch.id = gst_clock_new_periodic_id (clock,
      gst_clock_get_time (clock) + PERIOD, PERIOD);
  weak = g_new (GWeakRef, 1);
  g_weak_ref_init (weak, self);
  gst_clock_id_wait_async (self->watch.id, look, weak, free_weak);
  gst_object_unref (clock);
}
