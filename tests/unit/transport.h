/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer and consumers without GStreamer. Each frame's slot is filled with
 * words that follow from its number, so that a torn, stale or doubled frame
 * shows: the number is the sequence, the words are the checksum. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consumer/consumer.h"
#include "shared/futex.h"
#include "producer/producer.h"
#include "unit.h"

#define FRAME_WORDS 2048u
#define FRAME_BYTES (FRAME_WORDS * 8u)
#define LONG (20 * SF_NS_PER_SECOND)

struct place
{
  char folder[32];
  char path[48];
};

static inline void
place_make (struct place *place)
{
  strcpy (place->folder, "/tmp/shmframe-XXXXXX");
  check (mkdtemp (place->folder) != NULL);
  snprintf (place->path, sizeof place->path, "%s/s", place->folder);
}

/* Fails if a socket or a temporary file was left behind. */
static inline void
place_remove (struct place *place)
{
  check_int (rmdir (place->folder), 0);
}

static inline uint64_t
word_of (uint64_t number, uint32_t i)
{
  return (number << 20 | i) * UINT64_C (0x9e3779b97f4a7c15);
}

static inline struct sf_producer *
open_with_config (const struct sf_producer_config *config, bool lossless)
{
  struct sf_producer *p;
  uint64_t needed;

  check_int (sf_producer_open (&p, config), 0);
  sf_producer_set_delivery (p, !lossless, lossless, 0, UINT64_MAX);
  check_int (sf_producer_set_format (p, FRAME_BYTES, 1, &needed), 0);
  return p;
}

static inline struct sf_producer *
open_producer (const char *path, uint32_t slots, bool lossless)
{
  struct sf_producer_config config = {.path = path,.mode = 0600,.max_clients =
        16,.max_memory = UINT64_C (1) << 28,.slots = slots
  };

  return open_with_config (&config, lossless);
}

/* Before another try, which may just have become possible without a wait. */
static inline void
wait_for_slot (struct sf_producer *p, uint64_t token)
{
  int r = sf_producer_wait (p, token);

  check (r == 0 || r == -ENODATA);
}

static inline void
give_slot (void *slot)
{
  sf_slots_release (slot);
  free (slot);
}

/* Takes a slot and fills it; waits if it may. NULL: none (live). */
static inline struct sf_slot *
fill_slot (struct sf_producer *p, uint64_t number, bool wait)
{
  struct sf_slot *slot = malloc (sizeof *slot);
  uint64_t *words;

  for (;;) {
    uint64_t token = sf_producer_token (p);
    int r = sf_producer_acquire_slot (p, FRAME_BYTES, 0, slot);

    if (r == 0)
      break;
    check_int (r, -EAGAIN);
    if (!wait) {
      free (slot);
      return NULL;
    }
    wait_for_slot (p, token);
  }
  words = (uint64_t *) sf_segment_slot (slot->segment, slot->index);
  for (uint32_t i = 0; i < FRAME_WORDS; i++)
    words[i] = word_of (number, i);
  return slot;
}

static inline void
publish_slot (struct sf_producer *p, struct sf_slot *slot, uint64_t number,
    bool wait)
{
  struct sf_memory_ref part = {.segment = slot->segment,.slot = slot->index,.size =
        FRAME_BYTES
  };
  struct sf_publish_args pub = {.parts = &part,.n_parts = 1,.body =
        &number,.body_size = sizeof number,.release = give_slot,.user = slot
  };

  for (;;) {
    uint64_t token = sf_producer_token (p);
    int r = sf_producer_publish (p, &pub);

    if (r == 0)
      return;
    check_int (r, -EAGAIN);
    check (wait);
    wait_for_slot (p, token);
  }
}

/* False: there was no slot, the frame is dropped. */
static inline bool
send_frame (struct sf_producer *p, uint64_t number, bool wait)
{
  struct sf_slot *slot = fill_slot (p, number, wait);

  if (slot != NULL)
    publish_slot (p, slot, number, wait);
  return slot != NULL;
}

static inline struct sf_consumer *
open_consumer (const char *path, uint32_t delivery, uint32_t max_held)
{
  struct sf_consumer_config config = {.path = path,.name = "test",.delivery =
        delivery,.max_held = max_held,.connect_timeout = SF_FOREVER
  };
  struct sf_consumer *c;

  check_int (sf_consumer_open (&c, &config), 0);
  return c;
}

/* The next thing of this kind; what comes before it is passed over. */
static inline void
next_of (struct sf_consumer *c, struct sf_received *in,
    enum sf_received_kind kind)
{
  do {
    check_int (sf_consumer_next (c, in, LONG), 1);
    if (in->kind == SF_RECEIVED_FRAME && kind != SF_RECEIVED_FRAME)
      sf_lease_unref (in->lease);
  } while (in->kind != kind);
}

/* The number of a frame, having checked every word of it. */
static inline uint64_t
check_frame (const struct sf_received *in)
{
  const uint64_t *words = (const uint64_t *) in->parts[0].data;
  uint64_t number;

  check_int (in->n_parts, 1);
  check_int (in->body_size, sizeof number);
  memcpy (&number, in->body, sizeof number);
  for (uint32_t i = 0; i < FRAME_WORDS; i++)
    check_int (words[i], word_of (number, i));
  return number;
}

/* The next frame, which is to be this one, and is given back. */
static inline void
take_frame (struct sf_consumer *c, uint64_t number)
{
  struct sf_received in;

  next_of (c, &in, SF_RECEIVED_FRAME);
  check_int (check_frame (&in), number);
  sf_lease_unref (in.lease);
}

static inline void
close_all (struct sf_consumer *c, struct sf_producer *p, struct place *place)
{
  sf_consumer_close (c);
  sf_producer_close (p);
  place_remove (place);
}

#endif
