/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "benchaudio.h"

#define CAPS "audio/x-raw, format=S16LE, rate=48000, channels=1, " \
    "layout=interleaved"
/* Samples a second, 200 ppm too many */
#define RATE 48009.6
/* Samples that the card takes ahead */
#define CARD 1920

struct _BenchAudio
{
  GstAudioSink parent;
  GMutex lock;
  gint64 start;                 /* us; 0: silent */
  gint64 written;               /* samples */
};

G_DEFINE_TYPE (BenchAudio, bench_audio, GST_TYPE_AUDIO_SINK)
     static GstStaticPadTemplate sink_template =
         GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS));

/* Samples that the card has yet to play. */
     static gint64 queued (BenchAudio * self)
{
  gint64 left = 0;

  g_mutex_lock (&self->lock);
  if (self->start != 0)
    left = self->written - (gint64) ((gdouble) (g_get_monotonic_time ()
            - self->start) * RATE / G_USEC_PER_SEC);
  g_mutex_unlock (&self->lock);
  return MAX (left, 0);
}

static guint
bench_audio_delay (GstAudioSink * sink)
{
  return (guint) queued (BENCH_AUDIO (sink));
}

static gint
bench_audio_write (GstAudioSink * sink, gpointer data, guint length)
{
  BenchAudio *self = BENCH_AUDIO (sink);

  g_mutex_lock (&self->lock);
  if (self->start == 0)
    self->start = g_get_monotonic_time ();
  self->written += length / 2;
  g_mutex_unlock (&self->lock);
  while (queued (self) > CARD)
    g_usleep (1000);
  return (gint) length;
}

static gboolean
bench_audio_ok (GstAudioSink * sink)
{
  return TRUE;
}

static gboolean
bench_audio_prepare (GstAudioSink * sink, GstAudioRingBufferSpec * spec)
{
  BenchAudio *self = BENCH_AUDIO (sink);

  self->start = self->written = 0;
  return TRUE;
}

static void
bench_audio_class_init (BenchAudioClass * klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstAudioSinkClass *sink_class = GST_AUDIO_SINK_CLASS (klass);

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class, "Benchmark audio sink",
      "Sink/Audio", "Plays to nobody, a little too fast",
      "The gst-shmframe authors");
  sink_class->open = bench_audio_ok;
  sink_class->prepare = bench_audio_prepare;
  sink_class->unprepare = bench_audio_ok;
  sink_class->close = bench_audio_ok;
  sink_class->write = bench_audio_write;
  sink_class->delay = bench_audio_delay;
}

static void
bench_audio_init (BenchAudio * self)
{
  g_mutex_init (&self->lock);
}

void
bench_audio_register (void)
{
  gst_element_register (NULL, "benchaudio", GST_RANK_NONE, BENCH_TYPE_AUDIO);
}
