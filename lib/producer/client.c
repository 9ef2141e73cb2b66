/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One client: its lifetime, its limit, and what it returned. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "producer/parts.h"

/* A process that runs has mostly answered a PING by then (ns). */
#define ANSWER_WITHIN (SF_NS_PER_SECOND / 4)

SF_HOT struct sf_client *
sf_client_ref (struct sf_client *c)
{
  sf_ref (&c->refs);
  return c;
}

SF_HOT void
sf_client_unref (struct sf_client *c)
{
  sf_unref_is_last (&c->refs);
}

static void
free_client (struct sf_client *c)
{
  sf_fd_shut (c->fd);
  sf_fd_close (c->session.guard_fd);
  sf_fd_close (c->session.process_fd);
  sf_shm_close (&c->queue.announce);
  sf_shm_close (&c->queue.returns);
  free (c->leases);
  free (c->segments.sent);
  free (c);
}

/* Frees clients here, since closing and unmapping take time that the publisher
 * has not. */
void
sf_producer_free_removed (struct sf_producer *p)
{
  struct sf_client **link = &p->control.removed;

  while (*link != NULL) {
    struct sf_client *c = *link;

    if (sf_observe_u32 (&c->refs) == 1) {
      *link = c->session.next_removed;
      free_client (c);
    } else {
      link = &c->session.next_removed;
    }
  }
}

int
sf_client_watch (struct sf_client *c, int fd, uint32_t events, unsigned tag)
{
  /* The low bits of the pointer tell the fds of a client apart. */
  struct epoll_event ev = {
    .events = events,
    .data.u64 = (uint64_t) (uintptr_t) c | tag,
  };

  return epoll_ctl (c->producer->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0
      ? -errno : 0;
}

SF_HOT bool
sf_client_is_lossless_locked (const struct sf_client *c)
{
  return c->producer->delivery.lossless
      && c->hello.delivery != SF_DELIVERY_LIVE;
}

SF_HOT bool
sf_client_is_served_locked (const struct sf_client *c)
{
  return c->state == SF_CLIENT_ACTIVE && c->pending_disconnect == 0;
}

void
sf_client_schedule_disconnect_locked (struct sf_client *c, uint32_t reason)
{
  if (c->pending_disconnect != 0)
    return;
  c->pending_disconnect = reason;
  c->producer->need_kick = true;
}

/* Returns how many frames it may hold: its grant, or for a while what it had
 * before that became less. */
static uint32_t
limit_locked (struct sf_client *c)
{
  if (c->grant.grace > c->grant.max_held && sf_now () >= c->grant.grace_until) {
    c->grant.grace_until = INT64_MAX;
    if (c->leases->held.count > c->grant.max_held)
      sf_client_schedule_disconnect_locked (c, SF_REASON_MEMORY);
    else
      c->grant.grace = 0;
  }
  return c->grant.grace >
      c->grant.max_held ? c->grant.grace : c->grant.max_held;
}

/* Counts claims before returns: the other order can count one frame twice.
 * Holding more than granted takes slots that others were promised. There is no
 * limit while the producer closes, so that clients can claim all that is
 * announced. */
static int
collect_from_locked (struct sf_client *c)
{
  int n = sf_leases_count_held (c->leases);

  if (n >= 0)
    n = sf_leases_collect (c->leases, sf_frame_done_locked, c->producer);
  return c->leases->held.count > limit_locked (c)
      && !c->producer->stopping ? -EPROTO : n;
}

int
sf_client_collect_locked (struct sf_client *c)
{
  uint64_t read_pos = c->queue.ring.read_pos;
  int n;

  if (c->leases == NULL || c->pending_disconnect == SF_REASON_VIOLATION)
    return 0;
  n = collect_from_locked (c);
  if (n < 0 || sf_ring_update_read_pos (&c->queue.ring) < 0) {
    sf_client_schedule_disconnect_locked (c, SF_REASON_VIOLATION);
    return 0;
  }
  c->figures.n_returned += (uint64_t) n;
  if (n > 0 || c->queue.ring.read_pos != read_pos)
    c->liveness.last_progress = sf_now ();
  /* Room in the ring counts as progress for a publisher that waits. */
  return n + (c->queue.ring.read_pos != read_pos && c->producer->waiting.n > 0);
}

void
sf_client_drop_locked (struct sf_client *c, enum sf_drop why, uint32_t n)
{
  c->figures.dropped[why] += n;
  c->producer->stats.dropped[why] += n;
}

int
sf_client_count_revoked_locked (struct sf_client *c, enum sf_drop why, int r)
{
  if (r < 0)
    sf_client_schedule_disconnect_locked (c, SF_REASON_VIOLATION);
  if (r <= 0)
    return 0;
  sf_client_drop_locked (c, why, 1);
  c->producer->stats.revoked++;
  return 1;
}

int
sf_client_revoke_locked (struct sf_client *c, enum sf_drop why)
{
  return sf_client_count_revoked_locked (c, why,
      sf_leases_revoke_oldest (c->leases, sf_frame_done_locked, c->producer));
}

static bool
is_silent_locked (const struct sf_client *c)
{
  return c->liveness.ping_sent != 0
      && sf_now () - c->liveness.ping_sent > ANSWER_WITHIN;
}

void
sf_client_info_locked (struct sf_client *c, struct sf_client_info *info)
{
  *info = (struct sf_client_info) {
    .id = c->id,
    .peer = c->peer,
    .lossless = sf_client_is_lossless_locked (c),
    .lingering = c->state >= SF_CLIENT_LEAVING,
    .max_held = c->grant.max_held,
    .frames = c->figures.frames,
    .unclaimed = c->figures.unclaimed,
    .paused = c->liveness.paused,
    .silent = is_silent_locked (c),
  };
  memcpy (info->name, c->hello.name, sizeof (info->name));
  memcpy (info->drops, c->figures.dropped, sizeof (info->drops));
  for (unsigned i = 0; i < SF_N_DROPS; i++)
    info->dropped += c->figures.dropped[i];
  if (c->leases != NULL) {
    int held = sf_leases_count_held (c->leases);

    info->held = held > 0 ? (uint32_t) held : 0;
    info->queued = c->leases->unclaimed.count;
    if (info->queued > 0)
      info->lag = sf_now () - ((const struct sf_frame *)
          c->leases->entry[c->leases->unclaimed.first].frame)->published;
  }
}
