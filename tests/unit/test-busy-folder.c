/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consumer that waits for a socket watches its folder, in which others may make
 * files without end, as anybody may in /tmp: it looks again a few times, not each
 * time. */
#include <fcntl.h>
#include <stdatomic.h>

#include "shared/test-hooks.h"
#include "transport.h"

#define N_FILES 20000
/* In each WINDOW; one more starts, and one more may have. */
#define MOST_TRIES 17
#define WINDOW (SF_NS_PER_SECOND / 20)

static atomic_int n_tries;

void
sf_hook (const char *name)
{
  if (strcmp (name, "connecting") == 0)
    n_tries++;
}

static void
make_files (const char *folder)
{
  char path[64];

  snprintf (path, sizeof (path), "%s/file", folder);
  for (int i = 0; i < N_FILES; i++) {
    close (open (path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    unlink (path);
  }
}

static void
test_busy_folder (void)
{
  int64_t began = sf_now (), windows;
  struct sf_consumer *c;
  struct sf_producer *p;
  struct sf_received in;
  struct place place;

  place_make (&place);
  c = open_consumer (place.path, SF_DELIVERY_AUTO, 1);
  next_of (c, &in, SF_RECEIVED_WAITING);
  make_files (place.folder);
  windows = (sf_now () - began) / WINDOW + 2;
  check_cmp (n_tries, <=, MOST_TRIES * windows);
  /* Who comes after all is found. */
  p = open_producer (place.path, 4, false);
  next_of (c, &in, SF_RECEIVED_CONNECTED);
  sf_consumer_close (c);
  sf_producer_close (p);
  place_remove (&place);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_busy_folder),
  };

  return unit_main (tests);
}
