/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames through one of several ways: a queue inside one process, or a pair of
 * elements between two. */
#ifndef BENCH_H
#define BENCH_H

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  BENCH_QUEUE,                  /* as deep as `depth` says */
  BENCH_SHMFRAME,
  BENCH_SHM,
  BENCH_UNIXFD,
  BENCH_N_WAYS,
} BenchWay;

typedef struct
{
  BenchWay way;
  guint width, height;
  guint fps;                    /* 0: as fast as it goes */
  guint n_frames;
  guint n_warm;                 /* of them, before the steady state */
  guint n_consumers;            /* the figures are the first one's */
  guint n_observers;            /* processes of shmframe-top */
  const gchar *observer;        /* which is this file */
  guint looks;                  /* of each, a second */
  guint cpus;                   /* 1: all on one, 2: each end its own, 0: any */
  guint depth;                  /* of the queue, in frames */
  gboolean touch;               /* write and read every pixel */
  gboolean copy;                /* a tee in front: the sink copies each frame */
  gboolean memory;              /* measure `pss` */
} BenchConfig;

/* At one frame, on one side. */
typedef struct
{
  gint64 time;                  /* CLOCK_MONOTONIC, ns */
  gint64 cpu;                   /* of the process, user and system, ns */
  gint64 faults;                /* of the process, minor and major */
  gint64 switches;              /* of the process, between threads */
} BenchMark;

typedef struct
{
  BenchMark warm, last;
  gint n_frames;                /* that came by (atomic) */
} BenchSide;

/* One run, in memory that the processes share. */
typedef struct
{
  BenchConfig config;
  gchar path[108];              /* of the socket */
  BenchSide sender, receiver;
  gint done;                    /* atomic: the receiver has seen the last one */
  guint64 copied, slots;        /* of shmframesink */
  guint64 pss;                  /* of all processes, bytes */
  struct
  {
    gint64 sent, received;      /* CLOCK_MONOTONIC, ns; 0: did not come by */
  } stamps[];                   /* of each frame, where they are paced */
} BenchRun;

const gchar *bench_way_name (BenchWay way);

/* Of a name; BENCH_N_WAYS if there is none such. */
BenchWay bench_way (const gchar * name);

/* Are the elements there? */
gboolean bench_way_exists (BenchWay way);

BenchRun *bench_run_new (const BenchConfig * config);
void bench_run_free (BenchRun * run);

/* Runs it, in processes of its own. FALSE if one failed or took longer than
 * `timeout` seconds; it has said why. */
gboolean bench_run (BenchRun * run, guint timeout);

G_END_DECLS

#endif
