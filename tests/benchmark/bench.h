/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same frames through the same probes, by three ways: a queue in one
 * process, and two pairs of elements between two processes. */
#ifndef BENCH_H
#define BENCH_H

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  BENCH_QUEUE,
  BENCH_DEEP_QUEUE,             /* as many buffers as shmframesink has slots */
  BENCH_SHMFRAME,
  BENCH_SHM,
  BENCH_N_WAYS,
} BenchWay;

/* At one frame, on one side. */
typedef struct
{
  gint64 time;                  /* CLOCK_MONOTONIC, ns */
  gint64 cpu_time;              /* of the process, user and system, ns */
  gint64 faults;                /* of the process, minor and major */
} BenchMark;

typedef struct
{
  BenchMark warm, last;
  gint n_frames;                /* that came by (atomic) */
} BenchSide;

/* One run, in memory that the processes share. */
typedef struct
{
  BenchWay way;
  gboolean paced;
  guint n_frames;
  guint n_warm;                 /* frames before the steady state */
  guint cpus;                   /* 1: both on one, 2: one each, 0: on any */
  gchar path[108];              /* of the socket */
  BenchSide sender, receiver;
  gint done;                    /* atomic: the receiver has seen the last one */
  guint64 copied;               /* frames that shmframesink had to copy */
  guint64 n_stamps;             /* n_frames, or 0: times are not wanted */
  struct
  {
    gint64 sent, received;      /* CLOCK_MONOTONIC, ns; 0: did not come by */
  } stamps[];
} BenchRun;

const gchar *bench_way_name (BenchWay way);

/* Are the elements there? */
gboolean bench_way_exists (BenchWay way);

/* Allocates; `stamped`: with times for each frame. */
BenchRun *bench_run_new (BenchWay way, gboolean paced, guint n_frames,
    guint n_warm, gboolean stamped);
void bench_run_free (BenchRun * run);

/* Runs it, in processes of its own. FALSE if one failed or took longer than
 * `timeout` seconds; it has said why. */
gboolean bench_run (BenchRun * run, guint timeout);

/* Of sorted values. */
gint64 bench_quantile (const gint64 * sorted, guint n, gdouble q);
void bench_sort (gint64 * values, guint n);

/* A number out of the command line, for --name=N; `fallback` if it is not there. */
guint bench_option (int argc, char **argv, const gchar * name, guint fallback);

G_END_DECLS

#endif
