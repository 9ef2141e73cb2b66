/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events that a client gets which joins late. */
#include <stdlib.h>
#include <string.h>

#include "producer-private.h"

int
sf_sticky_keep_locked (struct sf_producer *p, uint64_t key, const void *body,
    uint32_t size)
{
  struct sf_sticky **link = &p->sticky;
  struct sf_sticky *s = malloc (sizeof (*s) + size);

  if (s == NULL)
    return -ENOMEM;
  s->key = key;
  s->size = size;
  memcpy (s->body, body, size);
  while (*link != NULL && (*link)->key < key)
    link = &(*link)->next;
  s->next = *link;
  if (s->next != NULL && s->next->key == key) {
    struct sf_sticky *old = s->next;

    s->next = old->next;
    free (old);
  }
  *link = s;
  return 0;
}

void
sf_sticky_forget_locked (struct sf_producer *p, uint64_t from, uint64_t to)
{
  struct sf_sticky **link = &p->sticky;

  while (*link != NULL) {
    struct sf_sticky *s = *link;

    if (s->key >= from && s->key <= to) {
      *link = s->next;
      free (s);
    } else {
      link = &s->next;
    }
  }
}

void
sf_producer_forget (struct sf_producer *p, uint64_t from, uint64_t to)
{
  pthread_mutex_lock (&p->lock);
  sf_sticky_forget_locked (p, from, to);
  pthread_mutex_unlock (&p->lock);
}
