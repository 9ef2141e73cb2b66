/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "benchtools.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND G_GINT64_CONSTANT (1000000000)

gint64
bench_now (clockid_t clock)
{
  struct timespec ts;

  clock_gettime (clock, &ts);
  return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

void
bench_pin (guint number)
{
  static cpu_set_t allowed;
  static gsize known;
  cpu_set_t set;

  /* Before the first pin makes it less. Children inherit it. */
  if (g_once_init_enter (&known)) {
    sched_getaffinity (0, sizeof (allowed), &allowed);
    g_once_init_leave (&known, 1);
  }
  CPU_ZERO (&set);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT (&set) == 0; cpu++)
    if (CPU_ISSET (cpu, &allowed) && number-- == 0)
      CPU_SET (cpu, &set);
  if (sched_setaffinity (0, sizeof (set), &set) < 0)
    g_error ("there is no such processor");
}

void
bench_pin_end (guint cpus, gboolean is_consumer)
{
  if (cpus > 0)
    bench_pin (cpus > 1 && is_consumer ? 1 : 0);
}

void
bench_paint (gpointer pixels, gsize size, guint8 value)
{
  memset (pixels, value, size);
}

guint64
bench_read (gconstpointer pixels, gsize size)
{
  const guint64 *words = pixels;
  guint64 sum = 0;

  for (gsize i = 0; i < size / sizeof (*words); i++)
    sum += words[i];
  return sum;
}

static int
compare (const void *a, const void *b)
{
  gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return (x > y) - (x < y);
}

void
bench_sort (gint64 * values, guint n)
{
  qsort (values, n, sizeof (*values), compare);
}

gint64
bench_quantile (const gint64 * sorted, guint n, gdouble q)
{
  return n > 0 ? sorted[(guint) (q * (n - 1) + 0.5)] : 0;
}

const gchar *
bench_text_option (int argc, char **argv, const gchar * name,
    const gchar * fallback)
{
  gsize length = strlen (name);

  for (int i = 1; i < argc; i++)
    if (g_str_has_prefix (argv[i], "--")
        && strncmp (argv[i] + 2, name, length) == 0
        && argv[i][2 + length] == '=')
      fallback = argv[i] + 3 + length;
  return fallback;
}

guint
bench_option (int argc, char **argv, const gchar * name, guint fallback)
{
  const gchar *text = bench_text_option (argc, argv, name, NULL);

  return text != NULL ? (guint) atoi (text) : fallback;
}

void
bench_print_list (const gint64 * values, guint n)
{
  g_print ("[");
  for (guint i = 0; i < n; i++)
    g_print ("%s%" G_GINT64_FORMAT, i > 0 ? "," : "", values[i]);
  g_print ("]");
}
