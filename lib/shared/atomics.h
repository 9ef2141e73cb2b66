/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every memory order of the transport stands in this file, each with its
 * reason. Nothing else in the tree names a memory_order.
 *
 * The words below live in memory shared by two processes, one of which may be
 * hostile. So each function touches its word exactly once: the caller gets a
 * private copy and checks that. */
#ifndef SF_ATOMICS_H
#define SF_ATOMICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

_Static_assert (ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
    "words in shared memory must be lock-free, a lock would be per process");

typedef _Atomic uint32_t sf_atomic_u32;
/* Aligned alike by every compiler: 32-bit ones disagree about it. */
typedef _Atomic uint64_t sf_atomic_u64 __attribute__ ((aligned (8)));

/* A counter that only its owner writes, read back by the owner itself: nobody
 * else's writes can be missed, so no order is needed. */
static inline uint64_t
sf_load_own (const sf_atomic_u64 *p)
{
  return atomic_load_explicit ((sf_atomic_u64 *) p, memory_order_relaxed);
}

/* Statistics and hints: a stale value costs nothing but a later look. */
static inline uint64_t
sf_load_hint (const sf_atomic_u64 *p)
{
  return atomic_load_explicit ((sf_atomic_u64 *) p, memory_order_relaxed);
}

static inline void
sf_store_hint (sf_atomic_u64 *p, uint64_t v)
{
  atomic_store_explicit (p, v, memory_order_relaxed);
}

/* Publish: all that was written before (record bytes, frame pixels, a lease
 * word) must be visible to whoever sees the new value. */
static inline void
sf_publish_u64 (sf_atomic_u64 *p, uint64_t v)
{
  atomic_store_explicit (p, v, memory_order_release);
}

/* Observe: pairs with sf_publish_u64(); what was written before the value was
 * published may be read after this. */
static inline uint64_t
sf_observe_u64 (const sf_atomic_u64 *p)
{
  return atomic_load_explicit ((sf_atomic_u64 *) p, memory_order_acquire);
}

static inline void
sf_publish_u32 (sf_atomic_u32 *p, uint32_t v)
{
  atomic_store_explicit (p, v, memory_order_release);
}

static inline uint32_t
sf_observe_u32 (const sf_atomic_u32 *p)
{
  return atomic_load_explicit ((sf_atomic_u32 *) p, memory_order_acquire);
}

/* The head of a list that only grows, for threads of one process: whoever sees
 * it also sees what it points to. */
typedef void *_Atomic sf_atomic_pointer;

static inline void
sf_publish_pointer (sf_atomic_pointer *p, void *v)
{
  atomic_store_explicit (p, v, memory_order_release);
}

static inline void *
sf_observe_pointer (const sf_atomic_pointer *p)
{
  return atomic_load_explicit ((sf_atomic_pointer *) p, memory_order_acquire);
}

/* Claim or revoke: one compare-and-swap decides which side has the frame.
 * acq_rel: the winner's later reads of the frame (claim) or writes to it
 * (revoke, then reuse) must not move before the swap, and what either side did
 * before must not move behind it. `seen` gets the word as found, on failure. */
static inline bool
sf_decide_u64 (sf_atomic_u64 *p, uint64_t from, uint64_t to, uint64_t *seen)
{
  uint64_t expected = from;
  bool won = atomic_compare_exchange_strong_explicit (p, &expected, to,
      memory_order_acq_rel, memory_order_acquire);
  *seen = expected;
  return won;
}

/* Return: set bits with release, so that the reader's last loads from the
 * frame are done before the producer, which takes the bits with acquire, may
 * write the slot again. */
static inline void
sf_set_bits (sf_atomic_u64 *p, uint64_t bits)
{
  atomic_fetch_or_explicit (p, bits, memory_order_release);
}

static inline uint64_t
sf_take_bits (sf_atomic_u64 *p)
{
  return atomic_exchange_explicit (p, 0, memory_order_acquire);
}

/* Bits of a table in one process. Others reuse what they stand for only after
 * seeing them clear. */
static inline void
sf_clear_bits (sf_atomic_u64 *p, uint64_t bits)
{
  atomic_fetch_and_explicit (p, ~bits, memory_order_seq_cst);
}

/* Copies plain bytes that the other process may be changing. The fence keeps
 * the compiler from reading the source again after the copy was checked. */
static inline void
sf_copy_shared (void *to, const void *from, size_t size)
{
  memcpy (to, from, size);
  atomic_signal_fence (memory_order_seq_cst);
}

/* Sleep protocol (Dekker): each side stores its own word, then loads the
 * other's. Without a full fence between, both loads may see the old value and
 * the sleeper is never woken.
 *   sleeper: sleeping = 1; FENCE; look for work;  none -> sleep
 *   waker:   publish work; FENCE; look at sleeping; 1 -> wake          */
static inline void
sf_fence_store_load (void)
{
  atomic_thread_fence (memory_order_seq_cst);
}

/* The flag of the protocol above; the fences order it. */
static inline uint32_t
sf_load_flag (const sf_atomic_u32 *p)
{
  return atomic_load_explicit ((sf_atomic_u32 *) p, memory_order_relaxed);
}

static inline void
sf_store_flag (sf_atomic_u32 *p, uint32_t v)
{
  atomic_store_explicit (p, v, memory_order_relaxed);
}

/* Takes the flag, so that only one of several wakers makes the system call. */
static inline uint32_t
sf_take_flag (sf_atomic_u32 *p)
{
  return atomic_exchange_explicit (p, 0, memory_order_relaxed);
}

/* Swaps in a number: of several threads with the same number, only one finds
 * another. */
static inline uint32_t
sf_swap_flag (sf_atomic_u32 *p, uint32_t v)
{
  return atomic_exchange_explicit (p, v, memory_order_relaxed);
}

/* The word a sleeper waits on (futex). Only the change counts; the fences above
 * order the data. */
static inline void
sf_bump_u32 (sf_atomic_u32 *p)
{
  atomic_fetch_add_explicit (p, 1, memory_order_relaxed);
}

/* Reference counts in one process. Taking one needs no order, since the caller
 * has one already. Dropping: release, so that this thread is done before
 * another frees; acquire, so that the one that frees sees it all. */
static inline void
sf_ref (sf_atomic_u32 *p)
{
  atomic_fetch_add_explicit (p, 1, memory_order_relaxed);
}

static inline bool
sf_unref_is_last (sf_atomic_u32 *p)
{
  return atomic_fetch_sub_explicit (p, 1, memory_order_acq_rel) == 1;
}

/* A counter shared by threads of one process; nothing depends on its order. */
static inline uint64_t
sf_add_count (sf_atomic_u64 *p, uint64_t n)
{
  return atomic_fetch_add_explicit (p, n, memory_order_relaxed) + n;
}

/* Leaves the core's resources to its other hyper-thread. */
static inline void
sf_spin_pause (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__ ("yield");
#endif
}

#endif
