/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a target on each file of a folder, where libFuzzer is not built in.
 *   usage: TARGET CORPUS_FOLDER */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

/* Larger than any message, and than what libFuzzer keeps by default. */
#define INPUT_MAX (64u << 10)

static void
run_file (const char *folder, const char *name)
{
  uint8_t *data = malloc (INPUT_MAX);
  char path[4096];
  size_t n;
  FILE *f;

  snprintf (path, sizeof path, "%s/%s", folder, name);
  f = fopen (path, "re");
  require (f && data);
  n = fread (data, 1, INPUT_MAX, f);
  fclose (f);
  /* To its size, so that a sanitizer sees a read behind its end. */
  data = realloc (data, n ? n : 1);
  LLVMFuzzerTestOneInput (data, n);
  free (data);
}

int
main (int argc, char **argv)
{
  DIR *dir = argc == 2 ? opendir (argv[1]) : NULL;
  struct dirent *entry;
  int n = 0;

  if (!dir) {
    fprintf (stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  while ((entry = readdir (dir)))
    if (entry->d_name[0] != '.') {
      run_file (argv[1], entry->d_name);
      n++;
    }
  closedir (dir);
  printf ("%d inputs\n", n);
  return n > 0 ? 0 : 1;
}
