/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"

TopWatch *
top_watch_new (const gchar * path, gboolean found)
{
  TopWatch *watch = g_new0 (TopWatch, 1);

  watch->path = g_strdup (path);
  watch->found = found;
  watch->observer.fd = -1;
  watch->fps = -1;
  return watch;
}

void
top_watch_free (TopWatch * watch)
{
  sf_observer_close (&watch->observer);
  g_free (watch->problem);
  g_free (watch->path);
  g_free (watch);
}

const gchar *
top_watch_delivery (guint delivery)
{
  switch (delivery) {
    case SF_DELIVERY_LIVE:
      return "live";
    case SF_DELIVERY_LOSSLESS:
      return "lossless";
    default:
      return "auto";
  }
}

static void
set_problem (TopWatch * watch, const gchar * text)
{
  g_free (watch->problem);
  watch->problem = gst_shm_frame_text_clean (text);
  watch->fps = -1;
}

static gboolean
is_other_file (const gchar * path)
{
  struct stat st;

  return path[0] != '@' && stat (path, &st) == 0 && !S_ISSOCK (st.st_mode);
}

/* The connection is over, or never was. */
static void
fail (TopWatch * watch, gint error, const struct sf_reject *reject)
{
  sf_observer_close (&watch->observer);
  watch->producer_id = 0;
  switch (error) {
    case -ENOENT:
    case -ECONNREFUSED:
      set_problem (watch, is_other_file (watch->path)
          ? "that is a file, and no socket" : "no producer is there");
      break;
    case -EPIPE:
      set_problem (watch, "the producer has gone, or does not let itself be "
          "observed");
      break;
    case -EACCES:
    case -EPERM:
      set_problem (watch, reject->reason != SF_REASON_NONE ? reject->text
          : "not allowed; become the producer's user, or see socket-mode of "
          "shmframesink");
      break;
    case -EPROTO:
    case -EPROTOTYPE:
      set_problem (watch, "what is there is no shmframesink of this release");
      break;
    case -EAGAIN:
      set_problem (watch, "it is busy");
      break;
    default:
      set_problem (watch, g_strerror (-error));
      break;
  }
}

static void
begin (TopWatch * watch)
{
  struct sf_reject reject = {.reason = SF_REASON_NONE };
  gint r = 0;

  if (watch->observer.fd < 0) {
    r = sf_observer_open (&watch->observer, watch->path, &reject);
    /* Nobody else's is asked what nobody wants to know. */
    if (r == 0 && watch->found && watch->observer.peer.uid != geteuid ())
      r = -EPERM;
  }
  if (r == 0)
    r = sf_observer_ask (&watch->observer);
  if (r < 0)
    fail (watch, r, &reject);
}

/* The look is complete. */
static void
note (TopWatch * watch)
{
  const struct sf_stats *stats = &watch->observer.stats;

  watch->fps = -1;
  if (watch->producer_id == stats->producer_id && stats->clock > watch->clock
      && stats->frames >= watch->frames)
    watch->fps = (stats->frames - watch->frames) * 1e9
        / (stats->clock - watch->clock);
  watch->producer_id = stats->producer_id;
  watch->clock = stats->clock;
  watch->frames = stats->frames;
  watch->answered = TRUE;
  g_clear_pointer (&watch->problem, g_free);
}

static void
take_answer (TopWatch * watch)
{
  struct sf_reject reject = {.reason = SF_REASON_NONE };
  gint r;

  do
    r = sf_observer_read (&watch->observer, &reject);
  while (r == 0);
  if (r == 1)
    note (watch);
  else if (r != -EAGAIN)
    fail (watch, r, &reject);
}

/* Those of which an answer is still to come, in `fds`. */
static guint
gather (GPtrArray * watches, struct pollfd *fds, TopWatch ** asked)
{
  guint n = 0;

  for (guint i = 0; i < watches->len; i++) {
    TopWatch *watch = g_ptr_array_index (watches, i);

    if (watch->observer.fd < 0 || !watch->observer.asked)
      continue;
    fds[n] = (struct pollfd) {.fd = watch->observer.fd,.events = POLLIN };
    asked[n++] = watch;
  }
  return n;
}

void
top_watch_look (GPtrArray * watches, gint64 timeout)
{
  gint64 until = g_get_monotonic_time () + timeout, left = timeout;
  struct pollfd *fds = g_new (struct pollfd, watches->len + 1);
  TopWatch **asked = g_new (TopWatch *, watches->len + 1);
  guint n;

  for (guint i = 0; i < watches->len; i++)
    begin (g_ptr_array_index (watches, i));
  while ((n = gather (watches, fds, asked)) > 0 && left > 0) {
    gint ready = poll (fds, n, (gint) (left / 1000) + 1);

    if (ready < 0)
      break;
    for (guint i = 0; i < n; i++)
      if (fds[i].revents != 0)
        take_answer (asked[i]);
    left = until - g_get_monotonic_time ();
  }
  n = gather (watches, fds, asked);
  for (guint i = 0; i < n; i++)
    set_problem (asked[i], "it does not answer; is its process stopped?");
  g_free (fds);
  g_free (asked);
}
