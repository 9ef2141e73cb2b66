/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A clock that runs at a rate of its own against CLOCK_MONOTONIC, and that can
 * be stepped. */
#ifndef TESTCLOCK_H
#define TESTCLOCK_H

#include <gst/gst.h>
#include <time.h>

typedef struct
{
  GstSystemClock parent;
  GMutex lock;
  gint64 ppm;                   /* faster than CLOCK_MONOTONIC */
  gint64 start;                 /* CLOCK_MONOTONIC of its making */
  gint64 offset;                /* at that time */
} TestClock;

typedef GstSystemClockClass TestClockClass;

static GType test_clock_get_type (void);
G_DEFINE_TYPE (TestClock, test_clock, GST_TYPE_SYSTEM_CLOCK)

static inline gint64
test_clock_monotonic (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (gint64) GST_TIMESPEC_TO_TIME (ts);
}

/* What any clock says, and when, of CLOCK_MONOTONIC, it said so: the closest of
 * several readings. */
static inline gint64
test_clock_read (GstClock * clock, gint64 * monotonic)
{
  gint64 best = G_MAXINT64, time = 0;

  *monotonic = 0;
  for (guint i = 0; i < 5; i++) {
    gint64 before = test_clock_monotonic ();
    gint64 said = (gint64) gst_clock_get_time (clock);
    gint64 width = test_clock_monotonic () - before;

    if (width < best) {
      best = width;
      time = said;
      *monotonic = before + width / 2;
    }
  }
  return time;
}

static GstClockTime
test_clock_get_internal_time (GstClock * clock)
{
  TestClock *self = (TestClock *) clock;
  gint64 now = test_clock_monotonic ();
  gint64 time;

  g_mutex_lock (&self->lock);
  time = now + self->offset + (now - self->start) / 1000 * self->ppm / 1000;
  g_mutex_unlock (&self->lock);
  return (GstClockTime) time;
}

/* As of any GstClock, its time stands still where it would run back. */
static inline void
test_clock_step (GstClock * clock, gint64 by)
{
  TestClock *self = (TestClock *) clock;

  g_mutex_lock (&self->lock);
  self->offset += by;
  g_mutex_unlock (&self->lock);
}

static void
test_clock_finalize (GObject * object)
{
  g_mutex_clear (&((TestClock *) object)->lock);
  G_OBJECT_CLASS (test_clock_parent_class)->finalize (object);
}

static void
test_clock_class_init (TestClockClass * klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_clock_finalize;
  GST_CLOCK_CLASS (klass)->get_internal_time = test_clock_get_internal_time;
}

static void
test_clock_init (TestClock * self)
{
  g_mutex_init (&self->lock);
  self->start = test_clock_monotonic ();
}

/* `offset`: ahead of CLOCK_MONOTONIC now, ns */
static inline GstClock *
test_clock_new (gint64 offset, gint64 ppm)
{
  TestClock *self = g_object_new (test_clock_get_type (), "name", "test", NULL);

  self->offset = offset;
  self->ppm = ppm;
  return GST_CLOCK (gst_object_ref_sink (self));
}

#endif
