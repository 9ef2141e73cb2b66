/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a hostile client writes into its returns page, against the producer's
 * account of leases and its end of the ring. The input is a list of steps. The
 * account must come out even whatever is written: each frame is done with once,
 * and none that was not given. */
#include <string.h>

#include "fuzz.h"
#include "producer/leases.h"
#include "shared/ring.h"

#define RING_SIZE 4096u
#define MAX_FRAMES 4096u

struct input
{
  const uint8_t *at;
  size_t left;
};

static struct sf_returns_page *page;
static struct sf_leases *leases;
static uint8_t *announce;
static struct sf_ring_writer writer;
/* 0: never given; 1: out; 2: done. */
static uint8_t frames[MAX_FRAMES];
static uint32_t n_given, n_done;

static uint64_t
take (struct input *in, size_t n)
{
  uint64_t v = 0;

  n = n < in->left ? n : in->left;
  memcpy (&v, in->at, n);
  in->at += n;
  in->left -= n;
  return v;
}

static void
done (void *frame, void *user)
{
  uint8_t *f = frame;

  require (user == &leases && f >= frames && f < frames + n_given);
  require (*f == 1);
  *f = 2;
  n_done++;
}

static void
check_account (void)
{
  require (sf_leases_outstanding (leases) == n_given - n_done);
  require (leases->n_free + sf_leases_outstanding (leases) == SF_MAX_LEASES);
  require (writer.head - writer.read_pos <= RING_SIZE);
  require (writer.read_pos % 64 == 0);
}

static void
give (struct input *in)
{
  struct sf_record_header record = { 0 };

  (void) in;
  if (n_given == MAX_FRAMES)
    return;
  frames[n_given] = 1;
  if (sf_leases_add (leases, &frames[n_given], &record) == 0)
    n_given++;
}

static void
claim (struct input *in)
{
  uint32_t i = (uint32_t) take (in, 2) % SF_MAX_LEASES;
  uint64_t word = sf_observe_u64 (&page->lease[i]);
  uint64_t seen;

  sf_decide_u64 (&page->lease[i], word, (word & ~UINT64_C (3))
      | SF_LEASE_CLAIMED, &seen);
}

static void
write_page (struct input *in)
{
  size_t at = take (in, 2) % (sizeof *page / 8);
  uint64_t word = take (in, 8);

  memcpy ((uint8_t *) page + at * 8, &word, sizeof word);
}

static void
write_record (struct input *in)
{
  static const uint8_t payload[SF_MAX_PAYLOAD];
  struct sf_record_header record = {.type = SF_RECORD_EVENT };
  uint64_t head = writer.head;
  int r = sf_ring_write (&writer, &record, payload, (uint32_t) take (in, 2));

  require (r == 0 || writer.head == head);
}

static void
step (struct input *in)
{
  uint8_t what = (uint8_t) take (in, 1);
  uint32_t i;

  switch (what % 10) {
    case 0:
    case 1:
      give (in);
      break;
    case 2:
      claim (in);
      break;
    case 3:
      i = (uint32_t) take (in, 2) % SF_MAX_LEASES;
      sf_set_bits (&page->returned[i / 64], UINT64_C (1) << (i % 64));
      break;
    case 4:
      write_page (in);
      break;
    case 5:
      sf_leases_collect (leases, done, &leases);
      break;
    case 6:
      sf_leases_revoke_oldest (leases, done, &leases);
      break;
    case 7:
      sf_leases_count_held (leases);
      break;
    case 8:
      write_record (in);
      break;
    default:
      sf_publish_u64 (&page->read_pos, what & 128 ? take (in, 8)
          : writer.read_pos + 64 * take (in, 1));
      sf_ring_update_read_pos (&writer);
      break;
  }
}

static void
start_over (void)
{
  if (page == NULL) {
    page = malloc (sizeof *page);
    leases = malloc (sizeof *leases);
    announce = calloc (1, SF_ANNOUNCE_DATA_OFFSET + RING_SIZE);
    require (page && leases && announce);
  }
  memset (page, 0, sizeof *page);
  sf_ring_format (announce, page, RING_SIZE);
  sf_ring_writer_init (&writer, announce, page, RING_SIZE);
  sf_leases_init (leases, page);
  memset (frames, 0, n_given);
  n_given = n_done = 0;
}

int
LLVMFuzzerTestOneInput (const uint8_t * data, size_t size)
{
  struct input in = { data, size };

  start_over ();
  while (in.left > 0) {
    step (&in);
    check_account ();
  }
  sf_leases_clear (leases, done, &leases);
  check_account ();
  require (n_done == n_given);
  return 0;
}
