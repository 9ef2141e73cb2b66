/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests who do not behave: clients and producers that talk without end, and clients
 * that read nothing. They keep to the protocol as long as a connection is to last. */
#include <pthread.h>
#include <sched.h>

#include "../unit/rawclient.h"
#include "peer.h"

/* More than there are places. */
#define N_SILENT 80u
#define CROWD (me->source == ORIGIN ? 40u : 10u)
#define N_FLOODS 4u
#define PAUSE_MS 10

static void
beat (void)
{
  me->heartbeat = (uint64_t) sf_now ();
}

/* As far as HELLO and the answer to it, which is not read. -1: it was not heard. */
static int
join (const char *path)
{
  struct sf_message hello = raw_hello (SF_DELIVERY_LIVE, 1);
  struct pollfd p = {.fd = sf_connect (path),.events = POLLIN };

  if (p.fd < 0)
    return -1;
  if (sf_send (p.fd, &hello, NULL, 0) == 0 && poll (&p, 1, 1000) == 1
      && (p.revents & POLLHUP) == 0)
    return p.fd;
  close (p.fd);
  return -1;
}

/* One of several threads that talk over one connection, as long as somebody is there,
 * so that there is always something to read. */
struct flood
{
  int fd;
  const struct sf_message *messages;
  unsigned n;
  struct sf_announce_header *header;    /* of a producer */
};

static void *
flood (void *data)
{
  struct flood *f = data;
  int r = 0;

  for (unsigned i = 0; !leave && (r == 0 || r == -EAGAIN); i++) {
    r = sf_send (f->fd, &f->messages[i % f->n], NULL, 0);
    if (r == -EAGAIN)
      sched_yield ();
    if (f->header != NULL) {
      sf_store_flag (&f->header->cpu, (uint32_t) sched_getcpu ());
      sf_bump_u32 (&f->header->want_returns);
    }
    beat ();
  }
  return NULL;
}

static void
flood_all (struct flood *f)
{
  pthread_t threads[N_FLOODS];

  for (unsigned i = 0; i < N_FLOODS; i++)
    must_be (pthread_create (&threads[i], NULL, flood, f), 0);
  for (unsigned i = 0; i < N_FLOODS; i++)
    pthread_join (threads[i], NULL);
}

/* Connections that say nothing. */
static void
be_silent (const char *path, bool come)
{
  static int silent[N_SILENT];

  for (unsigned i = 0; i < N_SILENT; i++) {
    if (come)
      silent[i] = sf_connect (path);
    else if (silent[i] >= 0)
      close (silent[i]);
  }
}

void
run_flooder (void)
{
  struct sf_message messages[] = { message_of (SF_MESSAGE_KICK),
    message_of (SF_MESSAGE_UPSTREAM), message_of (SF_MESSAGE_KICK),
    message_of (SF_MESSAGE_WANT)
  };
  const struct sf_message lie = message_of (SF_MESSAGE_PONG);
  char path[108];

  path_of (path, me->source);
  me->ready = me->life;
  be_silent (path, true);
  for (; !leave; beat ()) {
    struct flood f = { join (path), messages,
      sizeof messages / sizeof messages[0], NULL
    };

    if (f.fd < 0)
      continue;
    flood_all (&f);
    /* It was not asked. */
    sf_send (f.fd, &lie, NULL, 0);
    close (f.fd);
  }
  be_silent (path, false);
}

void
run_crowd (void)
{
  int fds[64];
  char path[108];

  path_of (path, me->source);
  for (unsigned i = 0; i < CROWD; beat ()) {
    fds[i] = join (path);
    i += fds[i] >= 0;
  }
  me->ready = me->life;
  for (; !leave; beat ())
    usleep (PAUSE_MS * 1000);
  for (unsigned i = 0; i < CROWD; i++)
    close (fds[i]);
}

/* What a producer has for one connection, or once for all that come. */
struct welcome
{
  struct sf_shm announce, returns;
  int guard[2], fd;
};

static void
serve_badly (struct welcome *w)
{
  const struct sf_message messages[] = { message_of (SF_MESSAGE_GRANT),
    message_of (SF_MESSAGE_LATENCY), message_of (SF_MESSAGE_PING),
    message_of (SF_MESSAGE_FLUSH)
  };
  struct sf_message msg = message_of (SF_MESSAGE_WELCOME);
  struct flood f = { w->fd, messages, sizeof messages / sizeof messages[0],
    w->announce.map
  };

  if (sf_send (w->fd, &msg, (int[]) {
          w->announce.fd, w->returns.fd, w->guard[1]}, 3) == 0)
    flood_all (&f);
}

void
run_bad_producer (void)
{
  struct sf_listener listener;
  struct sf_credentials peer;
  struct welcome w;
  char path[108];

  path_of (path, (unsigned) (me - seats->seat));
  unlink (path);
  must_be (sf_listener_open (&listener, path, 0600), 0);
  must_be (sf_shm_create (&w.announce, "announce", SF_ANNOUNCE_DATA_OFFSET
          + SF_ANNOUNCE_RING_SIZE, SF_SHM_SEALED), 0);
  must_be (sf_shm_create (&w.returns, "returns",
          sizeof (struct sf_returns_page), SF_SHM_SHARED), 0);
  must_be (pipe (w.guard), 0);
  sf_ring_format (w.announce.map, w.returns.map, SF_ANNOUNCE_RING_SIZE);
  me->ready = me->life;
  for (; !leave; beat ()) {
    w.fd = sf_listener_accept (&listener, &peer);
    if (w.fd < 0) {
      usleep (1000);
      continue;
    }
    usleep (PAUSE_MS * 1000);   /* for its HELLO, which is not read */
    serve_badly (&w);
    close (w.fd);
  }
  sf_listener_close (&listener);
}

void
run_victim (void)
{
  struct census before;
  struct sf_received in;
  struct sf_consumer *c;

  take_census (&before);
  c = peer_open_consumer (me->source, 2);
  for (; !leave; beat ()) {
    if (sf_consumer_next (c, &in, 50 * MS) == 1
        && in.kind == SF_RECEIVED_CONNECTED)
      me->ready = me->life;
  }
  sf_consumer_close (c);
  must_become (&before);
}
