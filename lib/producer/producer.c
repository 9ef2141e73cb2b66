/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening, closing and settings of a producer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "producer/parts.h"

static void
on_slot_freed (void *producer, bool idle)
{
  sf_producer_note_progress (producer);
  if (idle)
    sf_producer_kick (producer);
}

static void
free_producer (struct sf_producer *p)
{
  sf_sticky_forget_locked (p, 0, UINT64_MAX);
  sf_producer_free_removed (p);
  for (uint32_t i = 0; i < p->segments.n_known; i++)
    sf_segment_unref (p->segments.known[i].segment);
  sf_fd_close (p->epoll_fd);
  sf_fd_close (p->wake_fd);
  sf_slots_unref (p->slots);
  sf_slots_unref (p->spill_slots);
  pthread_mutex_destroy (&p->room_lock);
  pthread_mutex_destroy (&p->lock);
  pthread_cond_destroy (&p->cond);
  free (p->segments.known);
  free (p->waking.clients);
  free (p);
}

static int
watch_own_fds (struct sf_producer *p)
{
  struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0 };

  p->epoll_fd = sf_fd_own (epoll_create1 (EPOLL_CLOEXEC));
  if (p->epoll_fd < 0)
    return -errno;
  p->wake_fd = sf_fd_own (eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (p->wake_fd < 0)
    return -errno;
  if (epoll_ctl (p->epoll_fd, EPOLL_CTL_ADD, p->listener.fd, &ev) < 0)
    return -errno;
  ev.data.u64 = 1;
  if (epoll_ctl (p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &ev) < 0)
    return -errno;
  return 0;
}

int
sf_producer_open (struct sf_producer **producer,
    const struct sf_producer_config *config)
{
  struct sf_producer *p = calloc (1, sizeof (*p));
  int r;

  if (p == NULL)
    return -ENOMEM;
  pthread_mutex_init (&p->room_lock, NULL);
  pthread_mutex_init (&p->lock, NULL);
  sf_cond_init (&p->cond);
  p->generation = sf_generation;
  p->epoll_fd = p->wake_fd = -1;
  p->settings = *config;
  p->capacity.slots_per_record = 1;
  p->slots = sf_slots_new (config->max_memory);
  p->spill_slots = sf_slots_new (SF_MAX_SPILL_BYTES);
  p->waking.clients = calloc (config->max_clients, sizeof (struct sf_client *));
  if (p->slots == NULL || p->spill_slots == NULL || p->waking.clients == NULL
      || getrandom (&p->id, sizeof (p->id), 0) != sizeof (p->id)) {
    free_producer (p);
    return -ENOMEM;
  }
  if (config->huge_pages)
    sf_slots_use_huge_pages (p->slots);
  if (config->slots != 0)
    sf_slots_fix (p->slots);
  r = sf_listener_open (&p->listener, config->path, config->mode);
  if (r < 0) {
    free_producer (p);
    return r;
  }
  sf_slots_set_freed (p->slots, on_slot_freed, p);
  r = watch_own_fds (p);
  if (r == 0)
    r = sf_thread_start (&p->thread, sf_producer_thread, p);
  if (r < 0) {
    sf_slots_set_freed (p->slots, NULL, NULL);
    sf_listener_close (&p->listener);
    free_producer (p);
    return r;
  }
  *producer = p;
  return 0;
}

static void *
linger (void *producer)
{
  pthread_detach (pthread_self ());
  sf_producer_linger (producer);
  free_producer (producer);
  return NULL;
}

void
sf_producer_close (struct sf_producer *p)
{
  pthread_t thread;

  if (sf_is_inherited (p->generation))
    return;
  /* Nobody writes into a slot from here on, so clients may go on reading. */
  sf_slots_shut (p->slots);
  pthread_mutex_lock (&p->lock);
  p->stopping = true;
  p->waiting.interrupted = true;
  pthread_cond_broadcast (&p->cond);
  pthread_mutex_unlock (&p->lock);
  sf_producer_kick (p);
  pthread_join (p->thread, NULL);
  sf_listener_close (&p->listener);
  pthread_mutex_lock (&p->lock);
  sf_producer_drop_latest_locked (p);
  sf_producer_unlock (p);
  sf_slots_set_freed (p->slots, NULL, NULL);
  if (p->clients == NULL)
    free_producer (p);
  else
    /* If no thread can be made, their frames stay out until this process
     * ends. */
    sf_thread_start (&thread, linger, p);
}

struct sf_slots *
sf_producer_slots (struct sf_producer *p)
{
  return p->slots;
}

void
sf_producer_set_delivery (struct sf_producer *p, bool live, bool lossless,
    uint64_t latency_min, uint64_t latency_max)
{
  pthread_mutex_lock (&p->lock);
  if (!p->delivery.known || p->delivery.live != live
      || p->delivery.lossless != lossless
      || p->delivery.latency_min != latency_min
      || p->delivery.latency_max != latency_max) {
    p->delivery.known = true;
    p->delivery.live = live;
    p->delivery.lossless = lossless;
    p->delivery.latency_min = latency_min;
    p->delivery.latency_max = latency_max;
    p->delivery.unsent = true;
    p->need_kick = true;
  }
  sf_producer_unlock (p);
}
