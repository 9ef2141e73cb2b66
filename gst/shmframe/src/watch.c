/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An appsink that is full keeps the streaming thread until somebody pulls, and
 * nobody would hear of it: so a thread of the system clock's looks now and then. */
#include "src/gstshmframesrc.h"

#define GST_CAT_DEFAULT gst_shm_frame_src_debug

#define PERIOD (2 * GST_SECOND)
/* Looks in a row at one frame that is still on its way, before it is told. */
#define LOOKS 2
#define QUOTA (60 * G_TIME_SPAN_SECOND), 1

/* Downstream had the frame before the last look already, and plays. */
static gboolean
is_stuck (GstShmFrameSrc * self)
{
  guint64 before = self->watched;
  gboolean plays;

  GST_OBJECT_LOCK (self);
  plays = GST_STATE (self) == GST_STATE_PLAYING;
  self->watched = self->counts.frames;
  GST_OBJECT_UNLOCK (self);
  return plays && before == self->watched && sf_load_flag (&self->pushing)
      && gst_pad_get_task_state (GST_BASE_SRC_PAD (self)) == GST_TASK_STARTED;
}

static void
look_once (GstShmFrameSrc * self)
{
  gchar *name;

  self->n_stuck = is_stuck (self) ? self->n_stuck + 1 : 0;
  if (self->n_stuck != LOOKS)
    return;
  name = gst_shm_frame_src_find_appsink (self);
  if (name != NULL && gst_shm_frame_quota_take (&self->told_stuck, QUOTA))
    GST_ELEMENT_INFO (self, RESOURCE, BUSY,
        ("Waiting for the application: appsink %s does not pull, and takes no "
            "further frame.", name), (NULL));
  g_free (name);
}

/* The clock may keep this for a while after it was unscheduled: so it does not keep
 * the element. */
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

  if (self->watch_id != NULL) {
    gst_clock_id_unschedule (self->watch_id);
    gst_clock_id_unref (self->watch_id);
    self->watch_id = NULL;
  }
  if (!on)
    return;
  clock = gst_system_clock_obtain ();
  self->watch_id = gst_clock_new_periodic_id (clock,
      gst_clock_get_time (clock) + PERIOD, PERIOD);
  weak = g_new (GWeakRef, 1);
  g_weak_ref_init (weak, self);
  gst_clock_id_wait_async (self->watch_id, look, weak, free_weak);
  gst_object_unref (clock);
}
