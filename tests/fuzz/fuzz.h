/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What each target defines: libFuzzer calls it, or standalone.c does. */
int LLVMFuzzerTestOneInput (const uint8_t * data, size_t size);

/* Aborts, as libFuzzer wants it, so that the input is kept. */
#define require(cond) \
  do { \
    if (!(cond)) { \
      fprintf (stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
      abort (); \
    } \
  } while (0)

#endif
