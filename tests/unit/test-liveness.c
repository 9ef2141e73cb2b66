/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is waited for, and for how long: clients that live, that are stopped, that do
 * not answer, or that answer what nobody asked. */
#include "rawclient.h"
#include "telling.h"

/* The machine may be busy: whoever lives gets some time within that. */
#define TIMEOUT (800 * MS)

static void
take_frames (struct sf_consumer *c, uint64_t first, uint64_t n)
{
  struct sf_received in;

  for (uint64_t i = first; i < first + n; i++) {
    next_of (c, &in, SF_RECEIVED_FRAME);
    check_int (check_frame (&in), i);
    check (!in.discont);
    sf_lease_unref (in.lease);
  }
}

/* A client that works long on one frame, or is paused, is waited for. */
static void
check_lives (bool paused)
{
  struct place place;
  struct told told;
  struct sf_producer *p;
  struct sf_consumer *c;
  uint64_t n;

  place_make (&place);
  p = open_telling (place.path, &told, TIMEOUT, 0, 0);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  sf_consumer_set_paused (c, paused);
  check_int (sf_producer_wait_clients (p, 1), 0);
  n = fill_ring (p, 0);
  wait_for_room (p, 2 * TIMEOUT);
  check_int (sf_observe_u32 (&told.disconnected), 0);
  check_int (sf_observe_u32 (&told.waiting), 1);
  check_int (last_of (&told).paused, paused);
  check (!last_of (&told).silent);
  take_frames (c, 0, n);
  /* not again so soon */
  n += fill_ring (p, n);
  wait_for_room (p, 2 * TIMEOUT);
  check_int (sf_observe_u32 (&told.waiting), 1);
  check_int (sf_observe_u32 (&told.disconnected), 0);
  close_all (c, p, &place);
}

static void
test_works_long (void)
{
  check_lives (false);
}

static void
test_paused (void)
{
  check_lives (true);
}

static void
test_stall_timeout (void)
{
  struct place place;
  struct told told;
  struct last last;
  struct sf_producer *p;
  struct sf_consumer *c;
  uint64_t n;

  place_make (&place);
  p = open_telling (place.path, &told, 0, TIMEOUT, 0);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  check_int (sf_producer_wait_clients (p, 1), 0);
  n = fill_ring (p, 0);
  await_count (p, &told.disconnected, 1);
  last = last_of (&told);
  check_int (last.reason, SF_REASON_SLOW);
  check_int (last.unclaimed, n);
  check_int (last.n_clients, 0);
  check_has (last.text, "stall-timeout");
  close_all (c, p, &place);
}

/* --- processes --- */

struct end
{
  uint32_t reason;
  uint64_t lost, number, lost_at_last;
  bool discont;
};

/* Says 'c' when connected, takes as many frames as it is told, says 'r', and when told anything reads on: to
 * the end of the connection, and to the first frame of the next. */
static void
run_stopped (struct place *in_place, struct place *out_place, int from, int to)
{
  struct sf_consumer *c = open_consumer (in_place->path, SF_DELIVERY_AUTO, 4);
  struct sf_consumer_stats stats;
  struct sf_received in;
  struct end end;

  (void) out_place;
  next_of (c, &in, SF_RECEIVED_LATENCY);
  check_int (write (to, "c", 1), 1);
  if (heard (from) == '1')
    take_frames (c, 0, 1);
  check_int (write (to, "r", 1), 1);
  heard (from);
  next_of (c, &in, SF_RECEIVED_DISCONNECTED);
  end.reason = in.reject.reason;
  end.lost = in.lost;
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  next_of (c, &in, SF_RECEIVED_FRAME);
  end.number = check_frame (&in);
  end.discont = in.discont;
  sf_lease_unref (in.lease);
  sf_consumer_get_stats (c, &stats);
  end.lost_at_last = stats.lost;
  check_int (write (to, &end, sizeof end), sizeof end);
  heard (from);
  sf_consumer_close (c);
}

/* A process that is stopped for longer than client-timeout is evicted, finds that
 * out when it goes on, and how many frames it lost: all but the one that it is
 * given again, being the latest. */
static void
check_stopped (uint64_t taken)
{
  struct place place;
  struct told told;
  struct last last;
  struct sf_producer *p;
  struct role role;
  struct end end;
  uint64_t n;

  place_make (&place);
  role_start (&role, run_stopped, &place, NULL);
  p = open_telling (place.path, &told, TIMEOUT, 0, 0);
  check_int (heard (role.from), 'c');
  if (taken > 0)
    check (send_frame (p, 0, true));
  role_tell (&role, taken > 0 ? '1' : '0');
  check_int (heard (role.from), 'r');
  kill (role.pid, SIGSTOP);
  n = fill_ring (p, taken);
  await_count (p, &told.disconnected, 1);
  last = last_of (&told);
  check_int (last.reason, SF_REASON_SLOW);
  check_has (last.text, "client-timeout");
  check_int (last.unclaimed, n);
  kill (role.pid, SIGCONT);
  role_tell (&role, 'g');
  check_int (read (role.from, &end, sizeof end), sizeof end);
  check_int (end.reason, SF_REASON_SLOW);
  check_int (end.lost, n);
  check_int (end.number, taken + n - 1);
  check_int (end.lost_at_last, n - 1);
  check (end.discont);
  role_finish (&role);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_stopped (void)
{
  check_stopped (1);
}

static void
test_stopped_at_once (void)
{
  check_stopped (0);
}

/* Takes its frames, says so, and keeps them. */
static void
run_keeper (struct place *in_place, struct place *out_place, int from, int to)
{
  struct sf_consumer *c = open_consumer (in_place->path, SF_DELIVERY_AUTO,
      HELD);
  struct sf_lease *lease[HELD];
  struct sf_received in;

  (void) out_place;
  for (uint32_t i = 0; i < HELD; i++) {
    next_of (c, &in, SF_RECEIVED_FRAME);
    lease[i] = in.lease;
  }
  check_int (write (to, "r", 1), 1);
  heard (from);
  for (uint32_t i = 0; i < HELD; i++)
    sf_lease_unref (lease[i]);
  sf_consumer_close (c);
}

static void
pass_on (struct sf_consumer *c, struct sf_producer *p)
{
  struct sf_received in;

  next_of (c, &in, SF_RECEIVED_FRAME);
  relay_frame (p, &in);
}

/* One that has taken all it may, and is stopped, has nothing unread. Behind a relay
 * it keeps another producer's frames, and nobody waits for room. */
static void
test_stopped_keeper (void)
{
  struct place origin, hop;
  struct told told, relayed;
  struct sf_producer *p, *q;
  struct sf_consumer *c;
  struct role role;

  place_make (&origin);
  place_make (&hop);
  role_start (&role, run_keeper, &hop, NULL);
  p = open_telling (origin.path, &told, TIMEOUT, 0, 0);
  q = open_telling (hop.path, &relayed, TIMEOUT, 0, 0);
  c = open_consumer (origin.path, SF_DELIVERY_AUTO, HELD);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check_int (sf_producer_wait_clients (q, 1), 0);
  for (uint64_t i = 0; i < HELD; i++) {
    check (send_frame (p, i, true));
    pass_on (c, q);
  }
  check_int (heard (role.from), 'r');
  /* it lives */
  usleep ((unsigned) (2 * TIMEOUT / 1000));
  check_int (sf_observe_u32 (&relayed.disconnected), 0);
  kill (role.pid, SIGSTOP);
  await_count (NULL, &relayed.disconnected, 1);
  check_int (last_of (&relayed).reason, SF_REASON_SLOW);
  check_int (last_of (&relayed).unclaimed, 0);
  check_int (sf_observe_u32 (&told.disconnected), 0);
  kill (role.pid, SIGCONT);
  role_finish (&role);
  sf_producer_close (q);
  sf_consumer_close (c);
  sf_producer_close (p);
  place_remove (&hop);
  place_remove (&origin);
}

/* Events alone fill the ring of one that is stopped. */
static void
test_stopped_with_events (void)
{
  static const uint8_t body[SF_MAX_PAYLOAD];
  struct place place;
  struct told told;
  struct sf_producer *p;
  struct role role;

  place_make (&place);
  role_start (&role, run_stopped, &place, NULL);
  p = open_telling (place.path, &told, TIMEOUT, 0, 0);
  check_int (heard (role.from), 'c');
  role_tell (&role, '0');
  check_int (heard (role.from), 'r');
  kill (role.pid, SIGSTOP);
  while (sf_producer_event (p, 0, body, sizeof body, 0) == 0);
  check_int (sf_producer_event (p, 0, body, sizeof body, 0), -EAGAIN);
  await_count (p, &told.disconnected, 1);
  check_int (last_of (&told).reason, SF_REASON_SLOW);
  check_int (sf_producer_event (p, 0, body, sizeof body, 0), 0);
  role_kill (&role);
  sf_producer_close (p);
  place_remove (&place);
}

/* A relay whose client does nothing is itself alive. */
static void
test_relay_lives (void)
{
  struct place origin, hop;
  struct told told, relayed;
  struct sf_producer *p, *q;
  struct sf_consumer *c, *slow;
  uint64_t n;

  place_make (&origin);
  place_make (&hop);
  p = open_telling (origin.path, &told, TIMEOUT, 0, 0);
  q = open_telling (hop.path, &relayed, TIMEOUT, 0, 0);
  c = open_consumer (origin.path, SF_DELIVERY_AUTO, HELD);
  slow = open_consumer (hop.path, SF_DELIVERY_AUTO, HELD);
  check_int (sf_producer_wait_clients (p, 1), 0);
  check_int (sf_producer_wait_clients (q, 1), 0);
  n = fill_ring (p, 0);
  check_cmp (n, >, HELD);
  for (uint64_t i = 0; i < HELD; i++)
    pass_on (c, q);
  wait_for_room (p, 2 * TIMEOUT);
  check_int (sf_observe_u32 (&told.disconnected), 0);
  check_int (sf_observe_u32 (&relayed.disconnected), 0);
  for (uint64_t i = 0; i < n; i++) {
    take_frames (slow, i, 1);
    if (i + HELD < n)
      pass_on (c, q);
  }
  sf_consumer_close (slow);
  sf_producer_close (q);
  sf_consumer_close (c);
  sf_producer_close (p);
  place_remove (&hop);
  place_remove (&origin);
}

/* --- answers --- */

static void
send_pong (struct raw_client *r)
{
  struct sf_message pong = message_of (SF_MESSAGE_PONG);

  check_int (sf_send (r->fd, &pong, NULL, 0), 0);
}

/* Is there a PING? Waits for none. */
static bool
was_asked (struct raw_client *r)
{
  struct sf_message msg;
  int fds[SF_MESSAGE_MAX_FDS];
  int type;

  while ((type = raw_next (r, &msg, fds, 0)) > 0) {
    raw_close_fds (fds);
    if (type == SF_MESSAGE_PING)
      return true;
  }
  return false;
}

static void
await_ping (struct sf_producer *p, struct raw_client *r)
{
  int64_t until = sf_now () + LONG;

  while (!was_asked (r)) {
    check_cmp (sf_now (), <, until);
    wait_for_slot (p, sf_producer_token (p));
  }
}

/* Who answers what nobody asked breaks the rules, however often. */
static void
check_pongs (bool asked, int n)
{
  struct place place;
  struct told told;
  struct sf_producer *p;
  struct raw_client r;

  place_make (&place);
  p = open_telling (place.path, &told, LONG, 0, 0);
  r = raw_join_at (place.path, SF_DELIVERY_LOSSLESS, 1);
  check_int (sf_producer_wait_clients (p, 1), 0);
  if (asked) {
    fill_ring (p, 0);
    await_ping (p, &r);
  }
  for (int i = 0; i < n; i++) {
    struct sf_message pong = message_of (SF_MESSAGE_PONG);

    sf_send (r.fd, &pong, NULL, 0);
  }
  check_int (raw_await_end (&r), SF_REASON_VIOLATION);
  await_count (NULL, &told.disconnected, 1);
  check_int (last_of (&told).reason, SF_REASON_VIOLATION);
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

static void
test_unasked_pongs (void)
{
  check_pongs (false, 1);
  check_pongs (false, 1000);
  check_pongs (true, 2);
  check_pongs (true, 1000);
}

/* It is asked again once it has answered, and only then; and only while somebody
 * waits for it. */
static void
test_asked_once_an_answer (void)
{
  struct place place;
  struct told told;
  struct sf_producer *p;
  struct raw_client r;

  place_make (&place);
  p = open_telling (place.path, &told, TIMEOUT, 0, 0);
  r = raw_join_at (place.path, SF_DELIVERY_LOSSLESS, 1);
  check_int (sf_producer_wait_clients (p, 1), 0);
  usleep ((unsigned) (2 * TIMEOUT / 1000));
  check (!was_asked (&r));
  fill_ring (p, 0);
  for (int i = 0; i < 6; i++) {
    await_ping (p, &r);
    wait_for_room (p, TIMEOUT / 8);
    check (!was_asked (&r));
    send_pong (&r);
  }
  check_int (sf_observe_u32 (&told.disconnected), 0);
  await_ping (p, &r);
  await_count (p, &told.disconnected, 1);
  check_int (last_of (&told).reason, SF_REASON_SLOW);
  check (!was_asked (&r));
  raw_close (&r);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_works_long), TEST (test_paused), TEST (test_stall_timeout),
    TEST (test_stopped), TEST (test_stopped_at_once),
    TEST (test_stopped_keeper), TEST (test_stopped_with_events),
    TEST (test_relay_lives), TEST (test_unasked_pongs),
    TEST (test_asked_once_an_answer),
  };

  return unit_main (tests);
}
