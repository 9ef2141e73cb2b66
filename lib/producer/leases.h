/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer's private account of which frames one client has (R3). The
 * client's page is only ever compared with it. */
#ifndef SF_LEASES_H
#define SF_LEASES_H

#include "shared/layout.h"

#define SF_NO_LEASE UINT32_MAX

enum sf_lease_state
{
  SF_LEASE_FREE = 0,
  SF_LEASE_UNCLAIMED,           /* announced; the client may have claimed it */
  SF_LEASE_HELD,                /* known to be claimed */
};

struct sf_lease_entry
{
  void *frame;
  uint64_t stamp;
  uint32_t next, prev;          /* in the list of its state, oldest first */
  uint32_t state;               /* enum sf_lease_state */
};

struct sf_lease_list
{
  uint32_t first, last, count;
};

struct sf_leases
{
  struct sf_returns_page *page;
  uint64_t next_stamp;
  struct sf_lease_list unclaimed;
  struct sf_lease_list held;
  uint32_t n_free;
  uint32_t n_words;             /* of returns, in which leases were given */
  uint32_t free_stack[SF_MAX_LEASES];
  struct sf_lease_entry entry[SF_MAX_LEASES];
};

/* Called with the frame of each lease that ends. */
typedef void (*sf_lease_done) (void *frame, void *user);

void sf_leases_init (struct sf_leases *leases, struct sf_returns_page *page);

/* Leases `frame` and fills lease and stamp of `record`, which is to be
 * announced next. 0, or -EAGAIN if all leases are in use. */
int sf_leases_add (struct sf_leases *leases, void *frame,
    struct sf_record_header *record);

/* Takes what the client returned. Returns the number of leases that ended, or
 * -EPROTO for a return of a lease that was not given or not claimed; valid ones
 * end all the same. */
int sf_leases_collect (struct sf_leases *leases, sf_lease_done done,
    void *user);

/* Revokes the oldest unclaimed frame. 1; 0: all are claimed; -EPROTO: the
 * client wrote something else into the word. */
int sf_leases_revoke_oldest (struct sf_leases *leases, sf_lease_done done,
    void *user);

/* The same of the newest. Who takes back all begins there: a client that goes
 * on claiming meanwhile then has what is before, and no frame behind a gap. */
int sf_leases_revoke_newest (struct sf_leases *leases, sf_lease_done done,
    void *user);

/* Revokes the oldest if it is unclaimed; does not look at the next. */
int sf_leases_revoke_first (struct sf_leases *leases, sf_lease_done done,
    void *user);

/* Returns how many frames the client holds, as its page says by now. -EPROTO as
 * above. */
int sf_leases_count_held (struct sf_leases *leases);

/* Ends all leases: the client is gone and can read no more. */
void sf_leases_clear (struct sf_leases *leases, sf_lease_done done, void *user);

static inline uint32_t
sf_leases_outstanding (const struct sf_leases *leases)
{
  return leases->unclaimed.count + leases->held.count;
}

#endif
