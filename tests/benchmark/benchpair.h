/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer and a consumer in processes of their own, and what they share. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* At the start of the memory that they share. */
typedef struct
{
  gchar path[108];              /* of the socket */
  gint stop;                    /* atomic: all of them shall end */
} BenchPair;

typedef gboolean (*BenchProcess) (gpointer shared);

/* `size` bytes, zeroed, that are shared with processes made later. */
gpointer bench_pair_new (gsize size);
void bench_pair_free (gpointer shared, gsize size);

/* Runs each side, up to a NULL, in a process of its own; the first to return
 * ends the others. FALSE if one failed, or took longer than `timeout`
 * seconds. */
gboolean bench_pair_run (gpointer shared, const BenchProcess * sides,
    guint timeout);

/* Plays it until `stop`. Every `@` in the description stands for the path.
 * `prepare` is called before it plays. FALSE after an error, which was said. */
gboolean bench_pair_play (gpointer shared, const gchar * description,
    GstClock * clock, void (*prepare) (GstElement * pipeline, gpointer shared));

void bench_pair_probe (GstElement * pipeline, const gchar * element,
    const gchar * pad, GstPadProbeType type, GstPadProbeCallback probe,
    gpointer shared);

G_END_DECLS

#endif
