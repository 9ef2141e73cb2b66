/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "layout.h"
#include "protocol.h"
#include "unit.h"

static struct sf_message
hello (void)
{
  struct sf_message m = { .type = SF_MESSAGE_HELLO };

  m.hello.magic = SF_PROTOCOL_MAGIC;
  m.hello.version_min = m.hello.version_max = SF_PROTOCOL_VERSION;
  m.hello.delivery = SF_DELIVERY_LOSSLESS;
  m.hello.max_held = 27;
  strcpy (m.hello.name, "shmframesrc0");
  return m;
}

static void
test_round_trip (void)
{
  struct sf_message m = hello (), back;
  uint8_t buf[SF_MESSAGE_MAX];
  int n = sf_message_encode (&m, buf, sizeof buf);

  check (n > 0);
  check_int (sf_message_decode (&back, buf, n, 0), 0);
  check (memcmp (&m, &back, sizeof m) == 0);
}

static const struct unit_test tests[] = {
  TEST (test_round_trip),
};

int
main (void)
{
  return unit_main (tests);
}
