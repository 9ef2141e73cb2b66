/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The origin: frames in bursts and with pauses, of growing size. A second producer in
 * its process, the side, publishes some of them, too. */
#include "peer.h"

#define FIRST_WORDS 512u
#define LAST_WORDS 8192u
#define MAX_STALL ((CLIENT_TIMEOUT_MS + 1000) * MS)
/* How long all clients may take to be forgotten. */
#define CENSUS_NS (10 * SF_NS_PER_SECOND)

/* One frame in so many. */
#define SIDE_SHARE 4u

struct origin
{
  struct sf_producer *p, *side;
  uint64_t index;
  uint32_t n_words;
  bool lossless;
  struct census start;
};

static void
set_size (struct origin *o, uint32_t n_words)
{
  uint64_t needed;

  o->n_words = n_words;
  must_be (sf_producer_set_format (o->p, n_words * 8u, 1, &needed), 0);
}

/* For room, up to the longest stall there may be. -ENODATA is no end: clients
 * may be on their way. */
static void
wait_for_room (struct origin *o, uint64_t token)
{
  int r = sf_producer_wait (o->p, token);

  me->heartbeat = (uint64_t) sf_now ();
  if (r == -ENODATA)
    usleep (1000);
  else
    must_be (r, 0);
}

/* A slot that two producers may have published. */
struct shared
{
  struct sf_slot slot;
  _Atomic uint32_t refs;
};

/* sf_release */
static void
shared_unref (void *shared)
{
  struct shared *s = shared;

  if (atomic_fetch_sub (&s->refs, 1) > 1)
    return;
  sf_slots_release (&s->slot);
  free (s);
}

/* NULL: live, and there is none. */
static struct shared *
take_slot (struct origin *o)
{
  struct shared *shared = malloc (sizeof *shared);

  for (;;) {
    uint64_t token = sf_producer_token (o->p);
    int r = sf_producer_acquire_slot (o->p, o->n_words * 8u, 0, &shared->slot);

    if (r == 0) {
      shared->refs = 1;
      return shared;
    }
    must_be (r, -EAGAIN);
    if (!o->lossless || leave) {
      free (shared);
      return NULL;
    }
    wait_for_room (o, token);
  }
}

static void
fill (struct origin *o, const struct sf_slot *slot)
{
  uint64_t *words = (uint64_t *) sf_segment_slot (slot->segment, slot->index);
  uint64_t number = (uint64_t) me->life << 28 | o->index;

  for (uint32_t i = 0; i < o->n_words; i++)
    words[i] = word_of (number, i);
}

static int
try_publish (struct sf_producer *p, struct shared *shared, bool lossless,
    uint64_t index, uint32_t n_words)
{
  struct stamp stamp = {.index = index,.life = me->life,.lossless =
        lossless,.n_words = n_words
  };
  struct sf_memory_ref part = {.segment = shared->slot.segment,.slot =
        shared->slot.index,.size = n_words * 8u
  };
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        &stamp,.body_size = sizeof stamp,.release = shared_unref,.user =
        shared
  };

  return sf_producer_publish (p, &pub);
}

static void
publish_at_side (struct origin *o, struct shared *shared)
{
  shared->refs++;
  must_be (try_publish (o->side, shared, false, o->index, o->n_words), 0);
}

static void
publish (struct origin *o, struct shared *shared)
{
  for (;;) {
    uint64_t token = sf_producer_token (o->p);
    int r = try_publish (o->p, shared, o->lossless, o->index, o->n_words);

    if (r == 0)
      break;
    must_be (r, -EAGAIN);
    wait_for_room (o, token);
  }
  o->index++;
  seats->published[me->life % MAX_LIVES] = o->index;
  me->order = (uint64_t) me->life << 32 | (o->index - 1);
  me->figures.frames++;
}

/* One frame, and how long it took. */
static void
produce (struct origin *o)
{
  uint32_t disturbed = me->disturbed;
  int64_t began = sf_now (), took;
  struct shared *shared = take_slot (o);

  if (shared != NULL) {
    fill (o, &shared->slot);
    if (o->index % SIDE_SHARE == 0)
      publish_at_side (o, shared);
    publish (o, shared);
  } else {
    me->figures.dropped++;
  }
  took = sf_now () - began;
  if (me->disturbed != disturbed)
    return;
  raise_figure (&me->figures.longest_stall, (uint64_t) took);
  if (took > MAX_STALL)
    fault ("stalled for %lld ms", (long long) (took / MS));
}

/* All clients are gone: is all else as it was? */
static void
answer_census (struct origin *o)
{
  int64_t until = sf_now () + CENSUS_NS;
  struct sf_producer_stats stats;
  struct census now;

  /* So that the latest frame, which stays for who comes next, is of the segment
   * in use, and the side's as well. */
  do
    produce (o);
  while (o->index % SIDE_SHARE != 1 && !leave);
  for (;;) {
    me->heartbeat = (uint64_t) sf_now ();
    sf_producer_get_stats (o->p, &stats);
    take_census (&now);
    if (stats.n_clients + stats.n_lingering == 0
        && stats.slots.n_slots - stats.slots.n_free <= 2
        && stats.slots.n_segments == 1 && now.fds == o->start.fds
        && now.threads == o->start.threads && now.maps <= o->start.maps)
      break;
    if (sf_now () > until)
      fault ("after all clients: %u clients, %u lingering, %u of %u slots free, "
          "%u segments, %d fds, %d maps (there may be %d and %d)",
          stats.n_clients, stats.n_lingering, stats.slots.n_free,
          stats.slots.n_slots, stats.slots.n_segments, now.fds, now.maps,
          o->start.fds, o->start.maps);
    usleep (5000);
  }
  me->counted = me->census;
}

/* Bursts, a steady pace, and pauses longer than client-timeout: who was idle
 * with us must not be taken for slow. */
static void
rest (void)
{
  uint32_t dice = random_below (&seed, 1000);

  if (dice < 2)
    usleep ((CLIENT_TIMEOUT_MS + 50) * 1000);
  else if (dice < 500)
    usleep (random_below (&seed, 1500));
}

/* In a child. */
static void
let_go (void *origin)
{
  struct origin *o = origin;

  sf_producer_close (o->side);
  sf_producer_close (o->p);
}

static void
open_side (struct origin *o)
{
  o->side = peer_open_producer (SIDE, CLIENT_TIMEOUT_MS * MS, false);
}

/* What the driver wants changed, besides the census. */
static void
obey (struct origin *o)
{
  static const uint32_t sizes[] = { 512, 16384, 1024, 32768, 4096 };
  uint32_t format = me->format, side = me->side;

  if (side != me->side_done) {
    sf_producer_close (o->side);
    open_side (o);
    me->side_done = side;
  }
  if (format != me->format_done) {
    set_size (o, sizes[format % (sizeof sizes / sizeof sizes[0])]);
    produce (o);
    me->format_done = format;
  }
}

void
run_producer (void)
{
  struct origin o = {.lossless = me->lossless };
  struct census before;

  take_census (&before);
  limit_fds ();
  /* Without clients: its socket, epoll, eventfd and segment, its thread; those of the
   * side, but for a segment. Of a
   * segment that has grown, what is there of the head and of the slots, and the
   * addresses behind each. */
  o.start = before;
  o.start.fds += 4 + 3;
  o.start.threads += 2;
  o.start.maps += 4;
  o.p = peer_open_producer (ORIGIN, CLIENT_TIMEOUT_MS * MS, o.lossless);
  set_size (&o, FIRST_WORDS);
  open_side (&o);
  me->ready = me->life;
  while (!leave) {
    me->heartbeat = (uint64_t) sf_now ();
    if (me->census != me->counted)
      answer_census (&o);
    produce (&o);
    obey (&o);
    children_have (let_go, &o);
    if (o.index % 2000 == 1999)
      set_size (&o, o.n_words < LAST_WORDS ? o.n_words * 2 : FIRST_WORDS);
    rest ();
  }
  sf_producer_close (o.side);
  sf_producer_close (o.p);
  must_become (&before);
}
