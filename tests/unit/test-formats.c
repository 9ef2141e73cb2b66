/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames become larger while clients hold, or were promised, many of the small ones:
 * the stream goes on at once, and who wants more than there is hears of it. */
#include "rawclient.h"

#define MEMORY (UINT64_C (64) << 20)
#define SMALL (UINT64_C (64) << 10)
/* No ring holds as many of these as of the small ones. */
#define LARGE (UINT64_C (2) << 20)

static struct sf_producer *
open_small (const char *path, bool lossless)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        16,.max_memory = MEMORY
  };
  struct sf_producer *p;
  uint64_t needed;

  check_int (sf_producer_open (&p, &config), 0);
  sf_producer_set_delivery (p, !lossless, lossless, 0, UINT64_MAX);
  check_int (sf_producer_set_format (p, SMALL, 1, &needed), 0);
  return p;
}

/* Publishes one frame of that size, which there must be a slot for. */
static void
publish (struct sf_producer *p, uint64_t size, uint64_t number)
{
  struct sf_slot *slot = malloc (sizeof *slot);

  check_int (sf_producer_acquire_slot (p, size, 0, slot), 0);
  publish_slot (p, slot, number, false);
}

static struct sf_slots_state
state_of (struct sf_producer *p)
{
  struct sf_producer_stats stats;

  sf_producer_get_stats (p, &stats);
  check_cmp (stats.slots.bytes, <=, MEMORY);
  return stats.slots;
}

static void
await_slots (struct sf_producer *p, uint32_t n)
{
  for (int i = 0; i < 20000 && state_of (p).n_slots < n; i++)
    usleep (1000);
  check_cmp (state_of (p).n_slots, >=, n);
}

/* The next GRANT, REJECT or BYE, within 20 s. */
static struct sf_message
next_word (struct raw_client *r)
{
  int fds[SF_MESSAGE_MAX_FDS];
  struct sf_message msg;
  int type;

  do {
    type = raw_next (r, &msg, fds, 20000);
    check_cmp (type, >, 0);
    raw_close_fds (fds);
  } while (type != SF_MESSAGE_GRANT && type != SF_MESSAGE_REJECT
      && type != SF_MESSAGE_BYE);
  return msg;
}

/* What was promised is made when nothing is in the way; nobody has to be told. */
static void
test_promise_is_kept (void)
{
  struct sf_producer *p;
  struct raw_client r;
  struct place place;
  uint64_t needed;

  place_make (&place);
  p = open_small (place.path, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 60);
  await_slots (p, 60);
  check_int (sf_producer_set_format (p, 2 * SMALL, 1, &needed), 0);
  publish (p, 2 * SMALL, 1);
  await_slots (p, 60);
  check_cmp (state_of (p).slot_size, >=, 2 * SMALL);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* It was granted more frames than there can be now, as others were: it gets what is
 * left, and in the end an answer. */
static void
test_greedy (void)
{
  struct sf_producer *p;
  struct raw_client r, other;
  struct sf_message msg;
  struct place place;
  uint64_t needed;
  uint32_t granted;

  place_make (&place);
  p = open_small (place.path, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 800);
  other = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
  await_slots (p, 804);
  check_int (sf_producer_set_format (p, LARGE, 1, &needed), 0);
  publish (p, LARGE, 1);
  msg = next_word (&r);
  check_int (msg.type, SF_MESSAGE_GRANT);
  granted = msg.max_held;
  check (granted >= 20 && granted < 32);
  do
    msg = next_word (&r);
  while (msg.type == SF_MESSAGE_GRANT);
  check_int (msg.reject.reason, SF_REASON_MEMORY);
  check_cmp (msg.reject.needed, >, 800 * LARGE);
  check_int (msg.reject.limit, MEMORY);
  check_has (msg.reject.text, "800 frames");
  /* The other one was never in the way. */
  check_int (raw_next (&other, &msg, (int[SF_MESSAGE_MAX_FDS]) { -1 }, 0) > 0
      && msg.type == SF_MESSAGE_REJECT, 0);
  raw_close (&other);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* One old frame keeps half of the memory: the stream goes on in the other half; and
 * when it comes back, what was promised is there again. */
static void
test_one_is_held (void)
{
  struct sf_record_header record;
  struct sf_producer *p;
  struct raw_client r;
  struct place place;
  uint64_t needed;

  place_make (&place);
  p = open_small (place.path, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 480);
  await_slots (p, 480);
  publish (p, SMALL, 1);
  check (raw_take (&r, &record));
  check_int (sf_producer_set_format (p, SMALL + 8192, 1, &needed), 0);
  publish (p, SMALL + 8192, 2);
  check_int (state_of (p).n_segments, 2);
  check_cmp (next_word (&r).max_held, <, 480);
  raw_return (&r, record.lease);
  check_int (next_word (&r).max_held, 480);
  check_cmp (state_of (p).n_slots, >=, 480);
  check_int (state_of (p).n_segments, 1);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* What a stopped client has not claimed is taken back, format after format. */
static void
test_queued (void)
{
  struct sf_producer_stats stats;
  struct sf_producer *p;
  struct raw_client r;
  struct place place;
  uint64_t needed;

  place_make (&place);
  p = open_small (place.path, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
  for (uint64_t i = 1; i < 40; i++) {
    uint64_t size = SMALL + i * 65536;

    check_int (sf_producer_set_format (p, size, 1, &needed), 0);
    publish (p, size, i);
  }
  sf_producer_get_stats (p, &stats);
  check_cmp (stats.revoked, >, 0);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* Nor does one that reads no messages take an fd for each format: it gets what it needs
 * when it does. */
static void
test_unread (void)
{
  struct sf_record_header record;
  struct sf_producer *p;
  struct raw_client r;
  struct sf_message msg;
  struct place place;
  uint64_t needed;
  int fds[SF_MESSAGE_MAX_FDS], n = 0, type;

  place_make (&place);
  p = open_small (place.path, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 4);
  for (uint64_t i = 1; i < 20; i++) {
    uint64_t size = SMALL + i * 65536;

    check_int (sf_producer_set_format (p, size, 1, &needed), 0);
    publish (p, size, i);
  }
  do {
    memset (fds, -1, sizeof fds);
    type = raw_next (&r, &msg, fds, 0);
    n += type == SF_MESSAGE_SEGMENT;
    raw_close_fds (fds);
  } while (type > 0);
  check_int (type, -1);
  check (n > 0 && n <= 8);
  /* Of the format that it lacks. */
  do {
    type = raw_next (&r, &msg, fds, 10000);
    raw_close_fds (fds);
  } while (type != SF_MESSAGE_SEGMENT || msg.segment.pitch < SMALL + 19 * 65536);
  publish (p, SMALL + 19 * 65536, 20);
  do {
    check (raw_take (&r, &record));
    raw_return (&r, record.lease);
  } while (record.seq < 19);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* It goes on as if it had been told nothing: others were promised what it takes. */
static void
test_cut_off (void)
{
  struct sf_record_header record;
  struct sf_producer *p;
  struct raw_client r;
  struct place place;
  uint64_t needed;
  struct sf_message msg;
  uint32_t n = 0;

  place_make (&place);
  p = open_small (place.path, false);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 800);
  await_slots (p, 800);
  check_int (sf_producer_set_format (p, LARGE, 1, &needed), 0);
  check_cmp (next_word (&r).max_held, <, 31);
  for (; sf_producer_poll_slot (p, LARGE, 0) == 0; n++) {
    publish (p, LARGE, n);
    check (raw_take (&r, &record));
  }
  check_cmp (n, >=, 31);
  do
    msg = next_word (&r);
  while (msg.type != SF_MESSAGE_BYE);
  check_int (msg.reject.reason, SF_REASON_MEMORY);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* One that has left and keeps a frame of what others need is waited for, but not for
 * ever; then it is named. */
static void
test_waits_in_vain (void)
{
  struct sf_record_header record;
  struct sf_producer *p;
  struct raw_client r, leaver;
  struct sf_message msg = raw_hello (SF_DELIVERY_LIVE, 28);
  struct place place;
  uint64_t needed;

  place_make (&place);
  p = open_small (place.path, false);
  leaver = raw_join_at (place.path, SF_DELIVERY_LIVE, 500);
  await_slots (p, 500);
  publish (p, SMALL, 1);
  check (raw_take (&leaver, &record));
  check_int (sf_producer_set_format (p, LARGE, 1, &needed), 0);
  check_int (sf_send (leaver.fd, &(struct sf_message) {.type =
          SF_MESSAGE_BYE}, NULL, 0), 0);
  r = raw_connect (place.path);
  check_int (sf_send (r.fd, &msg, NULL, 0), 0);
  msg = next_word (&r);
  check_int (msg.type, SF_MESSAGE_REJECT);
  check_int (msg.reject.reason, SF_REASON_MEMORY);
  check (strstr (msg.reject.text, "which has left, still holds 1 frame") != NULL);
  raw_close (&r);
  raw_close (&leaver);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_promise_is_kept), TEST (test_greedy), TEST (test_one_is_held),
    TEST (test_queued), TEST (test_unread),
    TEST (test_cut_off), TEST (test_waits_in_vain),
  };

  return unit_main (tests);
}
