/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GLib's locks are made of futexes, which ThreadSanitizer does not see. Linked
 * into a test, these stand before those of the library, call them, and say what
 * comes before what: what was done before a lock was let go is seen by who
 * takes it, and what was done with an object by who frees it. Of other atomics
 * nothing is said. */
#include <dlfcn.h>
#include <gst/gst.h>
#include <sanitizer/tsan_interface.h>

#define SEEN __attribute__ ((visibility ("default"), no_sanitize ("thread")))

/* Found twice, it is the same. */
#define REAL(name) \
  static __typeof__ (&name) real; \
  if (__atomic_load_n (&real, __ATOMIC_RELAXED) == NULL) \
    __atomic_store_n (&real, (__typeof__ (&name)) dlsym (RTLD_NEXT, #name), \
        __ATOMIC_RELAXED)

#define LOCK(name, type) \
SEEN void \
name (type * lock) \
{ \
  REAL (name); \
  real (lock); \
  __tsan_acquire (lock); \
}

#define TRYLOCK(name, type) \
SEEN gboolean \
name (type * lock) \
{ \
  gboolean got; \
  REAL (name); \
  got = real (lock); \
  if (got) \
    __tsan_acquire (lock); \
  return got; \
}

#define UNLOCK(name, type) \
SEEN void \
name (type * lock) \
{ \
  REAL (name); \
  __tsan_release (lock); \
  real (lock); \
}

/* *INDENT-OFF* */
LOCK (g_mutex_lock, GMutex)
TRYLOCK (g_mutex_trylock, GMutex)
UNLOCK (g_mutex_unlock, GMutex)
LOCK (g_rec_mutex_lock, GRecMutex)
TRYLOCK (g_rec_mutex_trylock, GRecMutex)
UNLOCK (g_rec_mutex_unlock, GRecMutex)
LOCK (g_rw_lock_writer_lock, GRWLock)
TRYLOCK (g_rw_lock_writer_trylock, GRWLock)
UNLOCK (g_rw_lock_writer_unlock, GRWLock)
LOCK (g_rw_lock_reader_lock, GRWLock)
TRYLOCK (g_rw_lock_reader_trylock, GRWLock)
UNLOCK (g_rw_lock_reader_unlock, GRWLock)
/* *INDENT-ON* */

SEEN void
g_cond_wait (GCond * cond, GMutex * mutex)
{
  REAL (g_cond_wait);
  __tsan_release (mutex);
  real (cond, mutex);
  __tsan_acquire (mutex);
}

SEEN gboolean
g_cond_wait_until (GCond * cond, GMutex * mutex, gint64 end)
{
  gboolean signalled;

  REAL (g_cond_wait_until);
  __tsan_release (mutex);
  signalled = real (cond, mutex, end);
  __tsan_acquire (mutex);
  return signalled;
}

/* What harnesses and pipelines hand from thread to thread. */

SEEN void
g_async_queue_push (GAsyncQueue * queue, gpointer data)
{
  REAL (g_async_queue_push);
  __tsan_release (queue);
  real (queue, data);
}

#define POP(name) \
SEEN gpointer \
name (GAsyncQueue * queue) \
{ \
  gpointer data; \
  REAL (name); \
  data = real (queue); \
  __tsan_acquire (queue); \
  return data; \
}

/* *INDENT-OFF* */
POP (g_async_queue_pop)
POP (g_async_queue_try_pop)
/* *INDENT-ON* */

SEEN gpointer
g_async_queue_timeout_pop (GAsyncQueue * queue, guint64 timeout)
{
  gpointer data;
  REAL (g_async_queue_timeout_pop);

  data = real (queue, timeout);
  __tsan_acquire (queue);
  return data;
}

/* The last one to let go frees what the others used; it is the last one that
 * has seen all of them go. */
#define LET_GO(name, object, refs, shared) \
  __typeof__ (refs) left; \
  REAL (name); \
  left = __atomic_load_n (&(refs), __ATOMIC_RELAXED); \
  while (left > 1 && (shared)) { \
    __tsan_release (object); \
    if (__atomic_compare_exchange_n (&(refs), &left, left - 1, FALSE, \
            __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) \
      return; \
  } \
  __tsan_release (object); \
  __tsan_acquire (object); \
  real (object)

SEEN void
gst_mini_object_unref (GstMiniObject * object)
{
  LET_GO (gst_mini_object_unref, object, object->refcount, TRUE);
}

/* Not where one of them wants to be told that it is the last. */
SEEN void
g_object_unref (gpointer pointer)
{
  GObject *object = pointer;
  LET_GO (g_object_unref, object, *(guint *) & object->ref_count,
      g_datalist_get_flags (&object->qdata) == 0);
}

/* Iterators let go of what they show in this way. */
#define UNSET(name, type, result) \
SEEN type \
name (GValue * value) \
{ \
  GObject *object = NULL; \
  REAL (name); \
  if (G_VALUE_HOLDS_OBJECT (value)) { \
    object = value->data[0].v_pointer; \
    value->data[0].v_pointer = NULL; \
  } \
  if (object != NULL) \
    g_object_unref (object); \
  result real (value); \
}

/* *INDENT-OFF* */
UNSET (g_value_unset, void, )
UNSET (g_value_reset, GValue *, return)
/* *INDENT-ON* */
