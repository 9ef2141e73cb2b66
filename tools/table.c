/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <string.h>

#include "common/text.h"
#include "watch.h"

#define BAR_CELLS 10

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

static void
add_styled (GString * out, const TopTableStyle * style, const gchar * code,
    const gchar * text)
{
  if (style->colours)
    g_string_append (out, code);
  g_string_append (out, text);
  if (style->colours)
    g_string_append (out, PLAIN);
}

static void
add_bar (GString * out, const TopTableStyle * style, guint64 value,
    guint64 limit)
{
  gdouble part = limit > 0 ? MIN ((gdouble) value / limit, 1) : 0;
  guint full = (guint) (part * BAR_CELLS + 0.5);
  gchar cells[BAR_CELLS + 1];

  /* What is not nothing shows. */
  if (value > 0)
    full = MAX (full, 1);
  memset (cells, '#', full);
  cells[full] = '\0';
  g_string_append_c (out, '[');
  add_styled (out, style, part > 0.9 ? RED : part > 0.7 ? YELLOW : GREEN,
      cells);
  g_string_append_printf (out, "%*s]", (gint) (BAR_CELLS - full), "");
}

/* Of so many bytes, in `text`. */
static const gchar *
put_size (gchar text[16], guint64 bytes)
{
  static const gchar *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
  gdouble value = bytes;
  guint i = 0;

  for (; value >= 1024 && i + 1 < G_N_ELEMENTS (units); i++)
    value /= 1024;
  g_snprintf (text, 16, i == 0 ? "%.0f %s" : "%.1f %s", value, units[i]);
  return text;
}

static const gchar *
put_time (gchar text[16], guint64 ns)
{
  if (ns == 0)
    g_snprintf (text, 16, "-");
  else if (ns < 10000000)
    g_snprintf (text, 16, "%.0f us", ns / 1e3);
  else if (ns < G_GUINT64_CONSTANT (10000000000))
    g_snprintf (text, 16, "%.0f ms", ns / 1e6);
  else
    g_snprintf (text, 16, "%.0f s", ns / 1e9);
  return text;
}

static guint64
sum (const guint64 drops[SF_N_DROPS])
{
  guint64 total = 0;

  for (guint i = 0; i < SF_N_DROPS; i++)
    total += drops[i];
  return total;
}

/* As people write caps: without the types of fields. */
static gchar *
short_caps (const gchar * caps)
{
  gchar *clean = gst_shm_frame_text_clean (caps);
  GString *out = g_string_sized_new (strlen (clean));

  for (const gchar * at = clean; *at != '\0'; at++) {
    const gchar *end = at > clean && at[-1] == '=' && *at == '('
        ? strchr (at, ')') : NULL;

    if (end != NULL)
      at = end;
    else
      g_string_append_c (out, *at);
  }
  g_free (clean);
  return g_string_free (out, FALSE);
}

static void
add_head (GString * out, const TopTableStyle * style, const TopWatch * watch)
{
  const struct sf_stats *stats = &watch->observer.stats;
  gchar *name = gst_shm_frame_text_clean (stats->name);
  gchar *path = gst_shm_frame_text_clean (watch->path);
  gchar *caps = short_caps (stats->caps);

  add_styled (out, style, BOLD, path);
  g_string_append_printf (out, "  %s  pid %d  %s  ", name,
      (gint) watch->observer.peer.pid, top_watch_delivery (stats->delivery));
  if (watch->fps >= 0)
    g_string_append_printf (out, "%.1f fps  ", watch->fps);
  g_string_append_printf (out, "%" G_GUINT64_FORMAT " frames\n  %s\n",
      stats->frames, caps[0] != '\0' ? caps : "no caps yet");
  g_free (caps);
  g_free (path);
  g_free (name);
}

static void
add_memory (GString * out, const TopTableStyle * style,
    const struct sf_stats *stats)
{
  gchar bytes[16], limit[16];

  g_string_append (out, "  slots  ");
  add_bar (out, style, stats->n_slots - stats->n_free, stats->n_slots);
  g_string_append_printf (out, " %u of %u  memory ",
      stats->n_slots - stats->n_free, stats->n_slots);
  add_bar (out, style, stats->segment_bytes, stats->max_memory);
  g_string_append_printf (out, " %s of %s  growths %" G_GUINT64_FORMAT
      "\n", put_size (bytes, stats->segment_bytes), put_size (limit,
          stats->max_memory), stats->growths);
}

static void
add_drop (GString * out, const TopTableStyle * style, const gchar * name,
    guint64 n)
{
  gchar text[64];

  g_snprintf (text, sizeof (text), "  %s %" G_GUINT64_FORMAT, name, n);
  add_styled (out, style, n > 0 ? YELLOW : DIM, text);
}

static void
add_drops (GString * out, const TopTableStyle * style,
    const struct sf_stats *stats)
{
  g_string_append (out, "  dropped");
  add_drop (out, style, "no-slot", stats->no_slot);
  for (guint i = 0; i < SF_N_DROPS; i++)
    add_drop (out, style, sf_drop_name (i), stats->dropped[i]);
  g_string_append_printf (out, "  clients %u of %u", stats->n_clients,
      stats->max_clients);
  add_drop (out, style, "lingering", stats->n_lingering);
  add_drop (out, style, "evicted", stats->clients_evicted);
  add_drop (out, style, "refused", stats->clients_refused);
  g_string_append_c (out, '\n');
}

static const gchar *
state_of (const struct sf_client_stats *client)
{
  return client->flags & SF_STATS_LINGERS ? "gone"
      : client->flags & SF_STATS_SILENT ? "silent"
      : client->flags & SF_STATS_PAUSED ? "paused"
      : client->flags & SF_STATS_LOSSLESS ? "lossless" : "live";
}

static void
add_client (GString * out, const TopTableStyle * style,
    const struct sf_client_stats *client)
{
  gchar *name = gst_shm_frame_text_clean (client->name);
  gchar lag[16], p50[16], p99[16], who[96];

  g_snprintf (who, sizeof (who), "%7u %5u %-12.12s", client->pid, client->uid,
      name);
  g_string_append_printf (out, "  %s %-8s ", who, state_of (client));
  add_bar (out, style, client->held, client->max_held);
  g_string_append_printf (out, " %2u/%-3u %5u %7s %6" G_GUINT64_FORMAT
      " %7s %7s\n", client->held, client->max_held, client->queued,
      put_time (lag, client->lag), sum (client->dropped),
      put_time (p50, client->handover_p50), put_time (p99,
          client->handover_p99));
  g_free (name);
}

static void
add_clients (GString * out, const TopTableStyle * style,
    const struct sf_observer *o)
{
  gchar head[160];

  if (o->n_clients == 0)
    return;
  g_snprintf (head, sizeof (head), "  %7s %5s %-12s %-8s %-19s %5s %7s %6s %7s "
      "%7s", "PID", "UID", "NAME", "DELIVERY", "HELD", "QUEUE", "LAG",
      "DROPS", "P50", "P99");
  add_styled (out, style, DIM, head);
  g_string_append_c (out, '\n');
  for (guint i = o->n_clients; i > 0; i--)
    add_client (out, style, &o->clients[i - 1]);
}

static void
add_watch (GString * out, const TopTableStyle * style, const TopWatch * watch)
{
  if (watch->problem != NULL) {
    gchar *path = gst_shm_frame_text_clean (watch->path);

    add_styled (out, style, BOLD, path);
    g_string_append (out, "  ");
    add_styled (out, style, RED, watch->problem);
    g_string_append_c (out, '\n');
    g_free (path);
    return;
  }
  add_head (out, style, watch);
  add_memory (out, style, &watch->observer.stats);
  add_drops (out, style, &watch->observer.stats);
  add_clients (out, style, &watch->observer);
}

/* One line, as far as there are cells; codes of colours take none. */
static void
add_cut (GString * out, const gchar * line, const TopTableStyle * style)
{
  guint cells = 0;

  while (*line != '\0') {
    const gchar *end = g_utf8_next_char (line);
    gunichar c = g_utf8_get_char (line);

    if (c == '\033')
      end = strchr (line, 'm') + 1;
    else
      cells += g_unichar_iswide (c) ? 2 : !g_unichar_iszerowidth (c);
    if (style->width > 0 && cells > style->width)
      break;
    g_string_append_len (out, line, end - line);
    line = end;
  }
  if (*line != '\0' && style->colours)
    g_string_append (out, PLAIN);
  g_string_append_c (out, '\n');
}

gchar *
top_table_text (GPtrArray * watches, const TopTableStyle * style)
{
  GString *all = g_string_new (NULL), *out = g_string_new (NULL);
  gchar **lines;
  guint n;

  for (guint i = 0; i < watches->len; i++) {
    if (i > 0)
      g_string_append_c (all, '\n');
    add_watch (all, style, g_ptr_array_index (watches, i));
  }
  lines = g_strsplit (all->str, "\n", -1);
  n = g_strv_length (lines);
  n -= n > 0;                   /* behind the last newline */
  for (guint i = 0; i < n; i++) {
    if (style->height > 0 && n > style->height && i + 1 == style->height) {
      g_string_append_printf (out, "... %u more lines\n", n - i);
      break;
    }
    add_cut (out, lines[i], style);
  }
  g_strfreev (lines);
  g_string_free (all, TRUE);
  return g_string_free (out, FALSE);
}
