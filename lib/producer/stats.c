/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures of a producer and its clients. */
#include "producer/parts.h"

void
sf_producer_get_stats (struct sf_producer *p, struct sf_producer_stats *stats)
{
  pthread_mutex_lock (&p->lock);
  *stats = p->stats;
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    stats->n_clients += c->state == SF_CLIENT_ACTIVE;
    stats->n_lingering += c->state >= SF_CLIENT_LEAVING;
  }
  pthread_mutex_unlock (&p->lock);
  sf_slots_get_state (p->slots, &stats->slots);
}

uint32_t
sf_producer_get_clients (struct sf_producer *p, struct sf_client_info *info,
    uint32_t n)
{
  uint32_t i = 0;

  pthread_mutex_lock (&p->lock);
  for (struct sf_client *c = p->clients; c != NULL && i < n; c = c->next)
    if (c->state >= SF_CLIENT_ACTIVE)
      sf_client_info_locked (c, &info[i++]);
  pthread_mutex_unlock (&p->lock);
  return i;
}
