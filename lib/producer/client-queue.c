/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes into one client's ring, and what happens when the client does not
 * keep up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "producer/parts.h"

/* Fds that a live client may leave unread. */
#define MAX_UNREAD_FDS 8u
/* Where none can be sent, who has read nothing since the last try that is so
 * long ago (ns) is sent away. */
#define MIN_UNREAD INT64_C (200000000)
#define MAX_UNREAD INT64_C (10000000000)

static void
note_violation_locked (struct sf_client *c)
{
  sf_client_schedule_disconnect_locked (c, SF_REASON_VIOLATION);
}

/* Revokes what a live client has left unclaimed for longer than its max-lag. */
SF_HOT static void
limit_lag_locked (struct sf_client *c, int64_t now)
{
  while (c->leases->unclaimed.count >= SF_KEPT_QUEUED
      && c->pending_disconnect == 0) {
    const struct sf_frame *oldest =
        c->leases->entry[c->leases->unclaimed.first].frame;

    if (now - oldest->published <= c->hello.max_lag)
      return;
    sf_client_count_revoked_locked (c, SF_DROP_LAG,
        sf_leases_revoke_first (c->leases, sf_frame_done_locked, c->producer));
  }
}

/* Stops announcing to a live client until it has read its ring empty, and
 * revokes what it has not claimed, which will be too old by then. */
static void
overflow_locked (struct sf_client *c)
{
  c->queue.overflowed = true;
  sf_publish_u32 (&c->queue.ring.header->overflowed, 1);
  while (sf_client_revoke_locked (c, SF_DROP_QUEUE) > 0);
}

/* Tells whether the ring is empty, so that an overflow can end. */
static bool
has_read_all_locked (struct sf_client *c)
{
  if (sf_ring_update_read_pos (&c->queue.ring) < 0) {
    note_violation_locked (c);
    return false;
  }
  return c->queue.ring.read_pos == c->queue.ring.head;
}

SF_HOT int
sf_client_room_locked (struct sf_client *c, uint32_t payload_size, bool frame)
{
  int r = sf_ring_room (&c->queue.ring, payload_size);

  if (r == -EPROTO)
    note_violation_locked (c);
  if (!sf_client_is_lossless_locked (c) || r == -EPROTO)
    return 0;
  if (r == -ENOBUFS)
    return -EAGAIN;
  /* It overflowed while it was live, or by sticky events. The control thread
   * resends those and wakes it. */
  if (c->queue.overflowed) {
    c->producer->need_kick |= has_read_all_locked (c);
    return -EAGAIN;
  }
  if (frame && c->leases->n_free == 0)
    sf_client_collect_locked (c);
  return frame && c->leases->n_free == 0
      && c->pending_disconnect == 0 ? -EAGAIN : 0;
}

/* Writes one record; a ring without room for it overflows. */
SF_HOT static int
write_locked (struct sf_client *c, struct sf_record_header *record,
    const void *payload, uint32_t size)
{
  int r;

  /* Its ring was empty: the time for its next progress starts now. Frames that
   * it holds do not count, since a sink may keep the last one for good. */
  if (c->queue.ring.read_pos == c->queue.ring.head)
    c->liveness.last_progress = sf_now ();
  r = sf_ring_write (&c->queue.ring, record, payload, size);
  if (r == -EPROTO)
    note_violation_locked (c);
  else if (r < 0)
    overflow_locked (c);
  return r;
}

/* Sends the sticky events that it lacks until the ring is full; the rest
 * follows when the client has read all. */
static void
resend_sticky_locked (struct sf_client *c)
{
  struct sf_sticky *s = c->producer->sticky.first;

  for (; s != NULL; s = s->next) {
    struct sf_record_header record = {
      .type = SF_RECORD_EVENT,
      .flags = SF_RECORD_STICKY,
    };

    if (s->key < c->queue.sticky_from)
      continue;
    if (write_locked (c, &record, s->body, s->size) < 0) {
      c->queue.sticky_from = s->key;
      return;
    }
  }
  c->queue.sticky_from = SF_NO_KEY;
}

/* Ends an overflow once the ring is empty, and sends the sticky events that
 * were missed. False: still overflowed. */
SF_HOT static bool
try_recover_locked (struct sf_client *c)
{
  if (!c->queue.overflowed)
    return true;
  if (!has_read_all_locked (c))
    return false;
  c->queue.overflowed = false;
  sf_publish_u32 (&c->queue.ring.header->overflowed, 0);
  resend_sticky_locked (c);
  return !c->queue.overflowed;
}

SF_HOT void
sf_client_announce_locked (struct sf_client *c, struct sf_frame *frame,
    uint16_t flags)
{
  bool lossless = sf_client_is_lossless_locked (c);
  struct sf_record_header record = {
    .type = SF_RECORD_FRAME,
    .flags = flags | (lossless ? SF_RECORD_LOSSLESS : 0),
    .seq = frame->seq,
  };

  c->queue.lacks_segment = sf_client_missing_segment_locked (c, frame) != 0;
  if (c->queue.lacks_segment) {
    /* The control thread looks whether it can have the frame later. */
    sf_producer_want_tick_locked (c->producer, true);
    sf_client_drop_locked (c, SF_DROP_QUEUE, 1);
    return;
  }
  if (!try_recover_locked (c)) {
    sf_client_drop_locked (c, SF_DROP_QUEUE, 1);
    while (sf_client_revoke_locked (c, SF_DROP_QUEUE) > 0);
    return;
  }
  if (!lossless && frame->foreign)
    while (c->leases->unclaimed.count >= SF_MAX_FOREIGN_QUEUED
        && sf_client_revoke_locked (c, SF_DROP_QUEUE) > 0);
  if (!lossless && c->hello.max_lag > 0)
    limit_lag_locked (c, frame->published);
  if (c->leases->n_free == 0)
    sf_client_collect_locked (c);
  if (c->leases->n_free == 0)
    sf_client_revoke_locked (c, SF_DROP_QUEUE);
  if (sf_leases_add (c->leases, frame, &record) < 0) {
    sf_client_drop_locked (c, SF_DROP_QUEUE, 1);
    return;
  }
  frame->refs++;
  /* On failure the lease is gone already: overflow_locked() revoked it, or the
   * disconnect for a violation takes all leases back. */
  if (write_locked (c, &record, frame->payload, frame->payload_size) < 0)
    return;
  c->queue.last_seq = frame->seq;
  c->figures.frames++;
}

void
sf_client_recover_locked (struct sf_client *c)
{
  struct sf_frame *latest = c->producer->frames.latest;
  bool is_first = c->figures.frames == 0, had_it;

  if (c->queue.overflowed ? !try_recover_locked (c) : !c->queue.lacks_segment)
    return;
  had_it = latest == NULL || (latest->seq <= c->queue.last_seq && !is_first);
  c->queue.lacks_segment =
      !had_it && sf_client_missing_segment_locked (c, latest) != 0;
  if (!had_it && !c->queue.lacks_segment)
    sf_client_announce_locked (c, latest, is_first ? SF_RECORD_STICKY : 0);
}

void
sf_client_event_locked (struct sf_client *c, uint64_t key, const void *body,
    uint32_t size)
{
  struct sf_record_header record = { .type = SF_RECORD_EVENT };

  if (!c->queue.overflowed && write_locked (c, &record, body, size) == 0)
    return;
  /* Sticky events are sent again once it has recovered. */
  if (key < c->queue.sticky_from)
    c->queue.sticky_from = key;
}

void
sf_client_catch_up_locked (struct sf_client *c)
{
  c->queue.sticky_from = 0;
  resend_sticky_locked (c);
  if (c->producer->frames.latest != NULL && !c->queue.overflowed)
    sf_client_announce_locked (c, c->producer->frames.latest, SF_RECORD_STICKY);
}

SF_HOT bool
sf_client_was_sent_locked (const struct sf_client *c, uint32_t id)
{
  return id < c->segments.sent_size
      && (c->segments.sent[id / 64] >> (id % 64) & 1);
}

SF_HOT uint32_t
sf_client_missing_segment_locked (const struct sf_client *c,
    const struct sf_frame *frame)
{
  for (uint32_t i = 0; i < frame->n_parts; i++)
    if (!sf_client_was_sent_locked (c, frame->segment_ids[i]))
      return frame->segment_ids[i];
  return 0;
}

/* Returns the size of what it has not read of its socket; 0 as well where that
 * is not known. */
static int
unread_bytes (const struct sf_client *c)
{
  int bytes = 0;

  return ioctl (c->fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

static uint32_t
unread_fds_locked (struct sf_client *c)
{
  if (c->segments.n_unread_fds > 0 && unread_bytes (c) == 0)
    c->segments.n_unread_fds = 0;
  return c->segments.n_unread_fds;
}

/* Sums up the unread fds of all clients. `n_clients` is set to how many have
 * some. */
static uint32_t
sum_unread_fds_locked (struct sf_producer *p, uint32_t *n_clients)
{
  uint32_t sum = 0;

  *n_clients = 0;
  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    uint32_t n = c->pending_disconnect == 0 ? unread_fds_locked (c) : 0;

    sum += n;
    *n_clients += n > 0;
  }
  return sum;
}

/* A lossless client is exempt: it is waited for, so it cannot fall behind by
 * many formats. Half of the user's fds in flight stay free for clients that
 * read: once the other half is unread, each client gets its share of it. */
bool
sf_client_is_fd_limited_locked (struct sf_client *c)
{
  uint32_t n = unread_fds_locked (c), n_clients;
  struct rlimit limit;

  if (n == 0 || sf_client_is_lossless_locked (c))
    return false;
  return n >= MAX_UNREAD_FDS || (getrlimit (RLIMIT_NOFILE, &limit) == 0
      && sum_unread_fds_locked (c->producer, &n_clients)
      >= limit.rlim_cur / 2 && n >= limit.rlim_cur / 2 / n_clients);
}

/* Fds that were read before this message was sent count no longer, whether or
 * not the client has read the message. */
int
sf_client_send (struct sf_client *c, const struct sf_message *msg)
{
  pthread_mutex_lock (&c->producer->lock);
  unread_fds_locked (c);
  pthread_mutex_unlock (&c->producer->lock);
  return sf_send (c->fd, msg, NULL, 0);
}

/* Returns the one that leaves most fds unread of those that have read nothing
 * since the last call, or NULL. Fds that were read count as well while what
 * came behind them is unread: on a busy machine that is so for a moment. */
static struct sf_client *
find_hog_locked (struct sf_producer *p)
{
  struct sf_client *hog = NULL;
  uint32_t max = 0;

  for (struct sf_client *c = p->clients; c != NULL; c = c->next) {
    uint32_t n = c->pending_disconnect == 0 ? unread_fds_locked (c) : 0;
    int before = c->segments.unread_bytes;

    c->segments.unread_bytes = unread_bytes (c);
    if (n > max && before > 0 && c->segments.unread_bytes >= before) {
      max = n;
      hog = c;
    }
  }
  return hog;
}

void
sf_client_note_fds_locked (struct sf_client *c, unsigned n_fds, int r)
{
  struct sf_producer *p = c->producer;
  struct sf_client *hog;
  int64_t since;

  if (r == 0)
    c->segments.n_unread_fds += n_fds;
  since = r == -ETOOMANYREFS ? sf_now () - p->segments.looked_for_hog : 0;
  if (since < MIN_UNREAD)
    return;
  p->segments.looked_for_hog += since;
  hog = find_hog_locked (p);
  if (hog != NULL && since < MAX_UNREAD) {
    hog->evict_text =
        "it does not read what it is sent, and this user may have no "
        "more open files on their way (ulimit -n)";
    sf_client_schedule_disconnect_locked (hog, SF_REASON_SLOW);
  }
}

/* Makes room for the bit of this id. 0 or -ENOMEM. */
static int
reserve_sent_locked (struct sf_client *c, uint32_t id)
{
  uint32_t size = (id / 64 + 4) * 64;
  uint64_t *bits;

  if (id < c->segments.sent_size)
    return 0;
  bits = realloc (c->segments.sent, size / 8);
  if (bits == NULL)
    return -ENOMEM;
  memset (bits + c->segments.sent_size / 64, 0,
      (size - c->segments.sent_size) / 8);
  c->segments.sent = bits;
  c->segments.sent_size = size;
  return 0;
}

/* Called without the lock. */
static int
send_segment (struct sf_client *c, const struct sf_segment *segment,
    uint32_t id, unsigned *n_fds)
{
  struct sf_message msg = { .type = SF_MESSAGE_SEGMENT };
  int fds[1 + SF_MAX_GUARDS];
  unsigned n = 1;

  SF_HOOK ("send-segment");
  sf_segment_describe (segment, id, &msg.segment);
  fds[0] = segment->shm.fd;
  for (unsigned i = 0; i < SF_MAX_GUARDS && segment->guards[i] >= 0; i++)
    fds[n++] = segment->guards[i];
  if (n > 1)
    SF_HOOK ("relay-segment");
  *n_fds = n;
  return sf_send (c->fd, &msg, fds, n);
}

/* Sets the bit only after sending, since frames are announced once it is
 * set. */
static int
send_and_note_locked (struct sf_client *c, struct sf_segment *segment,
    uint32_t id)
{
  struct sf_producer *p = c->producer;
  unsigned n_fds;
  int r;

  c->segments.sending = true;
  sf_segment_ref (segment);
  pthread_mutex_unlock (&p->lock);
  r = send_segment (c, segment, id, &n_fds);
  sf_segment_unref (segment);
  pthread_mutex_lock (&p->lock);
  c->segments.sending = false;
  pthread_cond_broadcast (&p->cond);
  sf_client_note_fds_locked (c, n_fds, r);
  if (r == 0)
    c->segments.sent[id / 64] |= UINT64_C (1) << (id % 64);
  else if (r != -ETOOMANYREFS)
    /* EAGAIN: hundreds of messages are unread. */
    sf_client_schedule_disconnect_locked (c, r == -EAGAIN ? SF_REASON_SLOW
        : SF_REASON_HANGUP);
  return r == -ETOOMANYREFS ? r : r == 0;
}

int
sf_client_send_segment (struct sf_client *c, uint32_t id)
{
  struct sf_producer *p = c->producer;
  struct sf_known_segment *k = sf_known_find_locked (p, id);
  int r = 0;

  if (k == NULL || reserve_sent_locked (c, id) < 0) {
    sf_client_schedule_disconnect_locked (c, SF_REASON_RESOURCES);
    return 0;
  }
  sf_client_ref (c);
  if (!c->segments.sending)
    r = send_and_note_locked (c, k->segment, id);
  else
    /* Wait until the other thread is done; the caller looks again. */
    while (c->segments.sending)
      pthread_cond_wait (&p->cond, &p->lock);
  sf_client_unref (c);
  return r;
}
