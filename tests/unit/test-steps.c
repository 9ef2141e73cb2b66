/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold when one side is held up at a named step (lib/hooks.h). */
#include "transport.h"

#include <pthread.h>

#include "hooks.h"

#define MS (SF_NS_PER_SECOND / 1000)

/* The step at which to wait, and for how long. */
static const char *at_step = "";
static int64_t hold_up;
static _Atomic int n_held_up;

void
sf_hook (const char *name)
{
  if (strcmp (name, at_step) != 0)
    return;
  usleep ((unsigned) (hold_up / 1000));
  n_held_up++;
}

/* The socket file is there for a while before anybody listens: a consumer that
 * its appearance woke is refused, and must hear once more. */
static void
test_connects_when_listening (void)
{
  struct place place;
  struct sf_producer *p;
  struct sf_consumer *c;
  struct sf_incoming in;
  int64_t began;

  place_make (&place);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 4);
  next_of (c, &in, SF_INCOMING_WAITING);
  usleep (20000);               /* it watches the folder by now */
  at_step = "bound";
  hold_up = 30 * MS;
  p = open_producer (place.path, 0, true);
  began = sf_now ();
  check_int (n_held_up, 1);
  next_of (c, &in, SF_INCOMING_CONNECTED);
  check (sf_now () - began < 100 * MS);
  sf_consumer_close (c);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_connects_when_listening),
  };

  return unit_main (tests);
}
