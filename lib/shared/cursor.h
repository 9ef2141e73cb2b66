/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fields of a message, to bytes and back. */
#ifndef SF_CURSOR_H
#define SF_CURSOR_H

#include <string.h>

#include "shared/protocol.h"

/* Both cursors remember the first step out of bounds and do nothing from then
 * on, so that a list of fields needs one check at its end. */
struct sf_writer
{
  uint8_t *at;
  size_t left;
  bool failed;
};

struct sf_reader
{
  const uint8_t *at;
  size_t left;
  bool failed;
};

static inline void
sf_put_bytes (struct sf_writer *w, const void *bytes, size_t len)
{
  if (w->failed || len > w->left) {
    w->failed = true;
    return;
  }
  memcpy (w->at, bytes, len);
  w->at += len;
  w->left -= len;
}

static inline void
sf_put_u32 (struct sf_writer *w, uint32_t v)
{
  const uint8_t b[4] = { v, v >> 8, v >> 16, v >> 24 };

  sf_put_bytes (w, b, sizeof b);
}

static inline void
sf_put_u64 (struct sf_writer *w, uint64_t v)
{
  sf_put_u32 (w, (uint32_t) v);
  sf_put_u32 (w, (uint32_t) (v >> 32));
}

/* Pads with zeros: what is behind the NUL in the caller's array is not sent. */
static inline void
sf_put_string (struct sf_writer *w, const char *text, size_t capacity)
{
  static const char zeros[SF_CAPS_TEXT_MAX];
  size_t len = strnlen (text, capacity);

  sf_put_bytes (w, text, len);
  sf_put_bytes (w, zeros, capacity - len);
}

static inline void
sf_get_bytes (struct sf_reader *r, void *bytes, size_t len)
{
  if (r->failed || len > r->left) {
    r->failed = true;
    return;
  }
  memcpy (bytes, r->at, len);
  r->at += len;
  r->left -= len;
}

static inline uint32_t
sf_get_u32 (struct sf_reader *r)
{
  uint8_t b[4] = { 0 };

  sf_get_bytes (r, b, sizeof b);
  return b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16
      | (uint32_t) b[3] << 24;
}

static inline uint64_t
sf_get_u64 (struct sf_reader *r)
{
  uint64_t low = sf_get_u32 (r);

  return low | (uint64_t) sf_get_u32 (r) << 32;
}

/* A string has one encoding: zeros from its NUL on. message_is_valid() checks
 * that there is a NUL. */
static inline void
sf_get_string (struct sf_reader *r, char *text, size_t capacity)
{
  size_t len;

  sf_get_bytes (r, text, capacity);
  if (r->failed)
    return;
  len = strnlen (text, capacity);
  for (size_t i = len; i < capacity; i++)
    if (text[i] != 0)
      r->failed = true;
}

#endif
