/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all benchmarks need: options, processors, pixels, sorted values. */
#ifndef BENCH_TOOLS_H
#define BENCH_TOOLS_H

#include <glib.h>
#include <time.h>

G_BEGIN_DECLS

gint64 bench_now (clockid_t clock);

/* How often a main thread looks whether others are done. Each look takes CPU
 * time, twice as much where two processes carry the frames. */
#define BENCH_LOOK_AGAIN (200 * GST_MSECOND)

/* Keeps the calling thread, and those that it makes later, on the processor of
 * this number among those that it may use. */
void bench_pin (guint number);

/* As --cpus=N says: 0 for any, 1 for all on one, 2 for each end on its own. */
void bench_pin_end (guint cpus, gboolean is_consumer);

/* Writes each byte, reads each byte. */
void bench_paint (gpointer pixels, gsize size, guint8 value);
guint64 bench_read (gconstpointer pixels, gsize size);

/* Of sorted values. */
gint64 bench_quantile (const gint64 * sorted, guint n, gdouble q);
void bench_sort (gint64 * values, guint n);

/* A number out of the command line, for --name=N; `fallback` if it is not
 * there. */
guint bench_option (int argc, char **argv, const gchar * name, guint fallback);

/* Likewise a text. */
const gchar *bench_text_option (int argc, char **argv, const gchar * name,
    const gchar * fallback);

/* [1,2,3] */
void bench_print_list (const gint64 * values, guint n);

G_END_DECLS

#endif
