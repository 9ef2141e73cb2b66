/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First byte: the number of fds that came along. The rest: one datagram. What
 * decodes must encode to the same bytes, and those decode to the same struct. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "shared/protocol.h"

static bool
is_foreign (uint32_t version_min, uint32_t version_max)
{
  return version_min > SF_PROTOCOL_VERSION || version_max < SF_PROTOCOL_VERSION;
}

/* Of another version's HELLO or OBSERVE, only the start is ours to write. */
static bool
is_foreign_start (const struct sf_message *m)
{
  return (m->type == SF_MESSAGE_HELLO
      && is_foreign (m->hello.version_min, m->hello.version_max))
      || (m->type == SF_MESSAGE_OBSERVE
      && is_foreign (m->observe.version_min, m->observe.version_max));
}

int
LLVMFuzzerTestOneInput (const uint8_t * data, size_t size)
{
  uint8_t bytes[SF_MESSAGE_MAX];
  struct sf_message m, untouched, again;
  int n;

  if (size == 0)
    return 0;
  memset (&m, 0x5a, sizeof m);
  untouched = m;
  if (sf_message_decode (&m, data + 1, size - 1, data[0]) < 0) {
    require (memcmp (&m, &untouched, sizeof m) == 0);
    return 0;
  }
  n = sf_message_encode (&m, bytes, sizeof bytes);
  require (n > 0);
  if (!is_foreign_start (&m)) {
    require ((size_t) n == size - 1);
    require (memcmp (bytes, data + 1, size - 1) == 0);
  }
  require (sf_message_decode (&again, bytes, (size_t) n, data[0]) == 0);
  require (memcmp (&m, &again, sizeof m) == 0);
  return 0;
}
