/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sticky events, for clients that join late. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "producer/parts.h"

/* Unlinks and frees what `link` points to. */
static void
drop_locked (struct sf_producer *p, struct sf_sticky **link)
{
  struct sf_sticky *s = *link;

  *link = s->next;
  p->sticky.bytes -= s->size;
  free (s);
}

int
sf_sticky_keep_locked (struct sf_producer *p, uint64_t key, const void *body,
    uint32_t size)
{
  struct sf_sticky **link = &p->sticky.first;
  struct sf_sticky *s;
  uint32_t before;

  while (*link != NULL && (*link)->key < key)
    link = &(*link)->next;
  before = *link != NULL && (*link)->key == key ? (*link)->size : 0;
  if (p->sticky.bytes - before + size > SF_MAX_STICKY_BYTES)
    return -E2BIG;
  s = malloc (sizeof (*s) + size);
  if (s == NULL)
    return -ENOMEM;
  if (*link != NULL && (*link)->key == key)
    drop_locked (p, link);
  s->key = key;
  s->size = size;
  memcpy (s->body, body, size);
  s->next = *link;
  *link = s;
  p->sticky.bytes += size;
  return 0;
}

void
sf_sticky_forget_locked (struct sf_producer *p, uint64_t from, uint64_t to)
{
  struct sf_sticky **link = &p->sticky.first;

  while (*link != NULL) {
    if ((*link)->key >= from && (*link)->key <= to)
      drop_locked (p, link);
    else
      link = &(*link)->next;
  }
}

void
sf_producer_forget (struct sf_producer *p, uint64_t from, uint64_t to)
{
  pthread_mutex_lock (&p->lock);
  sf_sticky_forget_locked (p, from, to);
  pthread_mutex_unlock (&p->lock);
}
