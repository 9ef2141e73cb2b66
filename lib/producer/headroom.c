/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "producer/headroom.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What version 1 says where nothing is set: INT64_MAX in whole pages. */
#define NO_LIMIT (UINT64_C (1) << 62)

/* The names of files in one version of control groups. */
struct kind
{
  const char *folder;           /* path below the mount point */
  const char *limit, *usage, *cache;
};

static const struct kind v2 = { "", "memory.max", "memory.current",
  "inactive_file"
};

/* Hybrid: memory is in the first version's tree, or else in this one. */
static const struct kind v2_unified = { "/unified", "memory.max",
  "memory.current", "inactive_file"
};

static const struct kind v1 = { "/memory", "memory.limit_in_bytes",
  "memory.usage_in_bytes", "total_inactive_file"
};

static FILE *
open_file (const char *folder, const char *name)
{
  char path[512];

  if (snprintf (path, sizeof (path), "%s/%s", folder, name)
      >= (int) sizeof (path))
    return NULL;
  return fopen (path, "re");
}

/* Returns the number that the file begins with; UINT64_MAX: none ("max"). */
static uint64_t
read_number (const char *folder, const char *name)
{
  FILE *f = open_file (folder, name);
  uint64_t n;

  if (f == NULL)
    return UINT64_MAX;
  if (fscanf (f, "%" SCNu64, &n) != 1)
    n = UINT64_MAX;
  fclose (f);
  return n;
}

/* Sets the number behind each key that starts a line; leaves the others. Reads
 * the file once, since the kernel adds these up anew each time. */
static void
read_keys (const char *folder, const char *name, const char *const keys[],
    uint64_t values[], unsigned n)
{
  FILE *f = open_file (folder, name);
  unsigned found = 0;
  char line[256];

  while (f != NULL && found < n && fgets (line, sizeof (line), f) != NULL)
    for (unsigned i = 0; i < n; i++) {
      size_t len = strlen (keys[i]);

      if (strncmp (line, keys[i], len) == 0 && strspn (line + len, " :") > 0) {
        values[i] = strtoull (line + len + 1, NULL, 10);
        found++;
      }
    }
  if (f != NULL)
    fclose (f);
}

static void
note (struct sf_headroom *headroom, uint64_t left, uint64_t limit,
    const char *folder, const char *file)
{
  if (left >= headroom->left)
    return;
  headroom->left = left;
  headroom->limit = limit;
  if (snprintf (headroom->where, sizeof (headroom->where), "%s/%s", folder,
          file) >= (int) sizeof (headroom->where))
    strcpy (headroom->where, "its control group");
}

/* Page cache that is not in use does not count: the kernel reclaims it. Looked
 * up only where it matters. */
static void
look_at_group (struct sf_headroom *headroom, const struct kind *kind,
    const char *folder)
{
  uint64_t limit = read_number (folder, kind->limit);
  uint64_t usage, cache = 0;

  if (limit >= NO_LIMIT)
    return;
  usage = read_number (folder, kind->usage);
  if (usage < limit && limit - usage >= headroom->left)
    return;
  read_keys (folder, "memory.stat", &kind->cache, &cache, 1);
  usage = usage > cache ? usage - cache : 0;
  note (headroom, limit > usage ? limit - usage : 0, limit, folder,
      kind->limit);
}

/* Looks at the group and all its parents, each of which limits. Skips groups of
 * the host that this namespace does not show. */
static void
look_at_path (struct sf_headroom *headroom, const struct kind *kind,
    const char *cgroups, const char *path)
{
  char folder[512];
  size_t root;
  int n = snprintf (folder, sizeof (folder), "%s%s%s", cgroups, kind->folder,
      path);

  if (n < 0 || n >= (int) sizeof (folder))
    return;
  root = strlen (cgroups) + strlen (kind->folder);
  for (;;) {
    look_at_group (headroom, kind, folder);
    if (strlen (folder) <= root)
      return;
    *strrchr (folder, '/') = '\0';
  }
}

/* "0::/path", or "5:cpu,memory:/path". */
static void
look_at_line (struct sf_headroom *headroom, const char *cgroups, char *line)
{
  char *controllers = strchr (line, ':'), *path;

  if (controllers == NULL || (path = strchr (controllers + 1, ':')) == NULL)
    return;
  *path++ = '\0';
  controllers++;
  path[strcspn (path, "\n")] = '\0';
  if (path[0] != '/')
    return;
  if (controllers[0] == '\0') {
    look_at_path (headroom, &v2, cgroups, path);
    look_at_path (headroom, &v2_unified, cgroups, path);
  } else if (strstr (controllers, "memory") != NULL) {
    look_at_path (headroom, &v1, cgroups, path);
  }
}

static void
look_at_machine (struct sf_headroom *headroom, const char *proc)
{
  static const char *const keys[] = { "MemTotal", "MemAvailable", "SwapFree" };
  uint64_t kb[3] = { 0 };

  read_keys (proc, "meminfo", keys, kb, 3);
  if (kb[1] > 0)
    note (headroom, (kb[1] + kb[2]) * 1024, kb[0] * 1024, proc, "meminfo");
}

void
sf_headroom_get_at (struct sf_headroom *headroom, const char *proc,
    const char *cgroups)
{
  FILE *f = open_file (proc, "self/cgroup");
  char line[512];

  *headroom = (struct sf_headroom) { .left = UINT64_MAX, .limit = UINT64_MAX };
  look_at_machine (headroom, proc);
  while (f != NULL && fgets (line, sizeof (line), f) != NULL)
    look_at_line (headroom, cgroups, line);
  if (f != NULL)
    fclose (f);
}

void
sf_headroom_get (struct sf_headroom *headroom)
{
  sf_headroom_get_at (headroom, "/proc", "/sys/fs/cgroup");
}
