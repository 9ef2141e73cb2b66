/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client for whom there is no room while others are about to let go of theirs waits for
 * that. Built with a patience of a minute, so that what is refused at once shows. */
#include "rawclient.h"

#define MEMORY (UINT64_C (64) << 20)
#define SMALL (UINT64_C (64) << 10)
#define LARGE (UINT64_C (2) << 20)
/* Of slots=SLOTS two are to spare. */
#define SLOTS 10u

static sf_atomic_u32 n_postponed;

static void
on_postponed (void *user, const struct sf_credentials *peer,
    const struct sf_reject *reject)
{
  (void) user;
  check_int (peer->pid, getpid ());
  check_int (reject->reason, SF_REASON_MEMORY);
  check (reject->text[0] != '\0');
  sf_ref (&n_postponed);
}

static struct sf_producer *
open_with (const char *path, uint32_t slots)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        16,.max_memory = MEMORY,.slots = slots,.callbacks = {.postponed =
          on_postponed}
  };
  struct sf_producer *p;
  uint64_t needed;

  check_int (sf_producer_open (&p, &config), 0);
  sf_producer_set_delivery (p, true, false, 0, UINT64_MAX);
  check_int (sf_producer_set_format (p, SMALL, 1, &needed), 0);
  return p;
}

static void
publish (struct sf_producer *p, uint64_t size, uint64_t number)
{
  struct sf_slot *slot = malloc (sizeof *slot);

  check_int (sf_producer_acquire_slot (p, size, 0, slot), 0);
  publish_slot (p, slot, number, false);
}

static void
say (struct raw_client *r, uint32_t type, uint32_t max_held)
{
  struct sf_message msg = type == SF_MESSAGE_HELLO
      ? raw_hello (SF_DELIVERY_LIVE, max_held) : message_of (type);

  if (type == SF_MESSAGE_WANT)
    msg.max_held = max_held;
  check_int (sf_send (r->fd, &msg, NULL, 0), 0);
}

/* The next WELCOME, GRANT or REJECT; -1: none in time. */
static int
answer (struct raw_client *r, struct sf_message *msg, int ms)
{
  int fds[SF_MESSAGE_MAX_FDS], type;

  do {
    memset (fds, -1, sizeof fds);
    type = raw_next (r, msg, fds, ms);
    raw_close_fds (fds);
  } while (type > 0 && type != SF_MESSAGE_WELCOME && type != SF_MESSAGE_GRANT
      && type != SF_MESSAGE_REJECT);
  return type;
}

static void
await_postponed (uint32_t n)
{
  for (int i = 0; i < 20000 && sf_observe_u32 (&n_postponed) < n; i++)
    usleep (500);
  check_int (n_postponed, n);
}

/* One that has left with a frame in its hands. */
static struct raw_client
leave_with_frame (struct sf_producer *p, const char *path, uint32_t max_held,
    struct sf_record_header *record)
{
  struct raw_client r = raw_join_at (path, SF_DELIVERY_LIVE, max_held);

  publish (p, SMALL, 1);
  check (raw_take (&r, record));
  say (&r, SF_MESSAGE_BYE, 0);
  return r;
}

static void
test_hello (void)
{
  struct sf_record_header record;
  struct raw_client leaver, r;
  struct sf_producer *p;
  struct sf_message msg;
  struct place place;

  place_make (&place);
  p = open_with (place.path, SLOTS);
  leaver = leave_with_frame (p, place.path, SLOTS - 4, &record);
  r = raw_connect (place.path);
  say (&r, SF_MESSAGE_HELLO, SLOTS - 4);
  await_postponed (1);
  check_int (answer (&r, &msg, 100), -1);
  raw_return (&leaver, record.lease);
  raw_close (&leaver);
  check_int (answer (&r, &msg, 20000), SF_MESSAGE_WELCOME);
  check_int (msg.welcome.max_held, SLOTS - 4);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* One that gives up meanwhile leaves nothing behind. */
static void
test_gives_up (void)
{
  struct sf_record_header record;
  struct raw_client leaver, r;
  struct sf_producer *p;
  struct place place;

  place_make (&place);
  p = open_with (place.path, SLOTS);
  leaver = leave_with_frame (p, place.path, SLOTS - 4, &record);
  r = raw_connect (place.path);
  say (&r, SF_MESSAGE_HELLO, SLOTS - 4);
  await_postponed (1);
  raw_close (&r);
  raw_return (&leaver, record.lease);
  raw_close (&leaver);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, SLOTS - 2);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_want (void)
{
  struct sf_record_header record;
  struct raw_client leaver, r;
  struct sf_producer *p;
  struct sf_message msg;
  struct place place;

  place_make (&place);
  p = open_with (place.path, SLOTS);
  r = raw_join_at (place.path, SF_DELIVERY_LIVE, 1);
  leaver = leave_with_frame (p, place.path, SLOTS - 4, &record);
  say (&r, SF_MESSAGE_WANT, SLOTS - 2);
  await_postponed (1);
  check_int (answer (&r, &msg, 20000), SF_MESSAGE_GRANT);
  check (msg.max_held < SLOTS - 2);
  check_int (answer (&r, &msg, 100), -1);
  raw_return (&leaver, record.lease);
  raw_close (&leaver);
  check_int (answer (&r, &msg, 20000), SF_MESSAGE_GRANT);
  check_int (msg.max_held, SLOTS - 2);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

/* What cannot be met whoever lets go is refused at once. */
static void
test_never (void)
{
  struct sf_record_header record;
  struct raw_client leaver, r;
  struct sf_producer *p;
  struct sf_message msg;
  struct place place;

  place_make (&place);
  p = open_with (place.path, SLOTS);
  leaver = leave_with_frame (p, place.path, SLOTS - 4, &record);
  r = raw_connect (place.path);
  say (&r, SF_MESSAGE_HELLO, SLOTS - 1);
  check_int (answer (&r, &msg, 20000), SF_MESSAGE_REJECT);
  check_int (msg.reject.reason, SF_REASON_MEMORY);
  check_int (n_postponed, 0);
  raw_close (&r);
  raw_close (&leaver);
  sf_producer_close (p);
  place_remove (&place);
}

/* An old frame keeps the ring of the format before, which is in the way. */
static void
test_retired_ring (void)
{
  struct sf_record_header record;
  struct raw_client holder, r;
  struct sf_producer *p;
  struct sf_message msg;
  struct place place;
  uint64_t needed;

  place_make (&place);
  p = open_with (place.path, 0);
  holder = raw_join_at (place.path, SF_DELIVERY_LIVE, 500);
  publish (p, SMALL, 1);
  check (raw_take (&holder, &record));
  say (&holder, SF_MESSAGE_BYE, 0);
  check_int (sf_producer_set_format (p, LARGE, 1, &needed), 0);
  r = raw_connect (place.path);
  say (&r, SF_MESSAGE_HELLO, 28);
  await_postponed (1);
  check_int (answer (&r, &msg, 100), -1);
  raw_return (&holder, record.lease);
  check_int (answer (&r, &msg, 20000), SF_MESSAGE_WELCOME);
  raw_close (&holder);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_hello), TEST (test_gives_up), TEST (test_want),
    TEST (test_never), TEST (test_retired_ring),
  };

  return unit_main (tests);
}
