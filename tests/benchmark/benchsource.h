/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `benchsource`: I420 frames out of the pool that downstream offers, or
 * else one of its own on downstream's allocator. */
#ifndef BENCH_SOURCE_H
#define BENCH_SOURCE_H

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define BENCH_TYPE_SOURCE (bench_source_get_type ())
G_DECLARE_FINAL_TYPE (BenchSource, bench_source, BENCH, SOURCE, GstPushSrc)
/* Makes the element known to gst_parse_launch(). Its properties:
 *   frames  how many there are before the end of the stream
 *   width, height, fps  1920, 1080 and 60, if nothing else is said
 *   paced   TRUE: a live source, `fps` frames a second; FALSE: at full speed
 *   painted the first so many frames have every pixel written, the rest none */
     void bench_source_register (void);

G_END_DECLS

#endif
