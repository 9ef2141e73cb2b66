/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstshmframeclock.h"

#include "clock.h"
#include "hot.h"

/* How often the offset of another clock is measured. */
#define MEASURE_INTERVAL (100 * GST_MSECOND)
/* More than that is a step, not jitter: followed at once. */
#define STEP (2 * GST_MSECOND)
/* Share of a new measurement that is believed, 1/8: jitter of a measurement is
 * tens of microseconds, drift between clocks is microseconds a second. */
#define FILTER 8
#define TRIES 5

/* A system clock of type monotonic that nobody slaved to another. */
static gboolean
is_monotonic (GstClock * clock)
{
  GstClockTime internal, external, num, denom;
  GstClockType type;

  if (!GST_IS_SYSTEM_CLOCK (clock))
    return FALSE;
  g_object_get (clock, "clock-type", &type, NULL);
  gst_clock_get_calibration (clock, &internal, &external, &num, &denom);
  return type == GST_CLOCK_TYPE_MONOTONIC && internal == external
      && num == denom;
}

/* The clock is read between two readings of ours; the closest pair of several
 * tries says the most. */
static gint64
measure (GstClock * clock)
{
  gint64 best_width = G_MAXINT64;
  gint64 best = 0;

  for (guint i = 0; i < TRIES; i++) {
    gint64 before = sf_now ();
    gint64 time = gst_clock_get_time (clock);
    gint64 after = sf_now ();

    if (after - before < best_width) {
      best_width = after - before;
      best = time - (before + (after - before) / 2);
    }
  }
  return best;
}

static void
update (GstShmFrameClock * self, GstClock * clock)
{
  gint64 now = sf_now ();
  gint64 offset, error;

  if (self->measured_at != 0
      && now - self->measured_at < (gint64) MEASURE_INTERVAL)
    return;
  offset = measure (clock);
  error = offset - self->offset;
  if (self->measured_at == 0 || ABS (error) > (gint64) STEP)
    self->offset = offset;
  else
    self->offset += error / FILTER;
  self->measured_at = now;
}

SF_HOT gboolean
gst_shm_frame_clock_get_base (GstShmFrameClock * self, GstElement * element,
    gint64 * base)
{
  GstClock *clock;
  GstClockTime base_time;
  gboolean known;

  /* Both under one lock: this is done for every frame. */
  GST_OBJECT_LOCK (element);
  clock = GST_ELEMENT_CLOCK (element);
  base_time = element->base_time;
  known = clock == self->clock && self->monotonic;
  if (clock != NULL && !known)
    gst_object_ref (clock);
  GST_OBJECT_UNLOCK (element);

  if (clock == NULL)
    return FALSE;
  if (clock != self->clock) {
    self->clock = clock;
    self->monotonic = is_monotonic (clock);
    self->offset = 0;
    self->measured_at = 0;
  }
  if (!self->monotonic)
    update (self, clock);
  if (!known)
    gst_object_unref (clock);
  *base = (gint64) base_time - self->offset;
  return TRUE;
}
