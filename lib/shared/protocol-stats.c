/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared/protocol-stats.h"

static void
put_drops (struct sf_writer *w, const uint64_t dropped[SF_N_DROPS])
{
  for (unsigned i = 0; i < SF_N_DROPS; i++)
    sf_put_u64 (w, dropped[i]);
}

static void
get_drops (struct sf_reader *r, uint64_t dropped[SF_N_DROPS])
{
  for (unsigned i = 0; i < SF_N_DROPS; i++)
    dropped[i] = sf_get_u64 (r);
}

static bool
speaks_our_version (const struct sf_observe *observe)
{
  return observe->version_min <= SF_PROTOCOL_VERSION
      && SF_PROTOCOL_VERSION <= observe->version_max;
}

void
sf_put_observe (struct sf_writer *w, const struct sf_observe *observe)
{
  sf_put_u32 (w, observe->magic);
  sf_put_u32 (w, observe->version_min);
  sf_put_u32 (w, observe->version_max);
  if (speaks_our_version (observe))
    sf_put_u64 (w, observe->before);
}

void
sf_get_observe (struct sf_reader *r, struct sf_observe *observe)
{
  observe->magic = sf_get_u32 (r);
  observe->version_min = sf_get_u32 (r);
  observe->version_max = sf_get_u32 (r);
  if (speaks_our_version (observe))
    observe->before = sf_get_u64 (r);
  else
    r->left = 0;                /* fields we cannot know, as in a HELLO */
}

bool
sf_observe_is_valid (const struct sf_observe *observe)
{
  return observe->magic == SF_PROTOCOL_MAGIC
      && observe->version_min <= observe->version_max;
}

static void
put_client (struct sf_writer *w, const struct sf_client_stats *client)
{
  sf_put_u64 (w, client->id);
  sf_put_u32 (w, client->pid);
  sf_put_u32 (w, client->uid);
  sf_put_string (w, client->name, sizeof client->name);
  sf_put_u32 (w, client->flags);
  sf_put_u32 (w, client->held);
  sf_put_u32 (w, client->queued);
  sf_put_u32 (w, client->max_held);
  sf_put_u64 (w, client->lag);
  sf_put_u64 (w, client->frames);
  put_drops (w, client->dropped);
  sf_put_u32 (w, client->handover_p50);
  sf_put_u32 (w, client->handover_p99);
}

static void
get_client (struct sf_reader *r, struct sf_client_stats *client)
{
  client->id = sf_get_u64 (r);
  client->pid = sf_get_u32 (r);
  client->uid = sf_get_u32 (r);
  sf_get_string (r, client->name, sizeof client->name);
  client->flags = sf_get_u32 (r);
  client->held = sf_get_u32 (r);
  client->queued = sf_get_u32 (r);
  client->max_held = sf_get_u32 (r);
  client->lag = sf_get_u64 (r);
  client->frames = sf_get_u64 (r);
  get_drops (r, client->dropped);
  client->handover_p50 = sf_get_u32 (r);
  client->handover_p99 = sf_get_u32 (r);
}

void
sf_put_stats (struct sf_writer *w, const struct sf_stats *stats)
{
  sf_put_u32 (w, stats->version);
  sf_put_u32 (w, stats->delivery);
  sf_put_u64 (w, stats->producer_id);
  sf_put_u64 (w, stats->clock);
  sf_put_u64 (w, stats->frames);
  sf_put_u64 (w, stats->bytes);
  sf_put_u64 (w, stats->copied);
  sf_put_u64 (w, stats->no_slot);
  put_drops (w, stats->dropped);
  sf_put_u64 (w, stats->metas_dropped);
  sf_put_u64 (w, stats->upstream_dropped);
  sf_put_u64 (w, stats->clients_seen);
  sf_put_u64 (w, stats->clients_evicted);
  sf_put_u64 (w, stats->clients_refused);
  sf_put_u32 (w, stats->n_clients);
  sf_put_u32 (w, stats->n_lingering);
  sf_put_u32 (w, stats->max_clients);
  sf_put_u32 (w, stats->n_observers);
  sf_put_u32 (w, stats->n_slots);
  sf_put_u32 (w, stats->n_free);
  sf_put_u32 (w, stats->n_segments);
  sf_put_u64 (w, stats->slot_size);
  sf_put_u64 (w, stats->segment_bytes);
  sf_put_u64 (w, stats->huge_page_bytes);
  sf_put_u64 (w, stats->max_memory);
  sf_put_u64 (w, stats->growths);
  sf_put_string (w, stats->name, sizeof stats->name);
  sf_put_string (w, stats->caps, sizeof stats->caps);
  sf_put_u32 (w, stats->n_listed);
  for (uint32_t i = 0; i < stats->n_listed; i++)
    put_client (w, &stats->clients[i]);
}

void
sf_get_stats (struct sf_reader *r, struct sf_stats *stats)
{
  stats->version = sf_get_u32 (r);
  stats->delivery = sf_get_u32 (r);
  stats->producer_id = sf_get_u64 (r);
  stats->clock = sf_get_u64 (r);
  stats->frames = sf_get_u64 (r);
  stats->bytes = sf_get_u64 (r);
  stats->copied = sf_get_u64 (r);
  stats->no_slot = sf_get_u64 (r);
  get_drops (r, stats->dropped);
  stats->metas_dropped = sf_get_u64 (r);
  stats->upstream_dropped = sf_get_u64 (r);
  stats->clients_seen = sf_get_u64 (r);
  stats->clients_evicted = sf_get_u64 (r);
  stats->clients_refused = sf_get_u64 (r);
  stats->n_clients = sf_get_u32 (r);
  stats->n_lingering = sf_get_u32 (r);
  stats->max_clients = sf_get_u32 (r);
  stats->n_observers = sf_get_u32 (r);
  stats->n_slots = sf_get_u32 (r);
  stats->n_free = sf_get_u32 (r);
  stats->n_segments = sf_get_u32 (r);
  stats->slot_size = sf_get_u64 (r);
  stats->segment_bytes = sf_get_u64 (r);
  stats->huge_page_bytes = sf_get_u64 (r);
  stats->max_memory = sf_get_u64 (r);
  stats->growths = sf_get_u64 (r);
  sf_get_string (r, stats->name, sizeof stats->name);
  sf_get_string (r, stats->caps, sizeof stats->caps);
  stats->n_listed = sf_get_u32 (r);
  if (stats->n_listed > SF_STATS_CLIENTS) {
    r->failed = true;
    return;
  }
  for (uint32_t i = 0; i < stats->n_listed; i++)
    get_client (r, &stats->clients[i]);
}

static bool
client_is_valid (const struct sf_client_stats *client)
{
  return strnlen (client->name, sizeof client->name) < sizeof client->name
      && client->flags <= SF_STATS_ALL_FLAGS
      && client->handover_p50 <= client->handover_p99;
}

bool
sf_stats_are_valid (const struct sf_stats *stats)
{
  if (stats->version != SF_PROTOCOL_VERSION
      || stats->delivery > SF_DELIVERY_LOSSLESS || stats->clock > INT64_MAX
      || stats->n_free > stats->n_slots
      || stats->n_listed > SF_STATS_CLIENTS
      || strnlen (stats->name, sizeof stats->name) == sizeof stats->name
      || strnlen (stats->caps, sizeof stats->caps) == sizeof stats->caps)
    return false;
  for (uint32_t i = 0; i < stats->n_listed; i++)
    if (!client_is_valid (&stats->clients[i])
        || (i > 0 && stats->clients[i].id >= stats->clients[i - 1].id))
      return false;
  return true;
}

const char *
sf_drop_name (uint32_t drop)
{
  static const char *const names[SF_N_DROPS] = {
    [SF_DROP_LAG] = "lag",
    [SF_DROP_SLOT] = "slot",
    [SF_DROP_QUEUE] = "queue",
    [SF_DROP_LEFT] = "left",
  };

  return drop < SF_N_DROPS ? names[drop] : "unknown";
}
