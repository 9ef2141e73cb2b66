/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consumers, which hold some frames for a while; and relays, which pass frames
 * on by their origin. */
#include "peer.h"

#define FIRST_HELD 2u
#define MAX_HELD 4u
#define MOST_HELD 64u           /* whatever its appetite */
/* The second relay holds less than the first, which holds that, too. */
#define RELAY_HELD (me->source == ORIGIN ? 32u : 16u)
#define LOOK (50 * MS)

struct consumer
{
  struct sf_consumer *c;
  struct watch watch;
  struct held held[MOST_HELD];
  uint32_t n_held, want, appetite;
};

static void
give_back_first (struct consumer *s)
{
  held_check (&s->held[0]);
  sf_lease_unref (s->held[0].lease);
  memmove (s->held, s->held + 1, --s->n_held * sizeof s->held[0]);
  me->holds = s->n_held;
}

/* The driver wants it to hold so many. */
static void
feel_appetite (struct consumer *s)
{
  if (me->appetite > s->appetite)
    sf_consumer_want (s->c, me->appetite);
  s->appetite = me->appetite;
}

/* In moods, so that the ring is now empty, now full. */
static void
enjoy (struct consumer *s)
{
  uint64_t mood = (uint64_t) (sf_now () / (500 * MS) + (me - seats->seat))
      * 2654435761u >> 8;

  if ((mood & 7) == 0)
    usleep (4000);
  else if ((mood & 7) == 1)
    usleep (random_below (&seed, 1000));
  s->want = s->appetite > 0 ? s->appetite - random_below (&seed, MAX_HELD)
      : random_below (&seed, MAX_HELD);
}

/* From when on the source was there, as far as nobody was disturbed. */
static void
note_reconnect (const struct watch *w)
{
  const struct seat *source = &seats->seat[me->source];
  int64_t since = w->lost_at;

  if (source->calm != source->disturbed || w->disturbed != me->disturbed
      || me >= &seats->seat[FIRST_GUEST])
    return;
  if ((int64_t) source->opened > since)
    since = (int64_t) source->opened;
  since = sf_now () - since;
  me->figures.reconnects++;
  me->figures.late_reconnects += since > 100 * MS;
  raise_figure (&me->figures.longest_reconnect, (uint64_t) since);
}

static void
consume (struct consumer *s)
{
  struct sf_received in;
  int r;

  watch_look (&s->watch);
  feel_appetite (s);
  r = sf_consumer_next (s->c, &in, LOOK);
  if (r == 0 || in.kind == SF_RECEIVED_HOLDING) {
    while (s->n_held > 0)
      give_back_first (s);
    return;
  }
  must_be (r, 1);
  switch (in.kind) {
    case SF_RECEIVED_CONNECTED:
      note_reconnect (&s->watch);
      watch_connected (&s->watch, &in);
      break;
    case SF_RECEIVED_FRAME:
      watch_frame (&s->watch, &in, &s->held[s->n_held++]);
      me->holds = s->n_held;
      enjoy (s);
      while (s->n_held > s->want)
        give_back_first (s);
      if (me->order % 64 == 0)
        sf_consumer_want (s->c, MAX_HELD);
      break;
    case SF_RECEIVED_DISCONNECTED:
      watch_disconnected (&s->watch, &in);
      break;
    case SF_RECEIVED_FAILED:
      fault ("failed: %s %s", strerror (-in.error), in.reject.text);
    default:
      break;
  }
}

/* In a child. */
static void
let_go_all (void *consumer)
{
  struct consumer *s = consumer;

  for (uint32_t i = 0; i < s->n_held; i++)
    sf_lease_unref (s->held[i].lease);
  sf_consumer_close (s->c);
}

void
run_consumer (void)
{
  struct census before;
  struct consumer s = { 0 };

  take_census (&before);
  watch_begin (&s.watch);
  s.c = peer_open_consumer (me->source, FIRST_HELD);
  me->ready = me->life;
  while (!leave) {
    consume (&s);
    children_have (let_go_all, &s);
  }
  while (s.n_held > 0)
    give_back_first (&s);
  sf_consumer_close (s.c);
  must_become (&before);
}

struct relay
{
  struct sf_consumer *c;
  struct sf_producer *p;
  struct watch watch;
  uint32_t gap;
  uint64_t passed;              /* the order of the last frame */
};

/* sf_release */
static void
release_relayed (void *held)
{
  struct held *h = held;

  held_check (h);
  sf_lease_unref (h->lease);
  free (h);
}

static void
pass_on (struct relay *r, const struct sf_received *in)
{
  struct held *h = malloc (sizeof *h);
  struct stamp stamp;
  struct sf_memory_ref part = {.segment = in->parts[0].segment,.slot =
        in->parts[0].slot,.offset = in->parts[0].offset,.size =
        in->parts[0].size
  };
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        &stamp,.body_size = sizeof stamp,.release = release_relayed,.user = h
  };

  watch_frame (&r->watch, in, h);
  /* A relay that starts anew begins with a frame that the one before it may have
   * sent us. Our clients are to see each once. */
  if (me->order <= r->passed) {
    sf_lease_unref (h->lease);
    free (h);
    return;
  }
  r->passed = me->order;
  stamp = h->stamp;
  stamp.gap = h->stamp.gap << 16 | r->gap;
  for (;;) {
    uint64_t token = sf_producer_token (r->p);
    int result = sf_producer_publish (r->p, &pub);

    if (result == 0)
      break;
    must_be (result, -EAGAIN);
    result = sf_producer_wait (r->p, token);
    if (result == -ENODATA)
      usleep (1000);
    else
      must_be (result, 0);
  }
}

static void
relay (struct relay *r)
{
  struct sf_received in;
  int result;

  watch_look (&r->watch);
  result = sf_consumer_next (r->c, &in, LOOK);
  if (result == 0)
    return;
  must_be (result, 1);
  if (in.kind == SF_RECEIVED_CONNECTED) {
    r->gap++;
    watch_connected (&r->watch, &in);
  } else if (in.kind == SF_RECEIVED_FRAME) {
    pass_on (r, &in);
  } else if (in.kind == SF_RECEIVED_DISCONNECTED) {
    watch_disconnected (&r->watch, &in);
  } else if (in.kind == SF_RECEIVED_FAILED) {
    fault ("failed: %s %s", strerror (-in.error), in.reject.text);
  }
}

/* In a child. */
static void
let_go_both (void *relay)
{
  struct relay *r = relay;

  sf_producer_close (r->p);
  sf_consumer_close (r->c);
}

void
run_relay (void)
{
  struct census before;
  struct relay r = { 0 };

  take_census (&before);
  limit_fds ();
  watch_begin (&r.watch);
  r.p = peer_open_producer ((unsigned) (me - seats->seat),
      RELAY_TIMEOUT_MS * MS / (me->source == ORIGIN ? 1 : 2), true);
  r.c = peer_open_consumer (me->source, RELAY_HELD);
  me->ready = me->life;
  while (!leave) {
    relay (&r);
    children_have (let_go_both, &r);
  }
  sf_producer_close (r.p);
  sf_consumer_close (r.c);
  /* The second relay keeps the last frame of the first until another one comes,
   * which is after this process has ended: here it is only given time for what it
   * leaves behind. */
  if (me->source != ORIGIN)
    must_become (&before);
  else
    usleep (random_below (&seed, 500000));
}
