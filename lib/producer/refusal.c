/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refuses clients, and says why. */
#include <stdio.h>
#include <string.h>

#include "producer/parts.h"

void
sf_client_report_refusal (struct sf_producer *p,
    const struct sf_credentials *peer, const struct sf_reject *reject)
{
  pthread_mutex_lock (&p->lock);
  p->stats.clients_refused++;
  pthread_mutex_unlock (&p->lock);
  if (p->settings.callbacks.refused != NULL)
    p->settings.callbacks.refused (p->settings.user, peer, reject);
}

void
sf_client_refuse (struct sf_producer *p, int fd,
    const struct sf_credentials *peer, const struct sf_reject *reject)
{
  struct sf_message msg = { .type = SF_MESSAGE_REJECT, .reject = *reject };

  /* Count first: whoever is told may look. */
  sf_client_report_refusal (p, peer, reject);
  sf_send (fd, &msg, NULL, 0);
}

static uint32_t
outstanding (const struct sf_client *c)
{
  return c->leases != NULL ? sf_leases_outstanding (c->leases) : 0;
}

void
sf_producer_name_holder (struct sf_producer *p, struct sf_reject *reject)
{
  size_t len = strlen (reject->text);
  const struct sf_client *most = NULL;

  pthread_mutex_lock (&p->lock);
  for (struct sf_client *c = p->clients; c != NULL; c = c->next)
    if (c->state >= SF_CLIENT_LEAVING && outstanding (c) > 0
        && (most == NULL || outstanding (c) > outstanding (most)))
      most = c;
  if (most != NULL)
    snprintf (reject->text + len, sizeof (reject->text) - len,
        "; process %d (%s), which %s, still holds %u frame(s)",
        (int) most->peer.pid, most->hello.name, most->session.process_gone
        ? "has ended but had passed them on"
        : most->state == SF_CLIENT_LEAVING ? "has left" : "was disconnected",
        outstanding (most));
  pthread_mutex_unlock (&p->lock);
}

void
sf_producer_explain_version (uint32_t min, uint32_t max,
    struct sf_reject *reject)
{
  *reject = (struct sf_reject) { .reason = SF_REASON_VERSION };
  snprintf (reject->text, sizeof (reject->text), "the producer speaks protocol "
      "version %u, the client %u to %u; install the same release on both "
      "sides", SF_PROTOCOL_VERSION, min, max);
}

void
sf_producer_explain_full (struct sf_producer *p, struct sf_reject *reject)
{
  *reject = (struct sf_reject) {
    .reason = SF_REASON_FULL,
    .limit = p->settings.max_clients,
    .text = "all places are taken; raise max-clients of shmframesink",
  };
  sf_producer_name_holder (p, reject);
}
