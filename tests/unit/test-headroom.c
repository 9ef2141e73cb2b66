/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is left of a machine's and a control group's memory, as their files say. */
#include "producer/headroom.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>

#include "producer/slots.h"
#include "unit.h"

static char root[] = "/tmp/shmframe-XXXXXX";

static void
put (const char *path, const char *text)
{
  char full[256], *slash;
  FILE *f;

  snprintf (full, sizeof full, "%s/%s", root, path);
  for (slash = strchr (full + strlen (root) + 1, '/'); slash != NULL;
      slash = strchr (slash + 1, '/')) {
    *slash = '\0';
    mkdir (full, 0700);
    *slash = '/';
  }
  f = fopen (full, "we");
  check (f != NULL);
  fputs (text, f);
  fclose (f);
}

static struct sf_headroom
look (void)
{
  char proc[64], cgroups[64];
  struct sf_headroom h;

  snprintf (proc, sizeof proc, "%s/proc", root);
  snprintf (cgroups, sizeof cgroups, "%s/cg", root);
  sf_headroom_get_at (&h, proc, cgroups);
  return h;
}

static void
clear (void)
{
  char command[64];

  snprintf (command, sizeof command, "rm -rf %s", root);
  check_int (system (command), 0);
}

static void
start (const char *cgroup)
{
  check (mkdtemp (root) != NULL);
  put ("proc/meminfo", "MemTotal:       8000 kB\nMemFree: 1 kB\n"
      "MemAvailable:   5000 kB\nSwapTotal: 900 kB\nSwapFree:        100 kB\n");
  if (cgroup != NULL)
    put ("proc/self/cgroup", cgroup);
}

static void
test_machine (void)
{
  struct sf_headroom h;

  start (NULL);
  h = look ();
  check_int (h.left, 5100 * 1024);
  check_int (h.limit, 8000 * 1024);
  check_has (h.where, "/meminfo");
  put ("proc/meminfo", "nothing\n");
  check_int (look ().left, UINT64_MAX);
  clear ();
}

/* The tightest of the path counts, and files that can go do not. */
static void
test_group (void)
{
  struct sf_headroom h;

  start ("0::/a/b\n");
  put ("cg/a/b/memory.max", "max\n");
  put ("cg/a/b/memory.current", "123\n");
  check_int (look ().left, 5100 * 1024);
  put ("cg/a/memory.max", "1000000\n");
  put ("cg/a/memory.current", "700000\n");
  put ("cg/a/memory.stat", "anon 5\ninactive_file 100000\nfile 3\n");
  h = look ();
  check_int (h.left, 400000);
  check_int (h.limit, 1000000);
  check_has (h.where, "cg/a/memory.max");
  put ("cg/a/b/memory.max", "300000\n");
  check_int (look ().left, 300000 - 123);
  put ("cg/a/b/memory.current", "300001\n");
  check_int (look ().left, 0);
  clear ();
}

static void
test_first_version (void)
{
  struct sf_headroom h;

  start ("9:name=systemd:/x\n4:cpu,memory:/p/q\n0::/\n");
  put ("cg/memory/p/q/memory.limit_in_bytes", "9223372036854771712\n");
  put ("cg/memory/p/q/memory.usage_in_bytes", "77\n");
  put ("cg/memory/memory.limit_in_bytes", "2000000\n");
  put ("cg/memory/memory.usage_in_bytes", "1500000\n");
  put ("cg/memory/memory.stat", "total_inactive_file 50\n");
  h = look ();
  check_int (h.left, 500050);
  check_has (h.where, "limit_in_bytes");
  clear ();
}

/* A container sees its own group as the root, by whatever name the host knows it. */
static void
test_unseen_path (void)
{
  start ("0::/../../host/name\n");
  put ("cg/memory.max", "5000\n");
  put ("cg/memory.current", "1000\n");
  check_int (look ().left, 4000);
  put ("proc/self/cgroup", "0::nonsense\n1:memory\n:\n\n");
  check_int (look ().left, 5100 * 1024);
  clear ();
}

/* More than there is: refused, not tried. */
static void
test_slots_respect_it (void)
{
  struct sf_slots *slots = sf_slots_new (UINT64_MAX);
  struct sf_slots_state state;
  struct sf_headroom h;
  uint64_t needed = 0;
  uint32_t n;

  sf_headroom_get (&h);
  check_cmp (h.left, <, UINT64_MAX);
  n = (uint32_t) (h.left / SF_MAX_SLOT_SIZE) + 1;
  check_int (sf_slots_ensure (slots, n, SF_MAX_SLOT_SIZE, &needed), -EDQUOT);
  check_cmp (needed, >=, n * SF_MAX_SLOT_SIZE);
  check_cmp (sf_slots_most (slots, 1 << 20), <=, h.limit >> 20);
  sf_slots_get_state (slots, &state);
  check_int (state.bytes, 0);
  sf_slots_unref (slots);
}

int
main (void)
{
  static const struct unit_test tests[] = {
    TEST (test_machine), TEST (test_group), TEST (test_first_version),
    TEST (test_unseen_path), TEST (test_slots_respect_it),
  };

  return unit_main (tests);
}
