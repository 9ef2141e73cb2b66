/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of a run: its pipeline, and what it notes about each frame. */
#ifndef BENCH_PLAY_H
#define BENCH_PLAY_H

#include "bench.h"

G_BEGIN_DECLS

typedef struct
{
  const gchar *name;
  const gchar *elements[2];     /* that have to exist */
  /* The boundary's pads are those of the elements called `boundary`. In the
   * text @ is the socket's path, # the depth, $ bytes for four times as many
   * frames (shmsink stands still without room), ? whether it is live. */
  const gchar *producer, *consumer;
} BenchElements;

extern const BenchElements bench_elements[BENCH_N_WAYS];

/* Plays until the last frame has come. FALSE after an error, which was said. */
gboolean bench_play_producer (BenchRun * run);
gboolean bench_play_consumer (BenchRun * run, gboolean measured);

G_END_DECLS

#endif
