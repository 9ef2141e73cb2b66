/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/clock.h"

#include "shared/clock.h"
#include "shared/compiler.h"

/* A reading that takes less than this is exact enough; else read again. */
#define CLOSE (5 * GST_USECOND)
#define TRIES 5

/* Whether it shows CLOCK_MONOTONIC itself. GstNetClientClock and others derive
 * from GstSystemClock, but have a time of their own; and anybody may slave even
 * the system clock to another one, at any time. */
static gboolean
is_monotonic (const GstShmFrameClock * self)
{
  GstClockTime internal, external, num, denom;

  if (!self->is_system)
    return FALSE;
  gst_clock_get_calibration (self->clock, &internal, &external, &num, &denom);
  return internal == external && num == denom;
}

/* Reads the clock between two readings of ours: the offset lies between two
 * bounds. Keeps the closest pair of several tries. */
static void
measure (GstClock * clock, gint64 * least, gint64 * most)
{
  gint64 best_width = G_MAXINT64;

  for (guint i = 0; i < TRIES && best_width > (gint64) CLOSE; i++) {
    gint64 before = sf_now ();
    gint64 time = gst_clock_get_time (clock);
    gint64 after = sf_now ();

    if (after - before < best_width) {
      best_width = after - before;
      *least = time - after;
      *most = time - before;
    }
  }
}

/* Takes the reference. */
static void
take_clock (GstShmFrameClock * self, GstClock * clock)
{
  GstClockType type = GST_CLOCK_TYPE_OTHER;

  gst_clear_object (&self->clock);
  self->clock = clock;
  if (G_OBJECT_TYPE (clock) == GST_TYPE_SYSTEM_CLOCK)
    g_object_get (clock, "clock-type", &type, NULL);
  self->is_system = type == GST_CLOCK_TYPE_MONOTONIC;
  self->measured = FALSE;
}

/* Keeps the offset while the new bounds allow it, so that a reading that took
 * long does no harm, and follows them when the clock drifts or was stepped. */
static void
update (GstShmFrameClock * self)
{
  gint64 least = 0, most = 0;

  measure (self->clock, &least, &most);
  if (!self->measured)
    self->offset = least + (most - least) / 2;
  self->offset = CLAMP (self->offset, least, most);
  self->measured = TRUE;
}

SF_HOT gboolean
gst_shm_frame_clock_get_base (GstShmFrameClock * self, GstElement * element,
    gint64 * base)
{
  GstClock *clock;
  GstClockTime base_time;
  gboolean known;

  /* Take the lock once: this happens for every frame. */
  GST_OBJECT_LOCK (element);
  clock = GST_ELEMENT_CLOCK (element);
  self->base_time = base_time = element->base_time;
  self->start_time = GST_CLOCK_TIME_IS_VALID (GST_ELEMENT_START_TIME (element))
      ? (gint64) GST_ELEMENT_START_TIME (element) : 0;
  known = clock == self->clock;
  if (clock != NULL && !known)
    gst_object_ref (clock);
  GST_OBJECT_UNLOCK (element);

  if (clock == NULL)
    return FALSE;
  if (!known)
    take_clock (self, clock);
  *base = (gint64) base_time;
  if (!is_monotonic (self)) {
    update (self);
    *base -= self->offset;
  }
  return TRUE;
}

void
gst_shm_frame_clock_clear (GstShmFrameClock * self)
{
  gst_clear_object (&self->clock);
}
