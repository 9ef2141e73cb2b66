/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection's memory, and the leases on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "consumer/consumer-private.h"

static void
close_fds (const int fds[SF_MESSAGE_MAX_FDS])
{
  for (unsigned i = 0; i < SF_MESSAGE_MAX_FDS; i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

SF_HOT struct sf_link *
sf_link_ref (struct sf_link *link)
{
  sf_ref (&link->refs);
  return link;
}

SF_HOT void
sf_link_unref (struct sf_link *link)
{
  if (link == NULL || !sf_unref_is_last (&link->refs))
    return;
  for (uint32_t i = 0; i < link->n_segments; i++)
    sf_segment_unref (link->segments[i].segment);
  free (link->segments);
  sf_shm_close (&link->announce);
  sf_shm_close (&link->returns);
  /* The socket before the guard: the producer hears that we leave before it
   * hears that nobody reads any more. */
  sf_fd_shut (link->fd);
  sf_guard_unref (link->guard);
  pthread_mutex_destroy (&link->lock);
  free (link);
}

int
sf_link_new (struct sf_link **link, int fd, const struct sf_welcome *welcome,
    int fds[SF_MESSAGE_MAX_FDS])
{
  struct sf_link *l = calloc (1, sizeof (*l));
  int r;

  if (l == NULL) {
    close_fds (fds);
    sf_fd_close (fd);
    return -ENOMEM;
  }
  l->refs = 1;
  l->generation = sf_generation;
  l->brisk_enough = SF_BRISK_ENOUGH;
  l->fd = fd;
  l->producer_id = welcome->producer_id;
  l->max_held = welcome->max_held;
  l->announce.fd = l->returns.fd = -1;
  pthread_mutex_init (&l->lock, NULL);
  l->guard = sf_guard_new (fds[2]);
  r = sf_shm_open (&l->announce, fds[0], welcome->announce_size,
      SF_SHM_SEALED);
  if (r < 0)
    close (fds[1]);
  else if (welcome->returns_size != sizeof (struct sf_returns_page)) {
    close (fds[1]);
    r = -EPROTO;
  } else {
    r = sf_shm_open (&l->returns, fds[1], welcome->returns_size,
        SF_SHM_SHARED);
  }
  if (r == 0 && welcome->announce_size <= SF_ANNOUNCE_DATA_OFFSET)
    r = -EPROTO;
  if (l->guard == NULL)
    r = -ENOMEM;
  if (r == 0)
    r = sf_ring_reader_init (&l->ring, l->announce.map, l->announce.size,
        l->returns.map);
  if (r < 0) {
    sf_link_unref (l);
    return r;
  }
  sf_shm_keep_map (&l->announce);
  sf_shm_keep_map (&l->returns);
  *link = l;
  return 0;
}

/* More than a producer needs that relays those of many others. */
#define MAX_SEGMENTS 256u

/* Slots are in memory, so all of them are less than there is; but those of another
 * producer may come in two ways. The same memory under many ids would take page
 * tables without end. */
bool
sf_link_is_within_bounds (struct sf_link *link)
{
  struct sysinfo info;
  uint64_t sum = 0;

  pthread_mutex_lock (&link->lock);
  for (uint32_t i = 0; i < link->n_segments; i++)
    sum += sf_observe_u32 (&link->segments[i].segment->n_slots)
        * link->segments[i].segment->pitch;
  pthread_mutex_unlock (&link->lock);
  return sysinfo (&info) < 0 || sum / 2 / info.mem_unit
      <= (uint64_t) info.totalram + info.totalswap;
}

/* Has an id that no other has, and is not one too many. Only the control thread
 * adds segments. */
static bool
is_welcome (struct sf_link *link, uint32_t id)
{
  bool welcome;

  pthread_mutex_lock (&link->lock);
  welcome = link->n_segments < MAX_SEGMENTS;
  for (uint32_t i = 0; i < link->n_segments; i++)
    welcome = welcome && link->segments[i].id != id;
  pthread_mutex_unlock (&link->lock);
  return welcome;
}

int
sf_link_add_segment (struct sf_link *link, const struct sf_segment_info *info,
    const int fds[SF_MESSAGE_MAX_FDS])
{
  struct sf_link_segment *table;
  struct sf_segment *segment;
  int guards[SF_MAX_GUARDS];
  int r = is_welcome (link, info->id) ? 0 : -EPROTO;

  if (r < 0) {
    close_fds (fds);
    return r;
  }
  /* The link's guard, so that our producer knows whether we read, and the guards
   * of those who relayed the segment to it. */
  memcpy (guards, fds, sizeof (guards));
  guards[0] = -1;
  r = sf_segment_open (&segment, fds[0], link->guard, guards, info);
  if (r < 0)
    return r;
  segment->passed_on = &link->ring.page->passed_on;
  pthread_mutex_lock (&link->lock);
  table = realloc (link->segments, (link->n_segments + 1) * sizeof (*table));
  if (table != NULL) {
    link->segments = table;
    table[link->n_segments++] = (struct sf_link_segment) {
    info->id, segment};
  }
  pthread_mutex_unlock (&link->lock);
  if (table == NULL) {
    sf_segment_unref (segment);
    return -ENOMEM;
  }
  return sf_link_is_within_bounds (link) ? 0 : -EPROTO;
}

void
sf_link_remove_segment (struct sf_link *link, uint32_t id)
{
  struct sf_segment *segment = NULL;

  pthread_mutex_lock (&link->lock);
  for (uint32_t i = 0; i < link->n_segments; i++) {
    if (link->segments[i].id == id) {
      segment = link->segments[i].segment;
      link->segments[i] = link->segments[--link->n_segments];
      break;
    }
  }
  pthread_mutex_unlock (&link->lock);
  if (segment != NULL) {
    sf_publish_u32 (&segment->retired, 1);
    sf_segment_unref (segment);
  }
}

/* The n-th one, referenced; NULL: there are not so many. */
static struct sf_segment *
ref_segment (struct sf_link *link, uint32_t n)
{
  struct sf_segment *segment = NULL;

  pthread_mutex_lock (&link->lock);
  if (n < link->n_segments)
    segment = sf_segment_ref (link->segments[n].segment);
  pthread_mutex_unlock (&link->lock);
  return segment;
}

int
sf_link_follow (struct sf_link *link)
{
  struct sf_segment *segment;
  bool mapped = false;
  int r = 0;

  for (uint32_t i = 0; r == 0 && (segment = ref_segment (link, i)); i++) {
    if (sf_segment_has_grown (segment)) {
      r = sf_segment_follow (segment, 0);
      mapped = true;
    }
    sf_segment_unref (segment);
  }
  /* Without memory now, it is tried once more when a frame needs it. */
  return r == -EPROTO || (mapped && !sf_link_is_within_bounds (link))
      ? -EPROTO : 0;
}

bool
sf_consumer_free_ended (struct sf_consumer *c)
{
  struct sf_link **at = &c->ended;

  while (*at != NULL) {
    struct sf_link *link = *at;

    if (sf_observe_u32 (&link->refs) == 1) {
      *at = link->next_ended;
      sf_link_unref (link);
    } else {
      at = &link->next_ended;
    }
  }
  return c->ended != NULL;
}

SF_HOT struct sf_segment *
sf_link_find_segment (struct sf_link *link, uint32_t id)
{
  struct sf_segment *found = NULL;

  pthread_mutex_lock (&link->lock);
  for (uint32_t i = 0; i < link->n_segments && found == NULL; i++)
    if (link->segments[i].id == id)
      found = sf_segment_ref (link->segments[i].segment);
  pthread_mutex_unlock (&link->lock);
  return found;
}

void
sf_link_wake (struct sf_link *link)
{
  sf_bump_u32 (&link->ring.page->wake);
  sf_futex_wake (&link->ring.page->wake);
}

void
sf_link_end (struct sf_link *link, const struct sf_reject *farewell)
{
  /* Both threads may come to it at once: the first one's reason counts. */
  pthread_mutex_lock (&link->lock);
  if (sf_observe_u32 (&link->over) == 0) {
    link->farewell = *farewell;
    for (uint32_t i = 0; i < link->n_segments; i++)
      sf_publish_u32 (&link->segments[i].segment->retired, 1);
    sf_publish_u32 (&link->over, 1);
  }
  pthread_mutex_unlock (&link->lock);
  sf_link_wake (link);
}

SF_HOT struct sf_lease *
sf_lease_ref (struct sf_lease *lease)
{
  sf_ref (&lease->refs);
  return lease;
}

void
sf_link_kick (struct sf_link *link)
{
  struct sf_message msg = {.type = SF_MESSAGE_KICK };

  /* Over the socket, not an eventfd: whether a write to that one may block is
   * a flag that the other side can change. A full socket is read soon anyway. */
  sf_send (link->fd, &msg, NULL, 0);
}

bool
sf_link_answer (struct sf_link *link, sf_atomic_u32 *paused)
{
  struct sf_message msg = {.type = SF_MESSAGE_PONG,.paused =
        sf_load_flag (paused)
  };

  link->pong_due = link->pong_due
      && sf_send (link->fd, &msg, NULL, 0) == -EAGAIN;
  return !link->pong_due;
}

/* One return for each wish of the producer is signalled: it looks at all. */
static void
signal_return (struct sf_link *link)
{
  uint32_t want = sf_load_flag (&link->ring.header->want_returns);

  if (want != 0 && sf_swap_flag (&link->signalled, want) != want)
    sf_link_kick (link);
}

SF_HOT void
sf_link_return (struct sf_link *link, uint32_t lease)
{
  sf_set_bits (&link->ring.page->returned[lease / 64],
      UINT64_C (1) << (lease % 64));
  SF_HOOK ("returned");
  /* The producer sees the bit, or we see that it waits. */
  sf_fence_store_load ();
  signal_return (link);
}

SF_HOT void
sf_lease_unref (struct sf_lease *lease)
{
  struct sf_link *link = lease->link;

  /* In a child: the frame is its parent's, to be returned by that one. */
  if (sf_is_inherited (link->generation)
      || !sf_unref_is_last (&lease->refs))
    return;
  for (uint32_t i = 0; i < lease->n_segments; i++)
    sf_segment_unref (lease->segments[i]);
  if (!lease->kept)
    sf_link_return (link, lease->index);
  sf_unref_is_last (&link->held);
  sf_fence_store_load ();
  if (sf_load_flag (&link->wants_room) != 0)
    sf_link_wake (link);
  sf_link_unref (link);
  free (lease);
}
