/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include "common/text.h"
#include "watch.h"

static void
add_name (GString * out, const gchar * name)
{
  gchar last = out->str[out->len - 1];

  g_string_append_printf (out, "%s\"%s\":", last == '{' ? "" : ",", name);
}

static void
add_text (GString * out, const gchar * name, const gchar * text)
{
  gchar *clean = gst_shm_frame_text_clean (text);

  add_name (out, name);
  g_string_append_c (out, '"');
  /* What is printable needs no other escape. */
  for (const gchar * at = clean; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\')
      g_string_append_c (out, '\\');
    g_string_append_c (out, *at);
  }
  g_string_append_c (out, '"');
  g_free (clean);
}

static void
add_number (GString * out, const gchar * name, guint64 value)
{
  add_name (out, name);
  g_string_append_printf (out, "%" G_GUINT64_FORMAT, value);
}

static void
add_flag (GString * out, const gchar * name, gboolean on)
{
  add_name (out, name);
  g_string_append (out, on ? "true" : "false");
}

static void
add_rate (GString * out, const gchar * name, gdouble value)
{
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];

  add_name (out, name);
  g_string_append (out, value < 0 ? "null"
      : g_ascii_formatd (text, sizeof (text), "%.3f", value));
}

static void
add_drops (GString * out, const guint64 drops[SF_N_DROPS])
{
  add_name (out, "dropped");
  g_string_append_c (out, '{');
  for (guint i = 0; i < SF_N_DROPS; i++)
    add_number (out, sf_drop_name (i), drops[i]);
  g_string_append_c (out, '}');
}

static void
add_client (GString * out, const struct sf_client_stats *client)
{
  g_string_append_c (out, '{');
  add_number (out, "id", client->id);
  add_number (out, "pid", client->pid);
  add_number (out, "uid", client->uid);
  add_text (out, "name", client->name);
  add_flag (out, "lossless", (client->flags & SF_STATS_LOSSLESS) != 0);
  add_flag (out, "lingering", (client->flags & SF_STATS_LINGERS) != 0);
  add_flag (out, "paused", (client->flags & SF_STATS_PAUSED) != 0);
  add_flag (out, "silent", (client->flags & SF_STATS_SILENT) != 0);
  add_number (out, "held", client->held);
  add_number (out, "queued", client->queued);
  add_number (out, "max_held", client->max_held);
  add_number (out, "lag", client->lag);
  add_number (out, "frames", client->frames);
  add_drops (out, client->dropped);
  add_number (out, "handover_p50", client->handover_p50);
  add_number (out, "handover_p99", client->handover_p99);
  g_string_append_c (out, '}');
}

static void
add_memory (GString * out, const struct sf_stats *stats)
{
  add_number (out, "slots", stats->n_slots);
  add_number (out, "slots_free", stats->n_free);
  add_number (out, "slot_size", stats->slot_size);
  add_number (out, "segments", stats->n_segments);
  add_number (out, "segment_bytes", stats->segment_bytes);
  add_number (out, "huge_page_bytes", stats->huge_page_bytes);
  add_number (out, "max_memory", stats->max_memory);
  add_number (out, "growths", stats->growths);
}

static void
add_producer (GString * out, const TopWatch * watch)
{
  const struct sf_observer *o = &watch->observer;
  const struct sf_stats *stats = &o->stats;

  add_number (out, "pid", (guint64) o->peer.pid);
  add_number (out, "uid", o->peer.uid);
  add_text (out, "name", stats->name);
  add_text (out, "caps", stats->caps);
  add_text (out, "delivery", top_watch_delivery (stats->delivery));
  add_rate (out, "fps", watch->fps);
  add_number (out, "frames", stats->frames);
  add_number (out, "bytes", stats->bytes);
  add_number (out, "frames_copied", stats->copied);
  add_number (out, "frames_dropped", stats->no_slot);
  add_drops (out, stats->dropped);
  add_number (out, "metas_dropped", stats->metas_dropped);
  add_number (out, "upstream_dropped", stats->upstream_dropped);
  add_memory (out, stats);
  add_number (out, "num_clients", stats->n_clients);
  add_number (out, "lingering", stats->n_lingering);
  add_number (out, "max_clients", stats->max_clients);
  add_number (out, "observers", stats->n_observers);
  add_number (out, "clients_seen", stats->clients_seen);
  add_number (out, "clients_evicted", stats->clients_evicted);
  add_number (out, "clients_refused", stats->clients_refused);
  add_name (out, "clients");
  g_string_append_c (out, '[');
  for (guint i = 0; i < o->n_clients; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    add_client (out, &o->clients[i]);
  }
  g_string_append_c (out, ']');
}

gchar *
top_json_line (GPtrArray * watches)
{
  GString *out = g_string_new ("{");

  add_number (out, "time", (guint64) g_get_real_time ());
  add_name (out, "sockets");
  g_string_append_c (out, '[');
  for (guint i = 0; i < watches->len; i++) {
    const TopWatch *watch = g_ptr_array_index (watches, i);

    g_string_append (out, i > 0 ? ",{" : "{");
    add_text (out, "socket", watch->path);
    if (watch->problem != NULL)
      add_text (out, "problem", watch->problem);
    else
      add_producer (out, watch);
    g_string_append_c (out, '}');
  }
  g_string_append (out, "]}");
  return g_string_free (out, FALSE);
}
