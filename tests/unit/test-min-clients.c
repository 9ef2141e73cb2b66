/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing is published while fewer than min-clients are there, whatever becomes of
 * those that were. */
#include "telling.h"

static int
try_event (struct sf_producer *p, uint32_t flags)
{
  return sf_producer_event (p, 1, "x", 1, flags);
}

static void *
give_up_soon (void *producer)
{
  usleep (50000);
  sf_producer_cancel_wait_clients (producer, true);
  return NULL;
}

static void
test_nobody_there (void)
{
  struct place place;
  struct told told;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_slot *slot;
  struct sf_memory_ref part;
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.release =
        give_slot
  };
  pthread_t thread;

  place_make (&place);
  p = open_telling (place.path, &told, 0, 0, 1);
  slot = fill_slot (p, 0, false);
  part = (struct sf_memory_ref) {.segment = slot->segment,.slot = slot->index,.size =
        FRAME_BYTES
  };
  pub.user = slot;
  check_int (sf_producer_publish (p, &pub), -ENOTCONN);
  check_int (try_event (p, SF_EVENT_NEEDS_CLIENTS), -ENOTCONN);
  check_int (try_event (p, SF_EVENT_STICKY), 0);
  check_int (try_event (p, 0), 0);
  check_int (pthread_create (&thread, NULL, give_up_soon, p), 0);
  check_int (sf_producer_wait_clients (p, 1), -ECANCELED);
  pthread_join (thread, NULL);
  sf_producer_cancel_wait_clients (p, false);
  sf_producer_interrupt (p, true);
  check_int (sf_producer_wait_clients (p, 1), -EINTR);
  sf_producer_interrupt (p, false);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check_int (try_event (p, SF_EVENT_NEEDS_CLIENTS), 0);
  check_int (sf_producer_publish (p, &pub), 0);
  sf_consumer_close (c);
  await_count (NULL, &told.disconnected, 1);
  check_int (last_of (&told).reason, SF_REASON_STOPPED);
  check_int (last_of (&told).n_clients, 0);
  check_int (try_event (p, SF_EVENT_NEEDS_CLIENTS), -ENOTCONN);
  /* live, nobody is waited for */
  sf_producer_set_delivery (p, true, false, 0, 0);
  check_int (try_event (p, SF_EVENT_NEEDS_CLIENTS), 0);
  sf_producer_close (p);
  place_remove (&place);
}

/* From when it is told on, says the number of each frame that it has taken, and
 * looked at. */
static void
run_teller (struct place *in_place, struct place *out_place, int from, int to)
{
  struct sf_consumer *c;
  struct sf_received in;

  (void) out_place;
  heard (from);
  c = open_consumer (in_place->path, SF_DELIVERY_AUTO, 4);
  while (!readable (from)) {
    uint64_t number;

    if (sf_consumer_next (c, &in, 10 * MS) != 1
        || in.kind != SF_RECEIVED_FRAME)
      continue;
    number = check_frame (&in);
    check_int (write (to, &number, sizeof number), sizeof number);
    sf_lease_unref (in.lease);
  }
  sf_consumer_close (c);
}

/* Until the pipe is empty, and says so. */
static void
gather (int from, bool *seen, uint64_t n)
{
  uint64_t number;

  while (readable (from) && read (from, &number, sizeof number) > 0) {
    check_cmp (number, <, n);
    seen[number] = true;
  }
}

static void
publish_waiting (struct sf_producer *p, uint64_t number)
{
  struct sf_slot *slot = fill_slot (p, number, true);
  struct sf_memory_ref part = {.segment = slot->segment,.slot = slot->index,.size =
        FRAME_BYTES
  };
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        &number,.body_size = sizeof number,.release = give_slot,.user = slot
  };
  int r;

  for (;;) {
    uint64_t token = sf_producer_token (p);

    r = sf_producer_publish (p, &pub);
    if (r == 0)
      return;
    if (r == -ENOTCONN)
      check_int (sf_producer_wait_clients (p, 1), 0);
    else
      wait_for_slot (p, token);
  }
}

#define FRAMES 400u
#define LIVES 8u

/* The only consumer is killed, again and again: each frame arrives, or is told. */
static void
test_only_one_killed (void)
{
  bool seen[FRAMES] = { false };
  struct place place;
  struct told told;
  struct sf_producer *p;
  struct role role[LIVES];
  uint64_t told_lost = 0, missing = 0;
  uint32_t life = 0;

  place_make (&place);
  for (uint32_t i = 0; i < LIVES; i++)
    role_start (&role[i], run_teller, &place, NULL);
  p = open_telling (place.path, &told, 0, 0, 1);
  role_tell (&role[0], 'g');
  for (uint64_t i = 0; i < FRAMES; i++) {
    publish_waiting (p, i);
    if ((i + 1) % (FRAMES / LIVES) > 0 || life + 1 == LIVES)
      continue;
    kill (role[life].pid, SIGKILL);
    check_int (waitpid (role[life].pid, NULL, 0), role[life].pid);
    gather (role[life].from, seen, FRAMES);
    role_close (&role[life]);
    await_count (NULL, &told.disconnected, ++life);
    check_int (last_of (&told).reason, SF_REASON_HANGUP);
    check_int (last_of (&told).n_clients, 0);
    /* and the one it was at */
    told_lost += last_of (&told).unclaimed + 1;
    role_tell (&role[life], 'g');
  }
  for (int64_t until = sf_now () + LONG; !seen[FRAMES - 1];) {
    check_cmp (sf_now (), <, until);
    gather (role[life].from, seen, FRAMES);
    usleep (1000);
  }
  role_finish (&role[life]);
  for (uint64_t i = 0; i < FRAMES; i++)
    missing += !seen[i];
  check_cmp (missing, <=, told_lost);
  /* The latest is told as lost, and the next one gets it. */
  check_cmp (told_lost, <=, missing + 2 * LIVES);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_nobody_there), TEST (test_only_one_killed),
  };

  return unit_main (tests);
}
