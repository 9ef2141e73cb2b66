/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The oracle: what a consumer may see, and what it may not.
 *
 *  - no frame is torn, neither when it is claimed nor when it is given back
 *  - within one producer's life, reconnections included, each frame comes later
 *    than the one before: none twice, none out of order
 *  - served losslessly, within one connection none is missing
 *  - and all that a killed producer had announced comes before the hang-up
 *  - nobody is evicted who looks at its source all the time */
#include "peer.h"

/* What makes word_of() into a number again */
#define WORD_INVERSE UINT64_C (0xf1de83e19937733d)

static void
tell_torn (const struct held *held, uint32_t i)
{
  uint64_t found = ((const uint64_t *) held->data)[i] * WORD_INVERSE >> 20;

  fault ("torn: word %u of frame %llu of life %u is of frame %llu of life %llu; "
      "checked %u times before", i, (unsigned long long) held->stamp.index,
      held->stamp.life, (unsigned long long) (found & 0xfffffff),
      (unsigned long long) (found >> 28), held->n_checks);
}

void
held_check (struct held *held)
{
  const uint64_t *words = (const uint64_t *) held->data;
  uint64_t number = (uint64_t) held->stamp.life << 28 | held->stamp.index;

  for (uint32_t i = 0; i < held->stamp.n_words; i++)
    if (words[i] != word_of (number, i))
      tell_torn (held, i);
  held->n_checks++;
  me->figures.checks++;
}

void
watch_begin (struct watch *w)
{
  memset (w, 0, sizeof *w);
  w->looked = w->lost_at = sf_now ();
  w->disturbed = me->disturbed;
}

void
watch_look (struct watch *w)
{
  int64_t now = sf_now ();

  if (now - w->looked > w->longest_gap)
    w->longest_gap = now - w->looked;
  w->looked = now;
  me->heartbeat = (uint64_t) now;
}

void
watch_connected (struct watch *w, const struct sf_received *in)
{
  if (in->producer_id != w->producer_id)
    w->have_last = false;
  w->producer_id = in->producer_id;
  w->in_row = false;
  w->connected_at = sf_now ();
  me->figures.connections++;
}

static uint64_t
order_of (const struct stamp *stamp)
{
  return (uint64_t) stamp->life << 32 | stamp->index;
}

static void
check_place (const struct watch *w, const struct stamp *s, bool discont)
{
  const struct stamp *last = &w->last;
  bool all = s->lossless && me->wish == WISH_AUTO;

  if (w->have_last && order_of (s) <= order_of (last))
    fault ("frame %u:%llu after %u:%llu", s->life,
        (unsigned long long) s->index, last->life,
        (unsigned long long) last->index);
  if (!w->in_row || !all || s->life != last->life || s->gap != last->gap)
    return;
  if (s->index != last->index + 1)
    fault ("lossless, but frame %llu after %llu of life %u",
        (unsigned long long) s->index, (unsigned long long) last->index,
        s->life);
  if (discont)
    fault ("lossless, but told of lost frames");
}

void
watch_frame (struct watch *w, const struct sf_received *in, struct held *held)
{
  struct stamp *s = &held->stamp;

  must_be (in->n_parts, 1);
  must_be (in->body_size, (long long) sizeof *s);
  memcpy (s, in->body, sizeof *s);
  must (in->parts[0].size == s->n_words * 8);
  held->data = in->parts[0].data;
  held->lease = in->lease;
  held->n_checks = 0;
  held_check (held);
  check_place (w, s, in->discont);
  w->last = *s;
  w->have_last = w->in_row = true;
  me->order = order_of (s);
  me->last_frame = (uint64_t) sf_now ();
  me->figures.frames++;
}

/* The producer is dead, and what it said is all here? */
static void
check_drained (const struct watch *w)
{
  if (me->source != ORIGIN || !w->in_row || !w->last.lossless
      || me->wish != WISH_AUTO || w->disturbed != me->disturbed)
    return;
  if (w->longest_gap > CLIENT_TIMEOUT_MS * MS / 2)
    return;                     /* it may have been evicted just then */
  if (w->last.index + 1 < seats->published[w->last.life % MAX_LIVES])
    fault ("hang-up after frame %llu of life %u, but %llu were announced",
        (unsigned long long) w->last.index, w->last.life,
        (unsigned long long) seats->published[w->last.life % MAX_LIVES]);
  me->figures.drained++;
}

void
watch_disconnected (struct watch *w, const struct sf_received *in)
{
  uint32_t reason = in->reject.reason;

  me->figures.disconnections++;
  w->lost_at = sf_now ();
  if (reason == SF_REASON_SLOW) {
    me->figures.evictions++;
    if (w->disturbed == me->disturbed
        && w->longest_gap < CLIENT_TIMEOUT_MS * MS / 3
        && me->source == ORIGIN && me->role == ROLE_CONSUMER)
      fault ("evicted after %lld ms, and %lld ms after the last frame, but it "
          "never looked away for longer than %lld us",
          (long long) ((w->lost_at - w->connected_at) / MS),
          (long long) ((w->lost_at - (int64_t) me->last_frame) / MS),
          (long long) (w->longest_gap / 1000));
  } else if (reason == SF_REASON_HANGUP || reason == SF_REASON_STOPPED) {
    check_drained (w);
  } else {
    fault ("disconnected: %s: %s", sf_reason_name (reason), in->reject.text);
  }
  w->in_row = false;
  w->longest_gap = 0;
  w->disturbed = me->disturbed;
}
