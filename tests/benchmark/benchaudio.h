/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An audio sink whose sound card, which is not there, plays 200 ppm too
 * fast: as any audio sink does, it gives its pipeline the clock. */
#ifndef BENCH_AUDIO_H
#define BENCH_AUDIO_H

#include <gst/audio/gstaudiosink.h>

G_BEGIN_DECLS

#define BENCH_TYPE_AUDIO (bench_audio_get_type ())
G_DECLARE_FINAL_TYPE (BenchAudio, bench_audio, BENCH, AUDIO, GstAudioSink)
/* As "benchaudio" */
     void bench_audio_register (void);

G_END_DECLS

#endif
