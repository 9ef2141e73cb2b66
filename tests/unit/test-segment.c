/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "segment.h"
#include "unit.h"

static void
test_both_views (void)
{
  struct sf_segment *made, *opened;
  struct sf_segment_info info;

  check_int (sf_segment_create (&made, 3, 5000), 0);
  sf_segment_describe (made, 7, &info);
  check_int (sf_segment_open (&opened, dup (made->shm.fd), -1, &info), 0);
  for (uint32_t i = 0; i < 3; i++)
    memset (sf_segment_slot (made, i), 'a' + i, made->pitch);
  for (uint32_t i = 0; i < 6; i++)
    check_int (sf_segment_slot (opened, i)[made->pitch - 1], 'a' + i % 3);
  sf_segment_unref (opened);
  sf_segment_unref (made);
}

static const struct unit_test tests[] = {
  TEST (test_both_views),
};

int
main (void)
{
  return unit_main (tests);
}
