/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers observers: connections that ask for figures. They take no client's
 * place and get no memory. The control thread answers, and waits for none of
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/parts.h"

#define MAX_OBSERVERS 4u
/* Closes an observer that asks nothing for so long, to free its place. */
#ifndef SF_OBSERVER_TIMEOUT_MS
#define SF_OBSERVER_TIMEOUT_MS 10000
#endif
#define OBSERVER_TIMEOUT (SF_OBSERVER_TIMEOUT_MS * INT64_C (1000000))

static uint32_t
count_observers (const struct sf_producer *p)
{
  uint32_t n = 0;

  for (const struct sf_client *c = p->clients; c != NULL; c = c->next)
    n += c->state == SF_CLIENT_OBSERVING;
  return n;
}

static int
compare (const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

  return (x > y) - (x < y);
}

/* Reads what the client measured, whatever it wrote there. */
static void
read_handovers (const struct sf_client *c, struct sf_client_stats *stats)
{
  const struct sf_returns_page *page = c->queue.returns.map;
  uint32_t ns[SF_HANDOVERS], n = 0;

  for (uint32_t i = 0; page != NULL && i < SF_HANDOVERS; i++) {
    ns[n] = sf_load_flag (&page->handover[i]);
    n += ns[n] != 0;
  }
  if (n == 0)
    return;
  qsort (ns, n, sizeof (ns[0]), compare);
  stats->handover_p50 = ns[(n - 1) / 2];
  stats->handover_p99 = ns[(n - 1) * 99 / 100];
}

static uint32_t
flags_of (const struct sf_client_info *info)
{
  return (info->lossless ? SF_STATS_LOSSLESS : 0)
      | (info->lingering ? SF_STATS_LINGERS : 0)
      | (info->paused ? SF_STATS_PAUSED : 0)
      | (info->silent ? SF_STATS_SILENT : 0);
}

static void
describe_client (struct sf_client *c, struct sf_client_stats *stats)
{
  struct sf_producer *p = c->producer;
  struct sf_client_info info;

  pthread_mutex_lock (&p->lock);
  sf_client_info_locked (c, &info);
  sf_producer_unlock (p);
  *stats = (struct sf_client_stats) {
    .id = info.id,
    .pid = (uint32_t) info.peer.pid,
    .uid = info.peer.uid,
    .flags = flags_of (&info),
    .held = info.held,
    .queued = info.queued,
    .max_held = info.max_held,
    .lag = info.lag > 0 ? (uint64_t) info.lag : 0,
    .frames = info.frames,
  };
  memcpy (stats->name, info.name, sizeof (stats->name));
  memcpy (stats->dropped, info.drops, sizeof (stats->dropped));
  read_handovers (c, stats);
}

static void
describe_slots (const struct sf_slots_state *slots, struct sf_stats *stats)
{
  stats->n_slots = slots->n_slots;
  stats->n_free = slots->n_free;
  stats->n_segments = slots->n_segments;
  stats->slot_size = slots->slot_size;
  stats->segment_bytes = slots->bytes;
  stats->huge_page_bytes = slots->huge_bytes;
  stats->growths = slots->growths;
}

static void
describe (struct sf_producer *p, struct sf_stats *stats)
{
  struct sf_producer_stats own;

  sf_producer_get_stats (p, &own);
  stats->version = SF_PROTOCOL_VERSION;
  stats->producer_id = p->id;
  stats->max_clients = p->settings.max_clients;
  stats->max_memory = p->settings.max_memory;
  stats->n_observers = count_observers (p);
  pthread_mutex_lock (&p->lock);
  if (p->delivery.known)
    stats->delivery =
        p->delivery.lossless ? SF_DELIVERY_LOSSLESS : SF_DELIVERY_LIVE;
  pthread_mutex_unlock (&p->lock);
  stats->frames = own.frames;
  stats->clock = (uint64_t) sf_now ();
  memcpy (stats->dropped, own.dropped, sizeof (stats->dropped));
  stats->clients_seen = own.clients_seen;
  stats->clients_evicted = own.clients_evicted;
  stats->clients_refused = own.clients_refused;
  stats->n_clients = own.n_clients;
  stats->n_lingering = own.n_lingering;
  describe_slots (&own.slots, stats);
  if (p->settings.callbacks.observed != NULL)
    p->settings.callbacks.observed (p->settings.user, stats);
}

/* Closes an observer whose socket is full: it does not read its answers. */
static void
answer (struct sf_client *c, uint64_t before)
{
  struct sf_producer *p = c->producer;
  struct sf_message msg;

  memset (&msg, 0, sizeof (msg));
  msg.type = SF_MESSAGE_STATS;
  describe (p, &msg.stats);
  /* The newest client comes first. */
  for (struct sf_client *o = p->clients; o != NULL
      && msg.stats.n_listed < SF_STATS_CLIENTS; o = o->next)
    if (o->id < before && o->state >= SF_CLIENT_ACTIVE)
      describe_client (o, &msg.stats.clients[msg.stats.n_listed++]);
  if (sf_send (c->fd, &msg, NULL, 0) < 0)
    sf_client_end (c, SF_REASON_HANGUP, "");
}

static void
refuse (struct sf_client *c, const struct sf_reject *reject)
{
  struct sf_message msg = { .type = SF_MESSAGE_REJECT, .reject = *reject };

  sf_send (c->fd, &msg, NULL, 0);
  sf_client_end (c, reject->reason, "");
}

/* False: it is refused, and gone. */
static bool
admit (struct sf_client *c, const struct sf_observe *observe)
{
  struct sf_producer *p = c->producer;
  struct sf_reject reject = { .reason = SF_REASON_NONE };

  if (!sf_protocol_is_common (observe->version_min, observe->version_max)) {
    sf_producer_explain_version (observe->version_min, observe->version_max,
        &reject);
  } else if (count_observers (p) >= MAX_OBSERVERS) {
    reject.reason = SF_REASON_FULL;
    reject.limit = MAX_OBSERVERS;
    snprintf (reject.text, sizeof (reject.text), "%u others look at this "
        "producer already, more cannot; end one of them", MAX_OBSERVERS);
  }
  if (reject.reason != SF_REASON_NONE) {
    refuse (c, &reject);
    return false;
  }
  pthread_mutex_lock (&p->lock);
  c->state = SF_CLIENT_OBSERVING;
  pthread_mutex_unlock (&p->lock);
  return true;
}

void
sf_client_observe (struct sf_client *c, const struct sf_observe *observe)
{
  if (c->state == SF_CLIENT_OBSERVING || admit (c, observe)) {
    c->session.deadline = sf_now () + OBSERVER_TIMEOUT;
    answer (c, observe->before);
  }
}
