/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "producer/leases.h"

#include <errno.h>

#include "shared/compiler.h"

SF_HOT static void
list_append (struct sf_leases *leases, struct sf_lease_list *list, uint32_t i)
{
  struct sf_lease_entry *e = &leases->entry[i];

  e->next = SF_NO_LEASE;
  e->prev = list->last;
  if (list->last != SF_NO_LEASE)
    leases->entry[list->last].next = i;
  else
    list->first = i;
  list->last = i;
  list->count++;
}

static void
list_remove (struct sf_leases *leases, struct sf_lease_list *list, uint32_t i)
{
  struct sf_lease_entry *e = &leases->entry[i];

  if (e->prev != SF_NO_LEASE)
    leases->entry[e->prev].next = e->next;
  else
    list->first = e->next;
  if (e->next != SF_NO_LEASE)
    leases->entry[e->next].prev = e->prev;
  else
    list->last = e->prev;
  list->count--;
}

void
sf_leases_init (struct sf_leases *leases, struct sf_returns_page *page)
{
  leases->page = page;
  leases->next_stamp = 1;
  leases->unclaimed = (struct sf_lease_list) { SF_NO_LEASE, SF_NO_LEASE, 0 };
  leases->held = leases->unclaimed;
  leases->n_free = SF_MAX_LEASES;
  leases->n_words = 0;
  /* Hand out low numbers first, so that few words are used and stay cached. */
  for (uint32_t i = 0; i < SF_MAX_LEASES; i++) {
    leases->free_stack[i] = SF_MAX_LEASES - 1 - i;
    leases->entry[i].state = SF_LEASE_FREE;
  }
}

SF_HOT int
sf_leases_add (struct sf_leases *leases, void *frame,
    struct sf_record_header *record)
{
  uint32_t i;
  struct sf_lease_entry *e;

  if (leases->n_free == 0)
    return -EAGAIN;
  i = leases->free_stack[--leases->n_free];
  if (i / 64 >= leases->n_words)
    leases->n_words = i / 64 + 1;
  e = &leases->entry[i];
  e->frame = frame;
  e->stamp = leases->next_stamp++;
  e->state = SF_LEASE_UNCLAIMED;
  list_append (leases, &leases->unclaimed, i);
  sf_publish_u64 (&leases->page->lease[i],
      SF_LEASE_WORD (e->stamp, SF_LEASE_ANNOUNCED));
  record->lease = i;
  record->lease_stamp = e->stamp;
  return 0;
}

static void *
release (struct sf_leases *leases, uint32_t i)
{
  struct sf_lease_entry *e = &leases->entry[i];
  void *frame = e->frame;

  list_remove (leases, e->state == SF_LEASE_HELD ? &leases->held
      : &leases->unclaimed, i);
  e->state = SF_LEASE_FREE;
  e->frame = NULL;
  leases->free_stack[leases->n_free++] = i;
  return frame;
}

/* Handles one bit of the returned words. 0 or -EPROTO. */
static int
return_one (struct sf_leases *leases, uint32_t i, sf_lease_done done,
    void *user)
{
  struct sf_lease_entry *e = &leases->entry[i];

  if (e->state == SF_LEASE_FREE)
    return -EPROTO;
  /* A frame can come back only if it was claimed. Revoked ones are FREE
   * already. */
  if (e->state == SF_LEASE_UNCLAIMED && sf_observe_u64 (&leases->page->lease[i])
      != SF_LEASE_WORD (e->stamp, SF_LEASE_CLAIMED))
    return -EPROTO;
  done (release (leases, i), user);
  return 0;
}

int
sf_leases_collect (struct sf_leases *leases, sf_lease_done done, void *user)
{
  int n = 0;
  int error = 0;

  /* What a client sets beyond is harmless until a lease is given there, and a
   * violation then. */
  for (uint32_t w = 0; w < leases->n_words; w++) {
    uint64_t bits;

    /* Most words are zero: read before writing leaves their cache lines
     * alone. */
    if (sf_load_hint (&leases->page->returned[w]) == 0)
      continue;
    bits = sf_take_bits (&leases->page->returned[w]);
    while (bits != 0) {
      uint32_t i = w * 64 + (uint32_t) __builtin_ctzll (bits);

      bits &= bits - 1;
      if (return_one (leases, i, done, user) < 0)
        error = -EPROTO;
      else
        n++;
    }
  }
  return error < 0 ? error : n;
}

/* Moves a lease from the unclaimed to the held. */
static void
note_claimed (struct sf_leases *leases, uint32_t i)
{
  list_remove (leases, &leases->unclaimed, i);
  leases->entry[i].state = SF_LEASE_HELD;
  list_append (leases, &leases->held, i);
}

/* 1; 0: it is claimed; -EPROTO: the client wrote something else. */
static int
revoke_one (struct sf_leases *leases, uint32_t i, sf_lease_done done,
    void *user)
{
  uint64_t stamp = leases->entry[i].stamp, seen;

  if (sf_decide_u64 (&leases->page->lease[i],
          SF_LEASE_WORD (stamp, SF_LEASE_ANNOUNCED),
          SF_LEASE_WORD (stamp, SF_LEASE_REVOKED), &seen)) {
    done (release (leases, i), user);
    return 1;
  }
  if (seen != SF_LEASE_WORD (stamp, SF_LEASE_CLAIMED))
    return -EPROTO;
  note_claimed (leases, i);
  return 0;
}

int
sf_leases_revoke_first (struct sf_leases *leases, sf_lease_done done,
    void *user)
{
  return leases->unclaimed.count == 0 ? 0 : revoke_one (leases,
      leases->unclaimed.first, done, user);
}

int
sf_leases_revoke_oldest (struct sf_leases *leases, sf_lease_done done,
    void *user)
{
  int r = 0;

  while (r == 0 && leases->unclaimed.count > 0)
    r = sf_leases_revoke_first (leases, done, user);
  return r;
}

int
sf_leases_revoke_newest (struct sf_leases *leases, sf_lease_done done,
    void *user)
{
  int r = 0;

  while (r == 0 && leases->unclaimed.count > 0)
    r = revoke_one (leases, leases->unclaimed.last, done, user);
  return r;
}

int
sf_leases_count_held (struct sf_leases *leases)
{
  /* Clients claim in order, so the first unclaimed lease ends the search. */
  while (leases->unclaimed.count > 0) {
    uint32_t i = leases->unclaimed.first;
    uint64_t stamp = leases->entry[i].stamp;
    uint64_t seen = sf_observe_u64 (&leases->page->lease[i]);

    if (seen == SF_LEASE_WORD (stamp, SF_LEASE_ANNOUNCED))
      break;
    if (seen != SF_LEASE_WORD (stamp, SF_LEASE_CLAIMED))
      return -EPROTO;
    note_claimed (leases, i);
  }
  return (int) leases->held.count;
}

void
sf_leases_clear (struct sf_leases *leases, sf_lease_done done, void *user)
{
  while (leases->unclaimed.count > 0)
    done (release (leases, leases->unclaimed.first), user);
  while (leases->held.count > 0)
    done (release (leases, leases->held.first), user);
}
